"""Loudness as a detector without a model: it takes over when the model fails, and may alert beside it."""

from __future__ import annotations

from collections import deque

import numpy as np

from babymonitor.core.model.detector import Score
from babymonitor.core.sound.levels import SILENCE_DB, level_db
from babymonitor.core.sound.ring import RingBuffer


class LoudnessMeter:
    """Plain loudness as a detector: P(crying) is 1 while the sound is loud and 0 otherwise.

    Loud is: `rise_db` above the background, the median of the last minute; or above `level_db` whatever the background
    is, where that is not None: a child may already be crying when this has to take over.

    Hops end at fixed samples and each is judged, however late: fast and live listening hear the same.

    own_until: up to this sample the sound may be our own alarm, which says nothing of the room; it is not learnt.
    """

    HOP_SECONDS = 0.25
    FEWEST_HOPS = 12
    """Before there are so many there is no background."""
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
        """The median level of the last minute; -120 before there is one."""
        return float(np.median(self._levels)) if self._levels else SILENCE_DB

    def forget(self) -> None:
        """What was heard so far says nothing of the room: the microphone was muted."""
        self._levels.clear()

    def is_own(self, score: Score) -> bool:
        """Whether what this score judged may be our own alarm."""
        return score.end_sample - self._hop < self.own_until

    def poll(self, stop: int) -> list[Score]:
        """The scores, in order, of the hops that end by sample `stop` and were not judged yet."""
        if self._ring.cut_at > self._cut_at:
            # Perhaps another microphone, with a background of its own.
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
