"""Training the backbone: a student learns to answer through rooms and noise what its teacher answers to clean sound.

Teacher and student begin as the same published network. Related work: Dinkel, H. et al. (2023), "CED:
Consistent ensemble distillation for audio tagging", arXiv 2308.11957, and (2022), "Pseudo strong labels for large scale
weakly supervised audio tagging", arXiv 2204.13430; there teacher and student hear the same sound, here only the student
hears the room. No labels are used: those of the data set make the network unlearn what AudioSet taught it.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.backbone.answers import KeptAnswers, teacher
from trainer.backbone.corrections import read_crying
from trainer.backbone.judge import Judge
from trainer.backbone.lessons import LessonBatch, Lessons
from trainer.backbone.sounds import decode, divide
from trainer.backbone.tagger import BABY_CRY, SoundTagger, patches_of
from trainer.data.sound_kinds import read_clips
from trainer.errors import DataError, existing
from trainer.networks.yamnet import CLASSES

Tell = Callable[[dict[str, Any]], None]

CHECKPOINT = "checkpoint.pt"
LATEST = "backbone.pt"
"""The averaged weights, written at each judgement."""
_LOG_EVERY = 100


@dataclass(frozen=True, slots=True)
class Schedule:
    """The settings of a training, in cycles. Each cycle ends with a finished backbone.

    rate: the highest of the first cycle; of each next one `ebb` times as high. average: how much of the averaged
    weights each step leaves.
    """

    cycle_steps: int = 3000
    cycles: int = 10
    batch: int = 64
    rate: float = 3e-4
    ebb: float = 0.85
    weight_decay: float = 1e-3
    average: float = 0.999
    bfloat16: bool = False
    seed: int = 1

    @property
    def steps(self) -> int:
        return self.cycle_steps * self.cycles

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step: it rises during a tenth of a cycle, then falls along a half cosine."""
        cycle, place = divmod(step, self.cycle_steps)
        highest, part = self.rate * self.ebb**cycle, (place + 1) / self.cycle_steps
        rise = 0.1
        if part < rise:
            return highest * part / rise
        return highest * max(0.001, 0.5 * (1.0 + math.cos(math.pi * (part - rise) / (1.0 - rise))))


def class_weights() -> Tensor:
    """Return each class's weight in the loss, (521,), mean 1: most for crying, more for sounds of homes at night."""
    weights = torch.ones(CLASSES)
    home_sounds = (
        *range(0, 19),  # talking, babbling, shouting, screaming, whispering, laughing
        *(24, 29, 33, 42, 44, 66),  # singing, a child singing, groaning, coughing, sneezing, children playing
        *(67, 68, 69, 70, 75, 76, 78, 80, 106),  # animals, dogs, cats, birds
        *(132, 266, 382, 390, 393, 494),  # music, lullaby, alarm, siren, smoke detector, silence
    )
    weights[list(home_sounds)] = 6.0
    weights[[19, 21, 22]] = 12.0  # sobbing, whimper, wail
    weights[BABY_CRY] = 40.0
    return weights / weights.mean()


