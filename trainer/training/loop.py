"""Training, whole: draw windows, step, average the weights, look at validation, keep a checkpoint, again."""

from __future__ import annotations

import copy
import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from babymonitor.core.model.classifier import Classifier
from babymonitor.core.whole_file import whole_file
from trainer.errors import DataError
from trainer.evaluation.metrics import roc_area
from trainer.labelling.yamnet_teacher import CLASSES
from trainer.networks import Front
from trainer.networks.heads import Calibration, TwoLevel
from trainer.networks.network import DistillationNetwork, Network
from trainer.training.batch_augment import in_noise, masked, mixed, overlaid
from trainer.training.distributed import World
from trainer.windows.grid import Windows
from trainer.windows.pool import WindowPrefetcher
from trainer.windows.sampler import BALANCES, WindowSampler

Event = Callable[[dict[str, Any]], None]


class DivergedError(DataError):
    """A training whose weights ran away; the message is one sentence for a person."""


SCHEDULES = ("one_cycle", "plateau", "constant")
PRECISIONS = ("float32", "bfloat16", "auto")


@dataclass(frozen=True, slots=True)
class Recipe:
    """The numbers of one training run.

    epoch_windows: windows of one epoch; 0: four for each clip, 1,024 to 24,576. reuse: epochs that share the windows
    drawn, for drawing costs more than learning. schedule: of the learning rate: one cycle up and down, halved when
    validation stands still, or constant. patience: epochs without a better validation after which it ends and the best
    epoch is kept; 0: never, and the last is. balance: labels alike by ``sampling``, by ``weights`` in the loss, or
    ``none``. reason_weight: of why a child cries beside whether it does. lesson_weight: of a teacher's word
    beside the labels, if there is a teacher. elder_share: of an elder model's answers in the targets, if there is one.
    mixup, overlay, noise, mask: shares of a batch, see `trainer.training.batch_augment`. smoothing: of the targets.
    average: how much the averaged weights, which are what is kept, remember at each step. precision: of the products
    while training; the weights are float32 always.
    ``bfloat16`` is twice as quick for dense convolutions where the processor knows it, slower for separable ones, and
    very slow elsewhere; ``auto``, which families of dense convolutions have, takes it where it is known. workers:
    processes that draw ahead; no part of the run's identity, for they draw the same.
    """

    epochs: int = 12
    epoch_windows: int = 0
    batch: int = 128
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    schedule: str = "one_cycle"
    patience: int = 0
    balance: str = "sampling"
    reason_weight: float = 0.1
    lesson_weight: float = 0.1
    elder_share: float = 0.7
    mixup: float = 0.15
    overlay: float = 0.0
    noise: float = 0.0
    mask: float = 1.0
    smoothing: float = 0.0
    precision: str = "float32"
    average: float = 0.998
    reuse: int = 3
    seed: int = 1
    workers: int = 1

    def __post_init__(self) -> None:
        for name, known in (("schedule", SCHEDULES), ("precision", PRECISIONS), ("balance", BALANCES)):
            if getattr(self, name) not in known:
                raise DataError(f"There is no {name} '{getattr(self, name)}'; there is {', '.join(known)}.")
        least = {"epochs": 1, "batch": 2, "reuse": 1, "epoch_windows": 0, "patience": 0, "seed": 0, "workers": 0}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise DataError(f"The setting {name} must be at least {low}, not {getattr(self, name)}.")
        most = {
            "mixup": 1.0,
            "overlay": 1.0,
            "noise": 1.0,
            "mask": 1.0,
            "smoothing": 0.5,
            "average": 0.99999,
            "weight_decay": 10.0,
            "lesson_weight": 10.0,
            "elder_share": 1.0,
        }
        for name, high in most.items():
            if not 0.0 <= getattr(self, name) <= high:
                raise DataError(f"The setting {name} must be between 0 and {high:g}, not {getattr(self, name)}.")
        if not 0.0 < self.learning_rate <= 1.0:
            raise DataError(f"The learning rate must be above 0 and at most 1, not {self.learning_rate}.")


_POOL_BYTES = 512 * 2**20


def windows_of(clips: int, front: Front) -> int:
    """Windows of an epoch where the recipe leaves it open; of those that are large, only what half a GB holds."""
    most = _POOL_BYTES // (2 * front.features.rows * front.window_frames)
    return int(min(np.clip(4 * clips, 1024, 24576), most))


