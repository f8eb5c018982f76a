"""`trainer combine`: make one model file of several."""

from __future__ import annotations

import argparse

from trainer.commands import options

NAME = "combine"
SUMMARY = "one model file of several: it answers with the mean of what they say"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="+", type=options.model_file, metavar="FILE.onnx", help="that see the same")
    parser.add_argument("--output", type=options.model_file, required=True, metavar="FILE.onnx")
    parser.add_argument("--name", default="", help="what the model calls itself")
    text = "ask the others only where the first gives crying P or more"
    parser.add_argument("--suspect", type=options.chance, metavar="P", help=text)
    text = "keep weights in so many: a quarter or half the size"
    parser.add_argument("--bits", type=int, choices=(8, 16), help=text)


def run(arguments: argparse.Namespace) -> int:
    from trainer.model_file.ensemble import combine

    card = combine(arguments.models, arguments.output, arguments.name, arguments.suspect, arguments.bits)
    print(f"{arguments.output}: {card.name}")
    return 0
