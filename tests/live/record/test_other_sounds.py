"""What else is heard reaches the history: by a real model file through room, record and database."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_model
from turned_room import TurnedRoom

from babymonitor.core.model.features import FeatureSpec, log_mel

DOG = 0.1
"""How loud the dog is: the standard deviation of its samples."""


@pytest.fixture
def loudness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the tiny model hear a sound as loud as the dog as 0.4 crying."""
    wave = np.random.default_rng(0).standard_normal(64000) * DOG
    mean = float(log_mel(np.asarray(wave, np.float32), FeatureSpec()).mean())
    monkeypatch.setattr(tiny_model, "LOUD_LOG_POWER", mean + 0.55)
    monkeypatch.setattr(tiny_model, "SOUND_LOG_POWER", mean - 1.0)


def dog_at_night(room: TurnedRoom) -> None:
    room.run(20)
    room.microphone.amplitude = DOG
    room.run(6)
    room.microphone.amplitude = 1e-3
    room.run(20)
    room.end()


@pytest.mark.usefixtures("loudness")
def test_minutes_and_near_misses_keep_what_was_heard(tmp_path: Path) -> None:
    room = TurnedRoom(tmp_path, model=tiny_model.write(tmp_path / "tiny.onnx", sounds=("dog", "quiet")))
    dog_at_night(room)
    assert room.history.alerts() == []
    (near_miss,) = room.history.near_misses()
    assert near_miss.peak_crying == pytest.approx(0.4, abs=0.05)
    assert near_miss.threshold == 0.6
    assert near_miss.sounds["dog"] == pytest.approx(near_miss.ended - near_miss.began, abs=0.6)
    seconds: dict[str, float] = {}
    for minute in room.history.minutes(0, 1e12):
        assert sum(minute.sounds.values()) == pytest.approx(sum(minute.seconds.values()), abs=0.01)
        for name, length in minute.sounds.items():
            seconds[name] = seconds.get(name, 0.0) + length
    assert seconds["dog"] == pytest.approx(6.0, abs=2.0)
    assert seconds["quiet"] > 30.0
    room.history.close()


@pytest.mark.usefixtures("loudness")
def test_of_a_model_that_names_no_sounds_nothing_is_kept(tmp_path: Path) -> None:
    room = TurnedRoom(tmp_path, model=tiny_model.write(tmp_path / "tiny.onnx"))
    dog_at_night(room)
    (near_miss,) = room.history.near_misses()
    assert near_miss.sounds == {}
    minutes = room.history.minutes(0, 1e12)
    assert minutes
    assert all(minute.sounds == {} for minute in minutes)
    room.history.close()


@pytest.mark.usefixtures("loudness")
def test_a_sound_that_has_no_name_is_counted_without(tmp_path: Path) -> None:
    """That it was heard, and not likely enough to be named, is another thing than not to know."""
    room = TurnedRoom(tmp_path, model=tiny_model.write(tmp_path / "tiny.onnx", sounds=("whimper", "wail")))
    dog_at_night(room)
    (near_miss,) = room.history.near_misses()
    assert list(near_miss.sounds) == [""]
    room.history.close()
