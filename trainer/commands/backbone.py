"""`trainer backbone`: teach YAMNet to hear through rooms and noise."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from trainer.commands import console, options

NAME = "backbone"
SUMMARY = "teach YAMNet to hear through rooms and noise; the same command again resumes it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="a folder with a manifest.csv")
    parser.add_argument("--weights", type=Path, required=True, metavar="FILE.tflite", help="YAMNet as published")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="for checkpoint, weights and log")
    text = "for decoded sound and the teacher's answers (default: the user's cache folder)"
    parser.add_argument("--cache", type=Path, default=options.default_cache(), metavar="DIR", help=text)
    text = "paths to learn nothing from and to judge by, such as 'esc10/baby_cry/*'"
    parser.add_argument("--leave-out", nargs="+", default=[], metavar="PATTERN", help=text)
    text = "stretches of crying by which the teacher is corrected"
    parser.add_argument("--segments", type=Path, metavar="FILE.csv", help=text)
    text = "from one finished backbone to the next (default: 3000)"
    parser.add_argument("--cycle-steps", type=options.positive, default=3000, metavar="N", help=text)
    parser.add_argument("--cycles", type=options.positive, default=10, metavar="N", help="(default: 10)")
    parser.add_argument("--batch", type=options.positive, default=64, metavar="N", help="segments a step (default: 64)")
    text = "the highest learning rate (default: 3e-4)"
    parser.add_argument("--rate", type=options.above_zero, default=3e-4, metavar="RATE", help=text)
    parser.add_argument("--seed", type=options.not_negative, default=1, metavar="N", help="(default: 1)")
    text = "twice as fast on processors that support it"
    parser.add_argument("--bfloat16", action="store_true", help=text)
    parser.add_argument("--threads", type=options.positive, default=1, metavar="N", help="(default: 1)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line on standard output")


def run(arguments: argparse.Namespace) -> int:
    import torch

    from trainer.backbone.robust_yamnet import BackboneRequest, Schedule, train
    from trainer.training.distributed import keep_memory

    keep_memory()
    torch.set_num_threads(arguments.threads)
    schedule = Schedule(
        cycle_steps=arguments.cycle_steps,
        cycles=arguments.cycles,
        batch=arguments.batch,
        rate=arguments.rate,
        bfloat16=arguments.bfloat16,
        seed=arguments.seed,
    )
    request = BackboneRequest(
        arguments.data,
        arguments.weights,
        arguments.output,
        arguments.cache,
        tuple(arguments.leave_out),
        arguments.segments,
        schedule,
    )
    signals: list[int] = []
    handler_before = signal.signal(signal.SIGTERM, lambda number, _: signals.append(number))
    try:
        weights = train(request, console.print_event if arguments.json else console.warn_event, lambda: bool(signals))
    finally:
        signal.signal(signal.SIGTERM, handler_before)
    if not arguments.json:
        print(weights)
    return 0
