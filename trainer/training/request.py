"""What is asked of one training."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainer.audio import augment
from trainer.data.readers import Roots
from trainer.data.split import Division
from trainer.errors import DataError
from trainer.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """One model file to be trained. Raises DataError for an augmentation that does not exist.

    output: the model file; the checkpoint lies beside it. cache: where decoded sound is kept. segments, merged,
    division: which labels the clips have and how they are divided. augmentation: as `augment.strength_of` reads it;
    "": by the labels. begin_from: a model file or a checkpoint whose weights to start from; an estimator takes its
    body from it unchanged. weights: of a family that has pretrained ones, see `Family.network`. resume: go on from the
    checkpoint. codecs: hear copies through phone codecs too. pools: a folder of drawn windows that families share, see
    `WindowPrefetcher`. teacher: YAMNet's .tflite, whose scores are learnt beside the labels. licence: of the model; "":
    that of its data.
    """

    data: Roots
    family: str
    output: Path
    recipe: Recipe
    cache: Path
    segments: Path | None = None
    merged: Mapping[str, str] = field(default_factory=dict)
    division: Division = field(default_factory=Division)
    augmentation: str = ""
    begin_from: Path | None = None
    weights: str | None = None
    resume: bool = False
    codecs: bool = True
    device: str = "auto"
    pools: Path | None = None
    teacher: Path | None = None
    licence: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        try:
            augment.strength_of(self.augmentation or "none")
        except ValueError as error:
            raise DataError(f"--augment: {error}.") from error

    def strength(self, hears_crying: bool) -> augment.Strength:
        """Return how sound is altered. hears_crying: whether the labels tell crying from everything else."""
        if self.augmentation:
            return augment.strength_of(self.augmentation)
        return augment.NIGHT if hears_crying else augment.SPEECH

    @property
    def checkpoint(self) -> Path:
        return self.output.with_suffix(".checkpoint")

    @property
    def origin(self) -> list[Any]:
        """What identifies the training beside recipe and data: family, weights, and a hash of what it begins from."""
        begin_from = self.begin_from.read_bytes() if self.begin_from else b""
        return [self.family, self.weights, hashlib.sha256(begin_from).hexdigest()[:16]]
