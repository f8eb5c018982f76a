"""Recording what the monitor hears while it goes on listening: one capture, and its ring serves both."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from babymonitor.core import paths
from babymonitor.core.messages import Code, message
from babymonitor.core.sound.levels import level_db
from babymonitor.core.sound.recording import SHORTEST_SECONDS, RecordedSound, recordings
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.sound.wave import Wave
from babymonitor.live.record.recording_writer import RecordingWriter, TooShort, WriteFailed

__all__ = ["RecordedSound", "Recorder"]

_TICK_MS = 33
_FLUSH_SECONDS = 1.0
_LEVEL_SECONDS = 0.1
_CLIPPING_SHOWN_SECONDS = 1.0
_LONGEST_SECONDS = 36 * 3600.0
"""A WAV holds 37 hours."""


class Recorder(QObject):
    """Keeps sound of the monitor's ring as recordings of any length. Lives on the main thread, as the ring's writer.

    About every second what came is handed to a disk thread, so that a program that is killed loses two seconds at most.
    A recording never crosses a gap in the sound: it is ended there and kept, and that is said.
    """

    state_changed = Signal()
    """A recording began or ended."""
    level_changed = Signal(float, bool)
    """Level in dB, and whether the sound was too loud for the microphone within the last second; 30 times a second
    while recording, or while `watching_level`, and sound comes."""
    finished = Signal(object)
    """core.recording.RecordedSound: it lies on disk."""
    complained = Signal(object)
    """A sentence (`Message`) for the person."""

    def __init__(self, ring: RingBuffer, listen: Callable[[], str], parent: QObject | None = None) -> None:
        """listen: begins to listen where nobody does yet; a sentence on why nothing can be heard, or an empty text."""
        super().__init__(parent)
        self._ring = ring
        self._listen = listen
        self._writer: RecordingWriter | None = None
        self.recorded = 0.0
        """Unix seconds of the first sample of the recording that lasts, or of the last one: by it the
        `RecordedSound` that comes of it is known."""
        self._start: int | None = None
        self._number = 0
        self._empty = -1
        self._flushed = 0
        self._seen = ring.written
        self._watching_level = False
        self._heard_last: tuple[int, float] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_tick)

    @property
    def is_recording(self) -> bool:
        return self._start is not None

    @property
    def seconds(self) -> float:
        """How long the recording that lasts is; 0 where none does."""
        return 0.0 if self._start is None else (self._ring.written - self._start) / self._ring.sample_rate

    @property
    def watching_level(self) -> bool:
        """Whether `level_changed` is wanted without a recording, too: for a meter to look at before it begins."""
        return self._watching_level

    @watching_level.setter
    def watching_level(self, wanted: bool) -> None:
        self._watching_level = wanted
        self._keep_time()

    @property
    def is_idle(self) -> bool:
        """Nothing is being recorded or written, and everything has been told."""
        return not self.is_recording and (self._writer is None or self._writer.is_idle)

    # What the person asks for

    def start(self, pre_roll_seconds: float = 2.0) -> bool:
        """Begin a recording with the last seconds before now, as far as they were heard; whether it began.

        Where the monitor does not listen, it is made to. False where nothing can be heard, and that is said.
        """
        if self.is_recording:
            return True
        reason = self._listen()
        if reason:
            self.complained.emit(message(Code.RECORDING_IMPOSSIBLE, reason=reason))
            return False
        ring = self._ring
        start = max(ring.cut_at, ring.oldest, ring.written - int(pre_roll_seconds * ring.sample_rate))
        self._start = self._flushed = start
        self._number += 1
        self.recorded = self._wall(start)
        self._disk().begin(self._number, self.recorded)
        self._keep_time()
        self.state_changed.emit()
        return True

    def stop(self) -> None:
        """End the recording here; `finished` follows when it lies on disk."""
        self._look_for_gap()
        self._end(self._ring.written)

    def take_last(self, seconds: float = 30.0) -> None:
        """Keep the last seconds as a recording, even after the fact; less where there is less since the last gap."""
        ring = self._ring
        start = max(ring.cut_at, ring.oldest, ring.written - int(seconds * ring.sample_rate))
        if ring.written - start < SHORTEST_SECONDS * ring.sample_rate:
            self.complained.emit(message(Code.RECORDING_NOTHING_HEARD))
            return
        self._disk().keep(self._wall(start), *self._taken(start, ring.written))
        self._keep_time()

    def unfinished(self) -> list[RecordedSound]:
        """What lies in the recordings folder, the oldest first: nobody has taken it into the library yet.

        One that was cut off, by a crash or a kill, is repaired. Whoever takes one over, or wants it gone, says so with
        `discard`.
        """
        with contextlib.suppress(OSError):
            return recordings(paths.recordings_folder(), self._busy)
        return []

    def _busy(self) -> set[Path]:
        return set() if self._writer is None else {*self._writer.busy, *self._writer.undelivered()}

    def discard(self, path: Path) -> None:
        """Delete a recording: it is in the library now, or unwanted."""
        with contextlib.suppress(OSError):
            if path.parent == paths.recordings_folder():
                path.unlink(missing_ok=True)

    # What the monitor tells

    def interrupt(self, reason: str) -> None:
        """No more sound comes, for this reason (a sentence): what is being recorded ends here and is kept."""
        if self._heard_last is None or self._heard_last[0] != self._ring.written:
            self._heard_last = self._ring.written, time.time()
        self._look_for_gap()
        self._end_early(self._ring.written, reason)

    def close(self) -> None:
        """End everything; what was being recorded is kept, and offered at the next start."""
        self._look_for_gap()
        self._end(self._ring.written)
        self._timer.stop()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    # What happens

    @Slot()
    def _on_tick(self) -> None:
        self._look_for_gap()
        self._flush(_FLUSH_SECONDS)
        self._tell_level()
        self._tell_results()
        self._keep_time()

    def _look_for_gap(self) -> None:
        cut_at = self._ring.cut_at
        if self._start is not None and cut_at > self._start:
            self._end_early(cut_at, message(Code.RECORDING_INTERRUPTED))
        elif self._start is not None and self._flushed < self._ring.oldest:
            self._end_early(self._flushed, message(Code.RECORDING_DISK_TOO_SLOW))
        elif self.seconds >= _LONGEST_SECONDS:
            self._end_early(self._ring.written, message(Code.RECORDING_AT_ITS_LONGEST))

    def _flush(self, least_seconds: float) -> None:
        """Hand on what came since the last time; while the disk is slow it waits in the ring, which holds minutes."""
        ready = self._ring.written - self._flushed
        if self._start is None or ready < least_seconds * self._ring.sample_rate or self._disk().is_behind:
            return
        self._disk().append(self._number, *self._taken(self._flushed, self._ring.written))
        self._flushed = self._ring.written

    def _end_early(self, stop: int, reason: str) -> None:
        if self._start is None:
            return
        code = Code.RECORDING_ENDED_EARLY
        if stop - self._start < SHORTEST_SECONDS * self._ring.sample_rate:
            code = Code.RECORDING_EMPTY
            self._empty = self._number
        self._end(stop)
        self.complained.emit(message(code, reason=reason))

    def _end(self, stop: int) -> None:
        """End the recording at this sample, and hand on what is not on its way to the disk yet."""
        if self._start is None:
            return
        self._start = None
        if self._flushed < stop:
            self._disk().append(self._number, *self._taken(self._flushed, stop))
        self._disk().finish(self._number)
        self._keep_time()
        self.state_changed.emit()

    def _taken(self, start: int, stop: int) -> tuple[Wave, bool]:
        """The samples [start, stop), and whether they were too loud for the microphone."""
        return self._ring.read(start, stop), self._ring.is_clipped(start, stop)

    def _tell_level(self) -> None:
        ring = self._ring
        if ring.written == self._seen or not (self.is_recording or self._watching_level):
            return
        rate = ring.sample_rate
        self._seen = ring.written
        clips = ring.is_clipped(ring.written - int(_CLIPPING_SHOWN_SECONDS * rate), ring.written)
        latest = ring.read(max(ring.cut_at, ring.oldest, ring.written - int(_LEVEL_SECONDS * rate)), ring.written)
        self.level_changed.emit(level_db(latest), clips)

    def _tell_results(self) -> None:
        while self._writer is not None and self._writer.results:
            match self._writer.results.popleft():
                case WriteFailed(sentence, number):
                    if number == self._number and self.is_recording:
                        self._start = None
                        self.state_changed.emit()
                    self.complained.emit(sentence)
                case TooShort(number):
                    if number is not None and number == self._empty:
                        continue  # which has been said, and why
                    self.complained.emit(message(Code.RECORDING_TOO_SHORT))
                case sound:
                    self.finished.emit(sound)

    def _disk(self) -> RecordingWriter:
        """The disk thread, from when it is first needed."""
        if self._writer is None:
            self._writer = RecordingWriter(paths.recordings_folder, self._ring.sample_rate)
        return self._writer

    def _keep_time(self) -> None:
        """Tick while there is something to do, and only then."""
        if self.is_recording or self._watching_level or not self.is_idle:
            if not self._timer.isActive():
                self._seen = self._ring.written
                self._timer.start()
        else:
            self._timer.stop()

    def _wall(self, sample: int) -> float:
        """Unix seconds of a sample in the ring."""
        at, now = self._ring.written, time.time()
        if self._heard_last is not None and self._heard_last[0] == at:
            now = self._heard_last[1]  # no sound has come since
        return now - (at - sample) / self._ring.sample_rate
