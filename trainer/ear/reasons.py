"""Why a baby cries, as far as its voice tells: a linear layer on the embedding, judged on other babies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from babymonitor.core.labels import label
from babymonitor.core.sound.wave import SAMPLE_RATE
from trainer.backbone.answers import levelled
from trainer.backbone.tagger import SEGMENT, SoundTagger, patches_of
from trainer.data.dataset import Clip
from trainer.data.decoded_audio import DecodedAudio
from trainer.evaluation.metrics import ClusterBootstrap

Floats = npt.NDArray[np.float32]

_FOLDS = 5
_STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2)
"""Inverse penalties to choose from."""
_MOST_WINDOWS = 8
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Reasons:
    """weights (reasons, E), offset (reasons,): logits of each crying label, calibrated. figures: on babies held out."""

    weights: Floats
    offset: Floats
    figures: dict[str, Any]

    @property
    def beat_chance(self) -> bool:
        """Whether their accuracy on babies held out is above chance with its whole interval."""
        low = self.figures["balanced_accuracy"]["low"]
        return low is not None and low > self.figures["chance"]


def crying_windows(
    tagger: SoundTagger, clips: Sequence[Clip], waves: DecodedAudio
) -> tuple[Floats, npt.NDArray[np.str_], npt.NDArray[np.str_]]:
    """The embeddings of windows in which a baby cries for a known reason, (N, E); their labels and babies, (N,)."""
    segments, labels, babies = [], [], []
    for clip in clips:
        for span in clip.spans:
            if not label(span.label).crying or span.end - span.start < SEGMENT / SAMPLE_RATE:
                continue
            starts = np.arange(span.start, span.end - SEGMENT / SAMPLE_RATE, 0.5)[:_MOST_WINDOWS]
            for start in starts:
                first = round(float(start) * SAMPLE_RATE)
                wave = waves.read(clip.path, first, first + SEGMENT)
                if wave.size == SEGMENT:
                    segments.append(levelled(wave, 0.1))
                    labels.append(span.label)
                    babies.append(clip.group)
    embeddings = []
    with torch.no_grad():
        for first in range(0, len(segments), _BATCH):
            embeddings.append(tagger.embed(patches_of(torch.from_numpy(np.stack(segments[first : first + _BATCH])))))
    return torch.cat(embeddings).numpy(), np.array(labels), np.array(babies)


def fit_reasons(
    embeddings: Floats, labels: npt.NDArray[np.str_], babies: npt.NDArray[np.str_], reasons: Sequence[str]
) -> Reasons:
    """Fit multinomial logistic regression, every reason counting alike; penalty and temperature by babies held out.

    reasons: the crying labels, in the order of the rows of the result.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    names = [name for name in reasons if name in set(labels)]
    truth = np.array([names.index(name) for name in labels])
    centre, scale = embeddings.mean(0), embeddings.std(0) + 1e-3
    inputs = (embeddings - centre) / scale
    folds = list(GroupKFold(_FOLDS).split(inputs, truth, babies))
    weights = _balanced(truth)

    def fitted(rows: npt.NDArray[np.int64], strength: float) -> LogisticRegression:
        # Balanced anew: where babies held out take a reason with them, the rest would speak against it.
        return LogisticRegression(C=strength, max_iter=500).fit(inputs[rows], truth[rows], _balanced(truth[rows]))

    best: tuple[float, float, npt.NDArray[np.float64]] | None = None
    for strength in _STRENGTHS:
        logits = np.zeros((len(truth), len(names)))
        for learnt, judged in folds:
            logits[judged] = fitted(learnt, strength).decision_function(inputs[judged])
        loss = _loss(logits, truth, weights)
        if best is None or loss < best[0]:
            best = loss, strength, logits
    assert best is not None
    _, strength, logits = best
    temperature = min(np.logspace(-0.3, 2, 40), key=lambda value: _loss(logits / value, truth, weights))
    model = fitted(np.arange(len(truth)), strength)
    matrix = np.zeros((len(reasons), embeddings.shape[1]), np.float32)
    offset = np.full(len(reasons), -20.0, np.float32)
    for row, name in enumerate(names):
        vector = model.coef_[row] / scale / temperature
        matrix[list(reasons).index(name)] = vector
        offset[list(reasons).index(name)] = model.intercept_[row] / temperature - vector @ centre
    return Reasons(matrix, offset, _figures(logits, truth, babies, names, float(temperature)))


def _balanced(truth: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    counts = np.bincount(truth)
    return np.asarray(len(truth) / np.count_nonzero(counts) / counts[truth])


def _loss(logits: npt.NDArray[np.float64], truth: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]) -> float:
    shifted = logits - logits.max(1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return float(-(weights * logs[np.arange(len(truth)), truth]).mean())


def _figures(
    logits: npt.NDArray[np.float64],
    truth: npt.NDArray[np.int64],
    babies: npt.NDArray[np.str_],
    names: Sequence[str],
    temperature: float,
) -> dict[str, Any]:
    """Balanced accuracy over windows of babies held out, with its interval over babies."""
    right = logits.argmax(1) == truth
    columns = [np.stack((right & (truth == index), truth == index), 1) for index in range(len(names))]
    bootstrap = ClusterBootstrap(babies)
    sums = bootstrap.sums(np.concatenate(columns, 1).astype(float)).reshape(-1, len(names), 2)
    accuracy = (sums[..., 0] / np.maximum(sums[..., 1], 1)).mean(1)
    return {
        "balanced_accuracy": bootstrap.estimate(accuracy),
        "chance": round(1 / len(names), 4),
        "windows": len(truth),
        "babies": len(set(babies.tolist())),
        "temperature": round(temperature, 2),
        "reasons": list(names),
    }
