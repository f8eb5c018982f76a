"""The sounds that all listeners hear: which clips are cries, which are known to hold none, what is mixed under them."""

from __future__ import annotations

import csv
import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import resources.synthesise
import trainer.audio.augment
import trainer.audio.phone_codecs
import trainer.audio.synthetic
from babymonitor.core.labels import label
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
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
from trainer.evaluation.answer_cache import Sound, origin_of
from trainer.evaluation.judgements import clips_of_side
from trainer.evaluation.listeners import code_of
from trainer.evaluation.night_stock import BACKGROUNDS, Stock, gather_stock

LEAST_CRYING_SECONDS = 1.0
MADE_SECONDS = 10.0
ROOM_TONE_DB = -66.0
LEAD_SECONDS, TAIL_SECONDS = 6.0, 3.0
"""Of a quiet room before and after a clip that is played alone, so that by the end even the voter has heard it."""

# The kinds of sound that the aims name, by words in paths, labels and descriptions.
NAMED_KINDS = {
    "cats": r"\bcats?\b|kitten|meow|\bkedi\b|wildcat",
    "dogs": r"\bdogs?\b|\bbark(s|ing)?\b|\bkopek\b",
    "adult laughing": r"\blaugh(s|ing|ter)?\b",
    "coughing": r"\bcough(s|ing)?\b",
    "singing": r"\bsing(s|ing|er)?\b|\blullab(y|ies)\b|\bchoir\b|hummed tune",
    "sirens": r"\bsirens?\b|firetruck|\balarms?\b",
}
_NOT_NAMED = r"\bbirds?\b|singing.bowl|baby.laugh|seagull"


def _resized(make: Callable[..., Wave]) -> Generator:
    """One of the project's own sounds as a generator of (samples,)."""
    return lambda rng, samples: np.resize(make(samples / SAMPLE_RATE, rng), samples)


def _noise(slope: float) -> Generator:
    return lambda rng, samples: synthetic.coloured(rng, samples, slope)


WIDEBAND: Mapping[str, Generator] = {
    "white": _noise(0.0),
    "pink": _noise(1.0),
    "brown": _noise(2.0),
    "blue": _noise(-1.0),
    "white-noise machine": _resized(synthesise.white_noise_machine),
    "fan": _resized(synthesise.fan),
    "rain": _resized(synthesise.rain),
    "shushing": synthetic.shush,
}
MADE: Mapping[str, Generator] = {
    **{f"made: {name}": make for name, make in WIDEBAND.items()},
    "made: cat": _resized(synthesise.cat),
    "made: dog": _resized(synthesise.dog),
    "made: siren": synthetic.siren,
    "made: hummed tune": synthetic.tones,
    "made: voice-like": synthetic.voice_like,
    "made: beeps": synthetic.beeps,
    "made: hum": synthetic.hum,
}


@dataclass(frozen=True, slots=True)
class Item:
    """One sound with its truth. path: of its clip, or its name where it is synthetic. kind: what it is, in words."""

    path: str
    group: str
    kind: str
    cries: bool


