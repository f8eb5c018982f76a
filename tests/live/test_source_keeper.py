"""A source that fails and comes back, on a clock that the test turns."""

from __future__ import annotations

from itertools import pairwise

import pytest
from turned_room import TurnedMicrophone

from babymonitor.core.sound.ring import RingBuffer
from babymonitor.live.source_keeper import SourceKeeper


class Kept:
    """A keeper of a turned microphone, and what it complained of."""

    def __init__(self) -> None:
        self.now = 100.0
        self.microphone = TurnedMicrophone(RingBuffer(10.0))
        self.complaints: list[str] = []
        self.keeper = SourceKeeper(self.microphone, lambda: self.now, self.complaints.append)


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_the_pauses_between_attempts_double_up_to_eight_seconds(kept: Kept) -> None:
    kept.microphone.there = False
    kept.keeper.open()
    assert kept.keeper.error == "No microphone was found."
    attempts: list[float] = []
    for _ in range(400):
        before = kept.microphone.opened
        kept.keeper.retry_when_due()
        if kept.microphone.opened > before:
            attempts.append(kept.now)
        kept.now += 0.1
    pauses = [after - before for before, after in pairwise(attempts)]
    assert pauses == pytest.approx([0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0], abs=0.15)
    kept.microphone.there = True
    kept.now += 10
    kept.keeper.retry_when_due()
    assert kept.keeper.error == ""
    kept.keeper.forget_failures()
    kept.now += 8.1
    kept.keeper.retry_when_due()
    opened = kept.microphone.opened
    kept.now += 0.6
    kept.keeper.retry_when_due()
    assert kept.microphone.opened == opened + 1, "the pauses are short again"


def test_sound_that_cannot_be_used_is_an_error_and_does_not_raise(kept: Kept) -> None:
    def broken() -> None:
        raise RuntimeError("the driver is confused")

    kept.microphone.pump = broken  # type: ignore[method-assign]
    kept.keeper.pump()
    assert "the driver is confused" in kept.keeper.error


def test_a_substitute_is_complained_of_and_the_wanted_one_looked_for(kept: Kept) -> None:
    kept.microphone.is_substitute = True
    kept.keeper.open()
    assert kept.complaints == ["The wanted microphone is not there; 'turned' is heard instead."]
    opened = kept.microphone.opened
    for _ in range(250):
        kept.keeper.return_when_due()
        kept.now += 1
    assert kept.microphone.opened == opened + 2, "every two minutes"


def test_loudspeakers_are_looked_for_at_most_once_a_minute(kept: Kept) -> None:
    assert kept.keeper.renew_devices()
    assert not kept.keeper.renew_devices()
    kept.now += 61
    assert kept.keeper.renew_devices()
