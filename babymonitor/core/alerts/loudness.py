"""A detector by loudness alone: it takes over when the model fails, and may alert beside it."""

from __future__ import annotations

from collections import deque

import numpy as np

from babymonitor.core.model.scorer import Score
from babymonitor.core.sound.levels import SILENCE_DB, level_db
from babymonitor.core.sound.ring import RingBuffer


class LoudnessMeter:
    """Scores sound by loudness: P(crying) is 1 while it is loud and 0 otherwise.

    Loud means `rise_db` above the background, the median of the last minute; or above `level_db`, unless that is None,
    whatever the background is, because a child may already be crying when loudness takes over.

    Hops end at fixed samples and every hop is scored, however late, so that fast and live listening agree.

    own_until: up to this sample the sound may be our own alarm, which does not count as background.
    """

    HOP_SECONDS = 0.25
    FEWEST_HOPS = 12
    """There is no background before this many hops."""
    _BACKGROUND_HOPS = 240

    def __init__(self, ring: RingBuffer, rise_db: float, level_db: float | None) -> None:
        self.rise_db = rise_db
        self.level_db = level_db
        self.own_until = 0
        self._ring = ring
        self._hop = int(self.HOP_SECONDS * ring.sample_rate)
        self._done = ring.written
        self._cut_at = ring.cut_at
        self._levels: deque[float] = deque(maxlen=self._BACKGROUND_HOPS)

    @property
    def background_db(self) -> float:
        """The median level of the last minute; -120 before the first hop."""
        return float(np.median(self._levels)) if self._levels else SILENCE_DB

    def forget(self) -> None:
        """Forget the background, for example because the microphone was muted."""
        self._levels.clear()

    def is_own(self, score: Score) -> bool:
        """Whether the hop of this score may contain our own alarm."""
        return score.end_sample - self._hop < self.own_until

    def poll(self, stop: int) -> list[Score]:
        """The scores, in order, of hops that end by sample `stop` and were not scored before."""
        if self._ring.cut_at > self._cut_at:
            # It may be another microphone, with a different background.
            self._done = self._cut_at = self._ring.cut_at
            self.forget()
        lost = self._ring.oldest - self._done
        if lost > 0:
            self._done += -(-lost // self._hop) * self._hop
        scores = []
        while self._done + self._hop <= min(stop, self._ring.written):
            self._done += self._hop
            scores.append(self._score(level_db(self._ring.read(self._done - self._hop, self._done))))
        return scores

    def _score(self, level: float) -> Score:
        risen = len(self._levels) >= self.FEWEST_HOPS and level >= self.background_db + self.rise_db
        loud = risen or (self.level_db is not None and level >= self.level_db)
        score = Score(self._done, self._done / self._ring.sample_rate, float(loud), level)
        if not self.is_own(score):
            self._levels.append(level)
        return score
