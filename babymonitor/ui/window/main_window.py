"""The window: a narrow bar, pages, a banner over them while somebody is needed, and what closing means."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QCloseEvent,
    QGuiApplication,
    QHideEvent,
    QIcon,
    QPaintEvent,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QMainWindow,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from babymonitor.core import paths
from babymonitor.core.history.history import AlertRow, History
from babymonitor.core.settings import CLOSE_TO_TRAY, THEME, WINDOW_GEOMETRY, Settings
from babymonitor.core.state import Activity, MonitorState
from babymonitor.live.monitor import Monitor
from babymonitor.ui.pages.monitor.monitor_page import MonitorPage
from babymonitor.ui.parts.banner_view import BannerView
from babymonitor.ui.parts.complaint_view import ComplaintView
from babymonitor.ui.parts.keys import KeyRow, add_keys, key_list, key_table
from babymonitor.ui.parts.page import Page
from babymonitor.ui.parts.save_setting import save_setting
from babymonitor.ui.parts.theme import apply_theme, current_theme, resolve_theme
from babymonitor.ui.parts.wording import StateWords, kind_title, level_text, reason_hint, state_words, translated
from babymonitor.ui.window.close_question import confirms_closing
from babymonitor.ui.window.page_stack import EmptyPage, PageStack
from babymonitor.ui.window.side_bar_view import SideBarView
from babymonitor.ui.window.tray_icon import TrayIcon
from babymonitor.ui.window.window_geometry import geometry_text, restore_geometry

if TYPE_CHECKING:
    from babymonitor.core.library.library import Library
    from babymonitor.ui.settings.settings_dialog import SettingsDialog

MONITOR_PAGE, NIGHTS_PAGE, LABEL_PAGE, TRAIN_PAGE = 0, 1, 2, 3


class MainWindow(QMainWindow):
    """Shows the monitor and decides nothing about sound. app.py builds it and owns what is passed in."""

    first_painted = Signal()
    """The window's first picture is on the screen, so that slow work may begin."""
    closed = Signal()
    """The person closed the window for good, not to the tray."""

    def __init__(
        self,
        monitor: Monitor,
        settings: Settings,
        history: History,
        open_library: Callable[[], tuple[Library | None, str]] = lambda: (None, ""),
        parent: QWidget | None = None,
    ) -> None:
        """open_library: returns the library or, if there is none, the reason; called whenever a page is built."""
        super().__init__(parent)
        self._monitor = monitor
        self._settings = settings
        self._history = history
        self._open_library = open_library
        self._last_activity = Activity.STOPPED
        self._is_quitting = False
        self._is_painted = False
        self.settings_dialog: SettingsDialog | None = None
        # Before anything is built, because a widget keeps the text size that it was built with.
        apply_theme(_app(), resolve_theme(settings[THEME]))
        self._build_frame()
        self._build_pages()
        self._lay_out()
        self._build_actions()
        self._build_tray()
        self._connect()
        restore_geometry(self, settings[WINDOW_GEOMETRY])
        self._show_state()
        for sentence in (*settings.complaints, *history.complaints):
            self.complaint_view.add(sentence)
        self.monitor_page.setAccessibleName(self.tr("Monitor page"))
        self.monitor_page.setFocus()

    def _build_frame(self) -> None:
        self.setWindowTitle(self.tr("Baby Monitor"))
        icon = paths.resource("icons", "app.svg")
        if icon.exists():
            self.setWindowIcon(QIcon(str(icon)))
        self.setMinimumSize(900, 600)
        # A small screen may have no window manager that would make the window fit.
        self.resize(QSize(1180, 760).boundedTo(_screen_size()))
        self.side_bar = SideBarView(self)
        self.banner_view = BannerView(self)
        self.complaint_view = ComplaintView(self)
        self.pages = PageStack(self)
        self._second_timer = QTimer(self)
        self._second_timer.setInterval(500)

    def _build_pages(self) -> None:
        self.monitor_page = MonitorPage(self._monitor, self._settings, self._history, self)
        for make in (lambda: self.monitor_page, self._make_nights, self._make_label, self._make_training):
            self.pages.add_page(make)
        self.pages.show_page(MONITOR_PAGE)
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
        """Give every action a key. A single letter stays a letter while somebody types in a field."""
        monitor = self.monitor_page
        table: tuple[KeyRow, ...] = (
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
        self.actions_by_key = add_keys(self, table)

    def _build_tray(self) -> None:
        self.tray_icon: TrayIcon | None = None
        if TrayIcon.is_available():
            self.tray_icon = TrayIcon(self)
            self.tray_icon.show_window_requested.connect(self.come_forward)
            self.tray_icon.toggle_listening_requested.connect(self.monitor_page.toggle_listening)
            self.tray_icon.toggle_snooze_requested.connect(self.monitor_page.toggle_snooze)
            self.tray_icon.quit_requested.connect(self.quit)
            self.tray_icon.show()

    def _connect(self) -> None:
        monitor = self._monitor
        monitor.state_changed.connect(self._on_state_changed)
        monitor.alert_raised.connect(self._on_alert_raised)
        monitor.complained.connect(self._on_complained)
        monitor.recorder.state_changed.connect(self._on_recorder_changed)
        self.pages.complained.connect(self._on_complained)
        self.side_bar.page_requested.connect(self.show_page)
        self.side_bar.settings_requested.connect(self.show_settings)
        self.side_bar.night_mode_requested.connect(self.toggle_night_mode)
        self.banner_view.acknowledge_requested.connect(monitor.acknowledge)
        self.banner_view.snooze_requested.connect(self.monitor_page.toggle_snooze)
        self.complaint_view.dismiss_button.clicked.connect(self._on_message_visibility_changed)
        self._second_timer.timeout.connect(self._on_second_due)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_colour_scheme_changed)
        self._settings.on_change(self._on_setting_changed)

    def _make_nights(self) -> Page:
        from babymonitor.ui.pages.nights.nights_page import NightsPage

        return NightsPage(self._monitor, self._history, self, self._open_library()[0])

    def _make_label(self) -> Page:
        from babymonitor.ui.pages.label.label_page import LabelPage

        library, complaint = self._open_library()
        if library is None:
            return self._make_empty_page(complaint)
        return LabelPage(self._monitor, library, self._history, self._settings, self)

    def _make_training(self) -> Page:
        from babymonitor.ui.pages.train.train_page import TrainPage

        library, complaint = self._open_library()
        if library is None:
            return self._make_empty_page(complaint)
        return TrainPage(self._monitor, library, self._settings, self)

    def _make_empty_page(self, complaint: str) -> Page:
        return EmptyPage(translated(complaint) or self.tr("There is no library of recordings."), self)

    @Slot(int)
    def show_page(self, number: int) -> None:
        """Show a page: MONITOR_PAGE, NIGHTS_PAGE, LABEL_PAGE or TRAIN_PAGE."""
        focused = QApplication.focusWidget()
        is_in_bar = focused is not None and self.side_bar.isAncestorOf(focused)
        page = self.pages.show_page(number)
        self.side_bar.show_page(number)
        page.setAccessibleName(self.actions_by_key[f"Ctrl+{number + 1}"].text())
        focused = QApplication.focusWidget()
        if not is_in_bar and (focused is None or not page.isAncestorOf(focused)):
            # Qt would focus the next widget that accepts it, Night mode, which Space would then switch.
            page.setFocus()
        # If two actions have the same key, Qt triggers neither of them.
        for key, action in self.actions_by_key.items():
            action.setEnabled(key not in page.own_keys)
        self._show_state()

    @Slot()
    def show_monitor(self) -> None:
        """Show the Monitor page."""
        self.show_page(MONITOR_PAGE)

    @Slot()
    def show_nights(self) -> None:
        """Show the Nights page."""
        self.show_page(NIGHTS_PAGE)

    @Slot()
    def show_label(self) -> None:
        """Show the page Record & label."""
        self.show_page(LABEL_PAGE)

    @Slot()
    def show_training(self) -> None:
        """Show the Train page."""
        self.show_page(TRAIN_PAGE)

    @Slot()
    def show_settings(self) -> None:
        """Open the settings dialog."""
        from babymonitor.ui.settings.settings_dialog import SettingsDialog

        if self.settings_dialog is None:
            self.settings_dialog = SettingsDialog(self._monitor, self._settings, self)
        self.settings_dialog.show_values()
        self.settings_dialog.show()
        self.settings_dialog.raise_()
        self.settings_dialog.activateWindow()

    @Slot()
    def show_keys(self) -> None:
        """Open a box with the keys of the window and of what is shown."""
        page = self.pages.currentWidget()
        widgets = [] if page is None else [page, *page.findChildren(QWidget)]
        words = key_table(key_list(widget) for widget in (self, *widgets) if widget.isVisible())
        box = QMessageBox(QMessageBox.Icon.NoIcon, self.tr("Keys"), words, parent=self)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setModal(False)
        box.show()

    @Slot()
    def come_forward(self) -> None:
        """Show the window in front, from the tray or for a second start of the program."""
        self.showNormal() if self.isMinimized() else self.show()
        self.raise_()
        self.activateWindow()

    @Slot()
    def toggle_night_mode(self) -> None:
        """Switch to the night's theme, or from it to the system's."""
        theme = "system" if current_theme().name == "night" else "night"
        save_setting(self._settings, THEME, theme, self._on_complained)
        # The click has checked or unchecked the button by itself.
        self.side_bar.apply_theme()

    def _show_state(self) -> None:
        """Show the state in banner, tray and title. The Monitor page has a state line and needs no banner."""
        state = self._monitor.state
        words = state_words(state, self.monitor_page.mean_score(), time.time())
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
        """Show the state in the title, for the task bar; without seconds, which would make it flicker."""
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
        """Show a recording in the side bar, because it goes on whichever page is shown."""
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
        has_messages = any(not view.isHidden() for view in (self.banner_view, self.complaint_view))
        self._messages.setVisible(has_messages)

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
            self.monitor_page.refresh_settings()

    def _follow_theme(self) -> None:
        theme = resolve_theme(self._settings[THEME])
        if theme is not current_theme():
            apply_theme(_app(), theme)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show_state()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._second_timer.stop()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.WindowStateChange:
            self.monitor_page.set_minimised(self.isMinimized())
            self._show_state()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._is_painted:
            self._is_painted = True
            # The picture reaches the screen when this event is over.
            QTimer.singleShot(0, self.first_painted.emit)

    def closeEvent(self, event: QCloseEvent) -> None:
        is_listening = self._monitor.state.activity is not Activity.STOPPED
        is_ending = self._is_quitting or _app().isSavingSession()
        if is_listening and not is_ending and self.tray_icon is not None and self._settings[CLOSE_TO_TRAY]:
            event.ignore()
            self._go_to_tray(self.tray_icon)
            return
        if not is_ending and not self._may_close():
            event.ignore()
            return
        self._save_geometry()
        if self.tray_icon is not None:
            self.tray_icon.hide()
        event.accept()
        self.closed.emit()

    @Slot()
    def quit(self) -> None:
        """Close for good, after asking if anything would be lost."""
        if not self._may_close():
            return
        self._is_quitting = True
        self.close()
        # Closing a window that is hidden in the tray does not end the program by itself.
        QApplication.quit()

    def close_without_asking(self) -> None:
        """Close for good, because the program ends for another reason."""
        self._is_quitting = True
        self.close()

    def shut_down(self) -> None:
        """End whatever the pages have under way, because the program ends."""
        self.pages.shut_down()

    def _go_to_tray(self, tray_icon: TrayIcon) -> None:
        self._save_geometry()
        QApplication.setQuitOnLastWindowClosed(False)
        self.hide()
        tray_icon.say(self.tr("Still listening"), self.tr("Open or quit it from this icon."), is_urgent=False)

    def _losses(self) -> str:
        """Return in sentences what would end if the program were closed now; empty if nothing would."""
        sentences = self.pages.busy_sentences
        if self._monitor.state.activity is not Activity.STOPPED:
            sentences.insert(0, self.tr("It is listening. If you close it, nobody listens."))
        return "\n".join(sentences)

    def _may_close(self) -> bool:
        """Return whether nothing would be lost, or the person insists."""
        lost = self._losses()
        return not lost or confirms_closing(self, lost, self._monitor.state.activity is not Activity.STOPPED)

    def _save_geometry(self) -> None:
        save_setting(self._settings, WINDOW_GEOMETRY, geometry_text(self), self._on_complained)


def _screen_size() -> QSize:
    # WORKAROUND PySide: `self.screen()` makes the screen a child of the widget, and collecting garbage then crashed.
    return QGuiApplication.primaryScreen().availableSize()


def _app() -> QApplication:
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    return app
