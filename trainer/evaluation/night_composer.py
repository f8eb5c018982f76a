"""The night composer: beds of sound with cries laid in at known samples, at known loudness.

A night has one background. Its sound comes from the clips of one side of the split, as far as there are any of its
kind, and is made from nothing beside them; its cries are of that side alone, each episode of one baby, near the
microphone or across the room. The night is divided into as many shares as it has episodes: each is heard by one of the
devices, at a volume of its own.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import signal

from babymonitor.core.labels import label
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from resources import synthesise
from trainer.audio import synthetic
from trainer.audio.augment import room_response
from trainer.audio.synthetic import Generator
from trainer.data.dataset import Clip
from trainer.data.decoded_audio import DecodedAudio
from trainer.errors import DataError
from trainer.windows.strata import contiguous_runs

EPISODES_PER_HOUR = 12.0
SNRS_DB = (20.0, 10.0, 0.0)

_ROOM_TONE_DB = -66.0
_MADE_KINDS = 10
"""What is made counts as so many real groups: the more real ones there are, the less is made."""
_BANK = 24
_MADE_SECONDS = 10.0
VOLUME_DB = (-12.0, 6.0)
"""What is turned up or down from one share of a night to the next, relative to the background's own level."""
_CHANGE = SAMPLE_RATE // 2
_BLOCK = 1 << 16
_FADE = 320
_SHORTEST_PIECE, _SHORTEST_CRY, _LEAST_CRYING = 0.5, 0.4, 3.0
_LONGEST_EPISODE, _LONGEST_CRY = 20.0, 8.0
_MARGIN_SECONDS = 20.0
"""Between the ends of an episode's share of the night and the episode: what one leaves behind is over at the next."""


def _by(make: Callable[..., Wave], **options: Any) -> Generator:
    """One of the project's own sounds as a generator of (samples,)."""
    return lambda rng, samples: np.resize(make(samples / SAMPLE_RATE, rng, **options), samples)


@dataclass(frozen=True, slots=True)
class Background:
    """One kind of night.

    level_db: RMS of its loud parts, relative to full scale. made: what it is made of where real clips are few, by name;
    may be none. words: a regular expression found in the paths and descriptions of its real clips; "": of what no other
    background takes. voices: its real clips are those of babies laughing and babbling. gap_seconds: pauses between its
    sounds, at most. nearer_db: added to every SNR; a quiet room is quieter than any cry in it.
    """

    name: str
    level_db: float
    made: Mapping[str, Generator] = field(default_factory=dict)
    words: str = ""
    voices: bool = False
    gap_seconds: float = 0.0
    nearer_db: float = 0.0


