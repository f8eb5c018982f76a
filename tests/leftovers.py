"""Fails a test that leaves a thread or a timer running behind it, or a warning in the log that it did not expect.

QThreads and QTimers are known from when Python creates them. Daemon threads are not looked at: they may end with the
process. Threads and timers that were there before a test, as a fixture of its module has them, are not its own.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QThread, QTimer
from shiboken6 import Shiboken

LOGGERS = ("babymonitor", "trainer")
PATIENCE_SECONDS = 5.0


class Records(logging.Handler):
    """Keeps what was logged as a warning or worse since it was last emptied."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []
        for name in LOGGERS:
            logging.getLogger(name).addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def close(self) -> None:
        for name in LOGGERS:
            logging.getLogger(name).removeHandler(self)
        super().close()


class Created:
    """The QThreads and QTimers that Python has created and that still exist.

    Without those that QTimer.singleShot makes, which have no parent: nobody holds them, and nobody can stop them.
    """

    def __init__(self) -> None:
        self._objects: dict[int, weakref.ref[QObject]] = {}
        self._watch(QThread)
        self._watch(QTimer)

    def running(self) -> dict[int, str]:
        """Describe those that run now, by identity."""
        texts: dict[int, str] = {}
        for number, reference in list(self._objects.items()):
            item = reference()
            if item is None or not Shiboken.isValid(item):
                del self._objects[number]
            elif isinstance(item, QThread) and item.isRunning():
                texts[number] = f"QThread {item.objectName() or item}"
            elif isinstance(item, QTimer) and item.isActive() and (item.parent() or not item.isSingleShot()):
                texts[number] = f"QTimer of {item.interval()} ms, child of {item.parent()}"
        return texts

    def _watch(self, kind: Any) -> None:
        create: Callable[..., None] = kind.__init__

        def noting(item: QObject, *arguments: Any, **properties: Any) -> None:
            create(item, *arguments, **properties)
            self._objects[id(item)] = weakref.ref(item)

        kind.__init__ = noting


class Leftovers:
    """Compares what runs after a test with what ran before it."""

    def __init__(self) -> None:
        self._log = Records()
        self._created = Created()
        self.begin()

    def close(self) -> None:
        self._log.close()

    def begin(self) -> None:
        """Note what runs before a test, and forget what was logged."""
        self._log.records.clear()
        self._before = self._running()

    def end(self, expects_warnings: bool) -> list[str]:
        """Describe what the test left behind. Whatever is about to end has `PATIENCE_SECONDS` to do so."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while left := [text for key, text in self._running().items() if key not in self._before]:
            if time.monotonic() > deadline:
                break
            if QCoreApplication.instance() is not None:
                QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
            gc.collect()
            time.sleep(0.02)
        if not expects_warnings:
            left += [f"logged: {record.levelname} {record.getMessage()}" for record in self._log.records]
        return left

    def _running(self) -> dict[int, str]:
        return {**self._created.running(), **_threads()}


def _threads() -> dict[int, str]:
    threads: Iterable[threading.Thread] = threading.enumerate()
    return {id(thread): f"thread {thread.name}" for thread in threads if not thread.daemon}


def fail_for(left: list[str]) -> None:
    """Fail the test if it left anything."""
    if left:
        pytest.fail("The test left behind: " + "; ".join(left), pytrace=False)
