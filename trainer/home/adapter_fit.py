"""The adapter that fits what a person labelled and leaves everybody else's babies as they were: three convex problems.

Each is multinomial logistic regression beside an offset, the logarithm of the old answer:

    sum over windows of  weight · cross-entropy(target, softmax(log old + z·W + b))  +  ridge / 2 · |W|²

over the person's windows and over rehearsal windows, whose target is the old answer itself (which is the
Kullback-Leibler divergence from it: Li, Z. and Hoiem, D. (2018), "Learning without forgetting", IEEE TPAMI 40).
Weights are in clips: a clip is worth one, less in a group with many of its label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from babymonitor.core.labels import label as known_label
from babymonitor.core.labels import sides_of
from trainer.home.adapter import FAINTEST, Adapter, Floats, evidence
from trainer.home.clip_embeddings import Heard, Projection, View

UNCLEAR = "sad"
"""Crying for an unknown reason: it tells that there is crying, and nothing of the reason."""
_AUDIBLE_DB = 15.0
_FEWEST_WINDOWS = 3
_MOST_WINDOWS = 8000
"""Of all takes together; of each the heaviest are kept. More would take minutes, and windows overlap anyway."""

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Caution:
    """How strongly the old model holds. ridge_…: on the squares of each problem's weights. rehearsal: how many clips
    of the person's the rehearsal windows weigh as much as, all together; rehearsal_reasons, rehearsal_others: the
    same of what is told apart among cries, of which the old model knows little that could be forgotten, and among the
    rest. Tried in docs/reports/personalisation.md.
    """

    ridge_crying: float = 4.0
    ridge_reasons: float = 5.0
    ridge_others: float = 1.0
    rehearsal: float = 4000.0
    rehearsal_reasons: float = 5.0
    rehearsal_others: float = 100.0

    def times(self, factor: float) -> Caution:
        """So many times as cautious about whether it cries."""
        return replace(self, ridge_crying=self.ridge_crying * factor, rehearsal=self.rehearsal * factor)


@dataclass(frozen=True, slots=True)
class Known:
    """Windows of what is to stay as it is: answers (N, labels) and projected embeddings (N, D)."""

    given: Floats
    embeddings: Floats


def told_label(name: str, labels: Sequence[str]) -> str:
    """What a clip's label is to a model of these labels: one that it does not know is something else than a baby."""
    if name in labels:
        return name
    if known_label(name).crying:
        return UNCLEAR
    return "background"


