"""The window: pages beside a narrow bar, a banner over them while someone is needed, and the manners of closing."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QByteArray, QEvent, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QGuiApplication,
    QHideEvent,
    QIcon,
    QKeySequence,
    QPaintEvent,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from babymonitor.core import paths
from babymonitor.core.history.history import AlertRow, History
from babymonitor.core.settings import CLOSE_TO_TRAY, THEME, WINDOW_GEOMETRY, Settings
from babymonitor.core.state import Activity, MonitorState
from babymonitor.live.monitor import Monitor
from babymonitor.ui.pages.monitor.monitor_view import MonitorView
from babymonitor.ui.parts.banner_view import BannerView
from babymonitor.ui.parts.complaint_view import ComplaintView
from babymonitor.ui.parts.keys import key_list, key_table
from babymonitor.ui.parts.theme import Theme, apply_theme, resolve_theme
from babymonitor.ui.parts.wording import StateWords, kind_title, level_text, reason_hint, state_words, translated
from babymonitor.ui.window.side_bar_view import SideBarView
from babymonitor.ui.window.tray_icon import TrayIcon

if TYPE_CHECKING:
    from babymonitor.core.library.library import Library
    from babymonitor.ui.settings.settings_dialog import SettingsDialog

MONITOR_PAGE, NIGHTS_PAGE, LABEL_PAGE, TRAIN_PAGE = 0, 1, 2, 3


class Themed(Protocol):
    """Whatever wears a theme."""

    def set_theme(self, theme: Theme) -> None: ...


class MainWindow(QMainWindow):
    """Shows the monitor; decides nothing about sound. Built by app.py, which owns what is passed in."""

    first_painted = Signal()
    """The window's first picture is on the screen: what takes long may begin."""
    library_wanted = Signal()
    """A page needs the library: `set_library` is to be called before this returns."""
    closed = Signal()
    """The person closed the window for good (it did not go to the tray)."""

    def __init__(
        self,
        monitor: Monitor,
        settings: Settings,
        history: History,
        library: Library | None = None,
        parent: QWidget | None = None,
    ) -> None:
        """library: the one to work with, where it is open already; else `library_wanted` asks for it."""
        super().__init__(parent)
        self._monitor = monitor
        self._settings = settings
        self._history = history
        self._library = library
        self._no_library = ""
        self._theme = resolve_theme(settings[THEME])
        self._last_activity = Activity.STOPPED
        self._is_quitting = False
        self._is_painted = False
        self.settings_dialog: SettingsDialog | None = None
        # Before anything is built: a widget keeps the size of the text it was born with.
        apply_theme(_app(), self._theme)
        self._build_frame()
        self._build_pages()
        self._lay_out()
        self._build_actions()
        self._build_tray()
        self._connect()
        self._theme_pages()
        self._restore_geometry()
        self._show_state()
        for sentence in (*settings.complaints, *history.complaints):
            self.complaint_view.add(sentence)
        self.monitor_view.setAccessibleName(self.tr("Monitor page"))
        self.monitor_view.setFocus()

    # ------------------------------------------------------------------------------------------------------- building

    def _build_frame(self) -> None:
        self.setWindowTitle(self.tr("Baby Monitor"))
        icon = paths.resource("icons", "app.svg")
        if icon.exists():
            self.setWindowIcon(QIcon(str(icon)))
        self.setMinimumSize(900, 600)
        # A small screen may have nobody who would make a window fit it.
        self.resize(QSize(1180, 760).boundedTo(_room_on_screen()))
        self.side_bar = SideBarView(self)
        self.banner_view = BannerView(self)
        self.complaint_view = ComplaintView(self)
        self.pages = QStackedWidget(self)
        self._second_timer = QTimer(self)
        self._second_timer.setInterval(500)

    def _build_pages(self) -> None:
        self.monitor_view = MonitorView(self._monitor, self._settings, self._history, self)
        self.pages.addWidget(self.monitor_view)
        self._themed: list[Themed] = [self.side_bar, self.banner_view, self.monitor_view]
        self._makers: dict[int, Callable[[], QWidget]] = {
            NIGHTS_PAGE: self._make_nights,
            LABEL_PAGE: self._make_label,
            TRAIN_PAGE: self._make_training,
        }
        for _ in self._makers:
            # An empty page holds the place; the real one is built when it is first visited.
            self.pages.addWidget(QWidget(self))
        self.side_bar.add_page(MONITOR_PAGE, self.tr("Monitor"), "waves", self.tr("Listen now (Ctrl+1)"))
        self.side_bar.add_page(NIGHTS_PAGE, self.tr("Nights"), "timeline", self.tr("What happened (Ctrl+2)"))
        label_tip, train_tip = self.tr("Record, label, collect (Ctrl+3)"), self.tr("Teach it your baby (Ctrl+4)")
        self.side_bar.add_page(LABEL_PAGE, self.tr("Label"), "tag", label_tip)
        self.side_bar.add_page(TRAIN_PAGE, self.tr("Train"), "train", train_tip)
        self.side_bar.show_page(MONITOR_PAGE)

    def _lay_out(self) -> None:
        central = QWidget(self)
        row = QHBoxLayout(central)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.side_bar)
        self._messages = QWidget(central)
        messages = QVBoxLayout(self._messages)
        messages.setContentsMargins(16, 16, 16, 0)
        messages.setSpacing(8)
        messages.addWidget(self.banner_view)
        messages.addWidget(self.complaint_view)
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addWidget(self._messages)
        column.addWidget(self.pages, 1)
        row.addLayout(column, 1)
        self._messages.hide()
        self.setCentralWidget(central)

    def _build_actions(self) -> None:
        """Every action has a key. Single letters stay letters while someone types in a field."""
        monitor = self.monitor_view
        table: tuple[tuple[str, tuple[str, ...], Callable[[], object]], ...] = (
            (self.tr("Start or stop listening"), ("L",), monitor.toggle_listening),
            (self.tr("Snooze, or end the snooze"), ("S",), monitor.toggle_snooze),
            (self.tr("Test the alarm"), ("T",), self._monitor.test_alarm),
            (self.tr("Acknowledge the alarm"), ("A", "Esc"), self._monitor.acknowledge),
            (self.tr("Monitor page"), ("Ctrl+1",), self.show_monitor),
            (self.tr("Nights page"), ("Ctrl+2",), self.show_nights),
            (self.tr("Record & label page"), ("Ctrl+3",), self.show_label),
            (self.tr("Train page"), ("Ctrl+4",), self.show_training),
            (self.tr("Settings"), ("Ctrl+,",), self.show_settings),
            (self.tr("Night mode on or off"), ("Ctrl+N",), self.toggle_night_mode),
            (self.tr("Keys"), ("F1",), self.show_keys),
            (self.tr("Quit"), ("Ctrl+Q",), self.quit),
        )
        self.actions_by_key: dict[str, QAction] = {}
        for title, keys, receiver in table:
            action = QAction(title, self)
            action.setShortcuts([QKeySequence(key) for key in keys])
            action.triggered.connect(receiver)
            self.addAction(action)
            self.actions_by_key.update(dict.fromkeys(keys, action))

    def _build_tray(self) -> None:
        self.tray_icon: TrayIcon | None = None
        if TrayIcon.is_available():
            self.tray_icon = TrayIcon(self)
            self.tray_icon.show_window_requested.connect(self.come_forward)
            self.tray_icon.toggle_listening_requested.connect(self.monitor_view.toggle_listening)
            self.tray_icon.toggle_snooze_requested.connect(self.monitor_view.toggle_snooze)
            self.tray_icon.quit_requested.connect(self.quit)
            self.tray_icon.show()

    def _connect(self) -> None:
        monitor = self._monitor
        monitor.state_changed.connect(self._on_state_changed)
        monitor.alert_raised.connect(self._on_alert_raised)
        monitor.complained.connect(self._on_complained)
        monitor.recorder.state_changed.connect(self._on_recorder_changed)
        self.monitor_view.complained.connect(self._on_complained)
        self.side_bar.page_requested.connect(self.show_page)
        self.side_bar.settings_requested.connect(self.show_settings)
        self.side_bar.night_mode_requested.connect(self.toggle_night_mode)
        self.banner_view.acknowledge_requested.connect(monitor.acknowledge)
        self.banner_view.snooze_requested.connect(self.monitor_view.toggle_snooze)
        self.complaint_view.dismiss_button.clicked.connect(self._on_message_visibility_changed)
        self._second_timer.timeout.connect(self._on_second_due)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_colour_scheme_changed)
        self._settings.on_change(self._on_setting_changed)

    def _make_nights(self) -> QWidget:
        from babymonitor.ui.pages.nights.history_view import HistoryView

        view = HistoryView(self._monitor, self._history, self, self._open_library())
        view.set_theme(self._theme)
        view.complained.connect(self._on_complained)
        self._themed.append(view)
        return view

    def set_library(self, library: Library | None, complaint: str = "") -> None:
        """The library, or in a sentence why there is none; its pages then show that."""
        self._library, self._no_library = library, complaint

    def _open_library(self) -> Library | None:
        if self._library is None and not self._no_library:
            self.library_wanted.emit()
        return self._library

    def _make_label(self) -> QWidget:
        library = self._open_library()
        if library is None:
            return self._page_without_library()
        from babymonitor.ui.pages.label.label_view import LabelView

        view = LabelView(self._monitor, library, self._history, self._settings, self)
        view.set_theme(self._theme)
        view.complained.connect(self._on_complained)
        self._themed.append(view)
        return view

    def _make_training(self) -> QWidget:
        library = self._open_library()
        if library is None:
            return self._page_without_library()
        from babymonitor.ui.pages.train.training_view import TrainingView

        view = TrainingView(self._monitor, library, self._settings, self)
        view.set_theme(self._theme)
        view.complained.connect(self._on_complained)
        self._themed.append(view)
        return view

    def _page_without_library(self) -> QWidget:
        """Better no page than one that forgets what is put into it."""
        label = QLabel(translated(self._no_library) or self.tr("There is no library of recordings."), self)
        label.setProperty("role", "muted")
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        label.setContentsMargins(48, 48, 48, 48)
        return label

    # ---------------------------------------------------------------------------------------------------------- pages

    @Slot(int)
    def show_page(self, number: int) -> None:
        if number in self._makers:
            page = self._makers.pop(number)()
            placeholder = self.pages.widget(number)
            if placeholder is not None:
                self.pages.removeWidget(placeholder)
                placeholder.deleteLater()
            self.pages.insertWidget(number, page)
        focused = QApplication.focusWidget()
        is_in_bar = focused is not None and self.side_bar.isAncestorOf(focused)
        self.pages.setCurrentIndex(number)
        self.side_bar.show_page(number)
        shown, focused = self.pages.currentWidget(), QApplication.focusWidget()
        if shown is not None:
            shown.setAccessibleName(self.actions_by_key[f"Ctrl+{number + 1}"].text())
        if shown is not None and not is_in_bar and (focused is None or not shown.isAncestorOf(focused)):
            # Qt would give it to the next that can have it: Night mode, and Space would switch that.
            shown.setFocus()
        # A letter that means something else on this page; two receivers of one key would leave Qt silent.
        own_keys: frozenset[str] = getattr(self.pages.currentWidget(), "own_keys", frozenset())
        for key, action in self.actions_by_key.items():
            action.setEnabled(key not in own_keys)
        self._show_state()

    @Slot()
    def show_monitor(self) -> None:
        self.show_page(MONITOR_PAGE)

    @Slot()
    def show_nights(self) -> None:
        self.show_page(NIGHTS_PAGE)

    @Slot()
    def show_label(self) -> None:
        self.show_page(LABEL_PAGE)

    @Slot()
    def show_training(self) -> None:
        self.show_page(TRAIN_PAGE)

    @Slot()
    def show_settings(self) -> None:
        from babymonitor.ui.settings.settings_dialog import SettingsDialog

        if self.settings_dialog is None:
            self.settings_dialog = SettingsDialog(self._monitor, self._settings, self)
            self.settings_dialog.set_theme(self._theme)
            self._themed.append(self.settings_dialog)
        self.settings_dialog.show_values()
        self.settings_dialog.show()
        self.settings_dialog.raise_()
        self.settings_dialog.activateWindow()

    @Slot()
    def show_keys(self) -> None:
        page = self.pages.currentWidget()
        seen = [] if page is None else [widget for widget in (page, *page.findChildren(QWidget)) if widget.isVisible()]
        words = key_table(key_list(widget) for widget in (self, *seen))
        box = QMessageBox(QMessageBox.Icon.NoIcon, self.tr("Keys"), words, parent=self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setModal(False)
        box.show()

    @Slot()
    def come_forward(self) -> None:
        """Show the window and bring it to the front, from the tray or for a second start of the program."""
        self.showNormal() if self.isMinimized() else self.show()
        self.raise_()
        self.activateWindow()

    @Slot()
    def toggle_night_mode(self) -> None:
        """Night, or back to what the system looks like."""
        self._settings[THEME] = "system" if self._theme.name == "night" else "night"
        self.side_bar.set_theme(self._theme)

    # ---------------------------------------------------------------------------------------------------------- state

    @property
    def theme(self) -> Theme:
        return self._theme

    def _show_theme(self) -> None:
        apply_theme(_app(), self._theme)
        self._theme_pages()

    def _theme_pages(self) -> None:
        for view in self._themed:
            view.set_theme(self._theme)

    def _show_state(self) -> None:
        """Banner, tray and title. The Monitor page has its own state line, so the banner is for the other pages."""
        state = self._monitor.state
        words = state_words(state, self.monitor_view.mean_score(), time.time())
        is_urgent = state.alarm_sounding or state.activity.is_fault
        is_urgent = is_urgent or state.activity in (Activity.CRYING, Activity.LOUD)
        if is_urgent and self.pages.currentIndex() != MONITOR_PAGE:
            self.banner_view.show_state(state, words)
        else:
            self.banner_view.hide()
        self._on_message_visibility_changed()
        if is_urgent and self.isVisible() and not self.isMinimized():
            self._second_timer.start()
        else:
            self._second_timer.stop()
        if self.tray_icon is not None:
            self.tray_icon.set_state(state, words)
        self._show_title(state, words)

    def _show_title(self, state: MonitorState, words: StateWords) -> None:
        """The task bar tells it too; without the seconds, which would make it flicker."""
        name = self.tr("Baby Monitor")
        urgent = {Activity.CRYING: self.tr("CRYING"), Activity.LOUD: self.tr("LOUD")}
        title = f"{urgent.get(state.activity, words.headline)} — {name}"
        if title != self.windowTitle():
            self.setWindowTitle(title)

    @Slot(MonitorState)
    def _on_state_changed(self, state: MonitorState) -> None:
        self._show_state()
        if state.activity is not self._last_activity:
            self._last_activity = state.activity
            if state.activity.is_fault and self.tray_icon is not None:
                words = state_words(state, None, time.time())
                self.tray_icon.say(words.headline, words.detail, is_urgent=True)

    @Slot()
    def _on_recorder_changed(self) -> None:
        """A recording goes on whichever page is shown: it is not to be forgotten."""
        is_recording = self._monitor.recorder.is_recording
        self.side_bar.set_title(LABEL_PAGE, self.tr("● Recording") if is_recording else self.tr("Label"))

    @Slot(object)
    def _on_alert_raised(self, alert: AlertRow) -> None:
        QApplication.alert(self)
        if self.tray_icon is not None:
            parts = (reason_hint(alert.reasons), level_text(alert.peak_db))
            self.tray_icon.say(kind_title(alert.kind), " · ".join(part for part in parts if part), is_urgent=True)

    @Slot(object)
    def _on_complained(self, sentence: str) -> None:
        self.complaint_view.add(sentence)
        self._on_message_visibility_changed()

    @Slot()
    def _on_message_visibility_changed(self) -> None:
        shown = any(not view.isHidden() for view in (self.banner_view, self.complaint_view))
        self._messages.setVisible(shown)

    @Slot()
    def _on_second_due(self) -> None:
        self._show_state()

    @Slot()
    def _on_colour_scheme_changed(self) -> None:
        self._follow_theme()

    def _on_setting_changed(self, name: str) -> None:
        if name == THEME.name:
            self._follow_theme()
        elif name != WINDOW_GEOMETRY.name:
            self.monitor_view.refresh_settings()

    def _follow_theme(self) -> None:
        theme = resolve_theme(self._settings[THEME])
        if theme.name != self._theme.name:
            self._theme = theme
            self._show_theme()

    # -------------------------------------------------------------------------------------------- opening and closing

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show_state()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._second_timer.stop()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.WindowStateChange and hasattr(self, "monitor_view"):
            self.monitor_view.set_minimised(self.isMinimized())
            self._show_state()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._is_painted:
            self._is_painted = True
            # It reaches the screen when this event is over.
            QTimer.singleShot(0, self.first_painted.emit)

    def closeEvent(self, event: QCloseEvent) -> None:
        is_listening = self._monitor.state.activity is not Activity.STOPPED
        is_ending = self._is_quitting or _app().isSavingSession()
        if is_listening and not is_ending and self.tray_icon is not None and self._settings[CLOSE_TO_TRAY]:
            event.ignore()
            self._go_to_tray(self.tray_icon)
            return
        if not is_ending and (lost := self._what_is_lost()) and not self._ask_to_close(lost):
            event.ignore()
            return
        self._save_geometry()
        if self.tray_icon is not None:
            self.tray_icon.hide()
        event.accept()
        self.closed.emit()

    @Slot()
    def quit(self) -> None:
        """Close for good, asking first while it listens or trains."""
        if (lost := self._what_is_lost()) and not self._ask_to_close(lost):
            return
        self._is_quitting = True
        self.close()
        # Hidden in the tray, closing does not count as the last window's.
        QApplication.quit()

    def close_without_asking(self) -> None:
        """For app.py, when the program ends for another reason."""
        self._is_quitting = True
        self.close()

    def shut_down(self) -> None:
        """What the pages have under way ends here, each in its own way, before the program goes."""
        for number in range(self.pages.count()):
            end = getattr(self.pages.widget(number), "shut_down", None)
            if end is not None:
                end()

    def _go_to_tray(self, tray_icon: TrayIcon) -> None:
        self._save_geometry()
        QApplication.setQuitOnLastWindowClosed(False)
        self.hide()
        tray_icon.say(self.tr("Still listening"), self.tr("Open or quit it from this icon."), is_urgent=False)

    def _what_is_lost(self) -> str:
        """What ends when the program is closed now, in sentences; empty where nothing does."""
        found = [str(getattr(self.pages.widget(number), "busy_sentence", "")) for number in range(self.pages.count())]
        if self._monitor.state.activity is not Activity.STOPPED:
            found.insert(0, self.tr("It is listening. If you close it, nobody listens."))
        return "\n".join(filter(None, found))

    def _ask_to_close(self, lost: str) -> bool:
        box = QMessageBox(self)
        box.setWindowTitle(self.tr("Baby Monitor"))
        box.setText(lost)
        is_listening = self._monitor.state.activity is not Activity.STOPPED
        words = self.tr("Go on listening") if is_listening else self.tr("Keep it open")
        keep = box.addButton(words, QMessageBox.ButtonRole.RejectRole)
        close = box.addButton(self.tr("Stop and close"), QMessageBox.ButtonRole.AcceptRole)
        # Enter and Esc keep listening: the careless answer is the safe one.
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.exec()
        return box.clickedButton() is close

    def _save_geometry(self) -> None:
        text = base64.b64encode(self.saveGeometry().data()).decode("ascii")
        try:
            self._settings[WINDOW_GEOMETRY] = text
        except OSError as error:
            self._on_complained(self.tr("The settings could not be saved: {error}.").format(error=error))

    def _restore_geometry(self) -> None:
        """As it was last time; what cannot be read is ignored."""
        text = self._settings[WINDOW_GEOMETRY]
        if not text:
            return
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            return
        self.restoreGeometry(QByteArray(raw))


def _room_on_screen() -> QSize:
    # Not `self.screen()`: PySide makes the screen a child of whoever was asked for it, and collecting garbage crashed.
    return QGuiApplication.primaryScreen().availableSize()


def _app() -> QApplication:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    return app
