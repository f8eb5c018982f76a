"""One sentence about something that went wrong but does not stop the listening; it stays until it is dismissed."""

from __future__ import annotations

from collections import deque

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from babymonitor.ui.parts.wording import translated

_MOST = 20


class ComplaintView(QFrame):
    """Hidden while there is nothing to say. The newest sentence is seen: it may answer what the person did just now.

    The others wait behind it; one that is waiting already comes to the front.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "complaint")
        self._waiting: deque[str] = deque(maxlen=_MOST)
        self.label = QLabel(self)
        self.label.setWordWrap(True)
        # Rich text would let a file's name speak HTML.
        self.label.setTextFormat(Qt.TextFormat.PlainText)
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
        """Those that wait, the newest first."""
        return list(self._waiting)

    def add(self, sentence: str) -> None:
        sentence = translated(sentence)
        if not sentence:
            return
        if sentence in self._waiting:
            self._waiting.remove(sentence)
        self._waiting.appendleft(sentence)
        self._show()

    @Slot()
    def dismiss(self) -> None:
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
