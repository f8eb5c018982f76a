"""One training run from data set to model file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from babymonitor.core.labels import label
from trainer import augment
from trainer.batches import WindowMaker, Windows, fixed_windows
from trainer.calibrate import PRIOR, calibrate, group_weights, thresholds
from trainer.corpora import DataError, DataSet, Waves, closed, load, split
from trainer.export import write_model
from trainer.fit import Event, Recipe, fit, logits_of
from trainer.networks import FAMILIES
from trainer.networks.heads import Calibration, TwoLevel


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be trained. checkpoint and cache: where the run keeps what it can continue from."""

    data: Path
    family: str
    output: Path
    recipe: Recipe
    cache: Path
    segments: Path | None = None
    resume: bool = False
    codecs: bool = True
    licence: str = "as the data it was trained on"
    name: str = ""

    @property
    def checkpoint(self) -> Path:
        return self.output.with_suffix(".checkpoint")


def prepared(data: Path, segments: Path | None, cache: Path, codecs: bool) -> tuple[DataSet, DataSet, Waves]:
    """→ the usable part, split; the rows for evaluation only; and the decoded sound of both."""
    whole = load(data, segments)
    if len(whole.labels) < 2:
        raise DataError(f"{data} holds one label only ({whole.labels[0]}): there is nothing to tell apart.")
    waves = Waves(whole, cache, codecs)
    clips = closed(whole.clips, waves)
    usable = split(DataSet(whole.root, tuple(clip for clip in clips if clip.usable)))
    return usable, DataSet(whole.root, tuple(clip for clip in clips if not clip.usable)), waves


def joined(first: Windows, second: Windows) -> Windows:
    """Both, one after the other."""
    return Windows(
        *(
            np.concatenate((getattr(first, name), getattr(second, name)))
            for name in ("mels", "labels", "groups", "clips")
        )
    )


def altered_windows(maker: WindowMaker, count: int) -> Windows:
    """Windows drawn as in training (rooms, noise, devices), each its own group: to calibrate on the world as it is."""
    drawn = maker.pool(0, count)
    mels, labels = drawn.mels.astype(np.float32), drawn.targets.argmax(1)
    names = np.array([f"drawn-{at}" for at in range(len(labels))])
    return Windows(mels, labels, names, names)


def train(request: Request, event: Event | None = None) -> dict[str, Any]:
    """Train, calibrate, write the model file; → its metrics on validation groups."""
    family = FAMILIES[request.family]
    data, _, waves = prepared(request.data, request.segments, request.cache, request.codecs)
    labels, front, recipe = data.labels, family.front, request.recipe
    if event:
        sides = {side: len({clip.group for clip in data.side(side)}) for side in ("train", "validation", "test")}
        event({"event": "started", "family": family.name, "labels": list(labels), "groups": sides})
    maker = WindowMaker(data.side("train"), waves, labels, front, augment.Strength(), recipe.seed)
    plain = fixed_windows(data.side("validation"), waves, labels, front)
    torch.manual_seed(recipe.seed)
    network = family.network(labels)
    trained = fit(network, labels, maker, plain, recipe, request.checkpoint, request.resume, event)

    two_level = TwoLevel(labels)
    held_out = WindowMaker(data.side("validation"), waves, labels, front, augment.Strength(), recipe.seed + 1)
    judged = joined(plain, altered_windows(held_out, min(3072, recipe.epoch_windows)))
    logits, truth = logits_of(trained, judged), torch.from_numpy(judged.labels)
    calibration = calibrate(logits, truth, judged.groups, two_level)
    metrics = _figures(two_level, logits, truth, calibration)
    crying = _crying(two_level, logits, calibration)
    card = {
        "name": request.name or request.output.stem,
        "family": family.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "labels": labels,
        "thresholds": thresholds(
            crying[: len(plain.labels)], two_level.crying.numpy()[plain.labels], group_weights(plain.groups)
        ),
        "operating_curve": [],
        "calibration": {"prior_of_crying": PRIOR, "prior_of_reasons": "each alike", "on": "validation groups"},
        "training": _training(request, data, waves),
        "metrics": {"validation": metrics},
        "licence": request.licence,
    }
    write_model(request.output, trained, front, calibration, card)
    return metrics


def _crying(two_level: TwoLevel, logits: torch.Tensor, calibration: Calibration) -> Any:
    rows = two_level.probabilities(logits, calibration)
    return rows[:, two_level.crying_at].sum(1).numpy()


def _figures(
    two_level: TwoLevel, logits: torch.Tensor, truth: torch.Tensor, calibration: Calibration
) -> dict[str, float]:
    from trainer import metrics

    guess = two_level.probabilities(logits, calibration).argmax(1).numpy()
    table = metrics.confusion(truth.numpy(), guess, logits.shape[1])
    figures = {"balanced_accuracy": metrics.balanced_accuracy(table), "macro_f1": metrics.macro_f1(table)}
    if two_level.two_sided:
        cries = two_level.crying.numpy()[truth.numpy()]
        scores = _crying(two_level, logits, calibration)
        figures["crying_auc"] = metrics.roc_area(scores, cries)
        figures["crying_found_at_1_percent"] = metrics.found_at(scores, cries, 0.01)
    return {name: round(value, 4) for name, value in figures.items()}


def _training(request: Request, data: DataSet, waves: Waves) -> dict[str, Any]:
    """What the card says of how it came about: sources, seconds and groups per side and label, the recipe."""
    sides: dict[str, Any] = {}
    for side in ("train", "validation", "test"):
        clips = data.side(side)
        sides[side] = {
            name: {
                "groups": len({clip.group for clip in clips if clip.seconds(name) > 0}),
                "seconds": round(sum(clip.seconds(name) for clip in clips)),
            }
            for name in data.labels
        }
    recipe = {name: getattr(request.recipe, name) for name in Recipe.__slots__}
    return {
        "sources": sorted({clip.source or "folders" for clip in data.clips}),
        "sides": sides,
        "recipe": recipe,
        "skipped": [path for path, _ in waves.skipped],
        "crying_labels": [name for name in data.labels if label(name).crying],
    }
