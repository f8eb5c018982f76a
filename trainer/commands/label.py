"""`trainer label`: find out who is heard when, in recordings that only promise a baby."""

from __future__ import annotations

import argparse
from pathlib import Path

NAME = "label"
SUMMARY = "find out who is heard when, in recordings that only promise a baby"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--yamnet", type=Path, required=True, metavar="FILE.tflite", help="the teacher, YAMNet")
    parser.add_argument("--student", type=Path, metavar="FILE.onnx", help="a model of ours, for a second round")
    text = "columns group,split: the test side is labelled by the teacher alone"
    parser.add_argument("--sides", type=Path, metavar="FILE.csv", help=text)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.csv")
    text = "where the teacher's scores are kept between rounds"
    parser.add_argument("--cache", type=Path, metavar="DIR", help=text)


def run(arguments: argparse.Namespace) -> int:
    from trainer.labelling.cry_segments import label_corpus

    totals = label_corpus(
        arguments.data, arguments.yamnet, arguments.output, arguments.student, arguments.cache, arguments.sides
    )
    for name, seconds in sorted(totals.items()):
        print(f"{name:12} {seconds:8.0f} s")
    print(arguments.output)
    return 0
