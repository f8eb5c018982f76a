"""Whole nights, the same for every listener: episodes caught, delay, false alarms; as used and at equal false alarms.

Composed by `trainer.evaluation.night_composer` from the test side alone and judged by `trainer.evaluation.nights`. What
a listener said of a night is replayed through the app's `AlertPolicy` for every threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import trainer.evaluation.night_composer
from babymonitor.core.alerts.policy import AlertRules
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from benchmarks.hearing.kept import Kept, Sound, hash_of
from benchmarks.hearing.listeners import Listener
from benchmarks.hearing.material import Material
from trainer.evaluation.metrics import Rounds
from trainer.evaluation.night_composer import BACKGROUNDS, Background, Night
from trainer.evaluation.nights import Heard, Outcome, alerts_of, at_threshold, figures, judge

DENSE_PER_HOUR = 30.0
"""Episodes in the nights that are about catching them: a dozen an hour would leave an interval too wide to read."""
NOISY = ("white noise", "fan", "television")
QUIET = "quiet room"
LADDER = (
    *(0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9),
    *(0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """One night to be. dense: many episodes, all of one kind of SNR; it tells what is caught, not false alarms."""

    name: str
    background: Background
    snrs_db: tuple[float, ...]
    per_hour: float
    dense: bool = False


@dataclass(frozen=True, slots=True)
class Spent:
    """A night that every listener has heard. answers: by listener."""

    plan: Plan
    night: Night
    answers: Mapping[str, Heard]


def plans() -> list[Plan]:
    """Every bed with episodes at +20, +10 and 0 dB; then the quiet room and the three noises at 0 dB, dense."""
    known = {one.name: one for one in BACKGROUNDS}
    mixed, often = trainer.evaluation.night_composer.SNRS_DB, trainer.evaluation.night_composer.EPISODES_PER_HOUR
    every = [Plan(one.name, one, mixed, often) for one in BACKGROUNDS]
    every.append(Plan(f"{QUIET}, dense", known[QUIET], mixed, DENSE_PER_HOUR, True))
    return every + [Plan(f"{name} at 0 dB, dense", known[name], (0.0,), DENSE_PER_HOUR, True) for name in NOISY]


def spend(kept: Kept, material: Material, listeners: Sequence[Listener], hours: float, seed: int) -> list[Spent]:
    """Let every listener hear every night that there is sound for."""
    spent = []
    for plan in plans():
        per_hour = max(plan.per_hour, 1 / hours)
        night = Night(plan.background, material.stock, hours, seed, plan.snrs_db, per_hour)
        if not night.possible:
            continue
        key = hash_of(material.origin, plan.background.name, hours, seed, plan.snrs_db, per_hour)
        answers = kept.hear(f"night {plan.name}", [Sound(key, _blocks(night))], listeners)
        spent.append(Spent(plan, night, {name: some[0] for name, some in answers.items()}))
    return spent


def _blocks(night: Night) -> Callable[[], Iterator[Wave]]:
    return lambda: night.blocks()


def measure(spent: Sequence[Spent], listeners: Sequence[Listener]) -> dict[str, Any]:
    """Everything that is said of the nights. The first listener's false alarms are what the others are brought to."""
    beds = [one for one in spent if not one.plan.dense]
    report: dict[str, Any] = {
        "hours": sum(one.night.samples for one in beds) / SAMPLE_RATE / 3600,
        "backgrounds": [one.plan.name for one in beds],
        "listeners": {},
    }
    allowed: int | None = None
    for listener in listeners:
        rungs = sorted({*LADDER, listener.rules.start_threshold})
        ladder = {start: _outcomes(beds, listener, start) for start in rungs}
        own = listener.rules.start_threshold
        if allowed is None:
            allowed = _false(ladder[own])
        equal = equal_start({start: _false(some) for start, some in ladder.items()}, allowed)
        report["listeners"][listener.name] = {
            "rule": rule_of(listener.rules),
            "own": _told(spent, beds, listener, own, ladder[own]),
            "equal": None if equal is None else _told(spent, beds, listener, equal, ladder[equal]),
            "ladder": [_rung(start, some) for start, some in ladder.items()],
        }
    report["equal_to"] = {"listener": listeners[0].name, "false_alarms": allowed}
    return report


