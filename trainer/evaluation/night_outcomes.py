"""From scores to figures: alerts by the app's own policy, matched with the truth of a night.

A model is run over a night once. Its scores are kept and replayed through `AlertPolicy` for every threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.alerts.policy import Alert, AlertPolicy, AlertRules
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.replay import replay_scores
from babymonitor.core.model.scorer import Score
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from trainer.errors import DataError
from trainer.evaluation.metrics import ClusterBootstrap
from trainer.evaluation.night_composer import CryEpisode

CAUGHT_SECONDS = 10.0
"""An alert within this time of the onset, or later while the crying lasts, catches the episode."""
GRACE_SECONDS = 3.0
"""For so long after an episode its last cry is still in the model's window: an alert then counts neither as a catch nor
as false."""
PRICE_OF_A_FALSE_ALARM = 0.05
"""In shares of cries: on nights full of animals and talk, one alarm an hour fewer is worth missing five cries in a
hundred. Whoever is woken for nothing every hour switches the monitor off, and a cry that goes on is mostly heard a few
seconds later."""


@dataclass(frozen=True, slots=True)
class ScoreSeries:
    """A listener's scores over one sound, (N,) each: end of the window, P(crying) or the like, loudness in dB."""

    end_samples: npt.NDArray[np.int64]
    crying: npt.NDArray[np.float64]
    level_db: npt.NDArray[np.float64]

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[int, float, float]]) -> ScoreSeries:
        """From rows of end sample, score and loudness."""
        table = np.array(rows, np.float64).reshape(-1, 3)
        return cls(table[:, 0].astype(np.int64), table[:, 1], table[:, 2])

    @classmethod
    def from_scores(cls, scores: Iterable[Score]) -> ScoreSeries:
        return cls.from_rows([(score.end_sample, score.crying, score.level_db) for score in scores])


def score_series(classifier: Classifier, blocks: Iterable[Wave]) -> ScoreSeries:
    """The model's scores over a sound in blocks of (samples,), on the monitor's grid; see `core.model.replay`."""
    return ScoreSeries.from_scores(replay_scores(blocks, classifier))


def alerts_from(scores: ScoreSeries, rules: AlertRules) -> list[Alert]:
    """The alerts that these scores give under these rules, as they are when they are over."""
    policy = AlertPolicy(rules)
    alerts: dict[int, Alert] = {}
    matters = _matters(scores, rules)
    columns = (scores.end_samples[matters], scores.crying[matters], scores.level_db[matters])
    for end, crying, level in zip(*(column.tolist() for column in columns), strict=True):
        for event in policy.feed(Score(end, end / SAMPLE_RATE, crying, level)):
            alerts[event.alert.id] = event.alert
    for event in policy.interrupt():
        alerts[event.alert.id] = event.alert
    return list(alerts.values())


def _matters(scores: ScoreSeries, rules: AlertRules) -> npt.NDArray[np.bool_]:
    """Which scores (N,) can change anything: those up, the last before each, and those until an alert is over.

    A night is mostly quiet, and a threshold is swept over it a hundred times.
    """
    seconds = scores.end_samples / SAMPLE_RATE
    up = scores.crying >= min(rules.start_threshold, rules.end_threshold)
    since_up = seconds - np.maximum.accumulate(np.where(up, seconds, -np.inf)) if seconds.size else seconds
    # Two scores more than the rule needs, whatever the steps between scores.
    matters = since_up <= rules.end_seconds + 2 * np.max(np.diff(seconds), initial=0.0)
    matters[:-1] |= up[1:]
    return np.asarray(matters, bool)


def rules_at(rules: AlertRules, start: float) -> AlertRules:
    """The same rules with another start threshold; the end threshold keeps its proportion to it."""
    return replace(rules, start_threshold=start, end_threshold=start * rules.end_threshold / rules.start_threshold)


@dataclass(frozen=True, slots=True)
class NightOutcome:
    """How the alerts of a night match its truth.

    delays: per episode, seconds from onset to alert; None where it was missed. already: episodes missed because a false
    alert was still going on. false: the times of false alerts in seconds. quiet_hours: the time outside episodes, in
    which alerts count as false.
    """

    episodes: tuple[CryEpisode, ...]
    delays: tuple[float | None, ...]
    already: int
    false: tuple[float, ...]
    quiet_hours: float


def match_alerts(alerts: Sequence[Alert], episodes: Sequence[CryEpisode], samples: int) -> NightOutcome:
    """Match the alerts of a night of so many samples with its episodes.

    An episode is caught by the first alert that is raised during it, or within `CAUGHT_SECONDS` of its onset.
    """
    delays: list[float | None] = []
    false = [alert.raised_seconds for alert in alerts]
    already, episode_seconds = 0, 0.0
    for episode in episodes:
        onset, end = episode.onset / SAMPLE_RATE, episode.end / SAMPLE_RATE
        last = max(end, onset + CAUGHT_SECONDS)
        catches = [alert.raised_seconds for alert in alerts if onset <= alert.raised_seconds <= last]
        delays.append(catches[0] - onset if catches else None)
        if not catches:
            already += any(alert.raised_seconds < onset < (alert.ended_seconds or np.inf) for alert in alerts)
        until = max(last, end + GRACE_SECONDS)
        false = [seconds for seconds in false if not onset <= seconds <= until]
        episode_seconds += min(until, samples / SAMPLE_RATE) - onset
    quiet_hours = (samples / SAMPLE_RATE - episode_seconds) / 3600
    return NightOutcome(tuple(episodes), tuple(delays), already, tuple(false), quiet_hours)


