"""`trainer teach`: teach a model the clips of one home, in seconds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from trainer.commands import console, options

NAME = "teach"
SUMMARY = "teach a model your own clips, in seconds, without forgetting other babies"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=options.model_file, required=True, metavar="FILE.onnx", help="the model in use")
    text = "your clips: a folder per label, with a folder per recording or night in it"
    parser.add_argument("--data", type=Path, action="append", required=True, metavar="DIR", help=text)
    parser.add_argument("--output", type=options.model_file, required=True, metavar="FILE.onnx")
    options.add_comparison(parser, "write the comparison of old and new there")
    parser.add_argument("--threads", type=options.positive, default=2, metavar="N", help="(default: 2)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line on standard output")


def run(arguments: argparse.Namespace) -> int:
    from trainer.home.teach import TeachRequest, metrics_of, teach

    def print_warning(values: dict[str, Any]) -> None:
        if values["event"] == "warning":
            console.warn(values["sentence"])

    request = TeachRequest(arguments.model, arguments.data, arguments.output, arguments.comparison, arguments.threads)
    report = teach(request, console.print_event if arguments.json else print_warning)
    options.print_comparison(arguments, report, arguments.output, metrics_of(report))
    return 0
