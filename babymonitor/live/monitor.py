"""The running monitor without pixels. SKELETON: the signals and methods are final, the bodies follow."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from babymonitor.core.audio import RingBuffer
from babymonitor.core.history import History
from babymonitor.core.settings import Settings
from babymonitor.live.state import Activity, MonitorState


class Monitor(QObject):
    """Owns microphone, detector thread, alarm and watchdogs. All signals are emitted on the main thread."""

    state_changed = Signal(MonitorState)
    scored = Signal(object)
    """core.detector.Score, about four times a second."""
    alerts_changed = Signal()
    """Something in the history's alerts is new or different (an alert began, ended, or its clip was saved)."""
    alert_raised = Signal(object)
    """core.history.AlertRow: someone is being woken (banner, tray message)."""
    model_changed = Signal()
    """`labels`, `thresholds` and `model_name` may have changed."""
    playback_changed = Signal(str)
    """The path of the clip that is being played, empty when it ends."""
    complained = Signal(str)
    """One sentence for the person: something went wrong that does not stop the listening."""

    def __init__(self, settings: Settings, history: History, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.settings = settings
        self.history = history
        self.ring: RingBuffer = RingBuffer(120.0)
        self.state = MonitorState(Activity.STOPPED)
        self.labels: tuple[str, ...] = ()
        self.model_name = ""
        self.start_threshold = 0.6

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def snooze(self, minutes: int) -> None: ...

    def end_snooze(self) -> None: ...

    def acknowledge(self) -> None:
        """Silence the alarm that sounds now."""

    def test_alarm(self) -> None: ...

    def microphones(self) -> list[str]:
        """Names of the microphones seen now, for the picker; the empty name stands for the system's choice."""
        return []

    def play(self, path: Path) -> None:
        """Play a clip through the speakers; playing another, or `stop_playing`, ends it."""

    def stop_playing(self) -> None: ...
