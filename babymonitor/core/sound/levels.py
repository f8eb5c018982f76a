"""Levels of sound: loudness, clipping, digital silence, and the envelope that a screen can show."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from babymonitor.core.sound.wave import Wave

SILENCE_DB = -120.0
FULL_SCALE = 0.999
CLIPPED_SAMPLES = 3


class ClippingMeter:
    """Finds sound that was too loud for the microphone: three samples in a row, or more, at full scale.

    A single one may be a true peak; what was cut off stays at the limit. Blocks may come in any size, at the rate at
    which they were recorded: resampled, what was flat has ripples.
    """

    def __init__(self) -> None:
        self._tail = np.zeros(0, bool)

    def push(self, block: Wave) -> bool:
        """Whether a clipped stretch ends in, or goes on into, this block (samples,)."""
        full = np.concatenate((self._tail, np.abs(block) >= FULL_SCALE))
        self._tail = full[-(CLIPPED_SAMPLES - 1) :]
        if not full.any():
            return False
        runs = np.convolve(full, np.ones(CLIPPED_SAMPLES, int))
        return bool((runs == CLIPPED_SAMPLES).any())


def level_db(wave: Wave) -> float:
    """Root mean square in dB relative to full scale, not below -120; of nothing: -120."""
    if wave.size == 0:
        return SILENCE_DB
    power = float(np.dot(wave, wave)) / wave.size
    return max(SILENCE_DB, 10.0 * math.log10(power)) if power > 0 else SILENCE_DB


def is_digital_silence(wave: Wave) -> bool:
    """Every sample is the same: a muted or broken microphone. A quiet room never is that quiet."""
    return wave.size > 0 and bool((wave == wave[0]).all())


def envelope(wave: Wave, points: int) -> npt.NDArray[np.float32]:
    """The least and the greatest sample of `points` equal stretches, (points, 2): what a screen can show of a wave."""
    size = wave.size // points
    if size == 0:
        return np.repeat(wave[:, None], 2, axis=1)
    stretches = wave[wave.size - size * points :].reshape(points, size)
    return np.stack((stretches.min(axis=1), stretches.max(axis=1)), axis=1)
