"""What commands of the trainer share on the command line: groups of options, and types that say what they take."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

SPLITS = ("train", "validation", "test", "evaluation-only", "all")
"""What of a data set may be judged by."""


def pair(text: str, form: str = "LABEL=AS") -> tuple[str, str]:
    name, _, other = text.partition("=")
    if not name or not other:
        raise argparse.ArgumentTypeError(f"it must read {form}, not {text}")
    return name, other


def weights(text: str) -> tuple[str, str]:
    return pair(text, "FAMILY=FROM")


def model_file(text: str) -> Path:
    if text.lower().endswith(".pt"):
        raise argparse.ArgumentTypeError(f"it must be an .onnx: `trainer export {text} --format onnx` makes one")
    return Path(text)


def shares(text: str) -> tuple[float, ...]:
    try:
        parts = tuple(float(part) / 100 for part in text.split(","))
    except ValueError:
        parts = ()
    if len(parts) != 3 or min(parts) <= 0 or abs(sum(parts) - 1) > 1e-6:
        raise argparse.ArgumentTypeError("it must be three numbers that add up to 100, such as 70,15,15 or 80,10,10")
    return parts


def _number(text: str, kind: type[int] | type[float], least: str, fits: Callable[[float], bool]) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = float("nan")  # fits nowhere
    if not fits(value):
        raise argparse.ArgumentTypeError(f"it must be {least}, not {text}")
    return value


def not_negative(text: str) -> int:
    value: int = _number(text, int, "a whole number, 0 or more", lambda value: value >= 0)
    return value


def positive(text: str) -> int:
    value: int = _number(text, int, "a whole number, 1 or more", lambda value: value >= 1)
    return value


def chance(text: str) -> float:
    value: float = _number(text, float, "a number between 0 and 1", lambda value: 0 < value < 1)
    return value


def above_zero(text: str) -> float:
    value: float = _number(text, float, "a number above 0", lambda value: 0 < value < float("inf"))
    return value


def default_cache() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("babymonitor", appauthor=False)) / "waves"


def add_data(sub: argparse.ArgumentParser) -> None:
    """What is learnt from or judged by, and how it is told."""
    text = "a data set folder; more than one --data make one data set"
    sub.add_argument("--data", type=Path, action="append", required=True, metavar="DIR", help=text)
    sub.add_argument("--segments", type=Path, metavar="FILE.csv", help="who is heard when; decides about labels")
    where = "where decoded sound is kept (default: the user's cache folder)"
    sub.add_argument("--cache", type=Path, default=default_cache(), metavar="DIR", help=where)
    sub.add_argument("--json", action="store_true", help="one JSON object a line on standard output")


def add_division(sub: argparse.ArgumentParser) -> None:
    """Which labels count as which, and who stands on which side."""
    text = "which groups train, validate and test; a group never stands on two sides"
    sides = sub.add_argument_group("labels and sides", text)
    sides.add_argument("--merge", action="append", default=[], type=pair, metavar="LABEL=AS",
                       help="let one label count as another; may be given again")  # fmt: skip
    sides.add_argument("--shares", type=shares, default="70,15,15", metavar="A,B,C",
                       help="per cent for training, validation and test (default: 70,15,15)")  # fmt: skip
    sides.add_argument("--sides", type=Path, metavar="FILE.csv", help="columns group,split: where groups stand")
    sides.add_argument("--folds", type=int, default=0, metavar="N", help="divide the groups into N parts")
    sides.add_argument("--fold", type=int, default=0, metavar="K", help="the part that tests (default: the first)")
    sides.add_argument("--split-by-clip", action="store_true", help="let one speaker stand on all sides: too good")


def division(arguments: argparse.Namespace) -> Any:
    """How a data set is to be divided: the `Division` that the options of `add_division` describe."""
    from trainer.data.split import Division
    from trainer.errors import DataError

    if arguments.fold and not arguments.folds:
        raise DataError(f"--fold {arguments.fold} is one of how many? Say it with --folds.")
    return Division(
        shares=arguments.shares,
        sides=arguments.sides,
        folds=arguments.folds,
        fold=arguments.fold,
        by_clip=arguments.split_by_clip,
    )


def add_recipe(sub: argparse.ArgumentParser, searched: bool = False) -> None:
    """How it is trained. searched: what a search tries out is left away."""
    add_division(sub)
    how = sub.add_argument_group("recipe", "what is not given is as `trainer families --json` shows for the family")
    how.add_argument("--epochs", type=positive, metavar="N")
    how.add_argument("--epoch-windows", type=positive, metavar="N",
                     help="windows of one epoch (default: four for each clip, 1,024 to 24,576)")  # fmt: skip
    if not searched:
        how.add_argument("--batch", type=positive, metavar="N", help="windows a step")
        how.add_argument("--learning-rate", type=float, metavar="RATE", help="the highest of the schedule")
        how.add_argument("--weight-decay", type=float, metavar="RATE")
        how.add_argument(
            "--mixup", type=float, metavar="SHARE", help="of a batch, mixed with other windows, and so their labels"
        )
        how.add_argument(
            "--overlay",
            type=float,
            metavar="SHARE",
            help="of a batch, with other windows under what cries, or is louder",
        )
        how.add_argument("--noise", type=float, metavar="SHARE", help="of a batch, with steady noise over it")
        how.add_argument(
            "--mask", type=float, metavar="SHARE", help="of a batch, with bands and frames masked (SpecAugment)"
        )
        how.add_argument("--smoothing", type=float, metavar="SHARE", help="of the labels")
    how.add_argument("--schedule", choices=("one_cycle", "plateau", "constant"), help="of the learning rate")
    how.add_argument("--patience", type=int, metavar="N",
                     help="end after N epochs without a better validation; 0: never")  # fmt: skip
    how.add_argument("--balance", choices=("sampling", "weights", "none"), help="how rare labels are made to count")
    how.add_argument("--precision", choices=("float32", "bfloat16", "auto"), help="of the products while training")
    how.add_argument("--average", type=float, metavar="SHARE", help="of the averaged weights that a step leaves (EMA)")
    how.add_argument("--reuse", type=positive, metavar="N", help="epochs that share the windows drawn")
    how.add_argument("--seed", type=int, metavar="N")
    how.add_argument("--augment", default="", metavar="NAME[,THING=SHARE…]",
                     help="night, speech or none, and changes to it (default: by the labels)")  # fmt: skip
    how.add_argument("--no-codecs", action="store_true", help="leave out the copies through phone codecs")
    how.add_argument("--weights", action="append", default=[], type=weights, metavar="FAMILY=FROM",
                     help="pretrained ones: a hub name, a folder, a file, or 'random'")  # fmt: skip
    if not searched:
        how.add_argument("--members", type=positive, default=1, metavar="N",
                         help="networks from as many seeds that answer together (default: 1)")  # fmt: skip
    machine = sub.add_argument_group("machine")
    machine.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto, the quickest there)")
    machine.add_argument("--threads", type=positive, default=1, metavar="N", help="of the network (default: 1)")
    machine.add_argument("--workers", type=int, metavar="N", help="processes that draw windows (default: 1)")
    sub.add_argument("--licence", metavar="TEXT", help="of the model file (default: as the data it was trained on)",
                     default="")  # fmt: skip
