"""The icon in the desktop's tray: the state at a glance, a menu, and messages for whoever does not see the window."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from babymonitor.core.state import Activity, MonitorState
from babymonitor.ui.parts.symbols import symbol_icon
from babymonitor.ui.parts.theme import Tone
from babymonitor.ui.parts.wording import StateWords

_MESSAGE_MS = 15_000


class TrayIcon(QObject):
    """Owns the icon, its menu and its messages. Made only if there is a tray."""

    show_window_requested = Signal()
    toggle_listening_requested = Signal()
    toggle_snooze_requested = Signal()
    quit_requested = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._menu = QMenu()
        self._open_action = self._menu.addAction(self.tr("Open Baby Monitor"))
        self._menu.addSeparator()
        self._listen_action = self._menu.addAction("")
        self._snooze_action = self._menu.addAction("")
        self._menu.addSeparator()
        self._quit_action = self._menu.addAction(self.tr("Quit"))
        self._icon = QSystemTrayIcon(self)
        self._icon.setContextMenu(self._menu)
        self._symbol = ""
        # Connected to slots, because a signal connected to a signal would pass on "checked".
        self._open_action.triggered.connect(self._on_open_triggered)
        self._listen_action.triggered.connect(self._on_listen_triggered)
        self._snooze_action.triggered.connect(self._on_snooze_triggered)
        self._quit_action.triggered.connect(self._on_quit_triggered)
        self._icon.activated.connect(self._on_activated)
        self._icon.messageClicked.connect(self.show_window_requested)

    @staticmethod
    def is_available() -> bool:
        """Return whether the desktop has a tray."""
        return QSystemTrayIcon.isSystemTrayAvailable()

    def show(self) -> None:
        """Show the icon."""
        self._icon.show()

    def hide(self) -> None:
        """Hide the icon."""
        self._icon.hide()

    def set_state(self, state: MonitorState, words: StateWords) -> None:
        """Show a state in icon, tool tip and menu."""
        is_stopped = state.activity is Activity.STOPPED
        is_snoozed = state.snoozed_until is not None
        self._listen_action.setText(self.tr("Start listening") if is_stopped else self.tr("Stop listening"))
        self._snooze_action.setText(self.tr("End snooze") if is_snoozed else self.tr("Snooze the alarm"))
        self._snooze_action.setEnabled(not is_stopped)
        self._icon.setToolTip(words.text)
        # A tray does not tell whether it is dark or light; strong colours can be seen on both.
        colour = {Tone.CALM: "#2fa398", Tone.CRY: "#e8492f", Tone.FAULT: "#e8a400", Tone.IDLE: "#8a9399"}[words.tone]
        if f"{words.symbol}{colour}" != self._symbol:
            self._symbol = f"{words.symbol}{colour}"
            self._icon.setIcon(symbol_icon(words.symbol, colour, size=22))

    def say(self, title: str, text: str, is_urgent: bool) -> None:
        """Show a message. It may come late or never, so it must not be the only way to learn something."""
        kind = QSystemTrayIcon.MessageIcon.Critical if is_urgent else QSystemTrayIcon.MessageIcon.Information
        self._icon.showMessage(title, text, kind, _MESSAGE_MS)

    @Slot()
    def _on_open_triggered(self) -> None:
        self.show_window_requested.emit()

    @Slot()
    def _on_listen_triggered(self) -> None:
        self.toggle_listening_requested.emit()

    @Slot()
    def _on_snooze_triggered(self) -> None:
        self.toggle_snooze_requested.emit()

    @Slot()
    def _on_quit_triggered(self) -> None:
        self.quit_requested.emit()

    @Slot(QSystemTrayIcon.ActivationReason)
    def _on_activated(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason in (QSystemTrayIcon.ActivationReason.Trigger, QSystemTrayIcon.ActivationReason.DoubleClick):
            self.show_window_requested.emit()
