"""How many clips each label has, as bars against what training needs, and in words."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Slot
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from babymonitor.core.labels import label
from babymonitor.core.library.library import FEWEST_CLIPS, GOOD_CLIPS, LabelHealth
from babymonitor.ui.parts.card import Card
from babymonitor.ui.parts.text_label import text_label, wrapped_label
from babymonitor.ui.parts.theme import current_theme, follow_theme
from babymonitor.ui.parts.wording import duration_text, label_title, minutes_text, translated


class LabelCountsView(Card):
    """A bar for each label, and a sentence on what to record next."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.advice_label = wrapped_label(parent=self)
        self.advice_label.setAccessibleName(self.tr("What to record next"))
        self.bars = LabelCountBars(self)
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self.bars)
        area.setAccessibleName(self.bars.accessibleName())
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 10, 12)
        column.setSpacing(6)
        column.addWidget(text_label(self.tr("What there is"), "title", self))
        column.addWidget(self.advice_label)
        column.addWidget(area, 1)
        follow_theme(self._apply_theme)

    @Slot()
    def _apply_theme(self) -> None:
        self.setFixedWidth(round(current_theme().text_px * 19))

    def show_counts(self, counts: Sequence[LabelHealth], advice: str) -> None:
        """Show what there is of each label, and what to record next."""
        self.bars.set_counts(counts)
        self.advice_label.setText(translated(advice))


class LabelCountBars(QWidget):
    """The clips of each label on one scale, from none to good."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts: list[LabelHealth] = []
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Clips of each label"))
        self.setToolTip(
            self.tr("Training from the beginning wants {least} clips of a label; {good} are good.").format(
                least=FEWEST_CLIPS, good=GOOD_CLIPS
            )
        )

    def set_counts(self, counts: Sequence[LabelHealth]) -> None:
        """Show these labels."""
        self._counts = list(counts)
        self.setAccessibleDescription(self.accessible_text())
        self.updateGeometry()
        self.update()

    def words(self, count: LabelHealth) -> str:
        """Return how far a label is from being good."""
        if count.clips == 0:
            return self.tr("none yet")
        if count.state == "good":
            return self.tr("good")
        if count.state == "enough":
            return self.tr("enough, {n} to good").format(n=GOOD_CLIPS - count.clips)
        if count.clips < FEWEST_CLIPS:
            return self.tr("{n} to go").format(n=FEWEST_CLIPS - count.clips)
        return self.tr("from more nights")

    def detail(self, count: LabelHealth) -> str:
        """Return a label's minutes, nights and babies."""
        if count.clips == 0:
            return ""
        nights = self.tr("1 night") if count.nights == 1 else self.tr("{n} nights").format(n=count.nights)
        length = minutes_text(count.minutes) if count.minutes >= 1 else duration_text(60 * count.minutes)
        parts = [length, nights]
        if count.babies:
            parts.append(self.tr("1 baby") if count.babies == 1 else self.tr("{n} babies").format(n=count.babies))
        return " · ".join(parts)

    def accessible_text(self) -> str:
        """Return the picture in words."""
        sentences = []
        for count in self._counts:
            clips = self.tr("{n} clips").format(n=count.clips)
            parts = (f"{label_title(count.label)} {clips}", self.detail(count), self.words(count))
            sentences.append(", ".join(part for part in parts if part))
        return ". ".join(sentences)

    def _row_px(self) -> int:
        return round(current_theme().text_px * 4.1)

    def sizeHint(self) -> QSize:
        return QSize(current_theme().text_px * 17, self._row_px() * len(self._counts) + 4)

    def minimumSizeHint(self) -> QSize:
        return QSize(current_theme().text_px * 13, self._row_px() * len(self._counts) + 4)

    def _font(self, scale: float, bold: bool = False) -> QFont:
        font = self.font()
        font.setPixelSize(round(current_theme().text_px * scale))
        font.setBold(bold)
        return font

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for row, count in enumerate(self._counts):
            self._paint_row(painter, count, QRectF(0, row * self._row_px(), self.width() - 6, self._row_px()))
        painter.end()

    def _paint_row(self, painter: QPainter, count: LabelHealth, row: QRectF) -> None:
        theme = current_theme()
        c, px = theme.colours, theme.text_px
        colour = QColor(theme.label_colour(count.label))
        left, right, middle = (
            Qt.AlignmentFlag.AlignLeft,
            Qt.AlignmentFlag.AlignRight,
            Qt.AlignmentFlag.AlignVCenter,
        )
        line = QRectF(row.left(), row.top() + px * 0.25, row.width(), px * 1.45)
        painter.setFont(self._font(1.0, bold=True))
        painter.setPen(QColor(c.text if count.clips else c.muted))
        painter.drawText(line, right | middle, str(count.clips))
        used = painter.fontMetrics().horizontalAdvance(str(count.clips)) + 10
        painter.setFont(self._font(1.0))
        box = line.adjusted(px * 1.5, 0, -used, 0)
        title = painter.fontMetrics().elidedText(
            label_title(count.label), Qt.TextElideMode.ElideRight, int(box.width())
        )
        painter.drawText(box, left | middle, title)
        painter.setFont(self._font(0.9))
        painter.setPen(colour)
        painter.drawText(
            QRectF(line.left(), line.top(), px * 1.2, line.height()), left | middle, label(count.label).icon
        )
        bar = QRectF(row.left(), line.bottom() + 2, row.width(), px * 0.55)
        track = QPainterPath()
        track.addRoundedRect(bar, bar.height() / 2, bar.height() / 2)
        painter.fillPath(track, QColor(c.sunken))
        painter.save()
        painter.setClipPath(track)
        share = min(1.0, count.clips / GOOD_CLIPS)
        painter.fillRect(QRectF(bar.left(), bar.top(), share * bar.width(), bar.height()), colour)
        painter.restore()
        mark = bar.left() + bar.width() * FEWEST_CLIPS / GOOD_CLIPS
        painter.fillRect(QRectF(mark - 1, bar.top() - 2, 2, bar.height() + 4), QColor(c.text))
        below = QRectF(row.left(), bar.bottom() + 2, row.width(), px * 1.3)
        painter.setFont(self._font(0.86))
        painter.setPen(QColor(c.muted))
        words = self.words(count)
        painter.drawText(below, right | middle, words)
        room = int(below.width() - painter.fontMetrics().horizontalAdvance(words) - 8)
        detail = painter.fontMetrics().elidedText(self.detail(count), Qt.TextElideMode.ElideRight, room)
        painter.drawText(below, left | middle, detail)