def equal_start(false_at: Mapping[float, int], allowed: int) -> float | None:
    """The lowest start threshold from which on there are never more false alarms than allowed; None where none is."""
    found = None
    for start in sorted(false_at, reverse=True):
        if false_at[start] > allowed:
            break
        found = start
    return found


def rule_of(rules: AlertRules) -> str:
    held = f"held for {rules.minimum_seconds:g} s" if rules.minimum_seconds else "once"
    return f"{rules.start_threshold:g} {held}; ends below {rules.end_threshold:g} for {rules.end_seconds:g} s"


def _outcomes(spent: Sequence[Spent], listener: Listener, start: float) -> list[Outcome]:
    rules = at_threshold(listener.rules, start)
    return [judge(alerts_of(one.answers[listener.name], rules), one.night.episodes, one.night.samples) for one in spent]


def _false(outcomes: Sequence[Outcome]) -> int:
    return sum(len(one.false) for one in outcomes)


def _rung(start: float, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    told = figures(outcomes)
    return {
        "start": start,
        "false_per_10_hours": told["false_alarms_per_night"]["value"],
        "caught": told["caught_share"] and told["caught_share"]["value"],
        "median_delay_seconds": told["delay_seconds"]["median"],
    }


def _told(
    spent: Sequence[Spent], beds: Sequence[Spent], listener: Listener, start: float, outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    dense = {one.plan.name: _outcomes([one], listener, start)[0] for one in spent if one.plan.dense}
    noisy = [outcome for name, outcome in dense.items() if not name.startswith(QUIET)]
    every = [*outcomes, *dense.values()]
    return {
        "start": start,
        "all_beds": _figures(outcomes),
        "by_background": {one.plan.name: _figures([told]) for one, told in zip(beds, outcomes, strict=True)},
        "dense": {name: _figures([outcome]) for name, outcome in dense.items()},
        "noisy": _figures(noisy) if noisy else None,
        "delay": delays(every),
        "delay_curve": delay_curve(every),
        "set_off_by": _set_off_by(beds, outcomes),
    }


def _figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    told = figures(outcomes)
    kept = ("episodes", "babies", "caught", "caught_share", "missed_for_a_false_alert", "delay_seconds", "by_snr_db")
    more = ("false_alarms", "quiet_hours", "false_alarms_per_night", "by_distance", "by_device")
    return {name: told[name] for name in (*kept, *more)}


def delays(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Seconds from onset to alert of what was caught, median and 95th percentile, with intervals over babies."""
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
    drawn = Rounds(groups)
    counts = np.rint(drawn.sums(np.eye(len(caught)))).astype(int)  # how often each is in a round
    for name, share in (("median", 50), ("p95", 95)):
        report[name] = drawn.told(np.array([np.percentile(np.repeat(times, row), share) for row in counts]))
    return report


def delay_curve(outcomes: Sequence[Outcome]) -> list[list[float]]:
    """(seconds, share of all episodes alerted by then), every quarter of a second up to ten."""
    every = np.array([np.inf if delay is None else delay for one in outcomes for delay in one.delays])
    if not every.size:
        return []
    return [[float(at), round(float((every <= at).mean()), 4)] for at in np.arange(0, 10.01, 0.25)]


def _set_off_by(beds: Sequence[Spent], outcomes: Sequence[Outcome]) -> dict[str, int]:
    """In which beds false alarms were given."""
    counts = {one.plan.name: len(told.false) for one, told in zip(beds, outcomes, strict=True)}
    return {name: count for name, count in sorted(counts.items(), key=lambda one: -one[1]) if count}
