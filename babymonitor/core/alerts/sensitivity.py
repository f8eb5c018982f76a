"""Sensitivity: the stops of a model's operating curve, with the figures measured at each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from babymonitor.core.model.classifier import ModelCard
from babymonitor.core.settings import END_THRESHOLD, START_THRESHOLD

NIGHT_HOURS = 10.0

_UNMEASURED = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
"""Start thresholds to choose from if a model's card has no curve."""
_SAME = 0.005


@dataclass(frozen=True, slots=True)
class Rung:
    """A stop of the sensitivity slider: thresholds of P(crying), and the figures measured with them on test nights.

    is_recommended: these are the thresholds of the model's card. caught: share of the cries. Delays are those of the
    caught cries. hours: duration of the sound in which false alarms were counted. None: not measured.
    """

    start_threshold: float
    end_threshold: float
    is_recommended: bool = False
    false_alarms_per_hour: float | None = None
    caught: float | None = None
    median_delay_seconds: float | None = None
    p95_delay_seconds: float | None = None
    hours: float | None = None

    @property
    def is_measured(self) -> bool:
        return self.false_alarms_per_hour is not None and self.caught is not None


def rungs(card: ModelCard) -> list[Rung]:
    """The stops of a model, from fewest alarms to fewest missed cries, always including its own thresholds."""
    start, end = float(card.thresholds["start"]), float(card.thresholds["end"])
    rows = _rows(card.operating_curve) or [{"start_threshold": threshold} for threshold in _UNMEASURED]

    def distance(row: dict[str, float]) -> float:
        return abs(row["start_threshold"] - start)

    # Thresholds in a curve are rounded: a row this near to the card's own threshold is the same stop.
    own = min(rows, key=distance)
    stops = {start: _rung(start, end, True, own if distance(own) < _SAME else {})}
    for row in rows:
        if distance(row) >= _SAME:
            row_start = row["start_threshold"]
            row_end = min(row_start, max(row.get("end_threshold", row_start * end / start), END_THRESHOLD.least or 0.0))
            stops[row_start] = _rung(row_start, row_end, False, row)
    return [stops[threshold] for threshold in sorted(stops, reverse=True)]


def _rung(start: float, end: float, is_recommended: bool, row: dict[str, float]) -> Rung:
    return Rung(start, end, is_recommended, *(row.get(name) for name in _MEASURED))


_MEASURED = ("false_alarms_per_hour", "caught", "median_delay_seconds", "p95_delay_seconds", "hours")


def nearest(stops: Sequence[Rung], start_threshold: float) -> int:
    """The index of the stop with the nearest start threshold; another model's curve may have other stops."""
    return min(range(len(stops)), key=lambda index: abs(stops[index].start_threshold - start_threshold))


def _rows(curve: Iterable[Any]) -> list[dict[str, float]]:
    """The valid rows of a curve, with their numbers only, because a model file may come from anybody."""
    least, most = START_THRESHOLD.least or 0.0, START_THRESHOLD.most or 1.0
    rows = []
    for row in curve if isinstance(curve, list) else ():
        items = row.items() if isinstance(row, dict) else ()
        numbers = {name: float(value) for name, value in items if _is_figure(value)}
        if least <= numbers.get("start_threshold", -1.0) <= most:
            rows.append(numbers)
    return rows


def _is_figure(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and value >= 0
