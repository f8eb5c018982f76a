"""One training: request → prepared data → windows → fitted network → calibrated network → model file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from trainer.data.dataset import SIDES
from trainer.errors import DataError
from trainer.model_file import torch_file
from trainer.model_file.export import write_model
from trainer.networks import FAMILIES
from trainer.networks.classical import Estimator
from trainer.networks.network import Network
from trainer.training.calibration import calibrated
from trainer.training.checkpoint import CheckpointPlan
from trainer.training.distributed import World, joined
from trainer.training.loop import EventSink, fit
from trainer.training.model_card import card_of
from trainer.training.prepare import (
    PreparedData,
    TrainingWindows,
    calibration_windows,
    prepare,
    training_windows,
)
from trainer.training.request import TrainingRequest
from trainer.windows.fixed_windows import fixed_windows


def train(
    request: TrainingRequest, emit: EventSink | None = None, prepared: PreparedData | None = None
) -> dict[str, float]:
    """Train, calibrate, write the model file. Returns its figures on validation groups.

    Only the leading process returns any. prepared: the data of this request, if they are at hand already. Raises
    DataError for a request that cannot be carried out.
    """
    with joined(request.device) as world:
        return _train(request, world, emit if world.leads else None, prepared)


def _train(
    request: TrainingRequest, world: World, emit: EventSink | None, prepared: PreparedData | None
) -> dict[str, float]:
    _check_output(request.output)
    prepared = prepared or prepare(request)
    if emit:
        emit(_started(request, prepared))
    _check_teacher(request, prepared)
    windows = training_windows(request, prepared)
    network = _fitted(request, prepared, windows, world, emit)
    if not world.leads:
        return {}
    labels, unaltered = prepared.data.labels, len(windows.validation.labels)
    result = calibrated(network, labels, calibration_windows(prepared, windows), unaltered)
    family, card = FAMILIES[request.family], card_of(request, prepared, windows.maker.strength, result)
    written = write_model(request.output, network, family.front, result.calibration, card)
    if family.weights and isinstance(network, Network):
        # What was fine-tuned from published weights is kept for torch too, to go on from.
        torch_file.save(request.output.with_suffix(".pt"), network, family.name, written)
    return result.metrics


def _check_output(path: Path) -> None:
    """Raises DataError, before hours are spent, for a file that could not be written in the end."""
    if path.suffix != ".onnx":
        raise DataError(f"A model file is called NAME.onnx; {path.name} is not.")
    if path.is_dir():
        raise DataError(f"{path} is a folder.")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(path.parent, os.W_OK):
        raise DataError(f"Nothing can be written into {path.parent}.")


def _check_teacher(request: TrainingRequest, prepared: PreparedData) -> None:
    family = FAMILIES[request.family]
    if request.teacher and isinstance(family.network(prepared.data.labels, family.weights and "random"), Estimator):
        raise DataError(f"The family {family.name} is fitted, not trained step by step: a teacher is for networks.")


def _started(request: TrainingRequest, prepared: PreparedData) -> dict[str, object]:
    """Return the first event: labels, and groups of each side."""
    data = prepared.data
    groups = {side: len({clip.group for clip in data.side(side)}) for side in SIDES}
    return {"event": "started", "family": request.family, "labels": list(data.labels), "groups": groups}


def _fitted(
    request: TrainingRequest,
    prepared: PreparedData,
    windows: TrainingWindows,
    world: World,
    emit: EventSink | None,
) -> nn.Module:
    """Return the family's network, trained, or its estimator, fitted."""
    family, labels, begin_from = FAMILIES[request.family], prepared.data.labels, request.begin_from
    torch.manual_seed(request.recipe.seed)
    network = family.network(labels, request.weights)
    from_checkpoint = begin_from is not None and begin_from.suffix == ".checkpoint"
    if begin_from is not None and not from_checkpoint:
        body = network.body if isinstance(network, Estimator) else network
        if body is None:
            raise DataError(f"The family {family.name} is fitted at once: there is nothing to begin from.")
        torch_file.initialise_weights(begin_from, body, labels)
    if isinstance(network, Estimator):
        if from_checkpoint:
            raise DataError(f"The family {family.name} is fitted at once: it has no checkpoints.")
        _fit_estimator(network, request, prepared, windows, world, emit)
        return network
    first_weights = begin_from if from_checkpoint else None
    checkpoint = CheckpointPlan(request.checkpoint, request.resume, first_weights, request.origin)
    return fit(network, windows, request.recipe, checkpoint, world, emit)


def _fit_estimator(
    estimator: Estimator,
    request: TrainingRequest,
    prepared: PreparedData,
    windows: TrainingWindows,
    world: World,
    emit: EventSink | None,
) -> None:
    """Fit on the training side's unaltered windows and as many drawn ones; train its body first, if it has one."""
    maker = windows.maker
    plain = fixed_windows(prepared.data.side("train"), prepared.waves, maker.labels, maker.front)
    if estimator.body is not None and request.begin_from is None:
        checkpoint = CheckpointPlan(request.checkpoint, request.resume)
        estimator.body = cast("Network", fit(estimator.body, windows, request.recipe, checkpoint, world, emit))
    drawn = maker.pool(0, windows.per_epoch)
    vectors = np.concatenate((estimator.describe_all(plain.mels), estimator.describe_all(drawn.mels)))
    truth = np.concatenate((plain.labels, drawn.targets.argmax(1)))
    estimator.fit(vectors, truth, None, request.recipe.seed)
