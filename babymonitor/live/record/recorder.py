"""Recording what the monitor hears while it goes on listening, from the same ring."""

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
    """Keeps sound of the monitor's ring as recordings of any length. Lives on the main thread, like the ring's writer.

    New sound goes to a disk thread about once a second, so that at most two seconds are lost if the program is killed.
    A recording ends at a gap in the sound; it is kept, and `complained` says so.
    """

    state_changed = Signal()
    """A recording began or ended."""
    level_changed = Signal(float, bool)
    """Level in dB, and whether the sound was clipped within the last second; 30 times a second while sound arrives and
    it is recording or `watching_level`."""
    finished = Signal(object)
    """core.sound.recording.RecordedSound, which is on disk."""
    complained = Signal(object)
    """A sentence (`Message`) for the person."""

    def __init__(
        self, ring: RingBuffer, listen: Callable[[], str], parent: QObject | None = None, room: str = ""
    ) -> None:
        """listen: starts listening if necessary; returns a sentence on why nothing can be heard, or "".

        room: the name of the ring's room, which its recordings carry.
        """
        super().__init__(parent)
        self._room = room
        self._ring = ring
        self._listen = listen
        self._writer: RecordingWriter | None = None
        self.recorded = 0.0
        """Unix seconds of the first sample of the current or last recording, which identify its `RecordedSound`."""
        self._start: int | None = None
        self._number = 0
        self._empty = -1
        self._flushed = 0
        self._seen = ring.written
        self._watching_level = False
        self._last_sound: tuple[int, float] | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_tick)

    @property
    def is_recording(self) -> bool:
        return self._start is not None

    @property
    def seconds(self) -> float:
        """The length of the current recording; 0 if there is none."""
        return 0.0 if self._start is None else (self._ring.written - self._start) / self._ring.sample_rate

    @property
    def watching_level(self) -> bool:
        """Whether `level_changed` is emitted without a recording too, for a meter before it begins."""
        return self._watching_level

    @watching_level.setter
    def watching_level(self, wanted: bool) -> None:
        self._watching_level = wanted
        self._run_timer()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being recorded or written and all results were reported."""
        return not self.is_recording and (self._writer is None or self._writer.is_idle)

    # Requests of the person

    def start(self, pre_roll_seconds: float = 2.0) -> bool:
        """Begin a recording that includes the last `pre_roll_seconds`, as far as available; returns whether it began.

        Starts listening if necessary. False if nothing can be heard; `complained` then says why.
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
        self._run_timer()
        self.state_changed.emit()
        return True

    def stop(self) -> None:
        """End the recording; `finished` follows when it is on disk."""
        self._look_for_gap()
        self._end(self._ring.written)

    def take_last(self, seconds: float = 30.0) -> None:
        """Keep the last seconds as a recording, or as much as there is since the last gap."""
        ring = self._ring
        start = max(ring.cut_at, ring.oldest, ring.written - int(seconds * ring.sample_rate))
        if ring.written - start < SHORTEST_SECONDS * ring.sample_rate:
            self.complained.emit(message(Code.RECORDING_NOTHING_HEARD))
            return
        self._disk().keep(self._wall(start), *self._sound(start, ring.written))
        self._run_timer()

    def unfinished(self) -> list[RecordedSound]:
        """The recordings that are not in the library yet, oldest first; those cut off by a crash are repaired.

        Call `discard` once a recording was taken over or is unwanted.
        """
        with contextlib.suppress(OSError):
            return recordings(paths.recordings_folder(), self._busy)
        return []

    def _busy(self) -> set[Path]:
        return set() if self._writer is None else {*self._writer.busy, *self._writer.undelivered()}

    def discard(self, path: Path) -> None:
        """Delete a recording that is in the library now, or unwanted."""
        with contextlib.suppress(OSError):
            if path.parent == paths.recordings_folder():
                path.unlink(missing_ok=True)

    # Events of the monitor

    def interrupt(self, reason: str) -> None:
        """End and keep the current recording, because no more sound arrives. reason: a sentence."""
        if self._last_sound is None or self._last_sound[0] != self._ring.written:
            self._last_sound = self._ring.written, time.time()
        self._look_for_gap()
        self._end_early(self._ring.written, reason)

    def close(self) -> None:
        """End everything; the current recording is kept and offered at the next start."""
        self._look_for_gap()
        self._end(self._ring.written)
        self._timer.stop()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    # Inside

    @Slot()
    def _on_tick(self) -> None:
        self._look_for_gap()
        self._flush(_FLUSH_SECONDS)
        self._report_level()
        self._report_results()
        self._run_timer()

    def _look_for_gap(self) -> None:
        cut_at = self._ring.cut_at
        if self._start is not None and cut_at > self._start:
            self._end_early(cut_at, message(Code.RECORDING_INTERRUPTED))
        elif self._start is not None and self._flushed < self._ring.oldest:
            self._end_early(self._flushed, message(Code.RECORDING_DISK_TOO_SLOW))
        elif self.seconds >= _LONGEST_SECONDS:
            self._end_early(self._ring.written, message(Code.RECORDING_AT_ITS_LONGEST))

    def _flush(self, least_seconds: float) -> None:
        """Pass new sound to the disk thread; while the disk is slow it waits in the ring, which holds minutes."""
        ready = self._ring.written - self._flushed
        if self._start is None or ready < least_seconds * self._ring.sample_rate or self._disk().is_behind:
            return
        self._disk().append(self._number, *self._sound(self._flushed, self._ring.written))
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
        """End the recording at this sample, passing on the rest of its sound."""
        if self._start is None:
            return
        self._start = None
        if self._flushed < stop:
            self._disk().append(self._number, *self._sound(self._flushed, stop))
        self._disk().finish(self._number)
        self._run_timer()
        self.state_changed.emit()

    def _sound(self, start: int, stop: int) -> tuple[Wave, bool]:
        """The samples [start, stop), and whether they are clipped."""
        return self._ring.read(start, stop), self._ring.is_clipped(start, stop)

    def _report_level(self) -> None:
        ring = self._ring
        if ring.written == self._seen or not (self.is_recording or self._watching_level):
            return
        rate = ring.sample_rate
        self._seen = ring.written
        clips = ring.is_clipped(ring.written - int(_CLIPPING_SHOWN_SECONDS * rate), ring.written)
        latest = ring.read(max(ring.cut_at, ring.oldest, ring.written - int(_LEVEL_SECONDS * rate)), ring.written)
        self.level_changed.emit(level_db(latest), clips)

    def _report_results(self) -> None:
        while self._writer is not None and self._writer.results:
            match self._writer.results.popleft():
                case WriteFailed(sentence, number):
                    if number == self._number and self.is_recording:
                        self._start = None
                        self.state_changed.emit()
                    self.complained.emit(sentence)
                case TooShort(number):
                    if number is not None and number == self._empty:
                        continue  # already reported, with the reason
                    self.complained.emit(message(Code.RECORDING_TOO_SHORT))
                case sound:
                    self.finished.emit(sound)

    def _disk(self) -> RecordingWriter:
        """The disk thread, started when it is first needed."""
        if self._writer is None:
            self._writer = RecordingWriter(paths.recordings_folder, self._ring.sample_rate, self._room)
        return self._writer

    def _run_timer(self) -> None:
        """Run the timer only while there is something to do."""
        if self.is_recording or self._watching_level or not self.is_idle:
            if not self._timer.isActive():
                self._seen = self._ring.written
                self._timer.start()
        else:
            self._timer.stop()

    def _wall(self, sample: int) -> float:
        """Unix seconds of a sample in the ring."""
        written, now = self._ring.written, time.time()
        if self._last_sound is not None and self._last_sound[0] == written:
            now = self._last_sound[1]  # no sound has arrived since
        return now - (written - sample) / self._ring.sample_rate
