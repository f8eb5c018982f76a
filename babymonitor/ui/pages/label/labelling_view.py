"""Record, hear, label: the first tab of the page, and the one most people will ever need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAction, QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from babymonitor.core.library.library import LibraryClip, LibraryError
from babymonitor.core.settings import BABY_NAME, COUNT_IN, Settings
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.wave import AudioError, Wave
from babymonitor.live.monitor import Monitor
from babymonitor.ui.pages.label.clip_queue import ClipQueue
from babymonitor.ui.pages.label.label_commands import Labelling
from babymonitor.ui.pages.label.record_view import RecordView
from babymonitor.ui.pages.label.suggestion import Suggestion, suggestion
from babymonitor.ui.pages.label.takeover import Takeover
from babymonitor.ui.parts.keys import add_keys, press_focused_button
from babymonitor.ui.parts.label_keys import MOST_KEYS, LabelButtons
from babymonitor.ui.parts.theme import LIGHT, Theme
from babymonitor.ui.parts.wording import clock_text, day_text, short_label_title
from babymonitor.ui.sound.sound_editor import SoundEditor

if TYPE_CHECKING:
    from babymonitor.live.record.recorder import RecordedSound
    from babymonitor.ui.sound.live_plot import LivePlot

_FRAME_MS = 33
_MOST_GUESSES = 500


class LabellingView(QWidget):
    """One clip is open at a time. What is recorded is in the library before anything else happens to it."""

    complained = Signal(object)

    def __init__(
        self, monitor: Monitor, labelling: Labelling, settings: Settings, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._labelling = labelling
        self._library = labelling.library
        self._settings = settings
        self._theme = LIGHT
        self._clip: LibraryClip | None = None
        self._guesses: dict[str, dict[str, float]] = {}
        self._suggestion: Suggestion | None = None
        self._early_label = ""
        self._labels_to_come: dict[float, str] = {}
        self._live_plot: LivePlot | None = None
        self._is_stale = True
        self._takeover = Takeover(monitor.recorder, labelling, settings, self)
        self._build_sound()
        self._build_label()
        self._lay_out()
        self._build_keys()
        self._frame_timer = QTimer(self)
        self._frame_timer.setInterval(_FRAME_MS)
        self._frame_timer.timeout.connect(self._on_frame_due)
        self._connect()
        self._show_clip()

    # ------------------------------------------------------------------------------------------------------- building

    def _build_sound(self) -> None:
        self.record_view = RecordView(self._monitor, self._settings, self)
        self.queue = ClipQueue(self)
        self.editor = SoundEditor(self._monitor, self)
        self.trim_button = self._small_button(
            self.tr("Trim"), self.tr("Keep the selection alone; the rest goes to the trash (Ctrl+T)")
        )
        self.delete_button = self._small_button(self.tr("Delete"), self.tr("Into the trash, for 30 days (Del)"))
        self.editor.add_button(self.trim_button, "trim")
        self.editor.add_button(self.delete_button, "bin")
        self.sound_stack = QStackedWidget(self)
        self.sound_stack.addWidget(self.editor)
        self.empty_label = QLabel(
            self.tr("Press Record and let your baby be heard, or drop sound files here.\nThen say what it was."), self
        )
        self.empty_label.setProperty("role", "stateDetail")
        self.empty_label.setWordWrap(True)
        self.empty_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sound_stack.addWidget(self.empty_label)
        self.count_label = QLabel(self)
        self.count_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.sound_stack.addWidget(self.count_label)
        self._live_place = QWidget(self)
        self._live_column = QVBoxLayout(self._live_place)
        self._live_column.setContentsMargins(0, 0, 0, 0)
        self.sound_stack.addWidget(self._live_place)

    def _build_label(self) -> None:
        self.title_label = QLabel(self)
        self.title_label.setProperty("role", "title")
        self.title_label.setMinimumWidth(20)
        self.suggestion_label = QLabel(self)
        self.suggestion_label.setMinimumWidth(20)
        self.accept_button = self._small_button("", self.tr("Give it the label that the model suggests (Enter)"))
        self.label_buttons = LabelButtons(self)
        self.baby_edit = QLineEdit(self)
        self.baby_edit.setPlaceholderText(self.tr("Baby’s name"))
        self.baby_edit.setAccessibleName(self.tr("Baby’s name"))
        self.baby_edit.setToolTip(self.tr("Whose voice it is (B)"))
        self.note_edit = QLineEdit(self)
        self.note_edit.setPlaceholderText(self.tr("Note, such as “before the feed” or “next door’s dog”"))
        self.note_edit.setAccessibleName(self.tr("Note"))
        self.note_edit.setToolTip(self.tr("A note (N)"))

    def _small_button(self, text: str, tip: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setToolTip(tip)
        button.setProperty("role", "small")
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _lay_out(self) -> None:
        sound = _card()
        column = QVBoxLayout(sound)
        column.setContentsMargins(12, 10, 12, 4)
        column.addWidget(self.sound_stack)
        label = _card()
        column = QVBoxLayout(label)
        column.setContentsMargins(14, 8, 14, 12)
        column.setSpacing(8)
        words = QHBoxLayout()
        words.addWidget(self.title_label)
        words.addSpacing(10)
        words.addWidget(self.suggestion_label)
        words.addWidget(self.accept_button)
        words.addStretch(1)
        column.addLayout(words)
        column.addWidget(self.label_buttons)
        fields = QHBoxLayout()
        fields.setSpacing(8)
        fields.addWidget(self.baby_edit, 1)
        fields.addWidget(self.note_edit, 4)
        column.addLayout(fields)
        self._label_card = label
        right = QVBoxLayout()
        right.setSpacing(10)
        right.addWidget(sound, 1)
        right.addWidget(label)
        below = QHBoxLayout()
        below.setSpacing(10)
        below.addWidget(self.queue)
        below.addLayout(right, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(self.record_view)
        column.addLayout(below, 1)

    def _build_keys(self) -> None:
        editor, tr = self.editor, self.tr
        self.actions_by_key: dict[str, QAction] = add_keys(
            self,
            (
                (tr("Record, or end the recording"), ("R",), self.record_view.toggle_recording),
                (tr("Keep the last 30 s"), ("L",), self.record_view.keep_last),
                (tr("Play the selection, or end it"), ("Space",), self._on_space),
                (tr("Play it over and over"), ("O",), editor.toggle_loop),
                (tr("Look closer"), ("+", "="), editor.zoom_in),
                (tr("Show more"), ("-",), editor.zoom_out),
                (tr("Show and select everything"), ("0",), editor.fit),
                (tr("Take the model’s suggestion"), ("Return", "Enter"), self._on_enter),
                (tr("A label of your own"), ("M",), self._on_other_wanted),
                (tr("Keep the selection alone"), ("Ctrl+T",), self.trim),
                (tr("Delete the clip"), ("Del",), self.delete),
                (tr("Next clip"), ("PgDown",), self.show_next),
                (tr("Previous clip"), ("PgUp",), self.show_previous),
                (tr("Write the baby’s name"), ("B",), self.baby_edit.setFocus),
                (tr("Write a note"), ("N",), self.note_edit.setFocus),
                *((tr("Label {n}").format(n=n), (str(n),), self._on_number) for n in range(1, MOST_KEYS + 1)),
            ),
        )

    def _connect(self) -> None:
        recorder = self._monitor.recorder
        recorder.finished.connect(self._on_recorded)
        recorder.state_changed.connect(self._on_recorder_changed)
        recorder.complained.connect(self.complained)
        self.record_view.count_changed.connect(self._on_count_changed)
        self._takeover.taken_over.connect(self._on_taken_over)
        self._takeover.complained.connect(self.complained)
        self._monitor.guessed.connect(self._on_guessed)
        self._monitor.model_changed.connect(self._on_model_changed)
        self._labelling.changed.connect(self._on_library_changed)
        self.queue.clip_chosen.connect(self.open)
        self.editor.region_changed.connect(self._on_region_changed)
        self.trim_button.clicked.connect(self.trim)
        self.delete_button.clicked.connect(self.delete)
        self.accept_button.clicked.connect(self.accept_suggestion)
        self.label_buttons.label_chosen.connect(self.label)
        self.baby_edit.editingFinished.connect(self._on_baby_edited)
        self.note_edit.editingFinished.connect(self._on_note_edited)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        for view in (self.record_view, self.queue, self.editor, self.label_buttons):
            view.set_theme(theme)
        # To be read from where the baby is.
        self.count_label.setStyleSheet(f"font-size: {6 * theme.text_px}px; font-weight: bold")
        if self._live_plot is not None:
            self._live_plot.set_theme(theme)

    def shut_down(self) -> None:
        """The program ends. A recording that is not wholly in the library yet is offered at the next start."""
        self._takeover.stop()
        self._finish_fields()

    # -------------------------------------------------------------------------------------------------- which is open

    @property
    def _is_taking(self) -> bool:
        """It records, or counts in: what is labelled now is not the clip that is open."""
        return self._monitor.recorder.is_recording or self.record_view.is_counting

    @property
    def clip(self) -> LibraryClip | None:
        """The one that is open."""
        return self._clip

    @Slot(str)
    def open(self, id: str) -> None:
        """Show a clip of the library."""
        clip = self._read_clip(id)
        if clip is None:
            return
        try:
            wave = read_wave(clip.path)
        except AudioError as error:
            self.complained.emit(str(error))
            return
        self._finish_fields()
        self._clip = clip
        self.editor.show_wave(wave, self._name(clip))
        self._show_clip()
        self._ask_guess(clip, wave)
        self.editor.setFocus()

    def show_one_of(self, ids: Sequence[str]) -> None:
        """A step of one clip was taken back or done again: that clip is the one to go on with, not the next.

        Whoever took back a wrong label would give the right one to another clip.
        """
        known = [id for id in ids if self._read_clip(id) is not None]
        if len(known) == 1 and self.isVisible() and (self._clip is None or self._clip.id != known[0]):
            self.open(known[0])

    @Slot()
    def show_next(self) -> None:
        """Open the next clip that waits."""
        self._go(1)

    @Slot()
    def show_previous(self) -> None:
        """Open the one before."""
        self._go(-1)

    def _go(self, step: int) -> None:
        id = self.queue.next_after("" if self._clip is None else self._clip.id, step)
        if id:
            self.open(id)

    def close_clip(self) -> None:
        """Show none."""
        self._clip = None
        self.editor.clear()
        self._show_clip()

    def _read_clip(self, id: str) -> LibraryClip | None:
        try:
            return self._library.clip(id)
        except LibraryError as error:
            self.complained.emit(str(error))
            return None

    # --------------------------------------------------------------------------------------------------------- actions

    @Slot(str)
    def label(self, name: str) -> None:
        """Give the open clip a label, and go on to the next that has none.

        While it records, the label is for what is being recorded: a hand is free now, and later it is forgotten.
        """
        if self._is_taking:
            self._early_label = "" if name == self._early_label else name
            self._show_clip()
            return
        clip = self._clip
        if clip is None:
            return
        following = self.queue.next_after(clip.id) if clip.id in self.queue.ids else ""
        self._finish_fields()
        if self._labelling.label([clip.id], name) and following:
            self.open(following)

    @Slot()
    def accept_suggestion(self) -> None:
        if self._suggestion is not None and self._clip is not None and not self._is_taking:
            self.label(self._suggestion.label)

    @Slot()
    def trim(self) -> None:
        """Keep the selected part of the open clip."""
        if self._clip is None or not self.editor.has_selection or not self.editor.isVisible():
            return
        self.editor.stop()
        made = self._labelling.trim(self._clip.id, *self.editor.region())
        if made is not None:
            self.open(made.id)

    @Slot()
    def delete(self) -> None:
        """Put the open clip into the trash, and go on to the next."""
        if self._clip is None or not self.editor.isVisible():
            return
        self.editor.stop()
        following = self.queue.next_after(self._clip.id)
        if self._labelling.delete([self._clip.id]) and following:
            self.open(following)

    @Slot()
    def _on_number(self) -> None:
        action = self.sender()
        if isinstance(action, QAction):
            name = self.label_buttons.name_of_key(int(action.shortcut().toString()))
            if name is not None:
                self.label(name)

    @Slot()
    def _on_space(self) -> None:
        """Whoever went to a button by Tab presses it."""
        if not press_focused_button():
            self.editor.toggle_playing()

    @Slot()
    def _on_enter(self) -> None:
        if press_focused_button():
            return
        if isinstance(QApplication.focusWidget(), QLineEdit):
            # What was typed is kept as the field is left; the label is for the next Enter.
            self.editor.setFocus()
        else:
            self.accept_suggestion()

    @Slot()
    def _on_other_wanted(self) -> None:
        if self.label_buttons.isEnabled():
            self.label_buttons.ask_for_label()

    # -------------------------------------------------------------------------------------------------------- recorded

    @Slot(object)
    def _on_recorded(self, sound: RecordedSound) -> None:
        self._takeover.begin(sound, is_new=True)

    def take_unfinished(self) -> None:
        """What was recorded before the program ended, by a crash or a kill, comes into the library too."""
        sounds = self._monitor.recorder.unfinished()
        for sound in sounds:
            self._takeover.begin(sound, is_new=False)
        if sounds:
            words = self.tr("1 recording from before the program ended was found; it waits for its label.")
            if len(sounds) > 1:
                words = self.tr("{n} recordings from before the program ended were found; they wait for their labels.")
            self.complained.emit(words.format(n=len(sounds)))

    @Slot(object, bool)
    def _on_taken_over(self, clips: list[LibraryClip], is_new: bool) -> None:
        if not is_new:
            return
        label = self._labels_to_come.pop(clips[0].recorded, "")
        if label:
            self._labelling.label([clip.id for clip in clips], label)
        self.open(clips[0].id)

    @Slot()
    def _on_recorder_changed(self) -> None:
        recorder = self._monitor.recorder
        if not recorder.is_recording:
            # The next one may have begun before this one lies in the library.
            if self._early_label:
                self._labels_to_come[recorder.recorded] = self._early_label
            self._early_label = ""
        elif not self._settings[COUNT_IN]:
            self._early_label = ""
        self._show_clip()

    @Slot(int)
    def _on_count_changed(self, count: int) -> None:
        if count and not self.count_label.text():
            self._early_label = ""
        self.count_label.setText(str(count) if count else "")
        self._show_clip()

    @Slot()
    def _on_frame_due(self) -> None:
        if self._live_plot is not None:
            self._live_plot.show_sound(self._monitor.ring)

    def _show_stack(self) -> None:
        """While it records, what is heard now; else the open clip, or what could be done."""
        is_recording = self._monitor.recorder.is_recording
        if is_recording and self._live_plot is None:
            from babymonitor.ui.sound.live_plot import LivePlot

            self._live_plot = LivePlot(self)
            self._live_plot.set_theme(self._theme)
            self._live_column.addWidget(self._live_plot)
        if is_recording:
            self.sound_stack.setCurrentWidget(self._live_place)
        elif self.record_view.is_counting:
            self.sound_stack.setCurrentWidget(self.count_label)
        else:
            self.sound_stack.setCurrentWidget(self.editor if self._clip is not None else self.empty_label)
        if is_recording and self.isVisible():
            self._frame_timer.start()
        else:
            self._frame_timer.stop()

    # ------------------------------------------------------------------------------------------------------- the guess

    def _ask_guess(self, clip: LibraryClip, wave: Wave) -> None:
        if not clip.guess and clip.id not in self._guesses:
            self._monitor.ask_guess(clip.id, wave)

    @Slot(str, object, float)
    def _on_guessed(self, key: str, probabilities: dict[str, float], _crying: float) -> None:
        if probabilities:
            while len(self._guesses) >= _MOST_GUESSES:
                self._guesses.pop(next(iter(self._guesses)))
            self._guesses[key] = dict(probabilities)
        if self._clip is not None and self._clip.id == key:
            self._show_suggestion()

    @Slot()
    def _on_model_changed(self) -> None:
        """Another model may think otherwise."""
        self._guesses.clear()
        if self._clip is not None and self.isVisible():
            self._ask_guess(self._clip, self.editor.wave)

    # --------------------------------------------------------------------------------------------------------- showing

    @Slot(object)
    def _on_library_changed(self, ids: list[str]) -> None:
        if self._clip is not None and (not ids or self._clip.id in ids):
            clip = self._read_clip(self._clip.id)
            if clip is None:
                self.close_clip()
            else:
                self._clip = clip
                self._show_clip()
        if self.isVisible():
            self.refresh()
        else:
            self._is_stale = True

    def refresh(self) -> None:
        """Read the clips that wait again."""
        self._is_stale = False
        try:
            self.queue.set_clips(self._library.clips(label=""))
            self.label_buttons.set_labels(self._library.labels())
        except LibraryError as error:
            self.complained.emit(str(error))
        self.queue.show_open("" if self._clip is None else self._clip.id)
        if self._clip is None and self.queue.ids:
            self.open(self.queue.ids[0])

    def _name(self, clip: LibraryClip) -> str:
        moment = f"{day_text(clip.recorded)}, {clock_text(clip.recorded, with_seconds=True)}"
        return clip.origin if clip.source == "import" and clip.origin else moment

    def _show_clip(self) -> None:
        clip, is_recording = self._clip, self._is_taking
        for widget in (self.baby_edit, self.note_edit, self.delete_button):
            widget.setEnabled(clip is not None and not is_recording)
        self.label_buttons.setEnabled(clip is not None or is_recording)
        tip = ""
        label = self._early_label if is_recording else clip.label if clip is not None else ""
        if is_recording:
            words = self.tr("What is it? It can be said while it lasts.")
            if label:
                words = self.tr("It will be: {label}").format(label=short_label_title(label))
        else:
            words = (
                self.tr("It was: {label}").format(label=short_label_title(label)) if label else self.tr("What was it?")
            )
        if clip is not None and clip.is_clipped and not is_recording:
            words = self.tr("{words} · too loud").format(words=words)
            tip = self.tr("Too loud for the microphone: parts of it are distorted.")
        self.title_label.setText(words)
        self.title_label.setToolTip(tip)
        self.label_buttons.check(label)
        for edit, text in ((self.baby_edit, clip.baby if clip else ""), (self.note_edit, clip.note if clip else "")):
            if edit.text() != text and not (edit.hasFocus() and edit.isModified()):
                edit.setText(text)
        self.queue.show_open("" if clip is None else clip.id)
        self._show_suggestion()
        self._on_region_changed()
        self._show_stack()

    def _show_suggestion(self) -> None:
        clip = self._clip
        if self._is_taking:
            clip = None  # what is seen now is another sound
        self._suggestion = None if clip is None else suggestion(self._guesses.get(clip.id) or clip.guess)
        if self._suggestion is None:
            waits = clip is not None and self._monitor.card is not None
            self.suggestion_label.setText(self.tr("Listening to it …") if waits else "")
            self.accept_button.hide()
            return
        self.suggestion_label.setText(self.tr("It sounds like: {guess}").format(guess=self._suggestion.words))
        self.suggestion_label.setToolTip(self.suggestion_label.text())
        self.accept_button.setText(self.tr("{label}  ↵").format(label=short_label_title(self._suggestion.label)))
        self.accept_button.setVisible(clip is not None and clip.label != self._suggestion.label)

    @Slot()
    def _on_region_changed(self) -> None:
        self.trim_button.setEnabled(self._clip is not None and self.editor.has_selection)

    # ---------------------------------------------------------------------------------------------------------- fields

    def _finish_fields(self) -> None:
        """What was typed belongs to the clip that was open while it was typed."""
        self._on_baby_edited()
        self._on_note_edited()

    @Slot()
    def _on_baby_edited(self) -> None:
        name = self.baby_edit.text().strip()
        if self._clip is None or name == self._clip.baby.strip():
            return
        self.baby_edit.setModified(False)
        self._labelling.name_baby([self._clip.id], name)
        if name and not self._settings[BABY_NAME]:
            try:
                self._settings[BABY_NAME] = name
            except OSError as error:
                words = self.tr("The settings could not be saved: {error}.")
                self.complained.emit(words.format(error=error.strerror or error))

    @Slot()
    def _on_note_edited(self) -> None:
        note = self.note_edit.text().strip()
        if self._clip is not None and note != self._clip.note.strip():
            self.note_edit.setModified(False)
            self._labelling.put_note([self._clip.id], note)

    # ------------------------------------------------------------------------------------------------- seen or not seen

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._is_stale:
            self.refresh()
        if self._clip is not None:
            # Another model may have come while another page was shown.
            self._ask_guess(self._clip, self.editor.wave)
        self._show_stack()
        self.editor.setFocus()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._frame_timer.stop()


def _card() -> QFrame:
    """A quiet panel that groups what belongs together."""
    card = QFrame()
    card.setProperty("role", "card")
    return card
