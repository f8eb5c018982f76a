"""`trainer rehearsal`: write what a model rehearses while it is taught."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.commands import console, options

NAME = "rehearsal"
SUMMARY = "write what a model rehearses while it is taught, beside the model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=options.model_file, required=True, metavar="FILE.onnx")
    options.add_data(parser)
    options.add_division(parser)
    parser.add_argument("--output", type=Path, metavar="FILE.npz", help="default: NAME.rehearsal.npz beside it")
    parser.add_argument("--threads", type=options.positive, default=1, metavar="N", help="(default: 1)")


def run(arguments: argparse.Namespace) -> int:
    from trainer.home.rehearsal import place_beside

    output = arguments.output or place_beside(arguments.model)
    counts = _write(arguments.model, output, arguments, arguments.threads)
    if arguments.json:
        console.print_event({"event": "finished", "rehearsal": str(output), **counts})
    else:
        text = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
        print(f"{output}: {text}; {output.stat().st_size / 1e6:.2f} MB")
    return 0


def write_beside(model: Path, arguments: argparse.Namespace, emit: Callable[[dict[str, Any]], None]) -> None:
    """Write the rehearsal of a model that was just trained with these options.

    A model that cannot be taught gets none; that is emitted as a warning.
    """
    from trainer.errors import DataError
    from trainer.home.rehearsal import place_beside

    try:
        _write(model, place_beside(model), arguments, threads=1)
    except DataError as error:
        emit({"event": "warning", "sentence": str(error)})


def _write(model: Path, output: Path, arguments: argparse.Namespace, threads: int) -> dict[str, int]:
    """Return counts of windows and clips."""
    from trainer.home.rehearsal import make

    division, merged = options.division(arguments), dict(arguments.merge)
    return make(model, arguments.data, output, arguments.cache, arguments.segments, division, merged, threads)
