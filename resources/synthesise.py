"""Synthesise every sound that the project ships or tests with. numpy only; the same seed gives the same sound.

    python resources/synthesise.py            writes demo.flac, demo.json, sounds/alarm.wav and sounds/health.wav
    python resources/synthesise.py FOLDER     the same, into another folder

No part of any recording is used. A voice is built as a throat produces it: a pulse train (as a sum of harmonics, to
avoid aliasing) and breath noise pass through the resonances of the mouth, with the irregularities of a living voice:
jitter, shimmer, vibrato, breaks, breathy onsets.

Every generator takes a length in seconds and a `numpy.random.Generator`, and returns mono float32 at 16 kHz, shape
(samples,), whose sounding parts have about `level_db` dBFS (RMS). Mix sounds by adding them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]
Array = NDArray[np.float64]

RATE_HZ = 16_000
CONTROL_HZ = 200  # rate of the curves for pitch, loudness and mouth shape, which are interpolated
HERE = Path(__file__).resolve().parent

# ------------------------------------------------------------------------------------------------------------- building


def _samples(seconds: float) -> int:
    return max(1, round(seconds * RATE_HZ))


def _points(seconds: float) -> int:
    return max(4, round(seconds * CONTROL_HZ))


def _up(control: Array, samples: int) -> Array:
    """Interpolate a curve of any number of points to `samples` samples."""
    return np.interp(np.linspace(0.0, len(control) - 1.0, samples), np.arange(len(control)), control)


def _smooth(control: Array, points: int) -> Array:
    """Moving average over `points` points; both ends are held."""
    points = max(1, min(points, len(control)))
    padded = np.concatenate([np.full(points, control[0]), control, np.full(points, control[-1])])
    return np.convolve(padded, np.ones(points) / points, mode="same")[points : points + len(control)]


def _curve(points: int, *knots: tuple[float, float]) -> Array:
    """A rounded curve through (time 0..1, value) knots, shape (points,)."""
    times, values = zip(*knots, strict=True)
    return _smooth(np.interp(np.linspace(0, 1, points), times, values), points // 8)


def _wander(points: int, rng: np.random.Generator, slowness: int) -> Array:
    """Smooth noise of unit deviation, slower for larger `slowness` (points); shape (points,)."""
    noise = _smooth(_smooth(rng.standard_normal(points + 4 * slowness), slowness), slowness)[2 * slowness :][:points]
    return noise / float(noise.std() + 1e-12)


def _at_level(wave: Array, level_db: float) -> Wave:
    """Scale `wave` so that its sounding parts, without the pauses, have `level_db` dBFS RMS."""
    power = np.convolve(wave**2, np.ones(400) / 400, mode="same")
    sounding = power > 0.05 * power.max()
    rms = float(np.sqrt(power[sounding].mean())) if power.max() > 0 else 1.0
    return (wave * (10 ** (level_db / 20) / (rms + 1e-12))).astype(np.float32)


def _place(track: Array, wave: Array | Wave, at_seconds: float) -> None:
    """Add `wave` to `track`, in place, from `at_seconds` on; whatever exceeds the track is dropped."""
    start = round(at_seconds * RATE_HZ)
    length = min(len(wave), len(track) - start)
    if length > 0:
        track[start : start + length] += wave[:length]


def _resonances(frequencies_hz: Array, formants_hz: Array, widths_hz: Array) -> Array:
    """Gain of a mouth with these resonances, shape (points, bins).

    frequencies_hz: (bins,), or (points, 1) if it changes. formants_hz: (points, resonances). widths_hz: (resonances,).
    """
    gain = np.ones((len(formants_hz), frequencies_hz.shape[-1]))
    for centre, width in zip(formants_hz.T[:, :, None], widths_hz, strict=True):
        gain *= centre**2 / np.sqrt((centre**2 - frequencies_hz**2) ** 2 + (width * frequencies_hz) ** 2)
    return gain


def _shaped_noise(gains: Array, samples: int, rng: np.random.Generator) -> Array:
    """White noise shaped by `gains` (points, 129 frequencies from 0 to 8 kHz), shape (samples,)."""
    size, hop = 256, 64
    window = np.sqrt(np.hanning(size + 1)[:size])
    frames = samples // hop + 1 + size // hop
    noise = rng.standard_normal((frames - 1) * hop + size)
    blocks = np.lib.stride_tricks.sliding_window_view(noise, size)[::hop] * window
    rows = np.clip(np.round(np.linspace(0, len(gains) - 1, frames)).astype(int), 0, len(gains) - 1)
    blocks = np.fft.irfft(np.fft.rfft(blocks, axis=1) * gains[rows], size, axis=1) * window
    wave = np.zeros(len(noise))
    for index, block in enumerate(blocks):
        wave[index * hop : index * hop + size] += block
    return wave[size // 2 : size // 2 + samples] / 2


_NOISE_HZ = np.linspace(0, RATE_HZ / 2, 129)


def _coloured(samples: int, rng: np.random.Generator, gain: Callable[[Array], Array]) -> Array:
    """Steady noise with the spectrum `gain(frequencies_hz)` and unit RMS, shape (samples,)."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    frequencies_hz: Array = np.fft.rfftfreq(samples, 1 / RATE_HZ).astype(np.float64)
    wave: Array = np.fft.irfft(spectrum * gain(frequencies_hz), samples)
    return wave / float(wave.std() + 1e-12)


