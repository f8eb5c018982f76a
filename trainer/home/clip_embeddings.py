"""A clip as the monitor would hear it from its beginning: answers and embeddings of every window on its grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from babymonitor.core.model.classifier import ModelCard
from babymonitor.core.model.features import Mel, fit_frames, front_end
from babymonitor.core.sound.levels import level_db
from babymonitor.core.sound.wave import Wave
from trainer.audio import augment, synthetic
from trainer.home.adapter import Body, Floats

_STRIDE = 2
"""Altered copies are listened to in every other window: they are there for variety, not to be judged."""
_LIGHTLY = augment.Strength(room=0.3, tone=0.5, band_limit=0.3)
_SNR_DB = (8.0, 30.0)


@dataclass(frozen=True, slots=True)
class Grid:
    """mels (N, rows, window_frames); ends (N,): the sample after each window; level_db, window_db (N,): loudness of
    the newest hop and of the whole window.
    """

    mels: Mel
    ends: npt.NDArray[np.int64]
    level_db: npt.NDArray[np.float64]
    window_db: npt.NDArray[np.float64]


def grid_of(wave: Wave, card: ModelCard, stride: int = 1) -> Grid:
    """The windows that `core.detector.Detector` judges of a sound that it hears from its start, (samples,)."""
    spec = card.features
    if wave.size < spec.n_fft:
        wave = np.pad(wave, (spec.n_fft - wave.size, 0))
    mel = front_end(wave, spec)
    first = max(1, card.window_frames // 2)
    stops = list(range(first, mel.shape[1] + 1, card.hop_frames * stride)) or [mel.shape[1]]
    mels = [fit_frames(mel[:, max(0, stop - card.window_frames) : stop], card.window_frames) for stop in stops]
    ends = [spec.samples(stop) for stop in stops]
    newest = wave.size if len(stops) == 1 and stops[0] < first else card.hop_samples
    return Grid(
        np.stack(mels),
        np.array(ends),
        np.array([level_db(wave[max(0, end - newest) : end]) for end in ends]),
        np.array([level_db(wave[max(0, end - card.window_samples) : end]) for end in ends]),
    )


def lightly_altered(wave: Wave, rng: np.random.Generator) -> Wave:
    """Another take of the same sound: another place in the room, another microphone, noise underneath."""
    if not wave.size or not np.any(wave):
        return wave
    wave = augment.Channel(rng, _LIGHTLY)(wave)
    under = synthetic.coloured(rng, wave.size, float(rng.uniform(0.0, 2.0)))
    return augment.add(wave, under, rng.uniform(*_SNR_DB))


@dataclass(frozen=True, slots=True)
class View:
    """One take of a clip: answers (N, labels), projected embeddings (N, D), and loudness of the windows (N,)."""

    given: Floats
    embeddings: Floats
    window_db: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heard:
    """A labelled clip and what the model makes of it. takes: as it is, then altered. ends, level_db: as in `Grid`."""

    path: str
    group: str
    label: str
    seconds: float
    takes: tuple[View, ...]
    ends: npt.NDArray[np.int64]
    level_db: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Projection:
    """The directions in which embeddings differ most: z = (e - centre) @ directions, (E,) and (E, D)."""

    centre: Floats
    directions: Floats

    def __call__(self, embeddings: Floats) -> Floats:
        return np.asarray((embeddings - self.centre) @ self.directions, np.float32)


def listen(
    body: Body, projection: Projection, wave: Wave, path: str, group: str, label: str, copies: int, seed: Sequence[int]
) -> Heard:
    """Hear (samples,) at the model's rate as it is, and `copies` altered takes of it."""
    rng = np.random.default_rng(list(seed))
    plain = grid_of(wave, body.card)
    takes = [_view(body, projection, plain)]
    for _ in range(copies):
        takes.append(_view(body, projection, grid_of(lightly_altered(wave, rng), body.card, _STRIDE)))
    seconds = wave.size / body.card.features.sample_rate
    return Heard(path, group, label, seconds, tuple(takes), plain.ends, plain.level_db)


def _view(body: Body, projection: Projection, grid: Grid) -> View:
    given, embeddings = body(grid.mels)
    return View(given, projection(embeddings), grid.window_db)
