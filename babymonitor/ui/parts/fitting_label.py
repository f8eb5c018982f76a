"""A label of one line that says as much as it has room for."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from babymonitor.ui.parts.wording import plain


class FittingLabel(QLabel):
    """Shows as many parts of a text as fit, from the first on; its tool tip shows all. Without any it takes no room.

    A label that wraps would give the page around it the height that it would like best, and have it scroll.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._texts: list[str] = []
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", "muted")
        # It takes the room that is left: a long text must not widen the page.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.hide()

    def set_parts(self, parts: Sequence[str], between: str = " ", before: str = "") -> None:
        """Show these parts with a text between each two, and one before the first."""
        self._texts = [before + between.join(parts[:count]) for count in range(1, len(parts) + 1)]
        self.setToolTip(plain(self._texts[-1]) if parts else "")
        self._fit()
        self.setVisible(bool(parts))

    def _fit(self) -> None:
        fitting = [text for text in self._texts if self.fontMetrics().horizontalAdvance(text) <= self.width()]
        self.setText((fitting or self._texts[:1] or [""])[-1])

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()
