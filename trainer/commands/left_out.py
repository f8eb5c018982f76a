"""`trainer left-out`: judge models by the corpora that were left out of their training."""

from __future__ import annotations

import argparse
import shlex
from datetime import UTC, datetime
from pathlib import Path

from trainer.commands import console, options

NAME = "left-out"
SUMMARY = "judge models by corpora that were left out of their training: clips, nights, sounds played alone"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    text = "a model; repeat it to judge several on the same sound"
    parser.add_argument(
        "--model", type=options.model_file, action="append", required=True, metavar="FILE.onnx", help=text
    )
    parser.add_argument("--yamnet", type=Path, metavar="FILE.tflite", help="YAMNet, judged on the same sound")
    text = "a folder with a manifest.csv that has a column 'use'"
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help=text)
    text = "clips left out of training, such as 'third/rynnchrs/*' or 'licence:*-NC*'; and all for evaluation only"
    parser.add_argument("--leave-out", nargs="+", default=[], metavar="PATTERN", help=text)
    text = "hours of each bed (default: 1)"
    parser.add_argument("--hours", type=options.above_zero, default=1.0, metavar="N", help=text)
    parser.add_argument("--beds", nargs="+", default=[], metavar="NAME", help="only nights over these beds")
    text = "of the composition; other seeds give other nights (default: 1)"
    parser.add_argument("--seed", type=options.not_negative, default=1, metavar="N", help=text)
    text = "where decoded sound and every listener's scores are kept (default: the user's cache folder)"
    parser.add_argument("--cache", type=Path, default=options.default_cache(), metavar="DIR", help=text)
    text = "processes that listen (default: 2)"
    parser.add_argument("--processes", type=options.positive, default=2, metavar="N", help=text)
    parser.add_argument("--report", type=Path, metavar="DIR", help="the folder for left-out.json and left-out.txt")
    text = "judge the first model at its best start threshold instead of its card's"
    parser.add_argument("--set-start", action="store_true", help=text)
    text = "write thresholds, operating curve and figures into the first model's card"
    parser.add_argument("--tell-model", action="store_true", help=text)
    parser.add_argument("--json", action="store_true", help="one JSON object a line on standard output")


def run(arguments: argparse.Namespace) -> int:
    from trainer.evaluation.left_out import LeftOutRequest, judge_left_out, tell_model
    from trainer.evaluation.left_out_text import readable, write

    request = LeftOutRequest(
        models=tuple(arguments.model),
        yamnet=arguments.yamnet,
        data=arguments.data,
        patterns=tuple(arguments.leave_out),
        cache=arguments.cache,
        hours=arguments.hours,
        seed=arguments.seed,
        processes=arguments.processes,
        beds=tuple(arguments.beds),
        set_start=arguments.set_start,
    )
    report = judge_left_out(request, console.warn)
    report["command"] = f"python -m trainer {shlex.join(arguments.words)}"
    report["created"] = datetime.now(UTC).isoformat(timespec="seconds")
    if arguments.tell_model:
        tell_model(arguments.model[0], report)
    if arguments.report:
        write(report, arguments.report)
    if arguments.json:
        console.print_event(report)
    else:
        print(readable(report))
    return 0
