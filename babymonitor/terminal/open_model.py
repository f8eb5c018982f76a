"""`babymonitor open`: the window, with a model file taken into use first (what a double click on one does)."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from babymonitor.core import paths
from babymonitor.core.classifier import Classifier, ModelError
from babymonitor.core.settings import MODEL, Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, nargs="?", metavar="FILE.onnx")


def run(arguments: argparse.Namespace) -> int:
    """0 when the model was taken into use, or none was named; 2 and a sentence when it cannot be."""
    if arguments.model is None:
        return 0
    try:
        print(take_into_use(arguments.model))
    except ModelError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{arguments.model} cannot be kept: {error.strerror or error}.", file=sys.stderr)
        return 2
    return 0


def take_into_use(model: Path) -> str:
    """Check a model file, keep a copy in the person's models folder, and make it the one in use; → a sentence.

    ModelError in one sentence, and then nothing has changed.
    """
    name = Classifier(model).card.name
    kept = paths.models_folder() / model.name
    if model.resolve() != kept.resolve():
        part = kept.with_name(kept.name + ".part")
        shutil.copyfile(model, part)
        part.replace(kept)
    Settings(paths.settings_file())[MODEL] = str(kept)
    return f"The model {name} is in use; a window that is open takes it at its next start."
