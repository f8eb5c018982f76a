"""What the review shows when nothing waits: that all is done, how often the monitor was right, and what is left."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget


class ReviewEndView(QWidget):
    """Words in the middle of the page."""

    week_requested = Signal()
    """The rest of the week is to be reviewed, too."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title_label = QLabel(self)
        self.title_label.setProperty("role", "pageTitle")
        self.detail_label = QLabel(self)
        self.detail_label.setProperty("role", "stateDetail")
        self.status_label = QLabel(self)
        self.status_label.setProperty("role", "muted")
        for label in (self.title_label, self.detail_label, self.status_label):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
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
        """rest: how many episodes of the week wait still."""
        self.title_label.setText(title)
        self.detail_label.setText(detail)
        self.week_button.setVisible(rest > 0)
        self.week_button.setText(self.tr("Review the rest of the week ({n})").format(n=rest))
