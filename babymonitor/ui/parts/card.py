"""The quiet panel that groups what belongs together."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QLayout, QVBoxLayout, QWidget

from babymonitor.ui.parts.text_label import wrapped_label


class Card(QFrame):
    """A panel with rounded corners on the window's ground; the style sheet draws it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")


def titled_card(title: str, content: QWidget | QLayout) -> Card:
    """Return a card that holds `content` beneath a title."""
    card = Card()
    column = QVBoxLayout(card)
    column.setContentsMargins(16, 12, 16, 12)
    column.setSpacing(8)
    column.addWidget(wrapped_label(title, "title", card))
    if isinstance(content, QWidget):
        column.addWidget(content)
    else:
        column.addLayout(content)
    return card
