"""`trainer report`: write the page of a comparison again, or of several as one."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "report"
SUMMARY = "write the page of a comparison again, or of several as one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.json", help="what compare or evaluate wrote")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--title", default="Families compared", help="of the page")


def run(arguments: argparse.Namespace) -> int:
    from trainer.reports.model_report import render

    print(render(arguments.files, arguments.output, arguments.title))
    return 0
