"""`python -m trainer …`: the trainer's command line. Bad input is one sentence on standard error and exit status 2."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Protocol

from trainer.commands import (
    backbone,
    combine,
    compare,
    console,
    ear,
    evaluate,
    export,
    families,
    import_corpus,
    label,
    left_out,
    nights,
    predict,
    rehearsal,
    report,
    teach,
    train,
    tune,
    versus,
)

# Before numpy is imported: its matrices here are small, and threads that wait for each other take longer than the work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


class Command(Protocol):
    """A module of `trainer.commands`."""

    NAME: str
    SUMMARY: str

    def add_arguments(self, parser: argparse.ArgumentParser, /) -> None: ...

    def run(self, arguments: argparse.Namespace, /) -> int: ...


COMMANDS: tuple[Command, ...] = (
    families, import_corpus, train, compare, tune, evaluate, nights, report, label, export, teach, rehearsal, versus,
    combine, predict, backbone, ear, left_out,
)  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Run one command. Returns the exit status."""
    words = sys.argv[1:] if argv is None else argv
    arguments = _parser().parse_args(words)
    arguments.words = words
    from babymonitor.core.model.classifier import ModelError
    from babymonitor.core.sound.wave import AudioError
    from trainer.errors import DataError

    as_json = getattr(arguments, "json", False)
    try:
        status: int = arguments.run(arguments)
    except (DataError, ModelError, AudioError) as error:
        return console.refuse(str(error), as_json)
    except OSError as error:
        sentence = f"{error.filename or 'A file'} cannot be used: {error.strerror or error}."
        return console.refuse(sentence, as_json)
    except KeyboardInterrupt:
        return console.interrupted("Stopped.")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = console.Parser(prog="trainer", description="Trains and examines the models of Baby Monitor.")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=console.Parser)
    for command in COMMANDS:
        description = f"{command.SUMMARY[0].upper()}{command.SUMMARY[1:]}."
        subparser = subparsers.add_parser(command.NAME, help=command.SUMMARY, description=description)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
