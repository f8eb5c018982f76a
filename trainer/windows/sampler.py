"""Random training windows. Window *i* of epoch *e* depends on the seed alone.

That makes `--resume` exact, with no state to save but two numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from babymonitor.core.labels import label
from babymonitor.core.model.features import Mel, fit_frames, front_end
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from trainer.audio import augment, synthetic
from trainer.audio.augment import PLAIN, Strength
from trainer.data.dataset import Clip
from trainer.data.decoded_audio import DecodedAudio
from trainer.labelling.yamnet_teacher import Teacher
from trainer.networks import Front
from trainer.networks.heads import TwoLevel
from trainer.windows.batch import CHUNK, Batch, concatenated
from trainer.windows.strata import HARD_KINDS, SHORTEST_EVENT, SpanStrata, label_shares, sampling_strata
from trainer.windows.synthetic_bank import SyntheticBank

_VERSION = 4
"""Raise this whenever the same seed gives different windows than before, so that stored pools are drawn anew."""
SYNTHETIC_SHARES = {"background": 0.2, "natural": 0.85, "happy": 0.3}
"""How much of each label is synthetic."""
UNLABELLED_SHARE = 0.2
"""With a teacher: the share of windows whose sound fits no label, so that only the teacher says what it is."""
_DISTORTION, _OVERLAY_SHARE = np.log((0.45, 2.6)), 0.4
"""Unlabelled sound: range of the change of speed (logarithms), and how often a second sound is overlaid."""
_CODED_BEDS = 0.5
"""Factor on the share of codecs for background under another sound. At 1, all background would have been coded."""
_SPEED, _SPEED_OF_CRIES = np.log((0.9, 1.1)), np.log((0.85, 1.2))
"""Range of the change of speed (logarithms); wider if the labels include crying: babies' voices differ."""
_WARP = np.log((0.55, 2.4))
"""The same for what is not crying: at the fastest, an adult's voice is as high as a baby's."""
_FADE = np.linspace(0, 1, 80, dtype=np.float32)


