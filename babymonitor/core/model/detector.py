"""From a ring to scores, one per hop: a model asked about every window of the grid.

`Detector` needs a model. `core.alerts.loudness.LoudnessMeter` needs none: it takes over when the model fails.
"""

from __future__ import annotations

from babymonitor.core.messages import Code
from babymonitor.core.model.classifier import Classifier, ModelError
from babymonitor.core.model.scorer import Score, Scorer
from babymonitor.core.model.window_grid import WindowGrid
from babymonitor.core.sound.ring import RingBuffer


class Detector:
    """Scores the windows of a ring, in order and as they are completed; see `WindowGrid` for which windows those are.

    Raises ModelError if the model's sampling rate is not the ring's.
    """

    def __init__(self, classifier: Classifier, ring: RingBuffer) -> None:
        self._ring = ring
        self._check_rate(classifier)
        self._scorer = Scorer(classifier)
        self._grid = WindowGrid(classifier.card, ring)

    @property
    def classifier(self) -> Classifier:
        return self._scorer.classifier

    def use(self, classifier: Classifier) -> None:
        """Ask this model from the next window on, which ends where the old model's would have: none is missed.

        Raises ModelError if its sampling rate is not the ring's; the model in use then stays.
        """
        self._check_rate(classifier)
        self._grid.use(classifier.card)
        self._scorer = Scorer(classifier)

    def poll(self) -> Score | None:
        """The score of the next window that is complete and not yet judged; None when there is none.

        Raises ModelError when the model fails; the window is then skipped.
        """
        window = self._grid.poll()
        return None if window is None else self._scorer.score(window)

    def finish(self) -> Score | None:
        """At the end of a sound too short for a first window: the score of all there is; see `WindowGrid.finish`."""
        window = self._grid.finish()
        return None if window is None else self._scorer.score(window)

    def _check_rate(self, classifier: Classifier) -> None:
        rate = classifier.card.features.sample_rate
        if rate != self._ring.sample_rate:
            raise ModelError(
                Code.MODEL_WRONG_RATE, name=classifier.path.name, model_rate=rate, rate=self._ring.sample_rate
            )
