"""A night from the history: its span, the kind of each minute, and the figures for the morning."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from babymonitor.core.history.history import AlertRow, Gap, History, Minute, added

CRYING, LAUGHING, BABBLING, QUIET, DEAF = "crying", "laughing", "babbling", "quiet", "deaf"
LANES = (CRYING, LAUGHING, BABBLING, QUIET, DEAF)
"""Kinds of minutes, in the order in which they are drawn."""

_KIND_OF_SOUND = {"crying": CRYING, "happy": LAUGHING, "natural": BABBLING}
_AUDIBLE_SECONDS = 5.0
"""The shortest total of a sound within a minute that determines the minute's kind."""
_SAME_WAKING_SECONDS = 600.0
"""Crying again within this time counts as the same wake-up."""


@dataclass(frozen=True, slots=True)
class Night:
    """A span from noon to noon, local time, in Unix seconds; named by the day on which it begins."""

    began: float
    ended: float

    @classmethod
    def of(cls, unix_seconds: float) -> Night:
        """The night that contains a moment."""
        day = time.localtime(unix_seconds)
        began = _noon(day.tm_year, day.tm_mon, day.tm_mday)
        if unix_seconds < began:
            began = _noon(day.tm_year, day.tm_mon, day.tm_mday - 1)
        return cls._from(began)

    def before(self) -> Night:
        day = time.localtime(self.began)
        return self._from(_noon(day.tm_year, day.tm_mon, day.tm_mday - 1))

    def week(self) -> tuple[float, float]:
        """Start and end of the seven nights of which this is the last."""
        first = self
        for _ in range(6):
            first = first.before()
        return first.began, self.ended

    @classmethod
    def _from(cls, began: float) -> Night:
        day = time.localtime(began)
        # Not 24 hours: nights with a clock change are longer or shorter.
        return cls(began, _noon(day.tm_year, day.tm_mon, day.tm_mday + 1))