class Training:
    """The state of one training: everything that a step depends on, since batches depend on their number only."""

    def __init__(self, network: nn.Module, schedule: Schedule, origin: str) -> None:
        self.student, self.schedule, self.origin = network, schedule, origin
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=schedule.rate, weight_decay=schedule.weight_decay, fused=True
        )
        self.weights = class_weights()
        self.step = 0

    def learn(self, batch: LessonBatch) -> float:
        """Take one step. Returns how far the answers were from the targets: the weighted cross-entropy less the
        targets' own entropy, 0 where they are equal.
        """
        rate = self.schedule.rate_at(self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        patches = patches_of(batch.waves)
        self.student.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.schedule.bfloat16):
            logits = self.student(patches)
        losses = functional.binary_cross_entropy_with_logits(logits.float(), batch.targets, reduction="none")
        loss = (losses * self.weights).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.step += 1
        decay = min(self.schedule.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            averaged: list[Tensor] = [*self.average.parameters()]
            current: list[Tensor] = [*self.student.parameters()]
            torch._foreach_lerp_(averaged, current, 1.0 - decay)
            entropy = functional.binary_cross_entropy(batch.targets, batch.targets, reduction="none")
            return float(loss - (entropy * self.weights).mean())

    def save(self, path: Path) -> None:
        _write(
            {
                "origin": self.origin,
                "step": self.step,
                "student": self.student.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
            },
            path,
        )

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint. Raises DataError for one that is damaged or of a training with other settings."""
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            origin = state["origin"]
        except (OSError, RuntimeError, KeyError, EOFError, ValueError, TypeError) as error:
            raise DataError(f"The checkpoint {path} cannot be read: begin in another folder.") from error
        if origin != self.origin:
            raise DataError(f"The checkpoint {path} is of another training (sound or settings differ).")
        self.student.load_state_dict(state["student"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = state["step"]


def _write(state: dict[str, Any], path: Path) -> None:
    """Write to a temporary file, then replace: an interruption leaves the old file intact."""
    partial = path.with_suffix(f".{os.getpid()}.part")
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


@dataclass(frozen=True, slots=True)
class BackboneRequest:
    """What to train from, and where to write.

    data: a folder with a manifest. weights: YAMNet's .tflite file. output: where checkpoint, weights and log go; a
    training whose checkpoint is there goes on. left_out: patterns of paths, see `trainer.data.sound_kinds.left_out`.
    segments: a segments.csv, by which the teacher is corrected.
    """

    data: Path
    weights: Path
    output: Path
    cache: Path
    left_out: Sequence[str] = ()
    segments: Path | None = None
    schedule: Schedule = field(default_factory=Schedule)
    judge_every: int = 1500
    save_every: int = 250


def train(request: BackboneRequest, tell: Tell, stopped: Callable[[], bool] = lambda: False) -> Path:
    """Train, or resume the training whose checkpoint is in the output folder. Returns the file of averaged weights.

    stopped: asked after each step; when it returns True, the training is saved and ends.
    """
    request.output.mkdir(parents=True, exist_ok=True)
    network = SoundTagger()
    network.load(request.weights)
    clips = read_clips(request.data)
    audio = decode(request.data, [clip for clip in clips if clip.usable], request.cache, codecs=True)
    plain = decode(request.data, clips, request.cache, codecs=False)
    sides = divide(clips, plain, request.left_out)
    published = copy.deepcopy(network)
    identity = hashlib.sha256(existing(request.weights).read_bytes()).hexdigest()[:16]
    quick = request.schedule.bfloat16
    answers = KeptAnswers(audio, request.cache, teacher(published, quick), f"{identity} {quick}")
    judge = Judge(sides.judged, plain, request.cache)
    crying = read_crying(existing(request.segments)) if request.segments else {}
    lessons = Lessons(sides.learnt, audio, answers, request.schedule.seed, crying)
    learnt = [(clip.path, audio.content(clip.path)) for clip in sides.learnt]
    settings = asdict(request.schedule)
    del settings["cycles"]  # more may be added
    origin = hashlib.sha256(json.dumps([identity, settings, learnt, sorted(crying.items())]).encode()).hexdigest()
    training = Training(network, request.schedule, origin)
    checkpoint = request.output / CHECKPOINT
    if checkpoint.is_file():
        training.restore(checkpoint)
    log = _log(request.output / "log.jsonl", tell)
    as_published = judge.answers(published, quick)
    log(
        {
            "event": "started" if training.step == 0 else "resumed",
            "step": training.step,
            "learnt": len(sides.learnt),
            "judged": {"cries": int(judge.crying.sum()), "no cries": int((~judge.crying).sum())},
            "kinds": {
                name: round(float(share), 4)
                for name, share in zip(lessons.strata.kinds, lessons.strata.shares, strict=True)
            },
            "published": judge.judgement(as_published),
        }
    )
    pace = _Pace(training.step)
    while training.step < request.schedule.steps:
        pace.add(training.learn(lessons.batch(training.step, request.schedule.batch)))
        if training.step % _LOG_EVERY == 0:
            log({"event": "step", "rate": request.schedule.rate_at(training.step - 1), **pace.figures(training.step)})
            pace = _Pace(training.step)
        leaving, ended = stopped(), training.step % request.schedule.cycle_steps == 0
        if leaving or ended or training.step % request.save_every == 0:
            training.save(checkpoint)
        if ended:
            cycle = training.step // request.schedule.cycle_steps
            _write(training.average.state_dict(), request.output / f"backbone-cycle-{cycle}.pt")
        if ended or training.step % request.judge_every == 0:
            _write(training.average.state_dict(), request.output / LATEST)
            judgement = judge.judgement(judge.answers(training.average, quick), as_published)
            log({"event": "judged", "step": training.step, **judgement})
            pace = _Pace(training.step)
        if leaving:
            log({"event": "stopped", "step": training.step})
            break
    _write(training.average.state_dict(), request.output / LATEST)
    return request.output / LATEST


class _Pace:
    """Mean loss and steps per minute since a step."""

    def __init__(self, step: int) -> None:
        self._step, self._began, self._losses = step, time.monotonic(), 0.0

    def add(self, loss: float) -> None:
        self._losses += loss

    def figures(self, step: int) -> dict[str, Any]:
        steps = step - self._step
        minutes = (time.monotonic() - self._began) / 60.0
        return {"step": step, "loss": round(self._losses / steps, 5), "steps_per_minute": round(steps / minutes, 1)}


def _log(path: Path, tell: Tell) -> Tell:
    def log(values: dict[str, Any]) -> None:
        values = {"time": time.strftime("%Y-%m-%d %H:%M:%S"), **values}
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values, ensure_ascii=False) + "\n")
        tell(values)

    return log
