"""`trainer report`: write the page of a comparison again, or one page of several."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "report"
SUMMARY = "write the page of a comparison again, or one page of several"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE.json", help="report.json, as `compare` or `evaluate` wrote it"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--title", default="Families compared", help="the page's title")


def run(arguments: argparse.Namespace) -> int:
    from trainer.reports.model_report import render

    print(render(arguments.files, arguments.output, arguments.title))
    return 0
