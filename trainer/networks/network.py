"""Base classes of networks: a body that embeds a window, and one linear head that classifies the embedding."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn


class Network(nn.Module):
    """(B, rows, frames) → (B, labels) logits, by way of an embedding.

    A subclass defines `embed`. The head is the last layer and the only one that depends on the labels, so that other
    classifiers can be built on the embedding: a new head, or an SVM.
    """

    head: nn.Linear
    dropout: nn.Module
    config: Mapping[str, Any] = MappingProxyType({})
    """What is needed, besides labels and front end, to rebuild the network (JSON values): its family's `weights`."""

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
        """Return the optimiser's parameter groups: all parameters that learn, at one rate by default."""
        return [{"params": [p for p in self.parameters() if p.requires_grad], "lr": learning_rate}]


class DistillationNetwork(nn.Module):
    """A network with a second head on its embedding that learns a teacher's classes during training.

    (B, rows, frames) → logits (B, labels) and (B, classes). Only the network is kept after training. Hinton, G. et al.
    (2015), "Distilling the knowledge in a neural network", arXiv 1503.02531.
    """

    def __init__(self, network: Network, classes: int) -> None:
        super().__init__()
        self.network = network
        self.lesson = nn.Linear(network.head.in_features, classes)
        # Hardly any of the hundreds of classes is present in a window. Started at zero, learning their absence would
        # dominate everything else; started here, the head begins by predicting that nothing is present.
        nn.init.zeros_(self.lesson.weight)
        nn.init.constant_(self.lesson.bias, -5.0)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.network.dropout(self.network.embed(features))
        return self.network.head(embedding), self.lesson(embedding)

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return the network's groups, and the second head's."""
        return [
            *self.network.parameter_groups(learning_rate),
            {"params": [*self.lesson.parameters()], "lr": learning_rate},
        ]


DYNAMIC_RANGE = 14.0
"""Natural-logarithm units (61 dB) below the loudest cell of a window, below which differences are ignored."""


class LevelNormalised(nn.Module):
    """(B, mels, frames) → (B, 2, mels, frames), independent of the volume.

    Cells far below the loudest one are raised to a floor that moves with the sound. Then the mean of the window is
    subtracted (first plane), or the mean of each band (second plane, where steady noise vanishes and changes remain).
    """

    def forward(self, mel: Tensor) -> Tensor:
        floor = mel.amax(dim=(1, 2), keepdim=True) - DYNAMIC_RANGE
        mel = torch.maximum(mel, floor)
        level = mel - mel.mean(dim=(1, 2), keepdim=True)
        change = mel - mel.mean(dim=2, keepdim=True)
        return torch.stack((level, change), dim=1) * 0.4
