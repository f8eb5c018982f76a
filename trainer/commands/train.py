"""`trainer train`: train a model file from a data set."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from trainer.commands import console, options, rehearsal
from trainer.training.recipe import TEACHER

NAME = "train"
SUMMARY = "train a model file from a data set"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_data(parser)
    options.add_recipe(parser)
    parser.add_argument("--family", required=True, metavar="NAME", help="see `trainer families`")
    parser.add_argument(
        "--output", type=Path, metavar="FILE.onnx", help="default: in models/, named after the family or its weights"
    )
    parser.add_argument("--name", default="", help="the model's name on its card")
    parser.add_argument("--teacher", type=Path, metavar="FILE.tflite", help="learn YAMNet's scores of each window, too")
    options.add_settings(parser, TEACHER)
    text = "begin with the weights of a model file or of a checkpoint"
    parser.add_argument("--from", dest="begin_from", type=Path, metavar="FILE", help=text)
    text = "also write what the model rehearses when it is taught (see `teach`)"
    parser.add_argument("--rehearsal", action="store_true", help=text)
    text = "go on after the last complete epoch of the same command"
    parser.add_argument("--resume", action="store_true", help=text)


def run(arguments: argparse.Namespace) -> int:
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return console.interrupted("Stopped; --resume goes on from the last whole epoch.")


def _run(arguments: argparse.Namespace) -> int:
    from trainer.model_file.torch_file import default_stem
    from trainer.networks import FAMILIES
    from trainer.training.distributed import set_up_process
    from trainer.training.train import train

    set_up_process(arguments.threads)
    request = options.training_request(arguments, arguments.family, arguments.output or Path("unnamed.onnx"))
    if arguments.output is None:
        stem = default_stem(FAMILIES[request.family], request.weights)
        request = replace(request, output=Path("models") / f"{stem}.onnx")
    emit = console.training_events(arguments.json)
    metrics = train(request, emit)
    if not metrics:
        return 0  # one of several processes, and not the one that prints
    if arguments.rehearsal:
        rehearsal.write_beside(request.output, arguments, emit)
    if arguments.json:
        console.print_event({"event": "finished", "model": str(request.output), "metrics": metrics})
    else:
        figures = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in metrics.items())
        print(f"{request.output}: on validation groups {figures}")
    return 0
