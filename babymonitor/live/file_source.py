"""Sound files in place of the microphone, in real time or as fast as they can be read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from babymonitor.core.sound.files import AudioFile, resampled_blocks
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.sound.wave import Wave

_LONGEST_BLOCK = 4000


class FileSource:
    """Plays one or more files into the ring, one after the other.

    The constructor opens every file once and raises AudioError for one that cannot be read, before an hour of the
    first has been played. paced: in real time; otherwise each `pump` writes one block.
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
        """Start from the beginning of the first file."""
        self._blocks = self._all_blocks()
        self._started_at = time.monotonic()
        self._base = self._ring.written
        self.finished = False
        self._ring.cut()

    def reopen(self) -> None:
        """Do nothing: a file does not disappear."""

    def close(self) -> None:
        self._blocks = iter(())
        self.finished = True

    def pump(self) -> None:
        """Write the next block, or all that is due. Raises AudioError for a file that is damaged further on."""
        if not self._paced:
            self._write_block()
            return
        due = self._base + (time.monotonic() - self._started_at) * self._ring.sample_rate
        while not self.finished and self._ring.written < due:
            self._write_block()

    def _all_blocks(self) -> Iterator[Wave]:
        """Yield the sound of all files, in blocks so short that the detector skips no window between two of them."""
        for path in self._paths:
            for block in resampled_blocks(path, self._ring.sample_rate):
                for start in range(0, block.size, _LONGEST_BLOCK):
                    yield block[start : start + _LONGEST_BLOCK]

    def _write_block(self) -> None:
        block = next(self._blocks, None)
        if block is None:
            self.finished = True
        else:
            self._ring.write(block)
