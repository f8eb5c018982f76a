"""What a whole file sounds like, in one word: each window judged as the monitor would, its most telling second told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from babymonitor.core.audio import AudioError, RingBuffer, resampled_blocks
from babymonitor.core.classifier import Classifier, ModelError
from babymonitor.core.detector import Detector, Score
from babymonitor.core.labels import label

_VERDICT_SECONDS = 1.0
_LONGEST_BLOCK = 4000
"""Samples: short enough that no window is skipped between two looks."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a file sounds like, judged by its most telling second.

    crying: the highest P(crying) of any second. probabilities: of that second where it is crying by the model's own
    threshold, otherwise of the second least likely to hold no baby. label, confidence: the likeliest of them.
    """

    label: str
    confidence: float
    crying: float
    probabilities: dict[str, float]


def judge(path: Path, classifier: Classifier) -> Verdict:
    """Listen to a whole file; AudioError when it cannot be read."""
    card = classifier.card
    ring = RingBuffer(4 * card.window_seconds + 1.0, card.features.sample_rate)
    detector = Detector(classifier, ring)
    scores: list[Score] = []
    for block in resampled_blocks(path, card.features.sample_rate):
        for start in range(0, block.size, _LONGEST_BLOCK):
            ring.write(block[start : start + _LONGEST_BLOCK])
            score = detector.poll()
            if score is not None:
                scores.append(score)
    last = detector.finish()
    if last is not None:
        scores.append(last)
    if not scores:
        raise AudioError(f"{path} is too short to be judged.")
    return _verdict(scores, classifier)


def _verdict(scores: list[Score], classifier: Classifier) -> Verdict:
    labels = classifier.labels
    rows = np.array([[score.probabilities[name] for name in labels] for score in scores])
    width = min(len(rows), max(1, round(_VERDICT_SECONDS / classifier.card.hop_seconds)))
    sums = np.cumsum(np.vstack((np.zeros(len(labels)), rows)), axis=0)
    seconds = (sums[width:] - sums[:-width]) / width
    crying = seconds[:, [label(name).crying for name in labels]].sum(axis=1)
    loudest = int(np.argmax(crying))
    chosen = loudest
    if crying[loudest] < classifier.card.thresholds["start"] and "background" in labels:
        chosen = int(np.argmin(seconds[:, labels.index("background")]))
    best = int(np.argmax(seconds[chosen]))
    return Verdict(
        label=labels[best],
        confidence=float(seconds[chosen, best]),
        crying=float(crying[loudest]),
        probabilities=dict(zip(labels, map(float, seconds[chosen]), strict=True)),
    )


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
