"""Whole nights through the very classes that the app runs: cries caught, delay, false alarms, by background.

The network is asked once a night: what it said is kept, and replayed through `AlertPolicy` for every threshold.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.alerts.policy import Alert, AlertPolicy, AlertRules
from babymonitor.core.labels import label
from babymonitor.core.messages import Code
from babymonitor.core.model.classifier import Classifier, ModelError
from babymonitor.core.model.detector import Detector, Score
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from trainer.data.decoded_audio import DecodedAudio
from trainer.data.readers import Roots, load
from trainer.data.split import Division
from trainer.errors import DataError
from trainer.evaluation.judgements import chosen, met
from trainer.evaluation.metrics import Rounds
from trainer.evaluation.night_composer import (
    BACKGROUNDS,
    EPISODES_PER_HOUR,
    SNRS_DB,
    Background,
    Episode,
    Night,
    gathered,
)

CAUGHT_SECONDS = 10.0
"""An alert that comes so long after the onset, or later while the crying lasts, has caught the episode."""
GRACE_SECONDS = 3.0
"""After an episode its last cry is still within what the model sees: an alert then is neither a catch nor false."""
LADDER = (0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9, 0.95, 0.98)
"""Start thresholds of the curve, closest where models are used; the end threshold keeps its proportion to them."""

_HEARD_BEFORE = 0.35
"""Seconds before an alert at which what set it off was sounding already: two windows in a row tell of it."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a model said of a night, (scores,) each: end of the window, P(crying), loudness."""

    end_samples: npt.NDArray[np.int64]
    crying: npt.NDArray[np.float64]
    level_db: npt.NDArray[np.float64]


def heard_of(rows: Sequence[tuple[int, float, float]]) -> Heard:
    """Rows of end sample, P(crying), loudness."""
    table = np.array(rows, np.float64).reshape(-1, 3)
    return Heard(table[:, 0].astype(np.int64), table[:, 1], table[:, 2])


class Listening:
    """Every score of a sound that comes in blocks, by the app's own ring and detector."""

    def __init__(self, classifier: Classifier) -> None:
        self._ring = RingBuffer(max(30.0, 2 * classifier.card.window_seconds))
        self._detector = Detector(classifier, self._ring)
        self._hop = classifier.card.hop_samples
        self._rows: list[tuple[int, float, float]] = []

    def push(self, block: Wave) -> None:
        # No more than a hop at once, else the detector would rightly leave windows out.
        for start in range(0, block.size, self._hop):
            self._ring.write(block[start : start + self._hop])
            self._note(self._detector.poll())

    def finish(self) -> Heard:
        """The sound is over. One that was too short for a window is judged as it is."""
        self._note(self._detector.finish())
        return heard_of(self._rows)

    def _note(self, score: Score | None) -> None:
        if score is not None:
            self._rows.append((score.end_sample, score.crying, score.level_db))


def listen(classifier: Classifier, blocks: Iterator[Wave]) -> Heard:
    """What it says of a whole sound, see `Listening`."""
    session = Listening(classifier)
    for block in blocks:
        session.push(block)
    return session.finish()


def alerts_of(heard: Heard, rules: AlertRules) -> list[Alert]:
    """The alerts of a night under these rules, as they are when they are over."""
    policy = AlertPolicy(rules)
    alerts: dict[int, Alert] = {}
    for end, crying, level in zip(heard.end_samples.tolist(), heard.crying, heard.level_db, strict=True):
        for event in policy.feed(Score(end, end / SAMPLE_RATE, float(crying), float(level))):
            alerts[event.alert.id] = event.alert
    for event in policy.interrupt():
        alerts[event.alert.id] = event.alert
    return list(alerts.values())


@dataclass(frozen=True, slots=True)
class Outcome:
    """How alerts and truth agree. delays: per episode, seconds from onset to alert, None where it was missed.

    already: episodes missed because a false alert still lasted. false: the seconds at which false alerts were given.
    quiet_hours: what of the night is no episode, in which they could be.
    """

    episodes: tuple[Episode, ...]
    delays: tuple[float | None, ...]
    already: int
    false: tuple[float, ...]
    quiet_hours: float


