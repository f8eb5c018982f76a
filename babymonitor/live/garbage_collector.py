"""Python's garbage collection, on the main thread only."""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer, Slot

_INTERVAL_MS = 1000


class GarbageCollector(QObject):
    """Replaces Python's own collector between `start` and `stop`, running on the thread that created it.

    WORKAROUND: Python's collector runs on whichever thread allocates. On the detector's thread it would destroy objects
    of a closed window: that thread waits for the GIL while holding a lock of Qt, the main thread holds the GIL and
    waits for that lock, and both are blocked for ever.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.timeout.connect(self._on_timeout)

    def start(self) -> None:
        gc.disable()
        self._timer.start()

    def stop(self) -> None:
        """Give collection back to Python, once no other thread of ours is running."""
        self._timer.stop()
        gc.enable()

    @Slot()
    def _on_timeout(self) -> None:
        counts, limits = gc.get_count(), gc.get_threshold()
        for generation in (2, 1, 0):
            if counts[generation] > limits[generation]:
                gc.collect(generation)
                return