def _voice(
    pitch_hz: Array,
    loudness: Array,
    breath: Array,
    formants_hz: Array,
    widths_hz: Array,
    rng: np.random.Generator,
    *,
    tilt_db: float = -9.0,
    roughness: Array | None = None,
    jitter: float = 0.006,
    shimmer: float = 0.06,
) -> Array:
    """Synthesise a single breath of voice, (samples,), with about unit RMS where loudness is 1.

    pitch_hz, loudness, breath (0 only voice … 1 only noise), roughness (0 … 1: weakens every second pulse, the growl of
    a hoarse cry): shape (points,) at CONTROL_HZ. formants_hz: (points, resonances). widths_hz: (resonances,). tilt_db:
    slope of the source's spectrum, per octave.
    """
    points = len(pitch_hz)
    samples = round(points / CONTROL_HZ * RATE_HZ)
    pitch_hz = pitch_hz * (1 + jitter * _wander(points, rng, 2))
    loudness = loudness * (1 + shimmer * _wander(points, rng, 2))
    pitch = _up(pitch_hz, samples)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE_HZ
    voiced = np.zeros(samples)
    steps = 2 if roughness is not None else 1  # partials at half the pitch only if the voice is rough
    for number in range(1, int(7_800 * steps / pitch_hz.min()) + 1):
        order = number / steps
        frequency = order * pitch_hz
        gain = np.where(frequency < 7_700, _resonances(frequency[:, None], formants_hz, widths_hz)[:, 0], 0.0)
        gain = gain * order ** (tilt_db / 6.02)
        if roughness is not None and number % steps:
            gain = gain * roughness
        if gain.max() > 1e-6:
            voiced += _up(gain * (1 - breath), samples) * np.sin(order * phase)
    # Breath passes through the same mouth, is brighter, and pulses with the voice.
    hiss = _resonances(_NOISE_HZ, formants_hz, widths_hz) * np.clip(_NOISE_HZ / 2_500, 0.03, 1.2)
    noise = _shaped_noise(hiss * breath[:, None], samples, rng) * (0.6 + 0.4 * np.cos(phase))
    scale = float(np.sqrt(np.mean(voiced**2))) + 1e-9
    noise_scale = float(np.sqrt(np.mean(_shaped_noise(hiss, samples, rng) ** 2))) + 1e-9
    return (voiced / scale + noise / noise_scale) * _up(loudness, samples)


