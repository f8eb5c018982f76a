"""The net itself: what a test leaves running or logged is found, and what it ends is not."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import leftovers
import pytest
from PySide6.QtCore import QObject, QThread, QTimer
from PySide6.QtWidgets import QApplication


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Iterator[leftovers.Leftovers]:
    """A net of its own, with little patience. What it hooks into is restored."""
    monkeypatch.setattr(leftovers, "PATIENCE_SECONDS", 0.2)
    for kind in (QThread, QTimer):
        monkeypatch.setattr(kind, "__init__", kind.__init__)
    net = leftovers.Leftovers()
    yield net
    net.close()


def test_a_timer_is_found_until_it_is_stopped(net: leftovers.Leftovers, qapp: QApplication) -> None:
    parent = QObject()
    timer = QTimer(parent)
    timer.start(12_345)
    (text,) = net.end(expects_warnings=False)
    assert "12345 ms" in text
    timer.stop()
    assert net.end(expects_warnings=False) == []


def test_a_thread_of_qt_is_found_until_it_is_stopped(net: leftovers.Leftovers, qapp: QApplication) -> None:
    thread = QThread()
    thread.setObjectName("ear")
    thread.start()
    assert net.end(expects_warnings=False) == ["QThread ear"]
    thread.quit()
    thread.wait()
    assert net.end(expects_warnings=False) == []


def test_a_thread_of_python_is_found_until_it_ends(net: leftovers.Leftovers) -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="writer")
    thread.start()
    assert net.end(expects_warnings=False) == ["thread writer"]
    end.set()
    assert net.end(expects_warnings=False) == []
    thread.join()


@pytest.mark.logs_warnings
def test_a_warning_is_found_unless_it_is_expected(net: leftovers.Leftovers) -> None:
    logging.getLogger("babymonitor").info("all is well")
    assert net.end(expects_warnings=False) == []
    logging.getLogger("babymonitor.live").warning("the microphone is gone")
    assert net.end(expects_warnings=False) == ["logged: WARNING the microphone is gone"]
    assert net.end(expects_warnings=True) == []
