"""Who is compared: each takes sound in blocks and scores it for crying, so that the same code judges all of them.

A `Listener` begins a `Session` for each sound. A session ends in a `trainer.evaluation.night_outcomes.ScoreSeries`: the
sample at which each judgement could be known, its score of crying in [0, 1], and the loudness of the newest hop.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

import numpy as np

from babymonitor.core.alerts.policy import AlertRules
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.replay import Replay
from babymonitor.core.model.scorer import Score, Scorer
from babymonitor.core.sound.levels import level_db
from babymonitor.core.sound.wave import Wave
from benchmarks.yamnet import BABY_CRY, FRAME_SAMPLES, HOP_SAMPLES, Yamnet
from trainer.evaluation.night_outcomes import ScoreSeries

YAMNET_START = 0.3
"""A single frame at this score is taken for a cry: what ``peers/README`` counts YAMNet's false alarms at."""


class Session(Protocol):
    """One sound that is being listened to."""

    def push(self, block: Wave) -> None:
        """Take the next block of the sound, (samples,) at 16 kHz."""

    def finish(self) -> ScoreSeries:
        """The end of the sound. A sound too short for a judgement is judged as it is."""


class Listener(Protocol):
    """Something that listens for crying.

    name: as on the page. key: what its scores are cached under; another file has another key. rules: when it alarms as
    it is used today. hop: samples from one score to the next. file: what it needs on disk.
    """

    name: str
    key: str
    rules: AlertRules
    hop: int
    file: Path

    def begin(self) -> Session: ...


def key_of(kind: str, path: Path) -> str:
    """A cache key for the scores of a file; it changes with the file's content."""
    return f"{kind}-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


class Ours:
    """A model file on the monitor's own grid; its alert rule is the app's, at the file's own thresholds."""

    def __init__(self, path: Path) -> None:
        self.classifier = Classifier(path)
        card = self.classifier.card
        self.name, self.file, self.key = "Baby Monitor", path, key_of("ours", path)
        self.rules = AlertRules.of_card(card)
        self.hop = card.hop_samples

    def begin(self) -> Session:
        return _OurSession(self.classifier)


class _OurSession:
    def __init__(self, classifier: Classifier) -> None:
        self._scorer = Scorer(classifier)
        self._replay = Replay(classifier.card)
        self._scores: list[Score] = []

    def push(self, block: Wave) -> None:
        self._scores += [self._scorer.score(window) for window in self._replay.push(block)]

    def finish(self) -> ScoreSeries:
        window = self._replay.finish()
        if window is not None:
            self._scores.append(self._scorer.score(window))
        return ScoreSeries.from_scores(self._scores)


class YamnetListener:
    """YAMNet at its authors' hop of 0.48 s; the score is its class "baby cry, infant cry" (20).

    Its alert rule is that of people who use it as it is: one frame at or above 0.3, no minimum duration.
    """

    def __init__(self, path: Path) -> None:
        self.network = Yamnet(path)
        self.name, self.file, self.key = "YAMNet", path, key_of("yamnet", path)
        self.rules = AlertRules(start_threshold=YAMNET_START, end_threshold=YAMNET_START / 2, minimum_seconds=0.0)
        self.hop = HOP_SAMPLES

    def begin(self) -> Session:
        return _YamnetSession(self.network)


class _YamnetSession:
    def __init__(self, network: Yamnet) -> None:
        self._network = network
        self._rest = np.zeros(0, np.float32)
        self._frame_start = 0  # of the next frame, in samples
        self._rows: list[tuple[int, float, float]] = []

    def push(self, block: Wave) -> None:
        self._rest = np.concatenate((self._rest, block))
        start = 0
        while self._rest.size - start >= FRAME_SAMPLES:
            frame = self._rest[start : start + FRAME_SAMPLES]
            self._judge(frame, self._frame_start + start + FRAME_SAMPLES)
            start += HOP_SAMPLES
        self._rest = self._rest[start:]
        self._frame_start += start

    def finish(self) -> ScoreSeries:
        if not self._rows:
            frame = np.pad(self._rest, (0, FRAME_SAMPLES - self._rest.size))
            self._judge(frame, self._frame_start + self._rest.size)
        return ScoreSeries.from_rows(self._rows)

    def _judge(self, frame: Wave, end: int) -> None:
        score = float(self._network.judge(np.ascontiguousarray(frame, np.float32))[BABY_CRY])
        self._rows.append((end, score, level_db(frame[-HOP_SAMPLES:])))
