"""Windows to train on, drawn so that window *i* of epoch *e* depends on the seed alone: that is what makes --resume
exact, and it needs no state but two numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from babymonitor.core.labels import label
from babymonitor.core.model.features import Mel, fit_frames, front_end
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from trainer.audio import augment, synthetic
from trainer.audio.augment import PLAIN, Strength
from trainer.audio.phone_codecs import codec_copy
from trainer.data.dataset import Clip, Span
from trainer.data.decoded_audio import Waves
from trainer.errors import DataError
from trainer.labelling.yamnet_teacher import Teacher
from trainer.networks import Front
from trainer.networks.heads import TwoLevel

SHORTEST_EVENT = 0.40
"""Seconds of an event that make a window its own: with less of it, nobody could say what it is."""
_DRAWING = 4
"""To be counted up when windows come to be drawn otherwise: kept pools are then drawn anew."""
_BANK = 40
"""Sounds of each kind made from nothing."""
SYNTHETIC_SHARES = {"background": 0.2, "natural": 0.85, "happy": 0.3}
HARD_KINDS = {"cat": 6.0, "animal": 4.0, "chirping_birds": 2.5, "rooster": 2.0, "dog_bark": 2.0, "siren": 1.5}
"""Kinds of background that are taken for a crying child, and are drawn so many times as often for it."""
ASKED_ALONE = 0.2
"""Of what is drawn beside a teacher: sound that no label fits, of which the teacher alone says what it is."""
_STRANGE, _OVER_ANOTHER = np.log((0.45, 2.6)), 0.4
"""How much slower or faster that sound is played, and how often another sounds with it."""
_CODED_BEDS = 0.5
"""What lies under other sound comes so much more rarely through a codec: with it, all of it would."""
_SPEED, _SPEED_OF_CRIES = np.log((0.9, 1.1)), np.log((0.85, 1.2))
"""How much slower or faster any sound is played; more where crying is told from the rest: babies have other voices."""
_WARP = np.log((0.55, 2.4))
"""How much slower or faster what is no cry is played: at the fastest, a grown-up's voice is as high as a baby's."""
_FADE = np.linspace(0, 1, 80, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Batch:
    """mels (B, rows, frames), in half precision, soft targets (B, labels), and what a teacher says (B, classes).

    targets: all zero of sound that no label fits. lessons: no classes where there is no teacher.
    """

    mels: npt.NDArray[np.float16]
    targets: npt.NDArray[np.float32]
    lessons: npt.NDArray[np.float16]


def stretches(clip: Clip) -> list[list[Span]]:
    """The runs of spans that follow each other without a hole: within one, everything is known."""
    runs: list[list[Span]] = []
    for span in clip.spans:
        if runs and span.start - runs[-1][-1].end < 0.01:
            runs[-1].append(span)
        else:
            runs.append([span])
    return runs


class WindowMaker:
    """Draws windows of sound with their labels from one side of a data set.

    shares: how much of what is drawn carries each label. synthetic_shares: how much of a label is made from nothing.
    Within a label, sources are drawn by the square root of their length, then clips, so that the largest
    corpus does not drown the rest.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        waves: Waves,
        labels: tuple[str, ...],
        front: Front,
        strength: Strength,
        seed: int,
        synthetic_shares: Mapping[str, float] = SYNTHETIC_SHARES,
        balance: str = "sampling",
        teacher: Teacher | None = None,
    ) -> None:
        self.labels, self.front, self.strength, self.seed = labels, front, strength, seed
        self.teacher = teacher
        self.clips = len(clips)
        self.waves = waves
        self.window = front.features.samples(front.window_frames)
        self.cries = TwoLevel(labels).two_sided
        self.synthetic_shares = synthetic_shares if "background" in labels and strength != PLAIN else {}
        found: dict[str, dict[str, dict[str, list[tuple[Clip, list[Span], Span]]]]] = {}
        kinds = kinds_of(clips)
        for clip in clips:
            for run in stretches(clip):
                for span in run:
                    if span.end - span.start >= SHORTEST_EVENT or span.end - span.start >= clip.seconds() - 0.01:
                        by_source = found.setdefault(span.label, {})
                        # Within one source, groups are drawn alike: nobody's baby counts for more.
                        by_group = by_source.setdefault(kinds[clip.path], defaultdict(list))
                        by_group[clip.group].append((clip, run, span))
        lacking = [name for name in labels if name not in found]
        if lacking:
            raise DataError(f"There is no usable sound for {', '.join(lacking)}.")
        self._items = {
            name: [list(groups.values()) for groups in by_source.values()] for name, by_source in found.items()
        }
        self._source_share = {}
        for name, by_source in found.items():
            length = [sum(s.end - s.start for g in groups.values() for _, _, s in g) for groups in by_source.values()]
            share = np.sqrt(np.minimum(length, 1e6))
            share *= [HARD_KINDS.get(source.rsplit("/", 1)[-1], 1.0) for source in by_source]
            self._source_share[name] = share / share.sum()
        natural = np.array([sum(clip.seconds(name) > 0 for clip in clips) for name in labels], np.float64)
        self.shares = _label_shares(labels) if balance == "sampling" else natural / natural.sum()
        self.weights = np.ones(len(labels), np.float32)
        """What an error on each label costs, (labels,); the mean over what is drawn is one."""
        if balance == "weights":
            self.weights = (natural.sum() / (len(labels) * natural)).astype(np.float32)
        self._bank: dict[tuple[str, int, bool], Wave] = {}
        drawn_from = [[waves.content(clip.path), clip.group, kinds[clip.path], repr(clip.spans)] for clip in clips]
        told = [_DRAWING, drawn_from, labels, repr(front), repr(strength), seed, balance, waves.kinds]
        made = [self.synthetic_shares, HARD_KINDS, *([teacher.identity] if teacher else [])]
        self.identity = hashlib.sha256(json.dumps([*told, *made]).encode()).hexdigest()[:16]
        """What every window drawn here depends on."""

    def draw(self, epoch: int, index: int) -> tuple[Mel, npt.NDArray[np.float32], npt.NDArray[np.float16]]:
        """One window: (rows, frames), its target (labels,), and what the teacher says of its sound as it was."""
        rng = np.random.default_rng([self.seed, epoch, index])
        name = self._any_label(rng)
        target = np.zeros(len(self.labels), np.float32)
        strange = self.teacher is not None and self.strength != PLAIN and rng.random() < ASKED_ALONE
        if strange:
            piece = self._strange(rng, name)
        else:
            target[self.labels.index(name)] = 1.0
            if rng.random() < self.synthetic_shares.get(name, 0.0):
                piece = self._made(rng, list(synthetic.OF_LABEL[name]), name, self.strength.codec)
            else:
                piece = self._piece(rng, name)
        sound, wave = self._through_the_world(rng, piece, "" if strange else name)
        lesson = self.teacher.word(sound) if self.teacher else np.zeros(0, np.float16)
        mel = front_end(wave, self.front.features)
        return fit_frames(mel, self.front.window_frames), target, lesson

    def _any_label(self, rng: np.random.Generator) -> str:
        return self.labels[int(rng.choice(len(self.labels), p=self.shares))]

    def _strange(self, rng: np.random.Generator, name: str) -> Wave:
        """Sound made strange: a cry played so fast is a cat's or a toy's, or nothing that has a name. At which speed it
        ceases to be a child is what no label tells and a teacher knows.
        """
        piece = self._piece(rng, name)
        if piece.size:
            piece = augment.change_speed(piece, np.exp(rng.uniform(*_STRANGE)))[: self.window]
        if piece.size and rng.random() < _OVER_ANOTHER:
            other = self._piece(rng, self._any_label(rng))
            if other.size:
                piece = augment.add(piece, np.resize(other, piece.size), rng.uniform(-8, 8))
        return piece

    def _item(self, rng: np.random.Generator, name: str) -> tuple[Clip, list[Span], Span]:
        source = self._items[name][rng.choice(len(self._source_share[name]), p=self._source_share[name])]
        group = source[rng.integers(len(source))]
        return group[rng.integers(len(group))]

    def _piece(self, rng: np.random.Generator, name: str, codec: float | None = None) -> Wave:
        """Sound of one stretch, at most a window long, of which at least `SHORTEST_EVENT` is the label. codec: how
        often it comes through one, where that is not as `strength` has it.

        A crying child takes breath: what counts for a window is the voice in it. Windows of anything else hold no cry.
        """
        clip, run, span = self._item(rng, name)
        low, high = run[0].start, run[-1].end
        if not label(name).crying:
            # Nothing of a neighbouring cry may reach a window that is called something else.
            for other in run:
                if label(other.label).crying:
                    low = max(low, other.end) if other.end <= span.start else low
                    high = min(high, other.start) if other.start >= span.end else high
        length = self.window / SAMPLE_RATE
        if name == "background":
            low, high = max(low, span.start), min(high, span.end)
        event = min(SHORTEST_EVENT, span.end - span.start)
        first = max(low, span.start + event - length)
        last = max(first, min(span.end - event, high - length))
        start = rng.uniform(first, last)
        coded = rng.random() < (self.strength.codec if codec is None else codec)
        take = int(coded and self.waves.takes(clip.path) > 1)
        begin = int(start * SAMPLE_RATE)
        stop = min(int(high * SAMPLE_RATE), begin + self.window)
        return self.waves.read(clip.path, begin, stop, take)

    def _bed(self, rng: np.random.Generator) -> Wave:
        """A window of background, looped where it is short."""
        if "background" not in self._items or rng.random() < 0.3:
            return self._made(rng, ["noise", "fan", "hum", "tones"])
        wave = self._piece(rng, "background", _CODED_BEDS * self.strength.codec)
        return np.resize(wave, self.window) if wave.size else np.zeros(self.window, np.float32)

    def _made(self, rng: np.random.Generator, kinds: list[str], of: str = "background", codec: float = 0.0) -> Wave:
        """A window of a sound made from nothing, out of a bank: making one afresh would be half of all the work.

        What is in the bank depends on the seed alone, not on the order in which it is asked for. codec: how often it
        comes through one; noise in the room does not.
        """
        kind, number = kinds[rng.integers(len(kinds))], int(rng.integers(_BANK))
        coded = len(self.waves.kinds) > 1 and rng.random() < codec
        if (kind, number, coded) not in self._bank:
            own = np.random.default_rng([self.seed, 1_000_000, *kind.encode(), number])
            made = synthetic.OF_LABEL[of][kind](own, 2 * self.window)
            self._bank[kind, number, coded] = codec_copy(made, int(own.integers(2**31))) if coded else made
        start = int(rng.integers(self.window))
        return self._bank[kind, number, coded][start : start + self.window]

    def _through_the_world(self, rng: np.random.Generator, piece: Wave, name: str) -> tuple[Wave, Wave]:
        """The sound as it is at its source, and as it is heard. name: of its label, "" of what has none."""
        strength = self.strength
        # A cry is to be found under louder noise; among other labels the noise must not give one away.
        is_cry = bool(name) and self.cries and label(name).crying
        quietest = -5.0 if is_cry else 0.0
        if piece.size and rng.random() < strength.speed:
            faster = np.exp(rng.uniform(*(_SPEED_OF_CRIES if self.cries else _SPEED)))
            piece = augment.change_speed(piece, faster)[: self.window]
        if strength.warp and piece.size and name and not is_cry and rng.random() < strength.warp:
            piece = augment.change_speed(piece, np.exp(rng.uniform(*_WARP)))[: self.window]
        if piece.size and rng.random() < strength.stretch:
            piece = augment.stretch(piece, rng.uniform(0.8, 1.25))[: self.window]
        if piece.size and rng.random() < strength.pitch:
            piece = augment.shift_pitch(piece, rng.uniform(-2.5, 2.5))[: self.window]
        if 6400 < piece.size < 0.95 * self.window and rng.random() < strength.shift:
            cut = int(rng.uniform(0, 0.2) * piece.size)
            piece = piece[cut:] if rng.random() < 0.5 else piece[: piece.size - cut]
        length = self.window
        if piece.size > 8000 and rng.random() < strength.mirror:
            # The start of a stream: less than a window is there, and the features will be mirrored.
            length = int(rng.uniform(8000, min(piece.size, self.window) + 1))
            piece = piece[:length]
        elif piece.size < length and rng.random() >= strength.laid:
            length = max(piece.size, self.front.features.n_fft)
        elif piece.size > 6400 and rng.random() < strength.onset:
            # It has only just begun: the newest part of the window holds it, the rest is what was before.
            keep = int(rng.uniform(SHORTEST_EVENT, 1.0) * SAMPLE_RATE)
            piece = self._loudest(piece, keep)
        sound = wave = self._placed(rng, piece, length)
        if strength == PLAIN:
            return sound, wave
        channel = augment.Channel(rng, strength)
        device = augment.Channel(rng, augment.Strength(room=0.0, tone=strength.tone, band_limit=strength.band_limit))
        wave = channel(wave)
        if rng.random() < strength.bed:
            wave = augment.add(wave, self._bed(rng)[:length], rng.uniform(quietest, 25))
        if rng.random() < strength.noise:
            wave = augment.add(wave, synthetic.noise(rng, length), rng.uniform(quietest, 35))
        wave = device(wave)
        if rng.random() < strength.mulaw:
            wave = augment.mulaw(wave / (np.abs(wave).max() + 1e-6) * np.float32(rng.uniform(0.05, 1)))
        if rng.random() < strength.volume:
            wave = augment.set_volume(wave, rng)
        return sound, wave

    @staticmethod
    def _loudest(piece: Wave, keep: int) -> Wave:
        """The `keep` samples of a piece with the most energy: its event, not its pause."""
        if piece.size <= keep:
            return piece
        energy = np.concatenate(([0.0], np.cumsum(piece.astype(np.float64) ** 2)))
        starts = np.arange(0, piece.size - keep, 400)
        at = int(starts[np.argmax(energy[starts + keep] - energy[starts])])
        return piece[at : at + keep]

    def _placed(self, rng: np.random.Generator, piece: Wave, length: int) -> Wave:
        """The piece in a window of `length`: mostly at its end, on a quiet bed where it does not fill it."""
        if piece.size >= length:
            return piece[:length]
        at = length - piece.size if rng.random() < 0.7 else int(rng.integers(0, length - piece.size + 1))
        wave = np.zeros(length, np.float32)
        if piece.size > 2 * _FADE.size:
            piece = piece.copy()
            piece[: _FADE.size] *= _FADE
            if at + piece.size < length:
                piece[-_FADE.size :] *= _FADE[::-1]
        wave[at : at + piece.size] = piece
        under = self._bed(rng)[:length] if rng.random() < 0.6 else synthetic.noise(rng, length)
        return augment.add(wave, under, rng.uniform(0, 40))

    def pool(self, number: int, size: int, first: int = 0) -> Batch:
        """So many windows of one epoch number, drawn here and now; features in half precision to save memory."""
        return gathered([self.chunk(number, first + at, min(CHUNK, size - at)) for at in range(0, size, CHUNK)])

    def chunk(self, number: int, first: int, count: int) -> Batch:
        """Windows `first` to `first + count` of one epoch number."""
        drawn = [self.draw(number, first + at) for at in range(count)]
        mels, targets, lessons = (np.stack(column) for column in zip(*drawn, strict=True))
        return Batch(mels.astype(np.float16), targets, lessons)


