"""The type of sound in memory throughout the program: mono float32 samples in [-1, 1], 16 kHz in the ring."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from babymonitor.core.messages import PersonError

Wave = npt.NDArray[np.float32]
SAMPLE_RATE = 16000


class AudioError(PersonError):
    """Sound that cannot be read."""
