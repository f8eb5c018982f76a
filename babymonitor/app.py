"""The composition root of the window: build, wire, show, listen, shut down in order."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import signal
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from PySide6.QtCore import QLockFile, QObject, QTimer, Slot
from PySide6.QtGui import QIcon
from PySide6.QtNetwork import QLocalServer, QLocalSocket
from PySide6.QtWidgets import QApplication, QMessageBox

from babymonitor import __version__
from babymonitor.core import paths
from babymonitor.core.history.history import History, HistoryError
from babymonitor.core.messages import Code, message
from babymonitor.core.settings import LISTEN_AT_START, Settings
from babymonitor.live.monitor import Monitor, is_thread_left_behind
from babymonitor.ui.window.main_window import MainWindow

if TYPE_CHECKING:
    from babymonitor.core.library.library import Library

_log = logging.getLogger("babymonitor")

_LONGEST_WAIT_MS = 1000
_PURGE_MS = 20_000


class Application(QObject):
    """All parts of the window program, from `__init__` to `shut_down`."""

    def __init__(self, qt: QApplication) -> None:
        super().__init__()
        self.qt = qt
        self.settings = Settings(paths.settings_file())
        self.history = open_history()
        self.monitor = Monitor(self.settings, self.history, self)
        self._opened_library: tuple[Library | None, str] | None = None
        self.window = MainWindow(self.monitor, self.settings, self.history, self.open_library)
        self._catch_errors()
        self._purge_timer = QTimer(self, singleShot=True, interval=_PURGE_MS)
        self._purge_timer.timeout.connect(self._on_purge_due)
        self._paint_timer = QTimer(self, singleShot=True, interval=_LONGEST_WAIT_MS)
        self._paint_timer.timeout.connect(self._on_shown)
        self._is_shown = False
        self._first_score = True
        self.monitor.scored.connect(self._on_scored)
        # Once the window was hidden in the tray, closing the last window no longer quits by itself.
        self.window.closed.connect(self.qt.quit)
        self.qt.aboutToQuit.connect(self.shut_down)

    @property
    def library(self) -> Library | None:
        """The person's labelled clips; None if they cannot be opened."""
        return self.open_library()[0]

    def open_library(self) -> tuple[Library | None, str]:
        """The library, opened at the first call, or the reason why there is none.

        Not before the window is shown: a library of 10,000 clips takes a while to check.
        """
        if self._opened_library is None:
            self._opened_library = open_library()
        return self._opened_library

    def show(self) -> None:
        """Show the window; start listening after its first paint, because probing sound devices takes a while."""
        self.window.first_painted.connect(self._on_shown)
        self.window.show()
        # A window that starts covered or minimised is never painted: do not wait for it for ever.
        self._paint_timer.start()

    def end(self) -> None:
        """Quit without asking, because the system or a signal wants it."""
        self.window.close_without_asking()
        self.qt.quit()

    @Slot()
    def shut_down(self) -> None:
        """End the pages' work, the listening, the threads, then close the history and the library they write to."""
        self._paint_timer.stop()
        self._purge_timer.stop()
        self.window.shut_down()
        self.monitor.shut_down()
        self.history.close()
        if self._opened_library is not None and self._opened_library[0] is not None:
            self._opened_library[0].close()
        _log.info("ended")

    @Slot()
    def _on_shown(self) -> None:
        if self._is_shown:
            return
        self._is_shown = True
        _log.info("window visible")
        if self.settings[LISTEN_AT_START]:
            self.monitor.start()
        self._tell_of_trainings()
        self._purge_timer.start()

    def _tell_of_trainings(self) -> None:
        """Report trainings of a program that was killed, and end a trainer that it left running."""
        from babymonitor.live.trainer_process import interrupted_runs

        for run in interrupted_runs():
            self.monitor.complained.emit(run.sentence)

    @Slot()
    def _on_purge_due(self) -> None:
        """Permanently delete what was deleted a month ago. What the disk refuses is tried at the next start."""
        from babymonitor.core.library.library import LibraryError
        from babymonitor.core.model.model_shelf import purge_trash

        purge_trash(time.time())
        if self.library is not None:
            with contextlib.suppress(LibraryError):
                self.library.purge(time.time())

    @Slot()
    def _on_scored(self) -> None:
        if self._first_score:
            _log.info("first score")
            self._first_score = False
            self.monitor.scored.disconnect(self._on_scored)

    def _catch_errors(self) -> None:
        """Log and show errors raised in slots: they are bugs, but the listening goes on."""

        def on_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
            _log.error("unexpected error", exc_info=(kind, error, trace))
            sys.__excepthook__(kind, error, trace)
            self.monitor.complained.emit(message(Code.PROGRAM_ERROR, kind=kind.__name__))

        sys.excepthook = on_error


