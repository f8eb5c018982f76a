"""What has been collected of each label, as bars against what training wants, and in words."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPaintEvent
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from babymonitor.core.labels import label
from babymonitor.core.library.library import FEWEST_CLIPS, GOOD_CLIPS, LabelHealth
from babymonitor.ui.parts.theme import LIGHT, Theme
from babymonitor.ui.parts.wording import duration_text, label_title, minutes_text, translated


class HealthView(QFrame):
    """A bar a label, and one sentence on what to record next."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._title = QLabel(self.tr("What there is"), self)
        self._title.setProperty("role", "title")
        self.advice_label = QLabel(self)
        self.advice_label.setWordWrap(True)
        self.advice_label.setTextFormat(Qt.TextFormat.PlainText)
        self.advice_label.setAccessibleName(self.tr("What to record next"))
        self.bars = HealthBars(self)
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self.bars)
        area.setAccessibleName(self.bars.accessibleName())
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 10, 12)
        column.setSpacing(6)
        column.addWidget(self._title)
        column.addWidget(self.advice_label)
        column.addWidget(area, 1)

    def set_theme(self, theme: Theme) -> None:
        self.bars.set_theme(theme)

    def show_health(self, found: Sequence[LabelHealth], advice: str) -> None:
        """What there is of each label, and what to record next."""
        self.bars.set_health(found)
        self.advice_label.setText(translated(advice))


class HealthBars(QWidget):
    """Clips of each label on one scale, from none to good."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = LIGHT
        self._found: list[LabelHealth] = []
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Clips of each label"))
        self.setToolTip(
            self.tr("Training from the beginning wants {least} clips of a label; {good} are good.").format(
                least=FEWEST_CLIPS, good=GOOD_CLIPS
            )
        )

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.updateGeometry()
        self.update()

    def set_health(self, found: Sequence[LabelHealth]) -> None:
        self._found = list(found)
        self.setAccessibleDescription(self.accessible_text())
        self.updateGeometry()
        self.update()

    def words(self, one: LabelHealth) -> str:
        """How far it is, in words."""
        if one.clips == 0:
            return self.tr("none yet")
        if one.state == "good":
            return self.tr("good")
        if one.state == "enough":
            return self.tr("enough, {n} to good").format(n=GOOD_CLIPS - one.clips)
        if one.clips < FEWEST_CLIPS:
            return self.tr("{n} to go").format(n=FEWEST_CLIPS - one.clips)
        return self.tr("from more nights")

    def detail(self, one: LabelHealth) -> str:
        """Minutes, nights and babies in words."""
        if one.clips == 0:
            return ""
        nights = self.tr("1 night") if one.nights == 1 else self.tr("{n} nights").format(n=one.nights)
        length = minutes_text(one.minutes) if one.minutes >= 1 else duration_text(60 * one.minutes)
        parts = [length, nights]
        if one.babies:
            parts.append(self.tr("1 baby") if one.babies == 1 else self.tr("{n} babies").format(n=one.babies))
        return " · ".join(parts)

    def accessible_text(self) -> str:
        """What the picture says, in words."""
        sentences = []
        for one in self._found:
            clips = self.tr("{n} clips").format(n=one.clips)
            parts = (f"{label_title(one.label)} {clips}", self.detail(one), self.words(one))
            sentences.append(", ".join(part for part in parts if part))
        return ". ".join(sentences)

    def _row_px(self) -> int:
        return round(self._theme.text_px * 4.1)

    def sizeHint(self) -> QSize:
        return QSize(self._theme.text_px * 17, self._row_px() * len(self._found) + 4)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.text_px * 13, self._row_px() * len(self._found) + 4)

    def _font(self, scale: float, bold: bool = False) -> QFont:
        font = self.font()
        font.setPixelSize(round(self._theme.text_px * scale))
        font.setBold(bold)
        return font

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for at, one in enumerate(self._found):
            self._paint_row(painter, one, QRectF(0, at * self._row_px(), self.width() - 6, self._row_px()))
        painter.end()

    def _paint_row(self, painter: QPainter, one: LabelHealth, row: QRectF) -> None:
        c, px = self._theme.colours, self._theme.text_px
        colour = QColor(self._theme.label_colour(one.label))
        left, right, middle = (
            Qt.AlignmentFlag.AlignLeft,
            Qt.AlignmentFlag.AlignRight,
            Qt.AlignmentFlag.AlignVCenter,
        )
        line = QRectF(row.left(), row.top() + px * 0.25, row.width(), px * 1.45)
        painter.setFont(self._font(1.0, bold=True))
        painter.setPen(QColor(c.text if one.clips else c.muted))
        painter.drawText(line, right | middle, str(one.clips))
        used = painter.fontMetrics().horizontalAdvance(str(one.clips)) + 10
        painter.setFont(self._font(1.0))
        box = line.adjusted(px * 1.5, 0, -used, 0)
        title = painter.fontMetrics().elidedText(label_title(one.label), Qt.TextElideMode.ElideRight, int(box.width()))
        painter.drawText(box, left | middle, title)
        painter.setFont(self._font(0.9))
        painter.setPen(colour)
        painter.drawText(QRectF(line.left(), line.top(), px * 1.2, line.height()), left | middle, label(one.label).icon)
        bar = QRectF(row.left(), line.bottom() + 2, row.width(), px * 0.55)
        track = QPainterPath()
        track.addRoundedRect(bar, bar.height() / 2, bar.height() / 2)
        painter.fillPath(track, QColor(c.sunken))
        painter.save()
        painter.setClipPath(track)
        share = min(1.0, one.clips / GOOD_CLIPS)
        painter.fillRect(QRectF(bar.left(), bar.top(), share * bar.width(), bar.height()), colour)
        painter.restore()
        mark = bar.left() + bar.width() * FEWEST_CLIPS / GOOD_CLIPS
        painter.fillRect(QRectF(mark - 1, bar.top() - 2, 2, bar.height() + 4), QColor(c.text))
        below = QRectF(row.left(), bar.bottom() + 2, row.width(), px * 1.3)
        painter.setFont(self._font(0.86))
        painter.setPen(QColor(c.muted))
        words = self.words(one)
        painter.drawText(below, right | middle, words)
        room = int(below.width() - painter.fontMetrics().horizontalAdvance(words) - 8)
        detail = painter.fontMetrics().elidedText(self.detail(one), Qt.TextElideMode.ElideRight, room)
        painter.drawText(below, left | middle, detail)
