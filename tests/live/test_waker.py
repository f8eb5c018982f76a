"""Who is woken, and when: the alarm, snooze and acknowledgement, on a clock that the test turns."""

from __future__ import annotations

import time

import pytest
from turned_room import SeenAlarm

from babymonitor.core.settings import ALARM_SECONDS, REPEAT_SECONDS, Settings
from babymonitor.live.waker import Waker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def alarm() -> SeenAlarm:
    return SeenAlarm()


@pytest.fixture
def waker(clock: Clock, alarm: SeenAlarm) -> Waker:
    return Waker(Settings(), alarm, clock)  # type: ignore[arg-type]


def test_somebody_is_being_woken_until_the_alarm_is_over_or_acknowledged(waker: Waker, clock: Clock) -> None:
    assert not waker.is_waking("")
    waker.wake("")
    assert waker.is_waking("")
    clock.now += Settings()[ALARM_SECONDS]
    assert not waker.is_waking("")
    waker.wake("")
    waker.acknowledge()
    assert not waker.is_waking("")
    assert not waker.is_sounding


def test_one_room_that_is_well_again_leaves_the_alarm_of_another(waker: Waker) -> None:
    waker.wake("Attic")
    waker.wake("Nursery")
    waker.release("Attic")
    assert waker.is_sounding
    waker.release("Nursery")
    assert not waker.is_sounding


def test_one_room_that_is_well_again_leaves_the_health_alarm_of_another(waker: Waker, clock: Clock) -> None:
    waker.wake("Attic")
    waker.warn("Nursery")
    waker.release("Attic")
    assert waker.is_sounding
    clock.now += Settings()[ALARM_SECONDS]
    waker.release("Attic")
    assert not waker.is_sounding, "its time is over"


def test_a_loud_alert_never_holds_back_crying_and_a_new_alarm_uses_a_hold_up(waker: Waker, clock: Clock) -> None:
    waker.wake("")
    waker.hold_over("", is_crying=False)
    assert waker.holds_back("", "loud", lasts=True)
    assert not waker.holds_back("", "crying", lasts=True)
    waker.hold_over("", is_crying=True)
    clock.now += 30
    waker.wake("")
    assert not waker.holds_back("", "crying", lasts=True)


def test_a_snooze_holds_back_and_ends(waker: Waker, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not waker.holds_back("", "crying", lasts=False)
    waker.snooze(10)
    assert waker.snoozed_until == pytest.approx(time.time() + 600, abs=1)
    assert waker.holds_back("", "crying", lasts=True)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 601)  # the computer slept meanwhile
    assert waker.snoozed_until is None
    assert not waker.holds_back("", "crying", lasts=True)
    monkeypatch.undo()
    waker.end_snooze()
    assert waker.snoozed_until is None


def test_a_clock_set_back_does_not_lengthen_a_snooze(waker: Waker, monkeypatch: pytest.MonkeyPatch) -> None:
    waker.snooze(10)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 6 * 3600)
    assert waker.snoozed_until is not None
    assert waker.snoozed_until - time.time() == pytest.approx(600, abs=2)


def test_after_a_restart_the_same_crying_waits_and_new_crying_does_not(waker: Waker, clock: Clock) -> None:
    waker.wake("")
    waker.acknowledge()
    clock.now += 10
    waker.hold_over("", is_crying=True)
    assert waker.holds_back("", "crying", lasts=False), "it may be found again at once"
    clock.now += 20
    assert waker.holds_back("", "crying", lasts=True)
    assert not waker.holds_back("", "crying", lasts=False), "what begins now is another cry"
    clock.now = 100.0 + Settings()[REPEAT_SECONDS]
    assert not waker.holds_back("", "crying", lasts=True)


def test_without_an_alarm_nothing_fails(clock: Clock) -> None:
    waker = Waker(Settings(), None, clock)
    assert waker.wake("") == waker.warn("") == ""
    waker.acknowledge()
    waker.release("")
    assert not waker.is_sounding
