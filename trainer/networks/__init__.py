"""Families by name. Importing this package registers them all; large libraries are imported when one is built."""

from trainer.networks import (
    classical,
    cnn,
    mobile,
    pretrained,
    prosody,
    recurrent,
    resnet,
    transformer,
    waveform,
    yamnet,
)
from trainer.networks.registry import FAMILIES, Family, Front

__all__ = [
    "FAMILIES",
    "Family",
    "Front",
    "classical",
    "cnn",
    "mobile",
    "pretrained",
    "prosody",
    "recurrent",
    "resnet",
    "transformer",
    "waveform",
    "yamnet",
]
