"""Honest probabilities: slope and offset for crying, temperatures within each side, thresholds to start and end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.networks.heads import Calibration, TwoLevel
from trainer.training.validation import calibrated_figures, logits_of
from trainer.windows.fixed_windows import Windows

PRIOR = 0.2
"""The share of crying, by weight, in the windows calibrated on. A night has less; this errs towards waking."""

Groups = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class CalibratedNetwork:
    """A trained network with what validation groups say of it; dictionaries as the model card has them."""

    network: nn.Module
    calibration: Calibration
    thresholds: dict[str, float]
    metrics: dict[str, float]


def calibrated(network: nn.Module, labels: tuple[str, ...], windows: Windows, unaltered: int) -> CalibratedNetwork:
    """Calibrate a network on validation windows, of which the first `unaltered` decide about the thresholds."""
    two_level = TwoLevel(labels)
    logits, truth = logits_of(network, windows), torch.from_numpy(windows.labels)
    calibration = calibrate(logits, truth, windows.groups, two_level)
    probabilities = two_level.probabilities(logits, calibration)
    plain = slice(0, unaltered)
    return CalibratedNetwork(
        network,
        calibration,
        thresholds(
            probabilities[plain, two_level.crying_at].sum(1).numpy(),
            two_level.crying.numpy()[windows.labels[plain]],
            group_weights(windows.groups[plain]),
        ),
        calibrated_figures(two_level, probabilities, windows.labels),
    )


def group_weights(groups: Groups) -> Tensor:
    """Return weights (N,): a group counts as the square root of its windows, so that no one recording decides."""
    _, group, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return torch.from_numpy((1 / np.sqrt(counts[group])).astype(np.float32))


def calibrate(logits: Tensor, truth: Tensor, groups: Groups, two_level: TwoLevel) -> Calibration:
    """Fit on validation windows, logits (N, labels) and label indices (N,). Reasons count alike, however rare."""
    weights = group_weights(groups)
    if not two_level.two_sided:
        return Calibration(other_temperature=_temperature(logits, truth, weights))
    cries = two_level.crying[truth]
    balanced = weights.clone()
    balanced[cries] *= PRIOR / balanced[cries].sum()
    balanced[~cries] *= (1 - PRIOR) / balanced[~cries].sum()
    evidence = two_level.evidence(logits)
    line = torch.tensor([0.0, 0.0], requires_grad=True)  # logarithm of the slope, offset
    optimiser = torch.optim.LBFGS([line], max_iter=200, line_search_fn="strong_wolfe")

    def crying_loss() -> Tensor:
        optimiser.zero_grad()
        value = F.binary_cross_entropy_with_logits(
            line[0].exp() * evidence + line[1], cries.float(), balanced, reduction="sum"
        )
        value.backward()
        return value

    optimiser.step(crying_loss)
    temperatures = []
    for of_side, columns in ((cries, two_level.crying_at), (~cries, two_level.other_at)):
        position = torch.full((logits.shape[1],), -1)
        position[columns] = torch.arange(len(columns))
        temperatures.append(_temperature(logits[of_side][:, columns], position[truth[of_side]], weights[of_side]))
    slope, offset = line.detach()
    return Calibration(float(slope.exp()), float(offset), temperatures[0], temperatures[1])


def _temperature(logits: Tensor, truth: Tensor, weights: Tensor) -> float:
    """Return the temperature, 0.5 (sharp) to 10 (next to flat), with the least loss, every label counting alike."""
    if logits.shape[1] < 2 or not len(truth):
        return 1.0
    weights = weights.clone()
    for label in truth.unique():
        weights[truth == label] /= weights[truth == label].sum()
    candidates = torch.logspace(-0.3, 1.0, 60)
    losses = [float((weights * F.cross_entropy(logits / t, truth, reduction="none")).sum()) for t in candidates]
    return float(candidates[int(np.argmin(losses))])


def thresholds(crying: npt.NDArray[np.floating], cries: npt.NDArray[np.bool_], weights: Tensor) -> dict[str, float]:
    """Return the start threshold, which 1 in 50 windows without crying would pass, and the end, well below it.

    crying: (N,) calibrated P(crying) of unaltered validation windows. cries: (N,) whether they are. weights: (N,). The
    start lies within [0.6, 0.9]; an alert needs more than one window, so windows may be wrong sometimes. (Tried on
    validation groups: 0.88 missed every third cry, 0.6 one in fifteen with 4 false alarms in 600 clips, 0.5 one in
    twenty with 6.)
    """
    if cries.all() or not cries.any():
        return {"start": 0.5, "end": 0.35}
    of_others = crying[~cries]
    share = weights.numpy()[~cries]
    order = np.argsort(-of_others)
    passed = np.cumsum(share[order]) / share.sum()
    start = float(of_others[order][np.searchsorted(passed, 0.02)])
    start = round(float(np.clip(start, 0.6, 0.9)), 2)
    return with_end(start)


def with_end(start: float) -> dict[str, float]:
    """Return a start threshold as a card has it, with the end threshold well below it."""
    return {"start": start, "end": round(0.6 * start, 2)}
