"""What is said of a set of judgements: plain values fit for JSON, each with a 95 % interval over groups.

All of it, and whatever else is told with an interval, comes from `metrics.Rounds`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.labels import label, two_sided
from trainer.evaluation import metrics
from trainer.evaluation.metrics import Floats, Indices, Names, Rounds, rounded

BINS = 10
"""Of the reliability diagram: equally wide, as most publications have it."""
_ROC_POINTS = 40
_MOST_CONFUSIONS = 10


def figures_of(
    probabilities: Floats,
    truth: Indices,
    groups: Names,
    labels: Sequence[str],
    rounds: int = metrics.ROUNDS,
    seed: int = 0,
) -> dict[str, Any]:
    """Everything that can be told from judgements alone.

    probabilities (N, labels), rows summing to one; truth (N,) indices into labels; groups (N,) names. What cannot be
    told is None: a label that never occurs has no recall, one group alone gives no interval.
    """
    rows, count = np.asarray(probabilities, np.float64), len(labels)
    if not len(rows):
        raise ValueError("there is nothing to judge by")
    if rows.shape != (len(truth), count) or len(groups) != len(truth):
        raise ValueError(f"{rows.shape} probabilities, {len(truth)} truths and {len(groups)} groups do not go together")
    guess, sure = rows.argmax(1), rows.max(1)
    drawn = Rounds(groups, rounds, seed)
    was, said = _one_hot(truth, count), _one_hot(guess, count)
    sums = drawn.sums(np.hstack((was * said, said, was)))
    hits, said_sums, was_sums = sums[:, :count], sums[:, count : 2 * count], sums[:, 2 * count :]
    precision, recall, f1 = metrics.rates(hits, said_sums, was_sums)
    areas = [drawn.roc_area(rows[:, at], truth == at) for at in range(count)]
    reliability, error = _reliability(sure, guess == truth, drawn)
    occurring = was.any(0)
    report: dict[str, Any] = {
        "labels": list(labels),
        "items": len(rows),
        "groups": drawn.groups,
        "rounds": rounds,
        "chance": rounded(1 / occurring.sum()),
        "accuracy": drawn.told(hits.sum(1) / was_sums.sum(1)),
        "balanced_accuracy": drawn.told(_mean(recall)),
        "macro_f1": drawn.told(_mean(f1)),
        "macro_auc": drawn.told(_mean(np.stack(areas, 1))),
        "calibration_error": drawn.told(error, error=True),
        "mean_confidence": rounded(sure.mean()),
        "per_label": [
            {
                "label": name,
                "precision": drawn.told(precision[:, at]),
                "recall": drawn.told(recall[:, at]),
                "f1": drawn.told(f1[:, at]),
                "auc": drawn.told(areas[at]),
                "items": int(was[:, at].sum()),
                "groups": len(np.unique(groups[truth == at])),
            }
            for at, name in enumerate(labels)
        ],
    }
    table = metrics.confusion(truth, guess, count)
    report["confusion"] = table.tolist()
    report["confusions"] = _confusions(table, labels)
    report["roc"] = [roc_curve(rows[:, at], truth == at) for at in range(count)]
    report["reliability"] = reliability
    if two_sided(labels):
        crying = np.array([label(name).crying for name in labels])
        report["crying"] = _of_crying(rows[:, crying].sum(1), crying[truth], drawn)
    return report


def of_clips(
    probabilities: Floats, truth: Indices, groups: Names, clips: Names
) -> tuple[Floats, Indices, Names, Names]:
    """Windows (N, labels), (N,), (N,), (N,) → whole clips: the mean of their windows' probabilities.

    A clip with windows of several labels has no label as a whole and is left out.
    """
    names, first, member = np.unique(clips, return_index=True, return_inverse=True)
    means = np.zeros((len(names), probabilities.shape[1]))
    np.add.at(means, member, probabilities)
    means /= np.bincount(member)[:, None]
    mixed = np.bincount(member, truth != truth[first][member]) > 0
    return means[~mixed], truth[first][~mixed], groups[first][~mixed], names[~mixed]


def _one_hot(at: Indices, count: int) -> Floats:
    return np.eye(count)[at]


def _mean(per_label: Floats) -> Floats:
    """(rounds, labels) → (rounds,), over the labels that occur."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of nothing: NaN, as it should be
        return np.asarray(np.nanmean(per_label, 1))


