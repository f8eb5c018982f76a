"""The figures of listeners on what was left out: clips told apart, nights at given rates of false alarms, and what
wakes when it is played alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.alerts.policy import AlertRules
from trainer.data.sound_kinds import label_of
from trainer.evaluation.left_out_material import HOLD_CRYING, ClipSet, Material
from trainer.evaluation.listeners import Listener, Ours
from trainer.evaluation.metrics import ClusterBootstrap, rounded, widened
from trainer.evaluation.night_composer import ComposedNight
from trainer.evaluation.night_outcomes import (
    NightOutcome,
    ScoreSeries,
    alerts_from,
    match_alerts,
    night_figures,
    operating_curve,
    rules_at,
)
from trainer.evaluation.night_stock import Piece

FALSE_SHARES = (0.01, 0.001)
RATES = (0.03, 0.1, 0.3, 1.0, 3.0)
"""False alarms per hour at which listeners are compared."""
THRESHOLDS = tuple(round(float(start), 6) for start in 1 / (1 + np.exp(-np.linspace(-7.0, 9.0, 81))))
"""Start thresholds that are tried: evenly spaced in log-odds."""
LADDER = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)
"""Start thresholds of a card's operating curve."""
CHECKED_BY_YAMNET = "third"
"""Labels of this folder were checked by YAMNet; what it does not hear as crying is not there."""


@dataclass(frozen=True, slots=True)
class PlannedNight:
    """One night to compose. at_0_db: every cry is only as loud as the bed; such nights count in no pooled figure."""

    name: str
    bed: str
    hours: float
    snrs_db: tuple[float, ...]
    per_hour: float
    at_0_db: bool = False


@dataclass(frozen=True, slots=True)
class PlayedNight:
    """A night that every listener has heard. answers: scores by listener."""

    plan: PlannedNight
    night: ComposedNight
    answers: Mapping[str, ScoreSeries]

    def outcome(self, listener: Listener, rules: AlertRules) -> NightOutcome:
        alerts = alerts_from(self.answers[listener.name], rules)
        return match_alerts(alerts, self.night.episodes, self.night.samples)


def clip_figures(
    material: Material, answers: Mapping[str, Mapping[str, Sequence[ScoreSeries]]], listeners: Sequence[Listener]
) -> dict[str, Any]:
    """Cries against all other sound, by a clip's highest score: by set of clips, all cries together, and each corpus's.

    answers: by set and listener, of the cries and then of the others.
    """
    return {
        "neither": dict(material.aside),
        "left_aside_because_they_hold_crying": list(HOLD_CRYING),
        "others_by_label": dict(Counter(label_of(clip) for clip in material.others).most_common()),
        "sets": {
            name: _set_figures(clips, material.corpora, answers[name], listeners)
            for name, clips in material.clip_sets.items()
        },
    }


def _set_figures(
    clips: ClipSet,
    corpus_of: Mapping[str, str],
    answers: Mapping[str, Sequence[ScoreSeries]],
    listeners: Sequence[Listener],
) -> dict[str, Any]:
    pieces = [*clips.cries, *clips.others]
    crying = np.arange(len(pieces)) < len(clips.cries)
    groups = np.array([piece.group for piece in pieces])
    corpora = np.array([corpus_of.get(piece.path, "") for piece in pieces])
    chosen_of = {"all": np.ones(len(pieces), bool)}
    chosen_of |= {name: ~crying | (corpora == name) for name in sorted(set(corpus_of.values()))}
    return {
        "others": len(clips.others),
        "checked_by_yamnet": sum(piece.path.startswith(f"{CHECKED_BY_YAMNET}/") for piece in clips.cries),
        "corpora": {
            name: {"cries": int((chosen & crying).sum()), "babies": len(set(groups[chosen & crying]))}
            for name, chosen in chosen_of.items()
        },
        "listeners": {
            listener.name: {
                name: _told_apart(_highest(answers[listener.name])[chosen], crying[chosen], groups[chosen])
                for name, chosen in chosen_of.items()
            }
            for listener in listeners
        },
        "hardest": {
            listener.name: _hardest(pieces, _highest(answers[listener.name]), crying) for listener in listeners
        },
    }


def _highest(answers: Sequence[ScoreSeries]) -> npt.NDArray[np.float64]:
    return np.array([scores.crying.max(initial=0.0) for scores in answers])


