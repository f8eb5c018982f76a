"""Convolutional networks on log-mel windows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.networks.network import LevelNormalised, Network
from trainer.networks.registry import DEFAULT, SPEECH, Front, family


class SeparableBlock(nn.Module):
    """Depthwise 3 x 3, then pointwise convolution, each with batch norm; a shortcut if the shape does not change.

    Chollet, F. (2017), "Xception: deep learning with depthwise separable convolutions", CVPR.
    """

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
    """Stem, separable blocks, one filter over the full frequency axis, then mean and maximum over time.

    widths: channels of the stem, of the four resolutions and of the last layer.
    """

    def __init__(self, labels: int, front: Front, widths: tuple[int, ...] = (24, 32, 64, 128, 192, 256)) -> None:
        stem, first, second, third, fourth, last = widths
        super().__init__(2 * last, labels, dropout=0.2)
        self.normalise = LevelNormalised()
        self.stem = nn.Sequential(nn.Conv2d(2, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU())
        self.blocks = nn.Sequential(
            SeparableBlock(stem, first),
            SeparableBlock(first, second, (2, 2)),
            SeparableBlock(second, second),
            SeparableBlock(second, third, (2, 2)),
            SeparableBlock(third, third),
            SeparableBlock(third, fourth, (2, 1)),
            SeparableBlock(fourth, fourth),
        )
        rows = front.features.n_mels
        for _ in range(4):
            rows = (rows + 1) // 2
        # The position on the frequency axis matters: a cry's pitch differs from a whistle's.
        self.over_frequency = nn.Sequential(
            nn.Conv2d(fourth, fourth, (rows, 1), groups=fourth, bias=False),
            nn.BatchNorm2d(fourth),
            nn.Conv2d(fourth, last, 1, bias=False),
            nn.BatchNorm2d(last),
            nn.ReLU(),
        )

    def embed(self, features: Tensor) -> Tensor:
        x = self.over_frequency(self.blocks(self.stem(self.normalise(features)))).squeeze(2)
        return torch.cat((x.mean(dim=2), x.amax(dim=2)), dim=1)


@family(DEFAULT)
def cnn_tiny(labels: tuple[str, ...], front: Front) -> nn.Module:
    """Depthwise-separable CNN on 2 s of log-mel: the default model's family."""
    return CnnTiny(len(labels), front)


class BaseCnn(Network):
    """Four blocks of convolution, batch norm, pooling and dropout (32, 64, 128, 256); mean and maximum of the last."""

    def __init__(self, labels: int) -> None:
        super().__init__(512, labels, dropout=0.3)
        self.normalise = LevelNormalised()
        blocks: list[nn.Module] = []
        for inputs, outputs in ((2, 32), (32, 64), (64, 128), (128, 256)):
            blocks += [
                nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Dropout2d(0.1),
            ]
        self.blocks = nn.Sequential(*blocks)

    def embed(self, features: Tensor) -> Tensor:
        maps = self.blocks(self.normalise(features))
        return torch.cat((maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))), dim=1)


@family(SPEECH, recipe={"precision": "auto"})
def base_cnn(labels: tuple[str, ...], front: Front) -> nn.Module:
    """Four-block CNN (32, 64, 128, 256; 0.4 M parameters) on 3 s of log-mel."""
    return BaseCnn(len(labels))
