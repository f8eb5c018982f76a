"""Training, whole: draw windows, step, average the weights, look at validation, keep a checkpoint, again."""

from __future__ import annotations

import copy
import json
import math
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainer.batches import Drawer, WindowMaker, Windows
from trainer.corpora import DataError
from trainer.metrics import roc_area
from trainer.networks.heads import Calibration, TwoLevel

Event = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers of one training run.

    epoch_windows: windows of one epoch; every `reuse` epochs new ones are drawn, for drawing costs more than learning.
    workers: processes that draw ahead; no part of the run's identity, for they draw the same.
    """

    epochs: int = 12
    epoch_windows: int = 24576
    batch: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    reason_weight: float = 0.1
    mixup: float = 0.15
    average: float = 0.998
    reuse: int = 3
    seed: int = 1
    workers: int = 1


def fit(
    network: nn.Module,
    labels: tuple[str, ...],
    maker: WindowMaker,
    validation: Windows,
    recipe: Recipe,
    checkpoint: Path,
    resume: bool = False,
    event: Event | None = None,
) -> nn.Module:
    """Train and give back the averaged network. Killed at any moment and called again with `resume`, it ends with the
    very same weights: the checkpoint holds all that the next epoch depends on, and windows depend on the seed alone.
    """
    # Channels last is about twice as quick for separable convolutions on a processor.
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    two_level = TwoLevel(labels)
    weights = torch.ones(len(labels))
    steps = max(1, recipe.epoch_windows // recipe.batch)
    optimiser = torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.epochs * steps, pct_start=0.15
    )
    averaged = copy.deepcopy(network).eval()
    first, spent = 0, 0.0
    if resume and checkpoint.is_file():
        first, spent = _restore(checkpoint, recipe, labels, network, averaged, optimiser, schedule)
    progress = Progress(recipe.epochs * steps, first * steps)
    size = steps * recipe.batch
    mels, targets, drawn = torch.empty(0), torch.empty(0), -1
    with closing(Drawer(maker, size, recipe.workers)) as drawer:
        drawer.ahead(first // recipe.reuse)
        for epoch in range(first, recipe.epochs):
            if drawn != epoch // recipe.reuse:
                drawn = epoch // recipe.reuse
                pool = drawer.take(drawn)
                mels, targets = torch.from_numpy(pool.mels), torch.from_numpy(pool.targets)
                if (drawn + 1) * recipe.reuse < recipe.epochs:
                    drawer.ahead(drawn + 1)
            torch.manual_seed(recipe.seed * 1_000_003 + epoch)  # order, dropout, mixup and masks of this epoch
            network.train()
            progress.begin()
            began, total = time.monotonic(), 0.0
            for step, rows in enumerate(torch.randperm(size).split(recipe.batch)):
                seen, wanted = _mixed(mels[rows].float(), targets[rows], recipe.mixup)
                loss = two_level.loss(network(seen), wanted, recipe.reason_weight, weights)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 2.0)
                optimiser.step()
                schedule.step()
                _average(
                    averaged, network, min(recipe.average, (epoch * steps + step + 1) / (epoch * steps + step + 10))
                )
                total += loss.item()
                progress.tell(epoch * steps + step + 1, total / (step + 1))
            spent += time.monotonic() - began
            figures = validate(averaged, two_level, validation)
            _save(checkpoint, recipe, labels, epoch + 1, spent, network, averaged, optimiser, schedule)
            if event:
                told = {"event": "epoch", "epoch": epoch + 1, "epochs": recipe.epochs, "loss": total / steps}
                event({**told, **figures, "seconds": round(spent, 1), "seconds_left": round(progress.seconds_left, 1)})
    progress.end()
    return averaged


def _mixed(mels: Tensor, targets: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Mixup of a share of the batch with its neighbour, in power as sound adds up; random bands and frames masked."""
    count = int(len(mels) * share)
    if count:
        part = torch.rand(count, 1, 1) * 0.3
        other = mels[-count:].flip(0)
        level = mels[:count].amax((1, 2), True) - other.amax((1, 2), True)
        mixed = torch.logaddexp(mels[:count] + torch.log1p(-part), other + level + torch.log(part + 1e-6))
        mels = torch.cat((mixed, mels[count:]))
        soft = (1 - part[:, 0]) * targets[:count] + part[:, 0] * targets[-count:].flip(0)
        targets = torch.cat((soft, targets[count:]))
    bands, frames = mels.shape[1:]
    width = torch.randint(0, 8, (len(mels), 1))
    at = (torch.rand(len(mels), 1) * (bands - 8)).long()
    rows = torch.arange(bands)[None]
    hidden = ((rows >= at) & (rows < at + width))[:, :, None]
    width = torch.randint(0, 12, (len(mels), 1)) if frames > 24 else torch.zeros(len(mels), 1)
    at = (torch.rand(len(mels), 1) * max(1, frames - 12)).long()
    columns = torch.arange(frames)[None]
    hidden = hidden | ((columns >= at) & (columns < at + width))[:, None, :]
    return torch.where(hidden, mels.mean((1, 2), True), mels), targets


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, keep: float) -> None:
    for mean, new in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(new, 1 - keep)
        else:
            mean.copy_(new)


