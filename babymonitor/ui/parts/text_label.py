"""Labels of plain text. Text is never taken for HTML: a file's name or a microphone's could contain some."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget


def text_label(text: str = "", role: str = "", parent: QWidget | None = None) -> QLabel:
    """Return a label of one line. role: how the style sheet draws it, such as "muted" or "title"."""
    label = QLabel(text, parent)
    label.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        label.setProperty("role", role)
    return label


def wrapped_label(text: str = "", role: str = "", parent: QWidget | None = None) -> QLabel:
    """Return a label that wraps its text and takes all the width there is."""
    label = text_label(text, role, parent)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    return label
