"""`babymonitor open`: take a model file into use, then open the window (as a double click on the file does)."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from babymonitor.core import paths
from babymonitor.core.model import model_shelf
from babymonitor.core.model.classifier import Classifier, ModelError
from babymonitor.core.settings import Settings
from babymonitor.core.whole_file import write_whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, nargs="?", metavar="FILE.onnx")


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 if the model is in use or none was named, 2 with a sentence if it is refused."""
    if arguments.model is None:
        return 0
    try:
        print(take_into_use(arguments.model))
        return 0
    except ModelError as error:
        arguments.complaint = str(error)
    except OSError as error:
        arguments.complaint = f"{arguments.model} cannot be kept: {error.strerror or error}."
    print(arguments.complaint, file=sys.stderr)
    return 2


def take_into_use(model: Path) -> str:
    """Check a model file, copy it to the person's models folder and use it; returns a sentence for the person.

    Raises ModelError, and then nothing has changed, or OSError.
    """
    name = Classifier(model).card.name
    copy = _path_for(model)
    if not copy.exists():
        write_whole(copy, model.read_bytes())
    if _is_window_open():
        # It holds the settings in memory and would overwrite ours.
        return f"The model {name} is kept as {copy.name}; the open window takes it under Settings, Model file."
    model_shelf.take_into_use(Settings(paths.settings_file()), copy)
    return f"The model {name} is in use."


def _path_for(model: Path) -> Path:
    """The path of its copy among the person's models, existing or not; no other model of that name is replaced."""
    data = model.read_bytes()
    path, number = paths.models_folder() / model.name, 2
    while path.exists() and path.read_bytes() != data:
        path, number = path.with_name(f"{model.stem}-{number}{model.suffix}"), number + 1
    return path


def _is_window_open() -> bool:
    """Whether a living process holds the window's lock (a QLockFile, whose first line is the process id)."""
    lock = paths.data_folder() / "lock"
    try:
        if sys.platform == "win32":
            lock.replace(lock)  # fails while a process has it open
            return False
        os.kill(int(lock.read_text(encoding="utf-8").split()[0]), 0)
    except (FileNotFoundError, ProcessLookupError, ValueError, IndexError):
        return False
    except OSError:
        return True
    return True
