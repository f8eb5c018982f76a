"""The ring buffer of the newest sound. Its absolute sample index is the only audio clock."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from babymonitor.core.sound.wave import SAMPLE_RATE, Wave

_MOST_CLIPPED = 10_000


class OverrunError(LookupError):
    """The requested samples were overwritten before they could be read."""


class RingBuffer:
    """The last seconds of sound, addressed by absolute sample index: one writer, any number of readers, no lock.

    The writer announces how far it will write, writes, then publishes. A reader copies, then checks whether the
    announcement has reached what it copied. Both numbers are plain attributes, and assigning those is atomic in
    CPython.
    """

    def __init__(self, seconds: float, sample_rate: int = SAMPLE_RATE) -> None:
        self.sample_rate = sample_rate
        self.capacity = int(seconds * sample_rate)
        self._samples = np.zeros(self.capacity, np.float32)
        self._announced = 0
        self._written = 0
        self._cut_at = 0
        self._clipped: deque[int] = deque(maxlen=_MOST_CLIPPED)

    @property
    def written(self) -> int:
        """The number of samples written so far, which is the index of the next one."""
        return self._written

    @property
    def oldest(self) -> int:
        """The index of the oldest sample that can still be read."""
        return max(0, self._announced - self.capacity)

    def write(self, block: npt.NDArray[np.float32]) -> None:
        """Append a block (samples,). Of a block longer than the ring only the end is kept, but all of it is counted."""
        stop = self._written + block.size
        self._announced = stop
        tail = block[-self.capacity :]
        position = (stop - tail.size) % self.capacity
        first = min(tail.size, self.capacity - position)
        self._samples[position : position + first] = tail[:first]
        self._samples[: tail.size - first] = tail[first:]
        self._written = stop

    @property
    def cut_at(self) -> int:
        """The index at which the current uninterrupted sound begins; before it there is a gap in time."""
        return self._cut_at

    def cut(self) -> None:
        """For the writer: mark a gap, so that the next block does not continue the previous one."""
        self._cut_at = self._written

    def mark_clipped(self) -> None:
        """For the writer: mark the last block as too loud for the microphone, which resampling would hide."""
        self._clipped.append(self._written)

    def is_clipped(self, start: int, stop: int) -> bool:
        """Whether the writer marked any block in [start, stop) as clipped. For the writer's thread only."""
        return any(start < end <= stop for end in self._clipped)

    def read(self, start: int, stop: int) -> Wave:
        """A copy of the samples [start, stop). OverrunError if the first are gone, ValueError if any is to come."""
        if not 0 <= start <= stop <= self._written:
            raise ValueError(f"Samples {start} to {stop} were asked for, {self._written} have been written.")
        if start < self.oldest:
            raise OverrunError(f"Sample {start} is gone, the oldest is {self.oldest}.")
        position, size = start % self.capacity, stop - start
        first = min(size, self.capacity - position)
        out = np.empty(size, np.float32)
        out[:first] = self._samples[position : position + first]
        out[first:] = self._samples[: size - first]
        if start < self.oldest:
            raise OverrunError(f"Sample {start} was overwritten while it was read.")
        return out

    def latest(self, samples: int) -> Wave:
        """The newest `samples` samples: fewer at the beginning of the sound, and at most half the ring.

        Half, because older ones could be overwritten while they are copied.
        """
        stop = self._written
        return self.read(max(0, stop - samples, stop - self.capacity // 2), stop)