BACKGROUNDS = (
    Background(
        "laughing, babbling",
        -36,
        {"laughter": _by(synthesise.laughter), "babble": _by(synthesise.babble)},
        voices=True,
        gap_seconds=10,
    ),
    Background("homes by phone", -46, words="donateacry"),
    Background("quiet room", -62, {"room tone": _by(synthesise.room_tone)}, r"silen|quiet|room.?tone", nearer_db=20),
    Background(
        "white noise",
        -40,
        {
            "machine": _by(synthesise.white_noise_machine),
            "white": lambda rng, samples: synthetic.coloured(rng, samples, 0.0),
            "pink": lambda rng, samples: synthetic.coloured(rng, samples, 1.0),
            "brown": lambda rng, samples: synthetic.coloured(rng, samples, 2.0),
        },
        "steady_noise|(white|pink|brown).?noise",
    ),
    Background(
        "fan", -42, {"fan": _by(synthesise.fan), "blades": synthetic.fan}, r"\bfan\b|vac+um|hair.?dr[iy]|\bdryer"
    ),
    Background(
        "animals",
        -36,
        {"cat": _by(synthesise.cat), "dog": _by(synthesise.dog)},
        r"animal|/cat/|dog|rooster|bird|kedi|kopek|meow",
        gap_seconds=15,
    ),
    Background(
        "people",
        -36,
        {"shush": synthetic.shush},
        "nonverbal|cough|sneez|snor|yawn|adult_(laugh|vocal)|breath",
        gap_seconds=10,
    ),
    Background(
        "music",
        -38,
        {"music box": _by(synthesise.music_box), "tones": synthetic.tones},
        "music|librosa|thinkdsp|instrument|lullab",
        gap_seconds=1,
    ),
    Background(
        "television",
        -38,
        {
            "man": _by(synthesise.speech_like),
            "woman": _by(synthesise.speech_like, high=True),
            "voice-like": synthetic.voice_like,
        },
        "speech|ravdess|emodb|talk|voice",
        gap_seconds=1.5,
    ),
    Background(
        "rain",
        -42,
        {"rain": _by(synthesise.rain)},
        r"(?<![a-z])(rain|waves?|wind|sea|thunder\w*|fire|water|nature)(?![a-z])",
    ),
    Background(
        "household",
        -38,
        {"household": _by(synthesise.household), "clicks": synthetic.clicks, "beeps": synthetic.beeps},
        "household|door|glass|clock|keyboard|kitchen|impact|handling",
        gap_seconds=5,
    ),
    Background(
        "outside",
        -40,
        {"siren": synthetic.siren, "hum": synthetic.hum},
        "vehicle|siren|horn|bells|helicopter|chainsaw|tools|alert|engine|traffic",
        gap_seconds=5,
    ),
    Background("other", -40, gap_seconds=1),
)


@dataclass(frozen=True, slots=True)
class Device:
    """What hears: a band-pass, 24 dB an octave; None for no limit on that side."""

    name: str
    low_hz: float | None = None
    high_hz: float | None = None

    def sections(self) -> npt.NDArray[np.float64]:
        """Second-order sections (sections, 6), none for a device without limits."""
        parts = [
            signal.butter(4, hz, kind, fs=SAMPLE_RATE, output="sos")
            for hz, kind in ((self.low_hz, "highpass"), (self.high_hz, "lowpass"))
            if hz is not None
        ]
        return np.concatenate(parts) if parts else np.zeros((0, 6))


DEVICES = (Device("studio"), Device("laptop", 120.0, 7000.0), Device("phone", 250.0, 3700.0))
"""An odd number of them, so that each hears both near and far: these take turns."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples [start, stop) of a clip, all of one kind."""

    path: str
    group: str
    start: int
    stop: int

    @property
    def kind(self) -> str:
        return self.path.rsplit("/", 1)[0]


@dataclass(frozen=True, slots=True)
class Stock:
    """What nights are made of. beds: by background, cries: by baby; each a list of groups' pieces."""

    waves: DecodedAudio
    beds: Mapping[str, list[list[Piece]]]
    cries: list[list[Piece]]


def gathered(clips: Sequence[Clip], waves: DecodedAudio, backgrounds: Sequence[Background] = BACKGROUNDS) -> Stock:
    """Sort what is heard in clips into beds and cries; sound that no label covers is left out."""
    beds: dict[str, dict[str, list[Piece]]] = defaultdict(lambda: defaultdict(list))
    cries: dict[str, list[Piece]] = defaultdict(list)
    for clip in clips:
        text = f"{clip.path.removeprefix(clip.folder)} {clip.detail}".lower()
        for run in contiguous_runs(clip):
            for role, spans in groupby(run, lambda span: _role(span.label)):
                some = list(spans)
                start, stop = (round(at * SAMPLE_RATE) for at in (some[0].start, some[-1].end))
                piece = Piece(clip.path, clip.group, start, min(stop, waves.samples(clip.path)))
                seconds = (piece.stop - piece.start) / SAMPLE_RATE
                if role == "crying" and seconds >= _SHORTEST_CRY and _sounding(waves, piece).size:
                    cries[clip.group].append(piece)
                elif role != "crying" and seconds >= _SHORTEST_PIECE:
                    name = _background_of(text, role == "voice", backgrounds)
                    beds[name][clip.group].append(piece)
    return Stock(
        waves,
        {name: list(groups.values()) for name, groups in beds.items()},
        [some for some in cries.values() if sum(one.stop - one.start for one in some) >= SAMPLE_RATE],
    )


