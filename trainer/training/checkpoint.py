"""Saving a training after each epoch, and resuming it to end with the very same weights."""

from __future__ import annotations

import copy
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from babymonitor.core.whole_file import whole_file
from trainer.errors import DataError
from trainer.networks.network import DistillationNetwork, Network
from trainer.training.recipe import SETTINGS, Recipe


@dataclass(frozen=True, slots=True)
class CheckpointPlan:
    """Where a training is saved and what it begins with.

    resume: go on from the file at `path`, if there is one. begin_from: another training's checkpoint, whose averaged
    weights are the first ones here. origin: JSON values that identify the training beside recipe and labels (family,
    first weights, …).
    """

    path: Path
    resume: bool = False
    begin_from: Path | None = None
    origin: Sequence[Any] = ()


class TrainingState:
    """All that the next epoch depends on: what a checkpoint holds.

    averaged: the exponential mean of the network's weights. best: the averaged weights of the best epoch. epoch: how
    many are done. seconds: spent in their steps.
    """

    def __init__(
        self, network: nn.Module, labels: tuple[str, ...], recipe: Recipe, steps: int, origin: Sequence[Any]
    ) -> None:
        """steps: of one epoch. origin: see `CheckpointPlan`; with what else the windows depend on."""
        self.network, self.recipe = network, recipe
        self._labels, self._origin = labels, origin
        groups = (
            network.parameter_groups(recipe.learning_rate)
            if isinstance(network, Network | DistillationNetwork)
            else [{"params": list(network.parameters()), "lr": recipe.learning_rate}]
        )
        self.optimiser = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
        rates = [group["lr"] for group in self.optimiser.param_groups]
        self.schedule: Any = None
        if recipe.schedule == "one_cycle":
            self.schedule = torch.optim.lr_scheduler.OneCycleLR(
                self.optimiser, rates, total_steps=recipe.epochs * steps, pct_start=0.15
            )
        elif recipe.schedule == "plateau":
            patience = max(1, recipe.patience // 3)
            self.schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimiser, "max", 0.5, patience)
        self.averaged = copy.deepcopy(network).eval()
        self.best = copy.deepcopy(self.averaged.state_dict())
        self.epoch, self.seconds = 0, 0.0
        self._best_figure, self._epochs_without_better = -math.inf, 0

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, or the recipe's patience is exhausted."""
        patience = self.recipe.patience
        return self.epoch >= self.recipe.epochs or bool(patience and self._epochs_without_better > patience)

    def end_epoch(self, figure: float) -> None:
        """Count an epoch. figure: of its validation, higher is better; decides which weights are best."""
        if figure > self._best_figure or not self.recipe.patience:
            self._best_figure, self._epochs_without_better = figure, 0
            self.best = copy.deepcopy(self.averaged.state_dict())
        else:
            self._epochs_without_better += 1
        if self.recipe.schedule == "plateau":
            self.schedule.step(figure)
        self.epoch += 1

    def begin(self, plan: CheckpointPlan) -> None:
        """Resume, take over first weights, or leave the network as it is. Raises DataError for an unsuitable file."""
        if plan.resume and plan.path.is_file():
            self._restore(plan.path)
            return
        if plan.resume:
            print(f"There is no checkpoint {plan.path}: it begins anew.", file=sys.stderr)
        if plan.begin_from is not None:
            self._take_over(plan.begin_from)

    def save(self, path: Path) -> None:
        """Write the checkpoint; a kill in the middle leaves the old one intact."""
        content = {
            "run": json.dumps(self._identity()),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "best": self.best,
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict() if self.schedule else {},
            "numbers": [self.epoch, self.seconds, self._best_figure, self._epochs_without_better],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            torch.save(content, temporary)

    def _identity(self) -> list[Any]:
        """JSON values that two runs share exactly if one may resume the other."""
        settings = {name: value for name, value in self.recipe.to_dict().items() if name != "workers"}
        return [settings, list(self._labels), list(self._origin)]

    def _is_of_this_run(self, text: str) -> bool:
        settings, *rest = json.loads(text)
        # Settings of an earlier version that exist no longer do not count.
        known = {name: value for name, value in settings.items() if name in SETTINGS}
        return bool([known, *rest] == json.loads(json.dumps(self._identity())))

    def _restore(self, path: Path) -> None:
        try:
            saved = torch.load(path, map_location="cpu", weights_only=True)
            numbers, is_of_this_run = saved["numbers"], self._is_of_this_run(saved["run"])
        except Exception as error:  # torch raises many kinds for a damaged file
            raise DataError(f"The checkpoint {path} cannot be read; begin anew without --resume.") from error
        if not is_of_this_run:
            raise DataError(f"The checkpoint {path} is of another run (data, labels or settings differ).")
        self.network.load_state_dict(saved["network"])
        self.averaged.load_state_dict(saved["averaged"])
        self.best = saved["best"]
        self.optimiser.load_state_dict(saved["optimiser"])
        if self.schedule:
            self.schedule.load_state_dict(saved["schedule"])
        epoch, self.seconds, self._best_figure, waited = numbers
        self.epoch, self._epochs_without_better = int(epoch), int(waited)

    def _take_over(self, path: Path) -> None:
        """Begin with the averaged weights of another training, a teacher's head included."""
        try:
            averaged = torch.load(path, map_location="cpu", weights_only=True)["averaged"]
            self.network.load_state_dict(averaged)
        except Exception as error:  # torch raises many kinds for a damaged file
            raise DataError(f"{path} is no checkpoint of such a network: nothing can begin from it.") from error
        self.averaged.load_state_dict(averaged)
