"""Composed nights, the same for every listener: episodes caught, delays and false alarms, each listener as it is used
today and at equal false alarms.

Nights are composed by `trainer.evaluation.night_composer` from the test side alone and judged by `night_outcomes`. A
listener's scores of a night are replayed through the app's `AlertPolicy` for every threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from babymonitor.core.alerts.policy import AlertRules
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from benchmarks.hearing.material import Material
from trainer.evaluation.answer_cache import AnswerCache, Sound, hash_of
from trainer.evaluation.listeners import Listener
from trainer.evaluation.metrics import ClusterBootstrap
from trainer.evaluation.night_composer import EPISODES_PER_HOUR, SNRS_DB, ComposedNight
from trainer.evaluation.night_outcomes import (
    NightOutcome,
    ScoreSeries,
    alerts_from,
    match_alerts,
    night_figures,
    rules_at,
)
from trainer.evaluation.night_stock import BACKGROUNDS, Background

DENSE_PER_HOUR = 30.0
"""Episodes in the nights that measure what is caught: a dozen an hour would leave an interval too wide to read."""
NOISY = ("white noise", "fan", "television")
QUIET = "quiet room"
LADDER = (
    *(0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9),
    *(0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """One night to compose. dense: many episodes of the same SNRs, to measure what is caught and no false alarms."""

    name: str
    background: Background
    snrs_db: tuple[float, ...]
    per_hour: float
    dense: bool = False


@dataclass(frozen=True, slots=True)
class PlayedNight:
    """A night that every listener has heard. answers: scores by listener."""

    plan: Plan
    night: ComposedNight
    answers: Mapping[str, ScoreSeries]


def plans() -> list[Plan]:
    """Every bed with episodes at +20, +10 and 0 dB; then the quiet room and the three noises at 0 dB, dense."""
    known = {background.name: background for background in BACKGROUNDS}
    every = [Plan(background.name, background, SNRS_DB, EPISODES_PER_HOUR) for background in BACKGROUNDS]
    every.append(Plan(f"{QUIET}, dense", known[QUIET], SNRS_DB, DENSE_PER_HOUR, True))
    return every + [Plan(f"{name} at 0 dB, dense", known[name], (0.0,), DENSE_PER_HOUR, True) for name in NOISY]


def play(
    cache: AnswerCache, material: Material, listeners: Sequence[Listener], hours: float, seed: int
) -> list[PlayedNight]:
    """Play every night that there is sound for to every listener."""
    played = []
    for plan in plans():
        per_hour = max(plan.per_hour, 1 / hours)
        night = ComposedNight(plan.background, material.stock, hours, seed, plan.snrs_db, per_hour)
        if not night.possible:
            continue
        key = hash_of(material.origin, plan.background.name, hours, seed, plan.snrs_db, per_hour)
        answers = cache.scores(f"night {plan.name}", [Sound(key, _blocks(night))], listeners)
        played.append(PlayedNight(plan, night, {name: series[0] for name, series in answers.items()}))
    return played


def _blocks(night: ComposedNight) -> Callable[[], Iterator[Wave]]:
    return lambda: night.blocks()


def measure(played: Sequence[PlayedNight], listeners: Sequence[Listener]) -> dict[str, Any]:
    """The figures of all nights. The first listener's count of false alarms is what the others are set to."""
    beds = [night for night in played if not night.plan.dense]
    report: dict[str, Any] = {
        "hours": sum(night.night.samples for night in beds) / SAMPLE_RATE / 3600,
        "backgrounds": [night.plan.name for night in beds],
        "listeners": {},
    }
    allowed: int | None = None
    for listener in listeners:
        thresholds = sorted({*LADDER, listener.rules.start_threshold})
        ladder = {start: _outcomes(beds, listener, start) for start in thresholds}
        own = listener.rules.start_threshold
        if allowed is None:
            allowed = _false_alarms(ladder[own])
        equal = equal_start({start: _false_alarms(outcomes) for start, outcomes in ladder.items()}, allowed)
        report["listeners"][listener.name] = {
            "rule": rule_of(listener.rules),
            "own": _listener_figures(played, beds, listener, own, ladder[own]),
            "equal": None if equal is None else _listener_figures(played, beds, listener, equal, ladder[equal]),
            "ladder": [_threshold_row(start, outcomes) for start, outcomes in ladder.items()],
        }
    report["equal_to"] = {"listener": listeners[0].name, "false_alarms": allowed}
    return report


