"""Import sound files into the library, in short slices, so that the window stays alive and it can be cancelled."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from babymonitor.core.library.library import Library, LibraryClip, LibraryError
from babymonitor.core.library.transfer import FolderImport, import_path
from babymonitor.ui.parts.wording import label_title, translated

_SLICE_SECONDS = 0.02
_MOST_SENTENCES = 2
_MOST_LABELS = 5


class ImportJob(QObject):
    """Imports files and folders. `ended` comes in any case; what was imported before cancelling stays."""

    progressed = Signal(int, int)
    """How many files are done, of how many."""
    ended = Signal()

    def __init__(self, library: Library, paths: Sequence[Path], baby: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self._baby = baby
        self.clips: list[LibraryClip] = []
        """What has been imported so far."""
        self.refused: list[str] = []
        """A sentence for each file that was left out."""
        self.is_cancelled = False
        self.done = 0
        self.total = 0
        self._paths = list(paths)
        self._sources: list[FolderImport] = []
        self._items: Iterator[LibraryClip | str | None] = iter(())
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._on_turn)

    def start(self) -> None:
        """Begin. The event loop has to run."""
        for path in self._paths:
            try:
                self._sources.append(import_path(self._library, path, baby=self._baby))
            except LibraryError as error:
                self.refused.append(str(error))
        self.total = sum(source.total for source in self._sources)
        self._items = self._import()
        self.progressed.emit(0, self.total)
        self._timer.start()

    @Slot()
    def cancel(self) -> None:
        """Stop at once. A file that is half read is left out."""
        if self._timer.isActive():
            self.is_cancelled = True
            self._end()

    def sentence(self) -> str:
        """Return the outcome in a sentence or two."""
        words = self.tr("{n} clips are in the library now.").format(n=len(self.clips))
        if len(self.clips) == 1:
            words = self.tr("1 clip is in the library now.")
        elif not self.clips:
            words = self.tr("Nothing was added.")
        if self.is_cancelled:
            words = self.tr("It was ended early.") + " " + words
        labels = Counter(clip.label for clip in self.clips if clip.label)
        if labels:
            # A folder may be called anything, so the labels that came of it are listed.
            named = ", ".join(f"{label_title(label)} ({count})" for label, count in labels.most_common(_MOST_LABELS))
            named += ", …" if len(labels) > _MOST_LABELS else ""
            words += " " + self.tr("Labelled as their folders are called: {labels}.").format(labels=named)
        if self.refused:
            named = " ".join(map(translated, self.refused[:_MOST_SENTENCES]))
            more = len(self.refused) - _MOST_SENTENCES
            left = self.tr("1 file was left out:") if len(self.refused) == 1 else self.tr("{n} files were left out:")
            words += f" {left.format(n=len(self.refused))} {named}"
            if more > 0:
                words += " " + self.tr("(and {n} more)").format(n=more)
        return words

    def _import(self) -> Iterator[LibraryClip | str | None]:
        """Yield what was imported, and a sentence about what was not; None while a long file is being read."""
        before = 0
        for source in self._sources:
            while True:
                try:
                    item = source.step()
                except StopIteration:
                    break
                except OSError as error:
                    item = str(error)
                self.done = before + source.done
                yield item
            before += source.total
            self.done = before

    @Slot()
    def _on_turn(self) -> None:
        until = time.monotonic() + _SLICE_SECONDS
        while time.monotonic() < until:
            try:
                item = next(self._items)
            except StopIteration:
                self._end()
                return
            if isinstance(item, str):
                self.refused.append(item)
            elif item is not None:
                self.clips.append(item)
        self.progressed.emit(min(self.done, self.total), self.total)

    def _end(self) -> None:
        self._timer.stop()
        self._items = iter(())
        self.ended.emit()
