"""Evidence over time: from what a model heard in the last seconds to P(crying) now.

A window of a second is too little to wake somebody by: a child's shout, a cat, a chair that is moved sound like a cry
for as long. A cry repeats, and has pauses for breath; a voice goes on to something else. So the log-odds of crying and
of other sounds, window by window, are summarised over several spans, and a small network weighs the summaries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

LIMIT = 9.0
"""Log-odds farther from zero than this say no more."""
_MOST_INPUTS, _MOST_HIDDEN, _MOST_WINDOWS = 2048, 256, 240


@dataclass(frozen=True, slots=True)
class Evidence:
    """The weights: log-odds of crying = output · tanh(hidden · (summary - centre) / scale + hidden_offset) + offset.

    spans: in windows, the newest included; the first is 1. centre, scale (inputs,), hidden (inputs, H),
    hidden_offset, output (H,). inputs = columns · (2 · spans - 1), see `summary`.
    """

    spans: tuple[int, ...]
    centre: Floats
    scale: Floats
    hidden: Floats
    hidden_offset: Floats
    output: Floats
    offset: float

    @property
    def windows(self) -> int:
        """How many windows it looks back upon."""
        return max(self.spans)

    def __call__(self, history: Floats) -> float:
        """P(crying) in [0, 1] after these windows, (windows, columns), the newest last."""
        inputs = (summary(history, self.spans) - self.centre) / self.scale
        log_odds = float(np.tanh(inputs @ self.hidden + self.hidden_offset) @ self.output) + self.offset
        return float(1.0 / (1.0 + np.exp(-log_odds)))

    def of_windows(self, history: Floats) -> npt.NDArray[np.float64]:
        """P(crying) after each of these windows, (windows, columns) → (windows,): as if asked after one by one."""
        return self._weighed((_summaries(history, self.spans) - self.centre) / self.scale)

    def steady(self, rows: Floats) -> npt.NDArray[np.float64]:
        """P(crying) in sounds that go on like each of these windows, (windows, columns) → (windows,)."""
        inputs = (np.tile(rows, 2 * len(self.spans) - 1) - self.centre) / self.scale
        return self._weighed(inputs)

    def _weighed(self, inputs: Floats) -> npt.NDArray[np.float64]:
        """(N, inputs) → P(crying) (N,)."""
        log_odds = np.tanh(inputs @ self.hidden + self.hidden_offset) @ self.output + self.offset
        return np.asarray(1.0 / (1.0 + np.exp(-log_odds.astype(np.float64))))

    def to_dict(self) -> dict[str, Any]:
        return {
            name: value.tolist() if isinstance(value := getattr(self, name), np.ndarray) else value
            for name in self.__slots__
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], columns: int) -> Evidence:
        """Read weights for so many columns. Raises ValueError, KeyError or TypeError for weights that do not fit."""
        spans = tuple(int(span) for span in values["spans"])
        inputs = columns * (2 * len(spans) - 1)
        arrays = {
            name: np.asarray(values[name], np.float32)
            for name in ("centre", "scale", "hidden", "hidden_offset", "output")
        }
        hidden = arrays["output"].size
        shapes = {
            "centre": (inputs,), "scale": (inputs,), "hidden": (inputs, hidden), "hidden_offset": (hidden,),
            "output": (hidden,),
        }  # fmt: skip
        offset = float(values["offset"])
        if (
            not spans
            or spans[0] != 1
            or not all(1 <= span <= _MOST_WINDOWS for span in spans)
            or not (0 < inputs <= _MOST_INPUTS and 0 < hidden <= _MOST_HIDDEN)
            or any(arrays[name].shape != shape for name, shape in shapes.items())
            or not all(np.isfinite(array).all() for array in arrays.values())
            or not np.isfinite(offset)
            or not (arrays["scale"] > 0).all()
        ):
            raise ValueError("evidence")
        return cls(spans, **arrays, offset=offset)


def summary(history: Floats, spans: tuple[int, ...]) -> Floats:
    """Summarise windows (windows, columns), the newest last: the newest; of each longer span the mean and the highest.

    Returns (columns · (2 · spans - 1),). At the beginning of a sound a span is as long as the sound.
    """
    parts = [history[-1]]
    for span in spans[1:]:
        recent = history[-span:]
        parts += [recent.mean(axis=0), recent.max(axis=0)]
    return np.asarray(np.concatenate(parts), np.float32)


def _summaries(history: Floats, spans: tuple[int, ...]) -> Floats:
    """The `summary` after each of these windows, (windows, columns) → (windows, inputs)."""
    count = len(history)
    newest = np.arange(count)
    sums = np.concatenate((np.zeros((1, history.shape[1])), np.cumsum(history, axis=0, dtype=np.float64)))
    parts = [history]
    for span in spans[1:]:
        lengths = np.minimum(newest + 1, span)
        before = np.full((span - 1, history.shape[1]), -np.inf, np.float32)
        recent = np.lib.stride_tricks.sliding_window_view(np.concatenate((before, history)), span, axis=0)
        means = (sums[newest + 1] - sums[newest + 1 - lengths]) / lengths[:, None]
        parts += [np.asarray(means, np.float32), recent.max(axis=-1)]
    return np.asarray(np.concatenate(parts, axis=1), np.float32)


def log_odds(probability: float) -> float:
    """The log-odds of a probability, within ±`LIMIT`."""
    least = 1.0 / (1.0 + np.exp(LIMIT))
    probability = min(max(probability, least), 1.0 - least)
    return float(np.log(probability / (1.0 - probability)))
