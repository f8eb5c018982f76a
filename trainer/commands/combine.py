"""`trainer combine`: combine model files into one."""

from __future__ import annotations

import argparse

from trainer.commands import options

NAME = "combine"
SUMMARY = "combine model files into one that answers with the mean of their probabilities"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "models", nargs="+", type=options.model_file, metavar="FILE.onnx", help="with the same front end and labels"
    )
    parser.add_argument("--output", type=options.model_file, required=True, metavar="FILE.onnx")
    parser.add_argument("--name", default="", help="the model's name on its card")
    text = "ask the others only where the first gives crying P or more"
    parser.add_argument("--suspect", type=options.chance, metavar="P", help=text)
    text = "bits per weight: a quarter or half the size"
    parser.add_argument("--bits", type=int, choices=(8, 16), help=text)


def run(arguments: argparse.Namespace) -> int:
    from trainer.model_file.ensemble import combine

    card = combine(arguments.models, arguments.output, arguments.name, arguments.suspect, arguments.bits)
    print(f"{arguments.output}: {card.name}")
    return 0
