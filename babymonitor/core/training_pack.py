"""The training pack: packages for full training (PyTorch …) in a folder beside an installed program.

The installer contains no PyTorch: it is larger than everything else, and teaching the model does not need it.
`babymonitor training-pack install` (terminal/training_pack.py) puts it into the person's data folder, where the trainer
finds it. From source none of this is needed: `run.py trainer` installs into the environment.
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
    """The list of packages with versions; it exists in installed programs only."""
    return paths.resource("training-pack.txt")


def is_offered() -> bool:
    """Whether this is an installed program, to which a training pack can be added."""
    return pins().is_file()


def folder() -> Path:
    """The folder of the pack, whether it is installed or not."""
    return paths.data_folder() / "training-pack"


def is_installed() -> bool:
    """Whether the pack that this version of the program needs is completely installed."""
    try:
        return bool(json.loads((folder() / _STAMP).read_text(encoding="utf-8")) == _wanted())
    except (OSError, ValueError):
        return False


def seal(part: Path) -> None:
    """Mark a folder as a complete pack, and replace the previous pack by it."""
    (part / _STAMP).write_text(json.dumps(_wanted()), encoding="utf-8")
    remove()
    part.replace(folder())


def remove() -> None:
    """Remove the pack; it contains nothing of the person's."""
    # Renamed first, so that an interrupted removal does not leave half a pack that is marked as complete.
    leaving = folder().with_suffix(".leaving")
    shutil.rmtree(leaving, ignore_errors=True)
    if folder().exists():
        folder().replace(leaving)
        shutil.rmtree(leaving, ignore_errors=True)


def activate() -> None:
    """Let this process import from the pack, if installed; packages of the program take precedence."""
    if not is_offered() or not is_installed():
        return
    sys.path.append(str(folder()))
    # An installed program writes no bytecode, so as not to change itself; the pack may, and then starts twice as fast.
    if sys.platform.startswith("linux"):  # where the program's own folder is read-only
        sys.dont_write_bytecode = False


def sentence(missing: str) -> Message:
    """The sentence for a person whose training needs the package `missing`."""
    if not is_offered():
        return message(Code.PACK_FROM_SOURCE, missing=missing)
    if is_installed() or "." in missing:
        return message(Code.PACK_DAMAGED, missing=missing)
    return message(Code.PACK_NEEDED, missing=missing, megabytes=ABOUT_MB_FETCHED, command=HOW)


def _wanted() -> dict[str, str]:
    """The identity of the pack that this program needs: its list of packages and its Python version."""
    digest = hashlib.sha256(pins().read_bytes()).hexdigest()
    return {"list": digest, "python": f"{sys.implementation.cache_tag}"}
