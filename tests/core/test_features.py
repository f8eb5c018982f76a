"""One log-mel: equal to librosa's, equal to itself for every block size, the same for model, view and trainer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babymonitor.core.features import FeatureError, FeatureSpec, LogMelStream, fit_frames, log_mel


def sound(samples: int, seed: int = 0) -> np.ndarray:
    """Noise with a loud and a silent part: both ends of the scale."""
    wave = np.random.default_rng(seed).standard_normal(samples).astype(np.float32) * 0.1
    wave[samples // 3 : samples // 2] = 0
    wave[samples // 2 :] += np.sin(np.arange(samples - samples // 2) * 0.2).astype(np.float32) * 0.8
    return wave


@pytest.mark.parametrize(
    "spec",
    [
        FeatureSpec(),
        FeatureSpec(n_fft=1024, hop_length=512),
        FeatureSpec(n_fft=400, hop_length=160, n_mels=40, fmin_hz=20.0, fmax_hz=8000.0),
        FeatureSpec(sample_rate=22050, n_fft=2048, hop_length=512, n_mels=128, fmin_hz=0.0, fmax_hz=11025.0),
    ],
)
def test_equals_librosa(spec: FeatureSpec) -> None:
    librosa = pytest.importorskip("librosa")
    wave = sound(3 * spec.sample_rate)
    theirs = librosa.feature.melspectrogram(
        y=wave,
        sr=spec.sample_rate,
        n_fft=spec.n_fft,
        hop_length=spec.hop_length,
        center=False,
        n_mels=spec.n_mels,
        fmin=spec.fmin_hz,
        fmax=spec.fmax_hz,
    )
    ours = log_mel(wave, spec)
    assert ours.shape == theirs.shape
    assert np.abs(ours - np.log(theirs + spec.floor)).max() < 1e-3


@given(sizes=st.lists(st.integers(1, 6000), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_equals_itself_for_every_block_size(sizes: list[int]) -> None:
    spec = FeatureSpec()
    wave = sound(sum(sizes) + 1)[: sum(sizes)]
    stream, at, parts = LogMelStream(spec), 0, []
    for size in sizes:
        parts.append(stream.push(wave[at : at + size]))
        at += size
    streamed, whole = np.concatenate(parts, axis=1), log_mel(wave, spec)
    assert streamed.shape == whole.shape
    assert np.abs(streamed - whole).max(initial=0.0) < 1e-5


def test_a_frame_of_a_recording_equals_the_same_frame_cut_out() -> None:
    spec = FeatureSpec()
    wave = sound(32000)
    whole = log_mel(wave, spec)
    for frame in (0, 17, whole.shape[1] - 1):
        cut = wave[frame * spec.hop_length : frame * spec.hop_length + spec.n_fft]
        assert np.allclose(log_mel(cut, spec)[:, 0], whole[:, frame], atol=1e-5)


def test_frames_and_samples_agree() -> None:
    spec = FeatureSpec()
    assert spec.frames(spec.n_fft - 1) == 0
    assert log_mel(np.zeros(spec.n_fft - 1, np.float32), spec).shape == (64, 0)
    for frames in (1, 2, 124):
        assert spec.frames(spec.samples(frames)) == frames
        assert spec.frames(spec.samples(frames) - 1) == frames - 1
    assert spec.samples(124) == 32000


def test_reset_forgets() -> None:
    spec, stream = FeatureSpec(), LogMelStream(FeatureSpec())
    stream.push(sound(700))
    stream.reset()
    assert np.allclose(stream.push(sound(2000, 1)), log_mel(sound(2000, 1), spec), atol=1e-5)


def test_a_short_window_is_mirrored_not_padded_with_silence() -> None:
    mel = log_mel(sound(8000), FeatureSpec())
    window = fit_frames(mel, 124)
    assert window.shape == (64, 124)
    assert np.array_equal(window[:, -mel.shape[1] :], mel)
    assert window.min() >= mel.min()
    assert np.array_equal(fit_frames(mel, 5), mel[:, -5:])
    with pytest.raises(ValueError, match="without a single frame"):
        fit_frames(mel[:, :0], 124)


def test_a_spec_survives_the_file_and_is_all_or_nothing() -> None:
    spec = FeatureSpec(n_mels=40)
    assert FeatureSpec.from_dict(spec.to_dict()) == spec
    for broken in (
        {key: value for key, value in spec.to_dict().items() if key != "floor"},
        {**spec.to_dict(), "extra": 1},
        {**spec.to_dict(), "kind": "mfcc"},
        {**spec.to_dict(), "hop_length": 0},
        {**spec.to_dict(), "fmax_hz": 9000.0},
        {**spec.to_dict(), "n_mels": "many"},
        {**spec.to_dict(), "floor": 0.0},
    ):
        with pytest.raises(FeatureError):
            FeatureSpec.from_dict(broken)
