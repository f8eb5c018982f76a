"""The small drawings of the app: the SVG files in `resources/icons`, in any colour and size.

Each file draws in `currentColor` on a grid of 24 × 24. A file is read and parsed once for each colour it is needed in.
"""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from babymonitor.core import paths


@cache
def _renderer(name: str, colour: str) -> QSvgRenderer:
    drawing = paths.resource("icons", f"{name}.svg").read_text(encoding="utf-8")
    return QSvgRenderer(drawing.replace("currentColor", colour).encode())


def paint_symbol(painter: QPainter, name: str, box: QRectF, colour: str) -> None:
    """Draw a symbol into a square box."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _renderer(name, colour).render(painter, box)
    painter.restore()


def symbol_pixmap(name: str, colour: str, size: int, ratio: float = 1.0, gap: int = 0) -> QPixmap:
    """Return a symbol with `gap` empty pixels at its right: a button's text stands too close otherwise."""
    pixmap = QPixmap(round((size + gap) * ratio), round(size * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    paint_symbol(painter, name, QRectF(0, 0, size, size), colour)
    painter.end()
    return pixmap


def symbol_icon(name: str, colour: str, checked_colour: str | None = None, size: int = 24, gap: int = 0) -> QIcon:
    """Return an icon, with a second colour for the checked state of a button."""
    icon = QIcon()
    for ratio in (1.0, 2.0):
        icon.addPixmap(symbol_pixmap(name, colour, size, ratio, gap))
        if checked_colour is not None:
            pixmap = symbol_pixmap(name, checked_colour, size, ratio, gap)
            icon.addPixmap(pixmap, QIcon.Mode.Normal, QIcon.State.On)
    return icon
