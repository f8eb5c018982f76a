"""Front ends: from samples to the features a model sees. Used by the live view, the detector and the trainer alike.

Frames are computed without padding (`center=False`): frame *i* covers exactly the samples
``[i * hop, i * hop + n_fft)``, so that a frame from a running stream equals the same frame of the complete recording.
Centred frames differ at the edges by several log units, which changes a network's output.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.messages import Code, PersonError
from babymonitor.core.sound.wave import Wave

Mel = npt.NDArray[np.float32]
"""The output of a front end: a row per band (or other quantity), a column per frame."""
MFCC = 40
"""Cepstral coefficients of the front end ``"spectral"``."""
LOWEST_PITCH_HZ, HIGHEST_PITCH_HZ = 75.0, 1000.0
"""The range in which ``"log_mel_prosody"`` searches for pitch: from a man's voice to a shrieking child."""
OCTAVE_COST = 0.05
"""By how much the correlation of a pitch an octave lower must be higher for it to be chosen."""


class FeatureError(PersonError, ValueError):
    """A front end unknown to this version, or described with missing or impossible numbers."""


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """The front end of a model, as written into the model file. Reading it requires every field: no silent defaults.

    kind: the contents of a frame, see `front_end`:
        ``"log_mel"``: natural logarithm of Slaney-normalised mel power, floored; n_mels rows.
        ``"log_mel_prosody"``: the same with three further rows: pitch, harmonicity, energy; n_mels + 3 rows.
        ``"log_mel_vggish"``: natural logarithm of HTK-mel magnitude, as in YAMNet and VGGish; n_mels rows.
        ``"spectral"``: 40 MFCC of n_mels bands, centroid, roll-off, zero crossings, RMS; 44 rows.
        ``"wave"``: the samples themselves, one per frame (n_fft = hop_length = n_mels = 1); 1 row.
    n_fft: samples in a (periodic) Hann window, also the length of the transform.
    hop_length: samples between frames.
    floor: power added before the logarithm; smaller differences vanish.
    """

    kind: str = "log_mel"
    sample_rate: int = 16000
    n_fft: int = 512
    hop_length: int = 256
    n_mels: int = 64
    fmin_hz: float = 125.0
    fmax_hz: float = 7600.0
    floor: float = 1e-10

    def __post_init__(self) -> None:
        if self.kind not in _FRONT_ENDS:
            raise FeatureError(Code.FEATURES_UNKNOWN, kind=self.kind)
        shape = (self.hop_length, self.n_fft, self.n_mels)
        if (shape == (1, 1, 1)) != (self.kind == "wave"):
            raise FeatureError(Code.FEATURES_FRAMES_WRONG)
        shortest = 1 if self.kind == "wave" else 8
        if not (shortest <= self.hop_length <= self.n_fft <= 8192 and 4000 <= self.sample_rate <= 48000):
            raise FeatureError(Code.FEATURES_WINDOW_WRONG)
        if self.kind == "log_mel_prosody" and self.n_fft < 2 * self.sample_rate / HIGHEST_PITCH_HZ:
            raise FeatureError(Code.FEATURES_WINDOW_TOO_SHORT)
        if not (1 <= self.n_mels <= 256 and 0 <= self.fmin_hz < self.fmax_hz <= self.sample_rate / 2):
            raise FeatureError(Code.FEATURES_BANDS_WRONG)
        if not 0 < self.floor < 1:
            raise FeatureError(Code.FEATURES_FLOOR_WRONG)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FeatureSpec:
        """The spec as read from a model file. Raises FeatureError for a missing, unknown or impossible field."""
        names = {field.name for field in fields(cls)}
        if set(values) != names:
            wrong_names = ", ".join(sorted(names ^ set(values)))
            raise FeatureError(Code.FEATURES_INCOMPLETE, names=wrong_names)
        try:
            return cls(**values)
        except TypeError as error:
            raise FeatureError(Code.FEATURES_NOT_NUMBERS) from error

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def rows(self) -> int:
        """Numbers per frame."""
        if self.kind == "spectral":
            return MFCC + 4
        return self.n_mels + 3 if self.kind == "log_mel_prosody" else self.n_mels

    def frames(self, samples: int) -> int:
        """The number of complete frames in `samples` samples."""
        return max(0, (samples - self.n_fft) // self.hop_length + 1)

    def samples(self, frames: int) -> int:
        """The number of samples that `frames` consecutive frames cover."""
        return 0 if frames <= 0 else (frames - 1) * self.hop_length + self.n_fft


def _hz_to_mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The mel scale of Slaney, M. (1998), Auditory Toolbox: linear up to 1 kHz, logarithmic above."""
    linear = hz * 3.0 / 200.0
    return np.where(hz < 1000.0, linear, 15.0 + np.log(np.maximum(hz, 1e-9) / 1000.0) * 27.0 / np.log(6.4))


def _mel_to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0))


@lru_cache(maxsize=8)
def mel_filters(spec: FeatureSpec) -> npt.NDArray[np.float32]:
    """Triangular mel filters of equal area, (n_fft // 2 + 1, n_mels): librosa's ``filters.mel``, transposed."""
    ends = _hz_to_mel(np.array([spec.fmin_hz, spec.fmax_hz]))
    corners = _mel_to_hz(np.linspace(ends[0], ends[1], spec.n_mels + 2))
    bins = np.fft.rfftfreq(spec.n_fft, 1.0 / spec.sample_rate)
    ramps = corners[:, None] - bins[None, :]
    widths = np.diff(corners)
    rising = -ramps[:-2] / widths[:-1, None]
    falling = ramps[2:] / widths[1:, None]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights *= (2.0 / (corners[2:] - corners[:-2]))[:, None]
    return np.ascontiguousarray(weights.T, dtype=np.float32)


@lru_cache(maxsize=8)
def _hann(length: int) -> npt.NDArray[np.float32]:
    return np.asarray(0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length), dtype=np.float32)


def _framed(wave: Wave, spec: FeatureSpec) -> npt.NDArray[np.float32]:
    """The frames of a wave as a view, (frames, n_fft)."""
    wave = np.ascontiguousarray(wave, dtype=np.float32)
    return np.lib.stride_tricks.sliding_window_view(wave, spec.n_fft)[:: spec.hop_length]


def _power(frames: npt.NDArray[np.float32], spec: FeatureSpec) -> npt.NDArray[np.float32]:
    spectrum = np.fft.rfft(frames * _hann(spec.n_fft), axis=1)
    return np.asarray(spectrum.real**2 + spectrum.imag**2, np.float32)


def log_mel(wave: Wave, spec: FeatureSpec) -> Mel:
    """Log-mel frames of a wave, (samples,) float32 in [-1, 1] at `spec.sample_rate`: (n_mels, frames) float32.

    Equal to ``np.log(librosa.feature.melspectrogram(y=wave, sr=…, n_fft=…, hop_length=…, center=False, …) + floor)``
    within 1e-3 (float32 arithmetic in both). A wave shorter than a frame gives (n_mels, 0).
    """
    if spec.frames(wave.size) == 0:
        return np.zeros((spec.n_mels, 0), np.float32)
    mel = _power(_framed(wave, spec), spec) @ mel_filters(spec)
    return np.ascontiguousarray(np.log(mel + np.float32(spec.floor)).T)


@lru_cache(maxsize=8)
def _correlation_of_window(n_fft: int, lags: int) -> npt.NDArray[np.float64]:
    """Autocorrelation of the Hann window at the first `lags` half-sample lags, (lags,), normalised to 1 at lag 0."""
    correlation = np.fft.irfft(np.abs(np.fft.rfft(_hann(n_fft), 2 * n_fft)) ** 2, 4 * n_fft)[:lags]
    return np.asarray(correlation / correlation[0], np.float64)


def _pitch(frames: npt.NDArray[np.float32], spec: FeatureSpec) -> tuple[npt.NDArray[np.floating[Any]], ...]:
    """Pitch (octaves above 75 Hz) and harmonicity of frames (frames, n_fft): two arrays (frames,).

    The autocorrelation is sampled at half-sample lags and its peaks are interpolated by parabolas. At full-sample lags
    the third period of 750 Hz (64.0 samples) is higher than the first (21.3), and the pitch comes out as 250 Hz.
    """
    longest = 2 * min(int(spec.sample_rate / LOWEST_PITCH_HZ) + 1, spec.n_fft // 2)
    shortest = 2 * int(spec.sample_rate / HIGHEST_PITCH_HZ)
    centred = (frames - frames.mean(axis=1, keepdims=True)) * _hann(spec.n_fft)
    spectrum = np.fft.rfft(centred, 2 * spec.n_fft, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    correlation = np.fft.irfft(power, 4 * spec.n_fft, axis=1)[:, : longest + 2]
    correlation = correlation / (correlation[:, :1] + spec.floor) / _correlation_of_window(spec.n_fft, longest + 2)
    before = correlation[:, shortest - 1 : longest]
    middle = correlation[:, shortest : longest + 1]
    after = correlation[:, shortest + 1 : longest + 2]
    rise, bend = 0.5 * (before - after), np.minimum(before - 2 * middle + after, -1e-9)
    peaks = (middle >= before) & (middle >= after)
    heights = np.where(peaks, middle - 0.5 * rise**2 / bend, 0.0)
    # Long lags cost a little, or a pitch an octave too low would score as high as the true one.
    lags = np.arange(shortest, longest + 1)
    best = np.where(peaks, heights - OCTAVE_COST * np.log2(lags / shortest), -np.inf).argmax(axis=1)
    row = np.arange(len(best))
    lag = lags[best] + np.where(peaks[row, best], np.clip(rise[row, best] / bend[row, best], -0.5, 0.5), 0.0)
    pitch = np.log2(2.0 * spec.sample_rate / lag / LOWEST_PITCH_HZ)
    return pitch, np.clip(heights[row, best], 0.0, 1.0)


def _log_mel_prosody(wave: Wave, spec: FeatureSpec) -> Mel:
    """Log-mel, then per frame: pitch (octaves above 75 Hz), harmonicity in [0, 1], log power.

    Pitch and harmonicity are the highest peak of the autocorrelation, divided by that of the window: Boersma, P.
    (1993), "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a sampled
    sound", IFA Proceedings 17. The harmonics-to-noise ratio is h / (1 - h). There is no path search across frames:
    weight the pitch by the harmonicity.
    """
    frames = _framed(wave, spec)
    power = _power(frames, spec)
    mel = np.log(power @ mel_filters(spec) + np.float32(spec.floor))
    pitch, harmonicity = _pitch(frames, spec)
    loudness = np.log((frames**2).mean(axis=1) + spec.floor)
    return np.ascontiguousarray(np.column_stack((mel, pitch, harmonicity, loudness)).T, np.float32)


@lru_cache(maxsize=8)
def htk_filters(spec: FeatureSpec) -> npt.NDArray[np.float32]:
    """Triangular filters of height 1 on the HTK mel scale without bin 0, (transform // 2 + 1, n_mels)."""

    def to_mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return 1127.0 * np.log1p(hz / 700.0)

    ends = to_mel(np.array([spec.fmin_hz, spec.fmax_hz]))
    corners = np.linspace(ends[0], ends[1], spec.n_mels + 2)
    hz = np.asarray(np.fft.rfftfreq(_transform(spec.n_fft), 1.0 / spec.sample_rate), np.float64)
    bins = to_mel(hz)[:, None]
    rising = (bins - corners[:-2]) / np.diff(corners)[:-1]
    falling = (corners[2:] - bins) / np.diff(corners)[1:]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    return np.asarray(weights, np.float32)


def _transform(n_fft: int) -> int:
    return 1 << (n_fft - 1).bit_length()


def _log_mel_vggish(wave: Wave, spec: FeatureSpec) -> Mel:
    """Log-mel as in the AudioSet models: n_fft samples in a transform of the next power of two, magnitude, HTK mel.

    Hershey, S. et al. (2017), "CNN architectures for large-scale audio classification", and the features.py of YAMNet.
    """
    spectrum = np.abs(np.fft.rfft(_framed(wave, spec) * _hann(spec.n_fft), _transform(spec.n_fft), axis=1))
    mel = spectrum.astype(np.float32) @ htk_filters(spec)
    return np.ascontiguousarray(np.log(mel + np.float32(spec.floor)).T)


@lru_cache(maxsize=8)
def _cosines(bands: int, count: int) -> npt.NDArray[np.float32]:
    """The orthonormal type-II cosine transform, (bands, count)."""
    table = np.cos(np.pi / bands * np.outer(np.arange(bands) + 0.5, np.arange(count))) * np.sqrt(2.0 / bands)
    table[:, 0] /= np.sqrt(2.0)
    return np.asarray(table, np.float32)


def _spectral(wave: Wave, spec: FeatureSpec) -> Mel:
    """MFCC (cosine transform of mel power in dB), centroid (Hz), roll-off (Hz, 85 %), zero crossings, RMS (dB).

    The same as librosa's mfcc (with ``top_db=None``), spectral_centroid, spectral_rolloff, zero_crossing_rate; RMS in
    decibels.
    """
    frames = _framed(wave, spec)
    power = _power(frames, spec)
    decibels = 10.0 * np.log10(power @ mel_filters(spec) + np.float32(spec.floor))
    hz = np.fft.rfftfreq(spec.n_fft, 1.0 / spec.sample_rate).astype(np.float32)
    magnitude = np.sqrt(power)
    total = magnitude.sum(axis=1, keepdims=True)
    centroid = (magnitude @ hz[:, None]) / np.maximum(total, 1e-10)
    rolloff = hz[(np.cumsum(magnitude, axis=1) >= 0.85 * total).argmax(axis=1)][:, None]
    crossings = (np.signbit(frames[:, 1:]) != np.signbit(frames[:, :-1])).sum(axis=1, keepdims=True) / spec.n_fft
    rms = 10.0 * np.log10((frames**2).mean(axis=1, keepdims=True) + spec.floor)
    rows = np.column_stack((decibels @ _cosines(spec.n_mels, MFCC), centroid, rolloff, crossings, rms))
    return np.ascontiguousarray(rows.T, np.float32)


def _wave(wave: Wave, spec: FeatureSpec) -> Mel:
    return np.ascontiguousarray(wave, np.float32)[None]


_FRONT_ENDS: dict[str, Callable[[Wave, FeatureSpec], Mel]] = {
    "log_mel": log_mel,
    "log_mel_prosody": _log_mel_prosody,
    "log_mel_vggish": _log_mel_vggish,
    "spectral": _spectral,
    "wave": _wave,
}


def front_end(wave: Wave, spec: FeatureSpec) -> Mel:
    """The input of a model with this spec: (samples,) float32 at `spec.sample_rate` to (spec.rows, frames) float32.

    A wave shorter than a frame gives (rows, 0).
    """
    if spec.frames(wave.size) == 0:
        return np.zeros((spec.rows, 0), np.float32)
    return _FRONT_ENDS[spec.kind](wave, spec)


def fit_frames(mel: Mel, frames: int) -> Mel:
    """The last `frames` columns of a mel, extended on the left by mirroring if there are fewer.

    Mirrored, because a window that begins before the sound must still look like sound, and zeros do not. Raises
    ValueError for a mel without frames.
    """
    if mel.shape[1] == 0:
        raise ValueError("A mel without a single frame cannot be fitted.")
    missing = frames - mel.shape[1]
    if missing > 0:
        return np.pad(mel, ((0, 0), (missing, 0)), mode="symmetric")
    return mel[:, mel.shape[1] - frames :]


class LogMelStream:
    """Log-mel of a stream in blocks of any size; the frames equal those of `log_mel` on the complete sound."""

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self._rest = np.zeros(0, np.float32)

    def push(self, block: Wave) -> Mel:
        """Add a block (samples,); returns the frames it completes, (n_mels, 0 or more)."""
        wave = np.concatenate((self._rest, block)) if self._rest.size else block
        mel = log_mel(wave, self.spec)
        self._rest = wave[mel.shape[1] * self.spec.hop_length :].copy()
        return mel

    def reset(self) -> None:
        """Forget the sound so far, because the next block does not follow it."""
        self._rest = np.zeros(0, np.float32)
