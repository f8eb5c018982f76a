"""Figures of merit, from plain arrays; and the one bootstrap that gives any of them its 95 % interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]
Names = npt.NDArray[np.str_]

ROUNDS = 1000
"""Of the bootstrap, where nobody says otherwise."""
_RANKS = 2000
_FEW = 10


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


def confusion(truth: Indices, guess: Indices, labels: int) -> Indices:
    """(labels, labels) counts: row what it was, column what was said."""
    table = np.zeros((labels, labels), np.int64)
    np.add.at(table, (truth, guess), 1)
    return table


def per_label(table: Indices) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 of each label from a confusion matrix; 0 where nothing was said, NaN where none was."""
    return rates(np.diag(table).astype(float), table.sum(0), table.sum(1))


def rates(hits: Floats, said: Floats, was: Floats) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1, (…, labels), of how often each was rightly said, was said, and was; see `per_label`."""
    hits, said, was = np.broadcast_arrays(np.asarray(hits, float), said, was)
    precision = np.divide(hits, said, out=np.zeros_like(hits), where=said > 0)
    recall = np.divide(hits, was, out=np.full_like(hits, np.nan), where=was > 0)
    f1 = np.divide(2 * hits, said + was, out=np.zeros_like(hits), where=said + was > 0)
    return precision, recall, np.where(was > 0, f1, np.nan)


def balanced_accuracy(table: Indices) -> float:
    return float(np.nanmean(per_label(table)[1]))


def macro_f1(table: Indices) -> float:
    return float(np.nanmean(per_label(table)[2]))


class Rounds:
    """The cluster bootstrap: how often each group counts, (1 + rounds, groups), as things are first, then as drawn.

    Clips of one speaker, baby or recording resemble each other, so whole groups are drawn, with replacement (Field, C.
    A. and Welsh, A. H. (2007), "Bootstrapping clustered data", J. R. Stat. Soc. B 69). A round is nothing but how often
    each was drawn, so that all rounds are one product of matrices. Of fewer than `_FEW` groups the items are drawn too,
    within the groups that were drawn (Davison and Hinkley, section 3.8): two speakers who happen to be told equally
    well would else make a figure look certain. Then it is counted for each item: (1 + rounds, N).

    groups: (N,) names, one for each item. A figure is given as (1 + rounds,) values, its own first; `told` says it.
    """

    def __init__(self, groups: Names, rounds: int = ROUNDS, seed: int = 0) -> None:
        names, self._member = np.unique(groups, return_inverse=True)
        self.groups = count = len(names)
        self._tails = tails(count)
        if count < 2:
            rounds = 0  # the same group drawn over and over would pretend to be sure
        picks = np.random.default_rng(seed).integers(count, size=(rounds, count))
        places = picks + count * np.arange(rounds)[:, None]
        drawn = np.bincount(places.ravel(), minlength=rounds * count).reshape(rounds, count)
        self._counts = np.vstack((np.ones((1, count)), drawn))
        if 2 <= count < _FEW:
            self._counts = np.vstack((np.ones((1, len(groups))), self._items_drawn(drawn, seed)))
            self._member = np.arange(len(groups))

    def _items_drawn(self, drawn: Indices, seed: int) -> Floats:
        """(rounds, groups) → (rounds, N): of a group drawn k times, k times as many of its items as it has."""
        rng = np.random.default_rng([seed, 1])
        counts = np.zeros((len(drawn), len(self._member)))
        for at in range(self.groups):
            items = np.flatnonzero(self._member == at)
            counts[:, items] = rng.multinomial(drawn[:, at] * len(items), np.full(len(items), 1 / len(items)))
        return counts

    def sums(self, columns: Floats) -> Floats:
        """(N, K) of items → (1 + rounds, K): their sums over all that was drawn."""
        of_group = np.zeros((self._counts.shape[1], columns.shape[1]))
        np.add.at(of_group, self._member, columns)
        return np.asarray(self._counts @ of_group)

    def told(self, values: Floats, error: bool = False) -> dict[str, float | None]:
        """(1 + rounds,), the value itself first → value, low, high; None for what cannot be told.

        error: a mean of absolute differences, which chance alone makes larger, and drawing again larger once more. Its
        interval is therefore mirrored at the value (the basic bootstrap: Davison, A. C. and Hinkley, D. V. (1997),
        "Bootstrap methods and their application", chapter 5).
        """
        low = high = None
        some = values[1:][~np.isnan(values[1:])]
        if some.size and not np.isnan(values[0]):
            low, high = np.percentile(some, self._tails)
            if error:
                low, high = max(0.0, 2 * values[0] - high), max(values[0], 2 * values[0] - low)
            low, high = rounded(low), rounded(high)
        return {"value": rounded(values[0]), "low": low, "high": high}

    def roc_area(self, scores: Floats, positive: Bools) -> Floats:
        """(N,), (N,) → (1 + rounds,) areas under the ROC curve, NaN where one kind was not drawn; see `roc_area`.

        The value is exact; the rounds tell at most 2,000 ranks apart, which moves an area by less than 0.0005.
        """
        above, below = self._at_ranks(scores, positive)
        pairs = above.sum(0) * below.sum(0)
        beaten = np.cumsum(below, 0)
        beaten -= below / 2  # a tie counts half
        won = np.einsum("ij,ij->j", above, beaten)
        areas: Floats = np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
        areas[0] = roc_area(scores, positive)
        return areas

    def found_at(self, scores: Floats, positive: Bools, false_share: float) -> Floats:
        """(N,), (N,) → (1 + rounds,) shares of positives found, NaN where one kind was not drawn; see `found_at`.

        The value is exact; the rounds tell at most 2,000 ranks apart.
        """
        above, below = (counts[::-1] for counts in self._at_ranks(scores, positive))
        positives, negatives = above.sum(0), below.sum(0)
        # The rank of the negative at the threshold: so many of them are above it.
        passed = np.minimum((false_share * negatives).astype(int), negatives - 1)
        at = (np.cumsum(below, 0) > passed).argmax(0), np.arange(len(passed))
        higher = (np.cumsum(above, 0) - above)[at]
        both = (positives > 0) & (negatives > 0)
        shares: Floats = np.divide(higher, positives, out=np.full(len(passed), np.nan), where=both)
        shares[0] = found_at(scores, positive, false_share)
        return shares

    def _at_ranks(self, scores: Floats, positive: Bools) -> tuple[Floats, Floats]:
        """How many positives and negatives have each score, lowest first: each (ranks, 1 + rounds)."""
        from scipy.sparse import csr_array
        from scipy.stats import rankdata

        ranks = rankdata(scores, "dense").astype(int) - 1
        steps = int(ranks.max()) + 1
        if steps > _RANKS:
            ranks, steps = ranks * _RANKS // steps, _RANKS

        def counted(chosen: Bools) -> Floats:
            places = (ranks[chosen], self._member[chosen])
            each = csr_array((np.ones(int(chosen.sum())), places), (steps, self._counts.shape[1]))
            result: Floats = each @ self._counts.T
            return result

        return counted(positive), counted(~positive)


def tails(groups: int) -> tuple[float, float]:
    """The percentiles of drawn values that hold 95 % when so many groups were drawn: 2.5 and 97.5 for very many.

    Few groups vary less among their own draws than among the speakers there are; the percentiles are moved out by what
    Student's t is wider than a normal distribution (Hesterberg, T. (2015), "What teachers should know about the
    bootstrap", The American Statistician 69: expanded percentile intervals).
    """
    from scipy.stats import norm, t

    low = 100 * float(norm.cdf(-np.sqrt(groups / (groups - 1)) * t.ppf(0.975, groups - 1))) if groups > 1 else 2.5
    return low, 100 - low


def rounded(value: Any) -> float | None:
    """Four decimals, fit for JSON; None for what cannot be told."""
    number = float(value)
    return None if np.isnan(number) else round(number, 4)
