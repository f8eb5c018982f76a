"""From raw logits to calibrated probabilities, in two levels: whether a baby is crying, and only then why.

There is one logit per label. The evidence for crying is the difference between the two sides' log-sum-exp; within each
side the logits are an ordinary softmax. Label sets without background, or without crying, are a single softmax: "sad"
in an adult's speech is one emotion among several.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from babymonitor.core.labels import label, two_sided


@dataclass(frozen=True, slots=True)
class Calibration:
    """P(crying) = sigmoid(slope · evidence + offset); each side's softmax is divided by its temperature.

    Platt, J. (1999), "Probabilistic outputs for support vector machines"; Guo, C. et al. (2017), "On calibration of
    modern neural networks", ICML.
    """

    slope: float = 1.0
    offset: float = 0.0
    reason_temperature: float = 1.0
    other_temperature: float = 1.0

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


class TwoLevel(nn.Module):
    """Converts logits, (B, labels), to evidence, probabilities and loss for one set of labels."""

    crying: Tensor

    def __init__(self, labels: tuple[str, ...]) -> None:
        super().__init__()
        self.register_buffer("crying", torch.tensor([label(name).crying for name in labels]), persistent=False)
        self.two_sided = two_sided(labels)
        self.crying_at = [index for index, name in enumerate(labels) if label(name).crying]
        self.other_at = [index for index, name in enumerate(labels) if not label(name).crying]

    def evidence(self, logits: Tensor) -> Tensor:
        """(B, labels) → (B,): log-odds of crying, not calibrated."""
        return torch.logsumexp(logits[:, self.crying_at], 1) - torch.logsumexp(logits[:, self.other_at], 1)

    def probabilities(self, logits: Tensor, calibration: Calibration) -> Tensor:
        """(B, labels) → (B, labels), in the labels' order, each row summing to one."""
        if not self.two_sided:
            return torch.softmax(logits / calibration.other_temperature, 1)
        crying = torch.sigmoid(calibration.slope * self.evidence(logits) + calibration.offset)[:, None]
        reasons = torch.softmax(logits[:, self.crying_at] / calibration.reason_temperature, 1) * crying
        remainder = torch.softmax(logits[:, self.other_at] / calibration.other_temperature, 1) * (1 - crying)
        order = sorted(range(logits.shape[1]), key=(self.crying_at + self.other_at).__getitem__)
        return torch.cat((reasons, remainder), 1)[:, order]

    def loss(self, logits: Tensor, targets: Tensor, reason_weight: float, weights: Tensor) -> Tensor:
        """Return the mean loss of a batch. targets: (B, labels), soft. weights: (labels,).

        Target rows sum to one, or to less where part of the sound has no label; that part adds nothing. Whether a baby
        is crying counts fully. The reason counts `reason_weight`, because the sound hardly reveals it.
        """
        if not self.two_sided:
            return -(targets * weights * F.log_softmax(logits, 1)).sum(1).mean()
        crying = targets[:, self.crying_at].sum(1) / targets.sum(1).clamp(min=1e-6)
        within = targets * weights
        first = F.binary_cross_entropy_with_logits(self.evidence(logits), 0.01 + 0.98 * crying, within.sum(1))
        reasons = -(within[:, self.crying_at] * F.log_softmax(logits[:, self.crying_at], 1)).sum(1).mean()
        remainder = -(within[:, self.other_at] * F.log_softmax(logits[:, self.other_at], 1)).sum(1).mean()
        return first + 0.5 * remainder + reason_weight * reasons


class Calibrated(nn.Module):
    """A network with its calibration, as exported: (B, rows, frames) → (B, labels) probabilities."""

    def __init__(self, network: nn.Module, labels: tuple[str, ...], calibration: Calibration) -> None:
        super().__init__()
        self.network = network
        self.two_level = TwoLevel(labels)
        self.calibration = calibration

    def forward(self, features: Tensor) -> Tensor:
        return self.two_level.probabilities(self.network(features), self.calibration)