@lru_cache(maxsize=4096)
def _noon(year: int, month: int, day: int) -> float:
    return time.mktime((year, month, day, 12, 0, 0, 0, 0, -1))


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive minutes of one kind: [began, ended)."""

    kind: str
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class NightReport:
    """The figures of a night.

    first, last: the span for which there is data, in Unix seconds. stretches: in order within each lane. sounds: the
    seconds of each other kind of sound, as in `Minute`, but for those that have a lane.
    """

    night: Night
    first: float
    last: float
    stretches: tuple[Stretch, ...] = ()
    alerts: tuple[AlertRow, ...] = ()
    wake_ups: int = 0
    crying_seconds: float = 0.0
    longest_quiet_seconds: float = 0.0
    deaf_seconds: float = 0.0
    sounds: dict[str, float] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return self.last <= self.first


def nights_with_anything(history: History, now: float, most: int = 400) -> list[Night]:
    """Nights with a minute or an alert, newest first, among the last `most` nights."""
    with_alerts = {Night.of(alert.began).began for alert in history.alerts()}
    nights: list[Night] = []
    night = Night.of(now)
    for _ in range(most):
        if night.began in with_alerts or _has_minutes(history, night):
            nights.append(night)
        night = night.before()
    return nights


def _has_minutes(history: History, night: Night) -> bool:
    """Whether there are minutes. Looks at midnight first, because reading a complete night takes longer."""
    midnight = night.began + 12 * 3600
    return any(True for _ in history.minutes(midnight, midnight + 120)) or any(
        True for _ in history.minutes(night.began, night.ended)
    )


def read_night(history: History, night: Night, now: float) -> NightReport:
    """Read the report of a night from the history."""
    return report_night(
        night,
        list(history.minutes(night.began, night.ended)),
        history.alerts(night.began, night.ended),
        history.gaps(night.began, night.ended),
        now,
    )


def report_night(
    night: Night, minutes: Sequence[Minute], alerts: Sequence[AlertRow], gaps: Sequence[Gap], now: float
) -> NightReport:
    """Compute the report of a night from its rows; unfinished alerts and gaps end `now`."""
    starts = [float(minute.began) for minute in minutes] + [alert.began for alert in alerts]
    if not starts:
        return NightReport(night, night.began, night.began)
    first = min(starts)
    ends = [minute.began + 60.0 for minute in minutes] + [_end(alert, now) for alert in alerts]
    last = min(max(ends), night.ended, max(now, first + 1.0))
    deaf = _deaf_stretches(minutes, gaps, first, last, now)
    cries = sorted((alert.began, min(_end(alert, now), last)) for alert in alerts if alert.kind == "crying")
    return NightReport(
        night=night,
        first=first,
        last=last,
        stretches=tuple(_sound_stretches(minutes) + deaf),
        alerts=tuple(sorted(alerts, key=lambda alert: alert.began)),
        wake_ups=_wake_ups(cries),
        crying_seconds=sum(max(0.0, end - began) for began, end in cries),
        longest_quiet_seconds=_longest_free(cries + [(gap.began, gap.ended) for gap in deaf], first, last),
        deaf_seconds=sum(gap.ended - gap.began for gap in deaf),
        sounds=_sounds(minutes),
    )


def _sounds(minutes: Sequence[Minute]) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for minute in minutes:
        seconds = added(seconds, minute.sounds)
    return {name: length for name, length in seconds.items() if name not in LANES}


def _end(alert: AlertRow, now: float) -> float:
    return alert.ended if alert.ended is not None else max(now, alert.began)


def kinds_of(minute: Minute) -> list[str]:
    """The kinds of a minute: every sound that was audible in it, or else quiet."""
    kinds = [kind for name, kind in _KIND_OF_SOUND.items() if minute.seconds.get(name, 0.0) >= _AUDIBLE_SECONDS]
    return kinds or [QUIET]


def _sound_stretches(minutes: Iterable[Minute]) -> list[Stretch]:
    open_stretches: dict[str, tuple[float, float]] = {}
    closed: list[Stretch] = []
    for minute in minutes:
        for kind in kinds_of(minute):
            began, ended = open_stretches.get(kind, (float(minute.began), float(minute.began)))
            if minute.began - ended > 1.0:
                closed.append(Stretch(kind, began, ended))
                began = float(minute.began)
            open_stretches[kind] = (began, minute.began + 60.0)
    closed += [Stretch(kind, began, ended) for kind, (began, ended) in open_stretches.items()]
    return sorted(closed, key=lambda stretch: stretch.began)


def _deaf_stretches(
    minutes: Sequence[Minute], gaps: Sequence[Gap], first: float, last: float, now: float
) -> list[Stretch]:
    """Stretches without listening: recorded gaps, and times without any minute.

    The latter, because a program that was killed records no gap.
    """
    holes = [(gap.began, gap.ended if gap.ended is not None else now) for gap in gaps]
    known_until = first
    for minute in minutes:
        # A minute that was never finished for lack of sound is not a gap by itself.
        if minute.began - known_until >= 60.0:
            holes.append((known_until, float(minute.began)))
        known_until = max(known_until, minute.began + 60.0)
    clipped = sorted((max(began, first), min(ended, last)) for began, ended in holes)
    merged: list[Stretch] = []
    for began, ended in clipped:
        if ended <= began:
            continue
        if merged and began <= merged[-1].ended:
            merged[-1] = Stretch(DEAF, merged[-1].began, max(merged[-1].ended, ended))
        else:
            merged.append(Stretch(DEAF, began, ended))
    return merged


def _wake_ups(cries: Sequence[tuple[float, float]]) -> int:
    count, ended = 0, float("-inf")
    for began, end in cries:
        if began - ended >= _SAME_WAKING_SECONDS:
            count += 1
        ended = max(ended, end)
    return count


def _longest_free(taken: Iterable[tuple[float, float]], first: float, last: float) -> float:
    """The longest part of [first, last), in seconds, that does not overlap any of `taken`."""
    longest, free_from = 0.0, first
    for began, ended in sorted(taken):
        longest = max(longest, began - free_from)
        free_from = max(free_from, ended)
    return max(longest, last - free_from)
