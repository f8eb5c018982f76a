"""A combo box that looks like the other fields, with a small chevron, and that ignores the wheel."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QSize, Qt
from PySide6.QtGui import QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter


class ChoiceView(QComboBox):
    """Shows `shown_text`, which a subclass may override; text that is too long is elided in the middle."""

    def shown_text(self) -> str:
        """Return the words on the closed box."""
        return self.currentText()

    def sizeHint(self) -> QSize:
        # The style leaves no room for our own chevron.
        return super().sizeHint() + QSize(16, 0)

    def minimumSizeHint(self) -> QSize:
        return super().minimumSizeHint() + QSize(16, 0)

    def wheelEvent(self, event: QWheelEvent) -> None:
        # Scrolling the page past a choice must not change it.
        event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        field = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        option.currentText = self.fontMetrics().elidedText(
            self.shown_text(), Qt.TextElideMode.ElideMiddle, field.width() - 2
        )
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.setRenderHint(QStylePainter.RenderHint.Antialiasing)
        pen = QPen(painter.pen().color(), 1.8)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        x, y = self.width() - 16.0, self.height() / 2 - 1.5
        painter.drawPolyline([QPointF(x - 4, y), QPointF(x, y + 4), QPointF(x + 4, y)])
        painter.end()
