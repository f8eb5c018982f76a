"""`trainer tune`: search for a family's best settings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from trainer.commands import console, options

NAME = "tune"
SUMMARY = "search for a family's best settings; many workers may share one study"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_data(parser)
    options.add_recipe(parser, searched=True)
    parser.add_argument("--family", required=True, metavar="NAME", help="see `trainer families`")
    parser.add_argument(
        "--study", type=Path, required=True, metavar="FILE.sqlite", help="the search so far; it is continued"
    )
    text = "trials of this worker (default: 20)"
    parser.add_argument("--trials", type=options.positive, default=20, metavar="N", help=text)


def run(arguments: argparse.Namespace) -> int:
    from trainer.training.distributed import set_up_process
    from trainer.training.tune import tune

    set_up_process(arguments.threads)

    def print_trial(values: dict[str, Any]) -> None:
        if arguments.json:
            console.print_event(values)
        else:
            console.warn(f"trial {values['number']}: {values['figure']}")

    request = options.training_request(arguments, arguments.family, Path("unnamed.onnx"))
    best = tune(request, arguments.study, arguments.trials, print_trial)
    if arguments.json:
        console.print_event({"event": "finished", **best})
    else:
        print(f"best of {best['trials']} trials: {best['figure']}")
        for name, value in best["settings"].items():
            print(f"  {name} = {value:.4g}")
    return 0