def _role(name: str) -> str:
    return "crying" if label(name).crying else "voice" if name in ("happy", "natural") else "bed"


def _background_of(text: str, voice: bool, backgrounds: Sequence[Background]) -> str:
    for background in backgrounds:
        if background.voices == voice and (voice or not background.words or re.search(background.words, text)):
            return background.name
    return ""


def loudness(wave: Wave) -> float:
    """Root mean square of what is within 20 dB of the loudest 32 ms: of the sound, not of its pauses."""
    if wave.size < 512:
        return float(np.sqrt(np.mean(wave**2))) if wave.size else 0.0
    blocks = wave[: wave.size // 512 * 512].reshape(-1, 512)
    powers = np.einsum("ij,ij->i", blocks, blocks) / 512
    return float(np.sqrt(powers[powers >= 0.01 * powers.max()].mean()))


def _sounding(waves: DecodedAudio, piece: Piece) -> Wave:
    """A cry from its first to its last 10 ms within 25 dB of its loudness: its onset is where it can be heard."""
    wave = waves.read(piece.path, piece.start, min(piece.stop, piece.start + int(_LONGEST_CRY * SAMPLE_RATE)))
    blocks = wave[: wave.size // 160 * 160].reshape(-1, 160)
    heard = np.flatnonzero(np.sqrt(np.mean(blocks**2, axis=1)) > max(10 ** (-25 / 20) * loudness(wave), 1e-6))
    return wave[160 * heard[0] : 160 * (heard[-1] + 1)] if heard.size else wave[:0]


@dataclass(frozen=True, slots=True)
class Episode:
    """One baby cries from sample `onset` to `end`, its loud parts `snr_db` above the background's before any device.

    far: across the room, what the walls throw back is as loud as what comes straight, or up to 6 dB louder.
    """

    onset: int
    end: int
    group: str
    snr_db: float
    far: bool = False
    device: str = "studio"


class Night:
    """One background with its episodes; the same for the same seed, in whatever company it is made.

    episodes: the truth, known before anything sounds. heard: which sound of the background began at which sample,
    known as far as `blocks` were taken.
    """

    def __init__(
        self,
        background: Background,
        stock: Stock,
        hours: float,
        seed: int,
        snrs_db: Sequence[float] = SNRS_DB,
        per_hour: float = EPISODES_PER_HOUR,
        devices: Sequence[Device] = DEVICES,
        volume_db: tuple[float, float] = VOLUME_DB,
    ) -> None:
        self.background, self.samples = background, round(hours * 3600 * SAMPLE_RATE)
        self.devices, self.volume_db = devices, volume_db
        self._shares = max(1, round(self.samples / SAMPLE_RATE / 3600 * per_hour))
        self._stock = stock
        self._pieces = stock.beds.get(background.name, [])
        self._key = [seed, zlib.crc32(background.name.encode())]
        self._snrs = [snr + background.nearer_db for snr in snrs_db]
        self._bank: dict[int, Wave] = {}
        self.heard: list[tuple[int, str]] = []
        self._babies: list[int] = []
        self.episodes = self._planned() if stock.cries else ()

    @property
    def possible(self) -> bool:
        """There is something for it to sound of."""
        return bool(self._pieces or self.background.made)

    @property
    def clips(self) -> int:
        """Real clips of the background."""
        return len({piece.path for group in self._pieces for piece in group})

    def _device(self, share: int) -> int:
        """Which device hears a share of the night: with each of them, every SNR comes in turn."""
        return share // len(self._snrs) % len(self.devices)

    def _far(self, share: int) -> bool:
        return share // len(self._snrs) % 2 == 1

    def _planned(self) -> tuple[Episode, ...]:
        """One episode at a random time of each share of the night."""
        rng = np.random.default_rng([*self._key, 1])
        count = self._shares
        share, margin = self.samples // count, int(_MARGIN_SECONDS * SAMPLE_RATE)
        order: list[int] = []
        episodes = []
        for number in range(count):
            # Every baby once before any a second time.
            order = order or [int(at) for at in rng.permutation(len(self._stock.cries))]
            snr_db = self._snrs[number % len(self._snrs)]
            group = order.pop()
            length = self._cry(number, group).size
            room = share - length - 2 * margin
            if room < 0:
                raise DataError(
                    f"{count} episodes do not fit into {self.samples / SAMPLE_RATE / 60:.0f} minutes: each needs a "
                    f"minute; give more hours or fewer episodes."
                )
            onset = number * share + margin + int(rng.integers(room + 1))
            device, baby = self.devices[self._device(number)].name, self._stock.cries[group][0].group
            episodes.append(Episode(onset, onset + length, baby, snr_db, self._far(number), device))
            self._babies.append(group)
        return tuple(episodes)

    def _cry(self, number: int, group: int) -> Wave:
        """The cries of one baby, one after the other with pauses for breath, at a loudness of 1."""
        rng = np.random.default_rng([*self._key, 2, number])
        pieces = self._stock.cries[group]
        length = int(rng.uniform(_LEAST_CRYING + 1, _LONGEST_EPISODE) * SAMPLE_RATE)
        parts: list[Wave] = []
        total, crying = 0, 0
        ramp = np.linspace(0, 1, 81, dtype=np.float32)[1:]
        while crying < _LEAST_CRYING * SAMPLE_RATE or total < length:
            for at in rng.permutation(len(pieces)):
                cry = _sounding(self._stock.waves, pieces[at]).copy()
                cry[:80] *= ramp[: cry.size]
                cry[-80:] *= ramp[: cry.size][::-1]
                if parts:
                    parts.append(np.zeros(int(rng.uniform(0.3, 1.2) * SAMPLE_RATE), np.float32))
                parts.append(cry)
                total, crying = sum(part.size for part in parts), crying + cry.size
                if crying >= _LEAST_CRYING * SAMPLE_RATE and total >= length:
                    break
        wave = np.concatenate(parts)
        if self._far(number):
            # The direct sound comes first: the onset is where it was. What still rings at the end is cut off there.
            wave = np.asarray(signal.fftconvolve(wave, room_response(rng, (0.0, 6.0)))[: wave.size], np.float32)
            wave[-80:] *= ramp[::-1]
        return wave / np.float32(max(loudness(wave), 1e-9))

    def blocks(self, cries: bool = True) -> Iterator[Wave]:
        """The night's sound, (samples,) at a time. cries: False leaves them out, and nothing else is changed."""
        self.heard = []
        tone = synthetic.coloured(np.random.default_rng([*self._key, 3]), 1 << 20, 1.0)
        tone *= np.float32(10 ** (_ROOM_TONE_DB / 20) / loudness(tone))
        bed, microphone = self._bed(), _Microphone(self)
        rest = np.zeros(0, np.float32)
        waiting = list(enumerate(self.episodes)) if cries else []
        sounding: list[tuple[Episode, Wave]] = []
        for start in range(0, self.samples, _BLOCK):
            size = min(_BLOCK, self.samples - start)
            parts = [rest]
            while sum(part.size for part in parts) < size:
                parts.append(next(bed))
            whole = np.concatenate(parts)
            rest = whole[size:]
            block = whole[:size] + tone[(start + np.arange(size)) % tone.size]
            while waiting and waiting[0][1].onset < start + size:
                number, episode = waiting.pop(0)
                gain = 10 ** ((self.background.level_db + episode.snr_db) / 20)
                sounding.append((episode, self._cry(number, self._babies[number]) * np.float32(gain)))
            for episode, cry in sounding:
                first, last = max(start, episode.onset), min(start + size, episode.end)
                block[first - start : last - start] += cry[first - episode.onset : last - episode.onset]
            sounding = [one for one in sounding if one[0].end > start + size]
            # A microphone can hear no louder than this.
            yield np.clip(microphone(block, start), -1.0, 1.0)

    def _bed(self) -> Iterator[Wave]:
        """Sounds of the background, each faded into the next, without end."""
        rng = np.random.default_rng([*self._key, 4])
        fade = np.sqrt(np.linspace(0, 1, _FADE, dtype=np.float32))
        level = np.float32(10 ** (self.background.level_db / 20))
        tail, at = np.zeros(_FADE, np.float32), 0
        while True:
            what, wave = self._sound(rng)
            self.heard.append((at, what))
            wave = wave * (level / np.float32(max(loudness(wave), 1e-6)))
            pause = int(rng.uniform(0.1, 1) * self.background.gap_seconds * SAMPLE_RATE)
            wave = np.concatenate((wave, np.zeros(pause, np.float32)))
            wave[:_FADE] = wave[:_FADE] * fade + tail
            tail = wave[-_FADE:] * fade[::-1]
            at += wave.size - _FADE
            yield wave[:-_FADE]

    def _sound(self, rng: np.random.Generator) -> tuple[str, Wave]:
        """One sound of the background and what it is; groups of real clips are drawn alike."""
        real = len(self._pieces) / (len(self._pieces) + (_MADE_KINDS if self.background.made else 0))
        if rng.random() < real:
            group = self._pieces[rng.integers(len(self._pieces))]
            piece = group[rng.integers(len(group))]
            return piece.kind, self._stock.waves.read(piece.path, piece.start, piece.stop)
        number = int(rng.integers(_BANK))
        name, make = list(self.background.made.items())[number % len(self.background.made)]
        if number not in self._bank:
            own = np.random.default_rng([*self._key, 5, number])
            self._bank[number] = np.asarray(make(own, int(_MADE_SECONDS * SAMPLE_RATE)), np.float32)
        return f"made {name}", self._bank[number]

    def what(self, seconds: float) -> str:
        """What sounded of the background at a time, as far as it was heard."""
        at = np.searchsorted([start for start, _ in self.heard], seconds * SAMPLE_RATE, side="right") - 1
        return self.heard[at][1] if at >= 0 else ""


class _Microphone:
    """What the devices of a night make of its sound, block by block: each hears all of it, one is listened to."""

    def __init__(self, night: Night) -> None:
        rng = np.random.default_rng([*night._key, 6])
        self._filters = [device.sections() for device in night.devices]
        self._states = [np.zeros((len(one), 2)) for one in self._filters]
        share = night.samples // night._shares
        heard_by = np.array([night._device(at) for at in range(night._shares)])
        volume_db = rng.uniform(*night.volume_db, night._shares)
        # From one share to the next within a second; the cries stay clear of it.
        ends = share * np.arange(1, night._shares)
        self._at = np.concatenate(([0], np.stack((ends - _CHANGE, ends + _CHANGE), 1).ravel(), [night.samples]))
        self._gains = [np.repeat((heard_by == at) * 10 ** (volume_db / 20), 2) for at in range(len(night.devices))]

    def __call__(self, block: Wave, start: int) -> Wave:
        at = start + np.arange(block.size)
        out = np.zeros(block.size)
        for number, (sections, gains) in enumerate(zip(self._filters, self._gains, strict=True)):
            wave = np.asarray(block, np.float64)
            if len(sections):
                wave, self._states[number] = signal.sosfilt(sections, wave, zi=self._states[number])
            out += wave * np.interp(at, self._at, gains)
        return np.asarray(out, np.float32)
