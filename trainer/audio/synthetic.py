"""Synthetic sounds: noises, alarms and tones that must never be taken for a cry, and a cry for the golden pair.

Every generator takes a random generator and a number of samples at 16 kHz and returns (samples,) float32 within ±0.5.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from resources import animals, synthesise

Generator = Callable[[np.random.Generator, int], Wave]


def _level(wave: np.ndarray) -> Wave:
    peak = float(np.abs(wave).max())
    return np.asarray(wave * (0.5 / peak) if peak > 0 else wave, np.float32)


def coloured(rng: np.random.Generator, samples: int, slope: float) -> Wave:
    """Noise whose power is proportional to frequency ** -slope: 0 is white, 1 pink, 2 brown, -1 blue."""
    white = rng.standard_normal(samples, dtype=np.float32)
    if slope == 0.0:
        return _level(white)
    spectrum = np.fft.rfft(white)
    bins = np.maximum(np.arange(spectrum.size, dtype=np.float32), 1.0 + 20.0 * samples / SAMPLE_RATE)
    return _level(np.fft.irfft(spectrum * bins ** np.float32(-slope / 2), samples))


def noise(rng: np.random.Generator, samples: int) -> Wave:
    """Noise that is white in two cases of five: it is what white-noise machines play, and it masks a cry best."""
    return coloured(rng, samples, float(rng.choice([0.0, 0.0, 1.0, 2.0, rng.uniform(-0.7, 2.5)])))


def hum(rng: np.random.Generator, samples: int) -> Wave:
    """Mains hum or a motor: harmonics of a low tone."""
    base = float(rng.choice([50.0, 60.0, 100.0, 120.0, rng.uniform(30, 250)]))
    time = np.arange(samples) / SAMPLE_RATE
    wave = np.zeros(samples)
    for harmonic in range(1, int(rng.integers(2, 30))):
        if harmonic * base < 7800:
            strength = harmonic ** -rng.uniform(0.2, 2.0) * rng.uniform(0.2, 1)
            wave += strength * np.sin(2 * np.pi * (base * harmonic * time + rng.random()))
    return _level(_level(wave) + coloured(rng, samples, 1.0) * rng.uniform(0, 0.4))


def fan(rng: np.random.Generator, samples: int) -> Wave:
    """A fan: coloured noise with a slow beat and a faint tone."""
    time = np.arange(samples) / SAMPLE_RATE
    beat = 1 + rng.uniform(0, 0.6) * np.sin(2 * np.pi * rng.uniform(0.5, 30) * time + rng.uniform(0, 6.3))
    tone = rng.uniform(0, 0.2) * np.sin(2 * np.pi * rng.uniform(60, 900) * time)
    return _level(coloured(rng, samples, rng.uniform(0.3, 2.2)) * beat + tone)


def shush(rng: np.random.Generator, samples: int) -> Wave:
    """Sh-sh-sh: strokes of high-pitched noise."""
    time = np.arange(samples) / SAMPLE_RATE
    stroke = np.clip(
        np.sin(2 * np.pi * rng.uniform(0.5, 2.5) * time + rng.uniform(0, 6.3)) + rng.uniform(-0.3, 0.8), 0, 1
    )
    return _level(band(coloured(rng, samples, 0.0), rng.uniform(1000, 2500), rng.uniform(4500, 7900)) * stroke)


def band(wave: Wave, low_hz: float, high_hz: float) -> Wave:
    """Band-pass filter with soft edges."""
    spectrum = np.fft.rfft(wave)
    hz = np.fft.rfftfreq(wave.size, 1 / SAMPLE_RATE)
    gain = 1 / (1 + (low_hz / np.maximum(hz, 1)) ** 8) / (1 + (hz / high_hz) ** 16)
    return np.asarray(np.fft.irfft(spectrum * gain, wave.size), np.float32)


def beeps(rng: np.random.Generator, samples: int) -> Wave:
    """Alarms and appliances: one or two tones, continuous or switched on and off."""
    time = np.arange(samples) / SAMPLE_RATE
    pitch = np.full(samples, rng.uniform(250, 4000))
    if rng.random() < 0.4:  # two tones in turn
        pitch = np.where(np.sin(2 * np.pi * rng.uniform(0.5, 6) * time) > 0, pitch, pitch * rng.uniform(0.6, 1.7))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    wave = np.sin(phase)
    for harmonic in range(2, int(rng.integers(2, 9))):
        wave = wave + np.where(pitch * harmonic < 7800, np.sin(harmonic * phase), 0) * rng.uniform(0, 0.7)
    if rng.random() < 0.7:
        wave = wave * (np.sin(2 * np.pi * rng.uniform(0.4, 8) * time + rng.uniform(0, 6.3)) > rng.uniform(-0.7, 0.7))
    return _level(wave)


def siren(rng: np.random.Generator, samples: int) -> Wave:
    """A pitch that sweeps up and down, or only once."""
    time = np.arange(samples) / SAMPLE_RATE
    low, high = sorted(rng.uniform(200, 3500, 2))
    rate = rng.uniform(0.1, 8)
    shape = rng.choice(["sine", "saw", "once"])
    turn = rate * time + rng.random()
    if shape == "sine":
        sweep = 0.5 + 0.5 * np.sin(2 * np.pi * turn)
    elif shape == "saw":
        sweep = turn % 1
    else:
        sweep = time / time[-1]
    phase = 2 * np.pi * np.cumsum(low + (high - low) * sweep) / SAMPLE_RATE
    wave = np.sin(phase) + rng.uniform(0, 0.6) * np.sin(2 * phase) + rng.uniform(0, 0.4) * np.sin(3 * phase)
    return _level(wave)


def clicks(rng: np.random.Generator, samples: int) -> Wave:
    """Clocks, taps, drips: short decaying bursts, regular or not."""
    wave = np.zeros(samples + 2000)
    gap = rng.uniform(0.06, 1.2) * SAMPLE_RATE
    jitter = rng.choice([0.0, 0.5])
    start = rng.uniform(0, gap)
    burst = np.exp(-np.arange(2000) / rng.uniform(10, 400)) * np.sin(np.arange(2000) * rng.uniform(0.05, 3.0))
    while start < samples:
        wave[int(start) : int(start) + 2000] += burst * rng.uniform(0.5, 1)
        start += gap * (1 + jitter * rng.uniform(-1, 1)) + 1
    return _level(wave[:samples] + 0.001 * rng.standard_normal(samples))


def tones(rng: np.random.Generator, samples: int) -> Wave:
    """An instrument or a hummed tune: notes of a scale with harmonics, attack, decay and sometimes vibrato."""
    wave = np.zeros(samples)
    base = rng.uniform(110, 700)
    vibrato, rate = rng.choice([0.0, 0.005, 0.02]), rng.uniform(4, 7)
    strengths = rng.uniform(0, 1, 8) * np.arange(1, 9) ** -rng.uniform(0.5, 2)
    start = 0
    while start < samples:
        length = int(rng.uniform(0.15, 1.2) * SAMPLE_RATE)
        for _ in range(int(rng.choice([1, 1, 2, 3]))):
            pitch = base * 2 ** (rng.choice([0, 2, 4, 5, 7, 9, 11, 12]) / 12)
            time = np.arange(min(length, samples - start)) / SAMPLE_RATE
            phase = 2 * np.pi * pitch * (time + vibrato / rate * np.sin(2 * np.pi * rate * time))
            note = sum(strengths[k] * np.sin((k + 1) * phase) for k in range(8) if pitch * (k + 1) < 7800)
            note = note * np.minimum(1, time / 0.02) * np.exp(-time * rng.choice([0.2, 2.0, 6.0]))
            wave[start : start + time.size] += note
        start += length
    return _level(wave)


def voice_like(rng: np.random.Generator, samples: int) -> Wave:
    """Syllables of a synthetic adult: a low, wandering pitch, three formants, and pauses."""
    time = np.arange(samples) / SAMPLE_RATE
    pitch = rng.uniform(80, 230) * 2 ** (0.25 * np.sin(2 * np.pi * rng.uniform(0.3, 1.5) * time + rng.uniform(0, 6.3)))
    source = 2 * ((np.cumsum(pitch) / SAMPLE_RATE) % 1) - 1 + 0.1 * rng.standard_normal(samples)
    wave = np.zeros(samples)
    length = int(rng.uniform(0.1, 0.25) * SAMPLE_RATE)
    for start in range(0, samples, length):
        if rng.random() < 0.25:
            continue
        piece = source[start : start + length]
        spectrum = np.fft.rfft(piece)
        hz = np.fft.rfftfreq(piece.size, 1 / SAMPLE_RATE)
        gain = np.zeros_like(hz) + 0.01
        for low, high, width in ((250, 850, 90), (800, 2400, 130), (2200, 3200, 200)):
            gain += 1 / (1 + ((hz - rng.uniform(low, high)) / width) ** 2)
        wave[start : start + piece.size] = np.fft.irfft(spectrum * gain, piece.size) * np.hanning(piece.size) ** 0.5
    return _level(wave)


def near_silence(rng: np.random.Generator, samples: int) -> Wave:
    """Digital silence, a constant offset, or noise in a converter's lowest bits."""
    kind = rng.integers(3)
    if kind == 0:
        return np.zeros(samples, np.float32)
    if kind == 1:
        return np.full(samples, rng.uniform(-0.05, 0.05), np.float32)
    return np.asarray(np.round(rng.uniform(0.3, 3) * rng.standard_normal(samples)) / 32768, np.float32)


