"""What families that read a window as a sequence share: cutting it into steps, and pooling the steps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.networks.network import LevelNormalised


class Steps(nn.Module):
    """(B, mels, frames) → (B, steps, width): normalised by level and by band, one step for two frames.

    A single convolution over five frames. Two-dimensional convolutions fitted the training speakers better and other
    speakers worse (docs/reports/recurrent-and-transformer.md).
    """

    def __init__(self, mels: int, width: int) -> None:
        super().__init__()
        self.normalise = LevelNormalised()
        self.joined = nn.Sequential(
            nn.Conv1d(2 * mels, width, 5, stride=2, padding=2, bias=False), nn.BatchNorm1d(width), nn.ReLU()
        )

    def forward(self, mel: Tensor) -> Tensor:
        steps: Tensor = self.joined(self.normalise(mel).flatten(1, 2))
        return steps.transpose(1, 2)


class AttentivePooling(nn.Module):
    """(B, steps, width) → (B, 3 · width): the mean, the maximum, and a mean weighted by learnt attention.

    Okabe, K. et al. (2018), "Attentive statistics pooling for deep speaker embedding", Interspeech. The last step's
    state alone would mostly reflect a recording's padding or its silent end.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        # Without a bias, which softmax would cancel.
        self.score = nn.Sequential(nn.Linear(width, width // 2), nn.Tanh(), nn.Linear(width // 2, 1, bias=False))

    def forward(self, steps: Tensor) -> Tensor:
        weights = torch.softmax(self.score(steps), dim=1)
        return torch.cat((steps.mean(dim=1), steps.amax(dim=1), (steps * weights).sum(dim=1)), dim=1)