def night_figures(outcomes: Sequence[NightOutcome]) -> dict[str, Any]:
    """The figures of one or several nights with 95 % intervals, as plain values fit for JSON.

    Share caught: Clopper, C. J. and Pearson, E. S. (1934), "The use of confidence or fiducial limits illustrated in the
    case of the binomial", Biometrika 26, or the bootstrap over babies where that is wider. False alarms: exact Poisson.
    """
    episodes = [episode for outcome in outcomes for episode in outcome.episodes]
    delays = [delay for outcome in outcomes for delay in outcome.delays]
    caught = np.array([delay is not None for delay in delays], bool)
    caught_delays = np.array([delay for delay in delays if delay is not None])
    false, hours = sum(len(outcome.false) for outcome in outcomes), sum(outcome.quiet_hours for outcome in outcomes)
    rate = _poisson_rate(false, hours)

    def counts_by(kind_of: Callable[[CryEpisode], Any]) -> dict[str, dict[str, int]]:
        kinds = [kind_of(episode) for episode in episodes]
        counts = {}
        for kind in sorted(set(kinds)):
            members = [index for index, episode_kind in enumerate(kinds) if episode_kind == kind]
            name = f"{kind:g}" if isinstance(kind, float) else str(kind)
            counts[name] = {"episodes": len(members), "caught": int(caught[members].sum())}
        return counts

    return {
        "episodes": len(episodes),
        "babies": len({episode.group for episode in episodes}),
        "caught": int(caught.sum()),
        "caught_share": _caught_share(caught, np.array([episode.group for episode in episodes])),
        "by_snr_db": {
            f"{float(snr_db):g}": counts
            for snr_db, counts in reversed(counts_by(lambda episode: episode.snr_db).items())
        },
        "by_distance": counts_by(lambda episode: "far" if episode.far else "near"),
        "by_device": counts_by(lambda episode: episode.device),
        "missed_for_a_false_alert": sum(outcome.already for outcome in outcomes),
        "delay_seconds": {
            "median": round(float(np.median(caught_delays)), 2) if caught_delays.size else None,
            "p95": round(float(np.percentile(caught_delays, 95)), 2) if caught_delays.size else None,
        },
        "false_alarms": false,
        "quiet_hours": round(hours, 3),
        "false_alarms_per_hour": rate,
        "false_alarms_per_night": {name: round(10 * value, 2) for name, value in rate.items()},
    }


def _caught_share(caught: npt.NDArray[np.bool_], groups: npt.NDArray[np.str_]) -> dict[str, float] | None:
    from scipy.stats import beta

    count, hits = caught.size, int(caught.sum())
    if not count:
        return None
    low = float(beta.ppf(0.025, hits, count - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, count - hits)) if hits < count else 1.0
    bootstrap = ClusterBootstrap(groups)
    hit_sums, counts = bootstrap.sums(np.stack((caught, np.ones(count)), 1)).T
    over_babies = bootstrap.estimate(hit_sums / counts)
    if over_babies["low"] is not None and over_babies["high"] is not None:  # None for a single baby
        low, high = min(low, over_babies["low"]), max(high, over_babies["high"])
    return {"value": round(hits / count, 4), "low": round(low, 4), "high": round(high, 4)}


def _poisson_rate(events: int, hours: float) -> dict[str, float]:
    """Events per hour with the exact 95 % interval."""
    from scipy.stats import chi2

    low = float(chi2.ppf(0.025, 2 * events)) / 2 if events else 0.0
    high = float(chi2.ppf(0.975, 2 * events + 2)) / 2
    hours = max(hours, 1e-9)
    return {"value": round(events / hours, 4), "low": round(low / hours, 4), "high": round(high / hours, 4)}


def threshold_rows(thresholds: Sequence[float], outcomes: Sequence[Sequence[NightOutcome]]) -> list[dict[str, Any]]:
    """What each start threshold gives, one row each; outcomes: of all nights at each threshold.

    Caught and delays are None where nothing was to be caught, or nothing was. hours: how long false alarms could have
    been raised, since none in a few hours is not none in a month.
    """
    rows = []
    for start, night_outcomes in zip(thresholds, outcomes, strict=True):
        figures = night_figures(night_outcomes)
        rows.append(
            {
                "start_threshold": start,
                "false_alarms_per_hour": figures["false_alarms_per_hour"]["value"],
                "caught": figures["caught_share"] and figures["caught_share"]["value"],
                "median_delay_seconds": figures["delay_seconds"]["median"],
                "p95_delay_seconds": figures["delay_seconds"]["p95"],
                "hours": figures["quiet_hours"],
            }
        )
    return rows


def operating_curve(thresholds: Sequence[float], outcomes: Sequence[Sequence[NightOutcome]]) -> list[dict[str, float]]:
    """The operating curve as a model card has it: the rows of `threshold_rows` at which any cry was caught."""
    return [row for row in threshold_rows(thresholds, outcomes) if row["caught"]]


def best_start(rows: Sequence[Mapping[str, Any]]) -> float:
    """The start threshold of an operating curve that is best at `PRICE_OF_A_FALSE_ALARM`.

    Raises DataError where the curve is empty.
    """
    if not rows:
        raise DataError("No cry was caught at any threshold: there is none to be chosen.")
    best = max(rows, key=lambda row: row["caught"] - PRICE_OF_A_FALSE_ALARM * row["false_alarms_per_hour"])
    return float(best["start_threshold"])