def room(wave: Wave, rng: np.random.Generator, *, decay_seconds: float = 0.35, wet: float = 0.3) -> Wave:
    """Add the reverberation of a room: a few early reflections and a decaying tail. Same length as `wave`."""
    times = np.arange(_samples(decay_seconds * 1.2)) / RATE_HZ
    tail = rng.standard_normal(len(times)) * 10 ** (-3 * times / decay_seconds)
    tail[: _samples(0.004)] = 0
    echo = np.zeros(len(times))
    for delay in rng.uniform(0.003, 0.03, 6):
        echo[round(delay * RATE_HZ)] += rng.choice([-1, 1]) * rng.uniform(0.3, 0.7)
    response = tail / np.sqrt(np.sum(tail**2)) * 0.7 + echo / np.sqrt(np.sum(echo**2)) * 0.7
    size = 1 << (len(wave) + len(response) - 1).bit_length()
    reverberant = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(response, size), size)[: len(wave)]
    return ((1 - wet) * wave + wet * reverberant).astype(np.float32)


# ---------------------------------------------------------------------------------------------------------------- baby

_INFANT_WIDTHS = np.array([220.0, 300.0, 450.0, 600.0])


def _infant_mouth(points: int, rng: np.random.Generator, openness: Array) -> Array:
    """Resonances of an infant's short throat, (points, 4), in Hz; opening the mouth raises the first two."""
    base = np.array([920.0, 2_700.0, 4_700.0, 6_900.0]) * rng.uniform(0.93, 1.07) * rng.uniform(0.96, 1.04, 4)
    swing = np.array([420.0, 500.0, 200.0, 100.0])
    formants = base + swing * openness[:, None]
    return formants * (1 + 0.02 * _wander(points, rng, 12)[:, None])


def _expiration(seconds: float, rng: np.random.Generator, arousal: float) -> Array:
    """A single wail, shape (samples,): rises, holds, falls; breathy at both ends, and partly hoarse if aroused."""
    points = _points(seconds)
    low = rng.uniform(310, 370) * (1 + 0.12 * arousal)
    peak = min(low * rng.uniform(1.2, 1.42), 590.0)
    rise, hold = rng.uniform(0.12, 0.28), rng.uniform(0.55, 0.75)
    fall = peak * rng.uniform(0.9, 1.0)
    pitch = _curve(points, (0, low * 0.92), (rise, peak), (hold, fall), (1, low * rng.uniform(0.88, 1.0)))
    times = np.arange(points) / CONTROL_HZ
    vibrato = rng.uniform(0.008, 0.022) * np.linspace(0.3, 1, points)
    pitch *= 1 + vibrato * np.sin(2 * np.pi * rng.uniform(5, 7.5) * times + rng.uniform(0, 6))
    pitch *= 1 + 0.012 * _wander(points, rng, 10)
    attack, release = rng.uniform(0.03, 0.08), rng.uniform(0.1, 0.22)
    loudness = np.clip(times / attack, 0, 1) ** 0.7 * np.clip((seconds - times) / release, 0, 1)
    loudness *= _curve(points, (0, 0.75), (rise, 1.0), (hold, 0.95), (1, 0.6)) * (1 + 0.12 * _wander(points, rng, 9))
    edges = np.exp(-times / 0.04) + np.exp(-(seconds - times) / 0.07)
    breath = np.clip(0.08 + 0.05 * arousal + 0.5 * edges, 0, 0.8)
    roughness = np.zeros(points)
    if rng.random() < 0.25 + 0.4 * arousal:  # a hoarse part: turbulence, and every second pulse weaker
        centre, width = rng.uniform(0.3, 0.75), rng.uniform(0.12, 0.3)
        stretch = np.exp(-(((np.linspace(0, 1, points) - centre) / width) ** 4))
        roughness = stretch * rng.uniform(0.25, 0.6)
        breath = np.clip(breath + stretch * rng.uniform(0.08, 0.2), 0, 0.85)
    if seconds > 0.7 and rng.random() < 0.3:  # the voice breaks: a moment of breath, then another pitch
        start, length = rng.uniform(0.45, 0.8), rng.uniform(0.03, 0.06)
        gap = np.exp(-(((times - start * seconds) / length) ** 4))
        loudness *= 1 - 0.85 * gap
        breath = np.clip(breath + 0.5 * gap, 0, 0.9)
        pitch = np.where(times > start * seconds, pitch * rng.uniform(0.86, 0.95), pitch)
    openness = _curve(points, (0, 0.1), (rise, 0.9), (hold, 0.8), (1, 0.1)) * rng.uniform(0.6, 1.1)
    return _voice(
        np.clip(pitch, 285, 620),
        loudness,
        breath,
        _infant_mouth(points, rng, openness),
        _INFANT_WIDTHS,
        rng,
        tilt_db=-3.0 + 1.0 * arousal,
        roughness=roughness,
        jitter=0.006 + 0.006 * arousal,
    )


