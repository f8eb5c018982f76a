"""A switch for on and off, told apart by the knob's place and a tick as well as by colour."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QCheckBox


class SwitchView(QCheckBox):
    """A check box drawn as a switch. Its colours come from the palette, which follows the theme."""

    def sizeHint(self) -> QSize:
        return QSize(50, 30)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def hitButton(self, pos: object) -> bool:
        return True

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        palette = self.palette()
        track = QRectF(2, (self.height() - 24) / 2, 46, 24)
        is_on = self.isChecked()
        ground = palette.color(QPalette.ColorRole.Highlight if is_on else QPalette.ColorRole.AlternateBase)
        edge = palette.color(QPalette.ColorRole.WindowText if self.hasFocus() else QPalette.ColorRole.Mid)
        painter.setPen(QPen(ground if is_on and not self.hasFocus() else edge, 2 if self.hasFocus() else 1))
        painter.setBrush(ground)
        painter.drawRoundedRect(track, 12, 12)
        knob = QPointF(track.right() - 12 if is_on else track.left() + 12, track.center().y())
        painter.setPen(Qt.PenStyle.NoPen)
        role = QPalette.ColorRole.HighlightedText if is_on else QPalette.ColorRole.PlaceholderText
        painter.setBrush(palette.color(role))
        painter.drawEllipse(knob, 8, 8)
        if is_on:
            painter.setPen(QPen(ground, 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
            painter.drawPolyline([knob + QPointF(-3.5, 0), knob + QPointF(-1, 2.8), knob + QPointF(3.5, -2.8)])
        painter.end()
