"""Changes to sound by rooms, distances, devices and noise; the same for every label, so that none reveals the label.

All functions take and return waves, (samples,) float32 at 16 kHz. The linear changes (room, tone, band limits) are
combined in a `Channel`, so that a window needs only one Fourier transform and its inverse.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import fft

from babymonitor.core.sound.wave import SAMPLE_RATE, Wave


@dataclass(frozen=True, slots=True)
class Strength:
    """How often each change is applied to a window, in [0, 1]; 0 everywhere leaves the sound unaltered.

    codec: a copy that went through a phone's codec, for sound that was recorded without. speed: faster and higher, or
    slower and lower. stretch: slower or faster at the same pitch. pitch: higher or lower at the same pace. room, tone,
    band_limit: see `Channel`. bed: other sound of the data set underneath. noise: synthetic noise underneath. mulaw:
    telephone coding. volume: any loudness, and 16 bits. shift: a piece shorter than the window loses up to a fifth at
    its beginning or end. onset: the sound has only just begun. mirror: the stream has only just begun. laid: a piece
    shorter than the window is laid on a quiet bed; otherwise it is mirrored, as the app does with the start of a
    stream. warp: sound other than crying is made much faster or slower, as if by another animal or voice.
    """

    codec: float = 0.80
    speed: float = 0.40
    stretch: float = 0.10
    pitch: float = 0.0
    room: float = 0.40
    bed: float = 0.35
    noise: float = 0.45
    tone: float = 0.5
    band_limit: float = 0.5
    mulaw: float = 0.06
    volume: float = 0.9
    shift: float = 0.0
    onset: float = 0.22
    mirror: float = 0.08
    laid: float = 1.0
    warp: float = 0.0


NIGHT = Strength()
"""A phone or laptop in a nursery: everything that may lie between the child and the model."""
SPEECH = Strength(
    codec=0.1, speed=0.35, stretch=0.15, pitch=0.15, room=0.25, bed=0.0, noise=0.35, tone=0.45, band_limit=0.15,
    mulaw=0.0, volume=0.5, shift=0.5, onset=0.0, mirror=0.0, laid=0.0,
)  # fmt: skip
"""Clips that were recorded in studios and are judged in full: other voices and rooms, but no second voice."""
PLAIN = Strength(*([0.0] * 16))
PRESETS = {"night": NIGHT, "speech": SPEECH, "none": PLAIN}


def strength_of(text: str) -> Strength:
    """Parse ``night``, ``speech``, ``none``, or one of these with changes, such as ``speech,room=0,pitch=0.5``.

    Raises ValueError for anything else.
    """
    first, *rest = text.split(",")
    if first not in PRESETS:
        raise ValueError(f"there is no augmentation '{first}'; there is {', '.join(PRESETS)}")
    changes = {}
    for part in rest:
        name, _, share = part.partition("=")
        if name not in Strength.__slots__:
            raise ValueError(f"there is no augmentation '{name}'; there is {', '.join(Strength.__slots__)}")
        try:
            changes[name] = float(share)
        except ValueError:
            changes[name] = float("nan")  # outside of any range
        if not 0 <= changes[name] <= 1:
            raise ValueError(f"the share of '{name}' must be between 0 and 1, as in {name}=0.5")
    return replace(PRESETS[first], **changes)


def rms(wave: Wave) -> float:
    """Root mean square; 0 for an empty wave."""
    return float(np.sqrt(np.dot(wave, wave) / wave.size)) if wave.size else 0.0


def active_rms(wave: Wave) -> float:
    """Root mean square of the louder half of 32 ms blocks: the level of the event without its pauses."""
    if wave.size < 1024:
        return rms(wave)
    blocks = wave[: wave.size // 512 * 512].reshape(-1, 512)
    powers = np.sort(np.einsum("ij,ij->i", blocks, blocks))
    return float(np.sqrt(powers[powers.size // 2 :].mean() / 512))


def change_speed(wave: Wave, factor: float) -> Wave:
    """Faster and higher (factor > 1) or slower and lower. Linear interpolation dulls; the tone control hides that."""
    size = int(wave.size / factor)
    return np.asarray(np.interp(np.arange(size) * factor, np.arange(wave.size), wave), np.float32)


@lru_cache(maxsize=4)
def _hann(size: int) -> Wave:
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size), np.float32)


def stretch(wave: Wave, factor: float, size: int = 1024) -> Wave:
    """Longer (factor > 1) or shorter at the same pitch, by a phase vocoder.

    Flanagan, J. L. and Golden, R. M. (1966), "Phase vocoder", Bell System Technical Journal 45.
    """
    hop = size // 4
    if wave.size < 2 * size:
        return wave
    padded = np.pad(wave, size // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    spectra = fft.rfft(frames * _hann(size), axis=1)
    positions = np.arange(0, len(spectra) - 1, 1 / factor)
    # A step that is not a binary fraction may round the last position up, beyond the last pair.
    left = np.minimum(positions.astype(int), len(spectra) - 2)
    part = np.asarray(positions - left, np.float32)[:, None]
    magnitude = np.sqrt(spectra.real**2 + spectra.imag**2)
    turn = spectra[1:] * np.conj(spectra[:-1])
    # Only the phase of each bin after a hop matters, not the number of full turns. Phases are multiplied as complex
    # numbers of length 1, which needs neither angles nor exponentials.
    units = np.concatenate((spectra[:1], turn[left[:-1]]))
    power = units.real**2 + units.imag**2
    silent = power < 1e-30
    units[silent], power[silent] = 1, 1
    phase = np.cumprod(units / np.sqrt(power), axis=0)
    phase /= np.sqrt(phase.real**2 + phase.imag**2)
    magnitude = (1 - part) * magnitude[left] + part * magnitude[left + 1]
    pieces = fft.irfft(magnitude * phase, size, axis=1) * _hann(size)
    out = np.zeros((len(pieces) + 3) * hop, np.float32)
    for quarter in range(4):
        part_of = out[quarter * hop : (quarter + len(pieces)) * hop]
        part_of += pieces[:, quarter * hop : (quarter + 1) * hop].reshape(-1)
    return np.asarray(out[size // 2 : size // 2 + int(wave.size * factor)] / 1.5, np.float32)


def shift_pitch(wave: Wave, semitones: float) -> Wave:
    """Higher or lower at the same pace: stretched, then played faster or slower."""
    factor = 2 ** (semitones / 12)
    return change_speed(stretch(wave, factor), factor)


def add(wave: Wave, background: Wave, snr_db: float) -> Wave:
    """Add a background so that the wave's loud parts are `snr_db` above it."""
    signal, noise = active_rms(wave), rms(background)
    if signal <= 0 or noise <= 0:
        return wave
    return wave + background * np.float32(signal / noise * 10 ** (-snr_db / 20))