def _inspiration(seconds: float, rng: np.random.Generator) -> Array:
    """The quick breath between two wails: mostly noise, sometimes with a thin, high voice in it."""
    points = _points(seconds)
    times = np.linspace(0, 1, points)
    pitch = rng.uniform(450, 580) * (1 + 0.15 * times)
    breath = np.full(points, rng.uniform(0.75, 0.97))
    mouth = _infant_mouth(points, rng, np.full(points, 0.3))
    return _voice(pitch, np.sin(np.pi * times) ** 0.8, breath, mouth, _INFANT_WIDTHS, rng)


def cry(
    seconds: float, rng: np.random.Generator, *, arousal: float = 0.6, swell_db: float = 0.0, level_db: float = -20.0
) -> Wave:
    """An infant crying: wails of 0.5–1.5 s with a breath in between, and now and then a longer pause.

    arousal: 0 for fussing … 1 for screaming (higher, harsher, shorter pauses). swell_db: how much louder the end is
    than the beginning. level_db: of the full cry. The first wail starts at once.
    """
    track = np.zeros(_samples(seconds))
    start, wails = 0.0, 0
    while start < seconds - 0.3:
        length = min(float(np.clip(rng.normal(0.95 + 0.15 * arousal, 0.25), 0.5, 1.5)), seconds - start)
        wail = _expiration(length, rng, arousal) * rng.uniform(0.75, 1.1)
        _place(track, wail * 10 ** (swell_db * (start / seconds - 0.5) / 20), start)
        start += length + rng.uniform(0.03, 0.12)
        breath_in = rng.uniform(0.14, 0.26)
        if start + breath_in < seconds:
            _place(track, _inspiration(breath_in, rng) * rng.uniform(0.12, 0.3), start)
        start += breath_in + rng.uniform(0.02, 0.12 + 0.2 * (1 - arousal))
        wails += 1
        if wails % 7 == 6:
            start += rng.uniform(0.5, 1.1)  # a pause to swallow
    return _at_level(track, level_db)


def babble(seconds: float, rng: np.random.Generator, *, level_db: float = -28.0) -> Wave:
    """A contented baby: "ba-ba-ba", "da", long vowels; soft, with little effort, and with pauses."""
    track = np.zeros(_samples(seconds))
    start = 0.0
    while start < seconds - 0.4:
        pitch_hz = rng.uniform(270, 340)
        for _ in range(int(rng.integers(2, 6))):
            length = rng.uniform(0.16, 0.34)
            if start + length > seconds:
                break
            points = _points(length)
            times = np.linspace(0, 1, points)
            opening = np.clip(np.minimum(times / 0.3, (1 - times) / 0.35), 0, 1) ** 0.8
            vowel = np.array([rng.uniform(650, 1_000), rng.uniform(1_500, 2_700), 4_300.0, 6_000.0])
            closed = np.array([350.0, rng.choice([1_100.0, 2_300.0]), 4_000.0, 5_800.0])
            formants = closed + (vowel - closed) * opening[:, None]
            pitch = pitch_hz * _curve(points, (0, 0.97), (0.4, rng.uniform(1.02, 1.15)), (1, 0.92))
            syllable = _voice(
                pitch, opening, 0.04 + 0.06 * (1 - opening), formants, np.array([120.0, 180.0, 300.0, 400.0]), rng,
                tilt_db=-12.0,
            )  # fmt: skip
            _place(track, syllable * rng.uniform(0.6, 1.0), start)
            start += length + rng.uniform(0.02, 0.08)
            pitch_hz *= rng.uniform(0.94, 1.05)
        start += rng.uniform(0.4, 1.1)
    return _at_level(track, level_db)


