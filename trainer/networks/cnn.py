"""Convolutional networks on log-mel windows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from babymonitor.core.features import FeatureSpec
from trainer.networks.network import LevelNormalised, Network
from trainer.networks.registry import Front, family


class Separable(nn.Module):
    """Depthwise 3 x 3, then pointwise, each with batch norm; a shortcut where the shape stays."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int] = (1, 1)) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = inputs == outputs and stride == (1, 1)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        out: Tensor = self.relu(x + y if self.shortcut else y)
        return out


class CnnTiny(Network):
    """Stem, separable blocks, one filter over all of the frequency axis, then mean and maximum over time."""

    def __init__(self, labels: int, front: Front) -> None:
        super().__init__(320, labels, dropout=0.2)
        self.normalise = LevelNormalised()
        self.stem = nn.Sequential(nn.Conv2d(2, 24, 3, 2, 1, bias=False), nn.BatchNorm2d(24), nn.ReLU())
        self.blocks = nn.Sequential(
            Separable(24, 32),
            Separable(32, 48, (2, 2)),
            Separable(48, 48),
            Separable(48, 80, (2, 2)),
            Separable(80, 80),
            Separable(80, 128, (2, 1)),
            Separable(128, 128),
        )
        rows = front.features.n_mels
        for _ in range(4):
            rows = (rows + 1) // 2
        # Where on the frequency axis something is matters: a cry's pitch is not a whistle's.
        self.over_frequency = nn.Sequential(
            nn.Conv2d(128, 128, (rows, 1), groups=128, bias=False),
            nn.BatchNorm2d(128),
            nn.Conv2d(128, 160, 1, bias=False),
            nn.BatchNorm2d(160),
            nn.ReLU(),
        )

    def embed(self, features: Tensor) -> Tensor:
        x = self.over_frequency(self.blocks(self.stem(self.normalise(features)))).squeeze(2)
        return torch.cat((x.mean(dim=2), x.amax(dim=2)), dim=1)


@family(Front(FeatureSpec(), window_frames=124, hop_frames=16))
def cnn_tiny(labels: tuple[str, ...], front: Front) -> nn.Module:
    """Depthwise-separable CNN on 2 s of log-mel: the default model's family."""
    return CnnTiny(len(labels), front)
