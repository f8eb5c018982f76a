"""`trainer ear`: build the model file that listens from a trained backbone."""

from __future__ import annotations

import argparse
from pathlib import Path

from trainer.commands import console, options

NAME = "ear"
SUMMARY = "build the model file that listens from trained backbones; the same command again resumes it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    text = "weights as `trainer backbone` writes them; the mean of several is taken"
    parser.add_argument("--backbone", type=Path, nargs="+", required=True, metavar="FILE.pt", help=text)
    parser.add_argument("--weights", type=Path, required=True, metavar="FILE.tflite", help="YAMNet as published")
    text = "the share of YAMNet's published weights in the mean (default: 0)"
    parser.add_argument("--published-share", type=options.chance, default=0.0, metavar="SHARE", help=text)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="a folder with a manifest.csv")
    parser.add_argument("--segments", type=Path, required=True, metavar="FILE.csv", help="stretches with labels")
    text = "paths to fit nothing to, such as 'esc10/baby_cry/*'"
    parser.add_argument("--leave-out", nargs="+", default=[], metavar="PATTERN", help=text)
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.onnx")
    text = "for decoded sound and what the network heard (default: the user's cache folder)"
    parser.add_argument("--cache", type=Path, default=options.default_cache(), metavar="DIR", help=text)
    text = "of each background's nights, twice (default: 1)"
    parser.add_argument("--hours", type=options.above_zero, default=1.0, metavar="HOURS", help=text)
    parser.add_argument("--processes", type=options.positive, default=2, metavar="N", help="(default: 2)")
    text = "the P(crying) that wakes (default: 0.5)"
    parser.add_argument("--start", type=options.chance, default=0.5, metavar="P", help=text)
    parser.add_argument("--licence", default="", help="under which the file may be passed on")
    parser.add_argument("--name", default="Default")


def run(arguments: argparse.Namespace) -> int:
    from trainer.ear.build import EarRequest, build_ear

    request = EarRequest(
        backbones=arguments.backbone,
        published=arguments.weights,
        share_of_published=arguments.published_share,
        data=arguments.data,
        segments=arguments.segments,
        left_out=arguments.leave_out,
        output=arguments.output,
        cache=arguments.cache,
        hours=arguments.hours,
        processes=arguments.processes,
        start=arguments.start,
        name=arguments.name,
        licence=arguments.licence,
    )
    print(build_ear(request, console.warn_event))
    return 0
