"""Fit evidence over time: what each of its inputs is worth, by when it cried in nights and clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn import functional

from babymonitor.core.model.evidence import HIGHEST, MEANS, Evidence, crying_inputs, sound_inputs
from trainer.ear.material import HeardSound

_STEPS, _BATCH, _RATE = 1500, 2048, 0.03
_PENALTY = 1e-3
_CLIPS = 0.3
"""The share of a batch that comes from clips by themselves."""
_CRYING = 0.25
"""The share of a batch in which it cries."""
PRIOR = 0.05
"""The share of windows in which it cries that P(crying) is calibrated to: three minutes an hour."""


def fit_evidence(sounds: Sequence[HeardSound], seed: int = 1, steps: int = _STEPS) -> Evidence:
    """Fit the weights by penalised logistic regression, each within its sign. Deterministic for a seed."""
    inputs = np.concatenate(
        [
            np.concatenate((crying_inputs(sound.rows[:, 0]), -_flat(sound_inputs(sound.rows[:, 1:]))), axis=1)
            for sound in sounds
        ]
    ).astype(np.float32)
    crying = np.concatenate([sound.crying for sound in sounds])
    is_clip = np.concatenate([np.full(len(sound.crying), sound.kind == "clip") for sound in sounds])
    x, y = torch.from_numpy(inputs), torch.from_numpy(crying.astype(np.float32))
    pools = [
        (torch.from_numpy(np.flatnonzero((crying == cries) & (is_clip == clips))), share * part)
        for cries, share in ((1, _CRYING), (0, 1 - _CRYING))
        for clips, part in ((True, _CLIPS), (False, 1 - _CLIPS))
    ]
    generator = torch.Generator().manual_seed(seed)
    # Softplus makes a weight of each, which therefore stays above zero.
    free = torch.full((inputs.shape[1],), -2.0, requires_grad=True)
    offset = torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.Adam([free, offset], lr=_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        chosen = torch.cat(
            [
                pool[torch.randint(len(pool), (round(_BATCH * share),), generator=generator)]
                for pool, share in pools
                if len(pool)
            ]
        )
        weights = functional.softplus(free)
        log_odds = x[chosen] @ weights + offset
        loss = functional.binary_cross_entropy_with_logits(log_odds, y[chosen]) + _PENALTY * weights.square().sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    fitted = functional.softplus(free).detach().numpy().astype(np.float32)
    count = len(HIGHEST) + len(MEANS)
    to_prior = float(np.log(PRIOR / (1 - PRIOR)) - np.log(_CRYING / (1 - _CRYING)))
    return Evidence(fitted[:count], fitted[count:].reshape(2, -1), float(offset.detach()) + to_prior)


def _flat(inputs: np.ndarray) -> np.ndarray:
    """(N, 2, sounds) → (N, 2 · sounds)."""
    return inputs.reshape(len(inputs), -1)
