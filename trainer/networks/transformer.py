"""Attention on log-mel windows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.networks.network import Network
from trainer.networks.registry import SPEECH, Front, family
from trainer.networks.sequence import AttentivePooling, Steps


class EncoderLayer(nn.Module):
    """Attention, then two linear layers, each normalised before and added after: (B, steps, width) → the same.

    Vaswani, A. et al. (2017), "Attention is all you need", NeurIPS. Normalising first follows Xiong, R. et al. (2020),
    "On layer normalization in the transformer architecture", ICML; otherwise training needs a slow warm-up. Written out
    because torch's own layer takes a fast path in evaluation that its exporter does not support.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width, bias=False)
        self.attended = nn.Sequential(nn.Linear(width, width), nn.Dropout(dropout))
        self.forwards = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        batch, steps, width = x.shape
        parts = self.project(self.before_attention(x)).reshape(batch, steps, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        attended = F.scaled_dot_product_attention(query, key, value)
        x = x + self.attended(attended.transpose(1, 2).reshape(batch, steps, width))
        out: Tensor = x + self.forwards(x)
        return out


class TransformerMel(Network):
    """Convolved steps with learnt positions, two encoder layers of 64 with 4 heads, attentive pooling of the steps."""

    def __init__(self, labels: int, front: Front) -> None:
        super().__init__(3 * 64, labels, dropout=0.3)
        self.steps = Steps(front.features.n_mels, 64)
        self.position = nn.Parameter(torch.randn((front.window_frames + 1) // 2, 64) * 0.1)
        self.layers = nn.Sequential(EncoderLayer(64, 4, 0.1), EncoderLayer(64, 4, 0.1), nn.LayerNorm(64))
        self.summed_up = AttentivePooling(64)

    def embed(self, features: Tensor) -> Tensor:
        embedding: Tensor = self.summed_up(self.layers(self.steps(features) + self.position))
        return embedding


@family(SPEECH, recipe={"learning_rate": 2e-3})
def transformer_mel(labels: tuple[str, ...], front: Front) -> nn.Module:
    """Transformer encoder (width 64, 4 heads, 2 layers) on 3 s of log-mel."""
    return TransformerMel(len(labels), front)
