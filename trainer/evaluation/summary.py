"""The figures of a set of judgements: plain values fit for JSON, each with a 95 % interval over groups.

Intervals come from `metrics.ClusterBootstrap`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.labels import label, two_sided
from trainer.evaluation import metrics
from trainer.evaluation.metrics import ClusterBootstrap, Floats, Indices, Names, rounded

BINS = 10
"""Of the reliability diagram: of equal width, as in most publications."""
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
    """Every figure that follows from judgements alone.

    probabilities: (N, labels), rows summing to one. truth: (N,) indices into labels. groups: (N,) names. What is
    unknown is None: a label that never occurs has no recall, a single group gives no interval. Raises ValueError for no
    rows and for shapes that do not match.
    """
    rows, count = np.asarray(probabilities, np.float64), len(labels)
    if not len(rows):
        raise ValueError("there is nothing to judge by")
    if rows.shape != (len(truth), count) or len(groups) != len(truth):
        raise ValueError(f"{rows.shape} probabilities, {len(truth)} truths and {len(groups)} groups do not go together")
    predicted, confidence = rows.argmax(1), rows.max(1)
    bootstrap = ClusterBootstrap(groups, rounds, seed)
    is_actual, is_predicted = _one_hot(truth, count), _one_hot(predicted, count)
    sums = bootstrap.sums(np.hstack((is_actual * is_predicted, is_predicted, is_actual)))
    hits, predicted_sums, actual_sums = sums[:, :count], sums[:, count : 2 * count], sums[:, 2 * count :]
    precision, recall, f1 = metrics.rates(hits, predicted_sums, actual_sums)
    areas = [bootstrap.roc_area(rows[:, column], truth == column) for column in range(count)]
    reliability, error = _reliability(confidence, predicted == truth, bootstrap)
    occurring = is_actual.any(0)
    report: dict[str, Any] = {
        "labels": list(labels),
        "items": len(rows),
        "groups": bootstrap.groups,
        "rounds": rounds,
        "chance": rounded(1 / occurring.sum()),
        "accuracy": bootstrap.estimate(hits.sum(1) / actual_sums.sum(1)),
        "balanced_accuracy": bootstrap.estimate(_mean(recall)),
        "macro_f1": bootstrap.estimate(_mean(f1)),
        "macro_auc": bootstrap.estimate(_mean(np.stack(areas, 1))),
        "calibration_error": bootstrap.estimate(error, is_error=True),
        "mean_confidence": rounded(confidence.mean()),
        "per_label": [
            {
                "label": name,
                "precision": bootstrap.estimate(precision[:, column]),
                "recall": bootstrap.estimate(recall[:, column]),
                "f1": bootstrap.estimate(f1[:, column]),
                "auc": bootstrap.estimate(areas[column]),
                "items": int(is_actual[:, column].sum()),
                "groups": len(np.unique(groups[truth == column])),
            }
            for column, name in enumerate(labels)
        ],
    }
    table = metrics.confusion(truth, predicted, count)
    report["confusion"] = table.tolist()
    report["confusions"] = _confusions(table, labels)
    report["roc"] = [roc_curve(rows[:, column], truth == column) for column in range(count)]
    report["reliability"] = reliability
    if two_sided(labels):
        crying = np.array([label(name).crying for name in labels])
        report["crying"] = _of_crying(rows[:, crying].sum(1), crying[truth], bootstrap)
    return report


def mean_over_clips(
    probabilities: Floats, truth: Indices, groups: Names, clips: Names
) -> tuple[Floats, Indices, Names, Names]:
    """Probabilities (N, labels), truth, groups and clips (N,) of windows → the same of clips.

    A clip's probabilities are the mean of its windows'. A clip with windows of several labels is left out.
    """
    names, first, member = np.unique(clips, return_index=True, return_inverse=True)
    means = np.zeros((len(names), probabilities.shape[1]))
    np.add.at(means, member, probabilities)
    means /= np.bincount(member)[:, None]
    mixed = np.bincount(member, truth != truth[first][member]) > 0
    return means[~mixed], truth[first][~mixed], groups[first][~mixed], names[~mixed]


def _one_hot(indices: Indices, count: int) -> Floats:
    """(N,) → (N, count)"""
    return np.eye(count)[indices]


def _mean(per_label: Floats) -> Floats:
    """(rounds, labels) → (rounds,), over the labels that occur."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing is NaN, as it should be
        return np.asarray(np.nanmean(per_label, 1))


