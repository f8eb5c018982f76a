"""What judges a listener that learnt without some corpora: the cries of those corpora, everything else that was left
out beside them, nights composed of both, and sounds that are played alone.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path

import numpy as np

import trainer.audio.synthetic
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from trainer.audio import synthetic
from trainer.data.dataset import Clip, DataSet, stable_random
from trainer.data.decoded_audio import DecodedAudio
from trainer.data.sound_kinds import CRY, kind_of, label_of, left_out, read_clips
from trainer.errors import DataError
from trainer.evaluation.answer_cache import Sound
from trainer.evaluation.listeners import code_of
from trainer.evaluation.night_stock import BACKGROUNDS, Background, Piece, Stock, audible_part, loudness

SINGLE = "single recordings"
"""Cries of corpora with fewer than `_LEAST_CORPUS` recordings of crying, taken together."""
CLIP_SECONDS, PIECE_SECONDS = 10.0, 3.0
"""A longer clip is judged by its loudest stretch of so long. In a second set, recordings of crying are cut into pieces:
a listener that hears only the clearest of ten cries finds all recordings, but few pieces."""
HOLD_CRYING = ("third/troywang/noise/*", "*baby_fake_cry*")
"""Clips whose label says no baby and in which something cries all the same, or somebody imitates a baby."""
_LEAST_CORPUS = 10
_SHORTEST_SECONDS = 0.2
_MOST_OF_A_GROUP = 12
"""Of an actor's sixty sentences so many are enough; they are drawn by their names."""
_LEAD_SECONDS, _TAIL_SECONDS = 6.0, 2.0
"""Of a quiet room around a sound that is played alone: it comes out of the quiet, as at night."""
_ROOM_TONE_DB = -66.0
_BED_SECONDS, _TURN_SECONDS, _CRY_SECONDS = 10.0, 4.0, 6.0
_CRY_WITHIN_DB, _BED_WITHIN_DB = 8.0, 20.0
"""How far below the loudest piece of its clip a piece may be. In a long recording of a baby the cries are the loud
parts; between them it babbles, or is silent."""
_LEAST_CRYING_SECONDS = 1.0

_KNOWN = {background.name: background for background in BACKGROUNDS}
MOTHER = "mother and child"
QUIET = "quiet room"
BEDS = (
    _KNOWN[QUIET],
    _KNOWN["white noise"],
    _KNOWN["fan"],
    _KNOWN["rain"],
    Background("television", -38, gap_seconds=1.5),
    Background(MOTHER, -38, gap_seconds=1.0),
    Background("recorded rooms", -42, gap_seconds=1.0),
    Background("animals", -36, gap_seconds=15),
    Background("people", -36, gap_seconds=10),
    Background("music", -38, gap_seconds=1),
)
"""The kinds of night. Only steady sound, which anybody may make, is partly synthetic; all else is sound left out."""
LOUD = ("white noise", "fan", "rain", "television")
"""Beds that also have a night in which every cry is only as loud as the bed."""

_STEADY = {
    "white noise": _KNOWN["white noise"].words,
    "fan": _KNOWN["fan"].words,
    "rain": r"(?<![a-z])rain(?![a-z])",
}
_ROOM_KINDS = {
    *("noise", "household", "nature", "vehicle", "tools", "speech_babble", "impact", "thunderstorm", "glass breaking"),
    *("church bells", "car horn", "clock tick", "sea waves", "fire crackling", "helicopter", "chainsaw"),
}
_ANIMAL_KINDS = {"cat", "dog", "animal", "chirping birds", "rooster"}
_PEOPLE_KINDS = {
    *("adult_nonverbal", "adult_vocal", "adult_laugh", "cough", "sneeze", "breathing", "snoring", "person sneeze"),
    "child_scream",
}
_MUSIC_KINDS = {"music", "lullaby", "music_speech"}
_WOMAN = r"ravdess/actor_\d[02468]/|/ikids/speech/"
_CHILD = r"/child_speech/|/babysim/speech/.*\bkid"
ADULTS_CRYING = "adults crying"
ALONE = {
    ADULTS_CRYING: r"nonverbal crying\b|adult vocal .*\bcrying\b",
    "cats": r"\bcats?\b|kitten|\bmeow|\bkedi\b",
    "dogs": r"\bdogs?\b|\bbark(s|ing)?\b|\bkopek\b",
    "adults laughing": r"nonverbal laughing\b|\badult laugh\b",
    "coughing": r"\bcough(s|ing)?\b",
    "singing": r"^(?!.*\b(birds?|bowls?)\b).*\bsing(s|ing|er)?\b|\blullab(y|ies)\b|\bchoir\b",
    "sirens, alarms": r"\bsirens?\b|\balarms?\b|\balert\b|firetruck|\bambulance\b",
    "music": r"\bmusic\b",
}
"""Sounds that are played alone, by words in path, kind and description; a sound counts as the first that it fits."""


