"""A clip as the monitor would hear it from its beginning: what a model makes of every window on its grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from babymonitor.core.model.classifier import ModelCard
from babymonitor.core.model.features import Mel
from babymonitor.core.model.replay import clip_windows
from babymonitor.core.sound.levels import level_db
from babymonitor.core.sound.wave import Wave
from trainer.audio import augment, synthetic
from trainer.home.adapter import BaseModel, Floats

_STRIDE = 2
"""Of altered takes every second window is used: they are there for variety and are not judged."""
_LIGHT = augment.Strength(room=0.3, tone=0.5, band_limit=0.3)
_SNR_DB = (8.0, 30.0)


@dataclass(frozen=True, slots=True)
class ClipWindows:
    """The windows of a clip as arrays.

    features: (N, rows, window_frames). ends: (N,) the sample after each window. level_db, window_db: (N,) loudness of
    the newest hop and of the whole window, in dB relative to full scale.
    """

    features: Mel
    ends: npt.NDArray[np.int64]
    level_db: npt.NDArray[np.float64]
    window_db: npt.NDArray[np.float64]


def windows_of_clip(wave: Wave, card: ModelCard, stride: int = 1) -> ClipWindows:
    """Every `stride`-th window of a clip, (samples,) at the model's rate, on the monitor's grid; at least one.

    See `core.model.replay.clip_windows`.
    """
    windows = clip_windows(wave, card)[::stride]
    return ClipWindows(
        np.stack([window.features for window in windows]),
        np.array([window.end_sample for window in windows]),
        np.array([window.level_db for window in windows]),
        np.array(
            [level_db(wave[max(0, window.end_sample - card.window_samples) : window.end_sample]) for window in windows]
        ),
    )


def lightly_altered(wave: Wave, rng: np.random.Generator) -> Wave:
    """Another take of the same sound: elsewhere in the room, through another microphone, with noise underneath.

    (samples,) → (samples,). Digital silence stays as it is.
    """
    if not wave.size or not np.any(wave):
        return wave
    wave = augment.Channel(rng, _LIGHT)(wave)
    noise = synthetic.coloured(rng, wave.size, float(rng.uniform(0.0, 2.0)))
    return augment.add(wave, noise, rng.uniform(*_SNR_DB))


@dataclass(frozen=True, slots=True)
class Take:
    """One take of a clip, per window.

    probabilities: (N, labels). embeddings: projected, (N, D). sounds: log-odds of the other sounds that the model
    names, (N, sounds). window_db: loudness in dB (N,).
    """

    probabilities: Floats
    embeddings: Floats
    sounds: Floats
    window_db: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EmbeddedClip:
    """A labelled clip and what the model makes of it.

    takes: the clip as it is, then altered. ends, level_db: of the first take's windows, as in `ClipWindows`.
    """

    path: str
    group: str
    label: str
    seconds: float
    takes: tuple[Take, ...]
    ends: npt.NDArray[np.int64]
    level_db: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Projection:
    """The directions in which embeddings differ most: z = (e - centre) @ directions, (E,) and (E, D)."""

    centre: Floats
    directions: Floats

    def __call__(self, embeddings: Floats) -> Floats:
        """(N, E) → (N, D)."""
        return np.asarray((embeddings - self.centre) @ self.directions, np.float32)


def embed_clip(
    base: BaseModel,
    projection: Projection,
    wave: Wave,
    path: str,
    group: str,
    label: str,
    copies: int,
    seed: Sequence[int],
) -> EmbeddedClip:
    """Run the model over a clip, (samples,) at its rate, as it is and over `copies` altered takes of it."""
    rng = np.random.default_rng(list(seed))
    windows = windows_of_clip(wave, base.card)
    takes = [_take(base, projection, windows)]
    for _ in range(copies):
        takes.append(_take(base, projection, windows_of_clip(lightly_altered(wave, rng), base.card, _STRIDE)))
    seconds = wave.size / base.card.features.sample_rate
    return EmbeddedClip(path, group, label, seconds, tuple(takes), windows.ends, windows.level_db)


def _take(base: BaseModel, projection: Projection, windows: ClipWindows) -> Take:
    probabilities, embeddings, sounds = base(windows.features)
    return Take(probabilities, projection(embeddings), sounds, windows.window_db)
