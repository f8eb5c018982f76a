"""The state line: in words, colour and a symbol, to be read at a glance from two metres, in the dark."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from babymonitor.ui.parts.symbols import paint_symbol, symbol_icon
from babymonitor.ui.parts.theme import LIGHT, Theme, Tone
from babymonitor.ui.parts.wording import StateWords

_NOTHING = StateWords("", "", Tone.IDLE, "stopped")


class HeadlineView(QWidget):
    """One line of text as large as its room allows, and never smaller than the theme's state line."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self._colour = "#000000"
        self._least_px = LIGHT.state_px
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def text(self) -> str:
        return self._text

    @property
    def text_px(self) -> int:
        """The size the line is drawn in now."""
        return self._fit().pixelSize()

    def set_text(self, text: str, colour: str) -> None:
        if (text, colour) != (self._text, self._colour):
            self._text, self._colour = text, colour
            self.setAccessibleName(text)
            self.update()

    def set_least_px(self, px: int) -> None:
        self._least_px = px
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        return QSize(300, round(1.3 * self._largest_px()))

    def minimumSizeHint(self) -> QSize:
        return QSize(200, round(1.3 * self._least_px))

    def resizeEvent(self, event: QResizeEvent) -> None:
        if event.oldSize().width() != event.size().width():
            self.updateGeometry()

    def _largest_px(self) -> int:
        """Wide windows get larger words, up to half as large again."""
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
    """A coloured panel: symbol, headline and detail, with room for what belongs beneath (picker) and beside (buttons).

    The Monitor page wears it as its head; the other pages as a banner while there is something to say.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = LIGHT
        self._words = _NOTHING
        self._buttons: list[tuple[QPushButton, str]] = []
        self._styled: tuple[str, Tone] | None = None
        self.headline = HeadlineView(self)
        self.detail = QLabel(self)
        self.detail.setWordWrap(True)
        self.detail.setProperty("role", "stateDetail")
        # Rich text would let a microphone's name speak HTML.
        self.detail.setTextFormat(Qt.TextFormat.PlainText)
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

    @property
    def words(self) -> StateWords:
        return self._words

    def add_beneath(self, widget: QWidget) -> None:
        """A line under the detail."""
        row = QHBoxLayout()
        # A long name gets what room there is, a short one no more than it can use.
        widget.setMaximumWidth(340)
        row.addWidget(widget, 1)
        row.addStretch(0)
        # Before the stretch that keeps everything up.
        self._under.insertLayout(self._under.count() - 1, row)

    def add_button(self, button: QPushButton, symbol: str) -> None:
        """A button at the right, with a symbol in its text's colour."""
        # Words on a button are never cut; what is beside them gives way.
        button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        self._buttons.append((button, symbol))
        self._row.addWidget(button, 0, Qt.AlignmentFlag.AlignBottom)

    def set_symbol(self, button: QPushButton, symbol: str) -> None:
        """Another symbol for a button whose meaning changed."""
        self._buttons = [(other, symbol if other is button else old) for other, old in self._buttons]
        self._styled = None
        self._dress()

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.headline.set_least_px(theme.state_px)
        side = round(theme.state_px * 0.5)
        self._grid.setContentsMargins(round(theme.state_px * 2.5), side - 4, side + 4, side)
        if self._under.count() > 2:
            # A detail that comes and goes must not move what is below.
            self._grid.setRowMinimumHeight(1, round(theme.text_px * 1.7) + 42)
        self._styled = None
        self._dress()

    def set_words(self, words: StateWords) -> None:
        if words == self._words:
            return
        self._words = words
        self.detail.setText(words.detail)
        self.detail.setVisible(bool(words.detail))
        self.setAccessibleName(words.text)
        self.setToolTip(words.detail)
        self._dress()

    def _dress(self) -> None:
        """Colours for the tone; only when it changed, because a style sheet is dear."""
        ground, ink = self._theme.tone(self._words.tone)
        self.headline.set_text(self._words.headline, ink)
        if self._styled != (self._theme.name, self._words.tone):
            self._styled = (self._theme.name, self._words.tone)
            self.setStyleSheet(_tone_sheet(ground, ink))
            for button, symbol in self._buttons:
                is_main = button.property("role") == "main"
                side = self._theme.text_px + 3
                button.setIcon(symbol_icon(symbol, ground if is_main else ink, size=side, gap=6))
                button.setIconSize(QSize(side + 6, side))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground, ink = self._theme.tone(self._words.tone)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(ground))
        painter.drawRoundedRect(self.rect(), 14, 14)
        side = self._theme.state_px * 1.35
        left = (self._theme.state_px * 2.5 - side) / 2
        paint_symbol(painter, self._words.symbol, QRectF(left, (self.height() - side) / 2, side, side), ink)
        painter.end()


def _tone_sheet(ground: str, ink: str) -> str:
    """Buttons and picker in the tone's two colours: the main button filled, the others outlined."""
    return f"""
        QLabel {{ color: {ink}; }}
        QPushButton, QComboBox {{ color: {ink}; background: transparent; border: 1px solid {ink}; }}
        QPushButton:hover, QComboBox:hover {{ background: {_faint(ink)}; }}
        QPushButton:focus, QComboBox:focus {{ border: 2px solid {ink}; }}
        QPushButton[role="main"] {{ color: {ground}; background: {ink}; font-weight: bold; }}
        QPushButton[role="main"]:focus {{ border: 2px solid {ground}; }}
        QComboBox {{ border-color: transparent; padding-left: 0px; }}
    """


def _faint(ink: str) -> str:
    colour = QColor(ink)
    return f"rgba({colour.red()}, {colour.green()}, {colour.blue()}, 32)"
