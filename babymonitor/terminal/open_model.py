"""`babymonitor open`: the window, with a model file taken into use first (what a double click on one does)."""

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
    """0 when the model was taken into use, or none was named; 2 and a sentence when it cannot be."""
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
    """Check a model file, keep a copy in the person's models folder, and make it the one in use; → a sentence.

    ModelError in one sentence, and then nothing has changed.
    """
    name = Classifier(model).card.name
    kept = _place_for(model)
    if not kept.exists():
        write_whole(kept, model.read_bytes())
    if _a_window_is_open():
        # It has the settings in memory and would write over ours.
        return f"The model {name} is kept as {kept.name}; the open window takes it under Settings, Model file."
    model_shelf.take_into_use(Settings(paths.settings_file()), kept)
    return f"The model {name} is in use."


def _place_for(model: Path) -> Path:
    """Where it lies among the person's models, or may: another one of its name stays as it is."""
    data = model.read_bytes()
    kept, number = paths.models_folder() / model.name, 2
    while kept.exists() and kept.read_bytes() != data:
        kept, number = kept.with_name(f"{model.stem}-{number}{model.suffix}"), number + 1
    return kept


def _a_window_is_open() -> bool:
    """Whether the window's lock (a QLockFile: the process's number is its first line) is held by a living process."""
    lock = paths.data_folder() / "lock"
    try:
        if sys.platform == "win32":
            lock.replace(lock)  # refused while somebody has it open
            return False
        os.kill(int(lock.read_text(encoding="utf-8").split()[0]), 0)
    except (FileNotFoundError, ProcessLookupError, ValueError, IndexError):
        return False
    except OSError:
        return True
    return True
