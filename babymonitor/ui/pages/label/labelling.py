"""The edits of the library that can be undone: labels, names, notes, deleting, trimming, importing."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from babymonitor.core.library.library import AlreadyThereError, Library, LibraryClip, LibraryError
from babymonitor.core.sound.wave import Wave
from babymonitor.ui.parts.wording import label_title

_MOST_STEPS = 200


class Labelling(QObject):
    """Edits the library in steps that can be undone and redone. Emits `changed` for every edit, whoever made it.

    An edit that the library refuses becomes a complaint and no step.
    """

    changed = Signal(object)
    """The ids of clips that were added, changed or removed; empty if everything has to be read again."""
    complained = Signal(object)
    """Why the library refused an edit."""

    def __init__(self, library: Library, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.library = library
        library.on_change(self.changed.emit)
        self.undo_stack = QUndoStack(self)
        self.undo_stack.setUndoLimit(_MOST_STEPS)
        self.touched: list[str] = []
        """The clips of the last step that was done, undone or redone."""

    def label(self, ids: Sequence[str], label: str) -> bool:
        """Give clips a label; "" removes it. Returns whether that succeeded."""
        title = label_title(label) if label else self.tr("no label")
        words = self.tr("label “{title}”") if len(ids) == 1 else self.tr("label {n} clips “{title}”")
        return self._do(_Change(self, ids, words.format(n=len(ids), title=title), label=label))

    def name_baby(self, ids: Sequence[str], baby: str) -> bool:
        """Store whose voice it is. Returns whether that succeeded."""
        return self._do(_Change(self, ids, self.tr("baby’s name"), baby=baby))

    def put_note(self, ids: Sequence[str], note: str) -> bool:
        """Store a note. Returns whether that succeeded."""
        return self._do(_Change(self, ids, self.tr("note"), note=note))

    def delete(self, ids: Sequence[str]) -> bool:
        """Move clips to the trash. Returns whether that succeeded."""
        words = self.tr("delete the clip") if len(ids) == 1 else self.tr("delete {n} clips").format(n=len(ids))
        return self._do(_Delete(self, ids, words))

    def bring_back(self, ids: Sequence[str]) -> bool:
        """Move clips back out of the trash. Returns whether that succeeded."""
        return self._do(_BringBack(self, ids, self.tr("bring back {n} clips").format(n=len(ids))))

    def trim(self, id: str, start_seconds: float, end_seconds: float) -> LibraryClip | None:
        """Replace a clip by a part of it. Returns the new clip, or None if that was refused."""
        step = _Trim(self, id, start_seconds, end_seconds, self.tr("trim"))
        return step.part if self._do(step) else None

    def add(self, wave: Wave, *, group: str, baby: str, recorded: float) -> LibraryClip:
        """Add a recording without a label. wave: (samples,) at 16 kHz.

        Returns the new clip, or the clip that has the same sound already. This is no step: a recording is not undone.
        Raises LibraryError if it cannot be stored.
        """
        try:
            clip = self.library.add(wave, "", group=group, baby=baby, recorded=recorded)
        except AlreadyThereError as error:
            clip = error.clip
            self.changed.emit([clip.id])
        return clip

    def imported(self, ids: Sequence[str]) -> None:
        """Make a step of an import that has just added these clips, so that it can be undone."""
        if ids:
            self._do(_Imported(self, ids, self.tr("import of {n} clips").format(n=len(ids))))

    def refresh(self) -> None:
        """Have everything read again, because the library was changed from elsewhere."""
        self.changed.emit([])

    def _do(self, step: _Step) -> bool:
        if not step.ids:
            return False
        self.undo_stack.push(step)  # this does the step, and drops it if it was refused
        return step.is_done


class _Step(QUndoCommand):
    """A step. If `do` or `take_back` raises LibraryError, that becomes a complaint and the step is dropped."""

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
            self.labelling.changed.emit(self.touched())  # so that fields show the stored values again
        self.labelling.touched = self.touched()

    def touched(self) -> list[str]:
        """Return the clips that may have changed."""
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
    """An import, which is already done when it becomes a step."""

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
        self._range = start_seconds, end_seconds
        self.part: LibraryClip | None = None

    def do(self) -> None:
        if self.part is None:
            self.part = self.library.trim(self.ids[0], *self._range)
        else:
            # Redone after an undo: the part still lies in the trash.
            self.library.undelete([self.part.id])
            self.library.delete(self.ids)

    def touched(self) -> list[str]:
        return self.ids + ([self.part.id] if self.part is not None else [])

    def take_back(self) -> None:
        assert self.part is not None
        self.library.undelete(self.ids)
        self.library.delete([self.part.id])
