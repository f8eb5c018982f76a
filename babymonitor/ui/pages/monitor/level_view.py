"""The level meter: how loud it is now, in dB relative to full scale, beside the level that counts as loud."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from babymonitor.ui.parts.theme import current_theme
from babymonitor.ui.parts.wording import level_text

_LOWEST_DB, _HIGHEST_DB = -90.0, 0.0
_TICK_DB = 15
_FALL_DB = 1.2
"""How far the bar falls from one reading to the next; it rises at once."""
_HOLD_FALL_DB = 0.25


class LevelView(QWidget):
    """A vertical bar with a scale, a held peak, and a line where loudness alone would wake somebody."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._level_db = _LOWEST_DB
        self._shown_db = _LOWEST_DB
        self._held_db = _LOWEST_DB
        self._loud_db = _HIGHEST_DB
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("Level"))
        self._describe()

    @property
    def level_db(self) -> float:
        """The level that is shown, in dB relative to full scale."""
        return self._level_db

    @property
    def loud_db(self) -> float:
        """The level from which sound counts as loud."""
        return self._loud_db

    def set_level(self, level_db: float) -> None:
        """Show the level now."""
        self._level_db = level_db
        self._shown_db = max(level_db, self._shown_db - _FALL_DB)
        self._held_db = max(level_db, self._held_db - _HOLD_FALL_DB)
        self.update()

    def set_loud(self, loud_db: float) -> None:
        """Mark the level from which sound counts as loud."""
        if round(loud_db) != round(self._loud_db):
            self._loud_db = loud_db
            self._describe()
            self.update()

    def clear(self) -> None:
        """Show that no sound arrives."""
        self._level_db = self._shown_db = self._held_db = _LOWEST_DB
        self.update()

    def _describe(self) -> None:
        words = self.tr("Level in dB below full scale; the line marks {level}, where sound counts as loud.")
        self.setToolTip(words.format(level=level_text(self._loud_db)))

    def accessible_text(self) -> str:
        """Return the picture in words."""
        return self.tr("Level {level}, loud from {loud}").format(
            level=level_text(self._level_db), loud=level_text(self._loud_db)
        )

    def sizeHint(self) -> QSize:
        return QSize(current_theme().text_px * 4 + 8, 160)

    def minimumSizeHint(self) -> QSize:
        return QSize(current_theme().text_px * 4 + 8, 90)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        c = current_theme().colours
        font = self.font()
        font.setPixelSize(max(11, current_theme().text_px - 3))
        painter.setFont(font)
        line = painter.fontMetrics().height()
        bar = QRectF(self.width() - 18.0, line / 2, 14.0, self.height() - 2.2 * line)

        def y_of(db: float) -> float:
            share = (min(max(db, _LOWEST_DB), _HIGHEST_DB) - _LOWEST_DB) / (_HIGHEST_DB - _LOWEST_DB)
            return bar.bottom() - share * bar.height()

        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(c.sunken))
        painter.drawRoundedRect(bar, 4, 4)
        # Clipped to the track's shape; only what is above the line has the other colour.
        track = QPainterPath()
        track.addRoundedRect(bar, 4, 4)
        painter.save()
        painter.setClipPath(track)
        top, loud = y_of(self._shown_db), y_of(self._loud_db)
        painter.fillRect(QRectF(bar.left(), top, bar.width(), bar.bottom() - top), QColor(c.accent))
        if top < loud:
            painter.fillRect(QRectF(bar.left(), top, bar.width(), loud - top), QColor(c.cry))
        painter.restore()
        if self._held_db > _LOWEST_DB:
            painter.setBrush(QColor(c.text))
            painter.drawRect(QRectF(bar.left(), y_of(self._held_db) - 1, bar.width(), 2))
        painter.setPen(QColor(c.muted))
        step = _TICK_DB if bar.height() > 7 * line * 1.2 else 2 * _TICK_DB
        for db in range(int(_LOWEST_DB), int(_HIGHEST_DB) + 1, step):
            box = QRectF(0, y_of(db) - line / 2, bar.left() - 8, line)
            painter.drawText(
                box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{db}".replace("-", "−")
            )
        painter.setPen(QPen(QColor(c.cry), 2))
        y = y_of(self._loud_db)
        painter.drawLine(int(bar.left() - 6), round(y), self.width(), round(y))
        painter.setPen(QColor(c.text))
        below = QRectF(0, self.height() - 1.3 * line, self.width(), 1.3 * line)
        text = level_text(self._level_db) if self._level_db > _LOWEST_DB else self.tr("no sound")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()
