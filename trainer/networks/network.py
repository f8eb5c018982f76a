"""What all networks have in common: a body that embeds a window, and one linear layer that names it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn


class Network(nn.Module):
    """(B, rows, frames) → (B, labels) logits, by way of an embedding.

    A subclass sets `head` (and `dropout`, if it has any before the head) and defines `embed`. That the head is the
    last and only layer that knows the labels lets other things be built on the embedding: a new head, an SVM.
    """

    head: nn.Linear
    dropout: nn.Module
    config: Mapping[str, Any] = MappingProxyType({})
    """What, beside labels and front end, it takes to build the network anew (JSON values): its family's `weights`."""

    def __init__(self, embedding: int, labels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(embedding, labels)

    def embed(self, features: Tensor) -> Tensor:
        """(B, rows, frames) → (B, embedding)."""
        raise NotImplementedError

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.head(self.dropout(self.embed(features)))
        return logits

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """What the optimiser is given: all that learns, at one rate; a family with layer-wise rates overrides it."""
        return [{"params": [p for p in self.parameters() if p.requires_grad], "lr": learning_rate}]


class Taught(nn.Module):
    """A network for as long as it learns from a teacher: a second head on its embedding answers with the teacher's
    classes, (B, rows, frames) → logits (B, labels), (B, classes). The network alone is kept.
    """

    def __init__(self, network: Network, classes: int) -> None:
        super().__init__()
        self.network = network
        self.lesson = nn.Linear(network.head.in_features, classes)
        # Of hundreds of sounds hardly any is there: to learn that first would drown all else. And what was not learnt
        # yet is to say nothing.
        nn.init.zeros_(self.lesson.weight)
        nn.init.constant_(self.lesson.bias, -5.0)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.network.dropout(self.network.embed(features))
        return self.network.head(embedding), self.lesson(embedding)

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """The network's, and its second head's."""
        return [
            *self.network.parameter_groups(learning_rate),
            {"params": [*self.lesson.parameters()], "lr": learning_rate},
        ]


DYNAMIC_RANGE = 14.0
"""Natural-logarithm units (61 dB) below the loudest cell of a window under which nothing is told apart."""


class LevelNormalised(nn.Module):
    """(B, mels, frames) → (B, 2, mels, frames), the same for the same sound at any volume.

    What lies too far below the loudest cell is lifted to a floor that moves with the sound, then the mean of the whole
    window is taken away (first plane), and the mean of each band (second plane: steady noise goes, what changes stays).
    """

    def forward(self, mel: Tensor) -> Tensor:
        floor = mel.amax(dim=(1, 2), keepdim=True) - DYNAMIC_RANGE
        mel = torch.maximum(mel, floor)
        level = mel - mel.mean(dim=(1, 2), keepdim=True)
        change = mel - mel.mean(dim=2, keepdim=True)
        return torch.stack((level, change), dim=1) * 0.4
