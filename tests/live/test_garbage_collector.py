"""Qt's objects are destroyed by the main thread, whoever makes Python look for garbage."""

from __future__ import annotations

import gc
import threading

from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from babymonitor.core import paths
from babymonitor.core.history.history import History
from babymonitor.core.settings import Settings
from babymonitor.live.monitor import Monitor

MANY = 2000
died: list[int] = []


class Garbage(QObject):
    """Only the collector finds it: it holds itself."""

    def __init__(self) -> None:
        super().__init__()
        self.me = self

    def __del__(self) -> None:
        died.append(threading.get_ident())


def test_no_other_thread_destroys_what_the_main_one_left(qtbot: QtBot) -> None:
    """A window's garbage in the detector's hands stopped both threads for ever."""
    died.clear()
    history = History(paths.history_file())
    monitor = Monitor(Settings(paths.settings_file()), history)
    try:
        for _ in range(MANY):
            Garbage()
        other = threading.Thread(target=lambda: [[at] for at in range(100 * MANY)])  # allocates, as the detector does
        other.start()
        other.join()
        assert other.ident not in died
        qtbot.waitUntil(lambda: len(died) == MANY, timeout=20_000)
        assert set(died) == {threading.main_thread().ident}
    finally:
        monitor.shut_down()
        history.close()
    assert gc.isenabled()
