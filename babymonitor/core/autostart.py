"""Opening the window at login, by an entry where each operating system looks for one.

The entry belongs to the person's account and is created and removed at their request. After uninstalling the program it
is ignored on Linux and harmless elsewhere.
"""

from __future__ import annotations

import os
import plistlib
import shlex
import subprocess
import sys
from pathlib import Path

from babymonitor.core import paths
from babymonitor.core.whole_file import write_whole

_NAME = "local.babymonitor"


def entry() -> Path:
    """The file that makes the system start the program at login."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "LaunchAgents" / f"{_NAME}.plist"
    if sys.platform == "win32":
        roaming = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
        return roaming / "Microsoft" / "Windows" / "Start Menu" / "Programs" / "Startup" / "Baby Monitor.cmd"
    configuration = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return configuration / "autostart" / f"{_NAME}.desktop"


def is_on() -> bool:
    return entry().is_file()


def turn_on() -> None:
    """Open the window at every login. Raises OSError if the entry cannot be written."""
    command, environment = paths.program()
    # From source the package is found by PYTHONPATH; an installed program does not need it.
    python_path = environment.get("PYTHONPATH", "") if len(command) > 1 else ""
    entry().parent.mkdir(parents=True, exist_ok=True)
    write_whole(entry(), _text(command, python_path))


def turn_off() -> None:
    """Stop opening it. Raises OSError if the entry cannot be removed."""
    entry().unlink(missing_ok=True)


def _text(command: list[str], python_path: str) -> bytes:
    if sys.platform == "darwin":
        agent = {"Label": _NAME, "ProgramArguments": command, "RunAtLoad": True, "ProcessType": "Interactive"}
        return plistlib.dumps({**agent, "EnvironmentVariables": {"PYTHONPATH": python_path}} if python_path else agent)
    if sys.platform == "win32":
        lines = ["@echo off", *([f'set "PYTHONPATH={python_path}"'] if python_path else [])]
        return "\r\n".join([*lines, f'start "" {subprocess.list2cmdline(command)}', ""]).encode()
    words = [*(["env", f"PYTHONPATH={python_path}"] if python_path else []), *command]
    # A desktop entry doubles the percent sign, and quotes as a shell does.
    line = " ".join(shlex.quote(word).replace("%", "%%") for word in words)
    return (
        "[Desktop Entry]\nType=Application\nName=Baby Monitor\nIcon=local.babymonitor\n"
        f"Exec={line}\nTryExec={command[0]}\nTerminal=false\n"
    ).encode()
