"""The large view of the labelling tab: the sound that is recorded now, or the clip that is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from babymonitor.live.monitor import Monitor
from babymonitor.ui.parts.text_label import text_label, wrapped_label
from babymonitor.ui.sound.sound_editor import SoundEditor

if TYPE_CHECKING:
    from babymonitor.ui.sound.live_plot import LivePlot

_FRAME_MS = 33


class SoundStage(QStackedWidget):
    """Shows one of four views: the live sound, the number of a count-in, the editor, or an invitation to record."""

    def __init__(self, monitor: Monitor, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._live_plot: LivePlot | None = None
        self.editor = SoundEditor(monitor, self)
        self.addWidget(self.editor)
        words = self.tr("Press Record and let your baby be heard, or drop sound files here.\nThen say what it was.")
        self.empty_label = wrapped_label(words, "stateDetail", self)
        # Large, to be read from where the baby is.
        self.count_label = text_label("", "countdown", self)
        for label in (self.empty_label, self.count_label):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            self.addWidget(label)
        self._live_page = QWidget(self)
        self._live_column = QVBoxLayout(self._live_page)
        self._live_column.setContentsMargins(0, 0, 0, 0)
        self.addWidget(self._live_page)
        self._frame_timer = QTimer(self)
        self._frame_timer.setInterval(_FRAME_MS)
        self._frame_timer.timeout.connect(self._on_frame_due)

    def show_view(self, is_counting: bool, has_clip: bool) -> None:
        """Show the live sound while it records, the number while it counts in, otherwise the clip, if one is open."""
        if self._monitor.recorder.is_recording:
            self._make_live_plot()
            self.setCurrentWidget(self._live_page)
        elif is_counting:
            self.setCurrentWidget(self.count_label)
        else:
            self.setCurrentWidget(self.editor if has_clip else self.empty_label)
        self._run_timer()

    def _make_live_plot(self) -> None:
        if self._live_plot is None:
            from babymonitor.ui.sound.live_plot import LivePlot

            self._live_plot = LivePlot(self)
            self._live_column.addWidget(self._live_plot)

    def _run_timer(self) -> None:
        if self._monitor.recorder.is_recording and self.isVisible():
            self._frame_timer.start()
        else:
            self._frame_timer.stop()

    @Slot()
    def _on_frame_due(self) -> None:
        if self._live_plot is not None:
            self._live_plot.show_sound(self._monitor.ring)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._run_timer()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._frame_timer.stop()
