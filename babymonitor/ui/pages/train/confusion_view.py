"""A confusion matrix: what clips are, against what a model took them for."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from babymonitor.core.labels import label
from babymonitor.ui.parts.theme import current_theme
from babymonitor.ui.parts.wording import label_title


class ConfusionView(QWidget):
    """Rows are the true labels, columns the model's; the larger its share of a row, the darker a cell."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._labels: list[str] = []
        self._table: list[list[int]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_table(self, title: str, labels: Sequence[str], table: Sequence[Sequence[int]]) -> None:
        """Show counts, (true label, model's label) in the order of `labels`.

        The caller leaves out labels that never occur.
        """
        self._labels, self._table = list(labels), [list(map(int, row)) for row in table]
        self.setAccessibleName(title)
        self.setAccessibleDescription(self.accessible_text())
        self.setToolTip(self.accessible_text().replace("; ", "\n"))
        self.updateGeometry()
        self.update()

    def accessible_text(self) -> str:
        """Return the picture in words, row by row."""
        rows = []
        for name, row in zip(self._labels, self._table, strict=True):
            parts = [f"{label_title(answer)} {n}" for answer, n in zip(self._labels, row, strict=True) if n]
            if parts:
                rows.append(self.tr("{label} was taken for: {parts}").format(
                    label=label_title(name), parts=", ".join(parts)))  # fmt: skip
        return "; ".join(rows)

    def _cell_px(self) -> int:
        return round(current_theme().text_px * 2.0)

    def sizeHint(self) -> QSize:
        return QSize(300, (len(self._labels) + 1) * self._cell_px() + 4)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._labels:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        c, cell = current_theme().colours, self._cell_px()
        font = self.font()
        font.setPixelSize(current_theme().text_px - 1)
        painter.setFont(font)
        count = len(self._labels)
        metrics = painter.fontMetrics()
        widest = max(metrics.horizontalAdvance(f"{label(n).icon} {label_title(n)}") for n in self._labels) + 12
        names = min(widest, self.width() * 0.45)
        width = min(cell * 2.2, (self.width() - names) / count)
        for index, name in enumerate(self._labels):
            middle = names + (index + 0.5) * width
            painter.setPen(QColor(c.muted))
            head = QRectF(middle - width / 2, 0, width, cell)
            painter.drawText(head, Qt.AlignmentFlag.AlignCenter, label(name).icon)
            top = (index + 1) * cell
            painter.setPen(QColor(c.text))
            text = metrics.elidedText(
                f"{label(name).icon} {label_title(name)}", Qt.TextElideMode.ElideRight, int(names - 8)
            )
            painter.drawText(QRectF(0, top, names - 8, cell), Qt.AlignmentFlag.AlignVCenter, text)
        for row, counts in enumerate(self._table):
            items = max(1, sum(counts))
            for column, number in enumerate(counts):
                self._paint_cell(
                    painter,
                    QRectF(names + column * width + 1, (row + 1) * cell + 1, width - 2, cell - 2),
                    number,
                    number / items,
                    row == column,
                )
        painter.end()

    def _paint_cell(self, painter: QPainter, box: QRectF, number: int, share: float, is_right: bool) -> None:
        c = current_theme().colours
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(c.sunken))
        painter.drawRoundedRect(box, 4, 4)
        if number:
            fill = QColor(c.accent if is_right else c.muted)
            fill.setAlphaF(0.18 + 0.62 * share)
            painter.setBrush(fill)
            painter.drawRoundedRect(box, 4, 4)
        if is_right:
            # A frame, because colour alone must not tell right from wrong.
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QColor(c.accent))
            painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        if number:
            is_dense = share > 0.55
            painter.setPen(QColor((c.on_accent if is_right else c.surface) if is_dense else c.text))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(number))
