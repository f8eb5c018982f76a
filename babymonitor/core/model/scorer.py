"""From windows to scores: a model asked when there is something to hear, and its evidence over the last seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from babymonitor.core.labels import label
from babymonitor.core.model.classifier import Answer, Classifier, ModelCard, with_crying
from babymonitor.core.model.evidence import LIMIT, WINDOWS, Evidence, log_odds
from babymonitor.core.model.quiet_gate import QuietGate
from babymonitor.core.model.window_grid import Window

_QUIET_SECONDS = 1.0
"""A window is quiet when nothing has risen out of the background for as long as it is."""
_LONGEST_REST_SECONDS = 2.0
"""However quiet it is, the model is asked this often."""
_SUSPICIOUS = 0.02
"""From this P(crying) of a window on, no window is left out and the background is not learnt."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a model says of one window.

    end_sample, seconds: the end of the window, which is when a live listener could know. crying: calibrated P(crying).
    level_db: loudness of the newest hop, in dB relative to full scale. probabilities: per label, summing to one; empty
    where no model was asked. reasons: the crying labels' shares of P(crying), summing to one. sounds: the probability
    of each other kind of sound that the model names, such as ``"dog"``; several may sound at once.
    """

    end_sample: int
    seconds: float
    crying: float
    level_db: float
    probabilities: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, float] = field(default_factory=dict)
    sounds: dict[str, float] = field(default_factory=dict)


class Scorer:
    """Scores the windows of one sound in order; it remembers the last seconds, and forgets them where sound is cut.

    A model with evidence over time is asked where something rises out of the background or its last answer was
    suspicious; otherwise about every second window, and when it has been quiet, once in `_LONGEST_REST_SECONDS`. In
    between its last answer stands.
    A model without is asked about each window, and its P(crying) is the window's.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        hop = classifier.card.hop_seconds
        self._quiet_hops = max(1, round(_QUIET_SECONDS / hop))
        self._rest_hops = max(1, round(_LONGEST_REST_SECONDS / hop))
        self.asked = 0
        """How often the model was asked."""
        self._history: npt.NDArray[np.float32]
        self._last: Answer | None
        self._rested: int
        self._quiet: int
        self._forget()

    @property
    def newest(self) -> npt.NDArray[np.float32]:
        """What evidence was given of the last window, (1 + sounds,): log-odds of crying, and of the other sounds."""
        newest: npt.NDArray[np.float32] = self._history[-1]
        return newest

    def score(self, window: Window) -> Score:
        """The score of the next window. Raises ModelError when the model fails."""
        classifier = self.classifier
        evidence = classifier.evidence
        if evidence is None:
            answer = self._ask(window)
            probabilities = answer.probabilities
            crying = classifier.crying(probabilities)
        else:
            if window.is_first:
                self._forget()
            answer = self._answer(window)
            row = np.concatenate(([log_odds(classifier.crying(answer.probabilities))], answer.sounds))
            self._history = np.concatenate((self._history, row[None].astype(np.float32)))[-WINDOWS:]
            crying = evidence(self._history)
            probabilities = classifier.with_crying(answer.probabilities, crying)
        return Score(
            end_sample=window.end_sample,
            seconds=window.end_sample / classifier.card.features.sample_rate,
            crying=crying,
            level_db=window.level_db,
            probabilities=dict(zip(classifier.labels, map(float, probabilities), strict=True)),
            reasons=classifier.reasons(answer.probabilities),
            sounds=classifier.sounds(answer),
        )

    def _answer(self, window: Window) -> Answer:
        """The model's answer to this window, or to an earlier one where that must do."""
        rises = self._gate.rises(window.features[:, -self.classifier.card.hop_frames :])
        self._quiet = 0 if rises else self._quiet + 1
        self._rested += 1
        if self._last is not None:
            suspicious = self.classifier.crying(self._last.probabilities) >= _SUSPICIOUS
            quiet = self._quiet > self._quiet_hops
            if not (rises or suspicious) and self._rested < (self._rest_hops if quiet else 2):
                self._gate.learn()
                return self._last
        self._last, self._rested = self._ask(window), 0
        if self.classifier.crying(self._last.probabilities) < _SUSPICIOUS:
            self._gate.learn()
        return self._last

    def _ask(self, window: Window) -> Answer:
        self.asked += 1
        return self.classifier.answer(window.features)

    def _forget(self) -> None:
        self._gate = QuietGate()
        self._history = np.zeros((0, 1 + len(self.classifier.card.sounds)), np.float32)
        self._last = None
        self._rested = self._quiet = 0


@dataclass(frozen=True, slots=True)
class Rows:
    """What is said of successive windows: probabilities (N, labels) and P(crying) (N,)."""

    probabilities: npt.NDArray[np.float32]
    crying: npt.NDArray[np.float64]


def over_time(
    card: ModelCard,
    probabilities: npt.NDArray[np.float32],
    sounds: npt.NDArray[np.float32],
    sound: npt.NDArray[np.integer] | None = None,
) -> Rows:
    """What the model with this card says of successive windows that it, or a model taught from it, has answered.

    probabilities, sounds: the answers, (N, labels) and (N, sounds). sound: (N,) the sound that each window is of,
    windows of one sound together; None where all are of one. As `Scorer` would say it, had it asked about every
    window: it leaves out none where it is quiet. Without evidence over time P(crying) is each window's own.
    """
    is_crying = np.array([label(name).crying for name in card.labels], bool)
    crying = np.clip(probabilities[:, is_crying].sum(1).astype(np.float64), 0.0, 1.0)
    if not card.evidence:
        return Rows(probabilities, crying)
    evidence = Evidence.from_dict(card.evidence, len(card.sounds))
    history = np.column_stack(([log_odds(share) for share in crying], np.clip(sounds, -LIMIT, LIMIT)))
    cuts = np.flatnonzero(np.diff(sound if sound is not None else np.zeros(len(history)))) + 1
    parts = np.split(history.astype(np.float32), cuts)
    weighed = np.concatenate([evidence.of_windows(part) for part in parts])
    return Rows(with_crying(probabilities, is_crying, weighed), weighed)
