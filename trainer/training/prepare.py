"""What a training learns from: the divided data set with its sound, and the windows of one family."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from trainer.data.dataset import DataSet
from trainer.data.decoded_audio import DecodedAudio, merge_duplicate_groups, trim_to_audio
from trainer.data.readers import load
from trainer.data.split import split
from trainer.labelling.yamnet_teacher import Teacher
from trainer.networks import FAMILIES, Front
from trainer.networks.heads import TwoLevel
from trainer.training.request import TrainingRequest
from trainer.windows.fixed_windows import Windows, fixed_windows
from trainer.windows.sampler import WindowSampler

_POOL_BYTES = 512 * 2**20
_MOST_CALIBRATED = 3072


@dataclass(frozen=True)
class PreparedData:
    """Clips divided into sides, with their decoded sound: the same for every family."""

    data: DataSet
    waves: DecodedAudio

    @cached_property
    def content(self) -> str:
        """A hash of what is heard in every clip, its group and its side."""
        clips = [[self.waves.content(clip.path), clip.group, clip.side, repr(clip.spans)] for clip in self.data.clips]
        return hashlib.sha256(json.dumps([clips, self.waves.kinds]).encode()).hexdigest()[:12]


def prepare(request: TrainingRequest) -> PreparedData:
    """Load, decode and divide the data of a request. Raises DataError for data that cannot be divided."""
    listed = load(request.data, request.segments, request.merged)
    # Only to refuse data that cannot be divided before hours of decoding; sides are given below, by what was decoded.
    labelled = tuple(clip for clip in listed.clips if clip.usable and clip.spans)
    split(replace(listed, clips=labelled), request.division, listed)
    waves = DecodedAudio(listed, request.cache, request.codecs)
    usable = tuple(clip for clip in merge_duplicate_groups(trim_to_audio(listed.clips, waves), waves) if clip.usable)
    return PreparedData(split(replace(listed, clips=usable), request.division, listed), waves)


@dataclass(frozen=True, slots=True)
class TrainingWindows:
    """The windows of one training.

    maker: draws from the training side. validation: unaltered windows of the validation side. per_epoch: how many are
    drawn for an epoch. pools: a folder in which drawn windows are shared by families, or None.
    """

    maker: WindowSampler
    validation: Windows
    per_epoch: int
    pools: Path | None = None


def training_windows(request: TrainingRequest, prepared: PreparedData) -> TrainingWindows:
    """Return the windows that a request's family learns from and is validated by."""
    data, waves, recipe, front = prepared.data, prepared.waves, request.recipe, FAMILIES[request.family].front
    strength = request.strength(hears_crying=TwoLevel(data.labels).two_sided)
    clips = data.side("train")
    teacher = Teacher(request.teacher) if request.teacher else None
    maker = WindowSampler(
        clips, waves, data.labels, front, strength, recipe.seed, balance=recipe.balance, teacher=teacher
    )
    validation = fixed_windows(data.side("validation"), waves, data.labels, front)
    per_epoch = recipe.epoch_windows or _default_windows(len(clips), front)
    return TrainingWindows(maker, validation, per_epoch, request.pools)


def _default_windows(clips: int, front: Front) -> int:
    """Return how many windows an epoch has by default; of large ones only as many as fit into half a GB."""
    most = _POOL_BYTES // (2 * front.features.rows * front.window_frames)
    return int(min(np.clip(4 * clips, 1024, 24576), most))


def calibration_windows(prepared: PreparedData, windows: TrainingWindows) -> Windows:
    """Return the validation windows and, if training altered sound much, as many altered ones behind them.

    Probabilities are then calibrated for rooms, noise and devices as well. Synthetic sounds are left out: the network
    learnt from their generators. Each altered window is its own group.
    """
    maker, plain = windows.maker, windows.validation
    if not maker.strength.bed and maker.strength.noise <= 0.4:
        return plain
    held_out = WindowSampler(
        prepared.data.side("validation"), prepared.waves, maker.labels, maker.front, maker.strength, maker.seed + 1, {}
    )
    drawn = held_out.pool(0, min(_MOST_CALIBRATED, windows.per_epoch))
    names = np.array([f"drawn-{number}" for number in range(len(drawn.targets))])
    return Windows(
        np.concatenate((plain.mels, drawn.mels.astype(np.float32))),
        np.concatenate((plain.labels, drawn.targets.argmax(1))),
        np.concatenate((plain.groups, names)),
        np.concatenate((plain.clips, names)),
    )