def judge(alerts: Sequence[Alert], episodes: Sequence[Episode], samples: int) -> Outcome:
    """An episode is caught by the first alert given during it, or within 10 s of its onset if it is shorter."""
    delays: list[float | None] = []
    false = [alert.raised_seconds for alert in alerts]
    already, loud = 0, 0.0
    for episode in episodes:
        onset, end = episode.onset / SAMPLE_RATE, episode.end / SAMPLE_RATE
        last = max(end, onset + CAUGHT_SECONDS)
        given = [alert.raised_seconds for alert in alerts if onset <= alert.raised_seconds <= last]
        delays.append(given[0] - onset if given else None)
        if not given:
            already += any(one.raised_seconds < onset < (one.ended_seconds or np.inf) for one in alerts)
        until = max(last, end + GRACE_SECONDS)
        false = [seconds for seconds in false if not onset <= seconds <= until]
        loud += min(until, samples / SAMPLE_RATE) - onset
    return Outcome(tuple(episodes), tuple(delays), already, tuple(false), (samples / SAMPLE_RATE - loud) / 3600)


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures of one or several nights, with 95 % intervals.

    Caught: Clopper and Pearson (1934), or resampled babies where that is wider. False alarms: Poisson, exact.
    """
    episodes = [episode for one in outcomes for episode in one.episodes]
    delays = [delay for one in outcomes for delay in one.delays]
    caught = np.array([delay is not None for delay in delays], bool)
    times = np.array([delay for delay in delays if delay is not None])
    false, hours = sum(len(one.false) for one in outcomes), sum(one.quiet_hours for one in outcomes)
    rate = _poisson(false, hours)

    def by(kind: Callable[[Episode], Any]) -> dict[str, dict[str, int]]:
        kinds = [kind(episode) for episode in episodes]
        told = {}
        for one in sorted(set(kinds)):
            members = [at for at, other in enumerate(kinds) if other == one]
            name = f"{one:g}" if isinstance(one, float) else str(one)
            told[name] = {"episodes": len(members), "caught": int(caught[members].sum())}
        return told

    return {
        "episodes": len(episodes),
        "babies": len({episode.group for episode in episodes}),
        "caught": int(caught.sum()),
        "caught_share": _share(caught, np.array([episode.group for episode in episodes])),
        "by_snr_db": {
            f"{float(snr_db):g}": one for snr_db, one in reversed(by(lambda episode: episode.snr_db).items())
        },
        "by_distance": by(lambda episode: "far" if episode.far else "near"),
        "by_device": by(lambda episode: episode.device),
        "missed_for_a_false_alert": sum(one.already for one in outcomes),
        "delay_seconds": {
            "median": round(float(np.median(times)), 2) if times.size else None,
            "p95": round(float(np.percentile(times, 95)), 2) if times.size else None,
        },
        "false_alarms": false,
        "quiet_hours": round(hours, 3),
        "false_alarms_per_hour": rate,
        "false_alarms_per_night": {name: round(10 * value, 2) for name, value in rate.items()},
    }


def _share(caught: npt.NDArray[np.bool_], groups: npt.NDArray[np.str_]) -> dict[str, float] | None:
    from scipy.stats import beta

    count, hits = caught.size, int(caught.sum())
    if not count:
        return None
    low = float(beta.ppf(0.025, hits, count - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, count - hits)) if hits < count else 1.0
    rounds = Rounds(groups)
    hit, all_of_them = rounds.sums(np.stack((caught, np.ones(count)), 1)).T
    drawn = rounds.told(hit / all_of_them)
    if drawn["low"] is not None and drawn["high"] is not None:  # None of one baby alone
        low, high = min(low, drawn["low"]), max(high, drawn["high"])
    return {"value": round(hits / count, 4), "low": round(low, 4), "high": round(high, 4)}


def _poisson(events: int, hours: float) -> dict[str, float]:
    from scipy.stats import chi2

    low = float(chi2.ppf(0.025, 2 * events)) / 2 if events else 0.0
    high = float(chi2.ppf(0.975, 2 * events + 2)) / 2
    hours = max(hours, 1e-9)
    return {"value": round(events / hours, 4), "low": round(low / hours, 4), "high": round(high / hours, 4)}


@dataclass(frozen=True, slots=True)
class Wish:
    """What nights are wanted. backgrounds: names, none for all. hours: of each."""

    split_name: str = "test"
    hours: float = 10.0
    seed: int = 1
    snrs_db: tuple[float, ...] = SNRS_DB
    episodes_per_hour: float = EPISODES_PER_HOUR
    backgrounds: tuple[str, ...] = ()


def nights(
    model: Path,
    data: Roots,
    wish: Wish,
    segments: Path | None = None,
    cache: Path | None = None,
    progress: Callable[[str], None] = lambda name: None,
    division: Division | None = None,
    merged: Mapping[str, str] | None = None,
    for_the_card: bool = False,
) -> dict[str, Any]:
    """Compose the nights, listen, judge: everything that is said of them, as plain values fit for JSON.

    progress: called with the name of each background before it is heard. for_the_card: what comes of it is to stand in
    the model's card; then DataError, before anything is heard, for groups that it learnt from.
    """
    classifier = Classifier(model)
    if not any(label(name).crying for name in classifier.labels):
        raise ModelError(Code.MODEL_CANNOT_ALARM, name=model.name)
    backgrounds = _wanted(wish.backgrounds)
    whole = load(data, segments, merged)
    if not any(label(name).crying for name in whole.labels):
        raise DataError(f"{whole} has no label that means crying ({', '.join(whole.labels)}): nights need cries.")
    waves = DecodedAudio(whole, cache or model.parent, codecs=False)
    clips = chosen(whole, waves, wish.split_name, division)  # without cries, false alarms alone are told
    has_met = met(classifier.card, clips)
    if for_the_card and has_met and has_met["train"]:
        raise DataError(f"{model.name} has learnt from these groups: its card is to say what it does elsewhere.")
    stock = gathered(clips, waves)
    thresholds = classifier.card.thresholds
    rules = AlertRules.of_card(classifier.card)
    ladder = sorted({*LADDER, thresholds["start"]})
    made, tables = [], []
    outcomes: list[Outcome] = []
    climbed: list[list[Outcome]] = [[] for _ in ladder]
    began = time.process_time()
    for background in backgrounds:
        night = Night(background, stock, wish.hours, wish.seed, wish.snrs_db, wish.episodes_per_hour)
        if not night.possible:
            continue
        progress(background.name)
        heard = listen(classifier, night.blocks())
        outcome = judge(alerts_of(heard, rules), night.episodes, night.samples)
        climb = [judge(alerts_of(heard, at_threshold(rules, rung)), night.episodes, night.samples) for rung in ladder]
        for column, one in zip(climbed, climb, strict=True):
            column.append(one)
        outcomes.append(outcome)
        made.append(night)
        tables.append(
            {
                "background": background.name,
                "level_db": background.level_db,
                "real_clips": night.clips,
                **figures([outcome]),
                "set_off_by": dict(
                    Counter(night.what(seconds - _HEARD_BEFORE) for seconds in outcome.false).most_common(5)
                ),
                "ladder": rungs(ladder, [[one] for one in climb]),
            }
        )
    if not made:
        raise DataError(f"{whole} has nothing on the side '{wish.split_name}' for these backgrounds to sound of.")
    spent = time.process_time() - began
    return {
        "event": "nights",
        "model": str(model),
        "data": str(whole),
        "split": wish.split_name,
        "met": has_met,
        "seed": wish.seed,
        "hours_of_each": wish.hours,
        "snrs_db": list(wish.snrs_db),
        "thresholds": {"start": rules.start_threshold, "end": rules.end_threshold},
        "nights": tables,
        "all": figures(outcomes),
        "ladder": rungs(ladder, climbed),
        "operating_curve": curve(ladder, climbed),
        "times_real_time": round(sum(night.samples for night in made) / SAMPLE_RATE / max(spent, 1e-9)),
    }


def _wanted(names: Sequence[str]) -> Sequence[Background]:
    known = {background.name: background for background in BACKGROUNDS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(f"There is no background '{unknown[0]}'; there is {', '.join(known)}.")
    return [known[name] for name in names] or BACKGROUNDS


def at_threshold(rules: AlertRules, start: float) -> AlertRules:
    """The same rule from another start on; the end keeps its proportion to it."""
    return replace(rules, start_threshold=start, end_threshold=start * rules.end_threshold / rules.start_threshold)


def rungs(ladder: Sequence[float], climbed: Sequence[Sequence[Outcome]]) -> list[dict[str, Any]]:
    """What each start threshold gives; caught and delay are None where there was nothing to catch, or nothing was.

    hours: in which false alarms could be given; none in a few hours is not none in a month.
    """
    rows = []
    for start, outcomes in zip(ladder, climbed, strict=True):
        told = figures(outcomes)
        rows.append(
            {
                "start_threshold": start,
                "false_alarms_per_hour": told["false_alarms_per_hour"]["value"],
                "caught": told["caught_share"] and told["caught_share"]["value"],
                "median_delay_seconds": told["delay_seconds"]["median"],
                "p95_delay_seconds": told["delay_seconds"]["p95"],
                "hours": told["quiet_hours"],
            }
        )
    return rows


PRICE_OF_A_FALSE_ALARM = 0.05
"""In cries: an alarm an hour fewer on nights full of animals and talk is worth missing five cries in a hundred; who is
woken for nothing every hour switches the monitor off, and a cry that goes on is mostly heard a few seconds later."""


def best_start(rows: Sequence[Mapping[str, Any]]) -> float:
    """The start threshold, of rungs as `curve` has them, that is best at `PRICE_OF_A_FALSE_ALARM`; DataError where
    nothing was caught at any.
    """
    if not rows:
        raise DataError("No cry was caught at any threshold: there is none to be chosen.")
    best = max(rows, key=lambda row: row["caught"] - PRICE_OF_A_FALSE_ALARM * row["false_alarms_per_hour"])
    return float(best["start_threshold"])


def curve(ladder: Sequence[float], climbed: Sequence[Sequence[Outcome]]) -> list[dict[str, float]]:
    """The operating curve as a model card has it: the rungs at which any cry was caught."""
    return [row for row in rungs(ladder, climbed) if row["caught"]]


def readable(report: dict[str, Any]) -> str:
    """The report as a page of text."""
    lines = [
        f"{report['model']} on the side '{report['split']}': {report['hours_of_each']:g} h of each background, start "
        f"{report['thresholds']['start']:g}, end {report['thresholds']['end']:g}, seed {report['seed']}, "
        f"{report['times_real_time']} times real time",
        "",
        f"{'background':18} {'level':>6} {'clips':>5} {'cries':>5} {'caught':>22} {'delay: median, 95 %':>20} "
        f"{'false':>5} {'per 10 h':>22}",
    ]
    for night in [*report["nights"], {"background": "all", "level_db": None, "real_clips": "", **report["all"]}]:
        level = "" if night["level_db"] is None else f"{night['level_db']:g}"
        delay = night["delay_seconds"]
        told = "—" if delay["median"] is None else f"{delay['median']:.2f} s, {delay['p95']:.2f} s"
        lines.append(
            f"{night['background']:18} {level:>6} {night['real_clips']:>5} {night['episodes']:5} "
            f"{_shown(night['caught_share'], 3):>22} {told:>20} {night['false_alarms']:5} "
            f"{_shown(night['false_alarms_per_night'], 1):>22}"
        )
    lines += ["", "caught by SNR"]
    for night in [*report["nights"], {"background": "all", **report["all"]}]:
        some = [f"{snr} dB: {one['caught']} of {one['episodes']}" for snr, one in night["by_snr_db"].items()]
        lines.append(f"{night['background']:18} {', '.join(some) or '—'}")
    for title, kinds in (("distance", report["all"]["by_distance"]), ("device", report["all"]["by_device"])):
        some = [f"{kind}: {one['caught']} of {one['episodes']}" for kind, one in kinds.items()]
        lines.append(f"{'by ' + title:18} {', '.join(some) or '—'}")
    lines += ["", "false alarms were set off by"]
    for night in report["nights"]:
        if night["set_off_by"]:
            some = [f"{what} {count}" for what, count in night["set_off_by"].items()]
            lines.append(f"{night['background']:18} {', '.join(some)}")
    lines += ["", f"{'start':>6} {'false per 10 h':>15} {'caught':>7} {'median delay':>13}"]
    for row in report["ladder"]:
        caught, delay = row["caught"], row["median_delay_seconds"]
        lines.append(
            f"{row['start_threshold']:6.2f} {10 * row['false_alarms_per_hour']:15.1f} "
            f"{'—' if caught is None else f'{caught:.3f}':>7} {'—' if delay is None else f'{delay:.2f} s':>13}"
        )
    if report["met"] and sum(report["met"].values()):
        lines += ["", f"Of the groups heard, the model has learnt from {report['met']['train']} and was calibrated on "
                  f"{report['met']['validation']}: these figures are too good."]  # fmt: skip
    return "\n".join(lines)


def write(report: dict[str, Any], folder: Path) -> None:
    """The report as ``nights.json`` and ``nights.txt``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nights.json").write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / "nights.txt").write_text(readable(report) + "\n", encoding="utf-8")


def _shown(values: dict[str, float] | None, digits: int) -> str:
    if values is None:
        return "—"
    return f"{values['value']:.{digits}f} [{values['low']:.{digits}f}–{values['high']:.{digits}f}]"
