"""A real window on real parts: settings, history and monitor as the app builds them, in a folder of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from babymonitor.core import paths
from babymonitor.core.history.history import History
from babymonitor.core.library.library import Library
from babymonitor.core.settings import LISTEN_AT_START, THEME, Settings
from babymonitor.live.monitor import Monitor
from babymonitor.ui.parts.theme import LIGHT, apply_theme, current_theme
from babymonitor.ui.window.main_window import MainWindow


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the settings and data of whoever runs the tests out of it."""
    folder = tmp_path / "home"
    monkeypatch.setenv("BABYMONITOR_HOME", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _no_widgets_left(qapp: QApplication) -> Iterator[None]:
    """Delete what pytest-qt has closed, or every test would be slower than the one before."""
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


@pytest.fixture(autouse=True)
def _light(_no_widgets_left: None, qapp: QApplication) -> None:
    """Begin every test in the light theme, whichever theme the test before left behind."""
    if current_theme() is not LIGHT:
        apply_theme(qapp, LIGHT)


@pytest.fixture
def settings(home: Path) -> Settings:
    settings = Settings(paths.settings_file())
    settings[LISTEN_AT_START] = False
    settings[THEME] = "light"
    return settings


@pytest.fixture
def history(home: Path) -> Iterator[History]:
    history = History(paths.history_file())
    yield history
    history.close()


@pytest.fixture
def library(home: Path) -> Iterator[Library]:
    library = Library()
    yield library
    library.close()


@pytest.fixture
def monitor(qapp: object, settings: Settings, history: History) -> Iterator[Monitor]:
    """A real monitor that is not started; tests emit its signals themselves."""
    monitor = Monitor(settings, history)
    yield monitor
    monitor.shut_down()


@pytest.fixture
def window(qtbot: QtBot, monitor: Monitor, settings: Settings, history: History, library: Library) -> MainWindow:
    window = MainWindow(monitor, settings, history, lambda: (library, ""))
    window.resize(1024, 640)
    qtbot.addWidget(window, before_close_func=lambda window: window.close_without_asking())
    window.show()
    qtbot.waitExposed(window)
    return window
