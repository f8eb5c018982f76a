"""The monitor without Qt: faults, snooze, history and clips, on a clock that the test turns."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from turned_room import SeenAlarm, TurnedMicrophone, TurnedRoom

from babymonitor.core.alerts.health import Health
from babymonitor.core.alerts.policy import Change
from babymonitor.core.happenings import AlertHappened, ClipSaved, Complaint, Happening, Outlet, StateChanged
from babymonitor.core.settings import LOUD_ALERTS
from babymonitor.core.state import Activity
from babymonitor.live.record.clip_writer import ClipKey, ClipWriter


def test_a_quiet_night_is_written_in_minutes(room: TurnedRoom) -> None:
    room.run(30)
    room.end()
    assert room.health() == [Health.LISTENING]
    assert room.changes() == []
    minutes = room.history.minutes(0, 1e12)
    assert sum(minute.seconds["background"] for minute in minutes) == pytest.approx(30, abs=1)
    room.history.close()


def test_a_cry_becomes_a_row_and_a_clip_from_before_to_after(room: TurnedRoom, tmp_path: Path) -> None:
    room.run(10)
    room.microphone.amplitude = 0.2
    room.run(5, crying=0.95)
    room.microphone.amplitude = 1e-3
    room.run(8)
    assert room.listening.state.activity is Activity.LISTENING
    room.end()
    assert room.changes() == [(Change.RAISED, True), (Change.ENDED, False)]
    (row,) = room.history.alerts()
    assert row.ended is not None
    assert row.clip is not None
    assert row.reasons == {"sad": 1.0}
    wave, rate = soundfile.read(tmp_path / "clips" / row.clip)
    assert wave.size / rate == pytest.approx(2 + 5 + 1, abs=0.6)
    assert np.abs(wave[: int(1.5 * rate)]).max() < 0.02
    assert np.abs(wave[4 * rate : 5 * rate]).max() > 0.3
    assert any(isinstance(happening, ClipSaved) for happening in room.happened)
    assert not list((tmp_path / "clips").rglob("*.part"))
    room.history.close()


def test_stopped_in_the_middle_of_a_cry_keeps_what_there_is(room: TurnedRoom, tmp_path: Path) -> None:
    room.run(5)
    room.run(3, crying=0.95)
    assert room.listening.state.activity is Activity.CRYING
    room.end()
    (row,) = room.history.alerts()
    assert row.ended is not None
    assert row.clip is not None
    assert soundfile.info(tmp_path / "clips" / row.clip).duration == pytest.approx(5, abs=0.6)
    room.history.close()


def test_a_pulled_microphone_ends_the_alert_is_a_gap_and_is_tried_again(room: TurnedRoom) -> None:
    room.run(5)
    room.run(2, crying=0.95)
    room.microphone.there = False
    room.run(2.25)
    assert room.listening.state.activity is Activity.DEAF
    assert room.changes()[-1][0] is Change.ENDED
    opened = room.microphone.opened
    room.run(30)
    attempts = room.microphone.opened - opened
    assert 4 <= attempts <= 10, "it backs off"
    assert room.listening.state.detail == "No microphone was found."
    room.microphone.there = True
    room.run(10)
    assert room.listening.state.activity is Activity.LISTENING
    room.end()
    (gap,) = room.history.gaps()
    assert gap.state == "deaf"
    assert gap.ended is not None
    room.history.close()


def test_digital_silence_is_muted(room: TurnedRoom) -> None:
    room.run(5)
    room.microphone.amplitude = 0.0
    room.run(4)
    assert room.listening.state.activity is Activity.MUTED
    assert "digital silence" in room.listening.state.detail
    room.microphone.amplitude = 1e-3
    room.run(1)
    assert room.listening.state.activity is Activity.LISTENING
    room.end()
    room.history.close()


def test_without_scores_loudness_wakes(room: TurnedRoom) -> None:
    room.run(5)
    room.listening.model_failed("The model x cannot be used: it fails when it is asked.")
    room.run(6, crying=None)
    assert room.listening.state.activity is Activity.MODEL_FAILED
    assert "it fails when it is asked" in room.listening.state.detail
    assert "loud sound" in room.listening.state.detail
    room.microphone.amplitude = 0.3
    room.run(2, crying=None)
    assert room.listening.state.activity is Activity.LOUD
    assert room.changes() == [(Change.RAISED, True)]
    room.microphone.amplitude = 1e-3
    room.run(1)
    assert room.listening.state.activity is Activity.LISTENING, "the model answers again"
    room.end()
    (row,) = room.history.alerts()
    assert row.kind == "loud"
    room.history.close()


def test_a_model_that_fails_while_it_cries_is_told(room: TurnedRoom) -> None:
    room.run(5)
    room.run(2, crying=0.95)
    room.run(6, crying=None)
    assert room.listening.state.activity is Activity.MODEL_FAILED
    assert room.changes() == [(Change.RAISED, True), (Change.ENDED, False)]
    room.end()
    room.history.close()


def test_another_microphone_than_the_wanted_one_is_told_and_the_wanted_one_looked_for(room: TurnedRoom) -> None:
    room.run(5)
    room.microphone.there = False
    room.run(3)
    room.microphone.there, room.microphone.is_substitute = True, True
    room.run(10)
    assert room.listening.state.activity is Activity.LISTENING
    sentences = [happening.sentence for happening in room.happened if isinstance(happening, Complaint)]
    assert sentences == ["The wanted microphone is not there; 'turned' is heard instead."]
    opened = room.microphone.opened
    room.run(300)
    assert 2 <= room.microphone.opened - opened <= 3, "every two minutes"
    room.microphone.is_substitute = False
    opened = room.microphone.opened
    room.run(300)
    assert room.microphone.opened - opened == 0
    room.end()
    room.history.close()


def test_whatever_goes_wrong_with_the_sound_is_deaf_and_never_silent(room: TurnedRoom) -> None:
    room.run(5)

    def broken() -> None:
        raise RuntimeError("the driver is confused")

    room.microphone.pump = broken  # type: ignore[method-assign]
    room.run(3)
    assert room.listening.state.activity is Activity.DEAF
    room.end()
    room.history.close()


def test_a_clock_set_back_does_not_lengthen_the_snooze(room: TurnedRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    room.run(5)
    room.waker.snooze(10)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 6 * 3600)
    room.run(1)
    assert room.waker.snoozed_until is not None
    assert room.waker.snoozed_until - time.time() == pytest.approx(600, abs=20)
    before = len(room.happened)
    room.run(5)
    states = [happening for happening in room.happened[before:] if isinstance(happening, StateChanged)]
    assert len(states) <= 1, "the end of the snooze does not tremble"
    room.end()
    room.history.close()


def test_snoozed_nobody_is_woken_and_everything_is_kept(room: TurnedRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    room.run(5)
    room.waker.snooze(10)
    assert room.listening.state.snoozed_until == pytest.approx(time.time() + 600, abs=5)
    room.run(5, crying=0.95)
    assert room.changes() == [(Change.RAISED, False)]
    room.waker.end_snooze()
    room.run(1, crying=0.95)
    assert room.changes()[1:] == [(Change.REPEATED, True)]
    room.end()
    assert len(room.history.alerts()) == 1
    room.history.close()


def another_microphone(room: TurnedRoom) -> TurnedMicrophone:
    microphone = TurnedMicrophone(room.ring)
    room.microphone = microphone
    return microphone


def test_a_snooze_outlives_a_change_of_microphone_and_a_restart(room: TurnedRoom) -> None:
    room.run(5)
    room.waker.snooze(10)
    until = room.listening.state.snoozed_until
    room.room.change_source(another_microphone(room))
    room.run(3)
    assert room.listening.state.snoozed_until == until
    room.room.stop()
    room.room.start(another_microphone(room))
    room.run(5, crying=0.95)
    assert room.listening.state.snoozed_until == until
    assert room.changes() == [(Change.RAISED, False)]
    room.end()
    room.history.close()


def test_an_alarm_goes_on_through_a_change_of_microphone(room: TurnedRoom) -> None:
    room.waker.alarm = alarm = SeenAlarm()  # type: ignore[assignment]
    room.run(5)
    room.run(3, crying=0.95)
    assert alarm.sounding
    room.room.change_source(another_microphone(room))
    assert alarm.sounding
    room.run(3, crying=0.95)
    assert alarm.sounding
    assert alarm.given == ["crying"], "it goes on, and does not begin anew"
    room.run(12)
    assert not alarm.sounding, "the crying is over"
    assert [row.ended is not None for row in room.history.alerts()] == [True, True]
    room.end()
    room.history.close()


def test_what_was_acknowledged_stays_acknowledged_through_a_change_of_microphone(room: TurnedRoom) -> None:
    room.waker.alarm = alarm = SeenAlarm()  # type: ignore[assignment]
    room.run(5)
    room.run(10, crying=0.95)
    room.waker.acknowledge()
    room.room.change_source(another_microphone(room))
    room.run(40, crying=0.95)
    assert alarm.given == ["crying"]
    assert not alarm.sounding
    room.run(15, crying=0.95)
    assert alarm.given == ["crying", "crying"], "repeated when it would have been without the change"
    room.end()
    room.history.close()


def test_another_cry_after_a_change_of_microphone_wakes_at_once(room: TurnedRoom) -> None:
    room.waker.alarm = alarm = SeenAlarm()  # type: ignore[assignment]
    room.run(5)
    room.run(3, crying=0.95)
    room.waker.acknowledge()
    room.room.change_source(another_microphone(room))
    room.run(20)
    room.run(2, crying=0.95)
    assert alarm.given == ["crying", "crying"]
    room.end()
    room.history.close()


def test_an_alarm_goes_on_through_two_changes_in_a_row(room: TurnedRoom) -> None:
    room.waker.alarm = alarm = SeenAlarm()  # type: ignore[assignment]
    room.run(5)
    room.run(3, crying=0.95)
    room.room.change_source(another_microphone(room))
    room.room.change_source(another_microphone(room))
    assert alarm.sounding
    room.waker.acknowledge()
    room.room.change_source(another_microphone(room))
    room.run(20, crying=0.95)
    assert alarm.given == ["crying"], "and so does its having been acknowledged"
    room.end()
    room.history.close()


def test_crying_wakes_at_once_after_a_change_of_microphone_in_a_loud_alert(room: TurnedRoom) -> None:
    room.settings[LOUD_ALERTS] = True
    room.waker.alarm = alarm = SeenAlarm()  # type: ignore[assignment]
    room.run(40)
    room.microphone.amplitude = 0.3
    room.run(5)
    assert alarm.given == ["crying"], "the loud sound wakes"
    room.waker.acknowledge()
    another_microphone(room).amplitude = 0.3
    room.room.change_source(room.microphone)
    room.run(5, crying=0.95)
    assert alarm.given == ["crying", "crying"]
    room.end()
    room.history.close()


def test_the_alarm_of_a_pulled_microphone_sounds_without_a_break(room: TurnedRoom) -> None:
    room.waker.alarm = alarm = SeenAlarm()  # type: ignore[assignment]
    room.run(5)
    room.microphone.there = False
    room.run(3)
    assert alarm.sounding
    for _ in range(80):
        room.run(0.25)
        assert alarm.sounding
    assert alarm.given == ["health"]
    room.run(45)
    assert alarm.given == ["health", "health"], "repeated after a minute"
    room.microphone.there = True
    room.run(6)
    assert not alarm.sounding
    room.end()
    room.history.close()


def test_stopping_the_listening_silences_its_alarm(room: TurnedRoom) -> None:
    room.waker.alarm = alarm = SeenAlarm()  # type: ignore[assignment]
    room.run(5)
    room.run(3, crying=0.95)
    room.room.stop()
    assert not alarm.sounding
    states = [happening.state for happening in room.happened if isinstance(happening, StateChanged)]
    assert [state.activity for state in states[-2:]] == [Activity.CRYING, Activity.STOPPED]
    room.clips.close()
    room.history.close()


def test_whoever_is_told_may_end_the_listening(room: TurnedRoom) -> None:
    def stop_at_alert(happening: Happening) -> None:
        room.happened.append(happening)
        if isinstance(happening, AlertHappened) and happening.event.change is Change.RAISED:
            room.room.stop()

    room.room._outlet = Outlet(stop_at_alert)
    room.room.change_source(another_microphone(room))
    room.run(5)
    room.run(0.5, crying=0.95)
    assert room.room.listening is None
    assert room.changes() == [(Change.RAISED, True), (Change.ENDED, False)]
    states = [happening.state.activity for happening in room.happened if isinstance(happening, StateChanged)]
    assert states[-2:] == [Activity.CRYING, Activity.STOPPED], "in the order in which it happened"
    (row,) = room.history.alerts()
    assert row.ended is not None
    room.clips.close()
    room.history.close()


def test_what_is_kept_carries_the_room(tmp_path: Path) -> None:
    room = TurnedRoom(tmp_path, name="Attic")
    room.run(5)
    room.run(3, crying=0.95)
    room.run(20)
    room.run(2, crying=0.45)
    room.run(15)
    room.microphone.there = False
    room.run(3)
    room.end()
    assert {happening.room for happening in room.happened} == {"Attic"}
    rows = [*room.history.alerts(), *room.history.gaps(), *room.history.near_misses(), *room.history.minutes(0, 1e12)]
    assert len(rows) >= 4
    assert {row.room for row in rows} == {"Attic"}
    assert all(row.clip for row in [*room.history.alerts(), *room.history.near_misses()])
    room.history.close()


def test_a_computer_that_slept_says_so_and_leaves_a_gap(room: TurnedRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    room.run(5)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 1800)
    room.run(1)
    sentences = [happening.sentence for happening in room.happened if isinstance(happening, Complaint)]
    assert any("slept" in sentence for sentence in sentences)
    (gap,) = room.history.gaps()
    assert gap.state == "slept"
    assert gap.ended is not None
    # The test's clock runs faster than the wall's, which makes the gap look a little shorter than it was.
    assert gap.ended - gap.began == pytest.approx(1800, abs=15)
    room.end()
    room.history.close()


def test_a_history_that_cannot_be_written_is_told_once_and_the_alarm_goes_on(room: TurnedRoom) -> None:
    room.run(2)
    room.history.close()
    room.run(5, crying=0.95)
    complaints = [happening for happening in room.happened if isinstance(happening, Complaint)]
    assert len(complaints) == 1
    assert "could not be written" in complaints[0].sentence
    assert room.changes() == [(Change.RAISED, True)]
    room.clips.close()


def test_a_clip_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    writer = ClipWriter(tmp_path / "file", 16000)
    writer.save(ClipKey("alert", 1), "a.flac", np.zeros(100, np.float32))
    writer.save(ClipKey("alert", 2), "b.flac", np.zeros(100, np.float32))
    writer.close()
    assert [key.row for key, _, _ in writer.results] == [1, 2]
    assert all("could not be kept" in sentence for _, _, sentence in writer.results)
