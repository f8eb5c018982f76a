"""Batches of training windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CHUNK = 64
"""Windows that are drawn as one unit of work."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows with their targets.

    mels: (B, rows, frames), in half precision to save memory. targets: (B, labels), soft; all zero for sound that no
    label fits. lessons: (B, classes), the teacher's scores; (B, 0) without a teacher.
    """

    mels: npt.NDArray[np.float16]
    targets: npt.NDArray[np.float32]
    lessons: npt.NDArray[np.float16]


def concatenated(batches: Sequence[Batch]) -> Batch:
    """Join batches in order."""
    return Batch(*(np.concatenate([getattr(batch, name) for batch in batches]) for name in Batch.__slots__))
