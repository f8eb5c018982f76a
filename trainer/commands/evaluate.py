"""`trainer evaluate`: measure a model on groups that it did not learn from."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from trainer.commands import console, options

NAME = "evaluate"
SUMMARY = "measure a model on groups that it did not learn from"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_data(parser)
    parser.add_argument("--model", type=options.model_file, required=True, metavar="FILE.onnx")
    parser.add_argument("--split", default="test", choices=options.SPLITS, help="the side (default: test)")
    options.add_division(parser)
    text = "judge only by labels that model and data share"
    parser.add_argument("--shared-labels", action="store_true", help=text)
    text = "clips to judge in noise, through codecs and so on (default: 100; 0: skip)"
    parser.add_argument("--robustness-clips", type=options.not_negative, default=100, metavar="N", help=text)
    text = "write a page with plots, and its values as JSON, there"
    parser.add_argument("--report", type=Path, metavar="DIR", help=text)
    parser.add_argument("--yamnet", type=Path, metavar="FILE.tflite", help="YAMNet, measured on the same clips")


def run(arguments: argparse.Namespace) -> int:
    from trainer.evaluation.evaluate import evaluate, readable

    report = evaluate(
        arguments.model,
        arguments.data,
        split_name=arguments.split,
        segments=arguments.segments,
        cache=arguments.cache,
        yamnet=arguments.yamnet,
        division=options.division(arguments),
        merged=dict(arguments.merge),
        shared_labels=arguments.shared_labels,
        robustness_clips=arguments.robustness_clips,
        command=f"python -m trainer {shlex.join(arguments.words)}",
    )
    if arguments.report:
        from trainer.reports.model_report import write

        page = write(arguments.report, report)
        report["report"] = str(page)
    if arguments.json:
        console.print_event(report)
    else:
        print(readable(report))
        if arguments.report:
            print(f"\n{page}")
    return 0