def kinds_of(clips: Sequence[Clip]) -> dict[str, str]:
    """Of each clip's path what is drawn as often as the others: cats and rain of one corpus are two kinds of sound,
    however many clips each has. A folder of one group is no kind: twelve actors would outweigh all animals.
    """
    folders = {clip.path: f"{clip.source}/{clip.path.rsplit('/', 1)[0]}" for clip in clips}
    groups: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        groups[folders[clip.path]].add(clip.group)
    return {clip.path: one if len(groups[one := folders[clip.path]]) > 1 else clip.source for clip in clips}


def _label_shares(labels: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """How much of what is drawn carries each label: alike, but for the shipped vocabulary as tried and found good."""
    good = {
        "hungry": 0.10,
        "pain": 0.08,
        "tired": 0.08,
        "sad": 0.14,
        "happy": 0.09,
        "natural": 0.09,
        "background": 0.42,
    }
    share = np.array([good.get(name, 0.14) for name in labels] if "background" in labels else [1.0] * len(labels))
    total: npt.NDArray[np.float64] = share / share.sum()
    return total


CHUNK = 64


def gathered(chunks: Sequence[Batch]) -> Batch:
    return Batch(*(np.concatenate([getattr(one, name) for one in chunks]) for name in Batch.__slots__))
