"""Fit evidence over time: a small network over summaries of the last seconds, by when it cried in nights and clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from babymonitor.core.model.evidence import Evidence, summary
from trainer.ear.material import UNASKED, HeardSound

Floats = npt.NDArray[np.float32]

SPANS = (1, 4, 12, 23)
"""In windows of 0.26 s: now, the last second, 3 s, 6 s."""
HIDDEN = 16
_STEPS, _BATCH, _RATE, _DECAY = 3000, 4096, 3e-3, 3e-2
_CLIPS = 0.3
"""The share of a batch that comes from clips by themselves."""
_CRYING = 0.25
"""The share of a batch in which it cries."""


def summaries(rows: Floats, spans: tuple[int, ...] = SPANS) -> Floats:
    """`babymonitor.core.model.evidence.summary` after each window: (windows, columns) → (windows, inputs)."""
    longest = max(spans)
    return np.stack([summary(rows[max(0, end - longest) : end], spans) for end in range(1, len(rows) + 1)])


def fit_evidence(sounds: Sequence[HeardSound], seed: int = 1, hidden: int = HIDDEN, steps: int = _STEPS) -> Evidence:
    """Fit the network's weights by weighted logistic regression with AdamW. Deterministic for a seed."""
    inputs = np.concatenate([summaries(sound.rows) for sound in sounds])
    crying = np.concatenate([sound.crying for sound in sounds])
    is_clip = np.concatenate([np.full(len(sound.crying), sound.kind == "clip") for sound in sounds])
    asked = crying != UNASKED
    centre = inputs[asked].mean(0)
    scale = np.maximum(inputs[asked].std(0), 0.1)
    x = torch.from_numpy((inputs - centre) / scale)
    y = torch.from_numpy(crying.astype(np.float32))
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    first, last = nn.Linear(x.shape[1], hidden), nn.Linear(hidden, 1)
    optimiser = torch.optim.AdamW([*first.parameters(), *last.parameters()], lr=_RATE, weight_decay=_DECAY)
    pools = [
        (torch.from_numpy(np.flatnonzero(asked & (crying == cries) & (is_clip == clips))), share)
        for cries, clips, share in (
            (1, True, _CRYING * _CLIPS),
            (1, False, _CRYING * (1 - _CLIPS)),
            (0, True, (1 - _CRYING) * _CLIPS),
            (0, False, (1 - _CRYING) * (1 - _CLIPS)),
        )
    ]
    pools = [(pool, share) for pool, share in pools if len(pool)]
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        chosen = torch.cat(
            [pool[torch.randint(len(pool), (round(_BATCH * share),), generator=generator)] for pool, share in pools]
        )
        logits = last(torch.tanh(first(x[chosen])))[:, 0]
        loss = functional.binary_cross_entropy_with_logits(logits, y[chosen])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    weights = {name: np.asarray(value.detach().numpy(), np.float32) for name, value in first.named_parameters()}
    output = np.asarray(last.weight.detach().numpy()[0], np.float32)
    return Evidence(
        SPANS,
        np.asarray(centre, np.float32),
        np.asarray(scale, np.float32),
        np.ascontiguousarray(weights["weight"].T),
        weights["bias"],
        output,
        float(last.bias.detach()[0]),
    )


def crying_after(evidence: Evidence, rows: Floats) -> npt.NDArray[np.float64]:
    """P(crying) after each window, (windows,), as `Evidence` gives it."""
    inputs = (summaries(rows, evidence.spans) - evidence.centre) / evidence.scale
    log_odds = np.tanh(inputs @ evidence.hidden + evidence.hidden_offset) @ evidence.output + evidence.offset
    return np.asarray(1.0 / (1.0 + np.exp(-log_odds.astype(np.float64))))
