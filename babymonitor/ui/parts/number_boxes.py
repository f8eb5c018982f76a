"""Fields for numbers that leave the wheel to the page: scrolling past a number must not change it."""

from __future__ import annotations

from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QDoubleSpinBox, QSpinBox


class IntegerBox(QSpinBox):
    """A field for an integer."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class DecimalBox(QDoubleSpinBox):
    """A field for a decimal number."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()
