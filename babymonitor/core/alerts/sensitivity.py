"""How readily the alarm is given, in the stops of a model's own operating curve, with what was measured at each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from babymonitor.core.model.classifier import ModelCard
from babymonitor.core.settings import END_THRESHOLD, START_THRESHOLD

NIGHT_HOURS = 10.0

_UNMEASURED = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
"""Start thresholds to choose from where a model's card has no curve."""
_SAME = 0.005


@dataclass(frozen=True, slots=True)
class Rung:
    """One stop: thresholds of P(crying), and what they gave on nights the model was tried on.

    is_recommended: these are the thresholds of the model's card. caught: share of the cries. Delays are of the cries
    caught; hours: how long false alarms were listened for. None where something was not measured.
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
    """The stops of a model, from the fewest alarms to the fewest missed cries; its own thresholds are always one."""
    start, end = float(card.thresholds["start"]), float(card.thresholds["end"])
    rows = _rows(card.operating_curve) or [{"start_threshold": each} for each in _UNMEASURED]

    def away(row: dict[str, float]) -> float:
        return abs(row["start_threshold"] - start)

    # Figures are rounded in a curve: the nearest row is the card's own, others so near to it are no stops beside it.
    own = min(rows, key=away)
    found = {start: _rung(start, end, True, own if away(own) < _SAME else {})}
    for row in rows:
        if away(row) >= _SAME:
            at = row["start_threshold"]
            its_end = min(at, max(row.get("end_threshold", at * end / start), END_THRESHOLD.least or 0.0))
            found[at] = _rung(at, its_end, False, row)
    return [found[at] for at in sorted(found, reverse=True)]


def _rung(start: float, end: float, is_recommended: bool, row: dict[str, float]) -> Rung:
    return Rung(start, end, is_recommended, *(row.get(name) for name in _MEASURED))


_MEASURED = ("false_alarms_per_hour", "caught", "median_delay_seconds", "p95_delay_seconds", "hours")


def nearest(stops: Sequence[Rung], start_threshold: float) -> int:
    """The number of the stop whose start threshold is nearest: another model's curve may have other stops."""
    return min(range(len(stops)), key=lambda number: abs(stops[number].start_threshold - start_threshold))


def _rows(curve: Iterable[Any]) -> list[dict[str, float]]:
    """The rows of a curve that can be chosen, with what of them is a number: a model file may come from a stranger."""
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
