"""The training loop: draw windows, step, average the weights, validate, save, again."""

from __future__ import annotations

import math
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from trainer.errors import DataError
from trainer.labelling.yamnet_teacher import CLASSES
from trainer.networks.heads import TwoLevel
from trainer.networks.network import DistillationNetwork, Network
from trainer.training.batch_augment import in_noise, masked, mixed, overlaid
from trainer.training.checkpoint import CheckpointPlan, TrainingState
from trainer.training.distributed import World
from trainer.training.prepare import TrainingWindows
from trainer.training.recipe import Recipe
from trainer.training.validation import epoch_figures
from trainer.windows.pool import WindowPrefetcher

EventSink = Callable[[dict[str, Any]], None]
"""Called with each event of a training, as JSON values: ``started``, ``epoch``, ``finished``, ``warning``."""

_WIDEST_BAR = 100


class DivergedError(DataError):
    """The weights of a training ran away; the message is one sentence for a person."""


def fit(
    network: nn.Module,
    windows: TrainingWindows,
    recipe: Recipe,
    checkpoint: CheckpointPlan,
    world: World | None = None,
    emit: EventSink | None = None,
) -> nn.Module:
    """Train a network. Returns the averaged one, on the processor.

    Killed at any moment and called again with `checkpoint.resume`, it ends with the very same weights (on a
    processor): the checkpoint holds all that the next epoch depends on, and windows depend on the seed alone. emit: is
    called after each epoch, in the leading process. Raises DivergedError if the loss is no number any more, and
    DataError for a checkpoint of another run.
    """
    world, maker = world or World(), windows.maker
    learner = _Learner(network, windows, recipe, world)
    origin = [*checkpoint.origin, maker.identity, world.size]
    state = TrainingState(learner.network, maker.labels, recipe, learner.steps, origin)
    state.begin(checkpoint)
    if world.agree(state.epoch) != state.epoch:
        raise DataError("The processes do not go on from the same epoch: each needs to see the checkpoint.")
    learner.share_gradients()
    first_epoch, first_seconds = state.epoch, state.seconds
    pool, pool_number = _Pool(torch.empty(0), torch.empty(0), torch.empty(0)), -1
    with (
        progress_bar(recipe.epochs * learner.steps, state.epoch * learner.steps, world.leads) as bar,
        closing(
            WindowPrefetcher(maker, learner.size, recipe.workers, world.rank * learner.size, windows.pools)
        ) as drawer,
    ):
        drawer.ahead(state.epoch // recipe.reuse)
        while not state.is_over:
            if pool_number != state.epoch // recipe.reuse:
                pool_number = state.epoch // recipe.reuse
                drawn = drawer.take(pool_number)
                pool = _Pool(*map(torch.from_numpy, (drawn.mels, drawn.targets, drawn.lessons)))
                if (pool_number + 1) * recipe.reuse < recipe.epochs:
                    drawer.ahead(pool_number + 1)
            began = time.monotonic()
            loss = learner.run_epoch(pool, state, bar)
            state.seconds += time.monotonic() - began
            if not math.isfinite(loss):
                raise DivergedError("The loss is not a number any more: try a lower --learning-rate.")
            figures = epoch_figures(_without_lesson_head(state.averaged), maker.labels, windows.validation)
            bar.validated(figures["balanced_accuracy"])
            state.end_epoch(world.agree(sum(figures.values())))
            if not world.leads:
                continue
            state.save(checkpoint.path)
            if emit:
                per_epoch = (state.seconds - first_seconds) / (state.epoch - first_epoch)
                emit(
                    {
                        "event": "epoch",
                        "epoch": state.epoch,
                        "epochs": recipe.epochs,
                        "loss": round(loss, 5),
                        **figures,
                        "seconds": round(state.seconds, 1),
                        "seconds_left": round(per_epoch * (recipe.epochs - state.epoch), 1),
                    }
                )
    state.averaged.load_state_dict(state.best)
    return _without_lesson_head(state.averaged).cpu()


@dataclass(frozen=True, slots=True)
class _Pool:
    """Drawn windows: features (N, rows, frames) in half precision, targets (N, labels), lessons (N, classes)."""

    features: Tensor
    targets: Tensor
    lessons: Tensor


class _Learner:
    """The network in this process while it learns. steps: of an epoch. size: windows of an epoch in this process."""

    def __init__(self, network: nn.Module, windows: TrainingWindows, recipe: Recipe, world: World) -> None:
        maker = windows.maker
        self._recipe, self._world, self._spec = recipe, world, maker.front.features
        # Channels last is about twice as quick for separable convolutions on a processor.
        network = network.to(world.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._has_teacher = maker.teacher is not None
        if self._has_teacher:
            if not isinstance(network, Network):
                raise DataError("This family has no embedding that a teacher's word could be learnt on.")
            network = DistillationNetwork(network, CLASSES).to(world.device)
        self.network = self._shared = network
        self._two_level = TwoLevel(maker.labels).to(world.device)
        self._label_weights = torch.from_numpy(maker.weights).to(world.device)
        batch = min(recipe.batch, windows.per_epoch)  # nobody is made to draw more than an epoch for one step
        self._batch = batch // world.size
        if self._batch < 2:
            raise DataError(f"A batch of {batch} is too small to be shared by {world.size} processes.")
        self.steps = windows.per_epoch // batch
        self.size = self.steps * self._batch
        self._halves = recipe.precision == "bfloat16" or (recipe.precision == "auto" and world.knows_bfloat16)

    def share_gradients(self) -> None:
        """From now on average gradients over all processes. To be called once the first weights are loaded."""
        self._shared = self._world.share(self.network)

    def run_epoch(self, pool: _Pool, state: TrainingState, bar: ProgressBar) -> float:
        """Learn from every window of the pool once. Returns the mean loss."""
        recipe, done = self._recipe, state.epoch * self.steps
        # Order, dropout, mixup, overlays, noise and masks of this epoch, in this process.
        torch.manual_seed((recipe.seed * 1_000_003 + state.epoch) * 1009 + self._world.rank)
        self._shared.train()
        total = 0.0
        for step, rows in enumerate(torch.randperm(self.size).split(self._batch), start=1):
            loss = self._loss(pool, rows)
            state.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
            state.optimiser.step()
            if recipe.schedule == "one_cycle":
                state.schedule.step()
            _average(state.averaged, self.network, min(recipe.average, (done + step) / (done + step + 9)))
            total += loss.item()
            bar.stepped(total / step)
        return total / self.steps

    def _loss(self, pool: _Pool, rows: Tensor) -> Tensor:
        """Return the loss of the pool's windows at the indices `rows`, altered anew."""
        recipe, spec, device = self._recipe, self._spec, self._world.device
        features, targets = pool.features[rows].to(device).float(), pool.targets[rows].to(device)
        features, targets = mixed(features, targets, recipe.mixup, spec)
        if self._two_level.two_sided:
            features, targets = overlaid(features, targets, recipe.overlay, spec, self._two_level.crying)
        targets = torch.lerp(targets, targets.mean(1, keepdim=True), recipe.smoothing)
        features = masked(in_noise(features, recipe.noise, spec), recipe.mask, spec)
        with torch.autocast(device.type, torch.bfloat16, enabled=self._halves):
            answer = self._shared(features)
        logits = answer[0] if self._has_teacher else answer
        loss = self._two_level.loss(logits.float(), targets, recipe.reason_weight, self._label_weights)
        if self._has_teacher:
            # The teacher was not asked about two sounds in one: those stand first in the batch.
            first = int(len(rows) * max(recipe.mixup, recipe.overlay))
            lessons = pool.lessons[rows].to(device).float()
            loss = loss + recipe.lesson_weight * lesson_loss(answer[1][first:].float(), lessons[first:])
        return loss


def _without_lesson_head(learner: nn.Module) -> nn.Module:
    """Return the network without the head that learns from a teacher."""
    return learner.network if isinstance(learner, DistillationNetwork) else learner


def lesson_loss(logits: Tensor, lessons: Tensor) -> Tensor:
    """Cross-entropy with the teacher's score of each class, (B, classes) each: sum over classes, mean over windows."""
    return F.binary_cross_entropy_with_logits(logits, lessons, reduction="sum") / max(1, len(lessons))


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, keep: float) -> None:
    """Move each averaged weight towards the network's by the share 1 - `keep`; counters are copied."""
    for mean, new in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(new, 1 - keep)
        else:
            mean.copy_(new)


class ProgressBar(tqdm):
    """Steps done, loss, last validation and time left, on standard error; nothing where no terminal is attached."""

    _loss = _validation = ""

    def stepped(self, loss: float) -> None:
        """Count a step. loss: mean of the epoch so far."""
        self._loss = f"loss {loss:.3f}"
        self.set_description_str(self._loss + self._validation, refresh=False)
        self.update()

    def validated(self, balanced_accuracy: float) -> None:
        """Show an epoch's figure; it stays until the next epoch's is known."""
        self._validation = f"  validation {balanced_accuracy:.2f}"
        self.set_description_str(self._loss + self._validation)


def progress_bar(total: int, done: int, shown: bool = True) -> ProgressBar:
    """Return the bar of a training of `total` steps, of which `done` are done."""
    return ProgressBar(
        total=total,
        initial=done,
        disable=not (shown and sys.stderr.isatty()),
        file=sys.stderr,
        bar_format="{bar} {n_fmt}/{total_fmt} steps  {desc}  {remaining} left",
        ncols=min(_WIDEST_BAR, shutil.get_terminal_size().columns - 1),
        smoothing=0,
    )
