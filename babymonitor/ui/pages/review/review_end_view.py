"""What the review shows when no episode waits: that all is done, and how often the monitor was right."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from babymonitor.ui.parts.text_label import wrapped_label


class ReviewEndView(QWidget):
    """Words in the middle of the page, and a button to go on with the rest of the week."""

    week_requested = Signal()
    """The person wants to review the rest of the week."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title_label = wrapped_label("", "pageTitle", self)
        self.detail_label = wrapped_label("", "stateDetail", self)
        self.status_label = wrapped_label("", "muted", self)
        for label in (self.title_label, self.detail_label, self.status_label):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.week_button = QPushButton(self)
        self.week_button.clicked.connect(self.week_requested)
        column = QVBoxLayout(self)
        column.addStretch(2)
        column.addWidget(self.title_label)
        column.addSpacing(6)
        column.addWidget(self.detail_label)
        column.addSpacing(12)
        column.addWidget(self.week_button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)
        column.addWidget(self.status_label)

    def show_words(self, title: str, detail: str, rest: int) -> None:
        """Show words. rest: how many episodes of the week still wait."""
        self.title_label.setText(title)
        self.detail_label.setText(detail)
        self.week_button.setVisible(rest > 0)
        self.week_button.setText(self.tr("Review the rest of the week ({n})").format(n=rest))
