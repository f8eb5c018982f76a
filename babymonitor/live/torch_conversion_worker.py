"""Conversions on a thread of their own: they take half a minute, and the monitor listens meanwhile."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from babymonitor.core.messages import Code, message
from babymonitor.core.model.classifier import ModelError
from babymonitor.live import torch_conversion


class ModelFilesWorker(QObject):
    """Lives in a QThread; only signals leave it."""

    converted = Signal(str, str)
    """The `.pt` that was asked for, and the model file made of it, now or earlier."""
    found = Signal(str)
    """A `.pt` that appeared in the models folder; it is converted by now."""
    begun = Signal(object)
    """A sentence (`Message`): a conversion begins."""
    refused = Signal(object)
    """A sentence (`Message`): a file cannot be converted."""

    def __init__(self) -> None:
        super().__init__()
        self._converter = torch_conversion.Converter()
        self._is_stopped = False

    @Slot(str)
    def convert(self, path: str) -> None:
        """Convert a `.pt` that somebody chose, unless that was done before."""
        made = self._convert(Path(path))
        if made is not None:
            self.converted.emit(path, str(made))

    @Slot()
    def look(self) -> None:
        """Convert the newest `.pt` of the models folder, unless that was done before: then it was found before."""
        try:
            path = torch_conversion.newest()
            is_new = path is not None and not torch_conversion.conversion_of(path).is_file()
        except (ModelError, OSError) as error:
            self.refused.emit(str(error))
            return
        if path is not None and is_new and self._convert(path) is not None:
            self.found.emit(str(path))

    def stop(self) -> None:
        """From any thread: end what runs, say no more."""
        self._is_stopped = True
        self._converter.stop()

    def _convert(self, path: Path) -> Path | None:
        try:
            made = torch_conversion.conversion_of(path)
            if not made.is_file():
                self.begun.emit(message(Code.CONVERSION_BEGINS, name=path.name))
                self._converter.convert(path, made)
        except (ModelError, OSError) as error:
            if not self._is_stopped:
                self.refused.emit(message(Code.MODEL_REFUSED_KEEPING_CURRENT, reason=str(error)))
            return None
        return made
