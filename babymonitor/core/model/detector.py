"""From the ring to scores, once per hop: the one class that live, headless and replayed listening all run.

`Detector` asks the model. `LoudnessMeter` needs no model: it takes over when the model is silent, and may help it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from babymonitor.core.messages import Code
from babymonitor.core.model.classifier import Classifier, ModelError
from babymonitor.core.model.features import FeatureSpec, Mel, fit_frames, front_end
from babymonitor.core.sound.levels import level_db
from babymonitor.core.sound.ring import OverrunError, RingBuffer


@dataclass(frozen=True, slots=True)
class Score:
    """What was heard up to one moment.

    end_sample, seconds: the end of the window that was judged: when a live listener could know.
    crying: P(crying), calibrated. probabilities: per label, summing to one (empty where no model was asked).
    reasons: given that it cries, the crying labels' shares. level_db: loudness of the newest hop.
    """

    end_sample: int
    seconds: float
    crying: float
    level_db: float
    probabilities: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, float] = field(default_factory=dict)


class Detector:
    """Scores the newest complete window of a ring, on a fixed grid of hops.

    Windows end at the same absolute samples however often and however late `poll` is called, so that live and fast
    listening judge the same windows. Calls that are a little late judge one window after the other, in order; a call
    that is later takes the newest and leaves out those it is too late for: what matters is what is heard now.
    The first window is judged when half of it is there: the rest is mirrored.
    """

    MOST_LATE_HOPS = 4

    def __init__(self, classifier: Classifier, ring: RingBuffer) -> None:
        self._ring = ring
        self._classifier: Classifier | None = None
        self.use(classifier)

    @property
    def classifier(self) -> Classifier:
        assert self._classifier is not None
        return self._classifier

    def use(self, classifier: Classifier) -> None:
        """Ask this model from the next window on, which ends where the old model's would have: none is missed.

        ModelError if it hears at another rate than the ring.
        """
        if classifier.card.features.sample_rate != self._ring.sample_rate:
            raise ModelError(
                Code.MODEL_WRONG_RATE,
                name=classifier.path.name,
                model_rate=classifier.card.features.sample_rate,
                rate=self._ring.sample_rate,
            )
        due = self._next_stop() if self._classifier is not None and self._ring.cut_at <= self._origin else None
        self._classifier = classifier
        self._spec: FeatureSpec = classifier.card.features
        self._first_frames = max(1, classifier.card.window_frames // 2)
        self._restart(max(self._ring.cut_at, self._ring.written - classifier.card.window_samples))
        if due is not None:
            self._go_on_at(due)
        else:
            self._last_window = max(-1, self._newest_window() - 1)

    def _newest_window(self) -> int:
        """The number of the newest window that is complete, -1 or less when none is."""
        frames_ready = self._spec.frames(self._ring.written - self._origin)
        return (frames_ready - self._first_frames) // self.classifier.card.hop_frames

    def _next_stop(self) -> int:
        """The sample at which the next window ends."""
        assert self._classifier is not None
        frames = self._first_frames + (self._last_window + 1) * self._classifier.card.hop_frames
        return self._origin + self._spec.samples(frames)

    def _go_on_at(self, stop: int) -> None:
        """Let the next window end at this sample, with as much of a whole window before it as was heard."""
        card = self.classifier.card
        heard_from = max(self._ring.cut_at, self._ring.oldest)
        for hops in range(-(-(card.window_frames - self._first_frames) // card.hop_frames), -1, -1):
            origin = stop - self._spec.samples(self._first_frames + hops * card.hop_frames)
            if heard_from <= origin <= self._ring.written:
                self._restart(origin)
                self._last_window = hops - 1
                return

    def _restart(self, origin: int) -> None:
        """Begin anew at a sample: the grid of windows starts there, and nothing before it is looked at."""
        self._origin = origin
        self._mel: Mel = np.zeros((self._spec.rows, 0), np.float32)
        self._frames_done = 0
        self._last_window = -1

    def poll(self) -> Score | None:
        """The score of the next window that is complete and not yet judged, if there is one; see the class.

        ModelError when the model fails.
        """
        card = self.classifier.card
        if self._ring.cut_at > self._origin:
            self._restart(self._ring.cut_at)
        window = self._newest_window()
        if window <= self._last_window:
            return None
        if window - self._last_window <= self.MOST_LATE_HOPS:
            window = self._last_window + 1
        self._last_window = window
        stop_frame = self._first_frames + window * card.hop_frames
        start_frame = max(self._frames_done, stop_frame - card.window_frames)
        stop = self._origin + self._spec.samples(stop_frame)
        try:
            wave = self._ring.read(self._origin + start_frame * self._spec.hop_length, stop)
        except OverrunError:
            # The thread was held up for longer than the ring lasts: what is left is judged as new sound.
            self._restart(self._ring.written)
            return None
        new = front_end(wave, self._spec)
        follows = start_frame == self._frames_done
        self._mel = np.concatenate((self._mel, new), axis=1)[:, -card.window_frames :] if follows else new
        self._frames_done = stop_frame
        return self._score(stop, level_db(wave[-card.hop_samples :]))

    def finish(self) -> Score | None:
        """At the end of a sound too short for a first window: the score of what there is, if there is a frame."""
        if self._last_window >= 0 or self._spec.frames(self._ring.written - self._origin) == 0:
            return None
        wave = self._ring.read(self._origin, self._ring.written)
        self._mel = front_end(wave, self._spec)
        self._last_window = 0
        return self._score(self._ring.written, level_db(wave))

    def _score(self, stop: int, level: float) -> Score:
        classifier = self.classifier
        row = classifier.probabilities(fit_frames(self._mel, classifier.card.window_frames))
        return Score(
            end_sample=stop,
            seconds=stop / self._ring.sample_rate,
            crying=classifier.crying(row),
            level_db=level,
            probabilities=dict(zip(classifier.labels, map(float, row), strict=True)),
            reasons=classifier.reasons(row),
        )