def laughter(seconds: float, rng: np.random.Generator, *, level_db: float = -24.0) -> Wave:
    """A baby laughing: runs of short "ha", four to five per second and falling, with a breath after each run."""
    track = np.zeros(_samples(seconds))
    start = 0.0
    while start < seconds - 0.4:
        pitch_hz = rng.uniform(380, 480)
        period = rng.uniform(0.19, 0.25)
        for number in range(int(rng.integers(4, 9))):
            length = period * rng.uniform(0.55, 0.7)
            if start + length > seconds:
                break
            points = _points(length)
            times = np.linspace(0, 1, points)
            openness = np.sin(np.pi * times) ** 0.6
            breath = 0.08 + 0.85 * np.exp(-times / 0.15) + 0.3 * times**3
            pitch = pitch_hz * _curve(points, (0, 0.95), (0.3, 1.08), (1, 0.85)) * 0.975**number
            ha = _voice(
                pitch, openness, np.clip(breath, 0, 0.95), _infant_mouth(points, rng, openness), _INFANT_WIDTHS, rng,
                tilt_db=-8.0,
            )  # fmt: skip
            _place(track, ha * 0.93**number, start)
            start += period
        start += 0.1
        _place(track, _inspiration(0.25, rng) * 0.25, start)
        start += rng.uniform(0.4, 0.9)
    return _at_level(track, level_db)


# ------------------------------------------------------------------------------------------------- people and animals

_VOWELS = np.array(  # the first three resonances of an adult's a, e, i, o, u, ə in Hz
    [[730, 1090, 2440], [530, 1840, 2480], [270, 2290, 3010], [570, 840, 2410], [300, 870, 2240], [500, 1500, 2500]]
)


def _hiss_above(edge_hz: float) -> Callable[[Array], Array]:
    return lambda hz: 1 / (1 + (edge_hz / (hz + 1)) ** 6)


def speech_like(seconds: float, rng: np.random.Generator, *, high: bool = False, level_db: float = -28.0) -> Wave:
    """An adult talking without words: syllables and hisses in phrases. high: a woman's voice, otherwise a man's."""
    track = np.zeros(_samples(seconds))
    widths = np.array([80.0, 110.0, 170.0, 250.0])
    stretch = 1.16 if high else 1.0
    start = 0.0
    while start < seconds - 0.3:
        phrase_end = min(start + rng.uniform(1.2, 2.8), seconds)
        began = start
        centre_hz = rng.uniform(185, 220) if high else rng.uniform(100, 130)
        mouth = _VOWELS[rng.integers(6)]
        while start < phrase_end - 0.12:
            length = min(rng.uniform(0.12, 0.26), phrase_end - start)
            points = _points(length)
            times = np.linspace(0, 1, points)
            target = _VOWELS[rng.integers(6)]
            glide = np.clip(times / 0.4, 0, 1)[:, None]
            formants = np.column_stack([(mouth + (target - mouth) * glide) * stretch, np.full(points, 3_600 * stretch)])
            mouth = target
            fall = 1.08 - 0.2 * (start - began) / 3
            pitch = centre_hz * fall * _curve(points, (0, 1.0), (0.4, rng.uniform(1.0, 1.12)), (1, 0.96))
            loud = np.clip(np.minimum(times / 0.2, (1 - times) / 0.25), 0, 1) ** 0.7 * rng.uniform(0.5, 1.0)
            syllable = _voice(pitch, loud, np.full(points, 0.04), formants, widths, rng, tilt_db=-11.0)
            _place(track, syllable, start)
            start += length
            if rng.random() < 0.35:  # s, f, sh, t
                length = rng.uniform(0.04, 0.11)
                edge_hz = rng.uniform(2_500, 4_500)
                samples = _samples(length)
                hiss = _coloured(samples, rng, _hiss_above(edge_hz))
                _place(track, hiss * np.hanning(samples) * rng.uniform(0.1, 0.3), start - 0.02)
                start += length * 0.8
        start += rng.uniform(0.25, 0.7)
    return _at_level(track, level_db)


