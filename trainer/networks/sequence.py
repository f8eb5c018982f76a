"""What families that read a window as a sequence share: how it is cut into steps, how the steps are summed up."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.networks.network import LevelNormalised


class Steps(nn.Module):
    """(B, mels, frames) → (B, steps, width): normalised by level and by band, one step for two frames.

    One convolution over five frames and no more: with two-dimensional ones instead, the speakers of the training were
    learnt better and others worse (docs/reports/recurrent-and-transformer.md).
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
    """(B, steps, width) → (B, 3 · width): the mean, the maximum, and a mean weighed by learned attention.

    Okabe, K. et al. (2018), "Attentive statistics pooling for deep speaker embedding", Interspeech. The state of the
    last step alone is what a recording's padding or its silent end left over.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        # No bias on the score: softmax would cancel it.
        self.score = nn.Sequential(nn.Linear(width, width // 2), nn.Tanh(), nn.Linear(width // 2, 1, bias=False))

    def forward(self, steps: Tensor) -> Tensor:
        weights = torch.softmax(self.score(steps), dim=1)
        return torch.cat((steps.mean(dim=1), steps.amax(dim=1), (steps * weights).sum(dim=1)), dim=1)
