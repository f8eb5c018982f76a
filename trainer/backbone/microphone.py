"""What changes a sound on its way to the student: room, noise, other sound, a device's band and level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import fft

from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from trainer.audio import synthetic
from trainer.audio.augment import active_rms, band_gain, mulaw, rms, room_response, tone_gain

_GRID = np.linspace(0.0, 1.0, 513)
"""Where `tone_gain` and `band_gain` are defined, as shares of the highest frequency."""
_MACHINES: tuple[Callable[[np.random.Generator, int], Wave], ...] = (synthetic.fan, synthetic.hum, synthetic.shush)
SILENT = 0.003
"""Root mean square below which a segment is too quiet for a signal-to-noise ratio to mean anything."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """How often each thing happens to a segment, in [0, 1].

    clean: only the level changes. noise: steady noise, on which the answer must not depend. overlay: another clip,
    whose answer counts too; noise is added to it less often. phone: a copy that went through a telephone's codec.
    """

    clean: float = 0.2
    room: float = 0.5
    noise: float = 0.5
    overlay: float = 0.3
    tone: float = 0.3
    band: float = 0.35
    phone: float = 0.25
    mulaw: float = 0.03


def room(rng: np.random.Generator) -> Wave:
    """A made-up room: up to eight early reflections before a tail that dies away in 0.1 to 0.8 s."""
    response = room_response(rng)
    count = int(rng.integers(0, 9))
    delays = rng.integers(16, 800, count)
    strengths = rng.uniform(0.1, 0.7, count) * rng.choice((-1.0, 1.0), count) * (1.0 - delays / 1000.0)
    np.add.at(response, delays, strengths.astype(np.float32))
    return response


def device(rng: np.random.Generator, hearing: Hearing) -> Wave | None:
    """The frequency response of a loudspeaker, telephone or laptop, (513,); None for none."""
    gain = tone_gain(rng) if rng.random() < hearing.tone else None
    if rng.random() < hearing.band:
        limit = band_gain(rng)
        gain = limit if gain is None else gain * limit
    return gain


def passed(wave: Wave, response: Wave | None, gain: Wave | None) -> Wave:
    """Pass a wave through a room's impulse response and a device's frequency response; same length."""
    if response is None and gain is None:
        return wave
    size = _transform(wave.size + (0 if response is None else response.size))
    spectrum = fft.rfft(wave, size)
    if response is not None:
        spectrum *= fft.rfft(response, size)
    if gain is not None:
        spectrum *= np.interp(np.linspace(0.0, 1.0, spectrum.size), _GRID, gain).astype(np.float32)
    return np.asarray(fft.irfft(spectrum, size)[: wave.size], np.float32)


def _transform(samples: int) -> int:
    """A length of transform: a fixed few where possible, for a new one costs more to prepare than to use."""
    return next((size for size in (16000, 24000, 33600) if size >= samples), fft.next_fast_len(samples, real=True))


class NoiseSource:
    """Makes steady noise from two million normal numbers that are drawn once."""

    def __init__(self, seed: int = 0) -> None:
        self._white = np.random.default_rng((seed, 1)).standard_normal(1 << 21, dtype=np.float32)

    def white(self, rng: np.random.Generator, samples: int) -> Wave:
        start = int(rng.integers(self._white.size - samples))
        return self._white[start : start + samples]

    def steady(self, rng: np.random.Generator, samples: int) -> Wave:
        """Noise between white and brown, often dull, sometimes waxing and waning; a machine once in six times."""
        if rng.random() < 1 / 6:
            return _MACHINES[int(rng.integers(len(_MACHINES)))](rng, samples)
        slope = float(rng.choice((0.0, 0.0, 1.0, 2.0, rng.uniform(-0.5, 2.5))))
        size = _transform(samples)
        spectrum = fft.rfft(self.white(rng, size))
        hz = np.linspace(0.0, SAMPLE_RATE / 2, spectrum.size, dtype=np.float32)
        if slope:
            spectrum *= np.maximum(hz, 30.0) ** np.float32(-slope / 2)
        if rng.random() < 0.4:
            spectrum *= 1.0 / (1.0 + (hz / np.float32(rng.uniform(300.0, 6000.0))) ** 4)
        noise = np.asarray(fft.irfft(spectrum, size)[:samples], np.float32)
        if rng.random() < 0.3:
            time = np.arange(samples, dtype=np.float32) * np.float32(2 * np.pi * rng.uniform(0.1, 4.0) / SAMPLE_RATE)
            noise = noise * (1.0 + np.float32(rng.uniform(0.1, 0.9)) * np.sin(time + np.float32(rng.uniform(0, 6.3))))
        return noise


def mixed(wave: Wave, under: Wave, snr_db: float) -> Wave:
    """Add `under` so that the wave's loud parts are `snr_db` above it."""
    level, under_level = active_rms(wave), rms(under)
    if level <= 0.0 or under_level <= 0.0:
        return wave + under
    return wave + under * np.float32(level / under_level * 10.0 ** (-snr_db / 20.0))


def recorded(wave: Wave, rng: np.random.Generator, noise: NoiseSource, hearing: Hearing, level_db: float) -> Wave:
    """Return the wave as a sound card delivers it: at a level (dBFS, RMS), with the microphone's noise, in 16 bits."""
    wave = wave * np.float32(10.0 ** (level_db / 20.0) / max(rms(wave), 1e-3))
    wave = wave + noise.white(rng, wave.size) * np.float32(10.0 ** (rng.uniform(-88.0, -62.0) / 20.0))
    if rng.random() < hearing.mulaw:
        wave = mulaw(wave)
    return np.asarray(np.clip(np.round(wave * 32767.0), -32768, 32767) / 32767.0, np.float32)
