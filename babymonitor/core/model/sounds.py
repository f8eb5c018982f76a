"""The other sounds that a model may name beside its labels, and which of them a person is told about."""

from __future__ import annotations

from collections.abc import Mapping

from babymonitor.core.messages import Code, Message, message
from babymonitor.core.model.scorer import Score

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
_PARTICULAR = {"animal": ("dog", "cat"), "talking": ("child_talking",)}
"""A dog is also an animal, and about as likely to be heard as one: the more specific kind is named."""


def likely(sounds: Mapping[str, float]) -> dict[str, float]:
    """The kinds of sound that a person is told about and that are likely enough to be named, the likeliest first."""
    ranked = sorted(sounds.items(), key=lambda kind: kind[1], reverse=True)
    named = {name: share for name, share in ranked if name in KINDS and share >= _NAMED_FROM}
    return {name: share for name, share in named.items() if named.keys().isdisjoint(_PARTICULAR.get(name, ()))}


def likeliest(sounds: Mapping[str, float]) -> str:
    """The kind of sound that is named: the likeliest of those that are `likely`, "" where none is."""
    return next(iter(likely(sounds)), "")


def other_sound(score: Score) -> str | None:
    """What is heard where no baby is, as `likeliest`; None where a baby is heard, or the model names no sounds."""
    shares = score.probabilities
    if not score.sounds or not shares or max(shares, key=shares.__getitem__) != "background":
        return None
    name = likeliest(score.sounds)
    return None if name == "babbling" else name


def worth_telling(seconds: Mapping[str, float], least: float = 0.0) -> dict[str, float]:
    """The kinds of sound that lasted for `least` seconds or more, the longest first; without quiet and the unnamed."""
    ranked = sorted(seconds.items(), key=lambda kind: kind[1], reverse=True)
    return {name: length for name, length in ranked if name in KINDS and name != QUIET and length >= least}


def background_title(name: str) -> Message:
    """What a person reads where no baby is heard, but a kind of sound that `other_sound` names."""
    return title(name) if name in ("", QUIET) else message(Code.NO_BABY_BUT, sound=title(name))


def title(name: str) -> Message:
    """What a person reads for a kind of sound; for "" or an unknown one, that it is some other sound."""
    return message(KINDS.get(name, Code.SOUND_OTHER))