def dog(seconds: float, rng: np.random.Generator, *, level_db: float = -22.0) -> Wave:
    """A dog barking: series of short, rough barks with a steep fall in pitch."""
    track = np.zeros(_samples(seconds))
    size = rng.uniform(0.85, 1.15)
    start = 0.05
    while start < seconds - 0.25:
        for _ in range(int(rng.integers(1, 4))):
            length = rng.uniform(0.13, 0.2)
            if start + length > seconds:
                break
            points = _points(length)
            times = np.linspace(0, 1, points)
            pitch = size * rng.uniform(0.95, 1.05) * _curve(points, (0, 420), (0.2, 620), (0.6, 480), (1, 260))
            loud = np.clip(times / 0.08, 0, 1) * np.exp(-times * 2.2) * np.clip((1 - times) / 0.2, 0, 1)
            opening = np.sin(np.pi * times)[:, None]
            formants = np.array([520.0, 1_150.0, 2_300.0, 3_400.0]) / size + opening * np.array([380.0, 450, 250, 150])
            bark = _voice(
                pitch, loud, np.full(points, 0.42), formants, np.array([220.0, 300.0, 420.0, 600.0]), rng,
                tilt_db=-8.0, roughness=np.full(points, 0.7), jitter=0.04, shimmer=0.25,
            )  # fmt: skip
            _place(track, bark * rng.uniform(0.7, 1.0), start)
            start += length + rng.uniform(0.16, 0.35)
        start += rng.uniform(0.4, 0.9)
    return _at_level(track, level_db)


def cat(seconds: float, rng: np.random.Generator, *, level_db: float = -26.0) -> Wave:
    """A cat: single, drawn-out meows; the mouth opens and closes over a nearly steady voice."""
    track = np.zeros(_samples(seconds))
    start = 0.1
    while start < seconds - 0.5:
        length = min(rng.uniform(0.5, 0.9), seconds - start)
        points = _points(length)
        times = np.linspace(0, 1, points)
        pitch = rng.uniform(560, 680) * _curve(points, (0, 0.85), (0.3, 1.08), (0.7, 1.0), (1, 0.75))
        opening = np.sin(np.pi * np.clip(times * 1.1, 0, 1))[:, None]
        formants = np.array([600.0, 1_500.0, 3_200.0]) + opening * np.array([700.0, 900.0, 300.0])
        loud = np.clip(np.minimum(times / 0.15, (1 - times) / 0.3), 0, 1)
        _place(track, _voice(pitch, loud, np.full(points, 0.05), formants, np.array([160.0, 220, 350]), rng), start)
        start += length + rng.uniform(0.8, 2.0)
    return _at_level(track, level_db)


# ------------------------------------------------------------------------------------------------ rooms and machines


def room_tone(seconds: float, rng: np.random.Generator, *, level_db: float = -62.0) -> Wave:
    """A quiet room as a laptop's microphone records it: soft rumble, mains hum, the microphone's own hiss."""
    samples = _samples(seconds)
    rumble = _coloured(samples, rng, lambda hz: 1 / (1 + (hz / 120) ** 1.4) * (hz > 25))
    hiss = _coloured(samples, rng, lambda hz: np.full_like(hz, 1.0))
    times = np.arange(samples) / RATE_HZ
    hum = sum(np.sin(2 * np.pi * 50 * k * times + k) * a for k, a in ((1, 0.5), (2, 0.35), (3, 0.2), (5, 0.08)))
    return _at_level(rumble + 0.35 * hiss + 0.25 * hum, level_db)


def white_noise_machine(seconds: float, rng: np.random.Generator, *, level_db: float = -30.0) -> Wave:
    """A white-noise machine: steady, slightly darker than white, with the resonance of its small loudspeaker."""
    samples = _samples(seconds)

    def colour(hz: Array) -> Array:
        return (hz / (hz + 180)) / (1 + (hz / 3_800) ** 2) ** 0.5 * (1 + 0.8 * np.exp(-(((hz - 900) / 350) ** 2)))

    return _at_level(_coloured(samples, rng, colour), level_db)


def fan(seconds: float, rng: np.random.Generator, *, level_db: float = -34.0) -> Wave:
    """A fan: noise that falls with frequency, the beat of its blades, and a faint motor tone."""
    samples = _samples(seconds)
    times = np.arange(samples) / RATE_HZ
    wind = _coloured(samples, rng, lambda hz: 1 / (1 + (hz / 250) ** 1.1) * (hz > 30))
    beat = 1 + 0.15 * np.sin(2 * np.pi * rng.uniform(14, 22) * times)
    motor = np.sin(2 * np.pi * 118 * times) + 0.5 * np.sin(2 * np.pi * 236 * times)
    return _at_level(wind * beat + 0.08 * motor, level_db)


