"""Figures of merit from plain arrays, and the cluster bootstrap that gives any of them its 95 % interval."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int64]
Names = npt.NDArray[np.str_]

ROUNDS = 1000
"""Of the bootstrap, by default."""
_MOST_RANKS = 2000
_FEW_GROUPS = 10
"""With fewer groups than this, items are drawn within groups too."""


def roc_area(scores: Floats, positive: Bools) -> float:
    """The area under the ROC curve, from scores (N,) and whether each is of a positive (N,); NaN without both kinds.

    It is the chance that a positive scores above a negative, ties counting half.
    """
    from scipy.stats import rankdata

    count, others = int(positive.sum()), int((~positive).sum())
    if not count or not others:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others))


def recall_at(scores: Floats, positive: Bools, false_share: float) -> float:
    """The recall at a false positive rate: the share of positives above the threshold that `false_share` of the
    negatives pass; NaN without both kinds.
    """
    negatives = np.sort(scores[~positive])[::-1]
    if not negatives.size or not positive.any():
        return float("nan")
    threshold = negatives[min(int(false_share * negatives.size), negatives.size - 1)]
    return float((scores[positive] > threshold).mean())


def confusion(truth: Indices, predicted: Indices, labels: int) -> Indices:
    """The confusion matrix (labels, labels) of label indices (N,), (N,): a row for the truth, a column as predicted."""
    table = np.zeros((labels, labels), np.int64)
    np.add.at(table, (truth, predicted), 1)
    return table


def per_label(table: Indices) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 of each label, (labels,), from a confusion matrix.

    Precision is 0 for a label that was never predicted; recall and F1 are NaN for one that never occurs.
    """
    return rates(np.diag(table).astype(float), table.sum(0), table.sum(1))


