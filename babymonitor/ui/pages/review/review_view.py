"""The review: one episode of the night after another, the least certain first, each answered with a key."""

from __future__ import annotations

import time
from dataclasses import replace

from PySide6.QtCore import QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAction, QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
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
from babymonitor.ui.pages.review.review_words import end_text, episode_words, precision_text, told_text
from babymonitor.ui.parts.choice_view import ChoiceView
from babymonitor.ui.parts.keys import add_keys, press_focused_button
from babymonitor.ui.parts.label_keys import MOST_KEYS, LabelButtons
from babymonitor.ui.parts.state_view import StateView
from babymonitor.ui.parts.switch_view import SwitchView
from babymonitor.ui.parts.symbols import symbol_icon
from babymonitor.ui.parts.theme import LIGHT, Theme
from babymonitor.ui.parts.wording import translated
from babymonitor.ui.sound.sound_editor import SoundEditor

_HEAD_SHARE = 0.75
_HALF_A_DAY = 12 * 3600.0
_EPISODE_PAGE, _END_PAGE = 0, 1


class ReviewView(QWidget):
    """Asks about one episode at a time. Nothing is read again while it is hidden but how many wait."""

    complained = Signal(object)
    count_changed = Signal(int)
    """How many episodes wait: see `count`."""

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
        self._theme = LIGHT
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
        # Several changes at once are read once.
        self._soon_timer = QTimer(self)
        self._soon_timer.setSingleShot(True)
        self._soon_timer.setInterval(0)
        self._soon_timer.timeout.connect(self.refresh)
        self._connect()
        self.refresh()

    # ------------------------------------------------------------------------------------------------------- building

    def _build_head(self) -> None:
        self.period_box = ChoiceView(self)
        self.period_box.addItem(self.tr("Last night"), "night")
        self.period_box.addItem(self.tr("This week"), "week")
        self.period_box.setAccessibleName(self.tr("What to review"))
        self.play_switch = SwitchView(self)
        self.play_switch.setAccessibleName(self.tr("Play each one as it comes"))
        self.play_label = QLabel(self.tr("Play each one as it comes"), self)
        self.progress_label = QLabel(self)
        self.progress_label.setProperty("role", "muted")
        self.state_view = StateView(self)

    def _build_sound(self) -> None:
        self.editor = SoundEditor(self._monitor, self)
        self.no_sound_label = QLabel(self)
        self.no_sound_label.setProperty("role", "muted")
        self.no_sound_label.setWordWrap(True)
        self.no_sound_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sound_stack = QStackedWidget(self)
        self.sound_stack.addWidget(self.editor)
        self.sound_stack.addWidget(self.no_sound_label)

    def _build_answers(self) -> None:
        self.right_button = self._answer("check")
        self.wrong_button = self._answer("cross")
        self.unsure_button = self._answer("")
        self.back_button = self._answer("undo")
        self.back_button.setProperty("role", "small")
        self.right_button.setToolTip(self.tr("Y"))
        self.wrong_button.setToolTip(self.tr("N, and then what it was"))
        self.unsure_button.setText(self.tr("?  Not sure (U)"))
        self.unsure_button.setToolTip(self.tr("U"))
        self.back_button.setText(self.tr("Back (⌫)"))
        self.back_button.setToolTip(self.tr("Take back the last answer (Backspace)"))
        self.label_title_view = QLabel(self)
        self.label_buttons = LabelButtons(self)
        self.status_label = QLabel(self)
        self.status_label.setProperty("role", "muted")
        self.status_label.setMinimumWidth(20)
        self.status_label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.status_label.setTextFormat(Qt.TextFormat.PlainText)

    def _answer(self, symbol: str) -> QPushButton:
        button = QPushButton(self)
        button.setProperty("symbol", symbol)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        return button

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
        sound = _card()
        column = QVBoxLayout(sound)
        column.setContentsMargins(12, 10, 12, 4)
        column.addWidget(self.sound_stack)
        answers = _card()
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
                # Not the arrow to the right too: it moves the selection in the sound.
                (tr("It was right"), ("Y",), self.say_right),
                (tr("It was wrong, and what it was"), ("N",), self.ask_what_it_was),
                (tr("Not sure"), ("U",), self.say_unsure),
                (tr("Take back the last answer"), ("Backspace", "Ctrl+Z"), self.go_back),
                (tr("Play the sound, or end it"), ("Space",), self._on_space),
                (tr("Play it over and over"), ("O",), self.editor.toggle_loop),
                (tr("Look closer"), ("+", "="), self.editor.zoom_in),
                (tr("Show more"), ("-",), self.editor.zoom_out),
                (tr("Show and select everything"), ("0",), self.editor.fit),
                (tr("A label of your own"), ("M",), self._on_other_wanted),
                *((tr("It was label {n}").format(n=n), (str(n),), self._on_number) for n in range(1, MOST_KEYS + 1)),
            ),
        )

    def _connect(self) -> None:
        self._monitor.alerts_changed.connect(self._on_alerts_changed)
        self._monitor.model_changed.connect(self._on_alerts_changed)
        self.period_box.currentIndexChanged.connect(self._on_period_changed)
        self.right_button.clicked.connect(self.say_right)
        self.wrong_button.clicked.connect(self.ask_what_it_was)
        self.unsure_button.clicked.connect(self.say_unsure)
        self.back_button.clicked.connect(self.go_back)
        self.end_view.week_requested.connect(self._on_week_wanted)
        self.label_buttons.label_chosen.connect(self._on_label_chosen)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        for view in (self.editor, self.label_buttons):
            view.set_theme(theme)
        # This is read at the table, in the morning: the room is for the picture.
        self.state_view.set_theme(replace(theme, state_px=round(theme.state_px * _HEAD_SHARE)))
        side = round(theme.text_px * 1.2)
        for button in (self.right_button, self.wrong_button, self.unsure_button, self.back_button):
            if button.property("symbol"):
                button.setIcon(symbol_icon(str(button.property("symbol")), theme.colours.text, size=side, gap=6))
                button.setIconSize(QSize(side + 6, side))

    # ---------------------------------------------------------------------------------------------------------- queue

    @property
    def count(self) -> int:
        """How many episodes wait."""
        return len(self._queue)

    @property
    def episode(self) -> Episode | None:
        """The one that is asked about."""
        return self._episode

    def _span(self) -> tuple[float, float]:
        """What is reviewed: [since, until) in Unix seconds."""
        now = time.time()
        if self.period_box.currentData() == "week":
            return Night.of(now).week()[0], now
        # In the afternoon the night is over, in the evening another has begun; both belong to last night's review.
        return Night.of(now - _HALF_A_DAY).began, now

    @Slot()
    def refresh(self) -> None:
        """Read again what waits; the one that is asked about stays, while nothing was said of it."""
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
        was = self._episode
        is_another = episode is None or was is None or episode.key != was.key
        # An alert's clip is written a moment after it ended.
        has_another_sound = is_another or episode is None or was is None or episode.clip != was.clip
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
        """Nothing waits: all is reviewed, or there was nothing."""
        self.page_stack.setCurrentIndex(_END_PAGE)
        is_week = self.period_box.currentData() == "week"
        episodes = self._reviewer.episodes(*self._span())
        week = Night.of(time.time()).week()
        rest = 0 if is_week else len(self._reviewer.queue(*week, self._monitor.start_threshold))
        precision = precision_text(*self._history.precision(*week))
        self.end_view.show_words(end_text(episodes, is_week), precision, rest)

    # -------------------------------------------------------------------------------------------------------- answers

    @Slot()
    def say_right(self) -> None:
        """It was right to wake, or to let sleep; of a cry the reason stays unclear."""
        if not self._is_asking:
            self._mark(RIGHT, "")

    @Slot()
    def say_unsure(self) -> None:
        """It was heard, and could not be told."""
        if not self._is_asking:
            self._mark(UNSURE, "")

    @Slot()
    def ask_what_it_was(self) -> None:
        """It was wrong: the next key says what it was."""
        if self._episode is not None:
            self._is_asking = not self._is_asking
            self._show_answers(self._episode)

    @Slot(str)
    def _on_label_chosen(self, text: str) -> None:
        """A label says whether the monitor was right, too; one of the person's own after N means it was not."""
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
        self._say(told_text(mark))
        self.refresh()
        self._monitor.alerts_changed.emit()

    def _say(self, text: str) -> None:
        """What became of the last answer, on whichever page is seen."""
        for label in (self.status_label, self.end_view.status_label):
            label.setText(text)
            label.setToolTip(text)

    @Slot()
    def go_back(self) -> None:
        """Out of the question what it was; else the last answer is taken back, and asked for again."""
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
        self._say(translated(sentence) or self.tr("Taken back."))
        self.refresh()
        self._monitor.alerts_changed.emit()

    # ------------------------------------------------------------------------------------------------------ receivers

    @Slot()
    def _on_number(self) -> None:
        action = self.sender()
        if isinstance(action, QAction) and self._episode is not None:
            name = self.label_buttons.name_of_key(int(action.shortcut().toString()))
            if name is not None:
                self._on_label_chosen(name)

    @Slot()
    def _on_other_wanted(self) -> None:
        if self._episode is not None:
            self.label_buttons.ask_for_label()

    @Slot()
    def _on_space(self) -> None:
        """Whoever went to a button by Tab presses it."""
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
    def _on_week_wanted(self) -> None:
        self.period_box.setCurrentIndex(self.period_box.findData("week"))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()
        # Not the choice of the period, which the arrows would change.
        has_sound = self.episode is not None and self.sound_stack.currentWidget() is self.editor
        (self.editor if has_sound else self).setFocus()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.editor.stop()


def _card() -> QFrame:
    """A quiet panel that groups what belongs together."""
    card = QFrame()
    card.setProperty("role", "card")
    return card
