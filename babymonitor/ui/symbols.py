"""The small drawings of the app, as strokes on a 24 × 24 grid in any colour and size.

Drawn rather than loaded, so that they follow the theme, stay sharp at every scale, and cost nothing at the start.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap

_STROKE = 2.0


def _listening(painter: QPainter) -> None:
    """A source with waves on both sides."""
    _dot(painter, 12, 12, 2.6)
    for radius in (6.2, 10.0):
        box = QRectF(12 - radius, 12 - radius, 2 * radius, 2 * radius)
        for start in (-50, 130):
            painter.drawArc(box, start * 16, 100 * 16)


def _voice(painter: QPainter) -> None:
    """A speech bubble: the child talks."""
    path = QPainterPath()
    path.addRoundedRect(QRectF(2.5, 3.5, 19, 13), 5, 5)
    painter.drawPath(path)
    painter.drawPolyline([QPointF(8, 16.5), QPointF(7, 21), QPointF(12.5, 16.5)])
    for x in (8.0, 12.0, 16.0):
        _dot(painter, x, 10, 1.2)


def _crying(painter: QPainter) -> None:
    """A bell that rings."""
    path = QPainterPath(QPointF(5, 17))
    path.cubicTo(QPointF(7.5, 14), QPointF(5.5, 5), QPointF(12, 5))
    path.cubicTo(QPointF(18.5, 5), QPointF(16.5, 14), QPointF(19, 17))
    path.closeSubpath()
    painter.drawPath(path)
    painter.drawArc(QRectF(9.5, 16.5, 5, 5), 180 * 16, 180 * 16)
    painter.drawLine(QPointF(12, 5), QPointF(12, 3))
    painter.drawArc(QRectF(0.5, 3, 7, 7), 100 * 16, 80 * 16)
    painter.drawArc(QRectF(16.5, 3, 7, 7), 0, 80 * 16)


def _fault(painter: QPainter) -> None:
    """A warning triangle."""
    path = QPainterPath(QPointF(12, 3))
    path.lineTo(22, 20.5)
    path.lineTo(2, 20.5)
    path.closeSubpath()
    painter.drawPath(path)
    painter.drawLine(QPointF(12, 9.5), QPointF(12, 14))
    _dot(painter, 12, 17.3, 1.3)


def _muted(painter: QPainter) -> None:
    """A microphone, struck through."""
    _microphone(painter)
    painter.drawLine(QPointF(3.5, 3), QPointF(20.5, 21))


def _microphone(painter: QPainter) -> None:
    path = QPainterPath()
    path.addRoundedRect(QRectF(8.8, 2.5, 6.4, 11.5), 3.2, 3.2)
    painter.drawPath(path)
    painter.drawArc(QRectF(5.3, 4.5, 13.4, 13.4), 180 * 16, 180 * 16)
    painter.drawLine(QPointF(12, 18), QPointF(12, 21.5))


def _moon(painter: QPainter) -> None:
    path = QPainterPath()
    path.addEllipse(QRectF(3, 3, 18, 18))
    bite = QPainterPath()
    bite.addEllipse(QRectF(9.5, 0.5, 16, 16))
    painter.drawPath(path.subtracted(bite))


def _stopped(painter: QPainter) -> None:
    """A square in a ring."""
    painter.drawEllipse(QRectF(2.5, 2.5, 19, 19))
    painter.fillRect(QRectF(8.5, 8.5, 7, 7), painter.pen().color())


def _starting(painter: QPainter) -> None:
    """A ring that is not closed yet."""
    painter.drawArc(QRectF(3, 3, 18, 18), 90 * 16, -270 * 16)
    _dot(painter, 12, 12, 2.2)


def _waves(painter: QPainter) -> None:
    """Bars of sound: the Monitor page."""
    for x, half in ((4, 2.5), (8, 6), (12, 9), (16, 5), (20, 2.5)):
        painter.drawLine(QPointF(x, 12 - half), QPointF(x, 12 + half))


def _timeline(painter: QPainter) -> None:
    """Blocks on lanes: the Nights page."""
    for y, stretches in ((6, ((3, 8), (14, 21))), (12, ((8, 12),)), (18, ((3, 5), (12, 21)))):
        for left, right in stretches:
            painter.drawLine(QPointF(left, y), QPointF(right, y))


def _sliders(painter: QPainter) -> None:
    """Settings."""
    for y, x in ((6, 15), (12, 8), (18, 13)):
        painter.drawLine(QPointF(3, y), QPointF(x - 3, y))
        painter.drawLine(QPointF(x + 3, y), QPointF(21, y))
        painter.drawEllipse(QPointF(x, y), 2.4, 2.4)


def _play(painter: QPainter) -> None:
    path = QPainterPath(QPointF(7, 4))
    path.lineTo(20, 12)
    path.lineTo(7, 20)
    path.closeSubpath()
    painter.fillPath(path, painter.pen().color())


def _stop(painter: QPainter) -> None:
    painter.fillRect(QRectF(5, 5, 14, 14), painter.pen().color())


def _snooze(painter: QPainter) -> None:
    """A clock."""
    painter.drawEllipse(QRectF(3, 3, 18, 18))
    painter.drawPolyline([QPointF(12, 7), QPointF(12, 12.5), QPointF(16, 14.5)])


def _bell(painter: QPainter) -> None:
    path = QPainterPath(QPointF(4.5, 17))
    path.cubicTo(QPointF(7.5, 13), QPointF(5, 4), QPointF(12, 4))
    path.cubicTo(QPointF(19, 4), QPointF(16.5, 13), QPointF(19.5, 17))
    path.closeSubpath()
    painter.drawPath(path)
    painter.drawArc(QRectF(9.5, 16.5, 5, 5), 180 * 16, 180 * 16)


def _check(painter: QPainter) -> None:
    painter.drawPolyline([QPointF(4, 13), QPointF(9.5, 18.5), QPointF(20, 6)])


def _cross(painter: QPainter) -> None:
    painter.drawLine(QPointF(6, 6), QPointF(18, 18))
    painter.drawLine(QPointF(18, 6), QPointF(6, 18))


def _dot(painter: QPainter, x: float, y: float, radius: float) -> None:
    path = QPainterPath()
    path.addEllipse(QPointF(x, y), radius, radius)
    painter.fillPath(path, painter.pen().color())


_DRAWINGS: dict[str, Callable[[QPainter], None]] = {
    "listening": _listening,
    "voice": _voice,
    "crying": _crying,
    "fault": _fault,
    "muted": _muted,
    "microphone": _microphone,
    "moon": _moon,
    "stopped": _stopped,
    "starting": _starting,
    "waves": _waves,
    "timeline": _timeline,
    "sliders": _sliders,
    "play": _play,
    "stop": _stop,
    "snooze": _snooze,
    "bell": _bell,
    "check": _check,
    "cross": _cross,
}


def paint_symbol(painter: QPainter, name: str, box: QRectF, colour: str) -> None:
    """Draw a symbol into a square box."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(box.topLeft())
    painter.scale(box.width() / 24.0, box.height() / 24.0)
    pen = QPen(QColor(colour), _STROKE, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    _DRAWINGS[name](painter)
    painter.restore()


def symbol_pixmap(name: str, colour: str, size: int, ratio: float = 1.0, gap: int = 0) -> QPixmap:
    """A symbol with `gap` empty pixels at its right: a button's text stands too close otherwise."""
    pixmap = QPixmap(round((size + gap) * ratio), round(size * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    paint_symbol(painter, name, QRectF(0, 0, size, size), colour)
    painter.end()
    return pixmap


def symbol_icon(name: str, colour: str, checked_colour: str | None = None, size: int = 24, gap: int = 0) -> QIcon:
    """An icon, with a second colour for the checked state of a button."""
    icon = QIcon()
    for ratio in (1.0, 2.0):
        icon.addPixmap(symbol_pixmap(name, colour, size, ratio, gap))
        if checked_colour is not None:
            pixmap = symbol_pixmap(name, checked_colour, size, ratio, gap)
            icon.addPixmap(pixmap, QIcon.Mode.Normal, QIcon.State.On)
    return icon
