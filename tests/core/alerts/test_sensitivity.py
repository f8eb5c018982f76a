"""The stops of the sensitivity, read from a model's card."""

from __future__ import annotations

import math
from typing import Any

import pytest
import tiny_model

from babymonitor.core.alerts.sensitivity import Rung, nearest, rungs


def row(start: float, **more: Any) -> dict[str, Any]:
    figures = {"false_alarms_per_hour": 1.0 - start, "caught": 0.9, "median_delay_seconds": 1.5}
    return {"start_threshold": start, **figures, **more}


def test_the_stops_are_the_rungs_of_the_curve_with_its_ends_or_the_cards_proportion() -> None:
    curve = [row(0.2), row(0.6, p95_delay_seconds=2.5, hours=30.0), row(0.9, end_threshold=0.7)]
    stops = rungs(tiny_model.card(operating_curve=curve))
    assert [(stop.start_threshold, stop.end_threshold) for stop in stops] == [
        (0.9, 0.7),
        (0.6, 0.3),
        (0.2, pytest.approx(0.1)),
    ]
    assert [stop.is_recommended for stop in stops] == [False, True, False]
    assert all(stop.is_measured for stop in stops)
    assert stops[1] == Rung(0.6, 0.3, True, 0.4, 0.9, 1.5, 2.5, 30.0)
    assert (stops[0].p95_delay_seconds, stops[0].hours) == (None, None)


def test_the_models_own_thresholds_are_always_a_stop() -> None:
    stops = rungs(tiny_model.card(operating_curve=[row(0.2), row(0.9)]))
    assert [stop.start_threshold for stop in stops] == [0.9, 0.6, 0.2]
    assert stops[1] == Rung(0.6, 0.3, True), "and nothing is claimed of it"
    assert not stops[1].is_measured
    rounded = rungs(tiny_model.card(operating_curve=[row(0.6004)]))
    assert [(stop.start_threshold, stop.is_measured) for stop in rounded] == [(0.6, True)]


@pytest.mark.parametrize("order", [1, -1])
def test_a_rung_beside_the_models_own_thresholds_lends_them_no_figures(order: int) -> None:
    curve = [row(0.8967, caught=0.97), row(0.9, caught=0.95), row(0.5, caught=0.99)][::order]
    stops = rungs(tiny_model.card(operating_curve=curve, thresholds={"start": 0.8967, "end": 0.4}))
    assert [(stop.start_threshold, stop.caught) for stop in stops] == [(0.8967, 0.97), (0.5, 0.99)]
    assert (stops[0].end_threshold, stops[0].is_recommended) == (0.4, True)


def test_a_model_that_was_not_measured_has_stops_and_no_figures() -> None:
    stops = rungs(tiny_model.card(operating_curve=[]))
    assert len(stops) >= 8
    assert not any(stop.is_measured for stop in stops)
    assert [stop.start_threshold for stop in stops if stop.is_recommended] == [0.6]
    assert all(0 < stop.end_threshold <= stop.start_threshold < 1 for stop in stops)


@pytest.mark.parametrize(
    "curve",
    [
        None,
        {},
        "high",
        [1, None, [], {}],
        [row(1.5), row(-1.0), row(math.nan), {**row(0.5), "start_threshold": "low"}, {"caught": 1.0}],
    ],
)
def test_a_strangers_curve_that_makes_no_sense_is_as_none(curve: Any) -> None:
    stops = rungs(tiny_model.card(operating_curve=curve))
    assert stops == rungs(tiny_model.card(operating_curve=[]))


def test_figures_that_make_no_sense_are_left_out() -> None:
    (stop,) = rungs(tiny_model.card(operating_curve=[row(0.6, caught=None, false_alarms_per_hour=-1, end_threshold=3)]))
    assert stop == Rung(0.6, 0.3, True, None, None, 1.5)


def test_a_threshold_kept_from_another_model_finds_its_nearest_stop() -> None:
    stops = rungs(tiny_model.card(operating_curve=[row(0.2), row(0.6), row(0.9)]))
    assert [nearest(stops, start) for start in (0.999, 0.78, 0.6, 0.41, 0.01)] == [0, 0, 1, 1, 2]
