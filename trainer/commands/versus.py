"""`trainer versus`: compare two models on the same clips."""

from __future__ import annotations

import argparse

from trainer.commands import options

NAME = "versus"
SUMMARY = "compare two models on the same clips"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--old", type=options.model_file, required=True, metavar="FILE.onnx")
    parser.add_argument("--new", type=options.model_file, required=True, metavar="FILE.onnx")
    options.add_data(parser)
    options.add_division(parser)
    parser.add_argument("--side", default="test", choices=options.SPLITS, help="the side (default: test)")
    options.add_comparison(parser, "write the comparison there")


def run(arguments: argparse.Namespace) -> int:
    from trainer.home.old_and_new import versus, write
    from trainer.home.teach import metrics_of

    report = versus(
        arguments.old, arguments.new, arguments.data, arguments.side, arguments.cache, arguments.segments,
        options.division(arguments), dict(arguments.merge),
    )  # fmt: skip
    if arguments.comparison:
        write(arguments.comparison, report)
    options.print_comparison(arguments, report, arguments.new, metrics_of(report))
    return 0
