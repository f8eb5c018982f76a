"""The other sounds that a model may name beside its labels, and which of them a person is told about."""

from __future__ import annotations

from collections.abc import Mapping

from babymonitor.core.messages import Code, Message, message

KINDS: dict[str, Code] = {
    "talking": Code.SOUND_TALKING,
    "child_talking": Code.SOUND_CHILD_TALKING,
    "laughing": Code.LABEL_LAUGHING,
    "babbling": Code.LABEL_BABBLING,
    "singing": Code.SOUND_SINGING,
    "coughing": Code.SOUND_COUGHING,
    "breathing": Code.SOUND_BREATHING,
    "dog": Code.SOUND_DOG,
    "cat": Code.SOUND_CAT,
    "animal": Code.SOUND_ANIMAL,
    "music": Code.SOUND_MUSIC,
    "television": Code.SOUND_TELEVISION,
    "alarm": Code.SOUND_ALARM,
    "vehicle": Code.SOUND_VEHICLE,
    "water": Code.SOUND_WATER,
    "weather": Code.SOUND_WEATHER,
    "household": Code.SOUND_HOUSEHOLD,
    "noise": Code.SOUND_NOISE,
    "quiet": Code.SOUND_QUIET,
}
"""Names as in a model's card and in ``watch --json``. A model may have others, which only its evidence uses."""

QUIET = "quiet"
_NAMED_FROM = 0.3
"""Below this probability a sound stays unnamed."""


def heard(sounds: Mapping[str, float]) -> str:
    """The kind of sound that is likeliest of those a person is told about; "" where none is likely enough."""
    known = {name: share for name, share in sounds.items() if name in KINDS}
    if not known:
        return ""
    name = max(known, key=known.__getitem__)
    return name if known[name] >= _NAMED_FROM else ""


def title(name: str) -> Message:
    """What a person reads for a kind of sound; for "" or an unknown one, that it is some other sound."""
    return message(KINDS.get(name, Code.SOUND_OTHER))
