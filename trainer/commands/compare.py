"""`trainer compare`: train families on the same split and compare them."""

from __future__ import annotations

import argparse
import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from trainer.commands import console, options

NAME = "compare"
SUMMARY = "train families on the same split and compare them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_data(parser)
    options.add_recipe(parser)
    parser.add_argument("--families", default="all", metavar="A,B,C+D,…", help="default: all; C+D: also together")
    text = "train each family on a split by clips too: shows what leakage is worth"
    parser.add_argument("--beside-random-split", action="store_true", help=text)
    parser.add_argument("--report", type=Path, required=True, metavar="DIR", help="the folder for the page")
    text = "where finished runs are kept (default: `work` in --report)"
    parser.add_argument("--work", type=Path, metavar="DIR", help=text)
    parser.add_argument("--title", default="Families compared", help="the page's title")


def run(arguments: argparse.Namespace) -> int:
    from trainer.errors import DataError
    from trainer.reports.family_report import write_comparison
    from trainer.training.compare_families import compare
    from trainer.training.distributed import set_up_process

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise DataError("A comparison is one process; start `train` with torchrun instead.")
    set_up_process(arguments.threads)
    combinations = [tuple(name.split("+")) for name in arguments.families.split(",")]
    requests = _requests(arguments, combinations)
    command = f"python -m trainer {shlex.join(arguments.words)}"
    work = arguments.work or arguments.report / "work"
    together = [families for families in combinations if len(families) > 1]
    emit = console.training_events(arguments.json)
    comparison = compare(requests, work, arguments.title, command, emit, together)
    page = write_comparison(arguments.report, [comparison], arguments.title)
    rows = sorted(comparison["rows"], key=lambda row: -row[row["judged_by"]]["balanced_accuracy"]["value"])
    if arguments.json:
        console.print_event({"event": "finished", "report": str(page), "best": rows[0]["family"]})
        return 0
    print(f"balanced accuracy [95 % interval]; chance is {comparison['chance']:.3f}")
    for row in rows:
        entry = row[row["judged_by"]]["balanced_accuracy"]
        span = "[one group]" if entry["low"] is None else f"[{entry['low']:.3f}–{entry['high']:.3f}]"
        text = "  random split: too good" if row["protocol"] == "random split" else ""
        print(f"{row['family']:18} {entry['value']:.3f} {span}{text}")
    for entry in comparison["left_out"]:
        print(f"{entry['family']:18} left out: {entry['why']}")
    print(page)
    return 0


def _requests(arguments: argparse.Namespace, combinations: list[tuple[str, ...]]) -> list[Any]:
    """The trainings that the options describe: each family, each fold, and each of them on a random split too."""
    from trainer.networks import FAMILIES

    families = list(FAMILIES) if arguments.families == "all" else dict.fromkeys(sum(combinations, ()))
    requests = [options.training_request(arguments, family, Path("unnamed.onnx")) for family in families]
    if arguments.folds:
        requests = [
            replace(request, division=replace(request.division, fold=fold))
            for request in requests
            for fold in range(max(2, arguments.folds))
        ]
    if arguments.beside_random_split:
        requests += [
            replace(request, division=replace(request.division, by_clip=True, sides=None)) for request in requests
        ]
    return requests