def rain(seconds: float, rng: np.random.Generator, *, level_db: float = -36.0) -> Wave:
    """Rain on a window: a swelling hiss with single drops."""
    samples = _samples(seconds)
    hiss = _coloured(samples, rng, lambda hz: (hz / (hz + 900)) / (1 + (hz / 6_000) ** 2))
    hiss *= 1 + 0.15 * _up(_wander(max(8, round(seconds * 4)), rng, 2), samples)
    for start in rng.uniform(0, seconds, round(seconds * 12)):
        length = _samples(rng.uniform(0.004, 0.015))
        drop = rng.standard_normal(length) * np.exp(-np.linspace(0, 5, length)) * rng.uniform(0.5, 3)
        _place(hiss, drop, start)
    return _at_level(hiss, level_db)


def music_box(seconds: float, rng: np.random.Generator, *, level_db: float = -30.0) -> Wave:
    """A lullaby from a music box: plucked tones that ring, and a random tune on five notes."""
    track = np.zeros(_samples(seconds))
    scale_hz = 523.25 * 2 ** (np.array([0, 2, 4, 7, 9, 12]) / 12)
    note, start = 2, 0.0
    while start < seconds:
        note = int(np.clip(note + rng.choice([-2, -1, -1, 1, 1, 2]), 0, 5))
        times = np.arange(_samples(1.4)) / RATE_HZ
        tone = sum(
            amplitude * np.sin(2 * np.pi * scale_hz[note] * ratio * times) * np.exp(-times * decay)
            for ratio, amplitude, decay in ((1.0, 1.0, 3.0), (2.76, 0.35, 7.0), (5.4, 0.15, 14.0))
        )
        _place(track, np.asarray(tone), start)
        start += float(rng.choice([0.35, 0.35, 0.7]))
    return _at_level(track, level_db)


def household(seconds: float, rng: np.random.Generator, *, level_db: float = -28.0) -> Wave:
    """A household in the next room: thuds, a door, dishes, footsteps; each a burst of damped resonances."""
    track = np.zeros(_samples(seconds))
    # Thud, door, dish, step: lowest and highest resonance in Hz, their number, their decay (1/s).
    kinds = ((60.0, 300.0, 6, 28.0), (90.0, 1_200.0, 12, 20.0), (1_800.0, 6_500.0, 8, 16.0), (70.0, 600.0, 6, 45.0))
    start = rng.uniform(0, 0.5)
    while start < seconds:
        low, high, count, decay = kinds[rng.integers(4)]
        for _ in range(int(rng.integers(1, 5))):
            times = np.arange(_samples(0.4)) / RATE_HZ
            hit = rng.standard_normal(len(times)) * np.exp(-times * 220)
            for frequency in rng.uniform(low, high, count):
                hit += np.sin(2 * np.pi * frequency * times) * np.exp(-times * decay * rng.uniform(0.6, 1.8)) / 2
            _place(track, hit * rng.uniform(0.3, 1.0), start)
            start += rng.uniform(0.25, 0.6)
        start += rng.uniform(0.5, 1.8)
    return _at_level(track, level_db)


# ----------------------------------------------------------------------------------------------- what the app ships

SOUND_HZ = 48_000  # of the alarm sounds: every sound card plays it without resampling

DEMO_SECTIONS: tuple[tuple[str, str, float, float], ...] = (
    # sound, label, start and end in seconds
    ("quiet room", "background", 0.0, 12.0),
    ("babbling", "natural", 12.0, 19.0),
    ("quiet room", "background", 19.0, 24.0),
    ("crying", "crying", 24.0, 52.0),
    ("quiet room", "background", 52.0, 60.0),
    ("dog barking", "background", 60.0, 66.0),
    ("quiet room", "background", 66.0, 75.0),
)
DEMO_SEED = 2026


