"""A monitor without Qt on a clock that the test turns, with a microphone whose sound the test writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from babymonitor.core.alerts.health import Health
from babymonitor.core.alerts.policy import Change
from babymonitor.core.happenings import AlertHappened, Happening, HealthChanged
from babymonitor.core.history.history import History
from babymonitor.core.messages import Code
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.detector import Detector
from babymonitor.core.model.scorer import Score
from babymonitor.core.settings import CLIP_AFTER_SECONDS, CLIP_BEFORE_SECONDS, END_SECONDS, Settings
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.live.listening import Listening
from babymonitor.live.own_sound import OwnSound
from babymonitor.live.record.clip_writer import ClipWriter
from babymonitor.live.room import Room
from babymonitor.live.sound_card import SoundCardError
from babymonitor.live.waker import Waker

STEP = 0.25


class SeenAlarm:
    """An alarm that can be seen to sound, until it is stopped. given: what it was asked for, in order."""

    def __init__(self) -> None:
        self.sounding = False
        self.given: list[str] = []

    def crying(self) -> str:
        return self._sound("crying")

    def health(self) -> str:
        return self._sound("health")

    def _sound(self, kind: str) -> str:
        self.sounding = True
        self.given.append(kind)
        return ""

    def stop(self) -> None:
        self.sounding = False


class TurnedMicrophone:
    """A microphone whose sound the test writes, and which can be pulled out."""

    name = "turned"
    ends = False
    finished = False
    is_substitute = False

    def __init__(self, ring: RingBuffer) -> None:
        self.ring = ring
        self.there = True
        self.is_open = False
        self.amplitude = 1e-3
        self.opened = 0
        self._generator = np.random.default_rng(0)

    def open(self) -> None:
        self.opened += 1
        if not self.there:
            raise SoundCardError(Code.MICROPHONE_MISSING)
        self.is_open = True
        self.ring.cut()

    reopen = open

    def close(self) -> None:
        pass

    def pump(self) -> None:
        self.is_open = self.is_open and self.there
        if self.is_open:
            self.ring.write(np.asarray(self._generator.standard_normal(4000) * self.amplitude, np.float32))


class TurnedRoom:
    """A room with its listening, turned a quarter of a second at a time.

    The detector is the test, unless there is a model to listen to what the microphone gives.
    """

    def __init__(self, folder: Path, name: str = "", model: Path | None = None) -> None:
        self.ring = RingBuffer(180.0)
        self.microphone = TurnedMicrophone(self.ring)
        self.settings = Settings()
        self.settings[END_SECONDS] = 3.0
        self.settings[CLIP_BEFORE_SECONDS], self.settings[CLIP_AFTER_SECONDS] = 2.0, 1.0
        self.history = History(folder / "history.sqlite")
        self.clips = ClipWriter(folder / "clips", 16000)
        self.now = 100.0
        self.happened: list[Happening] = []
        self.waker = Waker(self.settings, None, lambda: self.now)
        self.own_sound = OwnSound(lambda: self.waker.is_sounding)
        self.room = Room(
            name,
            self.settings,
            self.waker,
            self.own_sound,
            self.happened.append,
            self.history,
            self.clips,
            lambda: self.now,
            self.ring,
        )
        self._detector: Detector | None = None
        if model is not None:
            classifier = Classifier(model)
            self._detector = Detector(classifier, self.ring)
            self.room.use_rules(classifier.card.thresholds)
        self.room.start(self.microphone)

    @property
    def listening(self) -> Listening:
        """The stretch of listening that lasts."""
        assert self.room.listening is not None
        return self.room.listening

    def run(self, seconds: float, crying: float | None = 0.01) -> None:
        """Time goes by; crying: what the detector says where it is the test, None when it says nothing."""
        for _ in range(round(seconds / STEP)):
            self.now += STEP
            self.room.tick()
            if self._detector is not None:
                if (judged := self._detector.poll()) is not None:
                    self.room.take(judged)
            elif crying is not None and self.microphone.there:
                seconds_heard = self.ring.written / 16000
                probabilities = {"sad": crying, "natural": 0.0, "background": 1 - crying}
                score = Score(self.ring.written, seconds_heard, crying, -30.0, probabilities, {"sad": 1.0})
                self.room.take(score)

    def health(self) -> list[Health]:
        return [happening.health for happening in self.happened if isinstance(happening, HealthChanged)]

    def changes(self) -> list[tuple[Change, bool]]:
        alerts = [happening.event for happening in self.happened if isinstance(happening, AlertHappened)]
        return [(event.change, event.alarms) for event in alerts]

    def story(self) -> list[tuple[str, str, bool]]:
        """What became of the alerts: kind, change, whether someone was to be woken by it."""
        alerts = [happening.event for happening in self.happened if isinstance(happening, AlertHappened)]
        return [(event.alert.kind, event.change.value, event.alarms) for event in alerts]

    def end(self) -> None:
        self.room.stop()
        self.clips.close()
        self.room.tick()
