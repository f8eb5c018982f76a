"""The registry of families. A family's name, in files and on the command line, is the name of its function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import nn

from babymonitor.core.model.features import FeatureSpec


@dataclass(frozen=True, slots=True)
class Front:
    """The input of a family's networks: the front end, and the frames of a window and of a hop."""

    features: FeatureSpec
    window_frames: int
    hop_frames: int

    @property
    def seconds(self) -> float:
        """Length of a window."""
        return self.features.samples(self.window_frames) / self.features.sample_rate


DEFAULT = Front(FeatureSpec(), window_frames=124, hop_frames=16)
"""2 s of log-mel, a window every 0.256 s: the input of the default model."""
SPEECH = Front(
    FeatureSpec(n_fft=1024, hop_length=512, n_mels=64, fmin_hz=50.0, fmax_hz=8000.0), window_frames=92, hop_frames=8
)
"""3 s of log-mel from 50 Hz, which includes a man's pitch: the input of most published networks for speech emotion."""

Builder = Callable[..., nn.Module]


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of model.

    build: (labels, front[, weights]) → a module (batch, rows, frames) → (batch, labels) logits: a `Network`, or an
    `Estimator`, which is fitted rather than trained step by step.
    needs: what it requires besides a data set, in words. recipe: fields of `Recipe` that differ from the default.
    weights: the default source of pretrained weights; "" for a family without any.
    """

    name: str
    front: Front
    build: Builder
    needs: str
    recipe: Mapping[str, Any]
    weights: str

    @property
    def about(self) -> str:
        """First line of the builder's docstring, which `trainer families` prints."""
        return (self.build.__doc__ or "").strip().splitlines()[0]

    def network(self, labels: tuple[str, ...], weights: str | None = None) -> nn.Module:
        """Build a network. weights: a hub name, a folder, a file, or ``"random"``; None for the family's default."""
        if not self.weights:
            return self.build(labels, self.front)
        return self.build(labels, self.front, self.weights if weights is None else weights)


FAMILIES: dict[str, Family] = {}


def family(
    front: Front, needs: str = "", weights: str = "", recipe: Mapping[str, Any] = MappingProxyType({})
) -> Callable[[Builder], Builder]:
    """Register the decorated builder under its own name."""

    def register(build: Builder) -> Builder:
        FAMILIES[build.__name__] = Family(build.__name__, front, build, needs, recipe, weights)
        return build

    return register
