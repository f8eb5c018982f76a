"""The network in the file: the backbone, with its answers as the file's labels and sounds."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from babymonitor.core.labels import LABELS, UNCLEAR, sides_of
from trainer.backbone.tagger import BABY_CRY, SoundTagger
from trainer.ear.kinds import BABBLING, BABY_LAUGHTER, GROUPS
from trainer.ear.reasons import Reasons
from trainer.networks.yamnet import EMBEDDING

EAR_LABELS = tuple(LABELS)
_UNCLEAR_BIAS = 3.5
"""Nine tenths of crying are then called unclear."""


class EarNetwork(nn.Module):
    """(B, 64 bands, 96 frames) → probabilities (B, labels), log-odds of `GROUPS` (B, sounds).

    P(crying) is the backbone's answer to "baby cry". What is not crying is divided between laughing, babbling and
    anything else by the backbone's answers; crying is divided between the reasons by `head`, which is all that is
    learnt here.
    """

    def __init__(self, tagger: SoundTagger) -> None:
        super().__init__()
        # The runtime has its own layout.
        self.tagger = tagger.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.crying_at, self.others_at = sides_of(EAR_LABELS)
        # Teaching finds the embedding by this layer: one row per label, zero for those that are no reasons.
        self.head = nn.Linear(EMBEDDING, len(EAR_LABELS))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    @torch.no_grad()
    def take_reasons(self, reasons: Reasons) -> None:
        """Divide crying by these reasons, or call it unclear where babies held out did not show them above chance."""
        self.head.weight.zero_()
        self.head.bias.zero_()
        if reasons.beat_chance:
            self.head.weight[self.crying_at] = torch.from_numpy(reasons.weights)
            self.head.bias[self.crying_at] = torch.from_numpy(reasons.offset)
        else:
            # Not all of it: what a home teaches of its child's reasons starts from here.
            self.head.bias[EAR_LABELS.index(UNCLEAR)] = _UNCLEAR_BIAS

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.tagger.embed(features.transpose(1, 2).unsqueeze(1))
        answers = self.tagger.dense(embedding)
        kinds = self.head(embedding)
        happy, natural = torch.sigmoid(answers[:, BABY_LAUGHTER]), torch.sigmoid(answers[:, BABBLING])
        # Both at once are divided; what is neither is background.
        together = (happy + natural).clamp(min=1e-6)
        either = 1 - (1 - happy) * (1 - natural)
        others = torch.stack((either * happy / together, either * natural / together, 1 - either), 1)
        # Zero rows of the head keep these as they are; a taught head would shift them.
        others = torch.softmax(torch.log(others.clamp(min=1e-7)) + kinds[:, self.others_at], 1)
        reasons = torch.softmax(kinds[:, self.crying_at], 1)
        crying = torch.sigmoid(answers[:, BABY_CRY])[:, None]
        probabilities = torch.cat((reasons * crying, others * (1 - crying)), 1)
        sounds = torch.cat([answers[:, list(classes)].amax(1, keepdim=True) for classes in GROUPS.values()], 1)
        return probabilities, sounds
