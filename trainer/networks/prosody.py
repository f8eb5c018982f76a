"""A network that combines the mel spectrogram with figures of prosody: pitch, loudness and voice quality."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from babymonitor.core.model.features import FeatureSpec
from trainer.networks.network import LevelNormalised, Network
from trainer.networks.registry import Front, family

VOICED = 0.5
"""Harmonicity from which a frame counts as voiced: at least as much power in the harmonics as in the noise."""
QUIET = 7.0
"""Natural-logarithm units (30 dB) below the loudest frame, below which no frame counts as voiced."""


class Prosody(nn.Module):
    """(B, n_mels + 3, frames) → (B, 13): figures of prosody, all independent of the volume.

    In order: pitch level, spread, range (octaves) and slope (octaves per frame, by least squares); jitter and shimmer;
    mean and spread of harmonicity; share of voiced frames; mean of the power below its peak, its spread and slope;
    spectral tilt.

    Jitter and shimmer are the mean change of the period (relative) and of the amplitude (logarithmic) **between
    neighbouring voiced frames**. Phoneticians measure them between single periods, which frames do not resolve.
    Everything is a masked sum, because an exported graph cannot select frames by a condition.
    """

    SIZE = 13

    def forward(self, features: Tensor) -> Tensor:
        mel, pitch, harmonicity, power = features[:, :-3], features[:, -3], features[:, -2], features[:, -1]
        peak = power.amax(dim=1, keepdim=True)
        voiced = ((harmonicity > VOICED) & (power > peak - QUIET)).to(features.dtype)
        time = torch.arange(features.shape[2], dtype=features.dtype, device=features.device)[None]

        def mean(values: Tensor, mask: Tensor) -> Tensor:
            return (values * mask).sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True).clamp(min=1.0)

        def spread(values: Tensor, mask: Tensor) -> Tensor:
            return torch.sqrt(mean((values - mean(values, mask)) ** 2, mask) + 1e-8)

        def slope(values: Tensor, mask: Tensor) -> Tensor:
            from_middle = (time - mean(time.expand_as(values), mask)) * mask
            variance = (from_middle**2).sum(dim=1, keepdim=True).clamp(min=1.0)
            return (from_middle * values).sum(dim=1, keepdim=True) / variance

        level = mean(pitch, voiced)
        # Unvoiced frames are set to the mean, where they do not widen the range.
        settled = torch.where(voiced > 0, pitch, level)
        pairs = voiced[:, 1:] * voiced[:, :-1]
        # 2 ** octaves; opset 17 has no such operator.
        period = torch.exp(math.log(2.0) * (level - settled))
        jitter = mean((period[:, 1:] - period[:, :-1]).abs(), pairs)
        shimmer = mean((power[:, 1:] - power[:, :-1]).abs() * 0.5, pairs)
        audible = torch.maximum(power, peak - 2 * QUIET)
        everywhere = torch.ones_like(power)
        bands = torch.linspace(-1.0, 1.0, mel.shape[1], dtype=features.dtype, device=features.device)[None, :, None]
        floored = torch.maximum(mel, mel.amax(dim=(1, 2), keepdim=True) - 2 * QUIET)
        tilt = (floored * bands).mean(dim=(1, 2))[:, None]
        return torch.cat(
            (
                level,
                spread(pitch, voiced),
                settled.amax(dim=1, keepdim=True) - settled.amin(dim=1, keepdim=True),
                slope(pitch, voiced),
                jitter,
                shimmer,
                mean(harmonicity, voiced),
                spread(harmonicity, voiced),
                voiced.mean(dim=1, keepdim=True),
                mean(audible, everywhere) - peak,
                spread(audible, everywhere),
                slope(audible, everywhere),
                tilt,
            ),
            dim=1,
        )


def _convolved(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


class HybridProsody(Network):
    """Four convolutions on the mel spectrogram (256) and 13 figures of prosody (128), joined by one layer."""

    def __init__(self, labels: int) -> None:
        super().__init__(384, labels, dropout=0.3)
        self.normalise = LevelNormalised()
        self.image = nn.Sequential(
            _convolved(2, 64, 2), _convolved(64, 128), _convolved(128, 256), nn.Dropout2d(0.1), _convolved(256, 256)
        )
        self.prosody = nn.Sequential(Prosody(), nn.BatchNorm1d(Prosody.SIZE), nn.Linear(Prosody.SIZE, 128), nn.ReLU())
        self.fuse = nn.Sequential(nn.Linear(384, 384, bias=False), nn.BatchNorm1d(384), nn.ReLU())

    def embed(self, features: Tensor) -> Tensor:
        image = self.image(self.normalise(features[:, :-3])).mean(dim=(2, 3))
        fused: Tensor = self.fuse(torch.cat((image, self.prosody(features)), dim=1))
        return fused


PROSODY = FeatureSpec(kind="log_mel_prosody", n_fft=1024, hop_length=512, n_mels=128, fmin_hz=50.0, fmax_hz=8000.0)


@family(Front(PROSODY, window_frames=92, hop_frames=8), recipe={"learning_rate": 2e-3, "precision": "auto"})
def hybrid_prosody(labels: tuple[str, ...], front: Front) -> nn.Module:
    """CNN on 3 s of log-mel beside 13 prosodic figures (pitch, jitter, shimmer, energy; 1.1 M parameters)."""
    return HybridProsody(len(labels))
