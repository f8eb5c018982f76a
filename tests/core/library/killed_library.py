"""Does something with a library and is killed by it: run by `test_library_crashes.py`, once for each step.

    python killed_library.py HOME ACTION

HOME holds `start/library`; for each step n of the action a copy `n/` is made and a child is killed (SIGKILL) just
before its n-th step: a file that is opened to be written, moved, removed or dated, a folder made or removed, rows kept.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from babymonitor.core.library.database import LibraryDatabase
from babymonitor.core.library.library import Library
from babymonitor.core.library.transfer import export_folder, import_folder

_STEPS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.utime"}


def act(library: Library, action: str, home: Path) -> None:
    ids = sorted(clip.id for clip in library.clips())
    if action == "add":
        library.add(np.linspace(-0.5, 0.5, 8000, dtype=np.float32), "tired", group="night-new")
    elif action == "change":
        library.change(ids, label="teething", note="changed", baby="Emil")
    elif action == "delete":
        library.delete(ids)
    elif action == "undelete":
        library.undelete([clip.id for clip in library.trashed()])
    elif action == "trim":
        library.trim(ids[0], 0.1, 0.4)
    elif action == "import":
        list(import_folder(library, home / "elsewhere"))
    elif action == "purge":
        library.purge(1e12)
    elif action == "export":
        export_folder(library, home / "out")


def killed_at(step: int) -> None:
    """Be killed before this step."""
    taken = 0

    def take() -> None:
        nonlocal taken
        if taken == step:
            os.kill(os.getpid(), signal.SIGKILL)
        taken += 1

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STEPS or (event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wxa+")):
            take()

    def counted(method: Callable[..., None]) -> Callable[..., None]:
        def keep(*arguments: Any, **named: Any) -> None:
            take()
            method(*arguments, **named)
            take()

        return keep

    for name in ("put", "remove"):
        setattr(LibraryDatabase, name, counted(getattr(LibraryDatabase, name)))
    sys.addaudithook(hook)


def main(home: Path, action: str) -> None:
    for step in count():
        place = home / str(step)
        shutil.copytree(home / "start", place)
        child = os.fork()
        if child == 0:
            library = Library(place / "library")
            killed_at(step)
            act(library, action, place)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            print(step, os.waitstatus_to_exitcode(status), flush=True)
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