def open_history() -> History:
    """Open the person's history. If that fails, return one in memory whose `complaints` say so."""
    try:
        history = History(paths.history_file())
        history.close_open_rows(time.time())
    except HistoryError as error:
        history = History(Path(":memory:"))
        history.complaints.append(message(Code.HISTORY_IN_MEMORY, reason=error.message))
    return history


def open_library() -> tuple[Library | None, str]:
    """Open the library, or return the reason why not: kept in memory, clips would be lost."""
    from babymonitor.core.library.library import Library, LibraryError

    try:
        return Library(), ""
    except (LibraryError, OSError) as error:
        _log.warning("no library: %s", error)
        return None, message(Code.LIBRARY_MISSING, reason=str(error))


class SingleInstance(QObject):
    """Allows one program at a time: a second one asks the first to show its window, and ends."""

    def __init__(self) -> None:
        super().__init__()
        folder = paths.data_folder()
        self._lock = QLockFile(str(folder / "lock"))
        # Age never makes the lock stale, only the end of its process: a night is long.
        self._lock.setStaleLockTime(0)
        self._server = QLocalServer(self)
        self._window: MainWindow | None = None

    def is_first(self) -> bool:
        """Return whether this process is the only one; if not, ask the first one to show its window."""
        # A folder that cannot be written does not mean another program: better two monitors than none.
        if self._lock.tryLock(100) or self._lock.error() is not QLockFile.LockError.LockFailedError:
            return True
        socket = QLocalSocket()
        socket.connectToServer(self._socket_name())
        socket.waitForConnected(1000)
        return False

    def listen(self, window: MainWindow) -> None:
        """Show `window` whenever a second program is started."""
        self._window = window
        QLocalServer.removeServer(self._socket_name())
        self._server.newConnection.connect(self._on_new_connection)
        self._server.listen(self._socket_name())

    def _socket_name(self) -> str:
        return f"babymonitor-{paths.data_folder()}".replace("/", "-").replace("\\", "-").replace(":", "")[-80:]

    @Slot()
    def _on_new_connection(self) -> None:
        connection = self._server.nextPendingConnection()
        connection.close()
        connection.deleteLater()
        if self._window is not None:
            self._window.come_forward()


def run() -> int:
    """Run the window program until it is closed. Returns the exit status."""
    try:
        _write_log()
    except OSError as error:
        print(f"The folder for recordings and history cannot be used: {error}.", file=sys.stderr)
        return 1
    _log.info("started %s", __version__)
    qt = QApplication(sys.argv[:1])
    qt.setApplicationName("babymonitor")
    qt.setApplicationDisplayName("Baby Monitor")
    qt.setDesktopFileName("babymonitor")
    qt.setWindowIcon(QIcon(str(paths.resource("icons", "app.svg"))))
    qt.setQuitOnLastWindowClosed(True)
    instance = SingleInstance()
    if not instance.is_first():
        print("Baby Monitor is already running; its window is shown.")
        return 0
    try:
        application = Application(qt)
    except OSError as error:
        QMessageBox.critical(None, "Baby Monitor", str(error))
        return 1
    instance.listen(application.window)
    for number in (signal.SIGINT, signal.SIGTERM):
        # Python handles the signal between two instructions of whatever runs then: quit only after that has finished.
        signal.signal(number, lambda *_: QTimer.singleShot(0, application.end))
    application.show()
    status = qt.exec()
    if is_thread_left_behind():
        # Everything is saved. A regular exit would wait for the thread, or destroy what it still uses.
        _log.warning("ended while a model was still at work")
        logging.shutdown()
        os._exit(status)
    return status


def _write_log() -> None:
    """Set up a rotating log of at most 3 MB."""
    handler = logging.handlers.RotatingFileHandler(paths.log_file(), maxBytes=1_000_000, backupCount=2, delay=True)
    handler.setFormatter(logging.Formatter("%(created).3f %(asctime)s %(levelname)s %(message)s"))
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
