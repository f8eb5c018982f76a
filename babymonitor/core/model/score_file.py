"""What a model makes of a whole sound: a file's verdict, and the probabilities by which a label is suggested."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.messages import Code
from babymonitor.core.model.classifier import Classifier, ModelCard, ModelError
from babymonitor.core.model.replay import replay_scores
from babymonitor.core.model.scorer import Score
from babymonitor.core.sound.files import resampled_blocks
from babymonitor.core.sound.wave import AudioError, Wave


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a model says of a whole clip, by its most telling window; see `most_telling`.

    label: the likeliest label of that window. confidence: its probability. crying: the highest P(crying) of any
    window, for many a cry is no longer than one. probabilities: of the most telling window, per label.
    """

    label: str
    confidence: float
    crying: float
    probabilities: dict[str, float]


def judge(path: Path, classifier: Classifier) -> Verdict:
    """The verdict on a sound file. Raises AudioError when it cannot be read or is shorter than one frame."""
    scores = list(replay_scores(resampled_blocks(path, classifier.card.features.sample_rate), classifier))
    if not scores:
        raise AudioError(Code.SOUND_TOO_SHORT_TO_JUDGE, path=path)
    rows, crying = _rows(scores, classifier), np.array([score.crying for score in scores])
    probabilities = scores[most_telling(rows, crying, classifier.card)].probabilities
    label = max(probabilities, key=probabilities.__getitem__)
    return Verdict(label, probabilities[label], float(crying.max()), probabilities)


class Guess:
    """A model's guess at the label of a wave in memory, one window per step, so that other work may come between.

    wave: (samples,) at the model's rate.
    """

    def __init__(self, wave: Wave, classifier: Classifier) -> None:
        self._classifier = classifier
        self._scores: list[Score] = []
        self._pending = replay_scores((wave,), classifier)

    def step(self) -> bool:
        """Judge one more window. Returns False when none was left. Raises ModelError when the model fails."""
        score = next(self._pending, None)
        if score is not None:
            self._scores.append(score)
        return score is not None

    @property
    def probabilities(self) -> dict[str, float]:
        """Mean probability per label over the windows judged so far; empty before the first.

        Windows are weighted by the amplitude of their newest hop: the pause before a cry says little about the clip.
        """
        if not self._scores:
            return {}
        rows = _rows(self._scores, self._classifier)
        mean = np.average(rows, axis=0, weights=[10.0 ** (score.level_db / 20.0) for score in self._scores])
        return dict(zip(self._classifier.labels, map(float, mean), strict=True))

    @property
    def crying(self) -> float:
        """The highest P(crying) of any window, as in `Verdict`; 0 before the first."""
        return max((score.crying for score in self._scores), default=0.0)


def most_telling(rows: npt.NDArray[np.floating], crying: npt.NDArray[np.floating], card: ModelCard) -> int:
    """The index of the window that stands for a clip.

    rows: probabilities (N, labels). crying: P(crying) (N,). It is the window likeliest to be crying where that reaches
    the model's start threshold, otherwise the one least likely to be background.
    """
    index = int(np.argmax(crying))
    if crying[index] < card.thresholds["start"] and "background" in card.labels:
        index = int(np.argmin(rows[:, card.labels.index("background")]))
    return index


def entry_of(path: Path, classifier: Classifier) -> dict[str, Any]:
    """The verdict on a file as plain values for JSON; where it cannot be judged, its path and the error."""
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


def _rows(scores: list[Score], classifier: Classifier) -> npt.NDArray[np.float64]:
    """Probabilities (windows, labels), in the order of the model's labels."""
    return np.array([[score.probabilities[name] for name in classifier.labels] for score in scores])
