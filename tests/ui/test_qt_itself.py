"""Qt's bindings on this Python: what must hold before any window can be trusted for a night."""

from __future__ import annotations

import sys

from PySide6.QtCore import QTimer


def test_calls_that_return_nothing_do_not_use_up_none(qapp: object) -> None:
    """PySide6 6.12.0 under Python 3.11 takes a reference from None at every such call.

    None then dies ("deallocating None") after some thousands of calls, which for a window that draws thirty times a
    second is a minute: 6.11.3 is the newest that does not.
    """
    timer = QTimer()
    before = sys.getrefcount(None)
    for _ in range(400):
        timer.stop()
    assert sys.getrefcount(None) > before - 200
