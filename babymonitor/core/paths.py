"""Paths: files that came with the program, and the person's own folders."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import platformdirs

_BUNDLE = Path(__file__).resolve().parents[2]
_APP = "babymonitor"


def resource(*parts: str) -> Path:
    """The path of a file that came with the program, under `resources/`."""
    return _BUNDLE.joinpath("resources", *parts)


def default_model() -> Path:
    """The model that came with the program."""
    return _BUNDLE / "models" / "default.onnx"


def program() -> tuple[list[str], dict[str, str]]:
    """The command that runs this program again, and the environment to run it in.

    In an installed program the executable is the program itself, and there may be no Python interpreter.
    """
    if not Path(sys.executable).stem.lower().startswith("python"):
        return [sys.executable], dict(os.environ)
    python_path = os.pathsep.join(filter(None, (str(_BUNDLE), os.environ.get("PYTHONPATH"))))
    return [sys.executable, "-m", "babymonitor"], {**os.environ, "PYTHONPATH": python_path}


def data_folder() -> Path:
    """The folder of the person's recordings and history, created if missing. `BABYMONITOR_HOME` moves everything."""
    home = os.environ.get("BABYMONITOR_HOME")
    folder = Path(home) if home else Path(platformdirs.user_data_dir(_APP, appauthor=False))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def settings_file() -> Path:
    """The file of the person's settings; its folder is created if missing."""
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
    """The person's labelled clips: a folder per label, inside it a folder per recording or night. A data set."""
    folder = data_folder() / "library"
    folder.mkdir(exist_ok=True)
    return folder


def library_file() -> Path:
    """The library's index. It may be lost: the clips' own files contain the same information."""
    return data_folder() / "library.sqlite"


def trash_folder() -> Path:
    """Clips deleted from the library, until they are purged."""
    folder = data_folder() / "trash"
    folder.mkdir(exist_ok=True)
    return folder


def recordings_folder() -> Path:
    """Recordings that are not in the library yet, including an unfinished one."""
    folder = data_folder() / "recordings"
    folder.mkdir(exist_ok=True)
    return folder


def runs_folder() -> Path:
    """A folder per training: the request, the trainer's events, and the model."""
    folder = data_folder() / "runs"
    folder.mkdir(exist_ok=True)
    return folder


def models_folder() -> Path:
    """Where the person puts their own models; the newest `.pt` that appears there is taken into use."""
    folder = data_folder() / "models"
    folder.mkdir(exist_ok=True)
    return folder


def converted_models_folder() -> Path:
    """Converted `.pt` files. It may be emptied: they are converted again when needed."""
    folder = models_folder() / "converted"
    folder.mkdir(exist_ok=True)
    return folder


def log_file() -> Path:
    return data_folder() / "babymonitor.log"
