"""The sound that all listeners hear: which clips are cries, which are known to be none, what is mixed under them."""

from __future__ import annotations

import csv
import functools
import hashlib
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

import resources.synthesise
import trainer.audio.augment
import trainer.audio.phone_codecs
import trainer.audio.synthetic
import trainer.evaluation.night_composer
from babymonitor.core.labels import label
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from benchmarks.hearing.kept import Sound, hash_of
from resources import synthesise
from trainer.audio import synthetic
from trainer.audio.augment import add
from trainer.audio.phone_codecs import codec_copy
from trainer.audio.synthetic import Generator
from trainer.data.dataset import Clip, stable_random
from trainer.data.decoded_audio import DecodedAudio
from trainer.data.readers import Roots, load
from trainer.data.split import Division
from trainer.errors import DataError
from trainer.evaluation.judgements import chosen
from trainer.evaluation.night_composer import BACKGROUNDS, Piece, Stock, gathered

LEAST_CRYING_SECONDS = 1.0
MADE_SECONDS = 10.0
ROOM_TONE_DB = -66.0
LEAD_SECONDS, TAIL_SECONDS = 6.0, 3.0
"""Before and after a clip that is played alone there is a quiet room: by its end even the voter has heard it."""

# What the aims name, by the words that stand in paths, labels and descriptions.
NAMED_KINDS = {
    "cats": r"\bcats?\b|kitten|meow|\bkedi\b|wildcat",
    "dogs": r"\bdogs?\b|\bbark(s|ing)?\b|\bkopek\b",
    "adult laughing": r"\blaugh(s|ing|ter)?\b",
    "coughing": r"\bcough(s|ing)?\b",
    "singing": r"\bsing(s|ing|er)?\b|\blullab(y|ies)\b|\bchoir\b|hummed tune",
    "sirens": r"\bsirens?\b|firetruck|\balarms?\b",
}
_NOT_NAMED = r"\bbirds?\b|singing.bowl|baby.laugh|seagull"


def _made(make: Callable[..., Wave]) -> Generator:
    return lambda rng, samples: np.resize(make(samples / SAMPLE_RATE, rng), samples)


def _noise(slope: float) -> Generator:
    return lambda rng, samples: synthetic.coloured(rng, samples, slope)


WIDEBAND: Mapping[str, Generator] = {
    "white": _noise(0.0),
    "pink": _noise(1.0),
    "brown": _noise(2.0),
    "blue": _noise(-1.0),
    "white-noise machine": _made(synthesise.white_noise_machine),
    "fan": _made(synthesise.fan),
    "rain": _made(synthesise.rain),
    "shushing": synthetic.shush,
}
MADE: Mapping[str, Generator] = {
    **{f"made: {name}": make for name, make in WIDEBAND.items()},
    "made: cat": _made(synthesise.cat),
    "made: dog": _made(synthesise.dog),
    "made: siren": synthetic.siren,
    "made: hummed tune": synthetic.tones,
    "made: voice-like": synthetic.voice_like,
    "made: beeps": synthetic.beeps,
    "made: hum": synthetic.hum,
}


@dataclass(frozen=True, slots=True)
class Item:
    """One sound with its truth. path: of its clip, or a name of its own. kind: what it is, in words."""

    path: str
    group: str
    kind: str
    cries: bool


