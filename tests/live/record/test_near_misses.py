"""What was nearly an alert is kept for a person to judge: which rises of P(crying), and with what sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from turned_room import TurnedRoom

from babymonitor.core.happenings import NearMissSaved
from babymonitor.core.history.history import NearMiss
from babymonitor.core.settings import KEEP_CLIPS


def rows(room: TurnedRoom) -> list[NearMiss]:
    return room.history.near_misses(0, 1e12)


def test_a_rise_that_no_alert_follows_is_a_row_with_its_sound(room: TurnedRoom, tmp_path: Path) -> None:
    room.run(10)
    room.microphone.amplitude = 0.2
    room.run(2, crying=0.45)
    room.microphone.amplitude = 1e-3
    room.run(9)
    assert rows(room) == [], "an alert might still follow"
    room.run(3)
    room.end()
    (row,) = rows(room)
    assert row.ended - row.began == pytest.approx(2.0, abs=0.3)
    assert row.peak_crying == pytest.approx(0.45)
    assert row.probabilities["sad"] == pytest.approx(0.45)
    assert row.reviewed is None
    assert row.clip is not None
    assert "near-miss" in row.clip
    wave, rate = soundfile.read(tmp_path / "clips" / row.clip)
    assert wave.size / rate == pytest.approx(2 + 2 + 1, abs=0.5), "from before to after, as with an alert"
    assert np.abs(wave[: int(1.5 * rate)]).max() < 0.02
    assert np.abs(wave[int(2.5 * rate) : int(3.5 * rate)]).max() > 0.3
    (saved,) = (happening for happening in room.happened if isinstance(happening, NearMissSaved))
    assert (saved.row, saved.name) == (row.id, row.clip)
    assert room.history.alerts() == []
    room.history.close()


def test_what_becomes_an_alert_was_no_near_miss_nor_is_its_tail(room: TurnedRoom) -> None:
    room.run(5)
    room.run(2, crying=0.45)
    room.run(5)
    room.run(3, crying=0.95)
    room.run(4)
    room.run(2, crying=0.45)
    room.run(30)
    room.end()
    assert len(room.history.alerts()) == 1
    assert rows(room) == []
    room.history.close()


def test_one_score_too_low_a_rise_and_clips_switched_off_keep_nothing(room: TurnedRoom) -> None:
    room.run(5)
    room.run(0.25, crying=0.5)
    room.run(15)
    room.run(3, crying=0.25)
    room.run(15)
    room.settings[KEEP_CLIPS] = False
    room.run(3, crying=0.5)
    room.run(15)
    room.end()
    assert rows(room) == []
    room.history.close()


def test_of_an_hour_the_highest_are_kept_and_what_was_reviewed_stays(room: TurnedRoom, tmp_path: Path) -> None:
    peaks = [0.4, 0.45, 0.35, 0.5, 0.42, 0.44]
    for peak in peaks:
        room.run(1, crying=peak)
        room.run(12)
    assert sorted(row.peak_crying for row in rows(room)) == pytest.approx(sorted(peaks))
    reviewed = next(row for row in rows(room) if row.peak_crying == pytest.approx(0.4))
    room.history.review_near_miss(reviewed.id, "right", "", 1.0)
    for peak in (0.34, 0.55, 0.43):
        room.run(1, crying=peak)
        room.run(12)
    room.end()
    assert sorted(row.peak_crying for row in rows(room)) == pytest.approx([0.4, 0.43, 0.44, 0.45, 0.5, 0.55])
    clips = {path.name for path in (tmp_path / "clips").rglob("*.flac")}
    assert clips == {Path(str(row.clip)).name for row in rows(room)}, "what went, went with its sound"
    room.history.close()


def test_a_rise_of_minutes_is_one_near_miss(room: TurnedRoom, tmp_path: Path) -> None:
    room.run(5)
    room.run(200, crying=0.45)
    room.run(15)
    room.end()
    (row,) = rows(room)
    assert row.ended - row.began == pytest.approx(60, abs=1)
    assert soundfile.info(tmp_path / "clips" / str(row.clip)).duration == pytest.approx(62, abs=1)
    room.history.close()


def test_after_a_rise_of_minutes_that_we_broke_off_the_next_is_kept(room: TurnedRoom) -> None:
    room.run(5)
    room.run(70, crying=0.45)
    room.own_sound.is_clip_playing = True
    room.run(3, crying=0.45)
    room.own_sound.is_clip_playing = False
    room.run(30)
    room.run(1, crying=0.5)
    room.run(15)
    room.end()
    assert [row.peak_crying for row in rows(room)] == pytest.approx([0.5, 0.45])
    room.history.close()


def test_a_gap_and_the_end_settle_it_and_sound_is_not_taken_from_across(room: TurnedRoom, tmp_path: Path) -> None:
    room.run(5)
    room.run(1, crying=0.45)
    room.microphone.there = False
    room.run(5)
    room.microphone.there = True
    room.run(2)
    room.run(1, crying=0.5)
    room.end()
    second, first = rows(room)
    assert first.peak_crying == pytest.approx(0.45)
    assert soundfile.info(tmp_path / "clips" / str(first.clip)).duration == pytest.approx(2 + 1, abs=0.6)
    assert soundfile.info(tmp_path / "clips" / str(second.clip)).duration == pytest.approx(2 + 1, abs=0.6)
    room.history.close()


def test_what_we_play_ourselves_is_no_near_miss(room: TurnedRoom) -> None:
    room.run(5)
    room.own_sound.is_clip_playing = True
    room.run(3, crying=0.45)
    room.own_sound.is_clip_playing = False
    room.run(1.5, crying=0.45)
    room.run(15)
    assert rows(room) == []
    room.run(1, crying=0.45)
    room.run(15)
    room.end()
    assert len(rows(room)) == 1
    room.history.close()
