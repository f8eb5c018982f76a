"""Resampling of a stream, block by block."""

from __future__ import annotations

import numpy as np

from babymonitor.core.sound.wave import SAMPLE_RATE, Wave


class StreamResampler:
    """Resamples a stream block by block (libsoxr, high quality); block sizes do not change the result."""

    def __init__(self, source_rate: float, target_rate: int = SAMPLE_RATE) -> None:
        import soxr

        self._stream = (
            None
            if source_rate == target_rate
            else soxr.ResampleStream(source_rate, target_rate, 1, dtype="float32", quality="HQ")
        )

    def push(self, block: Wave, last: bool = False) -> Wave:
        """Resample a block (samples,); the result lags by the filter's delay. last: flush the rest."""
        if self._stream is None:
            return block
        return np.asarray(self._stream.resample_chunk(block, last=last), np.float32)
