"""`trainer rehearsal`: write what a model rehearses while it is taught."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trainer.commands import console, options

NAME = "rehearsal"
SUMMARY = "write what a model rehearses while it is taught, beside the model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=options.model_file, required=True, metavar="FILE.onnx")
    options.add_data(parser)
    options.add_division(parser)
    text = "paths that training left out, as for `trainer backbone`: to judge by, in place of sides"
    parser.add_argument("--leave-out", nargs="+", default=[], metavar="PATTERN", help=text)
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
    excluded = _left_out(arguments.data, getattr(arguments, "leave_out", ()))
    return make(model, arguments.data, output, arguments.cache, arguments.segments, division, merged, threads, excluded)


def _left_out(data: Sequence[Path], patterns: Sequence[str]) -> set[str] | None:
    """Return the paths that match, with all others of their groups; None without patterns."""
    if not patterns:
        return None
    from trainer.data.readers import load
    from trainer.data.sound_kinds import left_out

    return left_out(load(data, notice=lambda sentence: None).clips, patterns)
