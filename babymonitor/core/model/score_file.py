"""What a whole file sounds like, in one word: each window judged as the monitor would, its most telling window told.

`Guess` does the same for a wave in memory, a window at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.messages import Code
from babymonitor.core.model.classifier import Classifier, ModelCard, ModelError
from babymonitor.core.model.detector import Detector, Score
from babymonitor.core.sound.files import resampled_blocks
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.sound.wave import AudioError, Wave

_LONGEST_BLOCK = 4000
"""Samples: short enough that no window is skipped between two looks."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a file sounds like, judged by its most telling window.

    crying: the highest P(crying) of any window: many a cry is no longer than that. probabilities: of that window where
    it is crying by the model's own threshold, otherwise of the window least likely to hold no baby. label, confidence:
    the likeliest of them.
    """

    label: str
    confidence: float
    crying: float
    probabilities: dict[str, float]


def judge(path: Path, classifier: Classifier) -> Verdict:
    """Listen to a whole file; AudioError when it cannot be read."""
    scores = list(_scores(resampled_blocks(path, classifier.card.features.sample_rate), classifier))
    if not scores:
        raise AudioError(Code.SOUND_TOO_SHORT_TO_JUDGE, path=path)
    return _verdict(scores, classifier)


class Guess:
    """What a model makes of a wave in memory, judged window by window, so that other work may come between.

    wave: (samples,) at the model's own rate. ModelError from `step` when the model fails.
    """

    def __init__(self, wave: Wave, classifier: Classifier) -> None:
        self._classifier = classifier
        self._scores: list[Score] = []
        self._rest = _scores(iter((wave,)), classifier)

    def step(self) -> bool:
        """Judge one more window; False when there was none left."""
        score = next(self._rest, None)
        if score is not None:
            self._scores.append(score)
        return score is not None

    @property
    def probabilities(self) -> dict[str, float]:
        """Per label the mean over the windows judged so far, the louder counting for more; empty without a window.

        Weighted by the amplitude of what each window added: the pause before a cry says little of the clip.
        """
        if not self._scores:
            return {}
        rows = _rows(self._scores, self._classifier)
        mean = np.average(rows, axis=0, weights=[10.0 ** (score.level_db / 20.0) for score in self._scores])
        return dict(zip(self._classifier.labels, map(float, mean), strict=True))

    @property
    def crying(self) -> float:
        """The highest P(crying) of any window, as in `Verdict`; 0 without one."""
        return max((score.crying for score in self._scores), default=0.0)


def _scores(blocks: Iterator[Wave], classifier: Classifier) -> Iterator[Score]:
    """Every window of a sound as the monitor judges it; one of what there is where it is too short for that."""
    card = classifier.card
    ring = RingBuffer(4 * card.window_seconds + 1.0, card.features.sample_rate)
    detector = Detector(classifier, ring)
    for block in blocks:
        for start in range(0, block.size, _LONGEST_BLOCK):
            ring.write(block[start : start + _LONGEST_BLOCK])
            while (score := detector.poll()) is not None:
                yield score
    last = detector.finish()
    if last is not None:
        yield last


def _rows(scores: list[Score], classifier: Classifier) -> npt.NDArray[np.float64]:
    """(windows, labels)"""
    return np.array([[score.probabilities[name] for name in classifier.labels] for score in scores])


def _verdict(scores: list[Score], classifier: Classifier) -> Verdict:
    rows, crying = _rows(scores, classifier), np.array([score.crying for score in scores])
    chosen = scores[most_telling(rows, crying, classifier.card)]
    best = max(chosen.probabilities, key=chosen.probabilities.__getitem__)
    return Verdict(best, chosen.probabilities[best], float(crying.max()), chosen.probabilities)


def most_telling(rows: npt.NDArray[np.floating], crying: npt.NDArray[np.floating], card: ModelCard) -> int:
    """Of windows (N, labels) and their P(crying) (N,) the one that a verdict tells, see `Verdict`."""
    at = int(np.argmax(crying))
    if crying[at] < card.thresholds["start"] and "background" in card.labels:
        at = int(np.argmin(rows[:, card.labels.index("background")]))
    return at


def entry_of(path: Path, classifier: Classifier) -> dict[str, Any]:
    """What is told of a file as JSON: path, label, confidence, probabilities and crying, or path and error."""
    try:
        verdict = judge(path, classifier)
    except (AudioError, ModelError) as error:
        return {"path": str(path), "error": str(error)}
    return {
        "path": str(path),
        "label": verdict.label,
        "confidence": round(verdict.confidence, 4),
        "probabilities": {name: round(share, 4) for name, share in verdict.probabilities.items()},
        "crying": round(verdict.crying, 4),
    }
