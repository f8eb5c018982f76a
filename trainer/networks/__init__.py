"""Families by name: importing this package registers them all. What is heavy is imported when a family is built."""

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
