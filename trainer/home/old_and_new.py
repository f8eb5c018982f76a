"""Two models on the same clips, side by side: what each says, whom each would wake, whether the new one may be used.

What is written is read by the app's Train page; every figure is of whole clips, heard from their beginning by the
monitor's own rule for an alert.
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
from babymonitor.core.labels import label as known_label
from babymonitor.core.model.classifier import Classifier, ModelCard
from babymonitor.core.model.detector import Score
from babymonitor.core.model.score_file import most_telling
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from babymonitor.core.whole_file import write_whole
from trainer.data.dataset import Clip
from trainer.data.readers import Roots, load
from trainer.data.split import Division
from trainer.errors import DataError, counted
from trainer.evaluation import metrics
from trainer.evaluation.metrics import Rounds, rounded
from trainer.evaluation.summary import roc_curve
from trainer.home.adapter_fit import UNCLEAR, told_label
from trainer.home.clip_embeddings import grid_of

FORMAT = 1
WORST = 50
_FEWEST_CRY_SECONDS = 1.0

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says of a clip: of its most telling window, as `core.verdict` has it; wakes: an alert is given."""

    label: str
    crying: float
    wakes: bool
    probabilities: dict[str, float]

    def told(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "crying": round(self.crying, 4),
            "wakes": self.wakes,
            "probabilities": {name: round(share, 4) for name, share in self.probabilities.items()},
        }


@dataclass(frozen=True, slots=True)
class Compared:
    """A labelled clip and both answers."""

    path: str
    group: str
    label: str
    seconds: float
    old: Answer
    new: Answer


def answer_of(rows: Floats, ends: npt.NDArray[np.int64], level_db: Floats, card: ModelCard) -> Answer:
    """Windows (N, labels) on the detector's grid → what is said of the clip."""
    labels = card.labels
    crying_at = [at for at, name in enumerate(labels) if known_label(name).crying]
    crying = np.clip(rows[:, crying_at].sum(1), 0, 1)
    at = most_telling(rows, crying, card)
    return Answer(
        labels[int(np.argmax(rows[at]))],
        float(crying.max()),
        wakes(crying, ends, level_db, card),
        dict(zip(labels, map(float, rows[at]), strict=True)),
    )


def wakes(crying: Floats, ends: npt.NDArray[np.int64], level_db: Floats, card: ModelCard) -> bool:
    """Whether P(crying) (N,) of a clip's windows gives an alert, by the app's rule and the model's own thresholds.

    A clip that is over before any alert could be given wakes if all of it is crying: live, it would have gone on.
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
    clips: Sequence[Compared],
    cards: tuple[ModelCard, ModelCard],
    paths: tuple[Path, Path],
    how: str,
    everyone_else: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything that is told of old and new, in this order, as plain values fit for JSON. how: how it was held out.

    A label that neither model knows is something else than a baby. Where the truth is crying for an unknown reason,
    any word for crying is right.
    """
    labels = tuple(dict.fromkeys(name for card in cards for name in card.labels))
    clips = [clip for clip in clips if told_label(clip.label, labels) in labels]
    truths = [told_label(clip.label, labels) for clip in clips]
    truth = np.array([labels.index(name) for name in truths], np.int64)
    groups = np.array([clip.group for clip in clips])
    cries = np.array([known_label(name).crying for name in truths], bool)
    report: dict[str, Any] = {
        "format": FORMAT,
        "old": {"name": cards[0].name, "path": str(paths[0])},
        "new": {"name": cards[1].name, "path": str(paths[1])},
        "how": how,
        "labels": list(labels),
        "clips": [
            {
                "path": clip.path, "group": clip.group, "label": clip.label, "seconds": round(clip.seconds, 3),
                "old": clip.old.told(), "new": clip.new.told(),
            }
            for clip in clips
        ],
    }  # fmt: skip
    answers = {"old": [clip.old for clip in clips], "new": [clip.new for clip in clips]}
    rounds = Rounds(groups)
    tables: dict[str, Any] = {name: {} for name in ("confusion", "per_label", "balanced_accuracy", "roc")}
    for which, some in answers.items():
        said = np.array([labels.index(_counted_as(one.label, name)) for one, name in zip(some, truths, strict=True)])
        table = metrics.confusion(truth, said, len(labels))
        tables["confusion"][which] = table.tolist()
        columns = zip(*metrics.per_label(table), table.sum(1), strict=True)
        tables["per_label"][which] = [
            {
                "label": name, "precision": rounded(precision), "recall": rounded(recall), "f1": rounded(f1),
                "items": int(items),
            }
            for name, (precision, recall, f1, items) in zip(labels, columns, strict=True)
        ]  # fmt: skip
        was = np.eye(len(labels))[truth]
        sums = rounds.sums(np.hstack((was * (said == truth)[:, None], was)))
        hits, items = sums[:, : len(labels)], sums[:, len(labels) :]
        recalls = np.divide(hits, items, out=np.full_like(hits, np.nan), where=items > 0)
        here = ~np.isnan(recalls[0])
        with np.errstate(invalid="ignore"):
            tables["balanced_accuracy"][which] = rounds.told(np.nanmean(recalls[:, here], axis=1))
        tables["roc"][which] = roc_curve(np.array([one.crying for one in some]), cries)
    woke = {which: np.array([one.wakes for one in some], bool) for which, some in answers.items()}
    given = np.array([_given_to_truth(clip.new, name) for clip, name in zip(clips, truths, strict=True)])
    report |= tables
    report["cries"] = {
        "clips": int(cries.sum()),
        "groups": len(set(groups[cries])),
        "old_caught": int(woke["old"][cries].sum()),
        "new_caught": int(woke["new"][cries].sum()),
    }
    report["others"] = {
        "clips": int((~cries).sum()),
        "groups": len(set(groups[~cries])),
        "old_woke": int(woke["old"][~cries].sum()),
        "new_woke": int(woke["new"][~cries].sum()),
    }
    nights = sorted({group for group in groups if group.startswith(NIGHT)})
    of_nights = ~cries & np.array([group.startswith(NIGHT) for group in groups], bool)
    report["false_alarms_per_night"] = {
        "nights": len(nights),
        **{which: round(float(each[of_nights].sum()) / len(nights), 3) for which, each in woke.items()},
    } if nights else None  # fmt: skip
    report["everyone_else"] = everyone_else
    report["worst"] = [int(at) for at in np.argsort(given, kind="stable")[:WORST]]
    report["refused"] = ""
    return report


