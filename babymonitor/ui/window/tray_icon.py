"""The icon in the desktop's tray: the state at a glance, a menu, and messages when the window is not looked at."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from babymonitor.core.state import Activity, MonitorState
from babymonitor.ui.parts.symbols import symbol_icon
from babymonitor.ui.parts.theme import Tone
from babymonitor.ui.parts.wording import StateWords

_MESSAGE_MS = 15_000


class TrayIcon(QObject):
    """Made only where there is a tray. Owns the icon, its menu and its messages."""

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
        # A signal connected to a signal would pass on "checked", which these do not carry.
        self._open_action.triggered.connect(self._on_open_triggered)
        self._listen_action.triggered.connect(self._on_listen_triggered)
        self._snooze_action.triggered.connect(self._on_snooze_triggered)
        self._quit_action.triggered.connect(self._on_quit_triggered)
        self._icon.activated.connect(self._on_activated)
        self._icon.messageClicked.connect(self.show_window_requested)

    @staticmethod
    def is_available() -> bool:
        return QSystemTrayIcon.isSystemTrayAvailable()

    def show(self) -> None:
        self._icon.show()

    def hide(self) -> None:
        self._icon.hide()

    def set_state(self, state: MonitorState, words: StateWords) -> None:
        is_stopped = state.activity is Activity.STOPPED
        is_snoozed = state.snoozed_until is not None
        self._listen_action.setText(self.tr("Start listening") if is_stopped else self.tr("Stop listening"))
        self._snooze_action.setText(self.tr("End snooze") if is_snoozed else self.tr("Snooze the alarm"))
        self._snooze_action.setEnabled(not is_stopped)
        self._icon.setToolTip(words.text)
        # Trays are dark or light and do not tell which: strong colours read on both.
        colour = {Tone.CALM: "#2fa398", Tone.CRY: "#e8492f", Tone.FAULT: "#e8a400", Tone.IDLE: "#8a9399"}[words.tone]
        if f"{words.symbol}{colour}" != self._symbol:
            self._symbol = f"{words.symbol}{colour}"
            self._icon.setIcon(symbol_icon(words.symbol, colour, size=22))

    def say(self, title: str, text: str, is_urgent: bool) -> None:
        """A message from the tray. It can be late or lost: never the only way something is told."""
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
