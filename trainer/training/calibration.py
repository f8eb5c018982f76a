"""Honest probabilities: slope and offset for crying, temperatures within each side, thresholds to start and end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from trainer.networks.heads import Calibration, TwoLevel

PRIOR = 0.2
"""How often the windows calibrated on are crying, by weight. A night has less; a guess that errs towards waking."""

Groups = npt.NDArray[np.str_]


def group_weights(groups: Groups) -> Tensor:
    """(N,) weights that give every group the square root of its windows' say: no one recording decides."""
    _, member, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return torch.from_numpy((1 / np.sqrt(counts[member])).astype(np.float32))


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
    for members, columns in ((cries, two_level.crying_at), (~cries, two_level.other_at)):
        position = torch.full((logits.shape[1],), -1)
        position[columns] = torch.arange(len(columns))
        temperatures.append(_temperature(logits[members][:, columns], position[truth[members]], weights[members]))
    slope, offset = line.detach()
    return Calibration(float(slope.exp()), float(offset), temperatures[0], temperatures[1])


def _temperature(logits: Tensor, truth: Tensor, weights: Tensor) -> float:
    """The temperature with the least loss, every label counting alike; never below 0.5, and 10 is next to flat."""
    if logits.shape[1] < 2 or not len(truth):
        return 1.0
    weights = weights.clone()
    for one in truth.unique():
        weights[truth == one] /= weights[truth == one].sum()
    candidates = torch.logspace(-0.3, 1.0, 60)
    losses = [float((weights * F.cross_entropy(logits / t, truth, reduction="none")).sum()) for t in candidates]
    return float(candidates[int(np.argmin(losses))])


def thresholds(crying: npt.NDArray[np.floating], cries: npt.NDArray[np.bool_], weights: Tensor) -> dict[str, float]:
    """Start: where 1 in 50 of the other windows would pass, within [0.6, 0.9]; end: well below it.

    crying: calibrated P(crying) of unaltered validation windows. An alert needs more than one, so windows may err
    sometimes. (Tried on validation groups: 0.88 missed every third cry, 0.6 one in fifteen with 4 false alarms in 600
    clips, 0.5 one in twenty with 6.)
    """
    if cries.all() or not cries.any():
        return {"start": 0.5, "end": 0.35}
    others = crying[~cries]
    share = weights.numpy()[~cries]
    order = np.argsort(-others)
    passed = np.cumsum(share[order]) / share.sum()
    start = float(others[order][np.searchsorted(passed, 0.02)])
    start = round(float(np.clip(start, 0.6, 0.9)), 2)
    return with_end(start)


def with_end(start: float) -> dict[str, float]:
    """A start threshold as a card has it, with the end threshold well below it."""
    return {"start": start, "end": round(0.6 * start, 2)}
