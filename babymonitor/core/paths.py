"""Where things lie: what came with the program, and the person's own folders."""

from __future__ import annotations

import os
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


def log_file() -> Path:
    return data_folder() / "babymonitor.log"
