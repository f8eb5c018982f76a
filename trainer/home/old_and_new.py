"""Compare two models on the same clips: what each says, whom each would wake, and whether the new one may be used.

The app's Train page reads what is written here. Every figure is of whole clips, heard from their beginning on the
monitor's grid (`core.model.replay`) and judged by the monitor's own rule for an alert.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.alerts.policy import AlertPolicy, AlertRules, Change
from babymonitor.core.labels import UNCLEAR
from babymonitor.core.labels import label as known_label
from babymonitor.core.model.classifier import Classifier, ModelCard
from babymonitor.core.model.replay import clip_scores
from babymonitor.core.model.score_file import most_telling
from babymonitor.core.model.scorer import Rows, Score, over_time
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from babymonitor.core.whole_file import write_whole
from trainer.data.dataset import Clip
from trainer.data.readers import Roots, load
from trainer.data.split import Division
from trainer.errors import DataError, counted
from trainer.evaluation import metrics
from trainer.evaluation.metrics import ClusterBootstrap, rounded
from trainer.evaluation.summary import roc_curve
from trainer.home.adapter_fit import label_for_model

FORMAT = 1
WORST = 50
"""How many clips the comparison lists as its worst."""
NIGHT_PREFIX = "night-"
"""How the library names the groups of clips that came out of monitored nights."""
_FEWEST_CRY_SECONDS = 1.0

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class ClipVerdict:
    """What a model says of a clip.

    label, probabilities: of its most telling window, as in `core.model.score_file.Verdict`. crying: the highest
    P(crying) of any window. wakes: whether an alert would be given.
    """

    label: str
    crying: float
    wakes: bool
    probabilities: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """As plain values fit for JSON."""
        return {
            "label": self.label,
            "crying": round(self.crying, 4),
            "wakes": self.wakes,
            "probabilities": {name: round(share, 4) for name, share in self.probabilities.items()},
        }


@dataclass(frozen=True, slots=True)
class ComparedClip:
    """A labelled clip and the verdicts of both models."""

    path: str
    group: str
    label: str
    seconds: float
    old: ClipVerdict
    new: ClipVerdict


def verdict_of(
    probabilities: npt.NDArray[np.float32],
    sounds: npt.NDArray[np.float32],
    ends: npt.NDArray[np.int64],
    level_db: Floats,
    card: ModelCard,
) -> ClipVerdict:
    """The verdict on a clip from the answers to its windows on the monitor's grid.

    probabilities: (N, labels). sounds: (N, sounds). ends: the sample after each window (N,). level_db: loudness of its
    newest hop (N,).
    """
    return _verdict(over_time(card, probabilities, sounds), ends, level_db, card)


def _verdict(rows: Rows, ends: npt.NDArray[np.int64], level_db: Floats, card: ModelCard) -> ClipVerdict:
    labels, telling = card.labels, rows.probabilities[most_telling(rows.probabilities, rows.crying, card)]
    return ClipVerdict(
        labels[int(np.argmax(telling))],
        float(rows.crying.max()),
        wakes(rows.crying, ends, level_db, card),
        dict(zip(labels, map(float, telling), strict=True)),
    )


def wakes(crying: Floats, ends: npt.NDArray[np.int64], level_db: Floats, card: ModelCard) -> bool:
    """Whether P(crying) (N,) of a clip's windows gives an alert, by the app's rule and the model's own thresholds.

    A clip that ends before any alert could be given wakes if every window is crying: live, it would have gone on.
    """
    rules = AlertRules.of_card(card)
    if (ends[-1] - ends[0]) / SAMPLE_RATE < rules.minimum_seconds:
        return bool((crying >= rules.start_threshold).all())
    policy = AlertPolicy(rules)
    for end, share, level in zip(ends.tolist(), crying, level_db, strict=True):
        for event in policy.feed(Score(end, end / SAMPLE_RATE, float(share), float(level))):
            if event.change is Change.RAISED:
                return True
    return False


def comparison(
    clips: Sequence[ComparedClip],
    cards: tuple[ModelCard, ModelCard],
    paths: tuple[Path, Path],
    how: str,
    everyone_else: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The comparison of an old and a new model, as plain values fit for JSON.

    cards, paths: of the old and the new model. how: how the clips were held out, in a sentence for a person.
    everyone_else: see `trainer.home.rehearsal.everyone_else`. A label that neither model knows counts as background.
    Where the truth is crying for an unclear reason, any crying label is right.
    """
    labels = tuple(dict.fromkeys(name for card in cards for name in card.labels))
    clips = [clip for clip in clips if label_for_model(clip.label, labels) in labels]
    truths = [label_for_model(clip.label, labels) for clip in clips]
    truth = np.array([labels.index(name) for name in truths], np.int64)
    groups = np.array([clip.group for clip in clips])
    is_cry = np.array([known_label(name).crying for name in truths], bool)
    report: dict[str, Any] = {
        "format": FORMAT,
        "old": {"name": cards[0].name, "path": str(paths[0])},
        "new": {"name": cards[1].name, "path": str(paths[1])},
        "how": how,
        "labels": list(labels),
        "clips": [
            {
                "path": clip.path, "group": clip.group, "label": clip.label, "seconds": round(clip.seconds, 3),
                "old": clip.old.to_dict(), "new": clip.new.to_dict(),
            }
            for clip in clips
        ],
    }  # fmt: skip
    verdicts = {"old": [clip.old for clip in clips], "new": [clip.new for clip in clips]}
    bootstrap = ClusterBootstrap(groups)
    tables: dict[str, Any] = {name: {} for name in ("confusion", "per_label", "balanced_accuracy", "roc")}
    for side, side_verdicts in verdicts.items():
        names = [_counted_as(verdict.label, name) for verdict, name in zip(side_verdicts, truths, strict=True)]
        predicted = np.array([labels.index(name) for name in names])
        table = metrics.confusion(truth, predicted, len(labels))
        tables["confusion"][side] = table.tolist()
        columns = zip(*metrics.per_label(table), table.sum(1), strict=True)
        tables["per_label"][side] = [
            {
                "label": name, "precision": rounded(precision), "recall": rounded(recall), "f1": rounded(f1),
                "items": int(items),
            }
            for name, (precision, recall, f1, items) in zip(labels, columns, strict=True)
        ]  # fmt: skip
        one_hot = np.eye(len(labels))[truth]
        sums = bootstrap.sums(np.hstack((one_hot * (predicted == truth)[:, None], one_hot)))
        hits, items = sums[:, : len(labels)], sums[:, len(labels) :]
        recalls = np.divide(hits, items, out=np.full_like(hits, np.nan), where=items > 0)
        occurs = ~np.isnan(recalls[0])
        with np.errstate(invalid="ignore"):
            tables["balanced_accuracy"][side] = bootstrap.estimate(np.nanmean(recalls[:, occurs], axis=1))
        tables["roc"][side] = roc_curve(np.array([verdict.crying for verdict in side_verdicts]), is_cry)
    woken = {
        side: np.array([verdict.wakes for verdict in side_verdicts], bool) for side, side_verdicts in verdicts.items()
    }
    report |= tables
    report["cries"] = {
        "clips": int(is_cry.sum()),
        "groups": len(set(groups[is_cry])),
        "old_caught": int(woken["old"][is_cry].sum()),
        "new_caught": int(woken["new"][is_cry].sum()),
    }
    report["others"] = {
        "clips": int((~is_cry).sum()),
        "groups": len(set(groups[~is_cry])),
        "old_woke": int(woken["old"][~is_cry].sum()),
        "new_woke": int(woken["new"][~is_cry].sum()),
    }
    nights = sorted({group for group in groups if group.startswith(NIGHT_PREFIX)})
    is_false_alarm = ~is_cry & np.array([group.startswith(NIGHT_PREFIX) for group in groups], bool)
    report["false_alarms_per_night"] = {
        "nights": len(nights),
        **{side: round(float(woke[is_false_alarm].sum()) / len(nights), 3) for side, woke in woken.items()},
    } if nights else None  # fmt: skip
    report["everyone_else"] = everyone_else
    truth_shares = np.array([_truth_share(clip.new, name) for clip, name in zip(clips, truths, strict=True)])
    report["worst"] = [int(index) for index in np.argsort(truth_shares, kind="stable")[:WORST]]
    report["refused"] = ""
    return report


