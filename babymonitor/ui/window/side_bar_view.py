"""The narrow bar at the left: the pages above, night mode and settings below."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QFrame, QToolButton, QVBoxLayout, QWidget

from babymonitor.ui.parts.symbols import symbol_icon
from babymonitor.ui.parts.theme import Theme


class SideBarView(QFrame):
    """One button a page. A further page is one more `add_page`."""

    page_requested = Signal(int)
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

    def add_page(self, number: int, title: str, symbol: str, tip: str) -> None:
        button = self._button(title, symbol, tip)
        button.setCheckable(True)
        self._pages.addButton(button, number)
        # Above the stretch and what follows it.
        self._column.insertWidget(len(self._pages.buttons()) - 1, button)

    def set_title(self, number: int, title: str) -> None:
        """Other words under a page's drawing."""
        self._pages.button(number).setText(title)

    def show_page(self, number: int) -> None:
        self._pages.button(number).setChecked(True)

    def set_theme(self, theme: Theme) -> None:
        c = theme.colours
        side = round(theme.text_px * 1.7)
        for button, symbol in self._symbols:
            button.setIcon(symbol_icon(symbol, c.muted, c.accent, side))
            button.setIconSize(QSize(side, side))
        self.night_button.setChecked(theme.name == "night")
        self.setFixedWidth(round(theme.text_px * 6.6))

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
