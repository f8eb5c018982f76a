"""The narrow bar at the left: the pages at the top, night mode and settings at the bottom."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QFrame, QToolButton, QVBoxLayout, QWidget

from babymonitor.ui.parts.symbols import symbol_icon
from babymonitor.ui.parts.theme import current_theme, follow_theme


class SideBarView(QFrame):
    """One button for each page (`add_page`)."""

    page_requested = Signal(int)
    """The person clicked the page of this number."""
    settings_requested = Signal()
    night_mode_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "sideBar")
        self._symbols: list[tuple[QToolButton, str]] = []
        self._pages = QButtonGroup(self)
        self._pages.setExclusive(True)
        self._pages.idClicked.connect(self._on_page_clicked)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(6, 14, 6, 14)
        self._column.setSpacing(6)
        self._column.addStretch(1)
        self.night_button = self._button(self.tr("Night mode"), "moon", self.tr("Dim, red and large (Ctrl+N)"))
        self.night_button.setCheckable(True)
        self.night_button.clicked.connect(self.night_mode_requested)
        self.settings_button = self._button(self.tr("Settings"), "sliders", self.tr("Settings (Ctrl+,)"))
        self.settings_button.clicked.connect(self.settings_requested)
        self._column.addWidget(self.night_button)
        self._column.addWidget(self.settings_button)
        follow_theme(self.apply_theme)

    def add_page(self, number: int, title: str, symbol: str, tip: str) -> None:
        """Add a page at the end of the list."""
        button = self._button(title, symbol, tip)
        button.setCheckable(True)
        self._draw_symbol(button, symbol)
        self._pages.addButton(button, number)
        # Above the stretch, and above what follows it.
        self._column.insertWidget(len(self._pages.buttons()) - 1, button)

    def set_title(self, number: int, title: str) -> None:
        """Change the words beneath a page's symbol."""
        self._pages.button(number).setText(title)

    def show_page(self, number: int) -> None:
        """Mark the page that is shown."""
        self._pages.button(number).setChecked(True)

    @Slot()
    def apply_theme(self) -> None:
        """Take on the theme, of which the night button shows whether it is the night's."""
        theme = current_theme()
        for button, symbol in self._symbols:
            self._draw_symbol(button, symbol)
        self.night_button.setChecked(theme.name == "night")
        self.setFixedWidth(round(theme.text_px * 6.6))

    def _draw_symbol(self, button: QToolButton, symbol: str) -> None:
        theme = current_theme()
        side = round(theme.text_px * 1.7)
        button.setIcon(symbol_icon(symbol, theme.colours.muted, theme.colours.accent, side))
        button.setIconSize(QSize(side, side))

    def _button(self, title: str, symbol: str, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setText(title)
        button.setToolTip(tip)
        button.setProperty("role", "page")
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        policy = button.sizePolicy()
        policy.setHorizontalPolicy(policy.Policy.Expanding)
        button.setSizePolicy(policy)
        self._symbols.append((button, symbol))
        return button

    @Slot(int)
    def _on_page_clicked(self, number: int) -> None:
        self.page_requested.emit(number)
