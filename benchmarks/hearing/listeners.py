"""Who is compared: each takes sound in blocks and says when it heard crying, so that all are judged by the same code.

A `Listener` begins a `Session` for each sound. What a session gives is `trainer.evaluation.nights.Heard`: the sample at
which each judgement could be known, its score of crying in [0, 1], and the loudness of what was new.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

import numpy as np

from babymonitor.core.alerts.policy import AlertRules
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.sound.levels import level_db
from babymonitor.core.sound.wave import Wave
from benchmarks.yamnet import BABY_CRY, FRAME_SAMPLES, HOP_SAMPLES, Yamnet
from trainer.evaluation.nights import Heard, Listening, heard_of

YAMNET_START = 0.3
"""One frame so sure is taken for a cry: what ``peers/README`` counts its false alarms at."""


class Session(Protocol):
    """One sound being listened to."""

    def push(self, block: Wave) -> None:
        """Take the next (samples,) at 16 kHz."""

    def finish(self) -> Heard:
        """The sound is over. One that was too short for a judgement is judged as it is."""


class Listener(Protocol):
    """name: as on the page. key: what its answers are kept under; another file, another key. rules: when it alarms as
    it is used today. hop: samples from one score to the next. file: what it needs on disk.
    """

    name: str
    key: str
    rules: AlertRules
    hop: int
    file: Path

    def begin(self) -> Session: ...


def key_of(kind: str, path: Path) -> str:
    """A name for what a file answers: it changes with the file's content."""
    return f"{kind}-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


class Ours:
    """A model file through the app's own `Detector`; its alert rule is the app's, at the file's own thresholds."""

    def __init__(self, path: Path) -> None:
        self.classifier = Classifier(path)
        card = self.classifier.card
        self.name, self.file, self.key = "Baby Monitor", path, key_of("ours", path)
        self.rules = AlertRules.of_card(card)
        self.hop = card.hop_samples

    def begin(self) -> Session:
        return Listening(self.classifier)


class YamnetListener:
    """YAMNet at its authors' hop of 0.48 s; the score is its class "baby cry, infant cry" (20).

    Its alert rule is that of those who use it as it comes: one frame at or above 0.3, no minimum duration.
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
        self._start = 0  # of the next frame
        self._rows: list[tuple[int, float, float]] = []

    def push(self, block: Wave) -> None:
        self._rest = np.concatenate((self._rest, block))
        at = 0
        while self._rest.size - at >= FRAME_SAMPLES:
            self._judge(self._rest[at : at + FRAME_SAMPLES], self._start + at + FRAME_SAMPLES)
            at += HOP_SAMPLES
        self._rest = self._rest[at:]
        self._start += at

    def finish(self) -> Heard:
        if not self._rows:
            self._judge(np.pad(self._rest, (0, FRAME_SAMPLES - self._rest.size)), self._start + self._rest.size)
        return heard_of(self._rows)

    def _judge(self, frame: Wave, end: int) -> None:
        score = float(self._network.judge(np.ascontiguousarray(frame, np.float32))[BABY_CRY])
        self._rows.append((end, score, level_db(frame[-HOP_SAMPLES:])))
