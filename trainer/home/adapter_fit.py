"""Fit the adapter: learn what a person labelled and keep the rest as it was. Three convex problems.

Each is multinomial logistic regression beside an offset, the logarithm of the old probability:

    sum over windows of  weight · cross-entropy(target, softmax(log old + z·W + b))  +  ridge / 2 · |W|²

The sum is over the person's windows and over rehearsal windows. The target of the latter is the old probability itself,
which makes their term the Kullback-Leibler divergence from it (Li, Z. and Hoiem, D. (2018), "Learning without
forgetting", IEEE TPAMI 40). Weights are in clips: a clip counts as one, or less in a group with many of its label.

Where a model weighs evidence over time, P(crying) is here what it would come to in a sound that goes on like the
window: it may wake by windows of which each alone is little suspicious.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from babymonitor.core.labels import UNCLEAR, sides_of
from babymonitor.core.labels import label as known_label
from babymonitor.core.model.classifier import ModelCard
from babymonitor.core.model.evidence import LIMIT, Evidence
from trainer.home.adapter import LOWEST_PROBABILITY, Adapter, Floats, crying_logit
from trainer.home.clip_embeddings import EmbeddedClip, Projection, Take

_AUDIBLE_DB = 15.0
_FEWEST_WINDOWS = 3
_MOST_WINDOWS = 8000
"""Over all takes; each keeps its heaviest windows. More would take minutes, and windows overlap anyway."""
_LEAST_GAIN = 0.2
"""Evidence that is saturated hardly moves; the shift that would move it all the same would not be careful."""

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Caution:
    """How strongly the old model holds.

    ridge_…: penalty on the squares of each problem's weights. rehearsal: the weight of all rehearsal windows together
    in deciding whether it is crying, in clips of the person's. rehearsal_reasons, rehearsal_others: the same for
    telling crying labels apart, of which the old model knows little that could be forgotten, and for telling the other
    labels apart. How the values were chosen: docs/reports/personalisation.md.
    """

    ridge_crying: float = 4.0
    ridge_reasons: float = 5.0
    ridge_others: float = 1.0
    rehearsal: float = 4000.0
    rehearsal_reasons: float = 5.0
    rehearsal_others: float = 100.0

    def times(self, factor: float) -> Caution:
        """The same, `factor` times as cautious about whether it is crying."""
        return replace(self, ridge_crying=self.ridge_crying * factor, rehearsal=self.rehearsal * factor)


@dataclass(frozen=True, slots=True)
class RehearsalWindows:
    """Windows whose probabilities are to stay.

    probabilities (N, labels), projected embeddings (N, D), log-odds of other sounds that the model names (N, sounds).
    """

    probabilities: Floats
    embeddings: Floats
    sounds: Floats


def label_for_model(name: str, labels: Sequence[str]) -> str:
    """A clip's label in the words of a model with these labels.

    A cry that the model has no label for is crying for an unclear reason; any other unknown label is background.
    """
    if name in labels:
        return name
    if known_label(name).crying:
        return UNCLEAR
    return "background"


def crying_log_odds(
    card: ModelCard, probabilities: npt.NDArray[np.floating], sounds: Floats, shift: float = 0.0
) -> Doubles:
    """Log-odds of crying, (N,), in sounds that go on like each window; without evidence over time, in the window.

    probabilities: (N, labels). sounds: (N, sounds). shift: added to the log-odds of crying in each window.
    """
    alone = crying_logit(card.labels, probabilities) + shift
    if not card.evidence:
        return alone
    rows = np.column_stack((np.clip(alone, -LIMIT, LIMIT), np.clip(sounds, -LIMIT, LIMIT))).astype(np.float32)
    evidence = Evidence.from_dict(card.evidence, rows.shape[1] - 1)
    crying = np.clip(evidence.steady(rows), LOWEST_PROBABILITY, 1 - LOWEST_PROBABILITY)
    return np.asarray(np.log(crying) - np.log1p(-crying))


def window_weights(take: Take, card: ModelCard, name: str) -> Doubles:
    """How much each window of a take of a clip labelled `name` counts, (N,), summing to one.

    A clip called crying is not crying throughout: the child draws breath, somebody talks. Of the windows within 15 dB
    of the loudest, those count that the old model finds likeliest to be crying: a third of them, and all that it is
    sure of. One instance of a bag labelled positive is enough (Dietterich, T. et al. (1997), "Solving the multiple
    instance problem with axis-parallel rectangles", Artificial Intelligence 89). Of any other clip every window has the
    clip's label, and those that the old model takes for crying count most: it is they that wake somebody.
    """
    columns = [column for column, label in enumerate(card.labels) if known_label(label).crying]
    crying = take.probabilities[:, columns].sum(1).astype(np.float64)
    if card.evidence and len(sides_of(card.labels)) == 2:
        crying = 1 / (1 + np.exp(-crying_log_odds(card, take.probabilities, take.sounds)))
    if not (known_label(name).crying and columns):
        weights = 0.2 + crying
    else:
        audible = np.flatnonzero(take.window_db >= take.window_db.max() - _AUDIBLE_DB)
        count = max(_FEWEST_WINDOWS, len(audible) // 3, int((crying[audible] >= 0.5).sum()))
        weights = np.zeros(len(crying))
        weights[audible[np.argsort(-crying[audible], kind="stable")[:count]]] = 1.0
    return np.asarray(weights / weights.sum())


def clip_weights(clips: Sequence[EmbeddedClip]) -> Doubles:
    """The weight of each clip, (clips,).

    Together, the clips of a label in one group weigh the square root of their number, so that one loud night does not
    decide.
    """
    counts = Counter((clip.group, clip.label) for clip in clips)
    return np.array([counts[clip.group, clip.label] ** -0.5 for clip in clips])


def unproject(adapter: Adapter, projection: Projection) -> Adapter:
    """Turn an adapter of projected embeddings into one of the embeddings themselves."""
    weights = projection.directions.astype(np.float64) @ adapter.weights
    offset = adapter.offset - projection.centre @ weights
    return Adapter(adapter.labels, weights.astype(np.float32), offset.astype(np.float32))


def fit_adapter(
    clips: Sequence[EmbeddedClip], card: ModelCard, rehearsal: RehearsalWindows, caution: Caution
) -> Adapter:
    """Fit an adapter of projected embeddings to these clips; without any clip it is an untaught one.

    card: of the model that is taught.
    """
    labels = card.labels
    if not clips:
        return Adapter.untaught(labels, rehearsal.embeddings.shape[1])
    shares = clip_weights(clips)
    most = max(_FEWEST_WINDOWS, _MOST_WINDOWS // sum(len(clip.takes) for clip in clips))
    parts: list[tuple[Floats, Floats, Floats, Doubles, str]] = []
    for clip, share in zip(clips, shares, strict=True):
        for take in clip.takes:
            weights = window_weights(take, card, clip.label)
            heaviest = np.argsort(-weights, kind="stable")[:most]
            heaviest = heaviest[weights[heaviest] > 0]
            weights = weights[heaviest] / weights[heaviest].sum() * share / len(clip.takes)
            name = label_for_model(clip.label, labels)
            parts.append(
                (take.probabilities[heaviest], take.embeddings[heaviest], take.sounds[heaviest], weights, name)
            )
    probabilities = np.concatenate([part[0] for part in parts]).astype(np.float64)
    embeddings = np.concatenate([part[1] for part in parts]).astype(np.float64)
    sounds = np.concatenate([part[2] for part in parts])
    weights = np.concatenate([part[3] for part in parts])
    names = np.concatenate([np.full(len(part[3]), part[4]) for part in parts])
    old = np.maximum(rehearsal.probabilities.astype(np.float64), LOWEST_PROBABILITY)
    matrix = np.zeros((embeddings.shape[1], len(labels) + 1))
    offset = np.zeros(len(labels) + 1)
    sides = sides_of(labels)
    for number, side in enumerate(sides):
        is_reasons = len(sides) == 2 and number == 0
        learnable = [labels[column] for column in side if not (is_reasons and labels[column] == UNCLEAR)]
        rows = np.flatnonzero(np.isin(names, learnable))
        if len(set(names[rows])) < (2 if is_reasons else 1):
            continue  # naming one reason only does not say that there is no other
        targets = (names[rows, None] == np.array([labels[column] for column in side])).astype(np.float64)
        within_side = old[:, side] / old[:, side].sum(1, keepdims=True)
        clips_worth = caution.rehearsal_reasons if is_reasons else caution.rehearsal_others
        matrix[:, side], offset[side] = _softmax_regression(
            np.concatenate((embeddings[rows], rehearsal.embeddings)),
            np.log(np.concatenate((np.maximum(probabilities[rows][:, side], LOWEST_PROBABILITY), old[:, side]))),
            np.concatenate((targets, within_side)),
            np.concatenate((_balance_labels(weights[rows], names[rows]), clips_worth / len(old) * old[:, side].sum(1))),
            caution.ridge_reasons if is_reasons else caution.ridge_others,
        )
    if len(sides) == 2:
        is_crying = np.array([known_label(name).crying for name in names], np.float64)
        answers = ((probabilities, sounds), (old, rehearsal.sounds))
        logits = np.concatenate([crying_log_odds(card, *answer) for answer in answers])
        old_crying = 1 / (1 + np.exp(-logits[len(is_crying) :]))
        target = np.concatenate((is_crying, old_crying))
        columns, shift = _softmax_regression(
            np.concatenate((embeddings, rehearsal.embeddings)),
            np.stack((logits, np.zeros_like(logits)), 1),
            np.stack((target, 1 - target), 1),
            np.concatenate((weights, np.full(len(old), caution.rehearsal / len(old)))),
            2 * caution.ridge_crying,  # of two columns that mirror each other
        )
        # What is learnt is a shift of the evidence; it is brought about by shifting what goes into it.
        higher, lower = (crying_log_odds(card, probabilities, sounds, step) for step in (1.0, -1.0))
        gain = max(_LEAST_GAIN, float(np.average(higher - lower, weights=weights)) / 2)
        matrix[:, -1], offset[-1] = (columns[:, 0] - columns[:, 1]) / gain, (shift[0] - shift[1]) / gain
    return Adapter(labels, matrix.astype(np.float32), offset.astype(np.float32))


def _balance_labels(weights: Doubles, names: npt.NDArray[np.str_]) -> Doubles:
    """Scale weights (N,) so that every label counts alike; their sum stays."""
    result = weights.copy()
    present = np.unique(names)
    for name in present:
        members = names == name
        result[members] *= weights.sum() / len(present) / weights[members].sum()
    return result


def _softmax_regression(
    features: npt.NDArray[np.floating], offsets: Doubles, targets: Doubles, weights: Doubles, ridge: float
) -> tuple[Doubles, Doubles]:
    """(N, D), (N, K), (N, K), (N,) → weights (D, K) and offset (K,) of the module's problem, by L-BFGS from zero."""
    from scipy.optimize import minimize

    x = np.asarray(features, np.float64)
    count, classes = x.shape[1], offsets.shape[1]
    scaled = targets * weights[:, None]

    def loss(flat: Doubles) -> tuple[float, Doubles]:
        matrix, shift = flat[: count * classes].reshape(count, classes), flat[count * classes :]
        logits = offsets + x @ matrix + shift
        logits -= logits.max(1, keepdims=True)
        exponentials = np.exp(logits)
        totals = exponentials.sum(1)
        value = float((weights * np.log(totals)).sum() - (scaled * logits).sum())
        error = exponentials * (weights / totals)[:, None] - scaled
        gradient = np.concatenate(((x.T @ error + ridge * matrix).ravel(), error.sum(0)))
        # The offset is penalised too: with clips of one side only it would grow without bound.
        gradient[count * classes :] += ridge * shift
        return value + ridge / 2 * float((matrix**2).sum() + (shift**2).sum()), gradient

    start = np.zeros((count + 1) * classes)
    flat = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    return flat[: count * classes].reshape(count, classes), flat[count * classes :]
