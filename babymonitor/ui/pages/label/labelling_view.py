"""Record, hear, label: the first tab of the Label page, and the only one that most people need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from babymonitor.core.library.library import LibraryClip, LibraryError
from babymonitor.core.settings import BABY_NAME, COUNT_IN, Settings
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.wave import AudioError
from babymonitor.live.monitor import Monitor
from babymonitor.ui.pages.label.clip_queue import ClipQueue
from babymonitor.ui.pages.label.labelling import Labelling
from babymonitor.ui.pages.label.record_view import RecordView
from babymonitor.ui.pages.label.sound_stage import SoundStage
from babymonitor.ui.pages.label.suggestion_bar import SuggestionBar
from babymonitor.ui.pages.label.takeover import Takeover
from babymonitor.ui.parts.card import Card
from babymonitor.ui.parts.keys import add_keys, press_focused_button
from babymonitor.ui.parts.label_buttons import LabelButtons
from babymonitor.ui.parts.save_setting import save_setting
from babymonitor.ui.parts.text_label import text_label
from babymonitor.ui.parts.wording import clock_text, day_text, short_label_title

if TYPE_CHECKING:
    from babymonitor.live.record.recorder import RecordedSound


class LabellingView(QWidget):
    """One clip is open at a time. A recording is stored in the library before anything else happens to it."""

    complained = Signal(object)
    """A sentence about what could not be done."""

    def __init__(
        self, monitor: Monitor, labelling: Labelling, settings: Settings, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._labelling = labelling
        self._library = labelling.library
        self._settings = settings
        self._clip: LibraryClip | None = None
        self._early_label = ""
        # By the Unix second at which a recording began: the label it gets once it is in the library.
        self._labels_to_come: dict[float, str] = {}
        self._is_stale = True
        self._takeover = Takeover(monitor.recorder, labelling, settings, self)
        self._build_sound()
        self._build_label()
        self._lay_out()
        self._build_keys()
        self._connect()
        self._show_clip()

    def _build_sound(self) -> None:
        self.record_view = RecordView(self._monitor, self._settings, self)
        self.queue = ClipQueue(self)
        self.stage = SoundStage(self._monitor, self)
        self.editor = self.stage.editor
        words = self.tr("Keep the selection alone; the rest goes to the trash (Ctrl+T)")
        self.trim_button = self.editor.add_button(self.tr("Trim"), "trim", words)
        words = self.tr("Into the trash, for 30 days (Del)")
        self.delete_button = self.editor.add_button(self.tr("Delete"), "bin", words)

    def _build_label(self) -> None:
        self.title_label = text_label("", "title", self)
        self.title_label.setMinimumWidth(20)
        self.suggestion_bar = SuggestionBar(self._monitor, self)
        self.label_buttons = LabelButtons(self)
        self.baby_edit = QLineEdit(self)
        self.baby_edit.setPlaceholderText(self.tr("Baby’s name"))
        self.baby_edit.setAccessibleName(self.tr("Baby’s name"))
        self.baby_edit.setToolTip(self.tr("Whose voice it is (B)"))
        self.note_edit = QLineEdit(self)
        self.note_edit.setPlaceholderText(self.tr("Note, such as “before the feed” or “next door’s dog”"))
        self.note_edit.setAccessibleName(self.tr("Note"))
        self.note_edit.setToolTip(self.tr("A note (N)"))

    def _lay_out(self) -> None:
        sound = Card()
        column = QVBoxLayout(sound)
        column.setContentsMargins(12, 10, 12, 4)
        column.addWidget(self.stage)
        label = Card()
        column = QVBoxLayout(label)
        column.setContentsMargins(14, 8, 14, 12)
        column.setSpacing(8)
        words = QHBoxLayout()
        words.addWidget(self.title_label)
        words.addSpacing(10)
        words.addWidget(self.suggestion_bar)
        words.addStretch(1)
        column.addLayout(words)
        column.addWidget(self.label_buttons)
        fields = QHBoxLayout()
        fields.setSpacing(8)
        fields.addWidget(self.baby_edit, 1)
        fields.addWidget(self.note_edit, 4)
        column.addLayout(fields)
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
                (tr("Keep the selection alone"), ("Ctrl+T",), self.trim),
                (tr("Delete the clip"), ("Del",), self.delete),
                (tr("Next clip"), ("PgDown",), self.show_next),
                (tr("Previous clip"), ("PgUp",), self.show_previous),
                (tr("Write the baby’s name"), ("B",), self.baby_edit.setFocus),
                (tr("Write a note"), ("N",), self.note_edit.setFocus),
                *self.label_buttons.keys(tr("Label {n}")),
            ),
        )

    def _connect(self) -> None:
        recorder = self._monitor.recorder
        recorder.finished.connect(self._on_recorded)
        recorder.state_changed.connect(self._on_recorder_changed)
        recorder.complained.connect(self.complained)
        self.record_view.count_changed.connect(self._on_count_changed)
        self.record_view.complained.connect(self.complained)
        self._takeover.taken_over.connect(self._on_taken_over)
        self._takeover.complained.connect(self.complained)
        self._monitor.model_changed.connect(self._on_model_changed)
        self._labelling.changed.connect(self._on_library_changed)
        self.queue.clip_chosen.connect(self.open)
        self.editor.region_changed.connect(self._on_region_changed)
        self.trim_button.clicked.connect(self.trim)
        self.delete_button.clicked.connect(self.delete)
        self.suggestion_bar.accepted.connect(self.label)
        self.label_buttons.label_chosen.connect(self.label)
        self.baby_edit.editingFinished.connect(self._on_baby_edited)
        self.note_edit.editingFinished.connect(self._on_note_edited)

    def shut_down(self) -> None:
        """End what is under way. A recording that is not completely in the library is offered at the next start."""
        self._takeover.stop()
        self._finish_fields()

    @property
    def _is_capturing(self) -> bool:
        """Whether it records or counts in, so that a label is not for the clip that is open."""
        return self._monitor.recorder.is_recording or self.record_view.is_counting

    @property
    def clip(self) -> LibraryClip | None:
        """The clip that is open."""
        return self._clip

    @Slot(str)
    def open(self, id: str) -> None:
        """Open a clip of the library."""
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
        self.suggestion_bar.ask(clip, wave)
        self.editor.setFocus()

    def follow_step(self, ids: Sequence[str]) -> None:
        """Open the clip of a step that was undone or redone, if the step was about one clip.

        Otherwise somebody who undoes a wrong label would give the right one to the next clip.
        """
        existing = [id for id in ids if self._read_clip(id) is not None]
        if len(existing) == 1 and self.isVisible() and (self._clip is None or self._clip.id != existing[0]):
            self.open(existing[0])

    @Slot()
    def show_next(self) -> None:
        """Open the next clip that waits."""
        self._go(1)

    @Slot()
    def show_previous(self) -> None:
        """Open the clip before."""
        self._go(-1)

    def _go(self, step: int) -> None:
        id = self.queue.next_after("" if self._clip is None else self._clip.id, step)
        if id:
            self.open(id)

    def close_clip(self) -> None:
        """Close the clip that is open."""
        self._clip = None
        self.editor.clear()
        self._show_clip()

    def _read_clip(self, id: str) -> LibraryClip | None:
        try:
            return self._library.clip(id)
        except LibraryError as error:
            self.complained.emit(str(error))
            return None

    @Slot(str)
    def label(self, name: str) -> None:
        """Give the open clip a label, and go on to the next that has none.

        While it records, the label is for the recording: a hand is free now, and later the label may be forgotten.
        """
        if self._is_capturing:
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
        """Give the open clip the label that the model suggests."""
        if self._clip is not None and not self._is_capturing:
            self.suggestion_bar.accept()

    @Slot()
    def trim(self) -> None:
        """Replace the open clip by its selected part."""
        if self._clip is None or not self.editor.has_selection or not self.editor.isVisible():
            return
        self.editor.stop()
        part = self._labelling.trim(self._clip.id, *self.editor.region())
        if part is not None:
            self.open(part.id)

    @Slot()
    def delete(self) -> None:
        """Move the open clip to the trash, and go on to the next."""
        if self._clip is None or not self.editor.isVisible():
            return
        self.editor.stop()
        following = self.queue.next_after(self._clip.id)
        if self._labelling.delete([self._clip.id]) and following:
            self.open(following)

    @Slot()
    def _on_space(self) -> None:
        """Press the focused button, if somebody went to one by Tab; otherwise play."""
        if not press_focused_button():
            self.editor.toggle_playing()

    @Slot()
    def _on_enter(self) -> None:
        if press_focused_button():
            return
        if isinstance(QApplication.focusWidget(), QLineEdit):
            # Leaving the field stores what was typed; the next Enter accepts the label.
            self.editor.setFocus()
        else:
            self.accept_suggestion()

    @Slot(object)
    def _on_recorded(self, sound: RecordedSound) -> None:
        self._takeover.begin(sound, is_new=True)

    def take_unfinished(self) -> None:
        """Take over recordings that a program left behind that crashed or was killed."""
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
            # The next recording may begin before this one is in the library.
            if self._early_label:
                self._labels_to_come[recorder.recorded] = self._early_label
            self._early_label = ""
        elif not self._settings[COUNT_IN]:
            self._early_label = ""
        self._show_clip()

    @Slot(int)
    def _on_count_changed(self, count: int) -> None:
        if count and not self.stage.count_label.text():
            self._early_label = ""
        self.stage.count_label.setText(str(count) if count else "")
        self._show_clip()

    @Slot()
    def _on_model_changed(self) -> None:
        """Have another model guess."""
        self.suggestion_bar.forget()
        if self._clip is not None and self.isVisible():
            self.suggestion_bar.ask(self._clip, self.editor.wave)

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
        """Read the clips that wait from the library."""
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
        clip, is_recording = self._clip, self._is_capturing
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
        self.suggestion_bar.show_clip(None if is_recording else clip)
        self._on_region_changed()
        self.stage.show_view(self.record_view.is_counting, clip is not None)

    @Slot()
    def _on_region_changed(self) -> None:
        self.trim_button.setEnabled(self._clip is not None and self.editor.has_selection)

    def _finish_fields(self) -> None:
        """Store what was typed, which belongs to the clip that was open meanwhile."""
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
            save_setting(self._settings, BABY_NAME, name, self.complained.emit)

    @Slot()
    def _on_note_edited(self) -> None:
        note = self.note_edit.text().strip()
        if self._clip is not None and note != self._clip.note.strip():
            self.note_edit.setModified(False)
            self._labelling.put_note([self._clip.id], note)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._is_stale:
            self.refresh()
        if self._clip is not None:
            # The model may have changed while another page was shown.
            self.suggestion_bar.ask(self._clip, self.editor.wave)
        self.editor.setFocus()
