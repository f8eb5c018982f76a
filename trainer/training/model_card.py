"""What the card of a trained model says: labels, thresholds, figures, and how the model came about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babymonitor.core.labels import label
from trainer.audio.augment import Strength
from trainer.data.dataset import SIDES, DataSet
from trainer.data.split import group_hash
from trainer.networks import FAMILIES
from trainer.networks.classical import Estimator
from trainer.training.calibration import PRIOR, CalibratedNetwork
from trainer.training.prepare import PreparedData
from trainer.training.request import TrainingRequest


def card_of(
    request: TrainingRequest, prepared: PreparedData, strength: Strength, result: CalibratedNetwork
) -> dict[str, Any]:
    """Return the fields of the card that `write_model` takes. strength: how sound was altered."""
    return {
        "name": request.name or request.output.stem,
        "family": request.family,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "labels": prepared.data.labels,
        "thresholds": result.thresholds,
        "operating_curve": [],
        "calibration": {"prior_of_crying": PRIOR, "prior_of_reasons": "each alike", "on": "validation groups"},
        "training": _training(request, prepared, strength, result),
        "metrics": {"validation": result.metrics},
        "licence": request.licence or _licence_of_data(_licences(prepared.data)),
    }


def _training(
    request: TrainingRequest, prepared: PreparedData, strength: Strength, result: CalibratedNetwork
) -> dict[str, Any]:
    """Return sources, seconds and groups of each side and label, recipe, and what else the training depended on."""
    data, network = prepared.data, result.network
    sides: dict[str, Any] = {}
    for side in SIDES:
        clips = data.side(side)
        sides[side] = {
            name: {
                "groups": len({clip.group for clip in clips if clip.seconds(name) > 0}),
                "seconds": round(sum(clip.seconds(name) for clip in clips)),
            }
            for name in data.labels
        }
    importances = {"importances": network.importances()} if isinstance(network, Estimator) else {}
    return {
        **importances,
        "sources": sorted({clip.source or "folders" for clip in data.clips}),
        "licences": _licences(data),
        "sides": sides,
        "recipe": request.recipe.to_dict(),
        "augmentation": asdict(strength),
        "teacher": request.teacher.name if request.teacher else "",
        "weights": _without_folder(FAMILIES[request.family].weights if request.weights is None else request.weights),
        "skipped": [path for path, _ in prepared.waves.skipped],
        "crying_labels": [name for name in data.labels if label(name).crying],
        "division": {name: _without_folder(str(value)) for name, value in asdict(request.division).items()},
        "merged": dict(request.merged),
        "folders": sorted({clip.folder for clip in data.clips} - {""}),
        "groups": {
            side: sorted({group_hash(name) for clip in data.side(side) for name in (clip.group, clip.own_group)})
            for side in SIDES[:2]
        },
    }


def _licences(data: DataSet) -> dict[str, list[str]]:
    """Return the licences of each source, as its manifest states them; a source without any is left out."""
    by_source: dict[str, set[str]] = {}
    for clip in data.clips:
        if clip.licence:
            by_source.setdefault(clip.source or "folders", set()).add(clip.licence)
    return {source: sorted(by_source[source]) for source in sorted(by_source)}


def _licence_of_data(licences: Mapping[str, Sequence[str]]) -> str:
    """Return the licence of a model for which nobody chose one."""
    text = "as the data it was trained on"
    by_source = [f"{source}: {', '.join(names)}" for source, names in licences.items()]
    text += f" ({'; '.join(by_source)})" if by_source else ""
    if any(re.search(r"\bND\b", name) for names in licences.values() for name in names):
        text += "; part of it permits no derivatives, so the model is not to be passed on"
    return text


def _without_folder(text: str) -> str:
    """Return only the name of a file or folder: where it lay is private. Any other text stays."""
    return Path(text).name if Path(text).exists() else text
