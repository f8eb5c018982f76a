"""Converting model files: an `.onnx` is used as it is, a `.pt` is converted once.

Only torch can read a `.pt`, and this process never loads torch: the trainer converts it in a process of its own, which
reads numbers and text only and executes nothing (`weights_only`). The conversion is stored under the `.pt`'s name and
content hash, and is opened and checked like every model file.
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
"""A `.pt` larger than this would keep a core busy, and is converted to 8 bits."""
_LONGEST_SECONDS = 1800.0
_REFUSED_STATUS = 2
_BELOW_NORMAL = 10


def is_torch(path: Path | str) -> bool:
    """Whether a file has to be converted before it can be used."""
    return Path(path).suffix.lower() == ".pt"


def usable(path: Path, say: Callable[[str], None]) -> Path:
    """The model file to open for a file: itself, or the conversion of a `.pt`, which is made now if necessary.

    say: called with a sentence before a conversion, which takes a while. Raises ModelError if it fails.
    """
    if not is_torch(path):
        return path
    target = conversion_of(path)
    if not target.is_file():
        say(message(Code.CONVERSION_IS_DONE_ONCE, name=path.name))
        Converter().convert(path, target)
    return target


def newest() -> Path | None:
    """The newest `.pt` in the person's models folder, or None."""
    dated: list[tuple[float, Path]] = []
    for path in paths.models_folder().iterdir():
        with contextlib.suppress(OSError):
            if is_torch(path) and path.is_file():
                dated.append((path.stat().st_mtime, path))
    return max(dated)[1] if dated else None


def conversion_of(path: Path) -> Path:
    """The path of a `.pt`'s conversion, existing or not, named by its content. Raises ModelError if unreadable."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return paths.converted_models_folder() / f"{path.stem}-{digest[:16]}.onnx"
    except OSError as error:
        raise _unusable(path, message(Code.MODEL_UNREADABLE, reason=str(error.strerror))) from error


def _unusable(path: Path, reason: Message) -> ModelError:
    return ModelError(Code.MODEL_UNUSABLE, name=path.name, reason=reason)


class Converter:
    """Runs the trainer to convert `.pt` files, one after the other. `stop` may be called from another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._stopped = False

    def convert(self, path: Path, target: Path) -> None:
        """Convert `path` to `target` and wait. Raises ModelError if that fails or is stopped."""
        try:
            status, complaint = self._run(path, target)
        except subprocess.TimeoutExpired as error:
            raise _unusable(path, message(Code.CONVERSION_TOO_LONG)) from error
        except OSError as error:
            raise _unusable(path, message(Code.CONVERSION_WITHOUT_TRAINER, reason=str(error))) from error
        if status == 0 and target.is_file():
            self._delete_earlier(path, target)
            return
        # The trainer explains a refusal in a sentence; anything else is a fault of ours and a warning in the log. The
        # terminal has no log and prints warnings, where the sentence must not appear twice.
        refused = status == _REFUSED_STATUS
        level = logging.INFO if refused else logging.WARNING
        _log.log(level, "conversion of %s ended with %s: %s", path, status, complaint.strip()[-2000:])
        lines = complaint.strip().splitlines()
        if refused and lines:
            raise ModelError(Code.CONVERSION_REFUSED, name=path.name, reason=lines[-1])
        raise _unusable(path, message(Code.CONVERSION_FAILED))

    def stop(self) -> None:
        """Stop the current conversion and prevent further ones."""
        with self._lock:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def _run(self, path: Path, target: Path) -> tuple[int, str]:
        program, environment = paths.program()
        command = [*program, "trainer", "export", str(path.resolve()), "--format", "onnx", "--output", str(target)]
        if path.stat().st_size > _LARGE_BYTES:
            command.append("--int8")
        # One thread at low priority, because the monitor is listening meanwhile.
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
    def _delete_earlier(path: Path, target: Path) -> None:
        """Delete conversions of earlier contents of the same `.pt`."""
        digits = len(target.stem) - len(path.stem)
        for conversion in target.parent.glob("*.onnx"):
            has_same_name = conversion.stem[:-digits] == path.stem
            if conversion != target and has_same_name:
                with contextlib.suppress(OSError):
                    conversion.unlink()
