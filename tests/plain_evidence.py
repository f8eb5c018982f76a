"""Evidence over time for tests, with weights that can be understood."""

from __future__ import annotations

from typing import Any

import numpy as np

from babymonitor.core.model.evidence import Evidence

SPANS = (1, 2, 4)


def evidence(columns: int = 1, **changes: Any) -> Evidence:
    """It believes the mean of the last four windows' first column."""
    inputs = columns * 5
    hidden = np.zeros((inputs, 1), np.float32)
    hidden[3 * columns] = 1.0
    values = {
        "spans": SPANS, "centre": np.zeros(inputs, np.float32), "scale": np.full(inputs, 100, np.float32),
        "hidden": hidden, "hidden_offset": np.zeros(1, np.float32), "output": np.full(1, 100, np.float32),
        "offset": 0.0,
    }  # fmt: skip
    return Evidence(**{**values, **changes})
