"""Evidence over time: from what a model heard in the last seconds to P(crying) now.

A window of a second is too little to wake somebody by: a child's shout, a cat, a chair that is moved sound like a cry
for as long. A cry repeats, with pauses for breath. So the log-odds of crying speak for it now, in two of the last four
windows, in three of eight, in four of twelve, and in the mean of the last seconds; other sounds (a cat, talking, music,
an alarm) speak against it where they go on. What each is worth is a weight that only speaks one way: evidence that was
free to weigh as it liked was worse on babies and homes it had not met (docs/reports/default-model-tried.md).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

LIMIT = 9.0
"""Log-odds farther from zero than this say no more."""
HIGHEST = ((1, 1), (4, 2), (8, 3), (12, 4))
"""Of so many windows, the newest included, the log-odds of crying that so many of them reach."""
MEANS = (12, 23)
"""In windows: the mean of the log-odds of crying over the last 3 s and 6 s."""
SOUND_MEANS = (4, 12)
"""In windows: the same of other sounds, over 1 s and 3 s."""
INAUDIBLE = -4.0
"""Log-odds below which a sound speaks against nothing."""
BEFORE = -4.0
"""The log-odds of crying assumed of the time before a sound began. A short file may hold one cry and nothing else."""
WINDOWS = max(*MEANS, *SOUND_MEANS, *(windows for windows, _ in HIGHEST))
"""How many windows it looks back upon."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Log-odds of crying = offset + crying · (`HIGHEST`, `MEANS`) - sounds · (`SOUND_MEANS` above `INAUDIBLE`).

    crying: (6,), sounds: (2, sounds), all zero or more.
    """

    crying: Floats
    sounds: Floats
    offset: float

    def __call__(self, history: Floats) -> float:
        """P(crying) in [0, 1] after these windows, (windows, 1 + sounds), the newest last: the last of `of_windows`."""
        # Asked once a hop, for which arrays of a dozen numbers would cost more than the sums themselves.
        values: list[float] = history[-WINDOWS:, 0].tolist()
        inputs = []
        for windows, count in HIGHEST:
            recent = values[-windows:]
            recent += [BEFORE] * (windows - len(recent))
            recent.sort(reverse=True)
            inputs.append(recent[count - 1])
        for windows in MEANS:
            recent = values[-windows:]
            inputs.append(sum(recent) / len(recent))
        log_odds = self.offset + sum(map(operator.mul, inputs, self.crying.tolist()))
        for windows, weights in zip(SOUND_MEANS, self.sounds, strict=True):
            recent_sounds = history[-windows:, 1:]
            means = recent_sounds.sum(axis=0, dtype=np.float64) / len(recent_sounds)
            log_odds -= float(np.maximum(means - INAUDIBLE, 0.0) @ weights)
        return 1.0 / (1.0 + math.exp(-log_odds))

    def of_windows(self, history: Floats) -> Doubles:
        """P(crying) after each of these windows, (windows, 1 + sounds) → (windows,): as if asked one by one."""
        return self._weighed(crying_inputs(history[:, 0]), sound_inputs(history[:, 1:]))

    def steady(self, rows: Floats) -> Doubles:
        """P(crying) in sounds that go on like each of these windows, (windows, 1 + sounds) → (windows,)."""
        audible = np.maximum(rows[:, 1:] - INAUDIBLE, 0.0)
        return self._weighed(
            np.repeat(rows[:, :1], len(self.crying), axis=1), np.stack([audible] * len(SOUND_MEANS), axis=1)
        )

    def _weighed(self, crying: npt.NDArray[Any], sounds: npt.NDArray[Any]) -> Doubles:
        """(N, 6), (N, 2, sounds) → P(crying) (N,)."""
        log_odds = self.offset + crying @ self.crying.astype(np.float64)
        log_odds = log_odds - np.einsum("nst,st->n", sounds, self.sounds.astype(np.float64))
        return np.asarray(1.0 / (1.0 + np.exp(-log_odds)))

    def to_dict(self) -> dict[str, Any]:
        return {"crying": self.crying.tolist(), "sounds": self.sounds.tolist(), "offset": self.offset}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], sounds: int) -> Evidence:
        """Read weights for so many sounds. Raises ValueError, KeyError or TypeError for weights that do not fit."""
        crying, others = (np.asarray(values[name], np.float32) for name in ("crying", "sounds"))
        others = others.reshape(len(SOUND_MEANS), sounds)
        offset = float(values["offset"])
        weights = np.concatenate((crying.ravel(), others.ravel()))
        if crying.shape != (len(HIGHEST) + len(MEANS),) or not np.isfinite([*weights, offset]).all():
            raise ValueError("evidence")
        if (weights < 0).any() or not crying.any():
            raise ValueError("evidence")
        return cls(crying, others, offset)


def crying_inputs(log_odds: Floats) -> Doubles:
    """Log-odds of crying in successive windows, (N,) → (N, 6): `HIGHEST` and `MEANS` after each.

    Before the sound began there is `BEFORE`; means are over what there is.
    """
    columns = []
    for windows, count in HIGHEST:
        recent = _recent(np.asarray(log_odds, np.float64), windows, BEFORE)
        columns.append(np.partition(recent, windows - count, axis=-1)[..., windows - count])
    return np.stack([*columns, *(_mean(np.asarray(log_odds, np.float64), windows) for windows in MEANS)], axis=1)


def sound_inputs(log_odds: Floats) -> Doubles:
    """Log-odds of other sounds in successive windows, (N, sounds) → (N, 2, sounds), 0 where they are inaudible."""
    means = [_mean(np.asarray(log_odds, np.float64), windows) for windows in SOUND_MEANS]
    return np.maximum(np.stack(means, axis=1) - INAUDIBLE, 0.0)


def _recent(values: Doubles, windows: int, before: float) -> Doubles:
    """(N,) → (N, windows): each value with those before it."""
    padded = np.concatenate((np.full(windows - 1, before), values))
    return np.lib.stride_tricks.sliding_window_view(padded, windows)


def _mean(values: Doubles, windows: int) -> Doubles:
    """(N, …) → (N, …): the mean of each value and those before it, so many in all where there are."""
    sums = np.concatenate((np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)))
    stop = np.arange(1, len(values) + 1)
    start = np.maximum(stop - windows, 0)
    lengths = (stop - start).reshape(-1, *(1,) * (values.ndim - 1))
    return np.asarray((sums[stop] - sums[start]) / lengths)


def log_odds(probability: float) -> float:
    """The log-odds of a probability, within ±`LIMIT`."""
    least = 1.0 / (1.0 + np.exp(LIMIT))
    probability = min(max(probability, least), 1.0 - least)
    return float(np.log(probability / (1.0 - probability)))
