"""The training pack: what full training needs beside an installed program (PyTorch …), in a folder of its own.

A package carries no PyTorch: it is larger than all the rest, and whoever teaches the model their own baby does not need
it. `babymonitor training-pack install` (terminal/training_pack.py) puts it into the person's data folder, and the
trainer finds it there. From source nothing of this is needed: `run.py trainer` installs into the environment.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

from babymonitor.core import paths
from babymonitor.core.messages import Code, Message, message

HOW = "babymonitor training-pack install"
ABOUT_MB_FETCHED, ABOUT_MB_KEPT = 300, 1200
_STAMP = "installed.json"


def pins() -> Path:
    """The list of packages with their versions, in a package; from source there is none."""
    return paths.resource("training-pack.txt")


def is_offered() -> bool:
    """Whether this is an installed program, which may have a training pack."""
    return pins().is_file()


def folder() -> Path:
    """Where the pack is, or would be."""
    return paths.data_folder() / "training-pack"


def is_installed() -> bool:
    """Whether the pack that this version of the program asks for is there, whole."""
    try:
        return bool(json.loads((folder() / _STAMP).read_text(encoding="utf-8")) == _wanted())
    except (OSError, ValueError):
        return False


def seal(part: Path) -> None:
    """Say in a folder that the pack in it is whole, and put it in the place of the one before."""
    (part / _STAMP).write_text(json.dumps(_wanted()), encoding="utf-8")
    remove()
    part.replace(folder())


def remove() -> None:
    """Remove the pack; nothing of the person's is in it."""
    # By another name first: a removal that is interrupted is not to leave half a pack that says it is whole.
    leaving = folder().with_suffix(".leaving")
    shutil.rmtree(leaving, ignore_errors=True)
    if folder().exists():
        folder().replace(leaving)
        shutil.rmtree(leaving, ignore_errors=True)


def activate() -> None:
    """Let this process import from the pack, if it is there; what came with the program goes first."""
    if not is_offered() or not is_installed():
        return
    sys.path.append(str(folder()))
    # A bundle writes no bytecode, because it may not change itself. The pack may, and starts in half the time.
    if sys.platform.startswith("linux"):  # where the person cannot write into the bundle anyway
        sys.dont_write_bytecode = False


def sentence(missing: str) -> Message:
    """What to tell somebody whose training lacks the package `missing`."""
    if not is_offered():
        return message(Code.PACK_FROM_SOURCE, missing=missing)
    if is_installed() or "." in missing:
        return message(Code.PACK_DAMAGED, missing=missing)
    return message(Code.PACK_NEEDED, missing=missing, megabytes=ABOUT_MB_FETCHED, command=HOW)


def _wanted() -> dict[str, str]:
    """By what the pack of this program is known: its list, and the Python it is for."""
    digest = hashlib.sha256(pins().read_bytes()).hexdigest()
    return {"list": digest, "python": f"{sys.implementation.cache_tag}"}
