"""One log-mel: equal to librosa's, equal to itself for every block size, the same for model, view and trainer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babymonitor.core.model.features import (
    LOWEST_PITCH_HZ,
    MFCC,
    FeatureError,
    FeatureSpec,
    LogMelStream,
    fit_frames,
    front_end,
    log_mel,
)
from trainer.audio import synthetic

PROSODY = FeatureSpec(kind="log_mel_prosody", n_fft=1024, hop_length=512, n_mels=128, fmin_hz=50.0, fmax_hz=8000.0)
VGGISH = FeatureSpec(kind="log_mel_vggish", n_fft=400, hop_length=160, fmin_hz=125.0, fmax_hz=7500.0, floor=0.001)
SPECTRAL = FeatureSpec(kind="spectral", n_fft=1024, hop_length=512, n_mels=128, fmin_hz=0.0, fmax_hz=8000.0)
WAVE = FeatureSpec(kind="wave", n_fft=1, hop_length=1, n_mels=1, fmin_hz=0.0, fmax_hz=8000.0)
EVERY_KIND = [FeatureSpec(), PROSODY, VGGISH, SPECTRAL, WAVE]


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
    streamed, offline = np.concatenate(parts, axis=1), log_mel(wave, spec)
    assert streamed.shape == offline.shape
    assert np.abs(streamed - offline).max(initial=0.0) < 1e-5


def test_a_frame_of_a_recording_equals_the_same_frame_cut_out() -> None:
    spec = FeatureSpec()
    wave = sound(32000)
    offline = log_mel(wave, spec)
    for frame in (0, 17, offline.shape[1] - 1):
        cut = wave[frame * spec.hop_length : frame * spec.hop_length + spec.n_fft]
        assert np.allclose(log_mel(cut, spec)[:, 0], offline[:, frame], atol=1e-5)


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


@pytest.mark.parametrize("spec", EVERY_KIND, ids=lambda spec: spec.kind)
def test_every_front_end_gives_what_its_spec_says(spec: FeatureSpec) -> None:
    wave = sound(16000)
    offline = front_end(wave, spec)
    assert offline.shape == (spec.rows, spec.frames(wave.size))
    assert offline.dtype == np.float32
    assert np.isfinite(offline).all()
    assert front_end(wave[: spec.n_fft - 1], spec).shape == (spec.rows, 0)
    assert np.isfinite(front_end(np.zeros(4000, np.float32), spec)).all()
    assert FeatureSpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize("spec", EVERY_KIND, ids=lambda spec: spec.kind)
def test_a_frame_out_of_a_stream_is_the_frame_of_the_whole(spec: FeatureSpec) -> None:
    wave = sound(16000)
    offline = front_end(wave, spec)
    # Hertz and decibels of a hundred: what is lost to rounding grows with the figure.
    near = 1e-4 * np.maximum(1.0, np.abs(offline).max(axis=1, keepdims=True))
    for first, count in ((0, 1), (7, 3), (offline.shape[1] - 2, 2)):
        start = first * spec.hop_length
        cut = front_end(wave[start : start + spec.samples(count)], spec)
        assert cut.shape == (spec.rows, count)
        assert (np.abs(cut - offline[:, first : first + count]) <= near).all()


def voice(hz: float, slope: float, noise: float) -> np.ndarray:
    """Half a second of a tone with all its harmonics, falling as their number to the power of `slope`, in noise."""
    rng = np.random.default_rng(0)
    time = np.arange(8000) / 16000
    wave = np.zeros(8000)
    for harmonic in range(1, int(7800 / hz) + 1):
        wave += harmonic**-slope * np.sin(2 * np.pi * (harmonic * hz * time + rng.random()))
    return np.asarray(0.5 * wave / np.abs(wave).max() + noise * rng.standard_normal(8000), np.float32)


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_pitch_of_a_harmonic_tone(slope: float, noise: float) -> None:
    for hz in np.geomspace(90, 800, 25):
        pitch, harmonicity = front_end(voice(hz, slope, noise), PROSODY)[-3:-1]
        assert np.abs(LOWEST_PITCH_HZ * 2**pitch / hz - 1).max() < 0.03, hz
        assert harmonicity.min() > 0.9


def test_noise_has_little_harmonicity_at_any_volume() -> None:
    wave = np.random.default_rng(1).standard_normal(48000).astype(np.float32)
    for gain in (0.3, 0.003):
        assert front_end(wave * np.float32(gain), PROSODY)[-2].max() < 0.4


def test_pitch_and_harmonicity_do_not_depend_on_the_volume() -> None:
    wave = voice(300, 1.0, 0.02)
    loud, soft = front_end(wave, PROSODY), front_end(wave * np.float32(0.1), PROSODY)
    assert np.allclose(loud[-3:-1], soft[-3:-1], atol=1e-3)
    assert np.allclose(loud[-1] - soft[-1], np.log(100), atol=1e-2)


def test_pitch_of_a_cry_is_what_pyin_finds() -> None:
    librosa = pytest.importorskip("librosa")
    wave = synthetic.cry(np.random.default_rng(0), 48000)
    theirs, voiced, _ = librosa.pyin(
        wave, fmin=100, fmax=1000, sr=16000, frame_length=1024, hop_length=512, center=False
    )
    pitch, harmonicity = front_end(wave, PROSODY)[-3:-1]
    both = voiced & (harmonicity > 0.5)
    assert both.mean() > 0.6
    semitones = 12 * np.abs(np.log2(LOWEST_PITCH_HZ * 2 ** pitch[both] / theirs[both]))
    assert np.median(semitones) < 0.1
    assert (semitones < 0.5).mean() > 0.95


def test_spectral_equals_librosa() -> None:
    librosa = pytest.importorskip("librosa")
    wave = sound(32000)
    ours = front_end(wave, SPECTRAL)
    frame = {"n_fft": 1024, "hop_length": 512, "center": False}
    mel = librosa.feature.melspectrogram(y=wave, sr=16000, n_mels=128, fmin=0.0, fmax=8000.0, **frame)
    # Without the floor the digital silence would be -100 dB there and minus infinity here.
    decibels = librosa.power_to_db(mel + SPECTRAL.floor, amin=1e-20, top_db=None)
    assert np.abs(ours[:MFCC] - librosa.feature.mfcc(S=decibels, n_mfcc=MFCC)).max() < 0.05
    # Digital silence has no centroid; what either calls it is convention.
    is_audible = ours[-1] > -60
    centroid = librosa.feature.spectral_centroid(y=wave, sr=16000, **frame)[0]
    assert np.abs(ours[MFCC] - centroid)[is_audible].max() < 1.0
    rolloff = librosa.feature.spectral_rolloff(y=wave, sr=16000, **frame)[0]
    assert np.abs(ours[MFCC + 1] - rolloff)[is_audible].max() < 1e-3
    crossings = librosa.feature.zero_crossing_rate(wave, frame_length=1024, hop_length=512, center=False)[0]
    assert np.abs(ours[MFCC + 2] - crossings)[is_audible].max() < 1e-6
    rms = librosa.feature.rms(y=wave, frame_length=1024, hop_length=512, center=False)[0]
    assert np.abs(ours[MFCC + 3] - 20 * np.log10(rms + 1e-10))[is_audible].max() < 1e-3


def test_vggish_mel_equals_its_definition() -> None:
    wave = sound(8000)
    frames = np.stack([wave[at : at + 400] for at in range(0, 8000 - 399, 160)]).astype(np.float64)
    magnitude = np.abs(np.fft.rfft(frames * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)), 512))
    filters = np.zeros((257, 64))
    mel = 1127.0 * np.log(1.0 + np.arange(257) * 16000 / 512 / 700.0)
    low, high = (1127.0 * np.log(1.0 + hz / 700.0) for hz in (125.0, 7500.0))
    width = (high - low) / 65
    for band in range(64):
        centre = low + (band + 1) * width
        filters[:, band] = np.clip(1 - np.abs(mel - centre) / width, 0, None)
    filters[0] = 0.0
    expected = np.log(magnitude @ filters + 0.001).T
    ours = front_end(wave, VGGISH)
    assert ours.shape == expected.shape
    assert np.abs(ours - expected).max() < 1e-3


def test_wave_is_the_samples_themselves() -> None:
    wave = sound(1000)
    assert np.array_equal(front_end(wave, WAVE), wave[None])
    assert WAVE.samples(48000) == 48000
    with pytest.raises(FeatureError):
        FeatureSpec(kind="wave")
    with pytest.raises(FeatureError):
        FeatureSpec(kind="log_mel", n_fft=1, hop_length=1, n_mels=1)
