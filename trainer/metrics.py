"""Figures of merit, from plain arrays; with 95 % intervals by resampling whole groups."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]


def roc_area(scores: Floats, positive: Bools) -> float:
    """The chance that a positive scores above a negative (ties count half); NaN without both kinds."""
    from scipy.stats import rankdata

    count, others = int(positive.sum()), int((~positive).sum())
    if not count or not others:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others))


def found_at(scores: Floats, positive: Bools, false_share: float) -> float:
    """The share of positives above the threshold that lets `false_share` of the negatives through."""
    negatives = np.sort(scores[~positive])[::-1]
    if not negatives.size or not positive.any():
        return float("nan")
    threshold = negatives[min(int(false_share * negatives.size), negatives.size - 1)]
    return float((scores[positive] > threshold).mean())


def calibration_error(probability: Floats, positive: Bools, bins: int = 10) -> float:
    """Expected calibration error: how far the probabilities are from what happened, weighted by how often."""
    at = np.minimum((probability * bins).astype(int), bins - 1)
    error = 0.0
    for one in range(bins):
        members = at == one
        if members.any():
            error += members.mean() * abs(float(probability[members].mean()) - float(positive[members].mean()))
    return float(error)


def confusion(truth: npt.NDArray[np.int64], guess: npt.NDArray[np.int64], labels: int) -> npt.NDArray[np.int64]:
    """(labels, labels) counts: row what it was, column what was said."""
    table = np.zeros((labels, labels), np.int64)
    np.add.at(table, (truth, guess), 1)
    return table


def per_label(table: npt.NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 of each label from a confusion matrix; 0 where nothing was said, NaN where none was."""
    return rates(np.diag(table).astype(float), table.sum(0), table.sum(1))


def rates(hits: Floats, said: Floats, was: Floats) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1, (…, labels), of how often each was rightly said, was said, and was; see `per_label`."""
    hits, said, was = np.broadcast_arrays(np.asarray(hits, float), said, was)
    precision = np.divide(hits, said, out=np.zeros_like(hits), where=said > 0)
    recall = np.divide(hits, was, out=np.full_like(hits, np.nan), where=was > 0)
    f1 = np.divide(2 * hits, said + was, out=np.zeros_like(hits), where=said + was > 0)
    return precision, recall, np.where(was > 0, f1, np.nan)


def balanced_accuracy(table: npt.NDArray[np.int64]) -> float:
    return float(np.nanmean(per_label(table)[1]))


def macro_f1(table: npt.NDArray[np.int64]) -> float:
    return float(np.nanmean(per_label(table)[2]))


def tails(groups: int) -> tuple[float, float]:
    """The percentiles of drawn values that hold 95 % when so many groups were drawn: 2.5 and 97.5 for very many.

    Few groups vary less among their own draws than among the speakers there are; the percentiles are moved out by what
    Student's t is wider than a normal distribution (Hesterberg, T. (2015), "What teachers should know about the
    bootstrap", The American Statistician 69: expanded percentile intervals).
    """
    from scipy.stats import norm, t

    low = 100 * float(norm.cdf(-np.sqrt(groups / (groups - 1)) * t.ppf(0.975, groups - 1))) if groups > 1 else 2.5
    return low, 100 - low


def intervals(
    groups: npt.NDArray[np.str_],
    figure: Callable[[npt.NDArray[np.int64]], Floats],
    rounds: int = 200,
    seed: int = 0,
) -> Floats:
    """95 % intervals, (2, figures): `figure` of the rows of groups drawn with replacement, whole groups at a time."""
    rng = np.random.default_rng(seed)
    names, member = np.unique(groups, return_inverse=True)
    order = np.argsort(member, kind="stable")
    bounds = np.searchsorted(member[order], np.arange(len(names) + 1))
    rows_of = [order[bounds[at] : bounds[at + 1]] for at in range(len(names))]
    drawn = []
    with np.errstate(invalid="ignore"):
        for _ in range(rounds):
            chosen = rng.integers(len(names), size=len(names))
            drawn.append(figure(np.concatenate([rows_of[at] for at in chosen])))
        return np.asarray(np.nanpercentile(np.array(drawn), tails(len(names)), axis=0))
