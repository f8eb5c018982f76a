"""Who is compared: each takes sound in blocks and scores it for crying, so that the same code judges all of them.

A `Listener` begins a `Session` for each sound. A session ends in a `trainer.evaluation.night_outcomes.ScoreSeries`: the
sample at which each judgement could be known, its score of crying in [0, 1], and the loudness of the newest hop.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np

import babymonitor.core.model.classifier
import babymonitor.core.model.evidence
import babymonitor.core.model.features
import babymonitor.core.model.quiet_gate
import babymonitor.core.model.replay
import babymonitor.core.model.scorer
import babymonitor.core.model.window_grid
from babymonitor.core.alerts.policy import AlertRules
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.replay import Replay
from babymonitor.core.model.scorer import Score, Scorer
from babymonitor.core.sound.levels import level_db
from babymonitor.core.sound.wave import Wave
from trainer.evaluation.night_outcomes import ScoreSeries
from trainer.labelling.yamnet_teacher import BABY_CRY, FRAME, Teacher

YAMNET_HOP = 7680
"""Samples between YAMNet's frames as its authors use it: 0.48 s."""
YAMNET_START = 0.3
"""A single frame at this score is taken for a cry: what ``peers/README`` counts YAMNet's false alarms at."""

_SCORING = (
    babymonitor.core.model.classifier,
    babymonitor.core.model.evidence,
    babymonitor.core.model.features,
    babymonitor.core.model.quiet_gate,
    babymonitor.core.model.replay,
    babymonitor.core.model.scorer,
    babymonitor.core.model.window_grid,
)
"""What turns sound into the scores of a model file."""


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


@functools.cache
def code_of(*modules: ModuleType) -> str:
    """A hash of code that makes sounds or scores. Where it changes, so do they."""
    digest = hashlib.sha256()
    for module in modules:
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:16]


class Ours:
    """A model file on the monitor's own grid; its alert rule is the app's, at the file's own thresholds."""

    def __init__(self, path: Path, name: str = "Baby Monitor") -> None:
        self.classifier = Classifier(path)
        card = self.classifier.card
        self.name, self.file = name, path
        self.key = f"{key_of('ours', path)}-{code_of(*_SCORING)}"
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
        self.network = Teacher(path)
        self.name, self.file, self.key = "YAMNet", path, key_of("yamnet", path)
        self.rules = AlertRules(start_threshold=YAMNET_START, end_threshold=YAMNET_START / 2, minimum_seconds=0.0)
        self.hop = YAMNET_HOP

    def begin(self) -> Session:
        return _YamnetSession(self.network)


class _YamnetSession:
    def __init__(self, network: Teacher) -> None:
        self._network = network
        self._rest = np.zeros(0, np.float32)
        self._frame_start = 0  # of the next frame, in samples
        self._rows: list[tuple[int, float, float]] = []

    def push(self, block: Wave) -> None:
        self._rest = np.concatenate((self._rest, block))
        start = 0
        while self._rest.size - start >= FRAME:
            frame = self._rest[start : start + FRAME]
            self._judge(frame, self._frame_start + start + FRAME)
            start += YAMNET_HOP
        self._rest = self._rest[start:]
        self._frame_start += start

    def finish(self) -> ScoreSeries:
        if not self._rows:
            frame = np.pad(self._rest, (0, FRAME - self._rest.size))
            self._judge(frame, self._frame_start + self._rest.size)
        return ScoreSeries.from_rows(self._rows)

    def _judge(self, frame: Wave, end: int) -> None:
        score = float(self._network.scores(frame)[0, BABY_CRY])
        self._rows.append((end, score, level_db(frame[-YAMNET_HOP:])))
