"""The tabs at the head of a page."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QFont, QFontMetrics
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QToolButton, QWidget

from babymonitor.ui.parts.theme import current_theme, follow_theme

_BESIDE_TEXT_PX = 30


class TabBar(QWidget):
    """One button for each tab; exactly one of them is checked."""

    tab_chosen = Signal(int)
    """The person clicked the tab of this number."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._buttons = QButtonGroup(self)
        self._buttons.setExclusive(True)
        self._buttons.idClicked.connect(self.tab_chosen)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(2)
        follow_theme(self.apply_theme)

    def add_tab(self, number: int, title: str, tip: str) -> None:
        """Add a tab at the right. A "&&" in the title is shown as "&"."""
        button = QToolButton(self)
        button.setText(title)
        button.setToolTip(tip)
        button.setCheckable(True)
        button.setProperty("role", "tab")
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._buttons.addButton(button, number)
        self._row.addWidget(button)
        self.apply_theme()

    def title(self, number: int) -> str:
        """Return the words on a tab."""
        return self._buttons.button(number).text().replace("&&", "&")

    def set_title(self, number: int, title: str) -> None:
        """Change the words on a tab."""
        self._buttons.button(number).setText(title)
        self.apply_theme()

    def check(self, number: int) -> None:
        """Mark the tab that is shown."""
        self._buttons.button(number).setChecked(True)

    @Slot()
    def apply_theme(self) -> None:
        """Leave each tab the width of its title in bold, in which the checked tab is drawn."""
        font = QFont(self.font())
        font.setPixelSize(current_theme().text_px + 2)
        font.setBold(True)
        for button in self._buttons.buttons():
            button.setMinimumWidth(QFontMetrics(font).horizontalAdvance(button.text()) + _BESIDE_TEXT_PX)