def rates(hits: Floats, predicted: Floats, actual: Floats) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 from counts of items predicted rightly, predicted, occurring; all (…, labels).

    See `per_label`.
    """
    hits, predicted, actual = np.broadcast_arrays(np.asarray(hits, float), predicted, actual)
    total = predicted + actual
    precision = np.divide(hits, predicted, out=np.zeros_like(hits), where=predicted > 0)
    recall = np.divide(hits, actual, out=np.full_like(hits, np.nan), where=actual > 0)
    f1 = np.divide(2 * hits, total, out=np.zeros_like(hits), where=total > 0)
    return precision, recall, np.where(actual > 0, f1, np.nan)


def balanced_accuracy(table: Indices) -> float:
    """The mean recall over the labels that occur, from a confusion matrix."""
    return float(np.nanmean(per_label(table)[1]))


def macro_f1(table: Indices) -> float:
    """The mean F1 over the labels that occur, from a confusion matrix."""
    return float(np.nanmean(per_label(table)[2]))


class ClusterBootstrap:
    """The cluster bootstrap over groups: a 95 % interval for any figure that is a function of sums over items.

    Clips of one speaker, baby or recording resemble each other, so whole groups are drawn, with replacement (Field, C.
    A. and Welsh, A. H. (2007), "Bootstrapping clustered data", J. R. Stat. Soc. B 69). A round is just how often each
    group was drawn, so that all rounds together are one product of matrices. Of fewer than `_FEW_GROUPS` groups the
    items are drawn too, within the groups that were drawn (Davison and Hinkley, section 3.8): two speakers who happen
    to be recognised equally well would otherwise make a figure look certain.

    groups: (N,) names, one per item. Figures are arrays (1 + rounds,): first the value itself, then one per round.
    `estimate` makes value and interval of them.
    """

    def __init__(self, groups: Names, rounds: int = ROUNDS, seed: int = 0) -> None:
        names, self._member = np.unique(groups, return_inverse=True)
        self.groups = count = len(names)
        self._tails = tails(count)
        if count < 2:
            rounds = 0  # drawing the same group over and over would look certain
        picks = np.random.default_rng(seed).integers(count, size=(rounds, count))
        cells = picks + count * np.arange(rounds)[:, None]
        drawn = np.bincount(cells.ravel(), minlength=rounds * count).reshape(rounds, count)
        self._counts = np.vstack((np.ones((1, count)), drawn))
        if 2 <= count < _FEW_GROUPS:
            self._counts = np.vstack((np.ones((1, len(groups))), self._draw_items(drawn, seed)))
            self._member = np.arange(len(groups))

    def _draw_items(self, drawn: Indices, seed: int) -> Floats:
        """How often each group was drawn, (rounds, groups) → how often each item was, (rounds, N).

        From a group drawn k times, k times as many items are drawn as it has.
        """
        rng = np.random.default_rng([seed, 1])
        counts = np.zeros((len(drawn), len(self._member)))
        for group in range(self.groups):
            items = np.flatnonzero(self._member == group)
            counts[:, items] = rng.multinomial(drawn[:, group] * len(items), np.full(len(items), 1 / len(items)))
        return counts

    def sums(self, columns: Floats) -> Floats:
        """Columns (N, K) → (1 + rounds, K): their sums over the items of each round."""
        group_sums = np.zeros((self._counts.shape[1], columns.shape[1]))
        np.add.at(group_sums, self._member, columns)
        return np.asarray(self._counts @ group_sums)

    def estimate(self, values: Floats, is_error: bool = False) -> dict[str, float | None]:
        """A figure (1 + rounds,) → its value and the low and high end of its interval; None for what is unknown.

        is_error: the figure is a mean of absolute differences, which chance alone makes larger, and drawing again
        larger once more. Its interval is therefore mirrored at the value (the basic bootstrap: Davison, A. C. and
        Hinkley, D. V. (1997), "Bootstrap methods and their application", chapter 5).
        """
        low = high = None
        drawn = values[1:][~np.isnan(values[1:])]
        if drawn.size and not np.isnan(values[0]):
            low, high = np.percentile(drawn, self._tails)
            if is_error:
                low, high = max(0.0, 2 * values[0] - high), max(values[0], 2 * values[0] - low)
            low, high = rounded(low), rounded(high)
        return {"value": rounded(values[0]), "low": low, "high": high}

    def roc_area(self, scores: Floats, positive: Bools) -> Floats:
        """Scores (N,), positive (N,) → (1 + rounds,) areas under the ROC curve, NaN where one kind was not drawn.

        The value is exact. The rounds distinguish at most 2,000 ranks, which changes an area by less than 0.0005.
        """
        above, below = self._at_ranks(scores, positive)
        pairs = above.sum(0) * below.sum(0)
        beaten = np.cumsum(below, 0)
        beaten -= below / 2  # a tie counts half
        won = np.einsum("ij,ij->j", above, beaten)
        areas: Floats = np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
        areas[0] = roc_area(scores, positive)
        return areas

    def recall_at(self, scores: Floats, positive: Bools, false_share: float) -> Floats:
        """Scores (N,), positive (N,) → (1 + rounds,) recalls, NaN where one kind was not drawn; see `recall_at`.

        The value is exact. The rounds distinguish at most 2,000 ranks.
        """
        above, below = (counts[::-1] for counts in self._at_ranks(scores, positive))
        positives, negatives = above.sum(0), below.sum(0)
        # How many negatives are above the threshold.
        passed = np.minimum((false_share * negatives).astype(int), negatives - 1)
        threshold_rank = (np.cumsum(below, 0) > passed).argmax(0)
        higher = (np.cumsum(above, 0) - above)[threshold_rank, np.arange(len(passed))]
        both = (positives > 0) & (negatives > 0)
        shares: Floats = np.divide(higher, positives, out=np.full(len(passed), np.nan), where=both)
        shares[0] = recall_at(scores, positive, false_share)
        return shares

    def _at_ranks(self, scores: Floats, positive: Bools) -> tuple[Floats, Floats]:
        """How many positives and negatives have each score, lowest first: two arrays (ranks, 1 + rounds)."""
        from scipy.sparse import csr_array
        from scipy.stats import rankdata

        ranks = rankdata(scores, "dense").astype(int) - 1
        steps = int(ranks.max()) + 1
        if steps > _MOST_RANKS:
            ranks, steps = ranks * _MOST_RANKS // steps, _MOST_RANKS

        def counted(chosen: Bools) -> Floats:
            places = (ranks[chosen], self._member[chosen])
            per_rank = csr_array((np.ones(int(chosen.sum())), places), (steps, self._counts.shape[1]))
            result: Floats = per_rank @ self._counts.T
            return result

        return counted(positive), counted(~positive)


def tails(groups: int) -> tuple[float, float]:
    """The percentiles of the rounds between which 95 % lie, for so many groups: 2.5 and 97.5 for very many.

    Few groups vary less among their own draws than among all speakers, so the percentiles are moved outwards by as much
    as Student's t is wider than a normal distribution (Hesterberg, T. (2015), "What teachers should know about the
    bootstrap", The American Statistician 69: expanded percentile intervals).
    """
    from scipy.stats import norm, t

    low = 100 * float(norm.cdf(-np.sqrt(groups / (groups - 1)) * t.ppf(0.975, groups - 1))) if groups > 1 else 2.5
    return low, 100 - low


def widened(entry: dict[str, float | None], groups: int) -> dict[str, float | None]:
    """Widen the interval of a share that is 0 or 1, for which drawing groups again would look certain.

    It becomes that of Clopper and Pearson (1934), every group counted once.
    """
    edge = 1 - 0.025 ** (1 / groups) if groups else 1.0
    if entry["value"] == 0.0:
        return {"value": 0.0, "low": 0.0, "high": rounded(edge)}
    if entry["value"] == 1.0:
        return {"value": 1.0, "low": rounded(1 - edge), "high": 1.0}
    return entry


def rounded(value: Any) -> float | None:
    """Four decimals, fit for JSON; None for NaN."""
    number = float(value)
    return None if np.isnan(number) else round(number, 4)