def demo() -> Wave:
    """The demo recording: a short night by the crib, 75 s, see DEMO_SECTIONS. The crying grows louder by 10 dB."""
    rng = np.random.default_rng(DEMO_SEED)
    track = np.zeros(_samples(DEMO_SECTIONS[-1][3]))
    for sound, _label, start, end in DEMO_SECTIONS:
        if sound == "babbling":
            _place(track, room(babble(end - start, rng, level_db=-36.0), rng), start)
        elif sound == "crying":
            calm, upset = 9.0, end - start - 9.0
            _place(track, room(cry(calm - 0.4, rng, arousal=0.3, swell_db=3.0, level_db=-30.0), rng), start)
            _place(track, room(cry(upset, rng, arousal=0.8, swell_db=5.0, level_db=-23.0), rng), start + calm)
        elif sound == "dog barking":
            _place(track, room(dog(end - start, rng, level_db=-28.0), rng, decay_seconds=0.5, wet=0.4), start)
    return (track + room_tone(DEMO_SECTIONS[-1][3], rng)).astype(np.float32)


def demo_truth() -> dict[str, Any]:
    """The sections of `demo`, as written to demo.json."""
    return {
        "sample_rate_hz": RATE_HZ,
        "sections": [
            {"what": sound, "label": label, "start_seconds": start, "end_seconds": end}
            for sound, label, start, end in DEMO_SECTIONS
        ],
    }


def _tone(frequency_hz: float, seconds: float, partials: tuple[float, ...], attack: float, decay: float) -> Array:
    """A tone with these partials, a soft start and a decay; shape (samples,) at SOUND_HZ."""
    times = np.arange(round(seconds * SOUND_HZ)) / SOUND_HZ
    tone = np.zeros(len(times))
    for number, amplitude in enumerate(partials, start=1):
        tone += amplitude * np.sin(2 * np.pi * frequency_hz * number * times) * np.exp(-times * decay * number**0.5)
    ends = np.clip(times / attack, 0, 1) * np.clip((seconds - times) / 0.03, 0, 1)
    rounded: Array = np.sin(np.pi / 2 * ends) ** 2
    return tone * rounded


def alarm() -> Wave:
    """The alarm for crying, 3 s, loopable, at SOUND_HZ, shape (samples,).

    Two tones, a fifth apart, the lower at 520 Hz: strong partials over a low fundamental wake sleepers better than high
    beeps do. The attack and decay of a bell make it less of a shock.
    """
    track = np.zeros(3 * SOUND_HZ)
    bell = (1.0, 0.55, 0.4, 0.28, 0.2, 0.12)
    for number, frequency in enumerate((520.0, 780.0, 520.0, 780.0)):
        start = round(number * 0.42 * SOUND_HZ)
        tone = _tone(frequency, 0.85, bell, 0.012, 2.2)
        track[start : start + len(tone)] += tone
    return (track * (0.7 / float(np.abs(track).max()))).astype(np.float32)


def health() -> Wave:
    """The sound for "not listening", 4 s, loopable, at SOUND_HZ: three low, falling wooden knocks, twice."""
    track = np.zeros(4 * SOUND_HZ)
    for round_number in (0, 1):
        for number, frequency in enumerate((392.0, 311.1, 233.1)):
            start = round((round_number * 1.5 + number * 0.3) * SOUND_HZ)
            tone = _tone(frequency, 0.28, (1.0, 0.0, 0.6, 0.0, 0.35, 0.0, 0.2), 0.006, 4.0)
            track[start : start + len(tone)] += tone
    return (track * (0.7 / float(np.abs(track).max()))).astype(np.float32)


def write(folder: Path) -> None:
    """Write demo.flac, demo.json, sounds/alarm.wav and sounds/health.wav into `folder`, all in 16 bits."""
    import soundfile

    (folder / "sounds").mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / "demo.flac", demo(), RATE_HZ, subtype="PCM_16")
    soundfile.write(folder / "sounds" / "alarm.wav", alarm(), SOUND_HZ, subtype="PCM_16")
    soundfile.write(folder / "sounds" / "health.wav", health(), SOUND_HZ, subtype="PCM_16")
    (folder / "demo.json").write_text(json.dumps(demo_truth(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
