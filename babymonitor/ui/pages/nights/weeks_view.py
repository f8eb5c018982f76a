"""The last weeks as bars: how long the child cried each night."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from babymonitor.core.history.night import NightReport
from babymonitor.ui.parts.theme import current_theme
from babymonitor.ui.parts.wording import day_text, minutes_text

_MOST_NIGHTS = 28


class WeeksView(QWidget):
    """One bar for each night, the newest at the right; a click opens the night."""

    night_chosen = Signal(float)
    """The Unix second at which the clicked night began."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reports: list[NightReport] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Crying in the last weeks"))

    def set_reports(self, reports: Sequence[NightReport]) -> None:
        """Show these nights, given with the newest first."""
        self._reports = list(reversed(reports[:_MOST_NIGHTS]))
        self.setAccessibleDescription(self.accessible_text())
        self.update()

    def accessible_text(self) -> str:
        """Return the picture in words."""
        parts = [
            f"{day_text(report.night.began)}: {minutes_text(report.crying_seconds / 60)}" for report in self._reports
        ]
        return ", ".join(parts)

    def sizeHint(self) -> QSize:
        return QSize(500, round(current_theme().text_px * 10.8))

    def minimumSizeHint(self) -> QSize:
        return QSize(300, self.sizeHint().height())

    def _slot_px(self) -> float:
        return min(64.0, self.width() / max(1, len(self._reports)))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = current_theme()
        c, px = theme.colours, theme.text_px
        font = self.font()
        font.setPixelSize(px - 2)
        painter.setFont(font)
        line = px * 1.4
        ground = self.height() - line - 2
        most = max([report.crying_seconds for report in self._reports], default=0.0) or 60.0
        slot = self._slot_px()
        word = painter.fontMetrics().horizontalAdvance("00 MMM")
        every = max(1, -(-word // max(1, int(slot))))
        for index, report in enumerate(self._reports):
            middle = (index + 0.5) * slot
            height = max(2.0, report.crying_seconds / most * (ground - line * 1.1))
            width = min(26.0, slot * 0.6)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(c.accent))
            painter.drawRoundedRect(QRectF(middle - width / 2, ground - height, width, height), 3, 3)
            painter.setPen(QColor(c.text))
            number = f"{report.crying_seconds / 60:.0f}"
            above = QRectF(middle - slot, ground - height - line, 2 * slot, line)
            painter.drawText(above, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter, number)
            if (len(self._reports) - 1 - index) % every == 0:
                painter.setPen(QColor(c.muted))
                below = QRectF(middle - word, ground + 4, 2 * word, line)
                painter.drawText(below, Qt.AlignmentFlag.AlignHCenter, day_text(report.night.began, "d MMM"))
        painter.setPen(QColor(c.line))
        painter.drawLine(QPointF(0, ground), QPointF(slot * len(self._reports), ground))
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = int(event.position().x() // self._slot_px())
        if 0 <= index < len(self._reports):
            self.night_chosen.emit(self._reports[index].night.began)
