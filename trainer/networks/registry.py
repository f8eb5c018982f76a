"""The registry of families: the name of the function is the name of the family, in files and on the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from babymonitor.core.features import FeatureSpec


@dataclass(frozen=True, slots=True)
class Front:
    """What a network of a family sees: the front end and how much of it at once."""

    features: FeatureSpec
    window_frames: int
    hop_frames: int


Builder = Callable[[tuple[str, ...], Front], nn.Module]


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of network. build: labels, front → a module (batch, mels, frames) → (batch, labels) logits."""

    name: str
    front: Front
    needs: str
    build: Builder

    @property
    def about(self) -> str:
        return (self.build.__doc__ or "").strip().splitlines()[0]


FAMILIES: dict[str, Family] = {}


def family(front: Front, needs: str = "") -> Callable[[Builder], Builder]:
    """Register the decorated builder under its own name."""

    def register(build: Builder) -> Builder:
        FAMILIES[build.__name__] = Family(build.__name__, front, needs, build)
        return build

    return register
