"""Sentences about what went wrong without stopping the listening; each stays until it is dismissed."""

from __future__ import annotations

from collections import deque

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from babymonitor.ui.parts.text_label import wrapped_label
from babymonitor.ui.parts.wording import translated

_MOST = 20


class ComplaintView(QFrame):
    """Shows the newest sentence, which may answer what the person has just done; hidden while there is none.

    Older sentences wait behind it. A sentence that comes again moves to the front.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "complaint")
        self._waiting: deque[str] = deque(maxlen=_MOST)
        self.label = wrapped_label(parent=self)
        self.dismiss_button = QPushButton(self.tr("Dismiss"), self)
        self.dismiss_button.setProperty("role", "plain")
        self.dismiss_button.clicked.connect(self.dismiss)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 6, 8, 6)
        row.addWidget(self.label, 1)
        row.addWidget(self.dismiss_button)
        self.hide()

    @property
    def sentences(self) -> list[str]:
        """All sentences that have not been dismissed, the newest first."""
        return list(self._waiting)

    def add(self, sentence: str) -> None:
        """Show a sentence in front of the others."""
        sentence = translated(sentence)
        if not sentence:
            return
        if sentence in self._waiting:
            self._waiting.remove(sentence)
        self._waiting.appendleft(sentence)
        self._show()

    @Slot()
    def dismiss(self) -> None:
        """Drop the sentence that is shown."""
        if self._waiting:
            self._waiting.popleft()
        self._show()

    def _show(self) -> None:
        more = len(self._waiting) - 1
        text = self._waiting[0] if self._waiting else ""
        if more > 0:
            text += "  " + self.tr("(+{n} more)").format(n=more)
        self.label.setText(text)
        self.setAccessibleName(text)
        self.setVisible(bool(self._waiting))
