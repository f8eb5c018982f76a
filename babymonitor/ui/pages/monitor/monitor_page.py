"""The Monitor page: whether it listens, what it hears, and what it woke somebody for."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QHideEvent, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from babymonitor.core.alerts.loudness import LoudnessMeter
from babymonitor.core.history.history import AlertRow, History, HistoryError
from babymonitor.core.model.scorer import Score
from babymonitor.core.settings import LOUD_ALERTS, LOUD_LEVEL_DB, LOUD_RISE_DB, SNOOZE_MINUTES, Settings
from babymonitor.core.sound.levels import level_db
from babymonitor.core.state import Activity, MonitorState
from babymonitor.live.monitor import Monitor
from babymonitor.ui.pages.monitor.bars_view import BarsView
from babymonitor.ui.pages.monitor.level_view import LevelView
from babymonitor.ui.parts.alerts_model import AlertColumn, AlertsModel
from babymonitor.ui.parts.alerts_view import AlertsView
from babymonitor.ui.parts.card import Card
from babymonitor.ui.parts.microphone_view import MicrophoneView
from babymonitor.ui.parts.page import Page
from babymonitor.ui.parts.state_view import StateView
from babymonitor.ui.parts.text_label import text_label, wrapped_label
from babymonitor.ui.parts.theme import set_role
from babymonitor.ui.parts.wording import StateWords, state_words

if TYPE_CHECKING:
    from babymonitor.ui.sound.live_plot import LivePlot

_FRAME_MS = 33
_LEVEL_SECONDS = 0.1
_RECENT_ALERTS = 50
_SCORES_FOR_A_WORD = 8
"""The state line's word follows the mean of two seconds, so that it does not flicker between two words."""
_SCORES_FOR_BACKGROUND = 240
_NOT_HEARING = frozenset({Activity.STOPPED, Activity.DEAF, Activity.MUTED})