def calibration_alike(probabilities: Floats, truth: Indices, groups: Names) -> dict[str, float | None]:
    """The expected calibration error of (N, labels) where every label that occurs has the same say, however rare it is:
    for models whose probabilities mean that the labels are equally likely beforehand.
    """
    counts = np.bincount(truth, minlength=probabilities.shape[1])
    drawn = Rounds(groups)
    right = probabilities.argmax(1) == truth
    _, error = _reliability(probabilities.max(1), right, drawn, 1 / counts[truth])
    return drawn.told(error, error=True)


def _reliability(
    sure: Floats, right: npt.NDArray[np.bool_], drawn: Rounds, weights: Floats | None = None
) -> tuple[list[dict[str, Any]], Floats]:
    """How often it was right for how sure it was: the bins that hold anything, and the expected calibration error.

    Guo, C. et al. (2017), "On calibration of modern neural networks", ICML. weights: what each item counts, (N,).
    """
    bins = _one_hot(np.minimum((sure * BINS).astype(int), BINS - 1), BINS)
    if weights is not None:
        bins *= weights[:, None]
    sums = drawn.sums(np.hstack((bins, bins * sure[:, None], bins * right[:, None])))
    count, confidence, correct = sums[:, :BINS], sums[:, BINS : 2 * BINS], sums[:, 2 * BINS :]
    error = np.abs(confidence - correct).sum(1) / count.sum(1)
    shares = np.divide(correct, count, out=np.full_like(count, np.nan), where=count > 0)
    filled = [at for at in range(BINS) if count[0, at] > 0]
    diagram = [
        {
            "from": at / BINS,
            "to": (at + 1) / BINS,
            "items": int(count[0, at]),
            "confidence": rounded(confidence[0, at] / count[0, at]),
            "right": drawn.told(shares[:, at]),
        }
        for at in filled
    ]
    return diagram, error


def _of_crying(scores: Floats, cries: npt.NDArray[np.bool_], drawn: Rounds) -> dict[str, Any]:
    diagram, error = _reliability(np.clip(scores, 0, 1), cries, drawn)
    return {
        "auc": drawn.told(drawn.roc_area(scores, cries)),
        "found_at_1_percent": drawn.told(drawn.found_at(scores, cries, 0.01)),
        "calibration_error": drawn.told(error, error=True),
        "reliability": diagram,
        "roc": roc_curve(scores, cries),
        "items": int(cries.sum()),
    }


def _confusions(table: Indices, labels: Sequence[str]) -> list[dict[str, Any]]:
    """What is most often taken for what, with the share of all that it was."""
    wrong = [(int(table[a, b]), a, b) for a in range(len(labels)) for b in range(len(labels)) if a != b and table[a, b]]
    wrong.sort(key=lambda one: (-one[0], one[1], one[2]))
    return [
        {"was": labels[a], "said": labels[b], "items": items, "share": rounded(items / table[a].sum())}
        for items, a, b in wrong[:_MOST_CONFUSIONS]
    ]


def roc_curve(scores: Floats, positive: npt.NDArray[np.bool_]) -> list[list[float]] | None:
    """At most 40 points (false share, found share) from (0, 0) to (1, 1), to draw it by; None without both kinds."""
    found, others = int(positive.sum()), int((~positive).sum())
    if not found or not others:
        return None
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    hits = np.append(0, np.cumsum(positive[order])[last_of_tie]) / found
    alarms = np.append(0, np.cumsum(~positive[order])[last_of_tie]) / others
    # Corners only, then as many as fit, evenly along the curve.
    turn = np.diff(hits)[:-1] * np.diff(alarms)[1:] != np.diff(hits)[1:] * np.diff(alarms)[:-1]
    kept = np.flatnonzero(np.concatenate(([True], turn, [True])))
    if len(kept) > _ROC_POINTS:
        along = (hits + alarms)[kept]
        kept = kept[np.unique(np.searchsorted(along, np.linspace(0, 2, _ROC_POINTS)).clip(0, len(kept) - 1))]
    return [[round(float(alarms[at]), 4), round(float(hits[at]), 4)] for at in kept]