def balanced_calibration_error(probabilities: Floats, truth: Indices, groups: Names) -> dict[str, float | None]:
    """The expected calibration error of probabilities (N, labels), with its interval, where every label that occurs
    counts alike, however rare it is.

    For models whose probabilities assume that labels are equally likely beforehand.
    """
    counts = np.bincount(truth, minlength=probabilities.shape[1])
    bootstrap = ClusterBootstrap(groups)
    right = probabilities.argmax(1) == truth
    _, error = _reliability(probabilities.max(1), right, bootstrap, 1 / counts[truth])
    return bootstrap.estimate(error, is_error=True)


def _reliability(
    confidence: Floats, right: npt.NDArray[np.bool_], bootstrap: ClusterBootstrap, weights: Floats | None = None
) -> tuple[list[dict[str, Any]], Floats]:
    """The reliability diagram and the expected calibration error (1 + rounds,).

    confidence, right: of each item, (N,). weights: what each item counts, (N,). The diagram holds the bins that are not
    empty. Guo, C. et al. (2017), "On calibration of modern neural networks", ICML.
    """
    bins = _one_hot(np.minimum((confidence * BINS).astype(int), BINS - 1), BINS)
    if weights is not None:
        bins *= weights[:, None]
    sums = bootstrap.sums(np.hstack((bins, bins * confidence[:, None], bins * right[:, None])))
    count, confidence_sums, correct = sums[:, :BINS], sums[:, BINS : 2 * BINS], sums[:, 2 * BINS :]
    error = np.abs(confidence_sums - correct).sum(1) / count.sum(1)
    shares = np.divide(correct, count, out=np.full_like(count, np.nan), where=count > 0)
    diagram = [
        {
            "from": number / BINS,
            "to": (number + 1) / BINS,
            "items": int(count[0, number]),
            "confidence": rounded(confidence_sums[0, number] / count[0, number]),
            "right": bootstrap.estimate(shares[:, number]),
        }
        for number in range(BINS)
        if count[0, number] > 0
    ]
    return diagram, error


def _of_crying(scores: Floats, is_cry: npt.NDArray[np.bool_], bootstrap: ClusterBootstrap) -> dict[str, Any]:
    """The figures of P(crying) (N,) against whether each item is crying (N,)."""
    diagram, error = _reliability(np.clip(scores, 0, 1), is_cry, bootstrap)
    return {
        "auc": bootstrap.estimate(bootstrap.roc_area(scores, is_cry)),
        "found_at_1_percent": bootstrap.estimate(bootstrap.recall_at(scores, is_cry, 0.01)),
        "calibration_error": bootstrap.estimate(error, is_error=True),
        "reliability": diagram,
        "roc": roc_curve(scores, is_cry),
        "items": int(is_cry.sum()),
    }


def _confusions(table: Indices, labels: Sequence[str]) -> list[dict[str, Any]]:
    """The most frequent confusions, each with its share of all items of the true label."""
    wrong = [(int(table[a, b]), a, b) for a in range(len(labels)) for b in range(len(labels)) if a != b and table[a, b]]
    wrong.sort(key=lambda confusion: (-confusion[0], confusion[1], confusion[2]))
    return [
        {"was": labels[a], "said": labels[b], "items": items, "share": rounded(items / table[a].sum())}
        for items, a, b in wrong[:_MOST_CONFUSIONS]
    ]


def roc_curve(scores: Floats, positive: npt.NDArray[np.bool_]) -> list[list[float]] | None:
    """The ROC curve of scores (N,) in at most 40 points (false positive rate, recall), from (0, 0) to (1, 1).

    None without both kinds.
    """
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return None
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.diff(scores[order]) != 0, True)
    recalls = np.append(0, np.cumsum(positive[order])[last_of_tie]) / positives
    false_rates = np.append(0, np.cumsum(~positive[order])[last_of_tie]) / negatives
    # Corners only; where they are too many, evenly along the curve.
    is_turn = np.diff(recalls)[:-1] * np.diff(false_rates)[1:] != np.diff(recalls)[1:] * np.diff(false_rates)[:-1]
    points = np.flatnonzero(np.concatenate(([True], is_turn, [True])))
    if len(points) > _ROC_POINTS:
        along = (recalls + false_rates)[points]
        points = points[np.unique(np.searchsorted(along, np.linspace(0, 2, _ROC_POINTS)).clip(0, len(points) - 1))]
    return [[round(float(false_rates[point]), 4), round(float(recalls[point]), 4)] for point in points]
