"""Keeping the computer awake while it listens."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys

_WINDOWS_CONTINUOUS, _WINDOWS_SYSTEM_REQUIRED = 0x80000000, 0x00000001


class KeepAwake:
    """Asks the system not to sleep between `hold` and `release`; does nothing where that is not possible.

    Linux: systemd-inhibit; macOS: caffeinate; Windows: SetThreadExecutionState. The commands end when this process
    does, even if it is killed.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def hold(self) -> None:
        if sys.platform == "win32":
            ctypes.windll.kernel32.SetThreadExecutionState(_WINDOWS_CONTINUOUS | _WINDOWS_SYSTEM_REQUIRED)
            return
        command = self._command()
        if self._process is None and command and shutil.which(command[0]):
            with contextlib.suppress(OSError):
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
                )

    @property
    def is_held(self) -> bool:
        """Whether the system was asked and has not refused."""
        return sys.platform == "win32" or (self._process is not None and self._process.poll() is None)

    def release(self) -> None:
        if sys.platform == "win32":
            ctypes.windll.kernel32.SetThreadExecutionState(_WINDOWS_CONTINUOUS)
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=2.0)

    @staticmethod
    def _command() -> list[str]:
        pid = str(os.getpid())
        if sys.platform == "darwin":
            return ["caffeinate", "-i", "-w", pid]
        options = ["--what=idle:sleep", "--who=Baby Monitor", "--why=Listening to a child"]
        return ["systemd-inhibit", *options, "tail", f"--pid={pid}", "-f", "/dev/null"]
