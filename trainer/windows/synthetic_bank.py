"""A bank of synthetic sounds: generating a fresh sound for each window would double the work of drawing windows."""

from __future__ import annotations

import numpy as np

from babymonitor.core.sound.wave import Wave
from trainer.audio import synthetic
from trainer.audio.phone_codecs import codec_copy

_SIZE = 40
"""Sounds of each kind."""


class SyntheticBank:
    """Windows of synthetic sound. The bank's content depends on the seed alone, not on the order of requests.

    window: samples of a window. codecs: whether some windows may come from a copy that went through a codec.
    """

    def __init__(self, seed: int, window: int, codecs: bool) -> None:
        self._seed, self._window, self._codecs = seed, window, codecs
        self._sounds: dict[tuple[str, int, bool], Wave] = {}

    def draw(
        self, rng: np.random.Generator, kinds: list[str], label: str = "background", codec_share: float = 0.0
    ) -> Wave:
        """Return a window, (samples,), of a random sound of one of the label's `kinds`.

        codec_share: how often the sound has been through a codec. Noise in the room itself has not.
        """
        kind, number = kinds[rng.integers(len(kinds))], int(rng.integers(_SIZE))
        coded = self._codecs and rng.random() < codec_share
        if (kind, number, coded) not in self._sounds:
            own = np.random.default_rng([self._seed, 1_000_000, *kind.encode(), number])
            sound = synthetic.GENERATORS_BY_LABEL[label][kind](own, 2 * self._window)
            self._sounds[kind, number, coded] = codec_copy(sound, int(own.integers(2**31))) if coded else sound
        start = int(rng.integers(self._window))
        return self._sounds[kind, number, coded][start : start + self._window]
