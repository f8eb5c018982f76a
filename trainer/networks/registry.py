"""The registry of families: the name of the function is the name of the family, in files and on the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import nn

from babymonitor.core.model.features import FeatureSpec


@dataclass(frozen=True, slots=True)
class Front:
    """What a network of a family sees: the front end and how much of it at once."""

    features: FeatureSpec
    window_frames: int
    hop_frames: int

    @property
    def seconds(self) -> float:
        return self.features.samples(self.window_frames) / self.features.sample_rate


DEFAULT = Front(FeatureSpec(), window_frames=124, hop_frames=16)
"""2 s of log-mel, a judgement every 0.256 s: what the default model is given."""
SPEECH = Front(
    FeatureSpec(n_fft=1024, hop_length=512, n_mels=64, fmin_hz=50.0, fmax_hz=8000.0), window_frames=92, hop_frames=8
)
"""3 s of log-mel with a man's pitch in it: what most published networks for emotion in speech are given."""

Builder = Callable[..., nn.Module]


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of model.

    build: labels, front (and weights, where the family has any) → a module (batch, rows, frames) → (batch, labels)
    logits: a `Network`, or an `Estimator` that is fitted rather than trained step by step.
    needs: what must be at hand beyond a data set, in words. recipe: where its `Recipe` differs from the default.
    weights: where pretrained weights come from unless told otherwise; "" for a family that begins from nothing.
    """

    name: str
    front: Front
    build: Builder
    needs: str
    recipe: Mapping[str, Any]
    weights: str

    @property
    def about(self) -> str:
        return (self.build.__doc__ or "").strip().splitlines()[0]

    def network(self, labels: tuple[str, ...], weights: str | None = None) -> nn.Module:
        """A fresh network. weights: a hub name, a folder or a file, or ``"random"``; None: the family's own."""
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
