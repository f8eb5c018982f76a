"""Conversions on a thread of their own, because they take half a minute while the monitor listens."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from babymonitor.core.messages import Code, message
from babymonitor.core.model.classifier import ModelError
from babymonitor.live import torch_conversion


class TorchConversionWorker(QObject):
    """Lives in a QThread and communicates by signals only."""

    converted = Signal(str, str)
    """The requested `.pt`, and its conversion, made now or earlier."""
    found = Signal(str)
    """A new `.pt` in the models folder, which has been converted."""
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
        """Convert a `.pt` that the person chose, unless that was done before."""
        target = self._convert(Path(path))
        if target is not None:
            self.converted.emit(path, str(target))

    @Slot()
    def look(self) -> None:
        """Convert the newest `.pt` of the models folder, unless that was done before and it is no longer new."""
        try:
            path = torch_conversion.newest()
            is_new = path is not None and not torch_conversion.conversion_of(path).is_file()
        except (ModelError, OSError) as error:
            self.refused.emit(str(error))
            return
        if path is not None and is_new and self._convert(path) is not None:
            self.found.emit(str(path))

    def stop(self) -> None:
        """Stop the current conversion and emit nothing more. May be called from any thread."""
        self._is_stopped = True
        self._converter.stop()

    def _convert(self, path: Path) -> Path | None:
        try:
            target = torch_conversion.conversion_of(path)
            if not target.is_file():
                self.begun.emit(message(Code.CONVERSION_BEGINS, name=path.name))
                self._converter.convert(path, target)
        except (ModelError, OSError) as error:
            if not self._is_stopped:
                self.refused.emit(message(Code.MODEL_REFUSED_KEEPING_CURRENT, reason=str(error)))
            return None
        return target
