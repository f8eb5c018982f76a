"""What a person does to the library, each step with its way back: labels, names, notes, deleting, trimming, adding."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from babymonitor.core.library.library import AlreadyThereError, Library, LibraryClip, LibraryError
from babymonitor.core.sound.wave import Wave
from babymonitor.ui.parts.wording import label_title

_MOST_STEPS = 200


class Labelling(QObject):
    """Changes the library step by step, and takes steps back. Whatever changes is told, by whom ever it was asked for.

    What the library refuses is said (`complained`) and is no step.
    """

    changed = Signal(object)
    """A list of ids: these clips were added, changed or taken away."""
    complained = Signal(object)

    def __init__(self, library: Library, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.library = library
        library.on_change(self.changed.emit)
        self.undo_stack = QUndoStack(self)
        self.undo_stack.setUndoLimit(_MOST_STEPS)
        self.touched: list[str] = []
        """The clips of the last step that was done, taken back or done again."""

    def label(self, ids: Sequence[str], label: str) -> bool:
        """Give clips a label ("" takes it away); whether that was done."""
        title = label_title(label) if label else self.tr("no label")
        words = self.tr("label “{title}”") if len(ids) == 1 else self.tr("label {n} clips “{title}”")
        return self._do(_Change(self, ids, words.format(n=len(ids), title=title), label=label))

    def name_baby(self, ids: Sequence[str], baby: str) -> bool:
        """Say whose voice it is; whether that was done."""
        return self._do(_Change(self, ids, self.tr("baby’s name"), baby=baby))

    def put_note(self, ids: Sequence[str], note: str) -> bool:
        """Write a note; whether that was done."""
        return self._do(_Change(self, ids, self.tr("note"), note=note))

    def delete(self, ids: Sequence[str]) -> bool:
        """Into the trash; whether that was done."""
        words = self.tr("delete the clip") if len(ids) == 1 else self.tr("delete {n} clips").format(n=len(ids))
        return self._do(_Delete(self, ids, words))

    def bring_back(self, ids: Sequence[str]) -> bool:
        """Out of the trash; whether that was done."""
        return self._do(_BringBack(self, ids, self.tr("bring back {n} clips").format(n=len(ids))))

    def trim(self, id: str, start_seconds: float, end_seconds: float) -> LibraryClip | None:
        """Keep a part of a clip instead of the whole; the new clip, or None where that was refused."""
        step = _Trim(self, id, start_seconds, end_seconds, self.tr("trim"))
        return step.made if self._do(step) else None

    def add(self, wave: Wave, *, group: str, baby: str, recorded: float) -> LibraryClip:
        """A recording without a label yet, (samples,) at 16 kHz; the one that is there, if it has been added before.

        No step: what was heard is not taken back. LibraryError where it cannot be kept.
        """
        try:
            clip = self.library.add(wave, "", group=group, baby=baby, recorded=recorded)
        except AlreadyThereError as error:
            clip = error.clip
            self.changed.emit([clip.id])
        return clip

    def imported(self, ids: Sequence[str]) -> None:
        """These clips have just been added out of files: one step, which can be taken back."""
        if ids:
            self._do(_Imported(self, ids, self.tr("import of {n} clips").format(n=len(ids))))

    def refresh(self) -> None:
        """Somebody else changed the library: everything is to be read again."""
        self.changed.emit([])

    def _do(self, step: _Step) -> bool:
        if not step.ids:
            return False
        self.undo_stack.push(step)  # does it, and forgets it where it was refused
        return step.is_done


class _Step(QUndoCommand):
    """One step. `do` and `take_back` may raise LibraryError: it is said, and the step is forgotten."""

    def __init__(self, labelling: Labelling, ids: Sequence[str], words: str) -> None:
        super().__init__(words)
        self.labelling = labelling
        self.library = labelling.library
        self.ids = list(ids)
        self.is_done = False

    def redo(self) -> None:
        self._try(True)

    def undo(self) -> None:
        self._try(False)

    def _try(self, is_forwards: bool) -> None:
        try:
            with self.library.together():
                if is_forwards:
                    self.do()
                else:
                    self.take_back()
            self.is_done = is_forwards
        except LibraryError as error:
            self.setObsolete(True)
            self.labelling.complained.emit(str(error))
            self.labelling.changed.emit(self.touched())  # fields show again what is kept
        self.labelling.touched = self.touched()

    def touched(self) -> list[str]:
        """The clips that are others than before."""
        return self.ids

    def do(self) -> None:
        raise NotImplementedError

    def take_back(self) -> None:
        raise NotImplementedError


class _Change(_Step):
    def __init__(
        self,
        labelling: Labelling,
        ids: Sequence[str],
        words: str,
        label: str | None = None,
        note: str | None = None,
        baby: str | None = None,
    ) -> None:
        super().__init__(labelling, ids, words)
        self._wanted = label, note, baby
        self._before: list[LibraryClip] = []

    def do(self) -> None:
        label, note, baby = self._wanted
        self._before = self.library.change(self.ids, label=label, note=note, baby=baby)

    def take_back(self) -> None:
        self.library.restore_rows(self._before)


class _Delete(_Step):
    def do(self) -> None:
        self.library.delete(self.ids)

    def take_back(self) -> None:
        self.library.undelete(self.ids)


class _BringBack(_Step):
    def do(self) -> None:
        self.library.undelete(self.ids)

    def take_back(self) -> None:
        self.library.delete(self.ids)


class _Imported(_BringBack):
    """The first time it is done already."""

    def do(self) -> None:
        if self._is_again:
            super().do()
        else:
            self.library.announce(self.ids)
        self._is_again = True

    _is_again = False


class _Trim(_Step):
    def __init__(self, labelling: Labelling, id: str, start_seconds: float, end_seconds: float, words: str) -> None:
        super().__init__(labelling, [id], words)
        self._part = start_seconds, end_seconds
        self.made: LibraryClip | None = None

    def do(self) -> None:
        if self.made is None:
            self.made = self.library.trim(self.ids[0], *self._part)
        else:
            # Once more after it was taken back: the part still lies in the trash.
            self.library.undelete([self.made.id])
            self.library.delete(self.ids)

    def touched(self) -> list[str]:
        return self.ids + ([self.made.id] if self.made is not None else [])

    def take_back(self) -> None:
        assert self.made is not None
        self.library.undelete(self.ids)
        self.library.delete([self.made.id])
