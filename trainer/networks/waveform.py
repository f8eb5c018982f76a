"""Networks on the raw wave."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from babymonitor.core.model.features import FeatureSpec
from trainer.networks.network import Network
from trainer.networks.registry import Front, family


class WaveNormalised(nn.Module):
    """(B, 1, samples) → (B, 1, samples) without offset and with a mean square of 1, whatever the volume."""

    def forward(self, wave: Tensor) -> Tensor:
        wave = wave - wave.mean(dim=2, keepdim=True)
        # 1e-10 is -100 dB, so digital silence stays silent.
        return wave * torch.rsqrt((wave * wave).mean(dim=2, keepdim=True) + 1e-10)


def _convolved(inputs: int, outputs: int, kernel: int, pool: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm1d(outputs),
        nn.ReLU(),
        nn.MaxPool1d(pool),
    )


class SimpleCnnAudio(Network):
    """Three filter banks of 2.5, 10 and 40 ms in parallel, then five 1-D convolutions; mean and maximum over time.

    Several filter lengths, because what is short in time is wide in frequency and vice versa: Zhu, Z., Engel, J. and
    Hannun, A. (2016), "Learning multiscale features directly from waveforms", Interspeech.
    """

    def __init__(self, labels: int) -> None:
        super().__init__(768, labels, dropout=0.3)
        self.normalise = WaveNormalised()
        self.scales = nn.ModuleList(
            nn.Conv1d(1, 32, kernel, stride=16, padding=kernel // 2, bias=False) for kernel in (41, 161, 641)
        )
        # Magnitudes rather than the positive half: a filter's sign only depends on where in a period the frame begins.
        self.scaled = nn.Sequential(nn.MaxPool1d(8), nn.BatchNorm1d(96))
        self.body = nn.Sequential(
            _convolved(96, 128, 9, 4),
            _convolved(128, 256, 5, 2),
            _convolved(256, 512, 5, 2),
            _convolved(512, 768, 5, 1),
            _convolved(768, 384, 5, 1),
        )

    def embed(self, features: Tensor) -> Tensor:
        wave = self.normalise(features)
        x = torch.cat([scale(wave) for scale in self.scales], dim=1).abs()
        x = self.body(self.scaled(torch.log1p(10.0 * x)))
        return torch.cat((x.mean(dim=2), x.amax(dim=2)), dim=1)


WAVE = FeatureSpec(kind="wave", n_fft=1, hop_length=1, n_mels=1, fmin_hz=0.0, fmax_hz=8000.0)


@family(Front(WAVE, window_frames=48000, hop_frames=4096), recipe={"learning_rate": 1e-3, "precision": "auto"})
def simple_cnn_audio(labels: tuple[str, ...], front: Front) -> nn.Module:
    """Multi-scale 1-D CNN (4.5 M parameters) on 3 s of the raw wave."""
    return SimpleCnnAudio(len(labels))
