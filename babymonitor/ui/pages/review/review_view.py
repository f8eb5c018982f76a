"""The review: one episode after another, the least certain first, each answered with one key."""

from __future__ import annotations

import time

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAction, QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from babymonitor.core import paths
from babymonitor.core.history.history import RIGHT, UNSURE, WRONG, History, HistoryError
from babymonitor.core.history.night import Night
from babymonitor.core.history.review import Episode, Mark, Reviewer, ReviewError
from babymonitor.core.labels import LABELS
from babymonitor.core.library.clip import label_of_folder
from babymonitor.core.library.library import Library, LibraryError
from babymonitor.core.settings import BABY_NAME, Settings
from babymonitor.core.sound.wave import SAMPLE_RATE
from babymonitor.live.monitor import Monitor
from babymonitor.ui.pages.review.review_end_view import ReviewEndView
from babymonitor.ui.pages.review.review_words import answer_text, end_text, episode_words, precision_text
from babymonitor.ui.parts.card import Card
from babymonitor.ui.parts.choice_view import ChoiceView
from babymonitor.ui.parts.keys import add_keys, press_focused_button
from babymonitor.ui.parts.label_buttons import LabelButtons
from babymonitor.ui.parts.state_view import StateView
from babymonitor.ui.parts.switch_view import SwitchView
from babymonitor.ui.parts.symbol_button import SymbolButton
from babymonitor.ui.parts.text_label import text_label, wrapped_label
from babymonitor.ui.parts.wording import translated
from babymonitor.ui.sound.sound_editor import SoundEditor

_HEAD_SCALE = 0.75
_HALF_A_DAY = 12 * 3600.0
_EPISODE_PAGE, _END_PAGE = 0, 1


