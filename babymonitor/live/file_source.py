"""Sound files in the microphone's place: the same ring and path, at the speed of time or as fast as they read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from babymonitor.core.sound.files import AudioFile, resampled_blocks
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.sound.wave import Wave

_LONGEST_BLOCK = 4000


class FileSource:
    """One or more files, one after the other.

    Every file is opened and closed again at once, so that a wrong name is told before an hour of the first has been
    heard: AudioError. paced: give the sound out at the speed of time; else a block at each `pump`.
    """

    ends = True
    is_substitute = False

    def __init__(self, ring: RingBuffer, paths: list[Path], paced: bool, name: str = "") -> None:
        for path in paths:
            AudioFile(path)
        self.name = name or ", ".join(path.name for path in paths)
        self.finished = False
        self._ring = ring
        self._paths = paths
        self._paced = paced
        self._blocks: Iterator[Wave] = iter(())
        self._started_at = 0.0
        self._base = 0

    def open(self) -> None:
        """Begin at the beginning."""
        self._blocks = self._all_blocks()
        self._started_at = time.monotonic()
        self._base = self._ring.written
        self.finished = False
        self._ring.cut()

    def reopen(self) -> None:
        """Nothing to do: a file does not go away."""

    def close(self) -> None:
        self._blocks = iter(())
        self.finished = True

    def pump(self) -> None:
        """Give out the next block, or all that time has come for; AudioError for a file damaged on the way."""
        if not self._paced:
            self._give()
            return
        due = self._base + (time.monotonic() - self._started_at) * self._ring.sample_rate
        while not self.finished and self._ring.written < due:
            self._give()

    def _all_blocks(self) -> Iterator[Wave]:
        """The sound of all files, in blocks short enough that no window of a detector is skipped between two."""
        for path in self._paths:
            for block in resampled_blocks(path, self._ring.sample_rate):
                for start in range(0, block.size, _LONGEST_BLOCK):
                    yield block[start : start + _LONGEST_BLOCK]

    def _give(self) -> None:
        block = next(self._blocks, None)
        if block is None:
            self.finished = True
        else:
            self._ring.write(block)
