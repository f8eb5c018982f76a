"""`trainer nights`: run whole nights through the monitor's detector and alarm."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from trainer.commands import console, options

NAME = "nights"
SUMMARY = "run whole nights through detector and alarm: cries caught, delay, false alarms"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_data(parser)
    options.add_division(parser)
    parser.add_argument("--model", type=options.model_file, required=True, metavar="FILE.onnx")
    parser.add_argument("--split", default="test", choices=options.SPLITS, help="the side (default: test)")
    text = "hours of each background (default: 10)"
    parser.add_argument("--hours", type=options.above_zero, default=10.0, metavar="N", help=text)
    text = "episodes of crying per hour (default: 12)"
    parser.add_argument("--episodes", type=options.above_zero, default=12.0, metavar="N", help=text)
    text = "level of cries above the background (default: 20 10 0)"
    parser.add_argument("--snr", type=float, nargs="+", default=[20.0, 10.0, 0.0], metavar="DB", help=text)
    parser.add_argument("--backgrounds", nargs="+", default=[], metavar="NAME", help="only these backgrounds")
    text = "of the composition; other seeds give other nights (default: 1)"
    parser.add_argument("--seed", type=int, default=1, metavar="N", help=text)
    parser.add_argument("--report", type=Path, metavar="DIR", help="the folder for nights.json and nights.txt")
    text = "write the thresholds that do best here into the model's card"
    parser.add_argument("--set-thresholds", action="store_true", help=text)
    text = "write the operating curve, which the app shows, into the model's card"
    parser.add_argument("--tell-model", action="store_true", help=text)


def run(arguments: argparse.Namespace) -> int:
    from trainer.evaluation.night_outcomes import best_start
    from trainer.evaluation.nights import NightsRequest, nights, readable, write
    from trainer.model_file.export import rewrite_card
    from trainer.training.calibration import with_end
    from trainer.training.distributed import keep_memory

    request = NightsRequest(
        split_name=arguments.split,
        hours=arguments.hours,
        seed=arguments.seed,
        snrs_db=tuple(arguments.snr),
        episodes_per_hour=arguments.episodes,
        backgrounds=tuple(arguments.backgrounds),
    )
    keep_memory()
    report = nights(
        arguments.model,
        arguments.data,
        request,
        arguments.segments,
        arguments.cache,
        lambda background: console.warn(f"{arguments.hours:g} h of {background} …"),
        options.division(arguments),
        dict(arguments.merge),
        arguments.tell_model or arguments.set_thresholds,
    )
    if arguments.report:
        write(report, arguments.report)
    changes: dict[str, Any] = {}
    if arguments.set_thresholds:
        changes["thresholds"] = with_end(best_start(report["operating_curve"]))
        console.warn("start threshold {start:g}, end {end:g}".format(**changes["thresholds"]))
    if arguments.tell_model:
        changes["operating_curve"] = report["operating_curve"]
    if changes:
        rewrite_card(arguments.model, **changes)
    if arguments.json:
        console.print_event(report)
    else:
        print(readable(report))
    return 0