@torch.no_grad()
def logits_of(network: nn.Module, windows: Windows, batch: int = 256) -> Tensor:
    """(N, labels) raw logits over all windows."""
    network.eval()
    parts = [network(torch.from_numpy(windows.mels[at : at + batch])) for at in range(0, len(windows.mels), batch)]
    return torch.cat(parts)


def validate(network: nn.Module, two_level: TwoLevel, windows: Windows) -> dict[str, float]:
    """Loss-free figures of one epoch: balanced accuracy over the labels, and the ROC area of crying."""
    logits = logits_of(network, windows)
    guess = two_level.probabilities(logits, Calibration()).argmax(1).numpy()
    found = [float((guess[windows.labels == at] == at).mean()) for at in np.unique(windows.labels)]
    figures = {"balanced_accuracy": round(float(np.mean(found)), 4)}
    if two_level.two_sided:
        crying = two_level.crying.numpy()[windows.labels]
        figures["crying_auc"] = round(roc_area(two_level.evidence(logits).numpy(), crying), 4)
    return figures


def _save(
    path: Path, recipe: Recipe, labels: tuple[str, ...], epoch: int, spent: float,
    network: nn.Module, averaged: nn.Module, optimiser: Any, schedule: Any,
) -> None:  # fmt: skip
    """Write to a temporary, then replace: a kill in between leaves the old checkpoint whole."""
    partial = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(
        {
            "run": _describe(recipe, labels),
            "epoch": epoch,
            "spent": spent,
            "network": network.state_dict(),
            "averaged": averaged.state_dict(),
            "optimiser": optimiser.state_dict(),
            "schedule": schedule.state_dict(),
        },
        partial,
    )
    partial.replace(path)


def _describe(recipe: Recipe, labels: tuple[str, ...]) -> str:
    values = {name: getattr(recipe, name) for name in Recipe.__slots__ if name != "workers"}
    return json.dumps([values, labels])


def _restore(
    path: Path, recipe: Recipe, labels: tuple[str, ...],
    network: nn.Module, averaged: nn.Module, optimiser: Any, schedule: Any,
) -> tuple[int, float]:  # fmt: skip
    """Put everything back; → the epoch to go on with and the seconds already spent."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch has no one exception for a damaged file
        raise DataError(f"The checkpoint {path} cannot be read; begin anew without --resume.") from error
    if state["run"] != _describe(recipe, labels):
        raise DataError(f"The checkpoint {path} is of another run (labels or settings differ).")
    network.load_state_dict(state["network"])
    averaged.load_state_dict(state["averaged"])
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    return int(state["epoch"]), float(state["spent"])


class Progress:
    """A line on standard error that says how far it is and how long it will take; nothing where nobody looks."""

    def __init__(self, total: int, done: int) -> None:
        self._total, self._first, self._done = total, done, done
        self._spent, self._began = 0.0, time.monotonic()
        self._shown = sys.stderr.isatty()

    @property
    def seconds_left(self) -> float:
        done = self._done - self._first
        return self._spent / done * (self._total - self._done) if done else math.nan

    def begin(self) -> None:
        """An epoch begins: what came before (waiting for windows, validation) is no measure of the steps."""
        self._began = time.monotonic()

    def tell(self, done: int, loss: float) -> None:
        self._done = done
        self._spent += time.monotonic() - self._began
        self._began = time.monotonic()
        if self._shown:
            filled = 30 * done // self._total
            left = (
                f"{self.seconds_left / 60:.0f} min left"
                if self.seconds_left > 90
                else f"{self.seconds_left:.0f} s left"
            )
            bar = "█" * filled + "░" * (30 - filled)
            print(
                f"\r{bar} {done}/{self._total} steps  loss {loss:.3f}  {left}   ", end="", file=sys.stderr, flush=True
            )

    def end(self) -> None:
        if self._shown:
            print(file=sys.stderr)
