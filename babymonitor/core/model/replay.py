"""Replay recorded or composed sound on the monitor's grid: the one way to ask what the live monitor would have said.

A file's verdict, a label suggestion, composed nights, alert delays, clip embeddings, a model's figures by clip and the
comparison of two models all come through here. Windows, features and scores are those of the live `Detector` to the
last bit, for both take them from `WindowGrid`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from babymonitor.core.model.classifier import Classifier, ModelCard
from babymonitor.core.model.scorer import Score, Scorer
from babymonitor.core.model.window_grid import Window, WindowGrid
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.sound.wave import Wave


class Replay:
    """Windows of a sound that is pushed block by block, for callers that feed several listeners from one source.

    Blocks are (samples,) float32 at the model's rate, of any length. No window is ever skipped.
    """

    def __init__(self, card: ModelCard) -> None:
        self._ring = RingBuffer(2 * card.window_seconds + 1.0, card.features.sample_rate)
        self._grid = WindowGrid(card, self._ring)
        self._hop = card.hop_samples

    def push(self, block: Wave) -> Iterator[Window]:
        """Add a block; gives each window that it completes. Consume all of them before the next push."""
        # Written hop by hop: a longer block would complete several windows at once, and the grid skips what is late.
        for start in range(0, block.size, self._hop):
            self._ring.write(block[start : start + self._hop])
            while (window := self._grid.poll()) is not None:
                yield window

    def finish(self) -> Window | None:
        """The end of the sound: its only window where it was too short for a first one; see `WindowGrid.finish`."""
        return self._grid.finish()


def replay_windows(blocks: Iterable[Wave], card: ModelCard) -> Iterator[Window]:
    """Every window of a sound given as blocks of (samples,), lazily; none for a sound shorter than one frame."""
    replay = Replay(card)
    for block in blocks:
        yield from replay.push(block)
    last = replay.finish()
    if last is not None:
        yield last


def replay_scores(blocks: Iterable[Wave], classifier: Classifier) -> Iterator[Score]:
    """The score of every window of a sound given as blocks of (samples,), lazily.

    Raises ModelError when the model fails.
    """
    scorer = Scorer(classifier)
    for window in replay_windows(blocks, classifier.card):
        yield scorer.score(window)


def clip_windows(wave: Wave, card: ModelCard) -> list[Window]:
    """Every window of one clip, (samples,) at the model's rate; at least one, however short the clip is.

    A clip shorter than one frame is filled up with silence on its left. Such a clip has no window on the live grid;
    figures over clips need an answer for each all the same.
    """
    missing = card.features.n_fft - wave.size
    if missing > 0:
        wave = np.pad(wave, (missing, 0))
    return list(replay_windows((wave,), card))


def clip_scores(wave: Wave, classifier: Classifier) -> list[Score]:
    """The score of every window of `clip_windows`. Raises ModelError when the model fails."""
    scorer = Scorer(classifier)
    return [scorer.score(window) for window in clip_windows(wave, classifier.card)]
