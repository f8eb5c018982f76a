"""The detector on a thread of its own, so that a slow network and a busy window do not delay each other."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from babymonitor.core import paths
from babymonitor.core.messages import Code, message
from babymonitor.core.model.classifier import Classifier, ModelError
from babymonitor.core.model.detector import Detector
from babymonitor.core.model.score_file import Guess
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.sound.wave import Wave

_POLL_MS = 40


class DetectorWorker(QObject):
    """Lives in a QThread, polls the rings of all rooms with the same model, and communicates by signals only.

    rings: by the room's name.
    """

    scored = Signal(str, object)
    """The room's name and its core.model.detector.Score."""
    model_opened = Signal(object, str)
    """core.model.classifier.ModelCard and path of the model that is used from now on."""
    model_refused = Signal(object)
    """A sentence (`Message`): a model could not be used, and the current or the shipped one is used."""
    failed = Signal(object)
    """A sentence (`Message`) on why there are no scores."""
    guessed = Signal(str, object, float)
    """The key of `guess`, the mean probability of each label ({} if the model failed), and the highest P(crying)."""
    stopped = Signal()

    def __init__(self, rings: Mapping[str, RingBuffer]) -> None:
        super().__init__()
        self._rings = dict(rings)
        self._classifier: Classifier | None = None
        self._detectors: dict[str, Detector] = {}
        self._timer: QTimer | None = None
        self._idle_timer: QTimer | None = None
        self._wishes = 0
        self._openers: list[threading.Thread] = []
        self._opened: deque[tuple[int, Path, Classifier | Exception]] = deque()
        self._asked: dict[str, Wave] = {}
        self._guess: tuple[str, Wave, Guess] | None = None

    @Slot()
    def start(self) -> None:
        """Start polling. Must run on the worker's thread, where its timers have to be created."""
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._on_timeout)
        self._timer.start()
        # Guesses when idle, a window at a time, so that they delay a score by one window at most.
        self._idle_timer = QTimer(self)
        self._idle_timer.setInterval(0)
        self._idle_timer.timeout.connect(self._on_idle)

    @Slot(str)
    def use_model(self, path: str) -> None:
        """Open a model file ("": the shipped one) and use it from the next window on.

        If it cannot be used, the current model stays, or else the shipped one is used. Opening takes longer than a hop:
        while there is a model it happens on another thread, and no window is missed.
        """
        wanted = Path(path) if path else paths.default_model()
        self._wishes += 1
        if self._classifier is not None:
            opener = threading.Thread(target=self._open_aside, args=(self._wishes, wanted), name="model", daemon=True)
            self._openers = [*(thread for thread in self._openers if thread.is_alive()), opener]
            opener.start()
            return
        try:
            classifier = Classifier(wanted)
            self._detectors = {room: Detector(classifier, ring) for room, ring in self._rings.items()}
        except ModelError as error:
            if wanted != paths.default_model():
                self.model_refused.emit(message(Code.MODEL_REFUSED_USING_SHIPPED, reason=error.message))
                self.use_model("")
            else:
                self.failed.emit(error.message)
            return
        self._classifier = classifier
        self.model_opened.emit(classifier.card, str(wanted))

    def wait_for_opening(self, seconds: float) -> bool:
        """Wait for models being opened, which cannot be interrupted; returns whether all have been."""
        for opener in self._openers:
            opener.join(seconds)
        return not any(opener.is_alive() for opener in self._openers)

    def _open_aside(self, wish: int, path: Path) -> None:
        try:
            self._opened.append((wish, path, Classifier(path)))
        except Exception as error:  # also faults other than the file's, such as too little memory
            self._opened.append((wish, path, error))

    def _swap(self) -> None:
        """Between two windows, switch to the model that was opened meanwhile, if it is still wanted."""
        while self._opened:
            wish, path, opened = self._opened.popleft()
            if wish != self._wishes or self._classifier is None:
                continue
            try:
                if isinstance(opened, Exception):
                    raise opened
                for detector in self._detectors.values():
                    detector.use(opened)
            except Exception as error:
                self.model_refused.emit(message(Code.MODEL_REFUSED_KEEPING_CURRENT, reason=str(error)))
                continue
            self._classifier = opened
            self._guess_anew()
            self.model_opened.emit(opened.card, str(path))

    @Slot(str, object)
    def guess(self, key: str, wave: Wave) -> None:
        """Judge (samples,) at the ring's rate with the current model, between the windows of the ring; see `guessed`.

        The latest request is answered first, as it is what the person looks at. Repeating a key replaces its wave.
        """
        if self._guess is not None and self._guess[0] == key:
            self._guess = None
        self._asked.pop(key, None)
        self._asked[key] = wave
        if self._idle_timer is not None:
            self._idle_timer.start()

    @Slot()
    def stop(self) -> None:
        self._asked.clear()
        for timer in (self._timer, self._idle_timer):
            if timer is not None:
                timer.stop()
        self.stopped.emit()

    @Slot()
    def _on_timeout(self) -> None:
        self._swap()
        for room, detector in self._detectors.items():
            try:
                # Several, if the machine was busy for a moment.
                while (score := detector.poll()) is not None:
                    self.scored.emit(room, score)
            except ModelError as error:
                self.failed.emit(error.message)

    @Slot()
    def _on_idle(self) -> None:
        if self._guess is None and not self._next_guess():
            if self._idle_timer is not None:
                self._idle_timer.stop()
            return
        assert self._guess is not None
        key, _, guess = self._guess
        try:
            if guess.step():
                return
            answer = guess.probabilities, guess.crying
        except ModelError:
            answer = {}, 0.0
        self._guess = None
        self.guessed.emit(key, *answer)

    def _next_guess(self) -> bool:
        """Start the latest request; returns whether there is one."""
        while self._asked:
            key, wave = self._asked.popitem()
            if self._classifier is not None:
                self._guess = key, wave, Guess(wave, self._classifier)
                return True
            self.guessed.emit(key, {}, 0.0)
        return False

    def _guess_anew(self) -> None:
        """Restart the current guess, because the model has changed."""
        if self._guess is not None and self._classifier is not None:
            key, wave, _ = self._guess
            self._guess = key, wave, Guess(wave, self._classifier)
