"""A night as lanes over the hours: crying, laughing, babbling, quiet, and when nobody listened.

Lanes rather than one coloured strip, so that a block's place says what it is to people who see few colours too.
"""

from __future__ import annotations

import time

from PySide6.QtCore import QCoreApplication, QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from babymonitor.core.history.night import BABBLING, CRYING, DEAF, LANES, LAUGHING, QUIET, NightReport
from babymonitor.ui.parts.theme import current_theme
from babymonitor.ui.parts.wording import clock_text, duration_text

_SHORTEST_HOURS = 8.0
_LEAST_BLOCK_PX = 3.0


def lane_title(kind: str) -> str:
    """Return the title of a lane."""
    return {
        CRYING: QCoreApplication.translate("Timeline", "Crying"),
        LAUGHING: QCoreApplication.translate("Timeline", "Laughing"),
        BABBLING: QCoreApplication.translate("Timeline", "Babbling"),
        QUIET: QCoreApplication.translate("Timeline", "Quiet"),
        DEAF: QCoreApplication.translate("Timeline", "Not listening"),
    }[kind]


class TimelineView(QWidget):
    """Shows alerts as triangles above the lanes; a click near an alert chooses it."""

    alert_chosen = Signal(int)
    """The id of the alert that was clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._report: NightReport | None = None
        self._selected = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("The night as a timeline"))

    def set_report(self, report: NightReport | None) -> None:
        """Show a night; None for nothing."""
        self._report = report
        self.setAccessibleDescription(self.accessible_text())
        self.update()

    def select_alert(self, id: int) -> None:
        """Mark the alert with this id."""
        self._selected = id
        self.update()

    def accessible_text(self) -> str:
        """Return the picture in words."""
        if self._report is None or self._report.is_empty:
            return self.tr("Nothing is known of this night.")
        parts = []
        for kind in (CRYING, DEAF):
            for stretch in self._report.stretches:
                if stretch.kind == kind:
                    parts.append(f"{lane_title(kind)} {clock_text(stretch.began)}–{clock_text(stretch.ended)}")
        known = f"{clock_text(self._report.first)}–{clock_text(self._report.last)}"
        return ", ".join([known, *parts])

    def sizeHint(self) -> QSize:
        return QSize(500, round(current_theme().text_px * (1.0 + len(LANES) * 1.62 + 1.7)))

    def minimumSizeHint(self) -> QSize:
        return QSize(300, self.sizeHint().height())

    def _span(self, report: NightReport) -> tuple[float, float]:
        """Return the first and last Unix second that are drawn: full hours, and at least eight of them."""
        first, last = report.first, report.last
        short = _SHORTEST_HOURS * 3600 - (last - first)
        if short > 0:
            last += short
        offset = time.localtime(first).tm_gmtoff % 3600
        first = (first + offset) // 3600 * 3600 - offset
        last = -(-(last + offset) // 3600) * 3600 - offset
        return first, last

    def _plot(self) -> QRectF:
        px = current_theme().text_px
        left = self.fontMetrics().horizontalAdvance(lane_title(DEAF)) + px
        # Half of the last hour's label extends beyond the lanes.
        beyond = self.fontMetrics().horizontalAdvance("00:00") / 2
        return QRectF(left, px, max(10.0, self.width() - left - beyond), len(LANES) * px * 1.62)

    def _x_of(self, moment: float, span: tuple[float, float], plot: QRectF) -> float:
        return plot.left() + (moment - span[0]) / (span[1] - span[0]) * plot.width()

    def _lane(self, kind: str, plot: QRectF) -> QRectF:
        height = plot.height() / len(LANES)
        return QRectF(plot.left(), plot.top() + LANES.index(kind) * height + 2, plot.width(), height - 4)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        plot = self._plot()
        self._paint_lanes(painter, plot)
        if self._report is not None and not self._report.is_empty:
            span = self._span(self._report)
            self._paint_hours(painter, plot, span)
            self._paint_stretches(painter, plot, span, self._report)
            self._paint_alerts(painter, plot, span, self._report)
        painter.end()

    def _paint_lanes(self, painter: QPainter, plot: QRectF) -> None:
        c = current_theme().colours
        for kind in LANES:
            lane = self._lane(kind, plot)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(c.sunken))
            painter.drawRoundedRect(lane, 4, 4)
            painter.setPen(QColor(c.muted))
            words = QRectF(0, lane.top(), plot.left() - 10, lane.height())
            painter.drawText(words, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, lane_title(kind))

    def _paint_hours(self, painter: QPainter, plot: QRectF, span: tuple[float, float]) -> None:
        c = current_theme().colours
        hours = round((span[1] - span[0]) / 3600)
        word = self.fontMetrics().horizontalAdvance("00:00") + current_theme().text_px
        step = next(step for step in (1, 2, 3, 4, 6, 12, 24) if hours / step * word <= plot.width() or step == 24)
        for hour in range(0, hours + 1, step):
            moment = span[0] + 3600 * hour
            x = self._x_of(moment, span, plot)
            painter.setPen(QPen(QColor(c.line), 1))
            painter.drawLine(round(x), round(plot.top()), round(x), round(plot.bottom()))
            painter.setPen(QColor(c.muted))
            box = QRectF(x - word / 2, plot.bottom() + 4, word, current_theme().text_px * 1.5)
            painter.drawText(box, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, clock_text(moment))

    def _colour(self, kind: str) -> QColor:
        if kind == DEAF:
            return QColor(current_theme().colours.fault if current_theme().is_dark else current_theme().colours.text)
        if kind == QUIET:
            return QColor(current_theme().colours.muted)
        if kind == CRYING:
            return QColor(current_theme().colours.cry)
        return QColor(current_theme().label_colour("happy" if kind == LAUGHING else "natural"))

    def _paint_stretches(self, painter: QPainter, plot: QRectF, span: tuple[float, float], report: NightReport) -> None:
        for stretch in report.stretches:
            lane = self._lane(stretch.kind, plot)
            left, right = self._x_of(stretch.began, span, plot), self._x_of(stretch.ended, span, plot)
            right = max(right, left + _LEAST_BLOCK_PX)
            block = QRectF(left, lane.top(), right - left, lane.height())
            colour = self._colour(stretch.kind)
            painter.setPen(Qt.PenStyle.NoPen)
            if stretch.kind == QUIET:
                # The usual state stays in the background, as a thin line.
                block.adjust(0, lane.height() * 0.38, 0, -lane.height() * 0.38)
            if stretch.kind == DEAF:
                painter.setPen(QPen(colour, 1))
                painter.setBrush(QBrush(colour, Qt.BrushStyle.BDiagPattern))
            else:
                painter.setBrush(colour)
            radius = min(3.0, block.width() / 2)
            painter.drawRoundedRect(block, radius, radius)

    def _paint_alerts(self, painter: QPainter, plot: QRectF, span: tuple[float, float], report: NightReport) -> None:
        c, px = current_theme().colours, current_theme().text_px
        for alert in report.alerts:
            x = self._x_of(alert.began, span, plot)
            is_selected = alert.id == self._selected
            half = px * (0.5 if is_selected else 0.36)
            tip = plot.top() + 1
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(c.text if is_selected else c.cry))
            top = tip - 1.7 * half
            painter.drawPolygon(QPolygonF([QPointF(x, tip), QPointF(x - half, top), QPointF(x + half, top)]))
            if is_selected:
                painter.setPen(QPen(QColor(c.text), 1))
                painter.drawLine(round(x), round(tip), round(x), round(plot.bottom()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._report is None or not self._report.alerts:
            return
        plot, span = self._plot(), self._span(self._report)
        x = event.position().x()
        nearest = min(self._report.alerts, key=lambda alert: abs(self._x_of(alert.began, span, plot) - x))
        if abs(self._x_of(nearest.began, span, plot) - x) <= 24:
            self.alert_chosen.emit(nearest.id)

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self._report is not None:
            QToolTip.showText(event.globalPos(), self._tip_at(event.pos().x(), event.pos().y()), self)
            return True
        return super().event(event)

    def _tip_at(self, x: float, y: float) -> str:
        assert self._report is not None
        plot, span = self._plot(), self._span(self._report)
        for stretch in self._report.stretches:
            lane = self._lane(stretch.kind, plot)
            left = self._x_of(stretch.began, span, plot)
            right = max(self._x_of(stretch.ended, span, plot), left + _LEAST_BLOCK_PX)
            if left <= x <= right and lane.top() <= y <= lane.bottom():
                lasted = duration_text(stretch.ended - stretch.began)
                times = f"{clock_text(stretch.began)}–{clock_text(stretch.ended)}"
                return f"{lane_title(stretch.kind)}  {times}  ({lasted})"
        return ""
