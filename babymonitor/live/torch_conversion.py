"""Model files as they come: an `.onnx` is used as it is, a `.pt` becomes one first, once.

Only torch can read a `.pt`, and this process never loads torch: the trainer converts it, in a process of its own, which
reads numbers and text from it and runs nothing (`weights_only`). What it makes is kept under the `.pt`'s name and
content, and is opened and checked like every model file.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from babymonitor.core import paths
from babymonitor.core.messages import Code, Message, message
from babymonitor.core.model.classifier import ModelError

_log = logging.getLogger("babymonitor")

_LARGE_BYTES = 64 * 2**20
"""A network of more numbers than this keeps a core busy by itself, and is converted to 8 bits."""
_LONGEST_SECONDS = 1800.0
_REFUSED_STATUS = 2
_BELOW_NORMAL = 10


def is_torch(path: Path | str) -> bool:
    """Whether a file is to be converted before it can be used."""
    return Path(path).suffix.lower() == ".pt"


def usable(path: Path, say: Callable[[str], None]) -> Path:
    """The model file to open for a file that was asked for: itself, or what a `.pt` was or now is converted to.

    say: told in a sentence when it will take a while. ModelError in one sentence when it cannot be converted.
    """
    if not is_torch(path):
        return path
    made = conversion_of(path)
    if not made.is_file():
        say(message(Code.CONVERSION_IS_DONE_ONCE, name=path.name))
        Converter().convert(path, made)
    return made


def newest() -> Path | None:
    """The newest `.pt` in the person's models folder, if there is one."""
    found: list[tuple[float, Path]] = []
    for path in paths.models_folder().iterdir():
        with contextlib.suppress(OSError):
            if is_torch(path) and path.is_file():
                found.append((path.stat().st_mtime, path))
    return max(found)[1] if found else None


def conversion_of(path: Path) -> Path:
    """Where the conversion of a `.pt` lies, or will: named after its content. ModelError if it cannot be read."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return paths.converted_models_folder() / f"{path.stem}-{digest[:16]}.onnx"
    except OSError as error:
        raise _unusable(path, message(Code.MODEL_UNREADABLE, reason=str(error.strerror))) from error


def _unusable(path: Path, reason: Message) -> ModelError:
    return ModelError(Code.MODEL_UNUSABLE, name=path.name, reason=reason)


class Converter:
    """Runs the trainer to convert one `.pt` after the other. `stop` may be called from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    def convert(self, path: Path, made: Path) -> None:
        """Convert `path` to `made` and wait for it; ModelError in one sentence when that fails or is stopped."""
        try:
            status, complaint = self._run(path, made)
        except subprocess.TimeoutExpired as error:
            raise _unusable(path, message(Code.CONVERSION_TOO_LONG)) from error
        except OSError as error:
            raise _unusable(path, message(Code.CONVERSION_WITHOUT_TRAINER, reason=str(error))) from error
        if status == 0 and made.is_file():
            self._forget_earlier(path, made)
            return
        # What the trainer refuses it says in a sentence; anything else is a fault of ours, and in the log. In the
        # terminal, which has no log, a warning is printed: the sentence is not to be read there twice.
        refused = status == _REFUSED_STATUS
        level = logging.INFO if refused else logging.WARNING
        _log.log(level, "conversion of %s ended with %s: %s", path, status, complaint.strip()[-2000:])
        lines = complaint.strip().splitlines()
        if refused and lines:
            raise ModelError(Code.CONVERSION_REFUSED, name=path.name, reason=lines[-1])
        raise _unusable(path, message(Code.CONVERSION_FAILED))

    def stop(self) -> None:
        """End the conversion that runs, and let none begin."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def _run(self, path: Path, made: Path) -> tuple[int, str]:
        program, environment = paths.program()
        command = [*program, "trainer", "export", str(path.resolve()), "--format", "onnx", "--output", str(made)]
        if path.stat().st_size > _LARGE_BYTES:
            command.append("--int8")
        # One thread, and behind everything else: the monitor is listening meanwhile.
        environment["OMP_NUM_THREADS"] = "1"
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
        with self._lock:
            if self._stopped:
                raise OSError("the program ends")
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                creationflags=flags,
            )
        if hasattr(os, "setpriority"):
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, _BELOW_NORMAL)
        try:
            complaint = self._process.communicate(timeout=_LONGEST_SECONDS)[1]
        finally:
            with self._lock:
                process, self._process = self._process, None
                if process.poll() is None:
                    process.kill()
                    process.wait()
        return process.returncode, complaint

    @staticmethod
    def _forget_earlier(path: Path, made: Path) -> None:
        """Conversions of what the `.pt` of this name held before: nobody asks for them again."""
        digits = len(made.stem) - len(path.stem)
        for other in made.parent.glob("*.onnx"):
            same_name = other.stem[:-digits] == path.stem
            if other != made and same_name:
                with contextlib.suppress(OSError):
                    other.unlink()