NEGATIVES: dict[str, Generator] = {
    "noise": noise,
    "hum": hum,
    "fan": fan,
    "shush": shush,
    "beeps": beeps,
    "siren": siren,
    "clicks": clicks,
    "tones": tones,
    "voice_like": voice_like,
    "near_silence": near_silence,
}


def _generator(synthesise_voice: Callable[[float, np.random.Generator], Wave]) -> Generator:
    """Adapt a voice of `resources`, which takes seconds, to a generator of this module."""
    return lambda rng, samples: _level(np.resize(synthesise_voice(samples / SAMPLE_RATE, rng), samples))


NEGATIVES["cat"] = _generator(synthesise.cat)
NEGATIVES["dog"] = _generator(synthesise.dog)
# Four of them, so that they are drawn more often: animals, rather than machines, are mistaken for children.
NEGATIVES |= {f"animal {number}": _generator(animals.animal) for number in range(1, 5)}

GENERATORS_BY_LABEL: dict[str, dict[str, Generator]] = {
    "background": NEGATIVES,
    "natural": {"babble": _generator(synthesise.babble)},
    "happy": {"laughter": _generator(synthesise.laughter)},
}
"""Generators by label. Of real babble the corpora hold less than a minute, of laughter four recordings."""


def cry(rng: np.random.Generator, samples: int) -> Wave:
    """A stylised cry: bursts of about 1 s at 350 to 550 Hz that rise and fall, rich harmonics, pauses to breathe."""
    wave = np.zeros(samples)
    start = int(rng.uniform(0, 0.1) * SAMPLE_RATE)
    while start < samples - SAMPLE_RATE // 5:
        length = min(int(rng.uniform(0.7, 1.2) * SAMPLE_RATE), samples - start)
        time = np.linspace(0, 1, length)
        arch = np.sin(np.pi * np.clip(time, 0, 1) ** 0.7)
        pitch = (
            rng.uniform(360, 480)
            * (1 + 0.28 * arch)
            * (1 + 0.012 * np.sin(2 * np.pi * 6 * np.arange(length) / SAMPLE_RATE))
        )
        pitch *= 1 + 0.004 * np.cumsum(rng.standard_normal(length)) / np.sqrt(SAMPLE_RATE)
        phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
        burst = np.zeros(length)
        for harmonic in range(1, 16):
            hz = harmonic * pitch.mean()
            if hz > 7500:
                break
            formants = 1 / (1 + ((hz - 1200) / 700) ** 2) + 0.8 / (1 + ((hz - 3300) / 900) ** 2) + 0.06
            burst += formants * np.sin(harmonic * phase)
        burst += 0.15 * rng.standard_normal(length)
        envelope = np.minimum(1, time * 12) * np.minimum(1, (1 - time) * 6) * (0.7 + 0.3 * arch)
        wave[start : start + length] += burst * envelope
        start += length + int(rng.uniform(0.15, 0.35) * SAMPLE_RATE)
    return _level(wave + 0.002 * rng.standard_normal(samples))
