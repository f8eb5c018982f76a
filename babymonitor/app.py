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
    """Everything the window program consists of, from `__init__` to `shut_down`."""

    def __init__(self, qt: QApplication) -> None:
        super().__init__()
        self.qt = qt
        self.settings = Settings(paths.settings_file())
        self.history = open_history()
        self.monitor = Monitor(self.settings, self.history, self)
        self._library: Library | None = None
        self._has_library = False
        self.window = MainWindow(self.monitor, self.settings, self.history)
        self.window.library_wanted.connect(self._on_library_wanted)
        self._catch_errors()
        self._purge_timer = QTimer(self)
        self._purge_timer.setSingleShot(True)
        self._purge_timer.setInterval(_PURGE_MS)
        self._purge_timer.timeout.connect(self._on_purge_due)
        self._is_shown = False
        self._first_score = True
        self.monitor.scored.connect(self._on_scored)
        # After a visit to the tray the last window's end is not by itself the program's end.
        self.window.closed.connect(self.qt.quit)
        self.qt.aboutToQuit.connect(self.shut_down)

    @property
    def library(self) -> Library | None:
        """The person's labelled clips; None where they cannot be had. Opened when first asked for.

        Not before the window: of 10,000 clips the folders are looked through.
        """
        if not self._has_library:
            self._has_library = True
            self._library, no_library = open_library()
            self.window.set_library(self._library, no_library)
        return self._library

    def show(self) -> None:
        """The window first; sound after its first picture, because looking at every sound device takes a while."""
        self.window.first_painted.connect(self._on_shown)
        self.window.show()
        # A window that is covered or minimised from the start is never painted: the listening does not wait for it.
        QTimer.singleShot(_LONGEST_WAIT_MS, self._on_shown)

    def end(self) -> None:
        """Close without asking: the system, or whoever started us, wants it so."""
        self.window.close_without_asking()
        self.qt.quit()

    @Slot()
    def shut_down(self) -> None:
        """In order: what the pages do, listening, threads, then the history and the library they write to."""
        self._purge_timer.stop()
        self.window.shut_down()
        self.monitor.shut_down()
        self.history.close()
        if self._library is not None:
            self._library.close()
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
        """What a program that was killed was training; where the trainer goes on without it, it is ended."""
        from babymonitor.core.training_runs import left_running
        from babymonitor.live.trainer_process import end_orphan

        for run in left_running():
            end_orphan(run)
            self.monitor.complained.emit(run.sentence)

    @Slot()
    def _on_library_wanted(self) -> None:
        _ = self.library

    @Slot()
    def _on_purge_due(self) -> None:
        """What was deleted a month ago goes for good; a disk that refuses is asked again at the next start."""
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
        """An error in a slot is a bug of ours: it is written down and said, and listening goes on."""

        def on_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
            _log.error("unexpected error", exc_info=(kind, error, trace))
            sys.__excepthook__(kind, error, trace)
            self.monitor.complained.emit(message(Code.PROGRAM_ERROR, kind=kind.__name__))

        sys.excepthook = on_error


def open_history() -> History:
    """The person's history; where it cannot be kept, one in memory, that says so: listening goes on."""
    try:
        history = History(paths.history_file())
        history.close_what_was_left_open(time.time())
    except HistoryError as error:
        history = History(Path(":memory:"))
        history.complaints.append(message(Code.HISTORY_IN_MEMORY, reason=error.message))
    return history


def open_library() -> tuple[Library | None, str]:
    """The person's labelled clips, or why they cannot be had: kept in memory they would be lost with the program."""
    from babymonitor.core.library.library import Library, LibraryError

    try:
        return Library(), ""
    except (LibraryError, OSError) as error:
        _log.warning("no library: %s", error)
        return None, message(Code.LIBRARY_MISSING, reason=str(error))


class SingleInstance(QObject):
    """One program at a time: a second one asks the first to show its window, and ends."""

    def __init__(self) -> None:
        super().__init__()
        folder = paths.data_folder()
        self._lock = QLockFile(str(folder / "lock"))
        # Only a process that is gone makes the lock stale, never its age: a night is long.
        self._lock.setStaleLockTime(0)
        self._server = QLocalServer(self)
        self._window: MainWindow | None = None

    def is_first(self) -> bool:
        """Whether this process may go on; if not, the first one has been asked to show itself."""
        # A folder that cannot be written is no sign of another program: better two monitors than none.
        if self._lock.tryLock(100) or self._lock.error() is not QLockFile.LockError.LockFailedError:
            return True
        socket = QLocalSocket()
        socket.connectToServer(self._socket_name())
        socket.waitForConnected(1000)
        return False

    def listen(self, window: MainWindow) -> None:
        """From now on show `window` when a second program asks."""
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
    """Open the window and stay until it is closed; the exit status."""
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
        # The monitor's timers let Python see the signal soon; it comes in the middle of whatever Python does then,
        # which is finished before anything is taken from under it.
        signal.signal(number, lambda *_: QTimer.singleShot(0, application.end))
    application.show()
    status = qt.exec()
    if is_thread_left_behind():
        # All is saved. Python's own end would wait for the thread, or take what it stands on from under it.
        _log.warning("ended while a model was still at work")
        logging.shutdown()
        os._exit(status)
    return status


def _write_log() -> None:
    """A log that stays small: what happened, for whoever has to find out why."""
    handler = logging.handlers.RotatingFileHandler(paths.log_file(), maxBytes=1_000_000, backupCount=2, delay=True)
    handler.setFormatter(logging.Formatter("%(created).3f %(asctime)s %(levelname)s %(message)s"))
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
