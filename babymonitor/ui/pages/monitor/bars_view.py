"""How sure the model is of each label: a bar and a number for each, and the sum that the alarm follows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from babymonitor.core.labels import LABELS, label
from babymonitor.core.model.scorer import Score
from babymonitor.core.model.sounds import other_sound
from babymonitor.ui.parts.theme import current_theme
from babymonitor.ui.parts.wording import label_title, no_baby_title, percent_text, reason_hint, sound_title

_SMALLEST_TITLE = 0.8
"""Relative to the text's size; a title that does not fit even so is elided."""
_BACKGROUND = "background"
_HELD_SECONDS = 1.0
"""The name of what else is heard stays for as long, so that it can be read."""


class BarsView(QWidget):
    """P(crying) on top, with the threshold and a hint at the reason, then every label in the model's order."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names: tuple[str, ...] = tuple(LABELS)
        self._threshold = 0.6
        self._score: Score | None = None
        self._other: str | None = None
        self._other_since = -math.inf
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("What it hears"))
        self._describe()

    @property
    def names(self) -> tuple[str, ...]:
        """The labels, in the order in which they are drawn."""
        return self._names

    @property
    def crying(self) -> float | None:
        """The P(crying) that is shown; None if nothing is."""
        return None if self._score is None else self._score.crying

    @property
    def hint(self) -> str:
        """The line beneath "Crying": the likely reason, while there is something to explain."""
        if self._score is None or self._score.crying < min(self._threshold, 0.3):
            return ""
        return reason_hint(self._score.reasons)

    def shares(self) -> dict[str, float]:
        """Return the share that each label's bar shows; empty if nothing is shown."""
        if self._score is None:
            return {}
        return {name: self._score.probabilities.get(name, 0.0) for name in self._names}

    def set_model(self, names: Sequence[str], threshold: float) -> None:
        """Show these labels, and mark the P(crying) from which it counts as crying."""
        self._names = tuple(names) or tuple(LABELS)
        self._threshold = threshold
        self.updateGeometry()
        self.update()

    def set_score(self, score: Score | None) -> None:
        """Show the last score; None if nothing is being judged."""
        self._score = score
        self._name_other(score)
        self._describe()
        self.update()

    def _name_other(self, score: Score | None) -> None:
        """Take over what else is heard, unless the name before has hardly been shown."""
        if score is None:
            self._other, self._other_since = None, -math.inf
            return
        other = other_sound(score)
        # The seconds start again from zero where something else is listened to.
        if other != self._other and not 0 <= score.seconds - self._other_since < _HELD_SECONDS:
            self._other, self._other_since = other, score.seconds

    def accessible_text(self) -> str:
        """Return the picture in words."""
        if self._score is None:
            return self.tr("Nothing is being judged now.")
        parts = [f"{self.tr('Crying')} {percent_text(self._score.crying)}"]
        if self.hint:
            parts[0] += f" ({self.hint})"
        parts += [f"{self._title(name)} {percent_text(share)}" for name, share in self.shares().items()]
        return ", ".join(parts)

    def _describe(self) -> None:
        self.setAccessibleDescription(self.accessible_text())

    def _row_px(self) -> int:
        return round(current_theme().text_px * 2.25)

    def _top_px(self) -> int:
        return round(current_theme().text_px * 5.6)

    def sizeHint(self) -> QSize:
        return QSize(current_theme().text_px * 19, self._top_px() + self._row_px() * len(self._names))

    def minimumSizeHint(self) -> QSize:
        return QSize(current_theme().text_px * 16, self._top_px() + round(0.9 * self._row_px()) * len(self._names))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_crying(painter)
        top = float(self._top_px())
        room = (self.height() - top) / max(1, len(self._names))
        row = min(room, current_theme().text_px * 5.4)
        shares, (scale, titles) = self.shares(), self.titles()
        for index, (name, title) in enumerate(titles.items()):
            box = QRectF(0, top + index * row, self.width(), row)
            self._paint_label(painter, name, shares.get(name), box, title, scale)
        painter.end()

    def _font(self, scale: float, bold: bool = False) -> QFont:
        font = self.font()
        font.setPixelSize(round(current_theme().text_px * scale))
        font.setBold(bold)
        return font

    def titles(self) -> tuple[float, dict[str, str]]:
        """Return the titles' size relative to the text, and each label's title as it is drawn."""
        scale = self._title_scale()
        metrics, room = QFontMetricsF(self._font(scale)), self._room_for_titles()
        right = Qt.TextElideMode.ElideRight
        titles = {name: self._title(name) for name in self._names}
        if self._other and _BACKGROUND in titles and metrics.horizontalAdvance(titles[_BACKGROUND]) > room:
            titles[_BACKGROUND] = sound_title(self._other)
        return scale, {name: metrics.elidedText(title, right, room) for name, title in titles.items()}

    def _title(self, name: str) -> str:
        return no_baby_title(self._other) if name == _BACKGROUND else label_title(name)

    def _room_for_titles(self) -> float:
        """Return the pixels between a label's symbol and the widest number at the end of its line."""
        number = QFontMetricsF(self._font(1.0, bold=True)).horizontalAdvance("100 %")
        return self.width() - 1.5 * current_theme().text_px - number - 8

    def _title_scale(self) -> float:
        """Return one size for all titles, relative to the text, in which the longest fits if possible."""
        metrics = QFontMetricsF(self._font(1.0))
        fits = self._room_for_titles() / max(metrics.horizontalAdvance(label_title(name)) for name in self._names)
        return max(_SMALLEST_TITLE, math.floor(current_theme().text_px * min(1.0, fits)) / current_theme().text_px)

    def _paint_crying(self, painter: QPainter) -> None:
        c, px = current_theme().colours, current_theme().text_px
        crying = self.crying
        line = QRectF(0, 0, self.width(), px * 1.7)
        is_up = crying is not None and crying >= self._threshold
        painter.setFont(self._font(1.25, bold=True))
        painter.setPen(QColor(c.text))
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, self.tr("Crying"))
        number = "–" if crying is None else percent_text(crying)
        painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, number)
        bar = QRectF(0, line.bottom() + 4, self.width(), px * 0.85)
        self._paint_bar(painter, bar, crying or 0.0, c.cry if is_up else c.accent)
        mark = round(self._threshold * bar.width())
        painter.setPen(QPen(QColor(c.text), 2))
        painter.drawLine(mark, round(bar.top() - 3), mark, round(bar.bottom() + 3))
        painter.setFont(self._font(0.9))
        painter.setPen(QColor(c.muted))
        below = QRectF(0, bar.bottom() + 4, self.width(), px * 1.4)
        words = self.hint or self.tr("counts from {share}").format(share=percent_text(self._threshold))
        side = Qt.AlignmentFlag.AlignLeft
        painter.drawText(below, side | Qt.AlignmentFlag.AlignVCenter, words)

    def _paint_label(
        self, painter: QPainter, name: str, share: float | None, row: QRectF, title: str, scale: float
    ) -> None:
        c, px = current_theme().colours, current_theme().text_px
        # The bar is thicker if there is room.
        thick = min(0.75 * px, 0.19 * row.height())
        bar = QRectF(row.left(), row.bottom() - thick - px * 0.33, row.width(), thick)
        text = QRectF(row.left(), bar.top() - px * 1.45, row.width(), px * 1.4)
        is_top = share is not None and share > 0.0 and share == max(self.shares().values(), default=0.0)
        painter.setFont(self._font(1.0, bold=is_top))
        painter.setPen(QColor(c.text if is_top else c.muted))
        number = "–" if share is None else percent_text(share)
        painter.drawText(text, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, number)
        colour = current_theme().label_colour(name)
        painter.setFont(self._font(scale, bold=is_top))
        if painter.fontMetrics().horizontalAdvance(title) > self._room_for_titles():
            painter.setFont(self._font(scale))  # in bold the longest title would run into the number
        box = text.adjusted(px * 1.5, 0, 0, 0)
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, title)
        painter.setFont(self._font(0.9))
        painter.setPen(QColor(colour))
        glyph = QRectF(text.left(), text.top(), px * 1.2, text.height())
        painter.drawText(glyph, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, label(name).icon)
        self._paint_bar(painter, bar, share or 0.0, colour)

    def _paint_bar(self, painter: QPainter, bar: QRectF, share: float, colour: str) -> None:
        radius = bar.height() / 2
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(current_theme().colours.sunken))
        painter.drawRoundedRect(bar, radius, radius)
        # Clipped to the track's shape: a small share must not look like the knob of a slider.
        track = QPainterPath()
        track.addRoundedRect(bar, radius, radius)
        painter.save()
        painter.setClipPath(track)
        painter.fillRect(QRectF(bar.left(), bar.top(), share * bar.width(), bar.height()), QColor(colour))
        painter.restore()
