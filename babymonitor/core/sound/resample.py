"""Resampling of a stream, block by block."""

from __future__ import annotations

import numpy as np

from babymonitor.core.sound.wave import SAMPLE_RATE, Wave


class StreamResampler:
    """Resampling of a stream, block by block (libsoxr, high quality); the same samples whatever the block sizes."""

    def __init__(self, source_rate: float, target_rate: int = SAMPLE_RATE) -> None:
        import soxr

        self._stream = (
            None
            if source_rate == target_rate
            else soxr.ResampleStream(source_rate, target_rate, 1, dtype="float32", quality="HQ")
        )

    def push(self, block: Wave, last: bool = False) -> Wave:
        """(samples,) at the source's rate → (samples,) at the target's, later by the filter's delay; `last` flushes."""
        if self._stream is None:
            return block
        return np.asarray(self._stream.resample_chunk(block, last=last), np.float32)