def room_response(rng: np.random.Generator, tail_db: tuple[float, float] = (-15.0, 6.0)) -> Wave:
    """Synthesise a room's impulse response: the direct sound, then noise that decays within 0.1 to 0.8 s.

    tail_db: range for the energy of the tail relative to the direct sound: low for near sources, high for distant ones.
    """
    decay = rng.uniform(0.1, 0.8)
    size = int(min(decay, 0.6) * SAMPLE_RATE)
    tail = rng.standard_normal(size, dtype=np.float32)
    tail *= np.exp(np.arange(size, dtype=np.float32) * np.float32(-6.9 / (decay * SAMPLE_RATE)))
    tail[: int(rng.uniform(0.001, 0.012) * SAMPLE_RATE)] = 0
    tail *= np.float32(10 ** (-rng.uniform(-tail_db[1], -tail_db[0]) / 20) / (rms(tail) * np.sqrt(size) + 1e-9))
    tail[0] = 1.0
    return tail


# Gains are computed on this coarse grid and interpolated, because powers of a full spectrum are expensive.
_GRID_HZ = np.linspace(0, SAMPLE_RATE / 2, 513, dtype=np.float32)
# Lengths of transforms: a few fixed ones, because preparing a new length takes longer than using it.
_WITHOUT_ROOM = 32000
_WITH_ROOM = 43200


def tone_gain(rng: np.random.Generator) -> Wave:
    """Return a device's random tone, on the grid: up to ±10 dB at points of the logarithmic frequency axis."""
    points = np.linspace(np.log(60), np.log(8000), 6)
    gains = rng.uniform(-1, 1, 6) * rng.uniform(2, 10)
    return np.asarray(10 ** (np.interp(np.log(np.maximum(_GRID_HZ, 20)), points, gains) / 20), np.float32)


def band_gain(rng: np.random.Generator) -> Wave:
    """Return a random band limit, on the grid: as of telephones, voice memos and cheap microphones."""
    high = float(rng.choice([3400.0, 3900.0, 4000.0, 5500.0, 7000.0, rng.uniform(3000, 7800)]))
    steep = float(rng.choice([8.0, 30.0, 80.0]))
    gain = 1 / (1 + (_GRID_HZ.astype(np.float64) / high) ** steep)
    if rng.random() < 0.5:
        low = rng.uniform(60, 400)
        gain = gain / (1 + (low / np.maximum(_GRID_HZ, 1)) ** 4)
    return np.asarray(gain, np.float32)


class Channel:
    """A random room, tone and band limit for one window."""

    def __init__(self, rng: np.random.Generator, strength: Strength) -> None:
        self._response = room_response(rng) if rng.random() < strength.room else None
        gain = tone_gain(rng) if rng.random() < strength.tone else None
        if rng.random() < strength.band_limit:
            limit = band_gain(rng)
            gain = limit if gain is None else gain * limit
        self._gain = gain

    def __call__(self, wave: Wave) -> Wave:
        if self._response is None and self._gain is None:
            return wave
        size = _WITHOUT_ROOM if self._response is None else _WITH_ROOM
        if wave.size > size - (0 if self._response is None else self._response.size):
            size = fft.next_fast_len(wave.size + (0 if self._response is None else self._response.size), real=True)
        spectrum = fft.rfft(wave, size)
        if self._response is not None:
            spectrum *= fft.rfft(self._response, size)
        if self._gain is not None:
            hz = np.linspace(0, SAMPLE_RATE / 2, spectrum.size, dtype=np.float32)
            spectrum *= np.interp(hz, _GRID_HZ, self._gain).astype(np.float32)
        return np.asarray(fft.irfft(spectrum, size)[: wave.size], np.float32)


def mulaw(wave: Wave) -> Wave:
    """Encode with the telephone's 8-bit logarithmic coding (ITU-T G.711, μ-law), and decode."""
    wave = np.clip(wave, -1, 1)
    coded = np.sign(wave) * np.log1p(255 * np.abs(wave)) / np.log(256)
    coded = np.round(coded * 127) / 127
    return np.asarray(np.sign(coded) * (256 ** np.abs(coded) - 1) / 255, np.float32)


def set_volume(wave: Wave, rng: np.random.Generator) -> Wave:
    """Set a random volume from a whisper (-50 dB at the peak) to 6 dB overdriven, and quantise to 16 bits."""
    peak = float(np.abs(wave).max())
    if peak > 0:
        wave = wave * np.float32(10 ** (rng.uniform(-50, 6) / 20) / peak)
    return np.asarray(np.clip(np.round(wave * 32767), -32768, 32767) / 32767, np.float32)
