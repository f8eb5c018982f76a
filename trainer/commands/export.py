"""`trainer export`: convert between .pt and .onnx, or quantise to 8 bits."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "export"
SUMMARY = "convert between .pt and .onnx, or quantise to 8 bits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="a .pt, or an .onnx with its .pt beside it")
    parser.add_argument("--format", required=True, choices=("pt", "onnx"))
    text = "default: FILE.pt, FILE.onnx or FILE.int8.onnx"
    parser.add_argument("--output", type=Path, metavar="FILE", help=text)
    parser.add_argument("--int8", action="store_true", help="keep matrices in 8 bits: smaller and quicker")


def run(arguments: argparse.Namespace) -> int:
    from trainer.model_file.torch_file import export

    suffix = f".int8.{arguments.format}" if arguments.int8 else f".{arguments.format}"
    output = arguments.output or arguments.file.with_suffix(suffix)
    export(arguments.file, arguments.format, output, arguments.int8)
    print(output)
    return 0
