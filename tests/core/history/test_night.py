"""The morning's numbers are right for a night whose every minute is known."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from babymonitor.core.history.history import AlertRow, Gap, History, Minute
from babymonitor.core.history.night import (
    BABBLING,
    CRYING,
    DEAF,
    LAUGHING,
    QUIET,
    Night,
    Stretch,
    kinds_of,
    nights_with_anything,
    read_night,
    report_night,
)

NOON = time.mktime((2026, 11, 20, 12, 0, 0, 0, 0, -1))
TEN = NOON + 10 * 3600
"""22:00: the night is listened to from here for four hours."""


def an_alert(id: int, began: float, seconds: float | None, kind: str = "crying") -> AlertRow:
    return AlertRow(id, kind, began, began + 1.0, None if seconds is None else began + seconds, -15.0, 0.9)


def minutes_of(began: float, count: int, **seconds: float) -> list[Minute]:
    return [Minute(int(began) + 60 * at, -50.0, 0.0, seconds or {"background": 60.0}) for at in range(count)]


def test_a_night_goes_from_noon_to_noon() -> None:
    assert Night.of(NOON) == Night.of(NOON + 86399)
    assert Night.of(NOON).began == NOON
    assert Night.of(NOON - 1).ended == NOON
    assert Night.of(NOON).before() == Night.of(NOON - 1)


def test_the_numbers_of_a_known_night() -> None:
    hour = 3600.0
    minutes = minutes_of(TEN, 90) + minutes_of(TEN + 1.75 * hour, 135)
    alerts = [
        an_alert(1, TEN + 0.5 * hour, 120.0),
        an_alert(2, TEN + 0.5 * hour + 300.0, 60.0),  # within ten minutes: the same waking
        an_alert(3, TEN + 3 * hour, 180.0),
        an_alert(4, TEN + 3.5 * hour, 30.0, kind="loud"),
    ]
    gaps = [Gap(1, "deaf", "unplugged", TEN + 1.5 * hour, TEN + 1.75 * hour)]
    report = report_night(Night.of(TEN), minutes, alerts, gaps, now=TEN + 9 * hour)
    assert (report.first, report.last) == (TEN, TEN + 4 * hour)
    assert report.wake_ups == 2
    assert report.crying_seconds == 360.0
    assert report.deaf_seconds == 0.25 * hour
    assert report.longest_quiet_seconds == 1.25 * hour  # from the end of the gap to the third alert
    assert [stretch for stretch in report.stretches if stretch.kind == DEAF] == [
        Stretch(DEAF, TEN + 1.5 * hour, TEN + 1.75 * hour)
    ]


def test_minutes_that_nobody_wrote_are_not_listening() -> None:
    minutes = minutes_of(TEN, 30) + minutes_of(TEN + 3600, 30)
    report = report_night(Night.of(TEN), minutes, [], [], now=TEN + 20 * 3600)
    assert report.deaf_seconds == 1800.0
    assert report.longest_quiet_seconds == 1800.0


def test_what_lies_outside_the_listening_is_not_counted() -> None:
    gaps = [Gap(1, "stopped", "", NOON - 9000, TEN), Gap(2, "stopped", "", TEN + 3600, None)]
    report = report_night(Night.of(TEN), minutes_of(TEN, 60), [], gaps, now=TEN + 7200)
    assert report.deaf_seconds == 0.0


def test_an_alert_that_lasts_counts_until_now() -> None:
    report = report_night(Night.of(TEN), minutes_of(TEN, 10), [an_alert(1, TEN + 540, None)], [], now=TEN + 660)
    assert report.crying_seconds == 120.0
    assert report.wake_ups == 1


def test_a_minute_is_what_was_audible_in_it() -> None:
    def kinds(**seconds: float) -> list[str]:
        return kinds_of(Minute(0, -50.0, 0.0, seconds))

    assert kinds(background=60.0) == [QUIET]
    assert kinds(background=57.0, crying=3.0) == [QUIET]
    assert kinds(background=20.0, natural=30.0, happy=10.0) == [LAUGHING, BABBLING]
    assert kinds(crying=40.0, natural=6.0) == [CRYING, BABBLING]
    assert kinds() == [QUIET]


def test_nothing_known_is_an_empty_report() -> None:
    report = report_night(Night.of(TEN), [], [], [], now=TEN)
    assert report.is_empty
    assert (report.wake_ups, report.crying_seconds, report.deaf_seconds) == (0, 0.0, 0.0)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = History(tmp_path / "history.sqlite")
    yield history
    history.close()


def test_nights_are_found_in_the_history(history: History) -> None:
    day = 86400
    for minute in minutes_of(TEN, 5) + minutes_of(TEN - 3 * day, 5):
        history.put_minute(minute)
    history.add_alert("crying", TEN - day, TEN - day + 1, -20.0, 0.9)
    nights = nights_with_anything(history, now=TEN + 2 * day)
    assert [night.began for night in nights] == [NOON, NOON - day, NOON - 3 * day]
    assert read_night(history, nights[0], TEN + day).longest_quiet_seconds == pytest.approx(300.0)


def test_what_else_was_heard_is_added_up_without_what_has_a_lane() -> None:
    minutes = [
        Minute(int(TEN), -50.0, 0.0, {"background": 60.0}, sounds={"dog": 30.0, "": 20.0, "laughing": 10.0}),
        Minute(int(TEN) + 60, -50.0, 0.0, {"background": 60.0}, sounds={"dog": 15.0, "quiet": 40.0, "babbling": 5.0}),
    ]
    report = report_night(Night.of(TEN), minutes, [], [], now=TEN + 3600)
    assert report.sounds == {"dog": 45.0, "": 20.0}, "laughing, babbling and quiet have lanes"
