"""Opening the window when the person logs in: an entry in the place where each system looks for such things.

The entry is the person's own, made when they ask and removed when they ask; an uninstalled program's is ignored on
Linux, and harmless elsewhere.
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
    """The file that makes the system start the program."""
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
    """Have the window opened at every login. OSError if the entry cannot be written."""
    command, environment = paths.program()
    # From source the program is found by this; an installed one needs nothing.
    found = environment.get("PYTHONPATH", "") if len(command) > 1 else ""
    entry().parent.mkdir(parents=True, exist_ok=True)
    write_whole(entry(), _text(command, found))


def turn_off() -> None:
    """Have it opened no more. OSError if the entry cannot be removed."""
    entry().unlink(missing_ok=True)


def _text(command: list[str], found: str) -> bytes:
    if sys.platform == "darwin":
        agent = {"Label": _NAME, "ProgramArguments": command, "RunAtLoad": True, "ProcessType": "Interactive"}
        return plistlib.dumps({**agent, "EnvironmentVariables": {"PYTHONPATH": found}} if found else agent)
    if sys.platform == "win32":
        lines = ["@echo off", *([f'set "PYTHONPATH={found}"'] if found else [])]
        return "\r\n".join([*lines, f'start "" {subprocess.list2cmdline(command)}', ""]).encode()
    words = [*(["env", f"PYTHONPATH={found}"] if found else []), *command]
    # A desktop entry doubles the percent sign, and quotes as a shell does.
    line = " ".join(shlex.quote(word).replace("%", "%%") for word in words)
    return (
        "[Desktop Entry]\nType=Application\nName=Baby Monitor\nIcon=local.babymonitor\n"
        f"Exec={line}\nTryExec={command[0]}\nTerminal=false\n"
    ).encode()
