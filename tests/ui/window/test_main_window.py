"""The window: keys, banner, complaints, geometry, themes, closing, and what it does not load."""

from __future__ import annotations

import base64
import subprocess
import sys
import time

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from babymonitor.core.history.history import AlertRow, History
from babymonitor.core.settings import CLOSE_TO_TRAY, THEME, WINDOW_GEOMETRY, Settings
from babymonitor.core.state import Activity, MonitorState
from babymonitor.live.monitor import Monitor
from babymonitor.ui.pages.nights.nights_page import NightsPage
from babymonitor.ui.parts.page import Page
from babymonitor.ui.parts.theme import current_theme
from babymonitor.ui.settings.settings_dialog import SettingsDialog
from babymonitor.ui.window import main_window
from babymonitor.ui.window.main_window import LABEL_PAGE, MONITOR_PAGE, NIGHTS_PAGE, TRAIN_PAGE, MainWindow


def be(monitor: Monitor, activity: Activity, **more: object) -> None:
    monitor.state = MonitorState(activity, "Crib microphone", **more)  # type: ignore[arg-type]
    monitor.state_changed.emit(monitor.state)


def test_every_action_has_a_key_and_does_it(
    monitor: Monitor, settings: Settings, history: History, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    for name in ("start", "stop", "snooze", "end_snooze", "test_alarm", "acknowledge"):
        monkeypatch.setattr(monitor, name, lambda *_, name=name: asked.append(name))
    window = MainWindow(monitor, settings, history)
    qtbot.addWidget(window, before_close_func=lambda window: window.close_without_asking())
    window.show()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    key = Qt.Key
    qtbot.keyClick(window, key.Key_L)
    qtbot.keyClick(window, key.Key_T)
    qtbot.keyClick(window, key.Key_A)
    qtbot.keyClick(window, key.Key_Escape)
    be(monitor, Activity.LISTENING)
    qtbot.keyClick(window, key.Key_S)
    be(monitor, Activity.LISTENING, snoozed_until=time.time() + 60)
    qtbot.keyClick(window, key.Key_S)
    qtbot.keyClick(window, key.Key_L)
    assert asked == ["start", "test_alarm", "acknowledge", "acknowledge", "snooze", "end_snooze", "stop"]
    control = Qt.KeyboardModifier.ControlModifier
    qtbot.keyClick(window, key.Key_2, control)
    assert window.pages.currentIndex() == NIGHTS_PAGE
    qtbot.keyClick(window, key.Key_1, control)
    assert window.pages.currentIndex() == MONITOR_PAGE
    wanted: list[str] = []

    def open_library() -> tuple[None, str]:
        wanted.append("library")
        return None, ""

    monkeypatch.setattr(window, "_open_library", open_library)
    qtbot.keyClick(window, key.Key_3, control)
    assert window.pages.currentIndex() == LABEL_PAGE
    assert wanted == ["library"], "it is opened when it is first needed"
    qtbot.keyClick(window, key.Key_4, control)
    assert window.pages.currentIndex() == TRAIN_PAGE
    qtbot.keyClick(window, key.Key_1, control)
    qtbot.keyClick(window, key.Key_N, control)
    assert current_theme().name == "night"
    qtbot.keyClick(window, key.Key_Comma, control)
    assert isinstance(window.settings_dialog, SettingsDialog)
    assert window.settings_dialog.isVisible()


def test_letters_stay_letters_in_a_field(
    window: MainWindow, monitor: Monitor, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(monitor, "start", lambda: asked.append("start"))
    nights = _nights(window)
    nights.search_edit.setFocus()
    qtbot.keyClicks(nights.search_edit, "last")
    assert nights.search_edit.text() == "last"
    assert not asked


def test_tooltips_tell_the_keys(window: MainWindow) -> None:
    view, bar = window.monitor_page, window.side_bar
    hints = {
        view.listen_button: "(L)",
        view.snooze_button: "(S)",
        view.test_button: "(T)",
        view.acknowledge_button: "(A or Esc)",
        bar.settings_button: "(Ctrl+,)",
        bar.night_button: "(Ctrl+N)",
    }
    for button, hint in hints.items():
        assert hint in button.toolTip()


def test_the_banner_is_over_the_other_pages_while_someone_is_needed(window: MainWindow, monitor: Monitor) -> None:
    banner = window.banner_view
    window.show_nights()
    assert not banner.isVisible()
    be(monitor, Activity.CRYING, since=time.time() - 24, alarm_sounding=True)
    assert banner.isVisible()
    assert banner.words.text.startswith("Crying for 24 s")
    assert banner.acknowledge_button.isVisible()
    be(monitor, Activity.DEAF, detail="microphone unplugged")
    assert banner.words.text == "NOT LISTENING — microphone unplugged"
    be(monitor, Activity.LISTENING, alarm_sounding=True)
    assert banner.words.headline == "The alarm sounds"
    be(monitor, Activity.LISTENING)
    assert not banner.isVisible()
    be(monitor, Activity.CRYING, since=time.time())
    window.show_monitor()
    assert not banner.isVisible(), "the Monitor page is one large banner itself"
    assert "CRYING" in window.windowTitle()


def test_an_alert_that_is_raised_is_no_trouble_without_a_tray(window: MainWindow, monitor: Monitor) -> None:
    monitor.alert_raised.emit(AlertRow(1, "crying", 1.0, 2.0, None, -12.0, 0.9, {"hungry": 0.9}))


def test_complaints_stay_until_they_are_dismissed(window: MainWindow, monitor: Monitor, qtbot: QtBot) -> None:
    view = window.complaint_view
    assert not view.isVisible()
    monitor.complained.emit("The model was refused.")
    monitor.complained.emit("The disk is full, no clip was kept.")
    monitor.complained.emit("The model was refused.")
    assert view.isVisible()
    assert view.sentences == ["The model was refused.", "The disk is full, no clip was kept."], "the newest is seen"
    assert view.label.text() == "The model was refused.  (+1 more)"
    qtbot.mouseClick(view.dismiss_button, Qt.MouseButton.LeftButton)
    assert view.label.text() == "The disk is full, no clip was kept."
    qtbot.mouseClick(view.dismiss_button, Qt.MouseButton.LeftButton)
    assert not view.isVisible()


def test_what_went_wrong_with_the_files_is_said_at_the_start(
    monitor: Monitor, settings: Settings, history: History, qtbot: QtBot
) -> None:
    settings.complaints.append("The settings could not be read.")
    window = MainWindow(monitor, settings, history)
    qtbot.addWidget(window)
    window.show()
    assert window.complaint_view.isVisible()
    assert window.complaint_view.label.text() == "The settings could not be read."


@pytest.mark.parametrize(("screen", "opened"), [((1024, 640), (1024, 640)), ((1920, 1080), (1180, 760))])
def test_the_first_window_is_no_larger_than_the_screen(
    monitor: Monitor,
    settings: Settings,
    history: History,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    screen: tuple[int, int],
    opened: tuple[int, int],
) -> None:
    monkeypatch.setattr(main_window, "_screen_size", lambda: QSize(*screen))
    window = MainWindow(monitor, settings, history)
    qtbot.addWidget(window)
    assert (window.width(), window.height()) == opened


def test_geometry_is_remembered(
    window: MainWindow, monitor: Monitor, settings: Settings, history: History, qtbot: QtBot
) -> None:
    window.resize(window.minimumWidth(), 655)
    window.close()
    assert settings[WINDOW_GEOMETRY]
    again = MainWindow(monitor, Settings(settings.path), history)
    qtbot.addWidget(again)
    assert again.height() == 655


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64 !",
        "AAAA",
        base64.b64encode(b"nonsense").decode(),
        base64.b64encode(b"\x01\xd9\xd0\xcb" * 40).decode(),
    ],
)
def test_a_corrupt_geometry_is_ignored(
    monitor: Monitor, settings: Settings, history: History, qtbot: QtBot, text: str
) -> None:
    settings[WINDOW_GEOMETRY] = text
    window = MainWindow(monitor, settings, history)
    qtbot.addWidget(window)
    window.show()
    assert window.width() >= 900
    assert window.height() >= 600