class Run:
    """The state of one training: what a checkpoint holds, all that the next epoch depends on.

    origin: what else makes this run what it is (data, family, first weights, …); a checkpoint of another is refused.
    """

    def __init__(
        self, network: nn.Module, labels: tuple[str, ...], recipe: Recipe, steps: int, origin: Sequence[Any]
    ) -> None:
        self.recipe, self.labels, self.origin = recipe, labels, origin
        self.network = network
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
        self.epoch, self.spent, self.best_figure, self.waited = 0, 0.0, -math.inf, 0

    @property
    def over(self) -> bool:
        """All epochs are done, or it has waited long enough for a better one."""
        return self.epoch >= self.recipe.epochs or bool(self.recipe.patience and self.waited > self.recipe.patience)

    def judge(self, figure: float) -> None:
        """Take note of an epoch's validation."""
        if figure > self.best_figure or not self.recipe.patience:
            self.best_figure, self.waited = figure, 0
            self.best = copy.deepcopy(self.averaged.state_dict())
        else:
            self.waited += 1
        if self.recipe.schedule == "plateau":
            self.schedule.step(figure)

    def describe(self) -> str:
        values = {name: getattr(self.recipe, name) for name in Recipe.__slots__ if name != "workers"}
        return json.dumps([values, self.labels, self.origin])

    def save(self, path: Path) -> None:
        """Write to a temporary, then replace: a kill in between leaves the old checkpoint whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, flush_to_disk=False) as partial:
            torch.save(
                {
                    "run": self.describe(),
                    "network": self.network.state_dict(),
                    "averaged": self.averaged.state_dict(),
                    "best": self.best,
                    "optimiser": self.optimiser.state_dict(),
                    "schedule": self.schedule.state_dict() if self.schedule else {},
                    "numbers": [self.epoch, self.spent, self.best_figure, self.waited],
                },
                partial,
            )

    def begin_as(self, path: Path) -> None:
        """Begin with the averaged weights that another run's checkpoint ends with, a teacher's head too."""
        try:
            averaged = torch.load(path, map_location="cpu", weights_only=True)["averaged"]
            self.network.load_state_dict(averaged)
        except Exception as error:  # torch has no one exception for a damaged file
            raise DataError(f"{path} is no checkpoint of such a network: nothing can begin from it.") from error
        self.averaged.load_state_dict(averaged)

    def restore(self, path: Path) -> None:
        """Put everything back as it was saved; DataError for what is damaged or of another run."""
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            run, numbers = state["run"], state["numbers"]
        except Exception as error:  # torch has no one exception for a damaged file
            raise DataError(f"The checkpoint {path} cannot be read; begin anew without --resume.") from error
        if run != self.describe():
            raise DataError(f"The checkpoint {path} is of another run (data, labels or settings differ).")
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.best = state["best"]
        self.optimiser.load_state_dict(state["optimiser"])
        if self.schedule:
            self.schedule.load_state_dict(state["schedule"])
        epoch, self.spent, self.best_figure, waited = numbers
        self.epoch, self.waited = int(epoch), int(waited)


def fit(
    network: nn.Module,
    labels: tuple[str, ...],
    maker: WindowSampler,
    validation: Windows,
    recipe: Recipe,
    checkpoint: Path,
    resume: bool = False,
    event: Event | None = None,
    world: World | None = None,
    kept: Path | None = None,
    origin: Sequence[Any] = (),
    elder: Classifier | None = None,
    begin_as: Path | None = None,
) -> nn.Module:
    """Train and give back the averaged network. Killed at any moment and called again with `resume`, it ends with the
    very same weights (on a processor): the checkpoint holds all that the next epoch depends on, and windows depend on
    the seed alone. kept: see `WindowPrefetcher`; origin: see `Run`. elder: a model of the same labels and front end,
    whose answers are learnt beside them. begin_as: see `Run`.
    """
    world = world or World()
    # Channels last is about twice as quick for separable convolutions on a processor.
    network = network.to(world.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    learner = network
    if maker.teacher:
        if not isinstance(network, Network):
            raise DataError("This family has no embedding that a teacher's word could be learnt on.")
        learner = DistillationNetwork(network, CLASSES).to(world.device)
    two_level = TwoLevel(labels).to(world.device)
    spec = maker.front.features
    windows = recipe.epoch_windows or windows_of(maker.clips, maker.front)
    whole = min(recipe.batch, windows)  # nobody is made to draw more than an epoch for one step
    batch = whole // world.size
    if batch < 2:
        raise DataError(f"A batch of {whole} is too small to be shared by {world.size} processes.")
    steps = windows // whole
    weights = torch.from_numpy(maker.weights).to(world.device)
    run = Run(learner, labels, recipe, steps, [*origin, maker.identity, world.size])
    if resume and checkpoint.is_file():
        run.restore(checkpoint)
    else:
        if resume:
            print(f"There is no checkpoint {checkpoint}: it begins anew.", file=sys.stderr)
        if begin_as is not None:
            run.begin_as(begin_as)
    if world.agree(run.epoch) != run.epoch:
        raise DataError("The processes do not go on from the same epoch: each needs to see the checkpoint.")
    shared = world.share(learner)
    half = recipe.precision == "bfloat16" or (recipe.precision == "auto" and world.knows_bfloat16)
    progress = Progress(recipe.epochs * steps, run.epoch * steps, shown=world.leads)
    size = steps * batch
    features, targets, lessons, drawn = torch.empty(0), torch.empty(0), torch.empty(0), -1
    with closing(WindowPrefetcher(maker, size, recipe.workers, world.rank * size, kept)) as drawer:
        drawer.ahead(run.epoch // recipe.reuse)
        while not run.over:
            if drawn != run.epoch // recipe.reuse:
                drawn = run.epoch // recipe.reuse
                pool = drawer.take(drawn)
                features, targets, lessons = (torch.from_numpy(one) for one in (pool.mels, pool.targets, pool.lessons))
                if (drawn + 1) * recipe.reuse < recipe.epochs:
                    drawer.ahead(drawn + 1)
                if elder is not None:
                    answers = np.stack([elder.probabilities(mel.astype(np.float32)) for mel in pool.mels])
                    targets = torch.lerp(targets, torch.from_numpy(answers), recipe.elder_share)
            # Order, dropout, mixup, overlays, noise and masks of this epoch, in this process.
            torch.manual_seed((recipe.seed * 1_000_003 + run.epoch) * 1009 + world.rank)
            shared.train()
            progress.begin()
            began, total, done = time.monotonic(), 0.0, run.epoch * steps
            for step, rows in enumerate(torch.randperm(size).split(batch), start=1):
                seen, wanted = features[rows].to(world.device).float(), targets[rows].to(world.device)
                seen, wanted = mixed(seen, wanted, recipe.mixup, spec)
                if two_level.two_sided:
                    seen, wanted = overlaid(seen, wanted, recipe.overlay, spec, two_level.crying)
                wanted = torch.lerp(wanted, wanted.mean(1, keepdim=True), recipe.smoothing)
                seen = in_noise(seen, recipe.noise, spec)
                seen = masked(seen, recipe.mask, spec)
                with torch.autocast(world.device.type, torch.bfloat16, enabled=half):
                    answer = shared(seen)
                logits = answer[0] if maker.teacher else answer
                loss = two_level.loss(logits.float(), wanted, recipe.reason_weight, weights)
                if maker.teacher:
                    # Of two sounds in one the teacher was not asked.
                    first = int(len(rows) * max(recipe.mixup, recipe.overlay))
                    lesson = lessons[rows].to(world.device).float()
                    loss = loss + recipe.lesson_weight * lesson_loss(answer[1][first:].float(), lesson[first:])
                run.optimiser.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(learner.parameters(), 2.0)
                run.optimiser.step()
                if recipe.schedule == "one_cycle":
                    run.schedule.step()
                _average(run.averaged, learner, min(recipe.average, (done + step) / (done + step + 9)))
                total += loss.item()
                progress.tell(done + step, total / step)
            run.spent += time.monotonic() - began
            if not math.isfinite(total):
                raise DivergedError("The loss is not a number any more: try a lower --learning-rate.")
            figures = validate(_kept(run.averaged), labels, validation)
            progress.judged(figures["balanced_accuracy"])
            run.judge(world.agree(sum(figures.values())))
            run.epoch += 1
            if world.leads:
                run.save(checkpoint)
            if event and world.leads:
                told = {"event": "epoch", "epoch": run.epoch, "epochs": recipe.epochs, "loss": round(total / steps, 5)}
                event({**told, **figures, "seconds": round(run.spent, 1), "seconds_left": progress.rounded_left})
    progress.end()
    run.averaged.load_state_dict(run.best)
    return _kept(run.averaged).cpu()


def _kept(learner: nn.Module) -> nn.Module:
    """The network that is kept: what only listened to the teacher goes."""
    return learner.network if isinstance(learner, DistillationNetwork) else learner


def lesson_loss(logits: Tensor, lessons: Tensor) -> Tensor:
    """Cross-entropy with the teacher's score of each class, (B, classes) each: sum over classes, mean over windows."""
    return F.binary_cross_entropy_with_logits(logits, lessons, reduction="sum") / max(1, len(lessons))


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, keep: float) -> None:
    for mean, new in zip(averaged.state_dict().values(), network.state_dict().values(), strict=True):
        if mean.dtype.is_floating_point:
            mean.lerp_(new, 1 - keep)
        else:
            mean.copy_(new)