def _told_apart(
    scores: npt.NDArray[np.float64], crying: npt.NDArray[np.bool_], groups: npt.NDArray[np.str_]
) -> dict[str, Any]:
    bootstrap, babies = ClusterBootstrap(groups), len(np.unique(groups[crying]))
    found = {
        f"{share:g}": widened(bootstrap.estimate(bootstrap.recall_at(scores, crying, share)), babies)
        for share in FALSE_SHARES
    }
    return {"auc": bootstrap.estimate(bootstrap.roc_area(scores, crying)), "found": found}


def _hardest(
    pieces: Sequence[Piece], scores: npt.NDArray[np.float64], crying: npt.NDArray[np.bool_], most: int = 12
) -> dict[str, list[list[Any]]]:
    """The other sounds with the highest scores, and the cries with the lowest: where to look first."""
    order = np.argsort(-scores, kind="stable")
    others, cries = order[~crying[order]][:most], order[crying[order]][::-1][:most]
    return {
        name: [[pieces[index].path, rounded(scores[index])] for index in indices.tolist()]
        for name, indices in (("others", others), ("cries", cries))
    }


@dataclass(frozen=True, slots=True)
class _Point:
    """What a rule gives on all beds: false alarms an hour, and episodes caught."""

    name: str
    rules: AlertRules
    false_per_hour: float
    caught: int


def rules_tried(listener: Listener) -> dict[str, AlertRules]:
    """The alert rules of which the better counts, by name: a model file's own; for YAMNet one frame, and two."""
    if isinstance(listener, Ours):
        return {"as its card says": listener.rules}
    return {
        "one frame": listener.rules,
        "two frames in a row": replace(listener.rules, minimum_seconds=listener.hop / 16000),
    }


def nights_figures(
    played: Sequence[PlayedNight], listeners: Sequence[Listener], corpus_of: Mapping[str, str]
) -> dict[str, Any]:
    """The figures of all nights: of each listener as it is shipped, and at each of `RATES` by the best rule tried.

    corpus_of: the corpus of each baby.
    """
    beds = [night for night in played if not night.plan.at_0_db]
    report: dict[str, Any] = {
        "beds": [
            {
                "name": night.plan.name,
                "at_0_db": night.plan.at_0_db,
                "hours": night.plan.hours,
                "level_db": night.night.background.level_db,
                "clips": night.night.clips,
                "episodes": len(night.night.episodes),
            }
            for night in played
        ],
        "rates": list(RATES),
        "listeners": {},
    }
    for listener in listeners:
        points = [
            _point(beds, listener, name, rules_at(rules, start))
            for name, rules in rules_tried(listener).items()
            for start in sorted({*THRESHOLDS, listener.rules.start_threshold})
        ]
        own = _point(beds, listener, next(iter(rules_tried(listener))), listener.rules)
        best = {f"{rate:g}": best_within(points, rate) for rate in RATES}
        report["listeners"][listener.name] = {
            "shipped": _at(played, listener, own, corpus_of),
            "at_rate": {rate: point and _at(played, listener, point, corpus_of) for rate, point in best.items()},
            "sweep": {
                name: [
                    [point.rules.start_threshold, rounded(point.false_per_hour), point.caught]
                    for point in points
                    if point.name == name
                ]
                for name in rules_tried(listener)
            },
        }
    first = report["listeners"][listeners[0].name]["shipped"]["all"]["false_alarms_per_hour"]["value"]
    report["equal_rate"] = {"to": listeners[0].name, "false_alarms_per_hour": first}
    return report


def curve(played: Sequence[PlayedNight], listener: Listener) -> list[dict[str, float]]:
    """A model's operating curve over all beds, as its card has it; see `night_outcomes.operating_curve`."""
    beds = [night for night in played if not night.plan.at_0_db]
    starts = sorted({*LADDER, listener.rules.start_threshold})
    outcomes = [[night.outcome(listener, rules_at(listener.rules, start)) for night in beds] for start in starts]
    return operating_curve(starts, outcomes)


def best_within(points: Sequence[_Point], false_per_hour: float) -> _Point | None:
    """The point that catches most with no more false alarms than that; of equals the one with fewest."""
    within = [point for point in points if point.false_per_hour <= false_per_hour]
    return max(within, key=lambda point: (point.caught, -point.false_per_hour), default=None)


