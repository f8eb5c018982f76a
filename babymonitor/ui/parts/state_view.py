"""The state line in words, colour and a symbol, to be read at a glance from two metres in the dark."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Slot
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from babymonitor.ui.parts.symbols import paint_symbol, symbol_icon
from babymonitor.ui.parts.text_label import wrapped_label
from babymonitor.ui.parts.theme import Tone, current_theme, follow_theme, tone_sheet
from babymonitor.ui.parts.wording import StateWords

_NOTHING = StateWords("", "", Tone.IDLE, "stopped")


class HeadlineView(QWidget):
    """One line of text, as large as its room allows but never smaller than the theme's state line."""

    def __init__(self, parent: QWidget | None = None, scale: float = 1.0) -> None:
        """scale: its size relative to the theme's state line."""
        super().__init__(parent)
        self._text = ""
        self._colour = "#000000"
        self._scale = scale
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def text(self) -> str:
        """The line."""
        return self._text

    @property
    def text_px(self) -> int:
        """The size in which the line is drawn now."""
        return self._fit().pixelSize()

    def set_text(self, text: str, colour: str) -> None:
        """Show a line in a colour."""
        if (text, colour) != (self._text, self._colour):
            self._text, self._colour = text, colour
            self.setAccessibleName(text)
            self.update()

    @property
    def _least_px(self) -> int:
        return round(self._scale * current_theme().state_px)

    def sizeHint(self) -> QSize:
        return QSize(300, round(1.3 * self._largest_px()))

    def minimumSizeHint(self) -> QSize:
        return QSize(200, round(1.3 * self._least_px))

    def resizeEvent(self, event: QResizeEvent) -> None:
        if event.oldSize().width() != event.size().width():
            self.updateGeometry()

    def _largest_px(self) -> int:
        """Return the largest size: a wide window gets words up to 1.4 times as large."""
        return round(self._least_px * min(1.4, max(1.0, self.width() / 800)))

    def _fit(self) -> QFont:
        font = QFont(self.font())
        font.setBold(True)
        for px in range(self._largest_px(), self._least_px - 1, -1):
            font.setPixelSize(px)
            if QFontMetricsF(font).horizontalAdvance(self._text) <= self.width():
                break
        return font

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self._fit())
        painter.setPen(QColor(self._colour))
        text = painter.fontMetrics().elidedText(self._text, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()


class StateView(QFrame):
    """A coloured panel with symbol, headline and detail, and room for a picker beneath and buttons at the right.

    It is the head of the Monitor page, the banner over the other pages, and the head of an episode in the review.
    """

    def __init__(self, parent: QWidget | None = None, scale: float = 1.0) -> None:
        """scale: its size relative to the theme's state line."""
        super().__init__(parent)
        self._scale = scale
        self._words = _NOTHING
        self._buttons: list[tuple[QPushButton, str]] = []
        self._styled: tuple[str, Tone] | None = None
        self.headline = HeadlineView(self, scale)
        self.detail = wrapped_label("", "stateDetail", self)
        self._under = QVBoxLayout()
        self._under.setSpacing(6)
        self._under.addWidget(self.detail)
        self._under.addStretch(1)
        self._row = QHBoxLayout()
        self._row.setSpacing(8)
        self._grid = QGridLayout(self)
        self._grid.setVerticalSpacing(4)
        self._grid.setHorizontalSpacing(20)
        self._grid.addWidget(self.headline, 0, 0, 1, 2)
        self._grid.addLayout(self._under, 1, 0)
        self._grid.addLayout(self._row, 1, 1, Qt.AlignmentFlag.AlignBottom)
        self._grid.setColumnStretch(0, 1)
        follow_theme(self._apply_theme)

    @property
    def words(self) -> StateWords:
        """What is shown."""
        return self._words

    def add_beneath(self, widget: QWidget) -> None:
        """Put a widget on a line of its own beneath the detail."""
        row = QHBoxLayout()
        # A long name may use all the room there is, a short one takes no more than it needs.
        widget.setMaximumWidth(340)
        row.addWidget(widget, 1)
        row.addStretch(0)
        # Before the stretch that pushes everything up.
        self._under.insertLayout(self._under.count() - 1, row)
        self._fit()

    def add_button(self, button: QPushButton, symbol: str) -> None:
        """Put a button at the right, with a symbol in the colour of its text."""
        # Words on a button are never cut; what stands beside it gives way.
        button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        self._buttons.append((button, symbol))
        self._row.addWidget(button, 0, Qt.AlignmentFlag.AlignBottom)
        self._put_symbol(button, symbol)

    def set_symbol(self, button: QPushButton, symbol: str) -> None:
        """Give a button whose meaning changed another symbol."""
        self._buttons = [(known, symbol if known is button else old) for known, old in self._buttons]
        self._put_symbol(button, symbol)

    def _put_symbol(self, button: QPushButton, symbol: str) -> None:
        theme = current_theme()
        ground, ink = theme.tone(self._words.tone)
        side = theme.text_px + 3
        button.setIcon(symbol_icon(symbol, ground if button.property("role") == "main" else ink, size=side, gap=6))
        button.setIconSize(QSize(side + 6, side))

    @property
    def _state_px(self) -> int:
        return round(self._scale * current_theme().state_px)

    def _fit(self) -> None:
        margin = round(self._state_px * 0.5)
        self._grid.setContentsMargins(round(self._state_px * 2.5), margin - 4, margin + 4, margin)
        if self._under.count() > 2:
            # A detail that comes and goes must not move what is below.
            self._grid.setRowMinimumHeight(1, round(current_theme().text_px * 1.7) + 42)

    @Slot()
    def _apply_theme(self) -> None:
        self._fit()
        self._apply_tone()

    def set_words(self, words: StateWords) -> None:
        """Show a state."""
        if words == self._words:
            return
        self._words = words
        self.detail.setText(words.detail)
        self.detail.setVisible(bool(words.detail))
        self.setAccessibleName(words.text)
        self.setToolTip(words.detail)
        self._apply_tone()

    def _apply_tone(self) -> None:
        """Take on the tone's colours, but only if they changed, because a style sheet is expensive."""
        theme, tone = current_theme(), self._words.tone
        self.headline.set_text(self._words.headline, theme.tone(tone)[1])
        if self._styled != (theme.name, tone):
            self._styled = (theme.name, tone)
            self.setStyleSheet(tone_sheet(theme, tone))
            for button, symbol in self._buttons:
                self._put_symbol(button, symbol)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground, ink = current_theme().tone(self._words.tone)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(ground))
        painter.drawRoundedRect(self.rect(), 14, 14)
        side = self._state_px * 1.35
        left = (self._state_px * 2.5 - side) / 2
        paint_symbol(painter, self._words.symbol, QRectF(left, (self.height() - side) / 2, side, side), ink)
        painter.end()