@torch.no_grad()
def logits_of(network: nn.Module, windows: Windows) -> Tensor:
    """(N, labels) raw logits over all windows."""
    network.eval()
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    count = len(windows.mels)
    # Of a raw wave's windows fewer at a time: what a large network makes of them takes gigabytes.
    batch = 32 if windows.mels.shape[1] == 1 else 256
    parts = [network(torch.from_numpy(windows.mels[at : at + batch]).to(device)).cpu() for at in range(0, count, batch)]
    return torch.cat(parts)


def validate(network: nn.Module, labels: tuple[str, ...], windows: Windows) -> dict[str, float]:
    """Loss-free figures of one epoch: balanced accuracy over the labels, and the ROC area of crying."""
    logits, two_level = logits_of(network, windows), TwoLevel(labels)
    guess = two_level.probabilities(logits, Calibration()).argmax(1).numpy()
    found = [float((guess[windows.labels == at] == at).mean()) for at in np.unique(windows.labels)]
    figures = {"balanced_accuracy": round(float(np.mean(found)), 4)}
    if two_level.two_sided:
        crying = two_level.crying.numpy()[windows.labels]
        figures["crying_auc"] = round(roc_area(two_level.evidence(logits).numpy(), crying), 4)
    return figures


class Progress:
    """A line on standard error that says how far it is and how long it will take; nothing where nobody looks."""

    def __init__(self, total: int, done: int, shown: bool = True) -> None:
        self._total, self._first, self._done = total, done, done
        self._spent, self._began = 0.0, time.monotonic()
        self._loss, self._validation = math.nan, ""
        self._shown = shown and sys.stderr.isatty()

    @property
    def seconds_left(self) -> float:
        done = self._done - self._first
        return self._spent / done * (self._total - self._done) if done else math.nan

    @property
    def rounded_left(self) -> float | None:
        """Seconds left for whoever reads JSON, which knows no NaN."""
        left = self.seconds_left
        return None if math.isnan(left) else round(left, 1)

    def begin(self) -> None:
        """An epoch begins: what came before (waiting for windows, validation) is no measure of the steps."""
        self._began = time.monotonic()

    def tell(self, done: int, loss: float) -> None:
        self._done, self._loss = done, loss
        self._spent += time.monotonic() - self._began
        self._began = time.monotonic()
        self._draw()

    def judged(self, balanced_accuracy: float) -> None:
        """An epoch has ended; its figure stays in the line until the next one's is known."""
        self._validation = f"  validation {balanced_accuracy:.2f}"
        self._draw()

    def _draw(self) -> None:
        if not self._shown:
            return
        left = f"{self.seconds_left / 60:.0f} min" if self.seconds_left > 90 else f"{self.seconds_left:.0f} s"
        told = f" {self._done}/{self._total} steps  loss {self._loss:.3f}{self._validation}  {left} left   "
        # A line that the terminal breaks in two could not be written over.
        width = max(5, min(30, shutil.get_terminal_size().columns - len(told) - 1))
        filled = width * self._done // self._total
        print(f"\r{'█' * filled}{'░' * (width - filled)}{told}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._shown:
            print(file=sys.stderr)
