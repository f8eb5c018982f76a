"""Residual networks on mel spectrograms.

He, K. et al. (2016), "Deep residual learning for image recognition", CVPR.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.networks.network import LevelNormalised, Network
from trainer.networks.registry import SPEECH, Front, family


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch norm, and a shortcut that is projected where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.relu(self.body(x) + self.shortcut(x))
        return out


class ResNetMel(Network):
    """Stem of 16, two residual blocks each of 16, 32 and 64, one filter over frequency, mean and maximum over time.

    The stem skips every second band and frame, which is 3.5 times as fast and no worse on unseen actors.
    """

    def __init__(self, labels: int, front: Front) -> None:
        super().__init__(384, labels, dropout=0.3)
        self.normalise = LevelNormalised()
        self.stem = nn.Sequential(nn.Conv2d(2, 16, 5, 2, 2, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.blocks = nn.Sequential(
            ResidualBlock(16, 16),
            ResidualBlock(16, 16),
            ResidualBlock(16, 32, 2),
            ResidualBlock(32, 32),
            ResidualBlock(32, 64, 2),
            ResidualBlock(64, 64),
        )
        rows = (front.features.n_mels + 7) // 8
        self.over_frequency = nn.Sequential(
            nn.Conv2d(64, 64, (rows, 1), groups=64, bias=False),
            nn.BatchNorm2d(64),
            nn.Conv2d(64, 192, 1, bias=False),
            nn.BatchNorm2d(192),
            nn.ReLU(),
        )

    def embed(self, features: Tensor) -> Tensor:
        x = self.over_frequency(self.blocks(self.stem(self.normalise(features)))).squeeze(2)
        return torch.cat((x.mean(dim=2), x.amax(dim=2)), dim=1)


class ImageNetwork(Network):
    """A network for photographs on the two planes of a mel spectrogram; its embedding is the mean of the last map."""

    def __init__(self, body: nn.Module, embedding: int, labels: int) -> None:
        super().__init__(embedding, labels, dropout=0.3)
        self.normalise = LevelNormalised()
        self.body = body

    def embed(self, features: Tensor) -> Tensor:
        maps: Tensor = self.body(self.normalise(features)).last_hidden_state
        return maps.mean(dim=(2, 3))


@family(SPEECH, recipe={"precision": "auto"})
def resnet_mel(labels: tuple[str, ...], front: Front) -> nn.Module:
    """Small ResNet (16, 32, 64; 0.19 M parameters) on 3 s of log-mel."""
    return ResNetMel(len(labels), front)


@family(SPEECH, needs="transformers", recipe={"learning_rate": 1e-3, "precision": "auto"})
def resnet18(labels: tuple[str, ...], front: Front) -> nn.Module:
    """ResNet-18 (11 M parameters) on 3 s of log-mel, from random weights."""
    from transformers import ResNetConfig, ResNetModel

    sizes = [64, 128, 256, 512]
    config = ResNetConfig(num_channels=2, hidden_sizes=sizes, depths=[2, 2, 2, 2], layer_type="basic")
    return ImageNetwork(ResNetModel(config), sizes[-1], len(labels))


@family(SPEECH, needs="transformers", recipe={"learning_rate": 1e-3, "precision": "auto"})
def resnet50(labels: tuple[str, ...], front: Front) -> nn.Module:
    """ResNet-50 (24 M parameters) on 3 s of log-mel, from random weights."""
    from transformers import ResNetConfig, ResNetModel

    sizes = [256, 512, 1024, 2048]
    config = ResNetConfig(num_channels=2, hidden_sizes=sizes, depths=[3, 4, 6, 3], layer_type="bottleneck")
    return ImageNetwork(ResNetModel(config), sizes[-1], len(labels))
