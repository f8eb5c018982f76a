"""Evaluate a model on composed nights: cries caught, delays and false alarms, by background.

Nights are composed by `night_composer`, heard by the monitor's own grid and model, and judged by `night_outcomes`.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babymonitor.core.alerts.policy import AlertRules
from babymonitor.core.labels import label
from babymonitor.core.messages import Code
from babymonitor.core.model.classifier import Classifier, ModelError
from babymonitor.core.sound.wave import SAMPLE_RATE
from trainer.data.decoded_audio import DecodedAudio
from trainer.data.readers import Roots, load
from trainer.data.split import Division
from trainer.errors import DataError
from trainer.evaluation.judgements import clips_of_side, training_overlap
from trainer.evaluation.night_composer import EPISODES_PER_HOUR, SNRS_DB, ComposedNight
from trainer.evaluation.night_outcomes import (
    NightOutcome,
    alerts_from,
    match_alerts,
    night_figures,
    operating_curve,
    rules_at,
    score_series,
    threshold_rows,
)
from trainer.evaluation.night_stock import BACKGROUNDS, Background, gather_stock

LADDER = (0.2, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9, 0.95, 0.98)
"""Start thresholds of the operating curve, closest where models are used."""
_CAUSE_SECONDS = 0.35
"""How long before an alert its cause was already sounding: two successive windows have to reach the threshold."""


@dataclass(frozen=True, slots=True)
class NightsRequest:
    """Which nights to compose. hours: of each background. backgrounds: their names; none for all."""

    split_name: str = "test"
    hours: float = 10.0
    seed: int = 1
    snrs_db: tuple[float, ...] = SNRS_DB
    episodes_per_hour: float = EPISODES_PER_HOUR
    backgrounds: tuple[str, ...] = ()


def nights(
    model: Path,
    data: Roots,
    request: NightsRequest,
    segments: Path | None = None,
    cache: Path | None = None,
    progress: Callable[[str], None] = lambda name: None,
    division: Division | None = None,
    merged: Mapping[str, str] | None = None,
    for_the_card: bool = False,
) -> dict[str, Any]:
    """Compose nights, run the model over them and judge its alerts; returns plain values fit for JSON.

    progress: called with the name of each background before it is played. for_the_card: the figures go into the model's
    card. Raises ModelError for a model that can give no alarm; DataError where data or request allow no night, and for
    the card, before anything is played, where the model learnt from these groups.
    """
    classifier = Classifier(model)
    if not any(label(name).crying for name in classifier.labels):
        raise ModelError(Code.MODEL_CANNOT_ALARM, name=model.name)
    backgrounds = _backgrounds_named(request.backgrounds)
    data_set = load(data, segments, merged)
    if not any(label(name).crying for name in data_set.labels):
        raise DataError(f"{data_set} has no label that means crying ({', '.join(data_set.labels)}): nights need cries.")
    waves = DecodedAudio(data_set, cache or model.parent, codecs=False)
    # A side without cries gives the figures of false alarms alone.
    clips = clips_of_side(data_set, waves, request.split_name, division)
    overlap = training_overlap(classifier.card, clips)
    if for_the_card and overlap and overlap["train"]:
        raise DataError(f"{model.name} has learnt from these groups: its card is to say what it does elsewhere.")
    stock = gather_stock(clips, waves)
    rules = AlertRules.of_card(classifier.card)
    thresholds = sorted({*LADDER, classifier.card.thresholds["start"]})
    composed, tables = [], []
    outcomes: list[NightOutcome] = []
    outcomes_at: list[list[NightOutcome]] = [[] for _ in thresholds]
    began = time.process_time()
    for background in backgrounds:
        night = ComposedNight(
            background, stock, request.hours, request.seed, request.snrs_db, request.episodes_per_hour
        )
        if not night.possible:
            continue
        progress(background.name)
        scores = score_series(classifier, night.blocks())
        outcome = match_alerts(alerts_from(scores, rules), night.episodes, night.samples)
        night_outcomes_at = [
            match_alerts(alerts_from(scores, rules_at(rules, start)), night.episodes, night.samples)
            for start in thresholds
        ]
        for all_nights, night_outcome in zip(outcomes_at, night_outcomes_at, strict=True):
            all_nights.append(night_outcome)
        outcomes.append(outcome)
        composed.append(night)
        causes = Counter(night.sound_at(seconds - _CAUSE_SECONDS) for seconds in outcome.false)
        tables.append(
            {
                "background": background.name,
                "level_db": background.level_db,
                "real_clips": night.clips,
                **night_figures([outcome]),
                "set_off_by": dict(causes.most_common(5)),
                "ladder": threshold_rows(thresholds, [[night_outcome] for night_outcome in night_outcomes_at]),
            }
        )
    if not composed:
        raise DataError(f"{data_set} has nothing on the side '{request.split_name}' for these backgrounds to sound of.")
    cpu_seconds = time.process_time() - began
    return {
        "event": "nights",
        "model": str(model),
        "data": str(data_set),
        "split": request.split_name,
        "met": overlap,
        "seed": request.seed,
        "hours_of_each": request.hours,
        "snrs_db": list(request.snrs_db),
        "thresholds": {"start": rules.start_threshold, "end": rules.end_threshold},
        "nights": tables,
        "all": night_figures(outcomes),
        "ladder": threshold_rows(thresholds, outcomes_at),
        "operating_curve": operating_curve(thresholds, outcomes_at),
        "times_real_time": round(sum(night.samples for night in composed) / SAMPLE_RATE / max(cpu_seconds, 1e-9)),
    }


def _backgrounds_named(names: Sequence[str]) -> Sequence[Background]:
    """The backgrounds of these names, all where none is named. Raises DataError for an unknown name."""
    known = {background.name: background for background in BACKGROUNDS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(f"There is no background '{unknown[0]}'; there is {', '.join(known)}.")
    return [known[name] for name in names] or BACKGROUNDS


def readable(report: dict[str, Any]) -> str:
    """The report as text for a terminal."""
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
        delay_text = "—" if delay["median"] is None else f"{delay['median']:.2f} s, {delay['p95']:.2f} s"
        lines.append(
            f"{night['background']:18} {level:>6} {night['real_clips']:>5} {night['episodes']:5} "
            f"{_with_interval(night['caught_share'], 3):>22} {delay_text:>20} {night['false_alarms']:5} "
            f"{_with_interval(night['false_alarms_per_night'], 1):>22}"
        )
    lines += ["", "caught by SNR"]
    for night in [*report["nights"], {"background": "all", **report["all"]}]:
        lines.append(f"{night['background']:18} {_caught_counts(night['by_snr_db'], ' dB')}")
    for title, kinds in (("distance", report["all"]["by_distance"]), ("device", report["all"]["by_device"])):
        lines.append(f"{'by ' + title:18} {_caught_counts(kinds)}")
    lines += ["", "false alarms were set off by"]
    for night in report["nights"]:
        if night["set_off_by"]:
            causes = [f"{cause} {count}" for cause, count in night["set_off_by"].items()]
            lines.append(f"{night['background']:18} {', '.join(causes)}")
    lines += ["", f"{'start':>6} {'false per 10 h':>15} {'caught':>7} {'median delay':>13}"]
    for row in report["ladder"]:
        caught, delay = row["caught"], row["median_delay_seconds"]
        lines.append(
            f"{row['start_threshold']:6.2f} {10 * row['false_alarms_per_hour']:15.1f} "
            f"{'—' if caught is None else f'{caught:.3f}':>7} {'—' if delay is None else f'{delay:.2f} s':>13}"
        )
    if report["met"] and sum(report["met"].values()):
        lines += ["", f"The model has learnt from {report['met']['train']} of these groups and was calibrated on "
                  f"{report['met']['validation']}: the figures are too good."]  # fmt: skip
    return "\n".join(lines)


def _caught_counts(kinds: Mapping[str, Mapping[str, int]], unit: str = "") -> str:
    return (
        ", ".join(f"{kind}{unit}: {counts['caught']} of {counts['episodes']}" for kind, counts in kinds.items()) or "—"
    )


def _with_interval(values: dict[str, float] | None, digits: int) -> str:
    if values is None:
        return "—"
    return f"{values['value']:.{digits}f} [{values['low']:.{digits}f}–{values['high']:.{digits}f}]"


def write(report: dict[str, Any], folder: Path) -> None:
    """Write the report as ``nights.json`` and ``nights.txt``, making the folder where needed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nights.json").write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / "nights.txt").write_text(readable(report) + "\n", encoding="utf-8")