@dataclass(frozen=True, slots=True)
class Material:
    """All sounds of a run.

    cries, others: of the test side. human, human_validation: cries labelled by people, not by a teacher. pitched: those
    of `cries` with less than a second by YAMNet alone; the pitch of the voice helped to label them. foreign: clips that
    must not be trained on, all without a baby. stock: of the test side, for nights. origin: see `origin_of`. test,
    train: the clips of those sides. by_student: how many stretches of the test side a model of ours has labelled; None
    where the segments do not say who labelled them.
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
        """The clip unaltered, or altered in a way that `name` names."""
        key = f"{self.waves.content(item.path)} {name}"

        def blocks() -> Iterable[Wave]:
            wave = self.waves.read(item.path)
            return (wave if alter is None else alter(wave),)

        return Sound(key, blocks)

    def by_telephone(self, item: Item) -> Sound:
        """The clip through a telephone or recorder codec, chosen by its name: as most cries came to us."""
        key = f"by telephone {code_of(trainer.audio.phone_codecs)}"
        return self.sound(item, key, lambda wave: codec_copy(wave, zlib.crc32(item.path.encode())))

    def alone(self, item: Item) -> Sound:
        """The clip, or the synthetic sound of its kind, in a quiet room."""
        make = MADE.get(item.kind) if item.path not in self.waves else None
        key = item.path if make else self.waves.content(item.path)

        def blocks() -> Iterable[Wave]:
            rng = rng_of(item.path, "alone")
            wave = 0.2 * make(rng, int(MADE_SECONDS * SAMPLE_RATE)) if make else self.waves.read(item.path)
            lead, tail = (int(seconds * SAMPLE_RATE) for seconds in (LEAD_SECONDS, TAIL_SECONDS))
            padded = np.pad(np.asarray(wave, np.float32), (lead, tail))
            tone = synthetic.coloured(rng, padded.size, 1.0)
            tone *= np.float32(10 ** (ROOM_TONE_DB / 20) / np.sqrt(np.mean(tone**2)))
            return (np.clip(padded + tone, -1, 1),)

        return Sound(f"alone 2 {code_of(*_MAKERS)} {key}", blocks)

    def mixed(self, item: Item, under: str, snr_db: float) -> Sound:
        """The clip with a background under it, its loud parts `snr_db` above the background."""

        def alter(wave: Wave) -> Wave:
            rng = rng_of(item.path, under)
            both = add(wave, background(self.stock, under, rng, wave.size), snr_db)
            return np.asarray(both / max(1.0, float(np.abs(both).max(initial=0))), np.float32)

        return self.sound(item, f"under {under} {snr_db:g} dB 2 {self.origin}", alter)


_MAKERS = (trainer.audio.synthetic, resources.synthesise)


def rng_of(name: str, salt: str) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(name.encode()), zlib.crc32(salt.encode())])


def background(stock: Stock, name: str, rng: np.random.Generator, samples: int) -> Wave:
    """(samples,) of a background of the nights: real clips of the test side and synthetic sounds, much as in a night.

    "white noise" is white noise and nothing else.
    """
    if name == "white noise":
        return synthetic.coloured(rng, samples, 0.0)
    kind = next(candidate for candidate in BACKGROUNDS if candidate.name == name)
    groups, makers = stock.beds.get(name, []), list(kind.synthetic_sounds.values())
    parts: list[Wave] = []
    while sum(part.size for part in parts) < samples:
        if groups and (not makers or rng.random() < len(groups) / (len(groups) + 3)):
            group = groups[rng.integers(len(groups))]
            piece = group[rng.integers(len(group))]
            part = stock.waves.read(piece.path, piece.start, piece.stop)
        else:
            part = makers[rng.integers(len(makers))](rng, int(5 * SAMPLE_RATE))
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

    A cry has at least a second of crying. Any other clip has none, with at most a tenth of it left open.
    """
    data_set = load(data, segments)
    promised = {clip.path: clip for clip in load(data).clips}
    waves = DecodedAudio(data_set, cache, codecs=False)
    sides = {side: clips_of_side(data_set, waves, side, division) for side in ("train", "validation", "test")}
    try:
        foreign = clips_of_side(data_set, waves, "evaluation-only", division)
    except DataError:  # then there is none
        foreign = []

    def item(clip: Clip) -> Item | None:
        cries = sum(span.end - span.start for span in clip.spans if label(span.label).crying)
        if cries >= LEAST_CRYING_SECONDS:
            return Item(clip.path, clip.group, "crying", True)
        known = clip.seconds() >= 0.9 * waves.samples(clip.path) / SAMPLE_RATE
        return Item(clip.path, clip.group, _kind(clip, promised[clip.path]), False) if known and not cries else None

    def items(clips: Iterable[Clip]) -> Iterator[Item]:
        return (sound for clip in clips if (sound := item(clip)) is not None)

    def human(side: str) -> list[Item]:
        named = (clip for clip in sides[side] if any(label(span.label).crying for span in promised[clip.path].spans))
        return [Item(clip.path, clip.group, "crying", True) for clip in named]

    def sample(candidates: Iterable[Item]) -> list[Item]:
        drawn = sorted(candidates, key=lambda item: stable_random(item.path, "hearing"))[:most]
        return sorted(drawn, key=lambda item: item.path)

    test = list(items(sides["test"]))
    stretches = None if segments is None else labelled_by(segments, sides["test"])
    yamnet_seconds: dict[str, float] = defaultdict(float)
    for path, seconds, teacher in stretches or ():
        yamnet_seconds[path] += seconds if teacher == "yamnet" else 0.0
    stock = gather_stock(sides["test"], waves)
    return Material(
        title=data_set.title,
        waves=waves,
        cries=sample(item for item in test if item.cries),
        others=sample(item for item in test if not item.cries),
        human=sample(human("test")),
        human_validation=sample(human("validation")),
        pitched=sample(
            item for item in test if stretches and item.cries and yamnet_seconds[item.path] < LEAST_CRYING_SECONDS
        ),
        foreign=sample(item for item in items(foreign) if not item.cries),
        stock=stock,
        origin=origin_of(stock),
        test=sides["test"],
        train=sides["train"],
        by_student=None if stretches is None else sum("student" in teacher for _, _, teacher in stretches),
    )


def labelled_by(segments: Path, clips: Sequence[Clip]) -> list[tuple[str, float, str]] | None:
    """The path of each labelled stretch of these clips, its seconds of crying, and who labelled it as the file has it.

    None where the file does not say who labelled them.
    """
    paths = {clip.path.removeprefix(f"{clip.folder}/"): clip.path for clip in clips}
    stretches = []
    with segments.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row.get("teacher") is None:
                return None
            if row["path"] in paths:
                cries = label(row["label"]).crying and row["end_seconds"]
                seconds = float(row["end_seconds"]) - float(row["start_seconds"]) if cries else 0.0
                stretches.append((paths[row["path"]], seconds, row["teacher"]))
    return stretches


def _kind(clip: Clip, promised: Clip) -> str:
    """What a clip without crying is: its source's label, and its description where the source sorts sounds."""
    name = promised.spans[0].label.replace("_", " ") if promised.spans else ""
    detail = re.sub(r"^\d+ - ", "", clip.detail).split(";")[0]
    if detail and "=" not in detail and re.match("esc|deeply|animal", clip.source):
        return f"{name}: {detail.lower()}"
    return name or clip.source


def named_kind(item: Item) -> str | None:
    """Which kind of sound that the aims name this is; None where it is none of them."""
    text = re.sub(r"[_/.\-]", " ", f"{item.path} {item.kind}".lower())
    if re.search(_NOT_NAMED, text):
        return None
    return next((name for name, words in NAMED_KINDS.items() if re.search(words, text)), None)


def made_items(count: int) -> list[Item]:
    """`count` sounds of each synthetic kind."""
    return [Item(f"{kind} {number}", f"{kind} {number}", kind, False) for kind in MADE for number in range(count)]


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` items, drawn by their names."""
    return sorted(items, key=lambda item: stable_random(item.path, "spread"))[:most]
