"""Copy the library to a folder elsewhere, on a thread, so that the window and the listening go on."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from babymonitor.core.library.library import Library, LibraryError
from babymonitor.core.library.transfer import export_clips
from babymonitor.core.messages import Code
from babymonitor.ui.parts.wording import translated

_POLL_MS = 60


class ExportJob(QObject):
    """Copies what the library holds now. `ended` comes in any case; a cancelled export leaves nothing behind."""

    progressed = Signal(int, int)
    """How many clips are done, of how many."""
    ended = Signal()

    def __init__(self, library: Library, folder: Path, parent: QObject | None = None) -> None:
        """folder: new or empty; any other folder gets a new folder inside, named by date and time.

        Raises LibraryError if the library cannot be read, and OSError if the folder cannot.
        """
        super().__init__(parent)
        if folder.is_dir() and any(folder.iterdir()):
            folder = folder / time.strftime("babymonitor-%Y-%m-%d_%H-%M-%S")
        self.folder = folder
        self._clips = library.clips()
        self._library_folder = library.folder
        self._done = 0
        self._is_cancelled = False
        self._count = 0
        self._complaint = ""
        self._thread = threading.Thread(target=self._copy, name="export", daemon=True)
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._on_poll_due)

    def start(self) -> None:
        """Begin. The event loop has to run."""
        self.progressed.emit(0, len(self._clips))
        self._thread.start()
        self._timer.start()

    @Slot()
    def cancel(self) -> None:
        """Stop after the file that is being copied."""
        self._is_cancelled = True
        self._thread.join()
        self._on_poll_due()

    def sentence(self) -> str:
        """Return the outcome."""
        if self._is_cancelled and not self._count:
            return self.tr("The export was ended early; nothing of it was left behind.")
        if self._complaint:
            return translated(self._complaint)
        words = self.tr("{n} clips were copied to {folder}; they can be imported and trained with anywhere.")
        return words.format(n=self._count, folder=self.folder)

    def _copy(self) -> None:
        """Copy, on the thread. It does not touch the library's database, and reports by plain attributes."""
        try:
            self._count = export_clips(self._library_folder, self._clips, self.folder, self._on_clip_copied)
        except (LibraryError, OSError) as error:
            self._complaint = str(error)

    def _on_clip_copied(self, done: int) -> None:
        """Count a clip, on the thread, or end the export by an error."""
        if self._is_cancelled:
            raise LibraryError(Code.EXPORT_ENDED_EARLY)
        self._done = done + 1

    @Slot()
    def _on_poll_due(self) -> None:
        self.progressed.emit(self._done, len(self._clips))
        if not self._thread.is_alive() and self._timer.isActive():
            self._timer.stop()
            self.ended.emit()