@dataclass(frozen=True, slots=True)
class Material:
    """What is heard. cries, others: of the test side. human, human_validation: cries by the word of people, not of a
    teacher. pitched: those of `cries` with less than a second by YAMNet alone; the pitch helped to tell them.
    foreign: clips that must not be trained on, all without a baby. stock: the test side, for nights. origin: see
    `origin_of`. test, train: the clips of those sides. by_student: how many stretches of the test side a model of ours
    has labelled; None where the segments do not say by whom.
    """

    title: str
    waves: DecodedAudio
    cries: list[Item]
    others: list[Item]
    human: list[Item]
    human_validation: list[Item]
    pitched: list[Item]
    foreign: list[Item]
    stock: Stock
    origin: str
    test: list[Clip]
    train: list[Clip]
    by_student: int | None

    def sound(self, item: Item, name: str = "", alter: Callable[[Wave], Wave] | None = None) -> Sound:
        """The clip as it is, or altered; name: says how."""
        key = f"{self.waves.content(item.path)} {name}"

        def blocks() -> Iterable[Wave]:
            wave = self.waves.read(item.path)
            return (wave if alter is None else alter(wave),)

        return Sound(key, blocks)

    def by_telephone(self, item: Item) -> Sound:
        """The clip after a codec of telephones and recorders, one of several by its name: as most cries came to us."""
        key = f"by telephone {_code(trainer.audio.phone_codecs)}"
        return self.sound(item, key, lambda wave: codec_copy(wave, zlib.crc32(item.path.encode())))

    def alone(self, item: Item) -> Sound:
        """The clip, or a sound made by its name, in a quiet room."""
        make = MADE.get(item.kind) if item.path not in self.waves else None
        key = item.path if make else self.waves.content(item.path)

        def blocks() -> Iterable[Wave]:
            rng = rng_of(item.path, "alone")
            wave = 0.2 * make(rng, int(MADE_SECONDS * SAMPLE_RATE)) if make else self.waves.read(item.path)
            lead, tail = (int(seconds * SAMPLE_RATE) for seconds in (LEAD_SECONDS, TAIL_SECONDS))
            whole = np.pad(np.asarray(wave, np.float32), (lead, tail))
            tone = synthetic.coloured(rng, whole.size, 1.0)
            tone *= np.float32(10 ** (ROOM_TONE_DB / 20) / np.sqrt(np.mean(tone**2)))
            return (np.clip(whole + tone, -1, 1),)

        return Sound(f"alone 2 {_code(*_MAKERS)} {key}", blocks)

    def mixed(self, item: Item, under: str, snr_db: float) -> Sound:
        """The clip with a background under it, its loud parts so many decibels above."""

        def alter(wave: Wave) -> Wave:
            rng = rng_of(item.path, under)
            both = add(wave, background(self.stock, under, rng, wave.size), snr_db)
            return np.asarray(both / max(1.0, float(np.abs(both).max(initial=0))), np.float32)

        return self.sound(item, f"under {under} {snr_db:g} dB 2 {self.origin}", alter)


def origin_of(stock: Stock) -> str:
    """What nights and backgrounds are made of: the code that makes them, and the clips. Another origin, other sound."""

    def told(groups: list[list[Piece]]) -> list[object]:
        return [[[one.path, stock.waves.content(one.path), one.start, one.stop] for one in some] for some in groups]

    beds = {name: told(groups) for name, groups in sorted(stock.beds.items())}
    code = _code(trainer.evaluation.night_composer, trainer.audio.augment, *_MAKERS)
    return hash_of(code, beds, told(stock.cries))


@functools.cache
def _code(*modules: ModuleType) -> str:
    """What makes a sound: where it changes, so does the sound."""
    digest = hashlib.sha256()
    for module in modules:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:16]


_MAKERS = (trainer.audio.synthetic, resources.synthesise)


def rng_of(name: str, salt: str) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(name.encode()), zlib.crc32(salt.encode())])


def background(stock: Stock, name: str, rng: np.random.Generator, samples: int) -> Wave:
    """(samples,) of a background of the nights: real clips of the test side and made sounds, drawn as `Night` does.

    "white noise" is white noise, and nothing else.
    """
    if name == "white noise":
        return synthetic.coloured(rng, samples, 0.0)
    kind = next(one for one in BACKGROUNDS if one.name == name)
    groups, made = stock.beds.get(name, []), list(kind.made.values())
    parts: list[Wave] = []
    while sum(part.size for part in parts) < samples:
        if groups and (not made or rng.random() < len(groups) / (len(groups) + 3)):
            group = groups[rng.integers(len(groups))]
            piece = group[rng.integers(len(group))]
            part = stock.waves.read(piece.path, piece.start, piece.stop)
        else:
            part = made[rng.integers(len(made))](rng, int(5 * SAMPLE_RATE))
        level = float(np.sqrt(np.mean(part**2)))
        if level > 1e-5:
            parts.append(np.asarray(0.1 / level * part, np.float32))
    start = int(rng.integers(max(1, sum(part.size for part in parts) - samples + 1)))
    return np.concatenate(parts)[start : start + samples]


