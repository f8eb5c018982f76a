"""The controls of the recorder: one large button, the level, and words on what is going on."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QColor, QHideEvent, QPainter, QPainterPath, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from babymonitor.core.settings import COUNT_IN, PRE_ROLL_SECONDS, Settings
from babymonitor.core.state import Activity
from babymonitor.live.monitor import Monitor
from babymonitor.ui.parts.card import Card
from babymonitor.ui.parts.save_setting import save_setting
from babymonitor.ui.parts.switch_view import SwitchView
from babymonitor.ui.parts.symbol_button import SymbolButton
from babymonitor.ui.parts.text_label import text_label
from babymonitor.ui.parts.theme import current_theme, follow_theme, set_style_property
from babymonitor.ui.parts.wording import duration_text, level_text

KEPT_SECONDS = 30.0
"""How much "Keep the last 30 s" keeps."""
_SYMBOL_EM = 1.25
_COUNT = 3
_COUNT_MS = 800
_WARNING_MS = 4000
_LOWEST_DB, _HIGHEST_DB = -72.0, 0.0
_TOO_LOUD_DB = -3.0
_HEARING = frozenset({Activity.LISTENING, Activity.CRYING, Activity.LOUD, Activity.MODEL_FAILED})


class RecordView(Card):
    """Starts and ends recordings; the recorder itself announces the results."""

    count_changed = Signal(int)
    """The number of the count-in: 3, 2, 1, and 0 when it is over."""
    complained = Signal(object)
    """A sentence about a setting that could not be saved."""
    import_files_requested = Signal()
    import_folder_requested = Signal()

    def __init__(self, monitor: Monitor, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._recorder = monitor.recorder
        self._settings = settings
        self._count = 0
        self._is_too_loud = False
        self._build()
        self._lay_out()
        self._build_timers()
        self._connect()
        self._show_state()
        follow_theme(self._apply_theme)

    def _build(self) -> None:
        self.record_button = SymbolButton("", "record", self, "main", _SYMBOL_EM)
        words = self.tr("Keep the last {n} s").format(n=round(KEPT_SECONDS))
        self.keep_button: QPushButton = SymbolButton(words, "keep", self, "", _SYMBOL_EM)
        self.keep_button.setToolTip(self.tr("Too late to press Record? What was just heard is still there (L)"))
        self.import_button: QPushButton = SymbolButton(self.tr("Import"), "into", self, "", _SYMBOL_EM)
        self.import_button.setToolTip(self.tr("Sound files of any usual kind; they can also be dropped here (Ctrl+O)"))
        menu = QMenu(self)
        menu.addAction(self.tr("Files…"), self.import_files_requested.emit)
        menu.addAction(self.tr("A whole folder…"), self.import_folder_requested.emit)
        self.import_button.setMenu(menu)
        self.count_switch = SwitchView(self)
        self.count_switch.setChecked(self._settings[COUNT_IN])
        self.count_switch.setAccessibleName(self.tr("Count to three before recording"))
        self._count_label = text_label(self.tr("Count in"), "muted", self)
        self._count_label.setBuddy(self.count_switch)
        self.count_switch.setToolTip(self.tr("Count to three before recording"))
        for button in (self.record_button, self.keep_button, self.import_button, self.count_switch):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.state_label = text_label("", "stateDetail", self)
        self.source_label = text_label("", "muted", self)
        for label in (self.state_label, self.source_label):
            label.setMinimumWidth(40)
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.level_bar = LevelBar(self)

    def _lay_out(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addWidget(self.state_label)
        words.addWidget(self.level_bar)
        words.addWidget(self.source_label)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 10, 14, 8)
        row.setSpacing(8)
        row.addWidget(self.record_button)
        row.addWidget(self.keep_button)
        row.addSpacing(8)
        row.addLayout(words, 1)
        row.addSpacing(8)
        row.addWidget(self._count_label)
        row.addWidget(self.count_switch)
        row.addSpacing(8)
        row.addWidget(self.import_button)

    def _build_timers(self) -> None:
        self._count_timer = QTimer(self)
        self._count_timer.setInterval(_COUNT_MS)
        self._count_timer.timeout.connect(self._on_count_due)
        self._warning_timer = QTimer(self)
        self._warning_timer.setSingleShot(True)
        self._warning_timer.setInterval(_WARNING_MS)
        self._warning_timer.timeout.connect(self._on_warning_over)

    def _connect(self) -> None:
        self.record_button.clicked.connect(self.toggle_recording)
        self.keep_button.clicked.connect(self.keep_last)
        self.count_switch.toggled.connect(self._on_count_in_toggled)
        self._recorder.state_changed.connect(self._on_recorder_changed)
        self._recorder.level_changed.connect(self._on_level_changed)
        self._monitor.state_changed.connect(self._on_monitor_changed)

    @property
    def is_counting(self) -> bool:
        """Whether it counts to three before recording."""
        return self._count > 0

    @Slot()
    def toggle_recording(self) -> None:
        """Record, or end the recording or the count-in."""
        if self.is_counting:
            self._count_timer.stop()
            self._set_count(0)
        elif self._recorder.is_recording:
            self._recorder.stop()
        elif self._settings[COUNT_IN]:
            self._set_count(_COUNT)
            self._count_timer.start()
        else:
            self._recorder.start(self._settings[PRE_ROLL_SECONDS])
        self._show_state()

    @Slot()
    def keep_last(self) -> None:
        """Keep the sound of the last half minute."""
        if self.keep_button.isEnabled():
            self._recorder.take_last(KEPT_SECONDS)

    def _set_count(self, count: int) -> None:
        self._count = count
        self.count_changed.emit(count)

    @Slot()
    def _on_count_due(self) -> None:
        self._set_count(self._count - 1)
        if self._count == 0:
            self._count_timer.stop()
            # Nobody wants the sound of the count-in.
            self._recorder.start(0.0)
        self._show_state()

    @Slot(bool)
    def _on_count_in_toggled(self, is_on: bool) -> None:
        save_setting(self._settings, COUNT_IN, is_on, self.complained.emit)

    @Slot()
    def _on_recorder_changed(self) -> None:
        self._is_too_loud = False
        self._show_state()

    @Slot()
    def _on_monitor_changed(self) -> None:
        self._show_state()

    @Slot(float, bool)
    def _on_level_changed(self, level_db: float, is_clipping: bool) -> None:
        self.level_bar.set_level(level_db, is_clipping)
        if is_clipping:
            self._is_too_loud = True
            self._warning_timer.start()
        self._show_words()

    @Slot()
    def _on_warning_over(self) -> None:
        self._is_too_loud = False
        self._show_words()

    def _show_state(self) -> None:
        is_busy = self._recorder.is_recording or self.is_counting
        word = self.tr("Stop") if is_busy else self.tr("Record")
        if self.record_button.text() != word:
            self.record_button.setText(word)
            tip = self.tr("End the recording (R)") if is_busy else self.tr("Record from the microphone (R)")
            self.record_button.setToolTip(tip)
            self.record_button.set_symbol("stop" if is_busy else "record")
            self.record_button.set_role("stop" if is_busy else "main")
        activity = self._monitor.state.activity
        is_hearing = activity in _HEARING
        self.keep_button.setEnabled(is_hearing and not is_busy)
        if not is_hearing:
            self.level_bar.clear()
        self._show_words()

    def _show_words(self) -> None:
        state = self._monitor.state
        if self.is_counting:
            words = self.tr("Recording in {n} …").format(n=self._count)
        elif self._recorder.is_recording:
            words = self.tr("Recording · {time}").format(time=duration_text(self._recorder.seconds))
        elif state.activity is Activity.STOPPED:
            words = self.tr("The microphone is off")
        elif state.activity is Activity.DEAF:
            words = self.tr("No sound arrives")
        elif state.activity is Activity.MUTED:
            words = self.tr("The microphone is muted")
        elif state.activity is Activity.STARTING:
            words = self.tr("Opening the microphone …")
        else:
            words = self.tr("Ready to record")
        source = state.source or self.tr("The system’s microphone")
        if state.activity is Activity.STOPPED:
            source = self.tr("Record switches it on")
        if self._recorder.is_recording and self._settings[PRE_ROLL_SECONDS] and not self._settings[COUNT_IN]:
            seconds = f"{self._settings[PRE_ROLL_SECONDS]:g}"
            source = self.tr("{microphone} · with the {n} s before").format(microphone=source, n=seconds)
        if self._is_too_loud:
            words = self.tr("TOO LOUD · {words}").format(words=words)
            source = self.tr("Move the microphone away")
        if self.state_label.property("is_warning") is not self._is_too_loud:
            set_style_property(self.state_label, "is_warning", self._is_too_loud)
        # Thirty times a second: a label would lay out even the text that it shows already.
        for label, text in ((self.state_label, words), (self.source_label, source)):
            if label.text() != text:
                label.setText(text)
                label.setToolTip(text)

    @Slot()
    def _apply_theme(self) -> None:
        # The neighbours keep their place whether the button says Record or Stop.
        self.record_button.setMinimumWidth(round(8.2 * current_theme().text_px))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._recorder.watching_level = True
        self._show_state()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._recorder.watching_level = False


class LevelBar(QWidget):
    """A horizontal level meter in dB: the level now, its recent peak, and where sound is cut off."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._level_db = self._shown_db = self._held_db = _LOWEST_DB
        self._is_clipping = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Level"))
        self.setToolTip(self.tr("Level in dB below full scale; beyond the mark it is cut off."))

    @property
    def level_db(self) -> float:
        """The level that is shown, in dB relative to full scale."""
        return self._level_db

    def set_level(self, level_db: float, is_clipping: bool) -> None:
        """Show the level now. is_clipping: whether the sound reaches full scale."""
        self._level_db, self._is_clipping = level_db, is_clipping
        self._shown_db = max(level_db, self._shown_db - 2.0)
        self._held_db = max(level_db, self._held_db - 0.3)
        self.update()

    def clear(self) -> None:
        """Show that no sound arrives."""
        self._level_db = self._shown_db = self._held_db = _LOWEST_DB
        self._is_clipping = False
        self.update()

    def accessible_text(self) -> str:
        """Return the picture in words."""
        words = self.tr("Level {level}").format(level=level_text(self._level_db))
        return f"{words}, {self.tr('too loud')}" if self._is_clipping else words

    def sizeHint(self) -> QSize:
        return QSize(180, current_theme().text_px + 2)

    def minimumSizeHint(self) -> QSize:
        return QSize(90, current_theme().text_px + 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme = current_theme()
        c, px = theme.colours, theme.text_px
        font = self.font()
        font.setPixelSize(max(11, px - 3))
        painter.setFont(font)
        room = painter.fontMetrics().horizontalAdvance("−00 dB") + 8
        thick = round(px * 0.6)
        bar = QRectF(0, (self.height() - thick) / 2, self.width() - room, thick)

        def x_of(db: float) -> float:
            return bar.width() * (min(max(db, _LOWEST_DB), _HIGHEST_DB) - _LOWEST_DB) / (_HIGHEST_DB - _LOWEST_DB)

        track = QPainterPath()
        track.addRoundedRect(bar, thick / 2, thick / 2)
        painter.fillPath(track, QColor(c.sunken))
        painter.save()
        painter.setClipPath(track)
        painter.fillRect(QRectF(0, bar.top(), x_of(self._shown_db), thick), QColor(c.accent))
        loud = x_of(_TOO_LOUD_DB)
        if x_of(self._shown_db) > loud or self._is_clipping:
            painter.fillRect(QRectF(loud, bar.top(), bar.width() - loud, thick), QColor(c.cry))
        painter.restore()
        painter.fillRect(QRectF(loud - 1, bar.top() - 2, 2, thick + 4), QColor(c.cry))
        if self._held_db > _LOWEST_DB:
            painter.fillRect(QRectF(x_of(self._held_db) - 1, bar.top(), 2, thick), QColor(c.text))
        text = level_text(self._level_db) if self._level_db > _LOWEST_DB else "–"
        painter.setPen(QColor(c.muted))
        box = QRectF(bar.right(), 0, room, self.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()