NIGHT = "night-"
"""How the library calls the groups of clips that came out of monitored nights."""


def _counted_as(said: str, truth: str) -> str:
    return truth if truth == UNCLEAR and known_label(said).crying else said


def _given_to_truth(answer: Answer, truth: str) -> float:
    if truth == UNCLEAR:
        return answer.crying
    return answer.probabilities.get(truth, 0.0)


def refusal(report: dict[str, Any]) -> str:
    """Why the new model of a comparison is not to be used, in a sentence; "" where nothing speaks against it."""
    cries = report["cries"]
    if cries["new_caught"] < cries["old_caught"]:
        return (
            f"It would catch {cries['new_caught']} of your {counted(cries['clips'], 'clip')} of crying; the present "
            f"model catches {cries['old_caught']}."
        )
    return ""


def write(path: Path, report: dict[str, Any]) -> None:
    """Write a comparison as JSON: at any moment either the old or the new one is there, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(report, ensure_ascii=False, allow_nan=False))


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
    """Both models on one side of a data set; DataError where it holds no clip that can be judged.

    A clip is crying with at least a second of it; else it has to hold none, and nothing that is left open.
    """
    from trainer.data.decoded_audio import DecodedAudio
    from trainer.evaluation.judgements import chosen, met

    models = Classifier(old), Classifier(new)
    whole = load(data, segments, merged)
    waves = DecodedAudio(whole, cache, codecs=False)
    clips = chosen(whole, waves, side, division)
    compared = []
    for at, clip in enumerate(clips):
        name = _label_of(clip, waves.samples(clip.path) / SAMPLE_RATE)
        if name:
            wave = waves.read(clip.path)
            answers = [_asked(model, wave) for model in models]
            file = str(whole.file(clip.path))
            compared.append(Compared(file, clip.group, name, wave.size / SAMPLE_RATE, *answers))
        progress((at + 1) / len(clips))
    if not compared:
        raise DataError(f"{whole} holds no clip on the side '{side}' that both models could be judged by.")
    how = f"Clips of the {side} side: of groups that training held out."
    for model in models:
        known = met(model.card, clips)
        if known and (known["train"] or known["validation"]):
            how = (
                f"{model.card.name} has learnt from {known['train']} of these groups and was calibrated on "
                f"{known['validation']}: its figures are too good."
            )
    report = comparison(compared, (models[0].card, models[1].card), (old, new), how)
    report["refused"] = refusal(report)
    return report


def _label_of(clip: Clip, length: float) -> str:
    seconds: dict[str, float] = {}
    for span in clip.spans:
        seconds[span.label] = seconds.get(span.label, 0.0) + span.end - span.start
    cries = {name: each for name, each in seconds.items() if known_label(name).crying}
    if sum(cries.values()) >= min(_FEWEST_CRY_SECONDS, 0.9 * length):
        return max(cries, key=cries.__getitem__)
    if cries or sum(seconds.values()) < 0.9 * length:
        return ""
    return max(seconds, key=seconds.__getitem__)


def _asked(model: Classifier, wave: Wave) -> Answer:
    grid = grid_of(wave, model.card)
    rows = np.stack([model.probabilities(np.ascontiguousarray(mel)) for mel in grid.mels])
    return answer_of(rows, grid.ends, grid.level_db, model.card)
