"""The ring buffer that all listeners read from. Its absolute sample index is the only audio clock."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from babymonitor.core.sound.wave import SAMPLE_RATE, Wave

_MOST_CLIPPED = 10_000


class OverrunError(LookupError):
    """The samples asked for were overwritten before they could be read."""


class RingBuffer:
    """The last seconds of sound, addressed by absolute sample number: one writer, any number of readers, no lock.

    The writer first announces how far it is going to write, then writes, then publishes. A reader copies and looks
    afterwards whether the announcement has reached what it copied. Both numbers are plain attributes, whose assignment
    the interpreter makes indivisible.
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
        """How many samples were ever written: the index that the next one will have."""
        return self._written

    @property
    def oldest(self) -> int:
        """The index of the oldest sample that can still be read."""
        return max(0, self._announced - self.capacity)

    def write(self, block: npt.NDArray[np.float32]) -> None:
        """Append (samples,); of a block longer than the ring only the end is kept, and all of it is counted."""
        stop = self._written + block.size
        self._announced = stop
        kept = block[-self.capacity :]
        at = (stop - kept.size) % self.capacity
        first = min(kept.size, self.capacity - at)
        self._samples[at : at + first] = kept[:first]
        self._samples[: kept.size - first] = kept[first:]
        self._written = stop

    @property
    def cut_at(self) -> int:
        """Where the sound that goes on now began: what is before it was heard before a gap."""
        return self._cut_at

    def cut(self) -> None:
        """The writer's word that what it writes next does not follow what it wrote (the microphone was away)."""
        self._cut_at = self._written

    def mark_clipped(self) -> None:
        """The writer's word that what it wrote last was too loud for the microphone; resampling hides that."""
        self._clipped.append(self._written)

    def is_clipped(self, start: int, stop: int) -> bool:
        """Whether the writer has marked anything it wrote of the samples [start, stop). For the writer's own thread."""
        return any(start < at <= stop for at in self._clipped)

    def read(self, start: int, stop: int) -> Wave:
        """A copy of the samples [start, stop). OverrunError when the first are gone, ValueError when any is to come."""
        if not 0 <= start <= stop <= self._written:
            raise ValueError(f"Samples {start} to {stop} were asked for, {self._written} have been written.")
        if start < self.oldest:
            raise OverrunError(f"Sample {start} is gone, the oldest is {self.oldest}.")
        at, size = start % self.capacity, stop - start
        first = min(size, self.capacity - at)
        out = np.empty(size, np.float32)
        out[:first] = self._samples[at : at + first]
        out[first:] = self._samples[: size - first]
        if start < self.oldest:
            raise OverrunError(f"Sample {start} was overwritten while it was read.")
        return out

    def latest(self, samples: int) -> Wave:
        """The newest `samples` samples; fewer at the beginning of the sound, and never more than half of the ring.

        Half, because what is older could be overwritten by the time it is copied.
        """
        stop = self._written
        return self.read(max(0, stop - samples, stop - self.capacity // 2), stop)
