"""Altering batches of features while they are learnt from: mixup, other sound and noise underneath, SpecAugment's
masks.

Every epoch is altered differently, at next to no cost beside that of drawing a window.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from babymonitor.core.model.features import FeatureSpec, mel_filters

LOG_MEL = ("log_mel", "log_mel_prosody")
LARGEST_PART = 0.3
"""The share of the second sound in a mixup: the first one dominates the window."""
WIDEST_BANDS, WIDEST_SECONDS = 1 / 8, 0.2
QUIETEST_CRY_DB, FAINTEST_DB = -5.0, 20.0
"""Level of a sound above the one laid under it: a cry may be up to 5 dB quieter; 20 dB above is the most for any."""
LOUDEST_NOISE_DB, QUIETEST_NOISE_DB = 0.0, 20.0
"""Level of a sound above the noise laid over it."""


def mixed(features: Tensor, targets: Tensor, share: float, spec: FeatureSpec) -> tuple[Tensor, Tensor]:
    """Mix a share of the batch (B, rows, frames), (B, labels) with other windows of it, as sounds add up.

    Waves are added; log-mels are added in power, the second sound brought to the same peak first. Rows that are no mel
    bands (pitch, harmonicity) stay those of the first sound. Zhang, H. et al. (2018), "mixup: beyond empirical risk
    minimization", ICLR.
    """
    count = int(len(features) * share)
    if not count or spec.kind == "spectral":
        return features, targets
    part = torch.rand(count, 1, 1, device=features.device) * LARGEST_PART
    first, second = features[:count], features[-count:].flip(0)
    if spec.kind == "wave":
        level = first.std(2, keepdim=True) / (second.std(2, keepdim=True) + 1e-6)
        mixture = (1 - part) * first + part * level * second
    else:
        mel, second = first[:, : spec.n_mels], second[:, : spec.n_mels]
        level = mel.amax((1, 2), True) - second.amax((1, 2), True)
        mel = torch.logaddexp(mel + torch.log1p(-part), second + level + torch.log(part + 1e-6))
        mixture = torch.cat((mel, first[:, spec.n_mels :]), 1)
    soft = (1 - part[:, 0]) * targets[:count] + part[:, 0] * targets[-count:].flip(0)
    return torch.cat((mixture, features[count:])), torch.cat((soft, targets[count:]))


def masked(features: Tensor, share: float, spec: FeatureSpec) -> Tensor:
    """Replace one run of bands and one of frames by the window's mean, in a share of (B, rows, frames).

    Park, D. S. et al. (2019), "SpecAugment: a simple data augmentation method for automatic speech recognition".
    """
    if share <= 0 or spec.kind == "spectral":
        return features
    count, rows, frames = features.shape
    chosen = torch.rand(count, 1, device=features.device) < share
    hidden = _runs(chosen, frames, int(WIDEST_SECONDS * spec.sample_rate / spec.hop_length))[:, None, :]
    bands = 0 if spec.kind == "wave" else spec.n_mels
    if bands >= 16:
        # Rows behind the bands are no spectrum: they are masked by frames only.
        hidden_rows = torch.zeros(count, rows, dtype=torch.bool, device=features.device)
        hidden_rows[:, :bands] = _runs(chosen, bands, int(WIDEST_BANDS * bands))
        hidden = hidden | hidden_rows[:, :, None]
    mean = features.mean(2, keepdim=True) if rows > bands else features.mean((1, 2), True)
    return torch.where(hidden, mean, features)


def _runs(chosen: Tensor, length: int, widest: int) -> Tensor:
    """Return (B, length) bool: in each row that is chosen, (B, 1) bool, one run of up to `widest`, anywhere."""
    count, device = len(chosen), chosen.device
    width = torch.randint(0, max(1, min(widest, length // 4)) + 1, (count, 1), device=device)
    start = (torch.rand(count, 1, device=device) * (length - width)).long()
    place = torch.arange(length, device=device)[None]
    return (place >= start) & (place < start + width) & chosen


def overlaid(
    features: Tensor, targets: Tensor, share: float, spec: FeatureSpec, crying: Tensor
) -> tuple[Tensor, Tensor]:
    """Overlay a share of the batch (B, rows, frames), (B, labels) with a second sound without changing the label.

    If only one of the two is crying, its label is kept, and it is up to 5 dB quieter than the other; otherwise the
    louder one's is kept. (Mixup calls a cry with a fifth of television under it four fifths of a cry.) crying:
    (labels,) bool, which labels mean crying. Sound without a label and features that are no log-mel are left alone;
    rows that are no mel bands stay those of the sound whose label is kept.
    """
    count = int(len(features) * share)
    if not count or spec.kind not in LOG_MEL:
        return features, targets
    bands = slice(0, spec.n_mels)
    first, second = features[:count], features[-count:].flip(0)
    first_label, second_label = targets[:count], targets[-count:].flip(0)
    first_cries, second_cries = first_label[:, crying].sum(1) > 0.5, second_label[:, crying].sum(1) > 0.5
    swapped = second_cries & ~first_cries
    upper = torch.where(swapped[:, None, None], second, first)
    lower = torch.where(swapped[:, None, None], first, second)[:, bands]
    least_db = torch.where(first_cries ^ second_cries, QUIETEST_CRY_DB, 0.0)
    above_db = least_db + torch.rand(count, device=features.device) * (FAINTEST_DB - least_db)
    gain = (loudness(upper[:, bands], spec) / loudness(lower, spec)).log() - above_db * (math.log(10) / 10)
    mel = torch.logaddexp(upper[:, bands], lower + gain[:, None, None])
    both_labelled = (first_label.sum(1) > 0) & (second_label.sum(1) > 0)
    overlay = torch.cat((mel, upper[:, spec.n_mels :]), 1)
    overlay = torch.where(both_labelled[:, None, None], overlay, first)
    label = torch.where((swapped & both_labelled)[:, None], second_label, first_label)
    return torch.cat((overlay, features[count:])), torch.cat((label, targets[count:]))


def in_noise(features: Tensor, share: float, spec: FeatureSpec) -> Tensor:
    """Lay steady noise over a share of the batch (B, rows, frames), drawn afresh in every epoch.

    (Noise added to waves is the same in all epochs that share a window, and a network learns it by heart.) Noise and
    sound are added in power. The noise is white as often as coloured, and as loud as the sound's loud half to 20 dB
    below it. Features that are no log-mel, and rows that are no mel bands, are left alone.
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
    noisy = features[-count:].clone()
    gain = (loudness(noisy[:, bands], spec) / _powers(noise, spec).mean(1)).log() - snr_db * (math.log(10) / 10)
    noisy[:, bands] = torch.logaddexp(noisy[:, bands], noise + gain[:, None, None])
    return torch.cat((features[:-count], noisy))


def loudness(mel: Tensor, spec: FeatureSpec) -> Tensor:
    """Return (B,): mean power of the louder half of the frames of (B, bands, frames), so that pauses do not count."""
    powers = _powers(mel, spec).sort(1).values
    return powers[:, powers.shape[1] // 2 :].mean(1)


def _powers(mel: Tensor, spec: FeatureSpec) -> Tensor:
    """Return (B, frames): the power of log-mels (B, bands, frames)."""
    # Filters of equal area give densities; times their widths they add up to power. The lowest filters may be empty.
    peaks = torch.from_numpy(mel_filters(spec)).to(mel.device).amax(0)[:, None]
    return (mel.exp() * torch.where(peaks > 0, 1 / peaks, 0)).sum(1)