@dataclass(frozen=True, slots=True)
class ClipSet:
    """Cries, and other sounds that they are told apart from: each a part of a clip."""

    cries: tuple[Piece, ...]
    others: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that a run is judged by. Copies of a clip occur once.

    cries, others: every clip. clip_sets: by name, what is told apart. corpora: of each cry's path, where it counts.
    aside: how many clips count as neither, by label. alone: by kind, sounds that are played alone. stock: for nights.
    """

    waves: DecodedAudio
    cries: tuple[Clip, ...]
    others: tuple[Clip, ...]
    clip_sets: Mapping[str, ClipSet]
    corpora: Mapping[str, str]
    aside: Mapping[str, int]
    alone: Mapping[str, tuple[Piece, ...]]
    stock: Stock

    def sound(self, piece: Piece) -> Sound:
        """A part of a clip as it was recorded."""
        return Sound(self._key(piece), lambda: (self._read(piece),))

    def in_quiet(self, piece: Piece) -> Sound:
        """A part of a clip alone in a quiet room."""

        def blocks() -> Iterable[Wave]:
            lead, tail = (int(seconds * SAMPLE_RATE) for seconds in (_LEAD_SECONDS, _TAIL_SECONDS))
            padded = np.pad(self._read(piece), (lead, tail))
            tone = synthetic.coloured(np.random.default_rng(zlib.crc32(piece.path.encode())), padded.size, 1.0)
            tone *= np.float32(10 ** (_ROOM_TONE_DB / 20) / np.sqrt(np.mean(tone**2)))
            return (np.clip(padded + tone, -1, 1),)

        made = f"{code_of(trainer.audio.synthetic)} {_LEAD_SECONDS} {_TAIL_SECONDS} {_ROOM_TONE_DB}"
        return Sound(f"alone {made} {piece.path} {self._key(piece)}", blocks)

    def _key(self, piece: Piece) -> str:
        return f"{self.waves.content(piece.path)} {piece.start} {piece.stop}"

    def _read(self, piece: Piece) -> Wave:
        return self.waves.read(piece.path, piece.start, piece.stop)


def gather(root: Path, patterns: Sequence[str], cache: Path) -> Material:
    """Read what was left out by these patterns, and what may be used for judging only, and sort it.

    Raises DataError where a pattern matches nothing, or nothing that cries, or nothing else.
    """
    clips = read_clips(root)
    paths = left_out(clips, patterns)
    judged = tuple(clip for clip in clips if clip.path in paths or not clip.usable)
    waves = DecodedAudio(DataSet((root,), judged), cache, codecs=False)
    distinct: dict[str, Clip] = {}
    for clip in judged:
        if clip.path in waves and waves.samples(clip.path) >= _SHORTEST_SECONDS * SAMPLE_RATE:
            distinct.setdefault(waves.content(clip.path), clip)
    cries = tuple(clip for clip in distinct.values() if label_of(clip) == CRY)
    aside = [clip for clip in distinct.values() if label_of(clip) != CRY and _is_aside(clip)]
    others = tuple(clip for clip in distinct.values() if label_of(clip) != CRY and not _is_aside(clip))
    if not cries or not others:
        lacking = "other sounds" if cries else "cries"
        raise DataError(f"What is left out of {root} holds no {lacking}: there is nothing to judge by.")
    return Material(
        waves=waves,
        cries=cries,
        others=others,
        clip_sets=_clip_sets(cries, _few_of_each_group(others), waves),
        corpora=_corpora(cries),
        aside=Counter(label_of(clip) for clip in aside),
        alone=_alone(others, waves),
        stock=Stock(waves, _beds(others, waves), _cries(cries, waves)),
    )


def _is_aside(clip: Clip) -> bool:
    return label_of(clip).startswith("baby") or any(fnmatchcase(clip.path, pattern) for pattern in HOLD_CRYING)


def _few_of_each_group(clips: Iterable[Clip]) -> tuple[Clip, ...]:
    groups = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: stable_random(clip.path, "left out")):
        groups[clip.group].append(clip)
    few = [clip for members in groups.values() for clip in members[:_MOST_OF_A_GROUP]]
    return tuple(sorted(few, key=lambda clip: clip.path))


def _corpora(cries: Sequence[Clip]) -> dict[str, str]:
    counts = Counter(clip.source for clip in cries)
    return {clip.path: clip.source if counts[clip.source] >= _LEAST_CORPUS else SINGLE for clip in cries}


def _clip_sets(cries: Sequence[Clip], others: Sequence[Clip], waves: DecodedAudio) -> dict[str, ClipSet]:
    def loudest(clips: Sequence[Clip], seconds: float) -> tuple[Piece, ...]:
        return tuple(_loudest(clip, waves, seconds) for clip in clips)

    pieces = [piece for clip in cries for piece in _loud_pieces(clip, waves, PIECE_SECONDS, _CRY_WITHIN_DB)]
    return {
        "recordings": ClipSet(loudest(cries, CLIP_SECONDS), loudest(others, CLIP_SECONDS)),
        "pieces": ClipSet(tuple(pieces), loudest(others, PIECE_SECONDS)),
    }


def _loudest(clip: Clip, waves: DecodedAudio, seconds: float) -> Piece:
    """The clip, or its loudest stretch of so many seconds."""
    samples, step = int(seconds * SAMPLE_RATE), SAMPLE_RATE // 10
    wave = waves.read(clip.path)
    if wave.size <= samples:
        return Piece(clip.path, clip.group, 0, wave.size)
    blocks = wave[: wave.size // step * step].reshape(-1, step)
    energy = np.concatenate(([0.0], np.cumsum(np.einsum("ij,ij->i", blocks, blocks, dtype=np.float64))))
    start = step * int((energy[samples // step :] - energy[: -(samples // step)]).argmax())
    return Piece(clip.path, clip.group, start, start + samples)


def _alone(clips: Sequence[Clip], waves: DecodedAudio) -> dict[str, tuple[Piece, ...]]:
    kinds: dict[str, list[Piece]] = {name: [] for name in ALONE}
    for clip in clips:
        text = re.sub(r"[_/.\-]", " ", f"{clip.path} {kind_of(clip)}".lower())
        name = next((name for name, words in ALONE.items() if re.search(words, text)), None)
        if name is not None:
            kinds[name].append(_loudest(clip, waves, CLIP_SECONDS))
    return {name: tuple(members) for name, members in kinds.items()}


def _beds_of(clip: Clip) -> Iterator[str]:
    """The beds that a clip without a baby can be part of."""
    kind, label, text = kind_of(clip), label_of(clip), f"{clip.path} {clip.detail}".lower()
    if kind in _ROOM_KINDS or label == "steady_noise":
        steady = [name for name, words in _STEADY.items() if re.search(words, text)]
        yield from steady or ["recorded rooms"]
    elif re.search(_CHILD, clip.path):
        yield MOTHER
    elif label in ("adult_speech", "speech"):
        yield "television"
        if re.search(_WOMAN, clip.path):
            yield MOTHER
    elif kind in _ANIMAL_KINDS:
        yield "animals"
    elif kind in _PEOPLE_KINDS and not re.search(r"crying", clip.path):
        yield "people"
    elif kind in _MUSIC_KINDS:
        yield "music"


def _beds(clips: Sequence[Clip], waves: DecodedAudio) -> dict[str, list[list[Piece]]]:
    """By bed, the pieces of each group. In a talk of mother and child, children speak as often as women."""
    beds: dict[str, dict[str, list[Piece]]] = {background.name: defaultdict(list) for background in BEDS}
    children: dict[str, list[Piece]] = defaultdict(list)
    for clip in clips:
        for name in _beds_of(clip):
            seconds = _TURN_SECONDS if name == MOTHER else _BED_SECONDS
            pieces = _loud_pieces(clip, waves, seconds, _BED_WITHIN_DB)
            if pieces:
                groups = children if name == MOTHER and re.search(_CHILD, clip.path) else beds[name]
                groups[clip.group] += pieces
    listed = {name: list(groups.values()) for name, groups in beds.items()}
    if listed[MOTHER] and children:
        listed[MOTHER] += list(children.values()) * max(1, round(len(listed[MOTHER]) / len(children)))
    else:
        listed[MOTHER] = []
    return listed


def _cries(clips: Sequence[Clip], waves: DecodedAudio) -> list[list[Piece]]:
    """The pieces of each baby, without those who cry for less than a second."""
    babies: dict[str, list[Piece]] = defaultdict(list)
    for clip in clips:
        pieces = _loud_pieces(clip, waves, _CRY_SECONDS, _CRY_WITHIN_DB)
        babies[clip.group] += [piece for piece in pieces if audible_part(waves, piece).size]
    return [
        pieces
        for pieces in babies.values()
        if sum(piece.stop - piece.start for piece in pieces) >= _LEAST_CRYING_SECONDS * SAMPLE_RATE
    ]


def _loud_pieces(clip: Clip, waves: DecodedAudio, seconds: float, within_db: float) -> list[Piece]:
    """A clip in pieces of at most so many seconds, without those far below its loudest."""
    samples, longest = waves.samples(clip.path), int(seconds * SAMPLE_RATE)
    count = max(1, -(-samples // longest))
    edges = [round(samples * number / count) for number in range(count + 1)]
    pieces = [Piece(clip.path, clip.group, start, stop) for start, stop in pairwise(edges)]
    levels = [loudness(waves.read(clip.path, piece.start, piece.stop)) for piece in pieces]
    least = max(max(levels) * 10 ** (-within_db / 20), 1e-5)
    return [piece for piece, level in zip(pieces, levels, strict=True) if level >= least]