def window_weights(view: View, labels: Sequence[str], name: str) -> Doubles:
    """How much each window of a take tells, (N,), one in all.

    A clip called crying is not crying throughout: breath is drawn, somebody talks. Of the windows within 15 dB of the
    loudest those count that the old model finds most like crying, a third of them and all that it is sure of: one
    instance of a bag called positive is enough (Dietterich, T. et al. (1997), "Solving the multiple instance problem
    with axis-parallel rectangles", Artificial Intelligence 89). Of any other clip every window is what it is called,
    and those count most that the old model takes for crying: it is they that wake somebody.
    """
    crying = [at for at, one in enumerate(labels) if known_label(one).crying]
    cries = view.given[:, crying].sum(1).astype(np.float64)
    if not (known_label(name).crying and crying):
        weights = 0.2 + cries
    else:
        audible = np.flatnonzero(view.window_db >= view.window_db.max() - _AUDIBLE_DB)
        count = max(_FEWEST_WINDOWS, len(audible) // 3, int((cries[audible] >= 0.5).sum()))
        weights = np.zeros(len(cries))
        weights[audible[np.argsort(-cries[audible], kind="stable")[:count]]] = 1.0
    return np.asarray(weights / weights.sum())


def clip_weights(clips: Sequence[Heard]) -> Doubles:
    """(clips,): a group has the square root of its clips of a label as its say: one loud night does not decide."""
    counts = Counter((clip.group, clip.label) for clip in clips)
    return np.array([counts[clip.group, clip.label] ** -0.5 for clip in clips])


def unprojected(adapter: Adapter, projection: Projection) -> Adapter:
    """An adapter of projected embeddings as one of the embeddings themselves."""
    whole = projection.directions.astype(np.float64) @ adapter.weights
    offset = adapter.offset - projection.centre @ whole
    return Adapter(adapter.labels, whole.astype(np.float32), offset.astype(np.float32))


def fitted(clips: Sequence[Heard], labels: tuple[str, ...], known: Known, caution: Caution) -> Adapter:
    """What these clips teach, as an adapter of projected embeddings; an untaught one where there is no clip."""
    if not clips:
        return Adapter.untaught(labels, known.embeddings.shape[1])
    shares = clip_weights(clips)
    most = max(_FEWEST_WINDOWS, _MOST_WINDOWS // sum(len(clip.takes) for clip in clips))
    parts: list[tuple[Floats, Floats, Doubles, str]] = []
    for clip, share in zip(clips, shares, strict=True):
        for view in clip.takes:
            each = window_weights(view, labels, clip.label)
            kept = np.argsort(-each, kind="stable")[:most]
            kept = kept[each[kept] > 0]
            each = each[kept] / each[kept].sum() * share / len(clip.takes)
            parts.append((view.given[kept], view.embeddings[kept], each, told_label(clip.label, labels)))
    given = np.concatenate([part[0] for part in parts]).astype(np.float64)
    embeddings = np.concatenate([part[1] for part in parts]).astype(np.float64)
    weights = np.concatenate([part[2] for part in parts])
    names = np.concatenate([np.full(len(part[2]), part[3]) for part in parts])
    old = np.maximum(known.given.astype(np.float64), FAINTEST)
    small = np.zeros((embeddings.shape[1], len(labels) + 1))
    offset = np.zeros(len(labels) + 1)
    sides = sides_of(labels)
    hold = caution.rehearsal / len(old)
    for number, side in enumerate(sides):
        reasons = len(sides) == 2 and number == 0
        known_names = [labels[at] for at in side if not (reasons and labels[at] == UNCLEAR)]
        rows = np.flatnonzero(np.isin(names, known_names))
        if len(set(names[rows])) < (2 if reasons else 1):
            continue  # who has named one reason only has not said that there is no other
        targets = (names[rows, None] == np.array([labels[at] for at in side])).astype(np.float64)
        within = old[:, side] / old[:, side].sum(1, keepdims=True)
        say = (caution.rehearsal_reasons if reasons else caution.rehearsal_others) / len(old) * old[:, side].sum(1)
        matrix, shift = _softmax_regression(
            np.concatenate((embeddings[rows], known.embeddings)),
            np.log(np.concatenate((np.maximum(given[rows][:, side], FAINTEST), old[:, side]))),
            np.concatenate((targets, within)),
            np.concatenate((_balanced(weights[rows], names[rows]), say)),
            caution.ridge_reasons if reasons else caution.ridge_others,
        )
        small[:, side], offset[side] = matrix, shift
    if len(sides) == 2:
        cries = np.array([known_label(name).crying for name in names], np.float64)
        before = np.concatenate((evidence(labels, given), evidence(labels, old)))
        was = 1 / (1 + np.exp(-before[len(cries) :]))
        target = np.concatenate((cries, was))
        matrix, shift = _softmax_regression(
            np.concatenate((embeddings, known.embeddings)),
            np.stack((before, np.zeros_like(before)), 1),
            np.stack((target, 1 - target), 1),
            np.concatenate((weights, np.full(len(old), hold))),
            2 * caution.ridge_crying,  # of two columns that mirror each other
        )
        small[:, -1], offset[-1] = matrix[:, 0] - matrix[:, 1], shift[0] - shift[1]
    return Adapter(labels, small.astype(np.float32), offset.astype(np.float32))


def _balanced(weights: Doubles, names: npt.NDArray[np.str_]) -> Doubles:
    """The weights, every label counting alike: their sum stays."""
    result = weights.copy()
    present = np.unique(names)
    for name in present:
        members = names == name
        result[members] *= weights.sum() / len(present) / weights[members].sum()
    return result


def _softmax_regression(
    features: npt.NDArray[np.floating], offsets: Doubles, targets: Doubles, weights: Doubles, ridge: float
) -> tuple[Doubles, Doubles]:
    """(N, D), (N, K), (N, K), (N,) → (D, K), (K,): see the module's head. Solved by L-BFGS from zero."""
    from scipy.optimize import minimize

    x = np.asarray(features, np.float64)
    count, classes = x.shape[1], offsets.shape[1]
    scaled = targets * weights[:, None]

    def loss(flat: Doubles) -> tuple[float, Doubles]:
        matrix, shift = flat[: count * classes].reshape(count, classes), flat[count * classes :]
        logits = offsets + x @ matrix + shift
        logits -= logits.max(1, keepdims=True)
        raised = np.exp(logits)
        totals = raised.sum(1)
        value = float((weights * np.log(totals)).sum() - (scaled * logits).sum())
        error = raised * (weights / totals)[:, None] - scaled
        slope = np.concatenate(((x.T @ error + ridge * matrix).ravel(), error.sum(0)))
        # The offset is held a little too: with clips of one side alone it would run away.
        slope[count * classes :] += ridge * shift
        return value + ridge / 2 * float((matrix**2).sum() + (shift**2).sum()), slope

    start = np.zeros((count + 1) * classes)
    flat = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    return flat[: count * classes].reshape(count, classes), flat[count * classes :]
