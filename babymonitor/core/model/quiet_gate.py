"""The gate: whether anything rises out of the steady background, so that a silent night costs next to nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from babymonitor.core.model.features import Mel

_BLOCK_FRAMES = 5
"""Frames that are averaged: 50 ms, shorter than any cry."""
_BANDS = 8
"""How many bands must rise. A cry has several harmonics."""
_LEAST_DEVIATION = 0.12
"""In log units: a background steadier than this is not taken at its word."""
_PACE = 0.04
"""How much of the background each hop renews."""
_LEARNING_HOPS = 8
"""Hops before the background is known."""
THRESHOLD = 3.0
"""In standard deviations of the background. Over steady noise and in quiet rooms, one composed hop in a hundred exceeds
2.7 to 3.8.
"""


class QuietGate:
    """Follows the background of one room in each band of a log-mel spectrogram, and says whether new sound rises out
    of it.

    It learns only from sound that the model did not take for crying: whoever cries for an hour is no background.
    """

    def __init__(self) -> None:
        self._mean: npt.NDArray[np.float32] | None = None
        self._variance: npt.NDArray[np.float32] | None = None
        self._hops = 0
        self._blocks: npt.NDArray[np.float32] | None = None

    def rises(self, frames: Mel) -> bool:
        """Whether the newest frames, (bands, frames), rise out of the background; True while that is not known."""
        return self.excess(frames) >= THRESHOLD

    def excess(self, frames: Mel) -> float:
        """By how many deviations the loudest 50 ms rise, in the mean over the bands that rise most."""
        count = max(1, frames.shape[1] // _BLOCK_FRAMES)
        width = min(_BLOCK_FRAMES, frames.shape[1])
        self._blocks = frames[:, -count * width :].reshape(frames.shape[0], count, width).mean(axis=2)
        if self._mean is None or self._variance is None or self._hops < _LEARNING_HOPS:
            return float("inf")
        deviation = np.maximum(np.sqrt(self._variance), np.float32(_LEAST_DEVIATION))
        rise = (self._blocks - self._mean[:, None]) / deviation[:, None]
        bands = min(_BANDS, rise.shape[0])
        return float(np.partition(rise, -bands, axis=0)[-bands:].mean(axis=0).max())

    def learn(self) -> None:
        """Take the frames of the last question into the background."""
        if self._blocks is None:
            return
        mean = self._blocks.mean(axis=1)
        if self._mean is None or self._variance is None:
            self._mean, self._variance = mean, np.full_like(mean, 0.25)
        pace = np.float32(max(_PACE, 1.0 / (self._hops + 1.0)))
        distance = ((self._blocks - self._mean[:, None]) ** 2).mean(axis=1)
        self._mean = self._mean + pace * (mean - self._mean)
        self._variance = self._variance + pace * (distance - self._variance)
        self._hops += 1
