"""The model's suggestion for the open clip, and the button that accepts it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from babymonitor.core.library.library import LibraryClip
from babymonitor.core.sound.wave import Wave
from babymonitor.live.monitor import Monitor
from babymonitor.ui.pages.label.suggestion import Suggestion, suggestion
from babymonitor.ui.parts.text_label import text_label
from babymonitor.ui.parts.wording import short_label_title

_MOST_GUESSES = 500


class SuggestionBar(QWidget):
    """Asks the monitor for the model's guess about each clip that is opened, and remembers the guesses."""

    accepted = Signal(str)
    """The person accepted this label."""

    def __init__(self, monitor: Monitor, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._clip: LibraryClip | None = None
        self._guesses: dict[str, dict[str, float]] = {}
        self._suggestion: Suggestion | None = None
        self.label = text_label("", "", self)
        self.label.setMinimumWidth(20)
        self.accept_button = QPushButton(self)
        self.accept_button.setToolTip(self.tr("Give it the label that the model suggests (Enter)"))
        self.accept_button.setProperty("role", "small")
        self.accept_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.accept_button.clicked.connect(self.accept)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.label)
        row.addWidget(self.accept_button)
        monitor.guessed.connect(self._on_guessed)

    def ask(self, clip: LibraryClip, wave: Wave) -> None:
        """Have the model guess what a clip is, unless its guess is known. wave: the clip, (samples,) at 16 kHz."""
        if not clip.guess and clip.id not in self._guesses:
            self._monitor.ask_guess(clip.id, wave)

    def forget(self) -> None:
        """Forget all guesses, because another model may guess otherwise."""
        self._guesses.clear()

    def show_clip(self, clip: LibraryClip | None) -> None:
        """Show the suggestion for a clip; None for nothing."""
        self._clip = clip
        self._suggestion = None if clip is None else suggestion(self._guesses.get(clip.id) or clip.guess)
        if self._suggestion is None:
            is_waiting = clip is not None and self._monitor.card is not None
            self.label.setText(self.tr("Listening to it …") if is_waiting else "")
            self.accept_button.hide()
            return
        self.label.setText(self.tr("It sounds like: {guess}").format(guess=self._suggestion.words))
        self.label.setToolTip(self.label.text())
        self.accept_button.setText(self.tr("{label}  ↵").format(label=short_label_title(self._suggestion.label)))
        self.accept_button.setVisible(clip is not None and clip.label != self._suggestion.label)

    @Slot()
    def accept(self) -> None:
        """Accept the suggestion, if there is one."""
        if self._suggestion is not None:
            self.accepted.emit(self._suggestion.label)

    @Slot(str, object, float)
    def _on_guessed(self, key: str, probabilities: dict[str, float], _crying: float) -> None:
        if probabilities:
            while len(self._guesses) >= _MOST_GUESSES:
                self._guesses.pop(next(iter(self._guesses)))
            self._guesses[key] = dict(probabilities)
        if self._clip is not None and self._clip.id == key:
            self.show_clip(self._clip)
