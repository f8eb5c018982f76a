"""From raw logits to calibrated probabilities, in two levels: is it crying, and only then why.

One logit per label. The evidence for crying is the difference of the two sides' log-sum-exp; within each side the
logits are an ordinary softmax. Label sets without background, or without crying, are one softmax: the "sad" of an
adult's speech is one emotion among others.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from babymonitor.core.labels import label, two_sided


@dataclass(frozen=True, slots=True)
class Calibration:
    """P(crying) = sigmoid(slope · evidence + offset); the softmax on each side is divided by its temperature."""

    slope: float = 1.0
    offset: float = 0.0
    reason_temperature: float = 1.0
    other_temperature: float = 1.0

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


class TwoLevel(nn.Module):
    """(B, labels) logits ↔ evidence, probabilities and loss for one set of labels."""

    crying: Tensor

    def __init__(self, labels: tuple[str, ...]) -> None:
        super().__init__()
        self.register_buffer("crying", torch.tensor([label(name).crying for name in labels]), persistent=False)
        self.two_sided = two_sided(labels)
        self.crying_at = [at for at, name in enumerate(labels) if label(name).crying]
        self.other_at = [at for at, name in enumerate(labels) if not label(name).crying]

    def evidence(self, logits: Tensor) -> Tensor:
        """(B, labels) → (B,): log-odds of crying before calibration."""
        return torch.logsumexp(logits[:, self.crying_at], 1) - torch.logsumexp(logits[:, self.other_at], 1)

    def probabilities(self, logits: Tensor, calibration: Calibration) -> Tensor:
        """(B, labels) → (B, labels), each row summing to one, in the labels' order."""
        if not self.two_sided:
            return torch.softmax(logits / calibration.other_temperature, 1)
        crying = torch.sigmoid(calibration.slope * self.evidence(logits) + calibration.offset)[:, None]
        reasons = torch.softmax(logits[:, self.crying_at] / calibration.reason_temperature, 1) * crying
        others = torch.softmax(logits[:, self.other_at] / calibration.other_temperature, 1) * (1 - crying)
        order = sorted(range(logits.shape[1]), key=(self.crying_at + self.other_at).__getitem__)
        return torch.cat((reasons, others), 1)[:, order]

    def loss(self, logits: Tensor, targets: Tensor, reason_weight: float, weights: Tensor) -> Tensor:
        """Mean loss of a batch; targets (B, labels) are soft; weights (labels,) of each label.

        Rows sum to one, or to less where part of the sound has no label: that part says nothing. Whether it cries
        counts fully; why counts `reason_weight`, for that is hardly in the sound.
        """
        if not self.two_sided:
            return -(targets * weights * F.log_softmax(logits, 1)).sum(1).mean()
        cries = targets[:, self.crying_at].sum(1) / targets.sum(1).clamp(min=1e-6)
        within = targets * weights
        first = F.binary_cross_entropy_with_logits(self.evidence(logits), 0.01 + 0.98 * cries, within.sum(1))
        reasons = -(within[:, self.crying_at] * F.log_softmax(logits[:, self.crying_at], 1)).sum(1).mean()
        others = -(within[:, self.other_at] * F.log_softmax(logits[:, self.other_at], 1)).sum(1).mean()
        return first + 0.5 * others + reason_weight * reasons


class Calibrated(nn.Module):
    """A network with its calibration baked in: what is exported. (B, mels, frames) → (B, labels) probabilities."""

    def __init__(self, network: nn.Module, labels: tuple[str, ...], calibration: Calibration) -> None:
        super().__init__()
        self.network = network
        self.two_level = TwoLevel(labels)
        self.calibration = calibration

    def forward(self, features: Tensor) -> Tensor:
        return self.two_level.probabilities(self.network(features), self.calibration)
