"""Turning sound into what a model sees: the only code that does so, for the live view, the detector and the trainer.

Every frame is computed without padding (`center=False`): frame *i* covers samples ``[i * hop, i * hop + n_fft)`` and
nothing else, so that a frame cut out of a running stream equals the same frame of the whole recording. Centred frames
differ at the edges by several log units, and a network hears that.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Wave = npt.NDArray[np.float32]
Mel = npt.NDArray[np.float32]


class FeatureError(ValueError):
    """A front end that this version does not know, or one described with missing or impossible numbers."""


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """The front end of a model, as it is written into the model file. All of it or none: there are no silent defaults.

    kind: ``"log_mel"``: natural logarithm of Slaney-normalised mel power, floored.
    n_fft: samples of one (periodic) Hann window, also the length of the transform.
    hop_length: samples between frames.
    floor: power below which nothing is told apart, added before the logarithm.
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
        if self.kind != "log_mel":
            raise FeatureError(f"the front end '{self.kind}' is not known to this version")
        if not (8 <= self.hop_length <= self.n_fft <= 8192 and 4000 <= self.sample_rate <= 48000):
            raise FeatureError("the front end's window, hop or sampling rate is impossible")
        if not (1 <= self.n_mels <= 256 and 0 <= self.fmin_hz < self.fmax_hz <= self.sample_rate / 2):
            raise FeatureError("the front end's mel bands are impossible")
        if not 0 < self.floor < 1:
            raise FeatureError("the front end's floor is impossible")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FeatureSpec:
        """The spec as read from a model file; FeatureError when a number is missing or one too many is there."""
        names = {field.name for field in fields(cls)}
        if set(values) != names:
            odd = ", ".join(sorted(names ^ set(values)))
            raise FeatureError(f"the front end is not wholly described ({odd})")
        try:
            return cls(**values)
        except TypeError as error:
            raise FeatureError("the front end is described with something that is no number") from error

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def frames(self, samples: int) -> int:
        """How many whole frames `samples` samples hold."""
        return max(0, (samples - self.n_fft) // self.hop_length + 1)

    def samples(self, frames: int) -> int:
        """How many samples `frames` consecutive frames cover."""
        return 0 if frames <= 0 else (frames - 1) * self.hop_length + self.n_fft


def _hz_to_mel(hz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Slaney's Auditory Toolbox scale: linear to 1 kHz, then logarithmic."""
    linear = hz * 3.0 / 200.0
    return np.where(hz < 1000.0, linear, 15.0 + np.log(np.maximum(hz, 1e-9) / 1000.0) * 27.0 / np.log(6.4))


def _mel_to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0))


@lru_cache(maxsize=8)
def mel_filters(spec: FeatureSpec) -> npt.NDArray[np.float32]:
    """Triangular mel filters of equal area, shape (n_fft // 2 + 1, n_mels); librosa's ``filters.mel`` transposed."""
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


def log_mel(wave: Wave, spec: FeatureSpec) -> Mel:
    """Log-mel frames of a wave: (samples,) float32 in [-1, 1] at `spec.sample_rate` → (n_mels, frames) float32.

    Equal to ``np.log(librosa.feature.melspectrogram(y=wave, sr=…, n_fft=…, hop_length=…, center=False, …) + floor)``
    within 1e-3 (float32 arithmetic in both); a wave shorter than one frame gives (n_mels, 0).
    """
    wave = np.ascontiguousarray(wave, dtype=np.float32)
    if spec.frames(wave.size) == 0:
        return np.zeros((spec.n_mels, 0), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(wave, spec.n_fft)[:: spec.hop_length]
    spectrum = np.fft.rfft(frames * _hann(spec.n_fft), axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    mel = power @ mel_filters(spec)
    return np.ascontiguousarray(np.log(mel + np.float32(spec.floor)).T)


def fit_frames(mel: Mel, frames: int) -> Mel:
    """The last `frames` columns of a mel; what is missing on the left is filled by mirroring what is there.

    A window that begins before its sound does must look like sound: zeros on the left would be a sound of their own.
    """
    if mel.shape[1] == 0:
        raise ValueError("A mel without a single frame cannot be fitted.")
    short = frames - mel.shape[1]
    if short > 0:
        return np.pad(mel, ((0, 0), (short, 0)), mode="symmetric")
    return mel[:, mel.shape[1] - frames :]


class LogMelStream:
    """Log-mel of a stream that comes in blocks of any size: gives the same frames as `log_mel` on the whole of it."""

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self._rest = np.zeros(0, np.float32)

    def push(self, block: Wave) -> Mel:
        """Add (samples,) of sound; the frames that it completes, (n_mels, 0 or more)."""
        wave = np.concatenate((self._rest, block)) if self._rest.size else block
        mel = log_mel(wave, self.spec)
        self._rest = wave[mel.shape[1] * self.spec.hop_length :].copy()
        return mel

    def reset(self) -> None:
        """Forget the sound so far: what comes next does not follow it."""
        self._rest = np.zeros(0, np.float32)
