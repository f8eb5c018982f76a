"""What is done to a whole batch of features while it is learnt from: mixup, other sound and noise underneath, and masks
as in SpecAugment. All of it is another in every epoch and costs next to nothing beside drawing a window.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from babymonitor.core.model.features import FeatureSpec, mel_filters

LOG_MEL = ("log_mel", "log_mel_prosody")
LARGEST_PART = 0.3
"""Of the quieter sound in a mixup: the louder one stays what the window is mostly about."""
WIDEST_BANDS, WIDEST_SECONDS = 1 / 8, 0.2
QUIETEST_CRY_DB, FAINTEST_DB = -5.0, 20.0
"""A cry above the sound that is laid under it: up to 5 dB quieter it is to be heard; and of all, the most."""
LOUDEST_NOISE_DB, QUIETEST_NOISE_DB = 0.0, 20.0
"""The sound above the noise that is laid over it."""


def mixed(features: Tensor, targets: Tensor, share: float, spec: FeatureSpec) -> tuple[Tensor, Tensor]:
    """A share of the batch (B, rows, frames), (B, labels) overlaid with its neighbours as sounds add up.

    Waves are added; log-mels are added in power, the neighbour brought to the same peak first. Rows that are no mel
    bands (pitch, harmonicity) stay those of the louder sound. Zhang, H. et al. (2018), "mixup: beyond empirical risk
    minimization", ICLR.
    """
    count = int(len(features) * share)
    if not count or spec.kind == "spectral":
        return features, targets
    part = torch.rand(count, 1, 1, device=features.device) * LARGEST_PART
    one, other = features[:count], features[-count:].flip(0)
    if spec.kind == "wave":
        level = one.std(2, keepdim=True) / (other.std(2, keepdim=True) + 1e-6)
        both = (1 - part) * one + part * level * other
    else:
        mel, other = one[:, : spec.n_mels], other[:, : spec.n_mels]
        level = mel.amax((1, 2), True) - other.amax((1, 2), True)
        mel = torch.logaddexp(mel + torch.log1p(-part), other + level + torch.log(part + 1e-6))
        both = torch.cat((mel, one[:, spec.n_mels :]), 1)
    soft = (1 - part[:, 0]) * targets[:count] + part[:, 0] * targets[-count:].flip(0)
    return torch.cat((both, features[count:])), torch.cat((soft, targets[count:]))


def masked(features: Tensor, share: float, spec: FeatureSpec) -> Tensor:
    """One run of bands and one of frames hidden behind the window's mean, in a share of (B, rows, frames).

    Park, D. S. et al. (2019), "SpecAugment: a simple data augmentation method for automatic speech recognition".
    """
    if share <= 0 or spec.kind == "spectral":
        return features
    count, rows, frames = features.shape
    on = torch.rand(count, 1, device=features.device) < share
    hidden = _run(count, frames, int(WIDEST_SECONDS * spec.sample_rate / spec.hop_length), on)[:, None, :]
    bands = 0 if spec.kind == "wave" else spec.n_mels
    if bands >= 16:
        # Rows behind the bands are no spectrum: they go with the frames only.
        of_bands = torch.zeros(count, rows, dtype=torch.bool, device=features.device)
        of_bands[:, :bands] = _run(count, bands, int(WIDEST_BANDS * bands), on)
        hidden = hidden | of_bands[:, :, None]
    mean = features.mean(2, keepdim=True) if rows > bands else features.mean((1, 2), True)
    return torch.where(hidden, mean, features)


def _run(count: int, length: int, widest: int, on: Tensor) -> Tensor:
    """(count, length) bool: in each row one run of up to `widest`, somewhere; nothing where it is not on."""
    width = torch.randint(0, max(1, min(widest, length // 4)) + 1, (count, 1), device=on.device)
    at = (torch.rand(count, 1, device=on.device) * (length - width)).long()
    place = torch.arange(length, device=on.device)[None]
    return (place >= at) & (place < at + width) & on


def overlaid(
    features: Tensor, targets: Tensor, share: float, spec: FeatureSpec, crying: Tensor
) -> tuple[Tensor, Tensor]:
    """A share of the batch (B, rows, frames), (B, labels) with its neighbours' sound underneath; the label stays.

    Mixup says of a cry with a fifth of television under it that it is four fifths of a cry. It is a cry: where one of
    two cries it is that one's label that stays, and the other lies underneath, up to 5 dB louder; otherwise the louder
    one's. crying: (labels,) which mean crying. Sound that has no label is left alone, and what is no log-mel; rows that
    are no mel bands stay those of the sound whose label stays.
    """
    count = int(len(features) * share)
    if not count or spec.kind not in LOG_MEL:
        return features, targets
    bands = slice(0, spec.n_mels)
    one, other = features[:count], features[-count:].flip(0)
    first, second = targets[:count], targets[-count:].flip(0)
    cries, beside = first[:, crying].sum(1) > 0.5, second[:, crying].sum(1) > 0.5
    turned = beside & ~cries
    heard = torch.where(turned[:, None, None], other, one)
    under = torch.where(turned[:, None, None], one, other)[:, bands]
    least_db = torch.where(cries ^ beside, QUIETEST_CRY_DB, 0.0)
    above_db = least_db + torch.rand(count, device=features.device) * (FAINTEST_DB - least_db)
    gain = (loudness(heard[:, bands], spec) / loudness(under, spec)).log() - above_db * (math.log(10) / 10)
    heard = torch.cat((torch.logaddexp(heard[:, bands], under + gain[:, None, None]), heard[:, spec.n_mels :]), 1)
    both = (first.sum(1) > 0) & (second.sum(1) > 0)
    heard = torch.where(both[:, None, None], heard, one)
    label = torch.where((turned & both)[:, None], second, first)
    return torch.cat((heard, features[count:])), torch.cat((label, targets[count:]))


def in_noise(features: Tensor, share: float, spec: FeatureSpec) -> Tensor:
    """A share of the batch (B, rows, frames) with steady noise over it, made afresh each time it is learnt from.

    Noise in waves is drawn once for all epochs that share a window, and a network learns that one piece by heart. Noise
    and sound are added in power, as log-mels do; what is no log-mel, and rows that are no mel bands, are left alone.
    White as often as coloured, as loud as the sound's loud half to 20 dB below it.
    """
    count = int(len(features) * share)
    if not count or spec.kind not in LOG_MEL:
        return features
    device, bands = features.device, slice(0, spec.n_mels)
    filters = torch.from_numpy(mel_filters(spec)).to(device)
    hiss = torch.randn(count, spec.samples(features.shape[2]), device=device)
    hann = torch.hann_window(spec.n_fft, device=device)
    bins = torch.stft(hiss, spec.n_fft, spec.hop_length, window=hann, center=False, return_complex=True).abs().square()
    # Power falls with frequency by this exponent: 0 white, 1 pink, 2 brown, -1 blue.
    slope = (torch.rand(count, 1, device=device) * 3.2 - 0.7) * (torch.rand(count, 1, device=device) < 0.5)
    hz = torch.arange(bins.shape[1], device=device).clamp(min=1.0)
    noise = (torch.einsum("nkt,nk,km->nmt", bins, hz**-slope, filters) + spec.floor).log()
    snr_db = torch.rand(count, device=device) * (QUIETEST_NOISE_DB - LOUDEST_NOISE_DB) + LOUDEST_NOISE_DB
    heard = features[-count:].clone()
    gain = (loudness(heard[:, bands], spec) / _powers(noise, spec).mean(1)).log() - snr_db * (math.log(10) / 10)
    heard[:, bands] = torch.logaddexp(heard[:, bands], noise + gain[:, None, None])
    return torch.cat((features[:-count], heard))


def loudness(mel: Tensor, spec: FeatureSpec) -> Tensor:
    """(B, bands, frames) → (B,): mean power of the louder half of the frames: of the sound, not of its pauses."""
    powers = _powers(mel, spec).sort(1).values
    return powers[:, powers.shape[1] // 2 :].mean(1)


def _powers(mel: Tensor, spec: FeatureSpec) -> Tensor:
    """(B, bands, frames) → (B, frames)."""
    # Filters of equal area give densities; times their widths they add up to power. The lowest of many may be empty.
    peaks = torch.from_numpy(mel_filters(spec)).to(mel.device).amax(0)[:, None]
    return (mel.exp() * torch.where(peaks > 0, 1 / peaks, 0)).sum(1)