def _point(beds: Sequence[PlayedNight], listener: Listener, name: str, rules: AlertRules) -> _Point:
    outcomes = [night.outcome(listener, rules) for night in beds]
    hours = sum(outcome.quiet_hours for outcome in outcomes)
    false = sum(len(outcome.false) for outcome in outcomes)
    caught = sum(delay is not None for outcome in outcomes for delay in outcome.delays)
    return _Point(name, rules, false / max(hours, 1e-9), caught)


def _at(
    played: Sequence[PlayedNight], listener: Listener, point: _Point, corpus_of: Mapping[str, str]
) -> dict[str, Any]:
    """Everything about a rule: all beds together, each of them, and the nights at 0 dB."""
    outcomes = {night.plan.name: night.outcome(listener, point.rules) for night in played}
    beds = [outcomes[night.plan.name] for night in played if not night.plan.at_0_db]
    at_0_db = [outcomes[night.plan.name] for night in played if night.plan.at_0_db]
    return {
        "rule": point.name,
        "start": point.rules.start_threshold,
        "minimum_seconds": point.rules.minimum_seconds,
        "all": night_figures(beds),
        "by_bed": {name: _brief(outcome) for name, outcome in outcomes.items()},
        "at_0_db": night_figures(at_0_db) if at_0_db else None,
        "by_corpus": _by_corpus([*beds, *at_0_db], corpus_of),
    }


def _brief(outcome: NightOutcome) -> dict[str, Any]:
    figures = night_figures([outcome])
    fields = ("episodes", "caught", "caught_share", "false_alarms", "false_alarms_per_hour", "delay_seconds")
    return {name: figures[name] for name in fields}


def _by_corpus(outcomes: Sequence[NightOutcome], corpus_of: Mapping[str, str]) -> dict[str, dict[str, int]]:
    episodes: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    for outcome in outcomes:
        for episode, delay in zip(outcome.episodes, outcome.delays, strict=True):
            episodes[corpus_of[episode.group]] += 1
            caught[corpus_of[episode.group]] += delay is not None
    return {name: {"episodes": episodes[name], "caught": caught[name]} for name in sorted(episodes)}


def alone_figures(
    material: Material,
    answers: Mapping[str, Sequence[ScoreSeries]],
    listeners: Sequence[Listener],
    nights: Mapping[str, Any],
) -> dict[str, Any]:
    """How many of each kind of sound, played alone in a quiet room, wake: by each listener's own rule, and by the rule
    with which it gives no more false alarms on nights than the first listener by its own.

    answers: by listener, of the kinds one after the other.
    """
    kinds = [kind for kind, members in material.alone.items() for _ in members]
    pieces = [piece for members in material.alone.values() for piece in members]
    report: dict[str, Any] = {"kinds": {}, "rules": {}, "woken_by": {}}
    for kind, members in material.alone.items():
        report["kinds"][kind] = {
            "sounds": len(members),
            "groups": len({piece.group for piece in members}),
            "wake": {},
        }
    for listener in listeners:
        report["rules"][listener.name] = {}
        for name, rules in _two_rules(listener, nights).items():
            report["rules"][listener.name][name] = rules and {
                "start": rules.start_threshold,
                "minimum_seconds": rules.minimum_seconds,
            }
            wake = [rules is not None and bool(alerts_from(scores, rules)) for scores in answers[listener.name]]
            for kind, entry in report["kinds"].items():
                count = sum(woken for woken, kind_of_sound in zip(wake, kinds, strict=True) if kind_of_sound == kind)
                entry["wake"].setdefault(listener.name, {})[name] = None if rules is None else count
            if name == "shipped":
                report["woken_by"][listener.name] = [
                    piece.path for piece, woken in zip(pieces, wake, strict=True) if woken
                ]
    return report


def _two_rules(listener: Listener, nights: Mapping[str, Any]) -> dict[str, AlertRules | None]:
    """A listener's own rule, and the one that catches most with no more false alarms than the first listener's own."""
    sweep = nights["listeners"][listener.name]["sweep"]
    points = [
        _Point(name, rules_at(rules, start), false_per_hour, caught)
        for name, rules in rules_tried(listener).items()
        for start, false_per_hour, caught in sweep[name]
    ]
    equal = best_within(points, nights["equal_rate"]["false_alarms_per_hour"])
    return {"shipped": listener.rules, "equal": equal.rules if equal else None}