def _counted_as(predicted: str, truth: str) -> str:
    """The label that a prediction counts as: the truth, where that is an unclear cry and the prediction is a cry."""
    return truth if truth == UNCLEAR and known_label(predicted).crying else predicted


def _truth_share(verdict: ClipVerdict, truth: str) -> float:
    """The probability that a verdict gives to the truth."""
    if truth == UNCLEAR:
        return verdict.crying
    return verdict.probabilities.get(truth, 0.0)


def refusal(report: dict[str, Any]) -> str:
    """Why the new model of a comparison must not be used, in a sentence; "" where nothing speaks against it."""
    cries = report["cries"]
    if cries["new_caught"] < cries["old_caught"]:
        return (
            f"It would catch {cries['new_caught']} of your {counted(cries['clips'], 'clip')} of crying; the present "
            f"model catches {cries['old_caught']}."
        )
    return ""


def write(path: Path, report: dict[str, Any]) -> None:
    """Write a comparison as JSON, in one piece, making its folder where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(report, ensure_ascii=False, allow_nan=False).encode())


def versus(
    old: Path,
    new: Path,
    data: Roots,
    side: str,
    cache: Path,
    segments: Path | None = None,
    division: Division | None = None,
    merged: dict[str, str] | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> dict[str, Any]:
    """Compare two model files on one side of a data set; returns the comparison.

    A clip counts as crying with at least a second of it, as something else with none of it and nothing left open;
    other clips are left out. progress: called with the share done. Raises DataError where no clip remains.
    """
    from trainer.data.decoded_audio import DecodedAudio
    from trainer.evaluation.judgements import clips_of_side, training_overlap

    models = Classifier(old), Classifier(new)
    data_set = load(data, segments, merged)
    waves = DecodedAudio(data_set, cache, codecs=False)
    clips = clips_of_side(data_set, waves, side, division)
    compared = []
    for number, clip in enumerate(clips, start=1):
        name = _label_of(clip, waves.samples(clip.path) / SAMPLE_RATE)
        if name:
            wave = waves.read(clip.path)
            file = str(data_set.file(clip.path))
            verdicts = [_judge(model, wave) for model in models]
            compared.append(ComparedClip(file, clip.group, name, wave.size / SAMPLE_RATE, *verdicts))
        progress(number / len(clips))
    if not compared:
        raise DataError(f"{data_set} holds no clip on the side '{side}' that both models could be judged by.")
    how = f"Clips of the {side} side: of groups that training held out."
    for model in models:
        overlap = training_overlap(model.card, clips)
        if overlap and (overlap["train"] or overlap["validation"]):
            how = (
                f"{model.card.name} has learnt from {overlap['train']} of these groups and was calibrated on "
                f"{overlap['validation']}: its figures are too good."
            )
    report = comparison(compared, (models[0].card, models[1].card), (old, new), how)
    report["refused"] = refusal(report)
    return report


def _label_of(clip: Clip, clip_seconds: float) -> str:
    """The label of a clip as a whole; "" where it has too little crying to count, or too much left open."""
    seconds: dict[str, float] = {}
    for span in clip.spans:
        seconds[span.label] = seconds.get(span.label, 0.0) + span.end - span.start
    cries = {name: value for name, value in seconds.items() if known_label(name).crying}
    if sum(cries.values()) >= min(_FEWEST_CRY_SECONDS, 0.9 * clip_seconds):
        return max(cries, key=cries.__getitem__)
    if cries or sum(seconds.values()) < 0.9 * clip_seconds:
        return ""
    return max(seconds, key=seconds.__getitem__)


def _judge(model: Classifier, wave: Wave) -> ClipVerdict:
    scores = clip_scores(wave, model)
    rows = Rows(
        np.array([[score.probabilities[name] for name in model.labels] for score in scores], np.float32),
        np.array([score.crying for score in scores]),
    )
    ends = np.array([score.end_sample for score in scores])
    return _verdict(rows, ends, np.array([score.level_db for score in scores]), model.card)
