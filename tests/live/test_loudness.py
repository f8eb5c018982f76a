"""Any loud sound: what wakes beside the model and in its place, and that our own alarm does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from turned_room import STEP, SeenAlarm, TurnedRoom

from babymonitor.core.happenings import AlertHappened
from babymonitor.core.settings import (
    ALARM_SECONDS,
    COOL_DOWN_SECONDS,
    END_SECONDS,
    LOUD_ALERTS,
    MINIMUM_SECONDS,
    REPEAT_SECONDS,
)
from babymonitor.core.state import Activity


@pytest.fixture
def loud_room(room: TurnedRoom) -> Iterator[TurnedRoom]:
    """A room in which any loud sound wakes, after its background is known."""
    room.settings[LOUD_ALERTS] = True
    room.run(40)
    yield room
    room.end()
    room.history.close()


LOUD_RAISED, LOUD_ENDED = ("loud", "raised", True), ("loud", "ended", False)
CRYING_RAISED, CRYING_ENDED = ("crying", "raised", True), ("crying", "ended", False)


def test_a_loud_sound_that_lasts_wakes_where_that_is_wanted(room: TurnedRoom, tmp_path: Path) -> None:
    room.settings[LOUD_ALERTS] = True
    room.run(40)
    room.microphone.amplitude = 0.05
    room.run(2.5)
    assert room.story() == [], "it must last"
    room.run(1)
    assert room.story() == [LOUD_RAISED]
    room.run(5)
    state = room.listening.state
    assert (state.activity, state.detail) == (Activity.LOUD, "")
    assert state.since is not None
    room.microphone.amplitude = 1e-3
    room.run(6)
    assert room.story() == [LOUD_RAISED, LOUD_ENDED]
    assert room.listening.state.activity is Activity.LISTENING
    room.end()
    (row,) = room.history.alerts()
    assert (row.kind, row.peak_crying, row.reasons) == ("loud", 0.0, {})
    assert row.peak_db == pytest.approx(-26, abs=0.5)
    assert row.ended is not None
    assert row.clip is not None
    wave, rate = soundfile.read(tmp_path / "clips" / row.clip)
    assert wave.size / rate == pytest.approx(2 + 8.5 + 1, abs=0.6)
    room.history.close()


def test_without_being_asked_loudness_leaves_it_to_the_model(room: TurnedRoom) -> None:
    room.run(40)
    room.microphone.amplitude = 0.9
    room.run(20)
    assert room.story() == []
    room.settings[LOUD_ALERTS] = True
    room.run(3.5)
    assert room.story() == [LOUD_RAISED], "it holds at once"
    room.settings[LOUD_ALERTS] = False
    room.run(0.5)
    assert room.story() == [LOUD_RAISED, LOUD_ENDED]
    room.end()
    room.history.close()


def test_what_is_brief_or_steady_wakes_nobody(loud_room: TurnedRoom) -> None:
    room = loud_room
    for _ in range(10):  # a dog
        room.microphone.amplitude = 0.2
        room.run(0.5)
        room.microphone.amplitude = 1e-3
        room.run(2)
    assert room.story() == []
    room.microphone.amplitude = 0.1  # a white-noise machine: switched on it wakes, then it is the background
    room.run(120)
    assert room.story() == [LOUD_RAISED, LOUD_ENDED]
    room.microphone.amplitude = 0.2
    room.run(20)
    assert len(room.story()) == 2, "6 dB more"
    room.microphone.amplitude = 0.95
    room.run(4)
    assert room.story()[2:] == [LOUD_RAISED]


def test_loud_crying_is_one_alert_and_one_alarm(loud_room: TurnedRoom) -> None:
    room = loud_room
    room.microphone.amplitude = 0.3
    room.run(20, crying=0.95)
    room.microphone.amplitude = 1e-3
    room.run(10)
    assert room.story() == [CRYING_RAISED, CRYING_ENDED]


def test_crying_found_in_a_loud_sound_takes_its_alert_over(loud_room: TurnedRoom) -> None:
    room = loud_room
    room.microphone.amplitude = 0.3
    room.run(5)
    assert room.story() == [LOUD_RAISED]
    room.run(5, crying=0.95)
    assert room.listening.state.activity is Activity.CRYING
    assert room.story() == [LOUD_RAISED, LOUD_ENDED, ("crying", "raised", False)], "woken once"
    room.run(60, crying=0.95)
    assert room.story()[3:] == [("crying", "repeated", True)]
    room.microphone.amplitude = 1e-3
    room.run(10)
    assert room.story()[4:] == [CRYING_ENDED]
    assert [row.kind for row in room.history.alerts()] == ["crying", "loud"]


@pytest.mark.parametrize("why", ["silenced", "slept through"])
def test_crying_wakes_anew_whom_the_loud_alert_does_not_wake_any_more(loud_room: TurnedRoom, why: str) -> None:
    room = loud_room
    room.microphone.amplitude = 0.3
    room.run(5)
    if why == "silenced":
        room.waker.acknowledge()
    else:
        room.run(room.settings[ALARM_SECONDS])
    room.run(2, crying=0.95)
    assert room.story() == [LOUD_RAISED, LOUD_ENDED, CRYING_RAISED]


def test_what_is_still_loud_after_the_crying_waits_for_the_rest_between_two_alerts(loud_room: TurnedRoom) -> None:
    room = loud_room
    room.microphone.amplitude = 0.3
    room.run(5, crying=0.95)
    room.run(3)
    assert room.story() == [CRYING_RAISED, CRYING_ENDED]
    room.run(room.settings[COOL_DOWN_SECONDS] - 0.5)
    assert len(room.story()) == 2
    room.run(1)
    assert room.story()[2:] == [LOUD_RAISED]


def test_who_wants_to_be_woken_only_by_long_crying_is_not_woken_by_its_loudness(loud_room: TurnedRoom) -> None:
    room = loud_room
    room.settings[MINIMUM_SECONDS] = 10.0
    room.listening.use_rules(None)
    room.microphone.amplitude = 0.3
    room.run(8, crying=0.95)
    assert room.story() == []
    room.run(3, crying=0.95)
    assert room.story() == [CRYING_RAISED]


def test_what_the_model_only_half_believes_to_be_crying_is_still_loud(loud_room: TurnedRoom) -> None:
    room = loud_room
    room.microphone.amplitude = 0.3
    room.run(0.25, crying=0.95)
    room.run(4, crying=0.5)
    assert room.story() == [LOUD_RAISED]


def test_a_snoozed_loud_sound_is_kept_and_wakes_when_the_snooze_is_over(loud_room: TurnedRoom) -> None:
    room = loud_room
    room.waker.snooze(10)
    room.microphone.amplitude = 0.3
    room.run(5)
    assert room.story() == [("loud", "raised", False)]
    room.waker.end_snooze()
    room.run(0.5)
    assert room.story()[1:] == [("loud", "repeated", True)]
    room.waker.snooze(10)
    room.run(2, crying=0.95)
    assert room.story()[2:] == [LOUD_ENDED, ("crying", "raised", False)]
    room.waker.end_snooze()
    room.run(0.5, crying=0.95)
    assert room.story()[4:] == [("crying", "repeated", True)], "the crying woke nobody yet"


def test_a_sound_that_comes_and_goes_is_told_again(loud_room: TurnedRoom) -> None:
    room = loud_room
    for seconds in [3.5] + 20 * [2.0]:  # less than half of the time, so that the background stays what it was
        room.microphone.amplitude = 0.3
        room.run(seconds)
        room.microphone.amplitude = 1e-3
        room.run(2.75)
    assert room.story()[:2] == [LOUD_RAISED, ("loud", "repeated", True)]


def test_our_own_alarm_is_not_taken_for_a_loud_sound(loud_room: TurnedRoom) -> None:
    room = loud_room
    alarm = SeenAlarm()
    room.waker.alarm = alarm  # type: ignore[assignment]
    alarm.crying()  # somebody tries it
    room.microphone.amplitude = 0.3
    room.run(10)
    assert room.story() == []
    alarm.stop()
    room.microphone.amplitude = 1e-3
    room.run(5)
    room.microphone.amplitude = 0.3
    room.run(4)
    assert room.story() == [LOUD_RAISED]
    assert alarm.sounding
    room.run(16)  # what is heard now is the alarm
    assert room.story() == [LOUD_RAISED]
    alarm.stop()  # its time is over
    room.microphone.amplitude = 1e-3
    room.run(3)
    assert room.story() == [LOUD_RAISED], "it may only be drawing breath"
    room.run(1)
    assert room.story() == [LOUD_RAISED, LOUD_ENDED]
    ended = [happening.event.alert for happening in room.happened if isinstance(happening, AlertHappened)][-1]
    assert ended.ended_seconds is not None
    assert ended.ended_seconds - ended.began_seconds == pytest.approx(3.25, abs=0.5), "as long as it was heard"


class HeardAlarm:
    """An alarm that sounds for its time, and that the microphone hears a little later than it sounds."""

    DELAY_SECONDS = 0.25

    def __init__(self, room: TurnedRoom) -> None:
        self._room = room
        self._silent_pump = room.microphone.pump
        self._began = self._until = float("-inf")
        self.given: list[tuple[str, float]] = []
        room.waker.alarm = self  # type: ignore[assignment]
        room.microphone.pump = self._pump  # type: ignore[method-assign]

    @property
    def sounding(self) -> bool:
        return self._room.now < self._until

    def crying(self) -> str:
        return self._sound("crying")

    def health(self) -> str:
        return self._sound("health")

    def stop(self) -> None:
        self._until = min(self._until, self._room.now)

    def _sound(self, which: str) -> str:
        self._began, self._until = self._room.now, self._room.now + self._room.settings[ALARM_SECONDS]
        self.given.append((which, self._room.now))
        return ""

    def _pump(self) -> None:
        in_the_room = self._room.microphone.amplitude
        if self._began <= self._room.now - STEP - self.DELAY_SECONDS < self._until:
            self._room.microphone.amplitude = max(0.3, in_the_room)
        self._silent_pump()
        self._room.microphone.amplitude = in_the_room


def test_a_loud_sound_after_a_long_alarm_of_our_own_wakes(loud_room: TurnedRoom) -> None:
    room = loud_room
    room.settings[ALARM_SECONDS] = 40.0
    HeardAlarm(room).crying()
    room.run(42)
    assert room.story() == []
    room.microphone.amplitude = 0.3
    room.run(4)
    assert room.story() == [LOUD_RAISED], "the alarm was not learnt as the background"


def test_alarms_that_fill_most_of_the_minute_leave_the_background_as_it_is(loud_room: TurnedRoom) -> None:
    room = loud_room
    room.settings[REPEAT_SECONDS] = 30.0
    room.listening.use_rules(None)
    alarm = HeardAlarm(room)
    for seconds in [3.5] + 40 * [2.0]:  # for less than half of what is heard beside the alarm
        room.microphone.amplitude = 0.3
        room.run(seconds)
        room.microphone.amplitude = 1e-3
        room.run(2.75)
    assert len(alarm.given) >= 5
    assert set(room.story()[1:]) == {("loud", "repeated", True)}


@pytest.mark.parametrize(("repeat_seconds", "alarm_seconds"), [(20.0, 20.0), (10.0, 5.0), (5.0, 20.0)])
def test_the_alarm_does_not_begin_again_by_its_own_tail(
    loud_room: TurnedRoom, repeat_seconds: float, alarm_seconds: float
) -> None:
    room = loud_room
    room.settings[REPEAT_SECONDS], room.settings[ALARM_SECONDS] = repeat_seconds, alarm_seconds
    room.settings[END_SECONDS] = 8.0
    room.listening.use_rules(None)
    alarm = HeardAlarm(room)
    room.microphone.amplitude = 0.3
    room.run(3.25)
    room.microphone.amplitude = 1e-3
    room.run(90)
    assert room.story() == [LOUD_RAISED, LOUD_ENDED]
    assert len(alarm.given) == 1


def test_a_held_up_main_thread_does_not_take_the_end_of_the_alarm_for_the_room(loud_room: TurnedRoom) -> None:
    room = loud_room
    room.settings[REPEAT_SECONDS], room.settings[ALARM_SECONDS] = 20.0, 20.0
    room.listening.use_rules(None)
    alarm = HeardAlarm(room)
    room.microphone.amplitude = 0.3
    room.run(3.25)
    room.microphone.amplitude = 1e-3
    room.run(18)
    for _ in range(12):  # the sound goes on, nobody looks
        room.now += STEP
        room.microphone.pump()
    assert not alarm.sounding
    room.run(10)
    assert room.story() == [LOUD_RAISED, LOUD_ENDED]


@pytest.mark.parametrize(("repeat_seconds", "alarm_seconds"), [(60.0, 20.0), (20.0, 20.0), (5.0, 20.0)])
def test_the_health_alarm_of_a_failed_model_is_no_loud_sound(
    room: TurnedRoom, repeat_seconds: float, alarm_seconds: float
) -> None:
    room.settings[REPEAT_SECONDS], room.settings[ALARM_SECONDS] = repeat_seconds, alarm_seconds
    room.listening.use_rules(None)
    room.run(10)
    alarm = HeardAlarm(room)
    room.run(300, crying=None)
    assert room.listening.state.activity is Activity.MODEL_FAILED
    assert room.story() == []
    assert {which for which, _ in alarm.given} == {"health"}
    assert len(alarm.given) >= 5, "it is repeated"
    room.end()
    assert room.history.alerts() == []
    room.history.close()


@pytest.mark.parametrize("minimum_seconds", [0.5, 10.0])
@pytest.mark.parametrize(("repeat_seconds", "alarm_seconds"), [(60.0, 20.0), (5.0, 20.0), (15.0, 20.0)])
def test_who_cries_during_the_health_alarm_is_alarmed_for_when_it_pauses(
    room: TurnedRoom, repeat_seconds: float, alarm_seconds: float, minimum_seconds: float
) -> None:
    room.settings[REPEAT_SECONDS], room.settings[ALARM_SECONDS] = repeat_seconds, alarm_seconds
    room.settings[MINIMUM_SECONDS] = minimum_seconds
    room.listening.use_rules(None)
    room.run(10)
    alarm = HeardAlarm(room)
    room.run(6, crying=None)
    ((which, given_at),) = alarm.given
    assert which == "health"
    for _ in range(10):  # with breaths
        room.microphone.amplitude = 0.3
        room.run(3, crying=None)
        room.microphone.amplitude = 1e-3
        room.run(0.5, crying=None)
    assert room.story() == [LOUD_RAISED]
    crying_at = next(at for which, at in alarm.given if which == "crying")
    assert crying_at - given_at <= alarm_seconds + minimum_seconds + 1.5
    room.end()
    room.history.close()


def test_who_cries_as_the_model_fails_is_alarmed_for_and_the_health_alarm_waits(room: TurnedRoom) -> None:
    room.run(10)
    alarm = HeardAlarm(room)
    room.run(3, crying=None)
    room.microphone.amplitude = 0.3
    room.run(4, crying=None)
    assert room.story() == [LOUD_RAISED]
    assert [which for which, _ in alarm.given] == ["crying"]
    room.microphone.amplitude = 1e-3
    room.run(40, crying=None)
    assert room.story() == [LOUD_RAISED, LOUD_ENDED]
    assert [which for which, _ in alarm.given] == ["crying", "health"]
    room.end()
    room.history.close()


def test_taking_over_leaves_the_alarm_sounding_and_the_end_silences_it(loud_room: TurnedRoom) -> None:
    room = loud_room
    alarm = SeenAlarm()
    room.waker.alarm = alarm  # type: ignore[assignment]
    room.microphone.amplitude = 0.3
    room.run(5)
    room.run(2, crying=0.95)
    assert room.story() == [LOUD_RAISED, LOUD_ENDED, ("crying", "raised", False)]
    assert alarm.sounding
    room.microphone.amplitude = 1e-3
    room.run(5)
    assert room.listening.state.activity is Activity.LISTENING
    assert not alarm.sounding


def test_a_microphone_that_is_no_longer_muted_has_to_learn_the_room_anew(loud_room: TurnedRoom) -> None:
    room = loud_room
    room.microphone.amplitude = 0.0
    room.run(60)
    assert room.listening.state.activity is Activity.MUTED
    room.microphone.amplitude = 1e-2
    room.run(30)
    assert room.story() == []
    room.microphone.amplitude = 0.3
    room.run(4)
    assert room.story() == [LOUD_RAISED]


def test_a_model_that_fails_beside_a_loud_sound_leaves_loudness_alone_on_watch(loud_room: TurnedRoom) -> None:
    room = loud_room
    room.run(6, crying=None)
    assert room.listening.state.activity is Activity.MODEL_FAILED
    room.microphone.amplitude = 0.3
    room.run(1, crying=None)
    assert room.story() == [LOUD_RAISED], "as quickly as the model would"
    room.run(1)
    assert room.listening.state.activity is Activity.LOUD, "the model is back, and it is as loud as before"
    assert room.story() == [LOUD_RAISED]