def equal_start(false_at: Mapping[float, int], allowed: int) -> float | None:
    """The lowest start threshold at and above which there are never more false alarms than allowed; None for none."""
    lowest = None
    for start in sorted(false_at, reverse=True):
        if false_at[start] > allowed:
            break
        lowest = start
    return lowest


def rule_of(rules: AlertRules) -> str:
    """An alert rule in words."""
    held = f"held for {rules.minimum_seconds:g} s" if rules.minimum_seconds else "once"
    return f"{rules.start_threshold:g} {held}; ends below {rules.end_threshold:g} for {rules.end_seconds:g} s"


def _outcomes(played: Sequence[PlayedNight], listener: Listener, start: float) -> list[NightOutcome]:
    rules = rules_at(listener.rules, start)
    return [
        match_alerts(alerts_from(night.answers[listener.name], rules), night.night.episodes, night.night.samples)
        for night in played
    ]


def _false_alarms(outcomes: Sequence[NightOutcome]) -> int:
    return sum(len(outcome.false) for outcome in outcomes)


def _threshold_row(start: float, outcomes: Sequence[NightOutcome]) -> dict[str, Any]:
    figures = night_figures(outcomes)
    return {
        "start": start,
        "false_per_10_hours": figures["false_alarms_per_night"]["value"],
        "caught": figures["caught_share"] and figures["caught_share"]["value"],
        "median_delay_seconds": figures["delay_seconds"]["median"],
    }


def _listener_figures(
    played: Sequence[PlayedNight],
    beds: Sequence[PlayedNight],
    listener: Listener,
    start: float,
    outcomes: Sequence[NightOutcome],
) -> dict[str, Any]:
    dense = {night.plan.name: _outcomes([night], listener, start)[0] for night in played if night.plan.dense}
    noisy = [outcome for name, outcome in dense.items() if not name.startswith(QUIET)]
    every = [*outcomes, *dense.values()]
    return {
        "start": start,
        "all_beds": _figures(outcomes),
        "by_background": {night.plan.name: _figures([outcome]) for night, outcome in zip(beds, outcomes, strict=True)},
        "dense": {name: _figures([outcome]) for name, outcome in dense.items()},
        "noisy": _figures(noisy) if noisy else None,
        "delay": delays(every),
        "delay_curve": delay_curve(every),
        "set_off_by": _set_off_by(beds, outcomes),
    }


def _figures(outcomes: Sequence[NightOutcome]) -> dict[str, Any]:
    figures = night_figures(outcomes)
    fields = ("episodes", "babies", "caught", "caught_share", "missed_for_a_false_alert", "delay_seconds", "by_snr_db")
    more_fields = ("false_alarms", "quiet_hours", "false_alarms_per_night", "by_distance", "by_device")
    return {name: figures[name] for name in (*fields, *more_fields)}


def delays(outcomes: Sequence[NightOutcome]) -> dict[str, Any]:
    """Median and 95th percentile of the delays of caught episodes, in seconds, with intervals over babies."""
    caught = [
        (delay, episode.group)
        for outcome in outcomes
        for episode, delay in zip(outcome.episodes, outcome.delays, strict=True)
        if delay is not None
    ]
    times, groups = np.array([delay for delay, _ in caught]), np.array([group for _, group in caught])
    report: dict[str, Any] = {"caught": len(caught), "babies": len(np.unique(groups))}
    if not caught:
        nothing = {"value": None, "low": None, "high": None}
        return report | {"median": nothing, "p95": nothing}
    bootstrap = ClusterBootstrap(groups)
    counts = np.rint(bootstrap.sums(np.eye(len(caught)))).astype(int)  # how often each is drawn in a round
    for name, share in (("median", 50), ("p95", 95)):
        report[name] = bootstrap.estimate(np.array([np.percentile(np.repeat(times, row), share) for row in counts]))
    return report


def delay_curve(outcomes: Sequence[NightOutcome]) -> list[list[float]]:
    """Points (seconds, share of all episodes alerted by then), every quarter of a second up to ten."""
    every = np.array([np.inf if delay is None else delay for outcome in outcomes for delay in outcome.delays])
    if not every.size:
        return []
    return [[float(second), round(float((every <= second).mean()), 4)] for second in np.arange(0, 10.01, 0.25)]


def _set_off_by(beds: Sequence[PlayedNight], outcomes: Sequence[NightOutcome]) -> dict[str, int]:
    """Counts of false alarms by bed, most first."""
    counts = {night.plan.name: len(outcome.false) for night, outcome in zip(beds, outcomes, strict=True)}
    return {name: count for name, count in sorted(counts.items(), key=lambda item: -item[1]) if count}