class WindowSampler:
    """Draws labelled windows of sound at random from one side of a data set.

    shares: (labels,), how often each label is drawn, see `label_shares`. synthetic_shares: how much of a label is
    synthetic. strength: how often sound is altered, and how. balance: ``sampling`` draws labels by tuned shares,
    ``weights`` draws them in their natural proportions and weights the errors instead, ``none`` does neither.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        audio: DecodedAudio,
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
        self.audio = audio
        self.window = front.features.samples(front.window_frames)
        self.cries = TwoLevel(labels).two_sided
        self.synthetic_shares = synthetic_shares if "background" in labels and strength != PLAIN else {}
        strata = sampling_strata(clips)
        self._spans = SpanStrata(clips, labels, strata)
        natural = np.array([sum(clip.seconds(name) > 0 for clip in clips) for name in labels], np.float64)
        self.shares = label_shares(labels) if balance == "sampling" else natural / natural.sum()
        self.weights = np.ones(len(labels), np.float32)
        """Weight of an error on each label, (labels,); the mean over drawn windows is one."""
        if balance == "weights":
            self.weights = (natural.sum() / (len(labels) * natural)).astype(np.float32)
        self._bank = SyntheticBank(seed, self.window, len(audio.kinds) > 1)
        sources = [[audio.content(clip.path), clip.group, strata[clip.path], repr(clip.spans)] for clip in clips]
        settings = [_VERSION, sources, labels, repr(front), repr(strength), seed, balance, audio.kinds]
        shares = [self.synthetic_shares, HARD_KINDS, *([teacher.identity] if teacher else [])]
        self.identity = hashlib.sha256(json.dumps([*settings, *shares]).encode()).hexdigest()[:16]
        """Hash of everything that the windows depend on."""

    def draw(self, epoch: int, index: int) -> tuple[Mel, npt.NDArray[np.float32], npt.NDArray[np.float16]]:
        """Return a window (rows, frames), its target (labels,), and the teacher's scores (classes,) for its sound.

        The teacher hears the sound before the room, noise and microphone are added.
        """
        rng = np.random.default_rng([self.seed, epoch, index])
        name = self._random_label(rng)
        target = np.zeros(len(self.labels), np.float32)
        unlabelled = self.teacher is not None and self.strength != PLAIN and rng.random() < UNLABELLED_SHARE
        if unlabelled:
            piece = self._distorted(rng, name)
        else:
            target[self.labels.index(name)] = 1.0
            if rng.random() < self.synthetic_shares.get(name, 0.0):
                piece = self._bank.draw(rng, list(synthetic.GENERATORS_BY_LABEL[name]), name, self.strength.codec)
            else:
                piece = self._piece(rng, name)
        sound, wave = self._altered(rng, piece, "" if unlabelled else name)
        lesson = self.teacher.window_scores(sound) if self.teacher else np.zeros(0, np.float16)
        mel = front_end(wave, self.front.features)
        return fit_frames(mel, self.front.window_frames), target, lesson

    def _random_label(self, rng: np.random.Generator) -> str:
        return self.labels[int(rng.choice(len(self.labels), p=self.shares))]

    def _distorted(self, rng: np.random.Generator, name: str) -> Wave:
        """Return sound of a label, distorted until the label may not fit any more.

        A cry played fast enough is a cat's or a toy's. At which speed it stops sounding like a child is something no
        label says, but a teacher knows.
        """
        piece = self._piece(rng, name)
        if piece.size:
            piece = augment.change_speed(piece, np.exp(rng.uniform(*_DISTORTION)))[: self.window]
        if piece.size and rng.random() < _OVERLAY_SHARE:
            overlay = self._piece(rng, self._random_label(rng))
            if overlay.size:
                piece = augment.add(piece, np.resize(overlay, piece.size), rng.uniform(-8, 8))
        return piece

    def _piece(self, rng: np.random.Generator, name: str, codec_share: float | None = None) -> Wave:
        """Return sound from one clip, at most a window long, with at least `SHORTEST_EVENT` of the label.

        A window of crying may include neighbouring sound, because a crying child pauses for breath. Windows of other
        labels never include a cry. codec_share: how often the sound has been through a codec; None: as in `strength`.
        """
        clip, run, span = self._spans.draw(rng, name)
        low, high = run[0].start, run[-1].end
        if not label(name).crying:
            # No part of a neighbouring cry may enter a window with another label.
            for neighbour in run:
                if label(neighbour.label).crying:
                    low = max(low, neighbour.end) if neighbour.end <= span.start else low
                    high = min(high, neighbour.start) if neighbour.start >= span.end else high
        length = self.window / SAMPLE_RATE
        if name == "background":
            low, high = max(low, span.start), min(high, span.end)
        event = min(SHORTEST_EVENT, span.end - span.start)
        first = max(low, span.start + event - length)
        last = max(first, min(span.end - event, high - length))
        start = rng.uniform(first, last)
        coded = rng.random() < (self.strength.codec if codec_share is None else codec_share)
        take = int(coded and self.audio.takes(clip.path) > 1)
        begin = int(start * SAMPLE_RATE)
        stop = min(int(high * SAMPLE_RATE), begin + self.window)
        return self.audio.read(clip.path, begin, stop, take)

    def _bed(self, rng: np.random.Generator) -> Wave:
        """Return a window of background sound, looped if it is too short."""
        if "background" not in self._spans or rng.random() < 0.3:
            return self._bank.draw(rng, ["noise", "fan", "hum", "tones"])
        wave = self._piece(rng, "background", _CODED_BEDS * self.strength.codec)
        return np.resize(wave, self.window) if wave.size else np.zeros(self.window, np.float32)

    def _altered(self, rng: np.random.Generator, piece: Wave, name: str) -> tuple[Wave, Wave]:
        """Return the sound at its source, and as a microphone in the room records it. name: its label, or ""."""
        strength = self.strength
        # Cries must be detected under louder noise. Among other labels, the noise must not reveal which one it is.
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
            # The start of a stream: less than a window has been recorded, and the features will be mirrored.
            length = int(rng.uniform(8000, min(piece.size, self.window) + 1))
            piece = piece[:length]
        elif piece.size < length and rng.random() >= strength.laid:
            length = max(piece.size, self.front.features.n_fft)
        elif piece.size > 6400 and rng.random() < strength.onset:
            # The event has just begun: it fills the end of the window, with earlier background before it.
            size = int(rng.uniform(SHORTEST_EVENT, 1.0) * SAMPLE_RATE)
            piece = _loudest_part(piece, size)
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

    def _placed(self, rng: np.random.Generator, piece: Wave, length: int) -> Wave:
        """Place a piece in a window of `length` samples, mostly at its end, over a quiet bed if it is shorter."""
        if piece.size >= length:
            return piece[:length]
        start = length - piece.size if rng.random() < 0.7 else int(rng.integers(0, length - piece.size + 1))
        wave = np.zeros(length, np.float32)
        if piece.size > 2 * _FADE.size:
            piece = piece.copy()
            piece[: _FADE.size] *= _FADE
            if start + piece.size < length:
                piece[-_FADE.size :] *= _FADE[::-1]
        wave[start : start + piece.size] = piece
        bed = self._bed(rng)[:length] if rng.random() < 0.6 else synthetic.noise(rng, length)
        return augment.add(wave, bed, rng.uniform(0, 40))

    def pool(self, number: int, size: int, first: int = 0) -> Batch:
        """Draw `size` windows of the pool `number`, from index `first` on, in this process."""
        return concatenated(
            [self.chunk(number, first + offset, min(CHUNK, size - offset)) for offset in range(0, size, CHUNK)]
        )

    def chunk(self, number: int, first: int, count: int) -> Batch:
        """Draw windows [first, first + count) of the pool `number`."""
        windows = [self.draw(number, index) for index in range(first, first + count)]
        mels, targets, lessons = (np.stack(column) for column in zip(*windows, strict=True))
        return Batch(mels.astype(np.float16), targets, lessons)


def _loudest_part(piece: Wave, size: int) -> Wave:
    """Return the `size` samples of a piece with the most energy: the event rather than a pause."""
    if piece.size <= size:
        return piece
    energy = np.concatenate(([0.0], np.cumsum(piece.astype(np.float64) ** 2)))
    starts = np.arange(0, piece.size - size, 400)
    start = int(starts[np.argmax(energy[starts + size] - energy[starts])])
    return piece[start : start + size]
