"""The window's size and place, as text for the settings."""

from __future__ import annotations

import base64
import binascii

from PySide6.QtCore import QByteArray
from PySide6.QtWidgets import QWidget


def geometry_text(window: QWidget) -> str:
    """Return a window's size and place as text."""
    return base64.b64encode(window.saveGeometry().data()).decode("ascii")


def restore_geometry(window: QWidget, text: str) -> None:
    """Give a window the size and place that `geometry_text` returned; other text changes nothing."""
    try:
        window.restoreGeometry(QByteArray(base64.b64decode(text, validate=True)))
    except (binascii.Error, ValueError):
        return
