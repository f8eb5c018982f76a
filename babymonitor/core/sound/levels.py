"""Levels of sound: loudness, clipping, digital silence, and the envelope for drawing."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from babymonitor.core.sound.wave import Wave

SILENCE_DB = -120.0
FULL_SCALE = 0.999
CLIPPED_SAMPLES = 3


class ClippingMeter:
    """Detects sound that was too loud for the microphone: three or more consecutive samples at full scale.

    A single sample may be a true peak; clipped sound stays at the limit. Blocks may have any size but must have the
    rate of the recording, as resampling puts ripples on flat tops.
    """

    def __init__(self) -> None:
        self._tail = np.zeros(0, bool)

    def push(self, block: Wave) -> bool:
        """Whether a clipped stretch ends in or continues into this block (samples,)."""
        full = np.concatenate((self._tail, np.abs(block) >= FULL_SCALE))
        self._tail = full[-(CLIPPED_SAMPLES - 1) :]
        if not full.any():
            return False
        runs = np.convolve(full, np.ones(CLIPPED_SAMPLES, int))
        return bool((runs == CLIPPED_SAMPLES).any())


def level_db(wave: Wave) -> float:
    """Root mean square in dB relative to full scale, at least -120; -120 for an empty wave."""
    if wave.size == 0:
        return SILENCE_DB
    power = float(np.dot(wave, wave)) / wave.size
    return max(SILENCE_DB, 10.0 * math.log10(power)) if power > 0 else SILENCE_DB


def is_digital_silence(wave: Wave) -> bool:
    """Whether all samples are equal: a muted or broken microphone, as no quiet room is that quiet."""
    return wave.size > 0 and bool((wave == wave[0]).all())


def envelope(wave: Wave, points: int) -> npt.NDArray[np.float32]:
    """The minimum and maximum of each of `points` equal stretches, (points, 2), for drawing a wave."""
    size = wave.size // points
    if size == 0:
        return np.repeat(wave[:, None], 2, axis=1)
    stretches = wave[wave.size - size * points :].reshape(points, size)
    return np.stack((stretches.min(axis=1), stretches.max(axis=1)), axis=1)
