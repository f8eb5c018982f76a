"""A push button with a symbol in the colour of its text."""

from __future__ import annotations

from PySide6.QtCore import QSize, Slot
from PySide6.QtWidgets import QPushButton, QWidget

from babymonitor.ui.parts.symbols import symbol_icon
from babymonitor.ui.parts.theme import current_theme, follow_theme, set_role

_GAP_PX = 6
"""Between symbol and text."""


class SymbolButton(QPushButton):
    """Follows the theme. With the role "tool" it shows its symbol alone, otherwise beside its text."""

    def __init__(
        self, text: str, symbol: str, parent: QWidget | None = None, role: str = "", size_em: float = 1.2
    ) -> None:
        """role: how the style sheet draws it. size_em: the symbol's side in sizes of the text."""
        super().__init__(text, parent)
        self._symbol = symbol
        self._size_em = size_em
        self.setProperty("role", role)
        follow_theme(self.apply_theme)

    def set_symbol(self, symbol: str) -> None:
        """Show another symbol."""
        if symbol != self._symbol:
            self._symbol = symbol
            self.apply_theme()

    def set_role(self, role: str) -> None:
        """Take on another role of the style sheet."""
        set_role(self, role)
        self.apply_theme()

    @Slot()
    def apply_theme(self) -> None:
        """Draw the symbol in the colours of the theme and the role."""
        theme = current_theme()
        colours, role = theme.colours, self.property("role")
        colour = {"main": colours.on_accent, "stop": colours.cry_text}.get(role, colours.text)
        side, gap = round(theme.text_px * self._size_em), 0 if role == "tool" else _GAP_PX
        self.setIcon(symbol_icon(self._symbol, colour, colours.on_accent, side, gap))
        self.setIconSize(QSize(side + gap, side))