@pytest.mark.parametrize("answer", ["Go on listening", "Stop and close"])
def test_closing_while_it_listens_asks(
    window: MainWindow, monitor: Monitor, settings: Settings, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    settings[CLOSE_TO_TRAY] = False
    be(monitor, Activity.LISTENING)
    questions: list[str] = []

    def press(box: QMessageBox) -> None:
        questions.append(box.text())
        next(button for button in box.buttons() if button.text() == answer).click()

    monkeypatch.setattr(QMessageBox, "exec", press)
    is_closed = window.close()
    assert questions == ["It is listening. If you close it, nobody listens."]
    assert is_closed is (answer == "Stop and close")
    assert window.isVisible() is not is_closed


def test_closing_while_stopped_does_not_ask(window: MainWindow, qtbot: QtBot) -> None:
    with qtbot.waitSignal(window.closed):
        assert window.close()


def _is_painted_in(view: QWidget, colour: str) -> bool:
    """Whether any pixel of a view has a colour."""
    image = view.grab().toImage()
    colours = {image.pixel(x, y) for x in range(0, image.width(), 3) for y in range(0, image.height(), 3)}
    return QColor(colour).rgb() in colours


def test_the_theme_follows_its_setting_on_every_page(window: MainWindow, settings: Settings) -> None:
    nights = _nights(window)
    for name in ("dark", "night", "light"):
        settings[THEME] = name
        assert current_theme().name == name
        for view in (nights.timeline_view, window.monitor_page.bars_view):
            assert _is_painted_in(view, current_theme().colours.sunken)
        assert window.side_bar.night_button.isChecked() is (name == "night")


def test_pages_but_the_first_are_built_when_they_are_visited(window: MainWindow) -> None:
    assert type(window.pages.widget(NIGHTS_PAGE)) is Page
    assert type(_nights(window)).__name__ == "NightsPage"
    for number in (LABEL_PAGE, TRAIN_PAGE):
        assert type(window.pages.widget(number)) is Page


def test_the_keys_of_the_page_that_is_shown_are_listed(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []
    monkeypatch.setattr(QMessageBox, "show", lambda box: texts.append(box.text()))
    window.show_keys()
    window.show_label()
    window.show_keys()
    assert "Take the model’s suggestion" not in texts[0]
    assert "Ctrl+Z  —  Undo" in texts[1]
    assert "R  —  Record, or end the recording" in texts[1]
    assert "Search" not in texts[1], "that is the library's, which is not shown"
    assert "L  —  Start or stop listening" in texts[0]
    assert "L  —  Start or stop listening" not in texts[1], "here it keeps the last 30 seconds"
    assert "1 … 9  —  Label 1 … 9" in texts[1]


def test_the_list_of_keys_fits_a_small_screen(window: MainWindow) -> None:
    window.show_label()
    window.show_keys()
    box = next(child for child in window.findChildren(QMessageBox) if child.isVisible())
    assert box.sizeHint().height() < 560
    assert box.sizeHint().width() < 1000


def test_the_window_loads_nothing_heavy() -> None:
    """Look in a process of its own, where other tests have loaded nothing."""
    heavy = ("torch", "librosa", "sklearn", "scipy", "matplotlib", "onnxruntime", "sounddevice", "soundfile", "av")
    heavy += ("pyqtgraph", "babymonitor.core.library.library", "babymonitor.ui.pages.label.label_page")
    code = f"import sys, babymonitor.ui.window.main_window; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def _nights(window: MainWindow) -> NightsPage:
    window.show_nights()
    page = window.pages.widget(NIGHTS_PAGE)
    assert isinstance(page, NightsPage)
    return page


def test_the_focus_is_on_the_page_that_is_shown(window: MainWindow, qtbot: QtBot) -> None:
    """The focus must not go to Night mode, the next button that accepts it, which Space would switch."""
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    for show in (window.show_monitor, window.show_nights, window.show_label, window.show_training):
        show()
        page = window.pages.currentWidget()
        focused = window.focusWidget()
        assert focused is not None
        assert focused is page or page.isAncestorOf(focused)
