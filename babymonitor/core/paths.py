"""Where things lie: what came with the program, and the person's own folders."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs

_BUNDLE = Path(__file__).resolve().parents[2]
_APP = "babymonitor"


def resource(*parts: str) -> Path:
    """A file that came with the program, under `resources/`."""
    return _BUNDLE.joinpath("resources", *parts)


def default_model() -> Path:
    """The model that came with the program."""
    return _BUNDLE / "models" / "default.onnx"


def program() -> tuple[list[str], dict[str, str]]:
    """The command that runs this program once more, and the environment to run it in.

    In a bundle the interpreter is the program itself, and there may be no other.
    """
    if not Path(sys.executable).stem.lower().startswith("python"):
        return [sys.executable], dict(os.environ)
    found = os.pathsep.join(filter(None, (str(_BUNDLE), os.environ.get("PYTHONPATH"))))
    return [sys.executable, "-m", "babymonitor"], {**os.environ, "PYTHONPATH": found}


def data_folder() -> Path:
    """The person's own recordings and history; made if it is not there. `BABYMONITOR_HOME` moves everything."""
    home = os.environ.get("BABYMONITOR_HOME")
    folder = Path(home) if home else Path(platformdirs.user_data_dir(_APP, appauthor=False))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def settings_file() -> Path:
    """The person's settings."""
    home = os.environ.get("BABYMONITOR_HOME")
    folder = Path(home) if home else Path(platformdirs.user_config_dir(_APP, appauthor=False))
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "settings.json"


def history_file() -> Path:
    return data_folder() / "history.sqlite"


def clips_folder() -> Path:
    folder = data_folder() / "clips"
    folder.mkdir(exist_ok=True)
    return folder


def library_folder() -> Path:
    """The person's labelled clips: a folder per label, in it one per recording or night. A data set for the trainer."""
    folder = data_folder() / "library"
    folder.mkdir(exist_ok=True)
    return folder


def library_file() -> Path:
    """What the library knows of its clips. It may be lost: the clips' own files say the same."""
    return data_folder() / "library.sqlite"


def trash_folder() -> Path:
    """Clips that were deleted from the library, until they are purged."""
    folder = data_folder() / "trash"
    folder.mkdir(exist_ok=True)
    return folder


def recordings_folder() -> Path:
    """Recordings that are not in the library yet, an unfinished one among them."""
    folder = data_folder() / "recordings"
    folder.mkdir(exist_ok=True)
    return folder


def runs_folder() -> Path:
    """One folder for each training: what was asked for, what it told, and its model."""
    folder = data_folder() / "runs"
    folder.mkdir(exist_ok=True)
    return folder


def models_folder() -> Path:
    """Where the person puts models of their own; the newest `.pt` that appears there is taken into use."""
    folder = data_folder() / "models"
    folder.mkdir(exist_ok=True)
    return folder


def converted_models_folder() -> Path:
    """What was made of `.pt` files. It may be emptied: they are converted again when they are wanted."""
    folder = models_folder() / "converted"
    folder.mkdir(exist_ok=True)
    return folder


def log_file() -> Path:
    return data_folder() / "babymonitor.log"
