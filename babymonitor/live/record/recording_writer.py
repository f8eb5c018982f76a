"""Writing recordings on a thread of their own, so that a slow disk delays neither listening nor the window."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from babymonitor.core.messages import Code, message
from babymonitor.core.sound.recording import RecordedSound, RecordingFile, free_path
from babymonitor.core.sound.wave import Wave

_LONGEST_END_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class WriteFailed:
    """Writing failed. number: of the growing recording, which ends with what was written, or None."""

    sentence: str
    number: int | None


@dataclass(frozen=True, slots=True)
class TooShort:
    """The recording was too short and was discarded. number: of the growing recording, or None."""

    number: int | None


WriteResult = RecordedSound | WriteFailed | TooShort


@dataclass(frozen=True, slots=True)
class _Begin:
    number: int
    recorded: float


@dataclass(frozen=True, slots=True)
class _Append:
    number: int
    wave: Wave
    is_clipped: bool


@dataclass(frozen=True, slots=True)
class _Finish:
    number: int


@dataclass(frozen=True, slots=True)
class _Keep:
    recorded: float
    wave: Wave
    is_clipped: bool


_Job = _Begin | _Append | _Finish | _Keep


class RecordingWriter:
    """Writes one growing recording at a time, and complete ones meanwhile. Calls return at once; see `results`."""

    def __init__(self, folder: Callable[[], Path], sample_rate: int, room: str = "") -> None:
        """folder: called on the disk thread, as finding or creating it may take as long as writing."""
        self._room = room
        self.results: deque[WriteResult] = deque()
        """Results, which the main thread removes."""
        self._folder = folder
        self._sample_rate = sample_rate
        self._growing: RecordingFile | None = None
        self._number = -1
        self._is_closing = False
        self._busy: frozenset[Path] = frozenset()
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="recordings", daemon=True)
        self._thread.start()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be written and all results were fetched."""
        return self._jobs.unfinished_tasks == 0 and not self.results

    @property
    def is_behind(self) -> bool:
        """Whether something waits to be written; further sound should then wait in the ring."""
        return self._jobs.unfinished_tasks > 0

    @property
    def busy(self) -> frozenset[Path]:
        """The files being written, which nobody else may touch."""
        return self._busy

    def undelivered(self) -> list[Path]:
        """Finished recordings whose results were not fetched yet."""
        return [result.path for result in list(self.results) if isinstance(result, RecordedSound)]

    def begin(self, number: int, recorded: float) -> None:
        """Begin a recording with a unique number. recorded: Unix seconds of its first sample."""
        self._jobs.put(_Begin(number, recorded))

    def append(self, number: int, wave: Wave, is_clipped: bool) -> None:
        """Append samples (samples,) to the growing recording."""
        self._jobs.put(_Append(number, wave, is_clipped))

    def finish(self, number: int) -> None:
        """Finish the growing recording."""
        self._jobs.put(_Finish(number))

    def keep(self, recorded: float, wave: Wave, is_clipped: bool) -> None:
        """Write a complete recording (samples,)."""
        self._jobs.put(_Keep(recorded, wave, is_clipped))

    def close(self) -> bool:
        """Write what waits, then end the thread; returns whether it ended."""
        self._is_closing = True
        self._jobs.put(None)
        self._thread.join(timeout=_LONGEST_END_SECONDS)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._do(job)
            except Exception as error:  # a failure must not prevent the next recording
                self._give_up(job, error)
            self._jobs.task_done()

    def _do(self, job: _Job) -> None:
        match job:
            case _Begin(number, recorded):
                self._growing, self._number = self._open(recorded), number
            case _Append(number, wave, is_clipped):
                if self._growing is not None and number == self._number:
                    self._growing.append(wave, is_clipped)
            case _Finish(number):
                if self._growing is not None and number == self._number:
                    growing, self._growing = self._growing, None
                    self._finish(growing, number)
            case _Keep(recorded, wave, is_clipped):
                file = self._open(recorded)
                try:
                    file.append(wave, is_clipped)
                finally:
                    self._finish(file, None)

    def _open(self, recorded: float) -> RecordingFile:
        path = free_path(self._folder(), recorded)
        # Before the file exists, as the main thread may be looking for abandoned files.
        self._busy |= {path}
        return RecordingFile(path, recorded, self._sample_rate, self._room)

    def _finish(self, file: RecordingFile, number: int | None) -> None:
        try:
            self.results.append(file.finish(as_flac=not self._is_closing) or TooShort(number))
        finally:
            self._busy -= {file.path}

    def _give_up(self, job: _Job, error: Exception) -> None:
        """Report the failure, and finish the growing recording with what was written."""
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        sentence = message(Code.RECORDING_NOT_WRITTEN, reason=reason)
        if isinstance(job, _Keep):
            self.results.append(WriteFailed(sentence, None))
            return
        self.results.append(WriteFailed(sentence, job.number))
        growing, self._growing = self._growing, None
        if growing is not None:
            # If this fails too, the next start repairs the file.
            with contextlib.suppress(Exception):
                self._finish(growing, job.number)
