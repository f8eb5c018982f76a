"""The label vocabulary: each label's title and look, and whether it raises the alarm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from babymonitor.core.messages import Code, message

UNCLEAR = "sad"
"""The label of crying whose reason is not known. It says that a child is crying, and nothing about why."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label that a model may have.

    name: as in model files, data sets and messages. title: for people, a `Message` if it is in the vocabulary. icon: a
    character that distinguishes it without colour. colour: RGB hex. crying: whether it counts towards P(crying), on
    which the alarm depends.
    """

    name: str
    title: str
    icon: str
    colour: str
    crying: bool = False


_KNOWN = (
    Label("hungry", message(Code.LABEL_HUNGRY), "◆", "#e69f00", crying=True),
    Label("pain", message(Code.LABEL_PAIN), "▲", "#d55e00", crying=True),
    Label("tired", message(Code.LABEL_TIRED), "●", "#cc79a7", crying=True),
    Label(UNCLEAR, message(Code.LABEL_UNCLEAR), "▼", "#b0524a", crying=True),
    Label("happy", message(Code.LABEL_LAUGHING), "★", "#56b4e9"),
    Label("natural", message(Code.LABEL_BABBLING), "■", "#009e73"),
    Label("background", message(Code.LABEL_NO_BABY), "○", "#8a8f98"),
)

LABELS: dict[str, Label] = {label.name: label for label in _KNOWN}
"""The labels of the shipped model, in its order."""

_SYNONYMS = {
    "hunger": "hungry",
    "hu": "hungry",
    "belly_pain": "pain",
    "bp": "pain",
    "bu": "pain",
    "burping": "pain",
    "ti": "tired",
    "sleepy": "tired",
    "cry": UNCLEAR,
    "crying": UNCLEAR,
    "baby_cry": UNCLEAR,
    "crying_baby": UNCLEAR,
    "discomfort": UNCLEAR,
    "dc": UNCLEAR,
    "lo": UNCLEAR,
    "lonely": UNCLEAR,
    "sc": UNCLEAR,
    "scared": UNCLEAR,
    "ch": UNCLEAR,
    "cold_hot": UNCLEAR,
    "dk": UNCLEAR,
    "unknown": UNCLEAR,
    "laugh": "happy",
    "laughing": "happy",
    "laughter": "happy",
    "baby_laugh": "happy",
    "babble": "natural",
    "babbling": "natural",
    "cooing": "natural",
    "noise": "background",
    "silence": "background",
    "other": "background",
    # As corpora of adults' speech spell their emotions.
    "anger": "angry",
    "boredom": "bored",
    "disgusted": "disgust",
    "fear": "fearful",
    "happiness": "happy",
    "ps": "surprised",
    "pleasant_surprise": "surprised",
    "pleasant_surprised": "surprised",
    "sadness": "sad",
    "surprise": "surprised",
}


def canonical(name: str) -> str:
    """The vocabulary's name for a corpus's label; an unknown name is only normalised (lower case, no spaces)."""
    name = name.strip().lower().replace(" ", "_").replace("-", "_")
    return _SYNONYMS.get(name, name)


def label(name: str) -> Label:
    """The label of a name; one outside the vocabulary gets a plain look and never raises the alarm."""
    return LABELS.get(name) or Label(name, name.replace("_", " ").capitalize(), "◇", "#7f7f7f")


def sides_of(labels: Sequence[str]) -> list[list[int]]:
    """The indices of labels that compete with each other: crying labels, then the others; or all on a single side."""
    crying = [index for index, name in enumerate(labels) if label(name).crying]
    if not two_sided(labels):
        return [list(range(len(labels)))]
    return [crying, [index for index in range(len(labels)) if index not in crying]]


def two_sided(labels: Sequence[str]) -> bool:
    """Whether P(crying) is meaningful for these labels: some mean crying, and ``background`` is there.

    A corpus of acted emotions may contain ``sad`` without any crying.
    """
    return "background" in labels and any(label(name).crying for name in labels)
