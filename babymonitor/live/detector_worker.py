"""The detector on its own thread, so that neither a slow network nor a busy window holds up the other."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from babymonitor.core import paths
from babymonitor.core.audio import RingBuffer
from babymonitor.core.classifier import Classifier, ModelError
from babymonitor.core.detector import Detector

_POLL_MS = 40


class DetectorWorker(QObject):
    """Lives in a QThread; polls the ring and asks the model. Only signals leave it."""

    scored = Signal(object)
    """core.detector.Score"""
    model_opened = Signal(object, str)
    """core.classifier.ModelCard and the file's path: this model is asked from now on."""
    model_refused = Signal(str)
    """One sentence: a model could not be used, and the one in use (or the shipped one) goes on."""
    failed = Signal(str)
    """One sentence: there is no score, and this is why."""
    stopped = Signal()

    def __init__(self, ring: RingBuffer) -> None:
        super().__init__()
        self._ring = ring
        self._detector: Detector | None = None
        self._timer: QTimer | None = None

    @Slot()
    def start(self) -> None:
        """Begin to poll. Runs in the worker's thread, as a timer must be made where it is to run."""
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._on_timeout)
        self._timer.start()

    @Slot(str)
    def use_model(self, path: str) -> None:
        """Open a model file (empty: the shipped one) and ask it from the next window on.

        One that cannot be used is refused: the model in use goes on, or else the shipped one is taken.
        """
        wanted = Path(path) if path else paths.default_model()
        try:
            self._open(wanted)
        except ModelError as error:
            if wanted != paths.default_model() and self._detector is None:
                self.model_refused.emit(f"{error} The shipped model is used instead.")
                self.use_model("")
            elif self._detector is None:
                self.failed.emit(str(error))
            else:
                self.model_refused.emit(f"{error} The model in use goes on.")

    def _open(self, path: Path) -> None:
        classifier = Classifier(path)
        if self._detector is None:
            self._detector = Detector(classifier, self._ring)
        else:
            self._detector.use(classifier)
        self.model_opened.emit(classifier.card, str(path))

    @Slot()
    def stop(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        self.stopped.emit()

    @Slot()
    def _on_timeout(self) -> None:
        if self._detector is None:
            return
        try:
            score = self._detector.poll()
        except ModelError as error:
            self.failed.emit(str(error))
            return
        if score is not None:
            self.scored.emit(score)