class ReviewView(QWidget):
    """Asks about one episode at a time. While it is hidden, it only counts how many wait."""

    complained = Signal(object)
    """A sentence about what could not be read or stored."""
    count_changed = Signal(int)
    """How many episodes wait now."""

    def __init__(
        self,
        monitor: Monitor,
        history: History,
        library: Library | None,
        settings: Settings,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._history = history
        self._library = library
        self._settings = settings
        self._reviewer = Reviewer(history, library, paths.clips_folder())
        self._queue: list[Episode] = []
        self._episode: Episode | None = None
        self._marks: list[Mark] = []
        self._is_asking = False
        self._build_head()
        self._build_sound()
        self._build_answers()
        self.end_view = ReviewEndView(self)
        self._lay_out()
        self._build_keys()
        # Several changes at once cause one reading.
        self._soon_timer = QTimer(self)
        self._soon_timer.setSingleShot(True)
        self._soon_timer.setInterval(0)
        self._soon_timer.timeout.connect(self.refresh)
        self._connect()
        self.refresh()

    def _build_head(self) -> None:
        self.period_box = ChoiceView(self)
        self.period_box.addItem(self.tr("Last night"), "night")
        self.period_box.addItem(self.tr("This week"), "week")
        self.period_box.setAccessibleName(self.tr("What to review"))
        self.play_switch = SwitchView(self)
        self.play_switch.setAccessibleName(self.tr("Play each one as it comes"))
        self.play_label = QLabel(self.tr("Play each one as it comes"), self)
        self.progress_label = text_label("", "muted", self)
        # The review is read at a table in the morning: most of the room is for the picture.
        self.state_view = StateView(self, _HEAD_SCALE)

    def _build_sound(self) -> None:
        self.editor = SoundEditor(self._monitor, self)
        self.no_sound_label = wrapped_label("", "muted", self)
        self.no_sound_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sound_stack = QStackedWidget(self)
        self.sound_stack.addWidget(self.editor)
        self.sound_stack.addWidget(self.no_sound_label)

    def _build_answers(self) -> None:
        self.right_button: QPushButton = SymbolButton("", "check", self)
        self.wrong_button: QPushButton = SymbolButton("", "cross", self)
        self.unsure_button = QPushButton(self)
        self.back_button: QPushButton = SymbolButton("", "undo", self, "small")
        for button in (self.right_button, self.wrong_button, self.unsure_button, self.back_button):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setCursor(Qt.CursorShape.PointingHandCursor)
        self.right_button.setToolTip(self.tr("Y"))
        self.wrong_button.setToolTip(self.tr("N, and then what it was"))
        self.unsure_button.setText(self.tr("?  Not sure (U)"))
        self.unsure_button.setToolTip(self.tr("U"))
        self.back_button.setText(self.tr("Back (⌫)"))
        self.back_button.setToolTip(self.tr("Take back the last answer (Backspace)"))
        self.label_title_view = QLabel(self)
        self.label_buttons = LabelButtons(self)
        self.status_label = text_label("", "muted", self)
        self.status_label.setMinimumWidth(20)
        self.status_label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.period_box)
        head.addSpacing(10)
        head.addWidget(self.play_switch)
        head.addWidget(self.play_label)
        head.addStretch(1)
        head.addWidget(self.progress_label)
        head.addSpacing(6)
        head.addWidget(self.back_button)
        sound = Card()
        column = QVBoxLayout(sound)
        column.setContentsMargins(12, 10, 12, 4)
        column.addWidget(self.sound_stack)
        answers = Card()
        column = QVBoxLayout(answers)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(8)
        row = QHBoxLayout()
        row.setSpacing(8)
        for button in (self.right_button, self.wrong_button, self.unsure_button):
            row.addWidget(button, 1)
        column.addLayout(row)
        row = QHBoxLayout()
        row.setSpacing(20)
        row.addWidget(self.label_title_view)
        row.addWidget(self.status_label, 1)
        column.addLayout(row)
        column.addWidget(self.label_buttons)
        episode = QWidget(self)
        column = QVBoxLayout(episode)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.state_view)
        column.addWidget(sound, 1)
        column.addWidget(answers)
        self.page_stack = QStackedWidget(self)
        self.page_stack.addWidget(episode)
        self.page_stack.addWidget(self.end_view)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self.page_stack, 1)

    def _build_keys(self) -> None:
        tr = self.tr
        self.actions_by_key: dict[str, QAction] = add_keys(
            self,
            (
                # Not also the right arrow, which moves the selection in the sound.
                (tr("It was right"), ("Y",), self.mark_right),
                (tr("It was wrong, and what it was"), ("N",), self.ask_what_it_was),
                (tr("Not sure"), ("U",), self.mark_unsure),
                (tr("Take back the last answer"), ("Backspace", "Ctrl+Z"), self.go_back),
                (tr("Play the sound, or end it"), ("Space",), self._on_space),
                (tr("Play it over and over"), ("O",), self.editor.toggle_loop),
                (tr("Look closer"), ("+", "="), self.editor.zoom_in),
                (tr("Show more"), ("-",), self.editor.zoom_out),
                (tr("Show and select everything"), ("0",), self.editor.fit),
                *self.label_buttons.keys(tr("It was label {n}")),
            ),
        )

    def _connect(self) -> None:
        self._monitor.alerts_changed.connect(self._on_alerts_changed)
        self._monitor.model_changed.connect(self._on_alerts_changed)
        self.period_box.currentIndexChanged.connect(self._on_period_changed)
        self.right_button.clicked.connect(self.mark_right)
        self.wrong_button.clicked.connect(self.ask_what_it_was)
        self.unsure_button.clicked.connect(self.mark_unsure)
        self.back_button.clicked.connect(self.go_back)
        self.end_view.week_requested.connect(self._on_week_requested)
        self.label_buttons.label_chosen.connect(self._on_label_chosen)

    @property
    def count(self) -> int:
        """How many episodes wait."""
        return len(self._queue)

    @property
    def episode(self) -> Episode | None:
        """The episode that is asked about."""
        return self._episode

    def _span(self) -> tuple[float, float]:
        """Return the first and last Unix second of what is reviewed."""
        now = time.time()
        if self.period_box.currentData() == "week":
            return Night.of(now).week()[0], now
        # In the evening another night has begun, but the review is still about the one before, too.
        return Night.of(now - _HALF_A_DAY).began, now

    @Slot()
    def refresh(self) -> None:
        """Read what waits again. The episode that is asked about stays until it is answered."""
        before = self.count
        try:
            self._queue = self._reviewer.queue(*self._span(), self._monitor.start_threshold)
            if self.isVisible():
                key = None if self._episode is None else self._episode.key
                same = next((episode for episode in self._queue if episode.key == key), None)
                self._show(same or next(iter(self._queue), None))
        except HistoryError as error:
            self.complained.emit(str(error))
        if self.count != before:
            self.count_changed.emit(self.count)

    def _show(self, episode: Episode | None) -> None:
        before = self._episode
        is_another = episode is None or before is None or episode.key != before.key
        # An alert's clip is written a moment after the alert has ended.
        has_another_sound = is_another or episode is None or before is None or episode.clip != before.clip
        self._episode = episode
        self._show_progress()
        if episode is None:
            self.editor.clear()
            self._show_end()
        else:
            self.page_stack.setCurrentIndex(_EPISODE_PAGE)
            if is_another:
                self._is_asking = False
            self.state_view.set_words(episode_words(episode, self._monitor.start_threshold))
            self._show_answers(episode)
            if has_another_sound:
                self._show_sound(episode, is_arriving=is_another)
        self.back_button.setEnabled(bool(self._marks))

    def _show_sound(self, episode: Episode, is_arriving: bool) -> None:
        try:
            wave = self._reviewer.wave(episode)
        except ReviewError as error:
            self.editor.clear()
            sentence = self.tr("{reason} You can say what it was if you remember; nothing goes into the library.")
            self.no_sound_label.setText(sentence.format(reason=translated(str(error))))
            self.sound_stack.setCurrentWidget(self.no_sound_label)
            return
        self.sound_stack.setCurrentWidget(self.editor)
        self.editor.show_wave(wave, self.state_view.accessibleName())
        if is_arriving and self.play_switch.isChecked():
            self.editor.play()

    def _show_answers(self, episode: Episode) -> None:
        if episode.is_near_miss:
            self.right_button.setText(self.tr("Right to let me sleep (Y)"))
            self.wrong_button.setText(self.tr("Wrong, it was … (N)"))
        else:
            self.right_button.setText(self.tr("Right to wake me (Y)"))
            self.wrong_button.setText(self.tr("Wrong, it was … (N)"))
        self.right_button.setEnabled(not self._is_asking)
        self.unsure_button.setEnabled(not self._is_asking)
        if self._is_asking:
            self.label_title_view.setText("<b>" + self.tr("What was it? Press its key.") + "</b>")
        else:
            self.label_title_view.setText(self.tr("Or say at once what it was:"))
        if self._library is not None:
            try:
                self.label_buttons.set_labels(self._library.labels())
            except LibraryError as error:
                self.complained.emit(str(error))
        self.label_buttons.check(None)

    def _show_progress(self) -> None:
        episodes = self._reviewer.episodes(*self._span())
        done = sum(episode.verdict is not None for episode in episodes)
        words = self.tr("{n} to review, {done} done").format(n=self.count, done=done)
        self.progress_label.setText(words if episodes else "")

    def _show_end(self) -> None:
        """Show that no episode waits."""
        self.page_stack.setCurrentIndex(_END_PAGE)
        is_week = self.period_box.currentData() == "week"
        episodes = self._reviewer.episodes(*self._span())
        week = Night.of(time.time()).week()
        rest = 0 if is_week else len(self._reviewer.queue(*week, self._monitor.start_threshold))
        precision = precision_text(*self._history.precision(*week))
        self.end_view.show_words(end_text(episodes, is_week), precision, rest)

    @Slot()
    def mark_right(self) -> None:
        """Store that it was right to wake somebody, or to let them sleep. The reason of a cry stays unclear."""
        if not self._is_asking:
            self._mark(RIGHT, "")

    @Slot()
    def mark_unsure(self) -> None:
        """Store that somebody listened and could not tell."""
        if not self._is_asking:
            self._mark(UNSURE, "")

    @Slot()
    def ask_what_it_was(self) -> None:
        """Ask what it was, because the monitor was wrong: the next key answers. A second time, ask no more."""
        if self._episode is not None:
            self._is_asking = not self._is_asking
            self._show_answers(self._episode)

    @Slot(str)
    def _on_label_chosen(self, text: str) -> None:
        """Store a label. It tells whether the monitor was right, too; after N, a label of one's own means wrong."""
        name = label_of_folder(text)
        if self._episode is None:
            return
        if not name:
            words = self.tr("“{name}” cannot be a label: use the letters a to z, digits and _.")
            self.complained.emit(words.format(name=text))
            return
        is_own = name not in LABELS
        self._mark(WRONG if self._is_asking and is_own else self._episode.verdict_for(name), name)

    def _mark(self, verdict: str, label: str) -> None:
        episode = self._episode
        if episode is None:
            return
        part = None
        if self.editor.has_selection:
            start, end = (round(seconds * SAMPLE_RATE) for seconds in self.editor.region())
            part = self.editor.wave[start:end]
        self.editor.stop()
        try:
            mark = self._reviewer.mark(episode, verdict, label, time.time(), wave=part, baby=self._settings[BABY_NAME])
        except HistoryError as error:
            self.complained.emit(str(error))
            return
        self._marks.append(mark)
        self._is_asking = False
        self._show_status(answer_text(mark))
        self.refresh()
        self._monitor.alerts_changed.emit()

    def _show_status(self, text: str) -> None:
        """Show what became of the last answer, whichever view is shown."""
        for label in (self.status_label, self.end_view.status_label):
            label.setText(text)
            label.setToolTip(text)

    @Slot()
    def go_back(self) -> None:
        """Leave the question what it was. If it is not open, undo the last answer and ask again."""
        if self._is_asking and self._episode is not None:
            self.ask_what_it_was()
            return
        if not self._marks:
            return
        mark = self._marks.pop()
        self.editor.stop()
        try:
            sentence = self._reviewer.undo(mark)
            self._show(mark.before)
        except HistoryError as error:
            self._marks.append(mark)
            self.complained.emit(str(error))
            return
        self._show_status(translated(sentence) or self.tr("Taken back."))
        self.refresh()
        self._monitor.alerts_changed.emit()

    @Slot()
    def _on_space(self) -> None:
        """Press the focused button, if somebody went to one by Tab; otherwise play the sound."""
        if not press_focused_button():
            self.editor.toggle_playing()

    @Slot()
    def _on_alerts_changed(self) -> None:
        self._soon_timer.start()

    @Slot(int)
    def _on_period_changed(self, index: int) -> None:
        self.refresh()
        self.editor.setFocus()

    @Slot()
    def _on_week_requested(self) -> None:
        self.period_box.setCurrentIndex(self.period_box.findData("week"))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()
        # Not the choice of the period, which the arrow keys would change.
        has_sound = self.episode is not None and self.sound_stack.currentWidget() is self.editor
        (self.editor if has_sound else self).setFocus()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.editor.stop()
