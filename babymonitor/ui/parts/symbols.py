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


def _tag(painter: QPainter) -> None:
    """A label on a string: the page Record & label."""
    path = QPainterPath(QPointF(3, 3.5))
    path.lineTo(12, 3.5)
    path.lineTo(21.5, 13)
    path.lineTo(13, 21.5)
    path.lineTo(3, 12)
    path.closeSubpath()
    painter.drawPath(path)
    _dot(painter, 8, 8.5, 1.7)


def _train(painter: QPainter) -> None:
    """A curve that climbs: the page Train."""
    painter.drawPolyline([QPointF(3, 3), QPointF(3, 21), QPointF(21.5, 21)])
    path = QPainterPath(QPointF(6.5, 17))
    path.cubicTo(QPointF(9.5, 8), QPointF(14, 7.5), QPointF(20, 5.5))
    painter.drawPath(path)
    _dot(painter, 20, 5.5, 1.9)


def _record(painter: QPainter) -> None:
    _dot(painter, 12, 12, 8)


def _keep(painter: QPainter) -> None:
    """A clock that runs backwards: what was heard already."""
    painter.drawArc(QRectF(3.5, 3.5, 17, 17), 160 * 16, -310 * 16)
    painter.drawPolyline([QPointF(3.2, 4), QPointF(3.6, 9.4), QPointF(9, 9)])
    painter.drawPolyline([QPointF(12, 7.5), QPointF(12, 12.5), QPointF(15.5, 14.3)])


def _into(painter: QPainter) -> None:
    """An arrow into a tray."""
    painter.drawLine(QPointF(12, 3), QPointF(12, 14.5))
    painter.drawPolyline([QPointF(7, 10), QPointF(12, 15), QPointF(17, 10)])
    painter.drawPolyline([QPointF(3.5, 15), QPointF(3.5, 20.5), QPointF(20.5, 20.5), QPointF(20.5, 15)])


def _out(painter: QPainter) -> None:
    """An arrow out of a tray."""
    painter.drawLine(QPointF(12, 3.5), QPointF(12, 15))
    painter.drawPolyline([QPointF(7, 8), QPointF(12, 3), QPointF(17, 8)])
    painter.drawPolyline([QPointF(3.5, 15), QPointF(3.5, 20.5), QPointF(20.5, 20.5), QPointF(20.5, 15)])


def _loop(painter: QPainter) -> None:
    """Two arrows that chase each other."""
    painter.drawPolyline([QPointF(4, 11), QPointF(4, 7), QPointF(19, 7)])
    painter.drawPolyline([QPointF(16, 3.5), QPointF(19.5, 7), QPointF(16, 10.5)])
    painter.drawPolyline([QPointF(20, 13), QPointF(20, 17), QPointF(5, 17)])
    painter.drawPolyline([QPointF(8, 13.5), QPointF(4.5, 17), QPointF(8, 20.5)])


def _plus(painter: QPainter) -> None:
    painter.drawLine(QPointF(12, 5), QPointF(12, 19))
    painter.drawLine(QPointF(5, 12), QPointF(19, 12))


def _minus(painter: QPainter) -> None:
    painter.drawLine(QPointF(5, 12), QPointF(19, 12))


def _fit(painter: QPainter) -> None:
    """Arrows to both edges."""
    painter.drawLine(QPointF(2.5, 4), QPointF(2.5, 20))
    painter.drawLine(QPointF(21.5, 4), QPointF(21.5, 20))
    painter.drawLine(QPointF(6.5, 12), QPointF(17.5, 12))
    painter.drawPolyline([QPointF(9.5, 8.5), QPointF(6, 12), QPointF(9.5, 15.5)])
    painter.drawPolyline([QPointF(14.5, 8.5), QPointF(18, 12), QPointF(14.5, 15.5)])


def _trim(painter: QPainter) -> None:
    """Brackets around what stays."""
    painter.drawPolyline([QPointF(9, 3.5), QPointF(6, 3.5), QPointF(6, 20.5), QPointF(9, 20.5)])
    painter.drawPolyline([QPointF(15, 3.5), QPointF(18, 3.5), QPointF(18, 20.5), QPointF(15, 20.5)])
    painter.drawLine(QPointF(10.5, 9.5), QPointF(10.5, 14.5))
    painter.drawLine(QPointF(13.5, 8), QPointF(13.5, 16))
    for x in (2.0, 22.0):
        _dot(painter, x, 12, 1.1)


def _undo(painter: QPainter) -> None:
    path = QPainterPath(QPointF(5, 9))
    path.lineTo(14.5, 9)
    path.cubicTo(QPointF(22, 9), QPointF(22, 19.5), QPointF(14.5, 19.5))
    path.lineTo(10, 19.5)
    painter.drawPath(path)
    painter.drawPolyline([QPointF(9, 4.5), QPointF(4.5, 9), QPointF(9, 13.5)])


def _redo(painter: QPainter) -> None:
    painter.translate(24, 0)
    painter.scale(-1, 1)
    _undo(painter)


def _bin(painter: QPainter) -> None:
    """A waste bin."""
    painter.drawLine(QPointF(4, 6.5), QPointF(20, 6.5))
    painter.drawPolyline([QPointF(9, 6), QPointF(9, 3.2), QPointF(15, 3.2), QPointF(15, 6)])
    painter.drawPolyline([QPointF(6, 6.5), QPointF(7, 21), QPointF(17, 21), QPointF(18, 6.5)])


def _help(painter: QPainter) -> None:
    """A question mark."""
    path = QPainterPath(QPointF(7.5, 8.5))
    path.cubicTo(QPointF(7.5, 2), QPointF(17, 2), QPointF(16.5, 8))
    path.cubicTo(QPointF(16.3, 11.5), QPointF(12, 11.5), QPointF(12, 15.5))
    painter.drawPath(path)
    _dot(painter, 12, 20.2, 1.5)


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
    "tag": _tag,
    "train": _train,
    "record": _record,
    "keep": _keep,
    "into": _into,
    "out": _out,
    "loop": _loop,
    "plus": _plus,
    "minus": _minus,
    "fit": _fit,
    "trim": _trim,
    "undo": _undo,
    "redo": _redo,
    "bin": _bin,
    "help": _help,
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
