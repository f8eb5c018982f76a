"""Take finished recordings over from the recorder's folder into the library."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from babymonitor.core.library.library import LibraryClip, LibraryError
from babymonitor.core.settings import BABY_NAME, Settings
from babymonitor.core.sound.files import resampled_blocks
from babymonitor.core.sound.wave import SAMPLE_RATE, AudioError, Wave
from babymonitor.live.record.recorder import RecordedSound, Recorder
from babymonitor.ui.pages.label.labelling import Labelling

_PIECE_SECONDS = 60.0
"""A longer recording becomes several clips of one group."""
_LEAST_PIECE_SECONDS = 0.2


class Takeover(QObject):
    """Works a piece at a time, because an hour's recording has sixty and must not hold up the monitor.

    The recorder's file is deleted only when all of it is in the library.
    """

    taken_over = Signal(object, bool)
    """The clips that a recording became, and whether it was made just now."""
    complained = Signal(object)
    """A sentence about a recording that could not be taken over."""

    def __init__(
        self, recorder: Recorder, labelling: Labelling, settings: Settings, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._recorder = recorder
        self._labelling = labelling
        self._settings = settings
        self._waiting: deque[Iterator[None]] = deque()
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._on_turn)

    def begin(self, sound: RecordedSound, is_new: bool) -> None:
        """Take a recording over, after those that already wait. is_new: whether it was made just now."""
        self._waiting.append(self._take_over(sound, is_new))
        self._timer.start()

    def stop(self) -> None:
        """Stop at once. A recording that is not completely in the library is offered again at the next start."""
        self._timer.stop()
        self._waiting.clear()

    @Slot()
    def _on_turn(self) -> None:
        try:
            next(self._waiting[0])
        except StopIteration:
            self._waiting.popleft()
        except (AudioError, LibraryError) as error:
            self._waiting.popleft()
            self.complained.emit(str(error))
        if not self._waiting:
            self._timer.stop()

    def _take_over(self, sound: RecordedSound, is_new: bool) -> Iterator[None]:
        baby, group, recorded = self._settings[BABY_NAME], sound.path.stem, sound.recorded
        clips: list[LibraryClip] = []
        for wave in pieces(sound.path, sound.seconds):
            clips.append(self._labelling.add(wave, group=group, baby=baby, recorded=recorded))
            recorded += wave.size / SAMPLE_RATE
            yield
        self._recorder.discard(sound.path)
        if clips:
            self.taken_over.emit(clips, is_new)


def pieces(path: Path, seconds: float, longest_seconds: float = _PIECE_SECONDS) -> Iterator[Wave]:
    """Yield a recording of `seconds` in equal pieces, each (samples,) at 16 kHz.

    Raises AudioError if the file cannot be read.
    """
    size = math.ceil(seconds * SAMPLE_RATE / max(1, math.ceil(seconds / longest_seconds)))
    waiting: list[Wave] = []
    for block in resampled_blocks(path):
        waiting.append(block)
        while sum(wave.size for wave in waiting) >= size:
            joined = np.concatenate(waiting)
            yield joined[:size]
            waiting = [joined[size:]]
    rest = np.concatenate(waiting) if waiting else np.zeros(0, np.float32)
    if rest.size >= _LEAST_PIECE_SECONDS * SAMPLE_RATE:
        yield rest