def gather(
    data: Roots,
    segments: Path | None,
    cache: Path,
    division: Division | None = None,
    most: int | None = None,
) -> Material:
    """Read a data set and sort its clips. most: of each kind, drawn by their names; None for all.

    Crying: at least a second of it. Other: none of it, and nothing (but a tenth) left open.
    """
    whole = load(data, segments)
    promised = {clip.path: clip for clip in load(data).clips}
    waves = DecodedAudio(whole, cache, codecs=False)
    sides = {side: chosen(whole, waves, side, division) for side in ("train", "validation", "test")}
    try:
        foreign = chosen(whole, waves, "evaluation-only", division)
    except DataError:  # then there is none
        foreign = []

    def item(clip: Clip) -> Item | None:
        cries = sum(span.end - span.start for span in clip.spans if label(span.label).crying)
        if cries >= LEAST_CRYING_SECONDS:
            return Item(clip.path, clip.group, "crying", True)
        known = clip.seconds() >= 0.9 * waves.samples(clip.path) / SAMPLE_RATE
        return Item(clip.path, clip.group, _kind(clip, promised[clip.path]), False) if known and not cries else None

    def items(clips: Iterable[Clip]) -> Iterator[Item]:
        return (one for clip in clips if (one := item(clip)) is not None)

    def human(side: str) -> list[Item]:
        named = (clip for clip in sides[side] if any(label(span.label).crying for span in promised[clip.path].spans))
        return [Item(clip.path, clip.group, "crying", True) for clip in named]

    def some(found: Iterable[Item]) -> list[Item]:
        return sorted(
            sorted(found, key=lambda one: stable_random(one.path, "hearing"))[:most], key=lambda one: one.path
        )

    test = list(items(sides["test"]))
    told = None if segments is None else labelled_by(segments, sides["test"])
    named: dict[str, float] = defaultdict(float)
    for path, seconds, teacher in told or ():
        named[path] += seconds if teacher == "yamnet" else 0.0
    stock = gathered(sides["test"], waves)
    return Material(
        title=whole.title,
        waves=waves,
        cries=some(one for one in test if one.cries),
        others=some(one for one in test if not one.cries),
        human=some(human("test")),
        human_validation=some(human("validation")),
        pitched=some(one for one in test if told and one.cries and named[one.path] < LEAST_CRYING_SECONDS),
        foreign=some(one for one in items(foreign) if not one.cries),
        stock=stock,
        origin=origin_of(stock),
        test=sides["test"],
        train=sides["train"],
        by_student=None if told is None else sum("student" in teacher for _, _, teacher in told),
    )


def labelled_by(segments: Path, clips: Sequence[Clip]) -> list[tuple[str, float, str]] | None:
    """Of each stretch of these clips its path, its seconds of crying and who labelled it, in the segments' words; None
    where they do not say by whom.
    """
    paths = {clip.path.removeprefix(f"{clip.folder}/"): clip.path for clip in clips}
    found = []
    with segments.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row.get("teacher") is None:
                return None
            if row["path"] in paths:
                cries = label(row["label"]).crying and row["end_seconds"]
                seconds = float(row["end_seconds"]) - float(row["start_seconds"]) if cries else 0.0
                found.append((paths[row["path"]], seconds, row["teacher"]))
    return found


def _kind(clip: Clip, promised: Clip) -> str:
    """A word for what a clip without crying is: what its source calls it, and more exactly where it sorts sounds."""
    name = promised.spans[0].label.replace("_", " ") if promised.spans else ""
    detail = re.sub(r"^\d+ - ", "", clip.detail).split(";")[0]
    if detail and "=" not in detail and re.match("esc|deeply|animal", clip.source):
        return f"{name}: {detail.lower()}"
    return name or clip.source


def named_kind(item: Item) -> str | None:
    """Which of the kinds that the aims name a sound is, if it is one."""
    text = re.sub(r"[_/.\-]", " ", f"{item.path} {item.kind}".lower())
    if re.search(_NOT_NAMED, text):
        return None
    return next((name for name, words in NAMED_KINDS.items() if re.search(words, text)), None)


def made_items(count: int) -> list[Item]:
    """So many of each made sound."""
    return [Item(f"{kind} {number}", f"{kind} {number}", kind, False) for kind in MADE for number in range(count)]


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most so many, drawn by their names."""
    return sorted(items, key=lambda one: stable_random(one.path, "spread"))[:most]
