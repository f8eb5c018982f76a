"""Calls of animals of many sizes, to distinguish from children, with the voice of `resources.synthesise`."""

from __future__ import annotations

import numpy as np

from resources.synthesise import RATE_HZ, Array, Wave, _at_level, _curve, _place, _points, _samples, _voice


def animal(seconds: float, rng: np.random.Generator, *, level_db: float = -26.0) -> Wave:
    """A random animal's voice: meows, bleats, squawks or howls of any size of throat, with long pauses in between.

    Unlike a child's, the mouth moves within a call, or the voice trembles or breaks throughout, and the next call does
    not follow with the next breath.
    """
    call = (_meow, _bleat, _squawk, _howl)[rng.choice(4, p=(0.55, 0.15, 0.15, 0.15))]
    base, size = np.exp(rng.uniform(np.log(0.7), np.log(1.5))), rng.uniform(0.75, 1.3)
    track = np.zeros(_samples(seconds))
    start = rng.uniform(0.0, 0.8)
    while start < seconds - 0.3:
        wave = call(rng, base * rng.uniform(0.9, 1.1), size)
        _place(track, wave, start)
        start += len(wave) / RATE_HZ + rng.uniform(0.6, 3.0)
    return _at_level(track, level_db)


def _meow(rng: np.random.Generator, base: float, size: float) -> Array:
    length = rng.uniform(0.3, 1.5)
    points = _points(length)
    times = np.linspace(0, 1, points)
    peak = rng.uniform(0.15, 0.6)
    pitch = 560 * base * _curve(points, (0, rng.uniform(0.6, 1.0)), (peak, 1.1), (1, rng.uniform(0.5, 0.95)))
    wide = np.interp(times, [0, rng.uniform(0.25, 0.6), 1], [0.0, 1.0, rng.uniform(0.0, 0.3)])[:, None]
    shut = np.array([450.0, rng.uniform(1_200, 2_400), 3_400.0])
    wide_open = np.array([rng.uniform(900, 1_400), rng.uniform(1_500, 2_200), 3_600.0])
    formants = ((1 - wide) * shut + wide * wide_open) / size
    loud = np.clip(np.minimum(times / rng.uniform(0.05, 0.3), (1 - times) / rng.uniform(0.15, 0.5)), 0, 1)
    breath = np.full(points, rng.uniform(0.02, 0.2))
    return _voice(pitch, loud, breath, formants, np.array([160.0, 220, 350]), rng, tilt_db=rng.uniform(-13, -5))


def _bleat(rng: np.random.Generator, base: float, size: float) -> Array:
    length = rng.uniform(0.4, 1.3)
    points = _points(length)
    times = np.linspace(0, 1, points)
    tremble = np.sin(2 * np.pi * rng.uniform(8, 16) * times * length)
    pitch = 380 * base * _curve(points, (0, 0.9), (0.3, 1.05), (1, 0.85)) * (1 + rng.uniform(0.02, 0.08) * tremble)
    loud = np.clip(np.minimum(times / 0.05, (1 - times) / 0.15), 0, 1) * (1 + rng.uniform(0.3, 0.8) * tremble)
    formants = np.tile(np.array([rng.uniform(600, 1_000), 1_700.0, 2_900.0]) / size, (points, 1))
    breath = np.full(points, rng.uniform(0.05, 0.3))
    return _voice(pitch, np.maximum(loud, 0), breath, formants, np.array([140.0, 200, 320]), rng)


def _squawk(rng: np.random.Generator, base: float, size: float) -> Array:
    length = rng.uniform(0.15, 0.6)
    points = _points(length)
    times = np.linspace(0, 1, points)
    ends = (0, rng.uniform(0.6, 1.3)), (0.5, rng.uniform(0.9, 1.4)), (1, rng.uniform(0.5, 1.2))
    pitch = 700 * base * _curve(points, *ends)
    formants = np.tile(np.array([rng.uniform(1_200, 1_800), rng.uniform(2_300, 3_200), 4_500.0]) / size, (points, 1))
    loud = np.clip(np.minimum(times / 0.05, (1 - times) / 0.1), 0, 1)
    rough = np.full(points, rng.uniform(0.2, 0.8))
    breath = np.full(points, rng.uniform(0.2, 0.6))
    return _voice(pitch, loud, breath, formants, np.array([250.0, 350, 500]), rng, roughness=rough)


def _howl(rng: np.random.Generator, base: float, size: float) -> Array:
    length = rng.uniform(0.8, 2.5)
    points = _points(length)
    times = np.linspace(0, 1, points)
    pitch = 420 * base * _curve(points, (0, 0.5), (rng.uniform(0.2, 0.4), 1.0), (0.8, rng.uniform(0.9, 1.1)), (1, 0.6))
    formants = np.tile(np.array([rng.uniform(450, 700), 1_000.0, 2_600.0]) / size, (points, 1))
    loud = np.clip(np.minimum(times / 0.3, (1 - times) / 0.3), 0, 1)
    return _voice(pitch, loud, np.full(points, 0.05), formants, np.array([90.0, 140, 300]), rng, tilt_db=-14.0)
