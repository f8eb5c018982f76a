"""Recurrent networks on log-mel windows."""

from __future__ import annotations

from torch import Tensor, nn

from trainer.networks.network import Network
from trainer.networks.registry import SPEECH, Front, family
from trainer.networks.sequence import AttentivePooling, Steps


class LstmMel(Network):
    """Convolved steps, two bidirectional LSTM layers of 64, attentive pooling of their states.

    Hochreiter, S. and Schmidhuber, J. (1997), "Long short-term memory", Neural Computation 9.
    """

    def __init__(self, labels: int, front: Front) -> None:
        super().__init__(3 * 128, labels, dropout=0.3)
        self.steps = Steps(front.features.n_mels, 64)
        self.lstm = nn.LSTM(64, 64, num_layers=2, batch_first=True, bidirectional=True, dropout=0.2)
        self.summed_up = AttentivePooling(128)

    def embed(self, features: Tensor) -> Tensor:
        states, _ = self.lstm(self.steps(features))
        embedding: Tensor = self.summed_up(states)
        return embedding


@family(SPEECH, recipe={"learning_rate": 2e-3})
def lstm_mel(labels: tuple[str, ...], front: Front) -> nn.Module:
    """Bidirectional LSTM (64 x 2) on 3 s of log-mel."""
    return LstmMel(len(labels), front)
