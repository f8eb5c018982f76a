"""What must hold of Qt's bindings on this Python before any window can be trusted for a night."""

from __future__ import annotations

import sys

from PySide6.QtCore import QTimer


def test_calls_that_return_nothing_do_not_use_up_none(qapp: object) -> None:
    """Calls from Python into Qt that return nothing keep None's reference count.

    WORKAROUND PySide6 6.12.0 under Python 3.11: it drops a reference to None at every such call. After some thousands
    of calls, a minute of drawing, Python dies of "deallocating None". Therefore 6.11.3 is pinned.
    """
    timer = QTimer()
    before = sys.getrefcount(None)
    for _ in range(400):
        timer.stop()
    assert sys.getrefcount(None) > before - 200
