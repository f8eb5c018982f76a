"""Writing the sound of alerts to disk on a thread of its own, so that a slow disk does not delay an alarm."""

from __future__ import annotations

import queue
import threading
from collections import deque
from pathlib import Path
from typing import NamedTuple

from babymonitor.core.messages import Code, message
from babymonitor.core.sound.wave import Wave
from babymonitor.core.whole_file import whole_file


class ClipKey(NamedTuple):
    """Whose sound a clip is: the kind of row in the history, its id, and the room."""

    kind: str
    row: int
    room: str = ""


class ClipWriter:
    """Writes waves as FLAC files. `save` returns at once.

    results: of each finished job (key, name, sentence), where the sentence is "" if it succeeded.
    """

    def __init__(self, folder: Path, sample_rate: int) -> None:
        self.folder = folder
        self.results: deque[tuple[ClipKey, str, str]] = deque()
        self._sample_rate = sample_rate
        self._jobs: queue.Queue[tuple[ClipKey, str, Wave | None] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="disk", daemon=True)
        self._thread.start()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be written and all results were fetched."""
        return self._jobs.unfinished_tasks == 0 and not self.results

    def save(self, key: ClipKey, name: str, wave: Wave) -> None:
        """Write (samples,) to `name`, a path relative to the folder that ends in .flac."""
        self._jobs.put((key, name, wave))

    def take_results(self, room: str) -> list[tuple[ClipKey, str, str]]:
        """Remove and return the results of a room, oldest first."""
        results = [result for result in list(self.results) if result[0].room == room]
        for result in results:
            self.results.remove(result)
        return results

    def remove(self, name: str) -> None:
        """Delete a clip, also one that still waits to be written. It has no result."""
        self._jobs.put((ClipKey("", 0), name, None))

    def close(self) -> None:
        """Write what waits, then end the thread."""
        self._jobs.put(None)
        self._thread.join(timeout=30.0)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            key, name, wave = job
            try:
                if wave is None:
                    (self.folder / name).unlink(missing_ok=True)
                    continue
                self._write(self.folder / name, wave)
                self.results.append((key, name, ""))
            except Exception as error:  # a failure must not prevent the next clip
                if wave is not None:
                    sentence = message(Code.ALERT_SOUND_NOT_KEPT, reason=str(error))
                    self.results.append((key, name, sentence))
            finally:
                self._jobs.task_done()

    def _write(self, path: Path, wave: Wave) -> None:
        import soundfile

        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, flush_to_disk=False) as temporary:
            soundfile.write(str(temporary), wave.clip(-1.0, 1.0), self._sample_rate, format="FLAC", subtype="PCM_16")