class MonitorPage(Page):
    """The first page. It draws only while it can be seen: its two timers stop when it is hidden or minimised."""

    def __init__(self, monitor: Monitor, settings: Settings, history: History, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._settings = settings
        self._history = history
        self._recent_scores: deque[Score] = deque(maxlen=_SCORES_FOR_A_WORD)
        self._levels: deque[float] = deque(maxlen=_SCORES_FOR_BACKGROUND)
        self._is_minimised = False
        self._alerts_stale = True
        self._is_painted = False
        self._build_head()
        self._build_sound()
        self._build_bars()
        self._build_alerts()
        self._lay_out()
        self._build_timers()
        self._connect()
        self._show_model()
        self._show_state()

    def _build_head(self) -> None:
        self.state_view = StateView(self)
        self.microphone_view = MicrophoneView(self._monitor, self._settings, self)
        self.microphone_view.complained.connect(self.complained)
        self.state_view.add_beneath(self.microphone_view)
        self.acknowledge_button = QPushButton(self.tr("Acknowledge"), self)
        self.acknowledge_button.setProperty("role", "main")
        self.acknowledge_button.setToolTip(self.tr("Silence the alarm that sounds now (A or Esc)"))
        self.acknowledge_button.hide()
        self.snooze_button = QPushButton(self)
        self.test_button = QPushButton(self.tr("Test alarm"), self)
        self.test_button.setToolTip(self.tr("Hear the alarm as it will sound at night (T)"))
        self.listen_button = QPushButton(self)
        self.state_view.add_button(self.acknowledge_button, "check")
        self.state_view.add_button(self.snooze_button, "snooze")
        self.state_view.add_button(self.test_button, "bell")
        self.state_view.add_button(self.listen_button, "stop")

    def _build_sound(self) -> None:
        self.live_plot: LivePlot | None = None
        self._plot_column = QVBoxLayout()
        self.level_view = LevelView(self)

    def _make_plot(self) -> LivePlot:
        """Make the live plot, after the first picture: loading pyqtgraph takes a third of a second."""
        from babymonitor.ui.sound.live_plot import LivePlot

        plot = LivePlot(self)
        plot.setMinimumSize(240, 120)
        plot.set_note(self._plot_note(self._monitor.state))
        self._plot_column.addWidget(plot)
        return plot

    def _build_bars(self) -> None:
        self.bars_view = BarsView(self)

    def _build_alerts(self) -> None:
        self.alerts_model = AlertsModel(self)
        self.alerts_view = AlertsView(self.alerts_model, self)
        self.alerts_view.setColumnHidden(AlertColumn.KIND, True)
        self.alerts_view.setMinimumHeight(96)
        words = self.tr("Nothing has woken you yet. Each alert will be listed here, with its sound.")
        self.no_alerts_label = wrapped_label(words, "muted", self)
        self.no_alerts_label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)

    def _lay_out(self) -> None:
        sound = Card()
        row = QHBoxLayout(sound)
        row.setContentsMargins(8, 10, 12, 6)
        row.setSpacing(4)
        row.addLayout(self._plot_column, 1)
        row.addWidget(self.level_view)
        alerts = Card()
        column = QVBoxLayout(alerts)
        column.setContentsMargins(16, 10, 12, 8)
        column.setSpacing(4)
        column.addWidget(text_label(self.tr("Recent alerts"), "title"))
        column.addWidget(self.alerts_view, 1)
        column.addWidget(self.no_alerts_label, 1)
        bars = Card()
        column = QVBoxLayout(bars)
        column.setContentsMargins(16, 12, 16, 12)
        column.addWidget(self.bars_view)
        grid = QGridLayout(self)
        grid.setContentsMargins(16, 16, 16, 16)
        grid.setSpacing(12)
        grid.addWidget(self.state_view, 0, 0, 1, 2)
        grid.addWidget(sound, 1, 0)
        grid.addWidget(alerts, 2, 0)
        grid.addWidget(bars, 1, 1, 2, 1)
        grid.setColumnStretch(0, 7)
        grid.setColumnStretch(1, 3)
        grid.setRowStretch(1, 5)
        grid.setRowStretch(2, 3)

    def _build_timers(self) -> None:
        self._frame_timer = QTimer(self)
        self._frame_timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._frame_timer.setInterval(_FRAME_MS)
        self._frame_timer.timeout.connect(self._on_frame_due)
        self._second_timer = QTimer(self)
        self._second_timer.setInterval(500)
        self._second_timer.timeout.connect(self._on_second_due)

    def _connect(self) -> None:
        monitor = self._monitor
        monitor.state_changed.connect(self._on_state_changed)
        monitor.scored.connect(self._on_scored)
        monitor.alerts_changed.connect(self._on_alerts_changed)
        monitor.model_changed.connect(self._on_model_changed)
        monitor.playback_changed.connect(self._on_playback_changed)
        self.listen_button.clicked.connect(self.toggle_listening)
        self.snooze_button.clicked.connect(self.toggle_snooze)
        self.test_button.clicked.connect(monitor.test_alarm)
        self.acknowledge_button.clicked.connect(monitor.acknowledge)
        self.alerts_view.play_requested.connect(self._on_play_requested)

    @property
    def words(self) -> StateWords:
        """The words of the state line."""
        return self.state_view.words

    @property
    def state_text(self) -> str:
        """The state line as one sentence."""
        return self.words.text

    @property
    def frames_drawn(self) -> int:
        """How often the live plot has been painted."""
        return 0 if self.live_plot is None else self.live_plot.frames_drawn

    @property
    def is_drawing(self) -> bool:
        """Whether the live plot moves now."""
        return self._frame_timer.isActive()

    def set_minimised(self, is_minimised: bool) -> None:
        """Stop or resume drawing: Qt does not hide the widgets of a minimised window."""
        self._is_minimised = is_minimised
        self._run_timers()

    def refresh_settings(self) -> None:
        """Show the settings as they are now."""
        self.microphone_view.refresh()
        self._show_model()
        self._show_state()

    def _show_state(self) -> None:
        state = self._monitor.state
        self.state_view.set_words(state_words(state, self.mean_score(), time.time()))
        self.microphone_view.set_source(state.source)
        is_stopped = state.activity is Activity.STOPPED
        self._show_button(self.listen_button, is_stopped)
        self.snooze_button.setEnabled(not is_stopped)
        is_snoozed = state.snoozed_until is not None
        minutes = self._settings[SNOOZE_MINUTES]
        wake = self.tr("End snooze")
        self.snooze_button.setText(wake if is_snoozed else self.tr("Snooze {n} min").format(n=minutes))
        self.snooze_button.setToolTip(
            self.tr("Let the alarm sound again (S)")
            if is_snoozed
            else self.tr("No alarm for {n} minutes; it goes on listening (S)").format(n=minutes)
        )
        self.acknowledge_button.setVisible(state.alarm_sounding)
        # The head has room for three buttons, and nobody tests an alarm that sounds.
        self.test_button.setVisible(not state.alarm_sounding)
        if self.live_plot is not None:
            self.live_plot.set_note(self._plot_note(state))

    def _show_button(self, button: QPushButton, is_stopped: bool) -> None:
        text = self.tr("Start") if is_stopped else self.tr("Stop")
        if button.text() == text:
            return
        button.setText(text)
        tip = self.tr("Start listening (L)") if is_stopped else self.tr("Stop listening (L)")
        button.setToolTip(tip)
        set_role(button, "main" if is_stopped else "")
        self.state_view.set_symbol(button, "play" if is_stopped else "stop")

    def _plot_note(self, state: MonitorState) -> str:
        if state.activity is Activity.STOPPED:
            return self.tr("Stopped")
        if state.activity is Activity.DEAF:
            return self.tr("No sound arrives")
        return ""

    def _show_model(self) -> None:
        self.bars_view.set_model(self._monitor.labels, self._monitor.start_threshold)
        self._show_loud()

    def _show_loud(self) -> None:
        """Mark where loudness wakes somebody, or would if the model failed: above the background or a fixed level."""
        loud = self._settings[LOUD_LEVEL_DB]
        if len(self._levels) >= LoudnessMeter.FEWEST_HOPS:
            risen = median(self._levels) + self._settings[LOUD_RISE_DB]
            alone = self._monitor.state.detail or not self._settings[LOUD_ALERTS]
            loud = min(loud, risen) if alone else risen
        self.level_view.set_loud(loud)

    def mean_score(self) -> Score | None:
        """Return the mean of the last scores, from which the state line's word is chosen; None before the first."""
        if not self._recent_scores:
            return None
        last = self._recent_scores[-1]
        count = len(self._recent_scores)

        def mean(shares_of: Callable[[Score], dict[str, float]]) -> dict[str, float]:
            sums: dict[str, float] = {}
            for score in self._recent_scores:
                for name, share in shares_of(score).items():
                    sums[name] = sums.get(name, 0.0) + share / count
            return sums

        level = sum(score.level_db for score in self._recent_scores) / count
        probabilities, reasons = mean(lambda score: score.probabilities), mean(lambda score: score.reasons)
        sounds = mean(lambda score: score.sounds)
        return replace(last, probabilities=probabilities, reasons=reasons, sounds=sounds, level_db=level)

    def _load_alerts(self) -> None:
        self._alerts_stale = False
        try:
            alerts = self._history.alerts(limit=_RECENT_ALERTS)
        except HistoryError as error:
            self.complained.emit(str(error))
            return
        self.alerts_model.set_alerts(alerts)
        # The kind is worth a column only if not all alerts are for crying.
        self.alerts_view.setColumnHidden(AlertColumn.KIND, all(alert.kind == "crying" for alert in alerts))
        self.alerts_view.setVisible(bool(alerts))
        self.no_alerts_label.setVisible(not alerts)

    @Slot()
    def toggle_listening(self) -> None:
        """Start or stop listening."""
        if self._monitor.state.activity is Activity.STOPPED:
            self._monitor.start()
        else:
            self._monitor.stop()

    @Slot()
    def toggle_snooze(self) -> None:
        """Snooze the alarm, or end the snooze."""
        if self._monitor.state.snoozed_until is not None:
            self._monitor.end_snooze()
        elif self._monitor.state.activity is not Activity.STOPPED:
            self._monitor.snooze(self._settings[SNOOZE_MINUTES])

    @Slot(MonitorState)
    def _on_state_changed(self, state: MonitorState) -> None:
        if state.activity in (Activity.STOPPED, Activity.DEAF):
            self.level_view.clear()
        # Also where listening starts over, with another microphone: what the last one heard says nothing of it.
        if state.activity in _NOT_HEARING or state.activity in (Activity.MODEL_FAILED, Activity.STARTING):
            self._recent_scores.clear()
            self.bars_view.set_score(None)
        self._show_state()

    @Slot(object)
    def _on_scored(self, score: Score) -> None:
        if self._monitor.state.activity in _NOT_HEARING:
            # This score was on its way when the sound ended.
            return
        self._recent_scores.append(score)
        if not self._monitor.state.alarm_sounding:  # our own alarm does not belong to the room's background
            self._levels.append(score.level_db)
        if self.isVisible() and not self._is_minimised:
            self.bars_view.set_score(score if score.probabilities else None)
            self._show_state()
            self._show_loud()

    @Slot()
    def _on_alerts_changed(self) -> None:
        if self.isVisible():
            self._load_alerts()
        else:
            self._alerts_stale = True

    @Slot()
    def _on_model_changed(self) -> None:
        self._show_model()

    @Slot(str)
    def _on_playback_changed(self, path: str) -> None:
        self.alerts_model.set_playing(path)

    @Slot(object)
    def _on_play_requested(self, alert: AlertRow) -> None:
        self.alerts_model.toggle_playing(alert, self._monitor)

    @Slot()
    def _on_frame_due(self) -> None:
        if self.live_plot is None:
            if not self._is_painted:
                return
            self.live_plot = self._make_plot()
        ring = self._monitor.ring
        is_new = self.live_plot.show_sound(ring)
        if is_new and self._monitor.state.activity not in (Activity.STOPPED, Activity.DEAF):
            self.level_view.set_level(level_db(ring.latest(int(_LEVEL_SECONDS * ring.sample_rate))))

    @Slot()
    def _on_second_due(self) -> None:
        self._show_state()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        self._is_painted = True

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._alerts_stale:
            self._load_alerts()
        if self._recent_scores and self._recent_scores[-1].probabilities:
            self.bars_view.set_score(self._recent_scores[-1])
        self._show_state()
        self._run_timers()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._run_timers()

    def _run_timers(self) -> None:
        for timer in (self._frame_timer, self._second_timer):
            if self.isVisible() and not self._is_minimised:
                if not timer.isActive():
                    timer.start()
            else:
                timer.stop()
