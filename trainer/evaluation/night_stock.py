"""The sounds that nights are composed of: the kinds of background, and clips sorted into beds and cries."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from babymonitor.core.labels import label
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from resources import synthesise
from trainer.audio import synthetic
from trainer.audio.synthetic import Generator
from trainer.data.dataset import Clip
from trainer.data.decoded_audio import DecodedAudio
from trainer.windows.strata import contiguous_runs

_SHORTEST_PIECE, _SHORTEST_CRY, _LONGEST_CRY = 0.5, 0.4, 8.0


def _resized(make: Callable[..., Wave], **options: Any) -> Generator:
    """One of the project's own sounds as a generator of (samples,)."""
    return lambda rng, samples: np.resize(make(samples / SAMPLE_RATE, rng, **options), samples)


@dataclass(frozen=True, slots=True)
class Background:
    """One kind of night.

    level_db: RMS of its loud parts, in dB relative to full scale. synthetic_sounds: by name, where real clips are few;
    may be empty. words: a regular expression found in the paths and descriptions of its real clips; "" for
    clips that no other background takes. voices: its real clips are of babies laughing and babbling. gap_seconds: the
    longest pause between its sounds. nearer_db: added to every SNR, since a quiet room is quieter than any cry in it.
    """

    name: str
    level_db: float
    synthetic_sounds: Mapping[str, Generator] = field(default_factory=dict)
    words: str = ""
    voices: bool = False
    gap_seconds: float = 0.0
    nearer_db: float = 0.0


BACKGROUNDS = (
    Background(
        "laughing, babbling",
        -36,
        {"laughter": _resized(synthesise.laughter), "babble": _resized(synthesise.babble)},
        voices=True,
        gap_seconds=10,
    ),
    Background("homes by phone", -46, words="donateacry"),
    Background(
        "quiet room", -62, {"room tone": _resized(synthesise.room_tone)}, r"silen|quiet|room.?tone", nearer_db=20
    ),
    Background(
        "white noise",
        -40,
        {
            "machine": _resized(synthesise.white_noise_machine),
            "white": lambda rng, samples: synthetic.coloured(rng, samples, 0.0),
            "pink": lambda rng, samples: synthetic.coloured(rng, samples, 1.0),
            "brown": lambda rng, samples: synthetic.coloured(rng, samples, 2.0),
        },
        "steady_noise|(white|pink|brown).?noise",
    ),
    Background(
        "fan", -42, {"fan": _resized(synthesise.fan), "blades": synthetic.fan}, r"\bfan\b|vac+um|hair.?dr[iy]|\bdryer"
    ),
    Background(
        "animals",
        -36,
        {"cat": _resized(synthesise.cat), "dog": _resized(synthesise.dog)},
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
        {"music box": _resized(synthesise.music_box), "tones": synthetic.tones},
        "music|librosa|thinkdsp|instrument|lullab",
        gap_seconds=1,
    ),
    Background(
        "television",
        -38,
        {
            "man": _resized(synthesise.speech_like),
            "woman": _resized(synthesise.speech_like, high=True),
            "voice-like": synthetic.voice_like,
        },
        "speech|ravdess|emodb|talk|voice",
        gap_seconds=1.5,
    ),
    Background(
        "rain",
        -42,
        {"rain": _resized(synthesise.rain)},
        r"(?<![a-z])(rain|waves?|wind|sea|thunder\w*|fire|water|nature)(?![a-z])",
    ),
    Background(
        "household",
        -38,
        {"household": _resized(synthesise.household), "clicks": synthetic.clicks, "beeps": synthetic.beeps},
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
class Piece:
    """Samples [start, stop) of a clip, all of one kind."""

    path: str
    group: str
    start: int
    stop: int

    @property
    def kind(self) -> str:
        """The folder of its clip, which says what it is."""
        return self.path.rsplit("/", 1)[0]


@dataclass(frozen=True, slots=True)
class Stock:
    """What nights are composed of. beds: by background, the pieces of each group. cries: the pieces of each baby."""

    waves: DecodedAudio
    beds: Mapping[str, list[list[Piece]]]
    cries: list[list[Piece]]


def gather_stock(clips: Sequence[Clip], waves: DecodedAudio, backgrounds: Sequence[Background] = BACKGROUNDS) -> Stock:
    """Sort clips into beds and cries. Left out: sound that no label covers, and babies with less than 1 s of cries."""
    beds: dict[str, dict[str, list[Piece]]] = defaultdict(lambda: defaultdict(list))
    cries: dict[str, list[Piece]] = defaultdict(list)
    for clip in clips:
        text = f"{clip.path.removeprefix(clip.folder)} {clip.detail}".lower()
        for run in contiguous_runs(clip):
            for role, spans in groupby(run, lambda span: _role(span.label)):
                role_spans = list(spans)
                start, stop = (round(seconds * SAMPLE_RATE) for seconds in (role_spans[0].start, role_spans[-1].end))
                piece = Piece(clip.path, clip.group, start, min(stop, waves.samples(clip.path)))
                seconds = (piece.stop - piece.start) / SAMPLE_RATE
                if role == "crying" and seconds >= _SHORTEST_CRY and audible_part(waves, piece).size:
                    cries[clip.group].append(piece)
                elif role != "crying" and seconds >= _SHORTEST_PIECE:
                    name = _background_of(text, role == "voice", backgrounds)
                    beds[name][clip.group].append(piece)
    return Stock(
        waves,
        {name: list(groups.values()) for name, groups in beds.items()},
        [pieces for pieces in cries.values() if sum(piece.stop - piece.start for piece in pieces) >= SAMPLE_RATE],
    )


def _role(name: str) -> str:
    return "crying" if label(name).crying else "voice" if name in ("happy", "natural") else "bed"


def _background_of(text: str, voice: bool, backgrounds: Sequence[Background]) -> str:
    for background in backgrounds:
        if background.voices == voice and (voice or not background.words or re.search(background.words, text)):
            return background.name
    return ""


def loudness(wave: Wave) -> float:
    """The root mean square of (samples,) without its pauses: over all within 20 dB of its loudest 32 ms."""
    if wave.size < 512:
        return float(np.sqrt(np.mean(wave**2))) if wave.size else 0.0
    blocks = wave[: wave.size // 512 * 512].reshape(-1, 512)
    powers = np.einsum("ij,ij->i", blocks, blocks) / 512
    return float(np.sqrt(powers[powers >= 0.01 * powers.max()].mean()))


def audible_part(waves: DecodedAudio, piece: Piece) -> Wave:
    """A cry, (samples,), from its first to its last 10 ms within 25 dB of its loudness: its onset can be heard."""
    wave = waves.read(piece.path, piece.start, min(piece.stop, piece.start + int(_LONGEST_CRY * SAMPLE_RATE)))
    blocks = wave[: wave.size // 160 * 160].reshape(-1, 160)
    audible = np.flatnonzero(np.sqrt(np.mean(blocks**2, axis=1)) > max(10 ** (-25 / 20) * loudness(wave), 1e-6))
    return wave[160 * audible[0] : 160 * (audible[-1] + 1)] if audible.size else wave[:0]
