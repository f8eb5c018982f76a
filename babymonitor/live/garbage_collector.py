"""Python's garbage, collected by the main thread alone."""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer, Slot

_INTERVAL_MS = 1000


class GarbageCollector(QObject):
    """Collects what Python's own collector would, from `start` to `stop`, in the thread that made it.

    Left to itself, the collector runs in whatever thread comes to allocate. The detector's would then destroy a closed
    window's objects: it waits for Python's lock with a lock of Qt's in its hand, while the main thread, which holds
    Python's, waits for Qt's; both stand still for ever.
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
        """Leave it to Python again: for when no other thread of ours runs."""
        self._timer.stop()
        gc.enable()

    @Slot()
    def _on_timeout(self) -> None:
        counts, limits = gc.get_count(), gc.get_threshold()
        for generation in (2, 1, 0):
            if counts[generation] > limits[generation]:
                gc.collect(generation)
                return
