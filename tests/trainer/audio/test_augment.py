"""Augmentation of sound and of batches: each change does what it says, and has its own switch."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import torch

from babymonitor.core.model.features import FeatureSpec, log_mel, mel_filters
from trainer.audio import augment, synthetic
from trainer.training import batch_augment
from trainer.training.batch_augment import in_noise, loudness, masked, mixed, overlaid

RATE = 16000


def tone(hz: float, seconds: float = 2.0) -> np.ndarray:
    return np.asarray(0.3 * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE), np.float32)


def pitch(wave: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(wave * np.hanning(wave.size))).argmax() * RATE / wave.size)


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
def test_stretching_changes_the_length_and_not_the_pitch(factor: float) -> None:
    stretched = augment.stretch(tone(440), factor)
    assert stretched.size == pytest.approx(32000 * factor, abs=2)
    assert pitch(stretched) == pytest.approx(440, abs=2)
    assert augment.rms(stretched) == pytest.approx(augment.rms(tone(440)), rel=0.15)


def test_stretching_ends_with_the_last_pair_of_frames_however_its_steps_are_rounded() -> None:
    factor = 1.1280000127363234  # 141 steps of 1 / factor are 125 in single precision: one pair too many
    assert augment.stretch(tone(440), factor).size == int(32000 * factor)


@pytest.mark.parametrize("semitones", [-2.5, 1.0, 2.5])
def test_shifting_changes_the_pitch_and_not_the_length(semitones: float) -> None:
    shifted = augment.shift_pitch(tone(440), semitones)
    assert shifted.size == pytest.approx(32000, abs=2)
    assert pitch(shifted) == pytest.approx(440 * 2 ** (semitones / 12), rel=0.005)


def test_every_augmentation_is_a_switch() -> None:
    names = {field.name for field in fields(augment.Strength)}
    for name in names:
        switched = augment.strength_of(f"none,{name}=0.5")
        assert {key for key in names if getattr(switched, key)} == {name}
    assert augment.strength_of("night") == augment.NIGHT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("day", "day"),
        ("night,echo=1", "echo"),
        ("night,room=2", "share of 'room'"),
        ("night,room", "share of 'room'"),
        ("night,room=nan", "share of 'room'"),
    ],
)
def test_an_augmentation_that_does_not_exist_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        augment.strength_of(text)


def test_noise_is_as_loud_as_requested() -> None:
    rng = np.random.default_rng(0)
    under = np.asarray(rng.standard_normal(32000), np.float32)
    for snr_db in (20.0, 0.0):
        left = augment.add(tone(440), under, snr_db) - tone(440)
        assert 20 * np.log10(augment.rms(tone(440)) / augment.rms(left)) == pytest.approx(snr_db, abs=0.1)


def test_mixup_of_log_mels_is_mixup_of_sound() -> None:
    """Two tones mixed: each keeps its place, and the targets give their shares."""
    torch.manual_seed(0)
    spec = FeatureSpec()
    mels = torch.from_numpy(np.stack([log_mel(tone(hz), spec) for hz in (400.0, 3000.0)]))
    features, targets = mixed(mels, torch.eye(2), 1.0, spec)
    assert torch.allclose(targets.sum(1), torch.ones(2))
    assert 0.7 <= float(targets[0, 0]) <= 1.0
    loud = features[0].mean(1) > mels[0].mean(1) + 3
    assert bool(loud.any())
    assert set(loud.nonzero().flatten().tolist()) <= set(
        (mels[1].mean(1) > mels[0].mean(1)).nonzero().flatten().tolist()
    )
    assert torch.allclose(features[0].amax(), mels[0].amax(), atol=0.4)


CRYING = torch.tensor([True, False])


def test_a_cry_with_other_sound_over_it_is_still_a_cry() -> None:
    """Powers add. The label is the cry's, even if the other sound is up to 5 dB louder; of two others, the louder's."""
    torch.manual_seed(0)
    spec = FeatureSpec()
    low, high = (torch.from_numpy(log_mel(tone(hz), spec)) for hz in (300, 2000))
    cry, background = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
    for swapped in (False, True):
        rows = [(low, cry), (high, background)][:: -1 if swapped else 1] * 100
        features, targets = (torch.stack(column) for column in zip(*rows, strict=True))
        overlays, labels = overlaid(features, targets, 1.0, spec, CRYING)
        assert torch.equal(labels, cry.expand(200, 2))
        under_db = [
            10 * np.log10(float(loudness((overlay.exp() - low.exp()).clamp(min=1e-9).log()[None], spec)))
            for overlay in overlays
        ]
        above_db = 10 * np.log10(float(loudness(low[None], spec))) - np.array(under_db)
        assert -5.5 < above_db.min() < -3
        assert 18 < above_db.max() < 20.5
    alike, labels = overlaid(torch.stack([low, high] * 50), background.expand(100, 2), 1.0, spec, CRYING)
    assert torch.equal(labels, background.expand(100, 2))
    assert bool((loudness(alike, spec) <= 2.01 * loudness(low[None], spec).max()).all())


def test_an_overlay_spares_sound_without_a_label_and_raw_waves() -> None:
    torch.manual_seed(0)
    spec = FeatureSpec(kind="log_mel_prosody")
    features, labels = torch.randn(8, spec.rows, 100), torch.eye(2)[[0, 1, 0, 1, 0, 1, 0, 1]]
    overlays, same = overlaid(features, labels, 0.5, spec, CRYING)
    assert torch.equal(overlays[4:], features[4:])
    assert not torch.equal(overlays[:4], features[:4])
    # Pitch and harmonicity belong to the sound whose label is kept. The last of eight is laid over the first, etc.
    assert torch.equal(overlays[1, spec.n_mels :], features[6, spec.n_mels :])
    assert torch.equal(same[:4, 0], torch.ones(4))
    labels[7] = 0.0
    overlays, same = overlaid(features, labels, 0.5, spec, CRYING)
    assert torch.equal(overlays[0], features[0])
    assert torch.equal(same[0], labels[0])
    raw = FeatureSpec(kind="wave", n_fft=1, hop_length=1, n_mels=1, fmin_hz=0.0, fmax_hz=8000.0)
    assert torch.equal(overlaid(features[:, :1], labels, 0.5, raw, CRYING)[0], features[:, :1])


def test_noise_over_log_mels_is_noise_over_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """White noise as loud as a tone: each band is as loud and as unsteady as if the waves had been added."""
    monkeypatch.setattr(batch_augment, "LOUDEST_NOISE_DB", 0.0)
    monkeypatch.setattr(batch_augment, "QUIETEST_NOISE_DB", 0.0)
    torch.manual_seed(0)
    spec, rng = FeatureSpec(), np.random.default_rng(0)
    wave = tone(440) * np.repeat(np.float32([1.0, 0.001]), RATE)
    added = [log_mel(augment.add(wave, synthetic.coloured(rng, wave.size, 0.0), 0.0), spec) for _ in range(16)]
    mel = torch.from_numpy(log_mel(wave, spec))
    noisy = in_noise(mel.repeat(64, 1, 1), 1.0, spec).numpy()
    expected = np.mean(added, 0).mean(1)
    # Half of the noises are white; the rest are louder in the low bands.
    white = np.abs(noisy.mean(2) - expected).max(1) < 0.5
    assert 0.3 < white.mean() < 0.7
    assert noisy[white].std(2).mean(0) == pytest.approx(np.std(added, 2).mean(0), abs=0.25)


def test_noise_is_laid_over_its_share_and_is_always_different() -> None:
    torch.manual_seed(0)
    spec = FeatureSpec(kind="log_mel_prosody")
    features = torch.zeros(8, spec.rows, 100)
    once, again = in_noise(features, 0.5, spec), in_noise(features, 0.5, spec)
    assert torch.equal(once[:4], features[:4])
    assert bool((once[4:, : spec.n_mels] > 0).all())
    assert not torch.equal(once[4:], again[4:])
    # Pitch and harmonicity are not bands.
    assert torch.equal(once[:, spec.n_mels :], features[:, spec.n_mels :])
    raw = FeatureSpec(kind="wave", n_fft=1, hop_length=1, n_mels=1, fmin_hz=0.0, fmax_hz=8000.0)
    assert torch.equal(in_noise(features[:, :1], 0.5, raw), features[:, :1])
    narrow = FeatureSpec(n_fft=256, hop_length=128, n_mels=128)
    assert bool((mel_filters(narrow).max(0) == 0).any()), "there is a band without a bin"
    assert bool(in_noise(torch.zeros(2, 128, 50), 1.0, narrow).isfinite().all())


@pytest.mark.parametrize("kind", ["log_mel", "wave", "log_mel_prosody"])
def test_masks_hide_a_little_and_nothing_else(kind: str) -> None:
    torch.manual_seed(1)
    spec = (
        FeatureSpec(kind="wave", n_fft=1, hop_length=1, n_mels=1, fmin_hz=0.0, fmax_hz=8000.0)
        if kind == "wave"
        else FeatureSpec(kind=kind, n_fft=1024, hop_length=512)
    )
    features = torch.randn(16, spec.rows, 8000 if kind == "wave" else 90)
    hidden = (masked(features, 1.0, spec) != features).float().mean((1, 2))
    assert 0 < float(hidden.mean()) < 0.35
    assert torch.equal(masked(features, 0.0, spec), features)
    if kind == "log_mel_prosody":
        # Pitch and harmonicity are not bands: they are only hidden together with all bands of a frame.
        by_row = (masked(features, 1.0, spec) != features)[:, spec.n_mels :].all(1) | ~(
            masked(features, 0.0, spec) != features
        )[:, spec.n_mels :].any(1)
        assert bool(by_row.all())
