"""Options that several commands share: argument types, groups of options, and what the options describe."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.commands import console
from trainer.training.recipe import KINDS, MACHINE, RECIPE, SETTINGS, Recipe

if TYPE_CHECKING:
    from trainer.data.split import Division
    from trainer.training.request import TrainingRequest

SPLITS = ("train", "validation", "test", "evaluation-only", "all")
"""The parts of a data set that a model may be judged by."""

# --------------------------------------------------------------------------------------------------------------- types


def pair(text: str, form: str = "LABEL=AS") -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not name or not value:
        raise argparse.ArgumentTypeError(f"it must read {form}, not {text}")
    return name, value


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


def _number(text: str, kind: type[int] | type[float], range: str, fits: Callable[[float], bool]) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = float("nan")  # fits nowhere
    if not fits(value):
        raise argparse.ArgumentTypeError(f"it must be {range}, not {text}")
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
    """Return the folder of decoded sound in the user's cache."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("babymonitor", appauthor=False)) / "waves"


# -------------------------------------------------------------------------------------------------------------- groups


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the data set, where its sound is kept, and --json."""
    text = "a data set folder; more than one --data make one data set"
    parser.add_argument("--data", type=Path, action="append", required=True, metavar="DIR", help=text)
    parser.add_argument(
        "--segments", type=Path, metavar="FILE.csv", help="who is heard when; overrides the labels of clips"
    )
    text = "where decoded sound is kept (default: the user's cache folder)"
    parser.add_argument("--cache", type=Path, default=default_cache(), metavar="DIR", help=text)
    parser.add_argument("--json", action="store_true", help="one JSON object a line on standard output")


def add_division(parser: argparse.ArgumentParser) -> None:
    """Add what labels count as, and how groups are divided; `division` reads the latter."""
    text = "which groups train, validate and test; a group is never on two sides"
    group = parser.add_argument_group("labels and sides", text)
    text = "count one label as another; may be repeated"
    group.add_argument("--merge", action="append", default=[], type=pair, metavar="LABEL=AS", help=text)
    text = "per cent for training, validation and test (default: 70,15,15)"
    group.add_argument("--shares", type=shares, default="70,15,15", metavar="A,B,C", help=text)
    group.add_argument("--sides", type=Path, metavar="FILE.csv", help="columns group,split: the side of each group")
    group.add_argument("--folds", type=int, default=0, metavar="N", help="divide the groups into N parts")
    group.add_argument("--fold", type=int, default=0, metavar="K", help="the part to test on (default: 0, the first)")
    group.add_argument(
        "--split-by-clip", action="store_true", help="divide clips, not groups: the figures are too good"
    )


def add_recipe(parser: argparse.ArgumentParser, searched: bool = False) -> None:
    """Add how to divide and train; `training_request` reads it. searched: leave out what `trainer tune` tries."""
    add_division(parser)
    text = "defaults are the family's, see `trainer families --json`"
    group = parser.add_argument_group("recipe", text)
    add_settings(group, RECIPE, searched)
    text = "night, speech or none, with changes (default: by the labels)"
    group.add_argument("--augment", default="", metavar="NAME[,THING=SHARE…]", help=text)
    group.add_argument("--no-codecs", action="store_true", help="do not hear copies through phone codecs")
    text = "pretrained weights: a hub name, a folder, a file, or 'random'"
    group.add_argument("--weights", action="append", default=[], type=weights, metavar="FAMILY=FROM", help=text)
    machine = parser.add_argument_group("machine")
    text = "auto, cpu, cuda or mps (default: auto, the quickest)"
    machine.add_argument("--device", default="auto", help=text)
    machine.add_argument("--threads", type=positive, default=1, metavar="N", help="threads of the network (default: 1)")
    add_settings(machine, MACHINE)
    text = "licence of the model file (default: as the data it was trained on)"
    parser.add_argument("--licence", metavar="TEXT", help=text, default="")


def add_settings(group: argparse._ActionsContainer, section: str, searched: bool = False) -> None:
    """Add the options of a section of the recipe. searched: leave out what `trainer tune` tries."""
    for name, setting in SETTINGS.items():
        if setting.section != section or (searched and setting.search):
            continue
        option = f"--{name.replace('_', '-')}"
        if setting.choices:
            group.add_argument(option, choices=setting.choices, help=setting.help)
        else:
            counts = KINDS[name] is int and bool(setting.least)
            group.add_argument(
                option, type=positive if counts else KINDS[name], metavar=setting.metavar, help=setting.help
            )


def add_comparison(parser: argparse.ArgumentParser, text: str) -> None:
    """Add where a comparison of two models is written; `print_comparison` reads it."""
    parser.add_argument("--comparison", type=Path, metavar="FILE.json", help=text)


# --------------------------------------------------------------------------------------------- what they describe


def division(arguments: argparse.Namespace) -> Division:
    """Return how the options of `add_division` divide a data set. Raises DataError for a fold without folds."""
    from trainer.data.split import Division
    from trainer.errors import DataError

    if arguments.fold and not arguments.folds:
        raise DataError(f"--fold {arguments.fold} needs --folds: the number of parts.")
    return Division(
        shares=arguments.shares,
        sides=arguments.sides,
        folds=arguments.folds,
        fold=arguments.fold,
        by_clip=arguments.split_by_clip,
    )


def training_request(arguments: argparse.Namespace, family: str, output: Path) -> TrainingRequest:
    """Return the training of one family that the options of `add_data` and `add_recipe` describe.

    Raises DataError for an unknown family, weights that it cannot take, a setting that cannot be, or a missing file.
    """
    from trainer.errors import DataError
    from trainer.networks import FAMILIES
    from trainer.training.request import TrainingRequest

    if family not in FAMILIES:
        raise DataError(f"There is no family '{family}'; there is {', '.join(FAMILIES)}.")
    chosen_weights = dict(arguments.weights)
    unknown = [name for name in chosen_weights if name not in FAMILIES or not FAMILIES[name].weights]
    if unknown:
        raise DataError(f"The family '{unknown[0]}' takes no weights; --weights wants FAMILY=FROM.")
    begin_from = getattr(arguments, "begin_from", None)
    if begin_from and not begin_from.is_file():
        raise DataError(f"There is no file {begin_from} to begin from.")
    settings = {name: getattr(arguments, name, None) for name in SETTINGS}
    return TrainingRequest(
        data=arguments.data,
        family=family,
        output=output,
        recipe=Recipe.of_family(FAMILIES[family].recipe, settings),
        cache=arguments.cache,
        segments=arguments.segments,
        merged=dict(arguments.merge),
        division=division(arguments),
        augmentation=arguments.augment,
        begin_from=begin_from,
        weights=chosen_weights.get(family),
        teacher=getattr(arguments, "teacher", None),
        resume=getattr(arguments, "resume", False),
        codecs=not arguments.no_codecs,
        device=arguments.device,
        licence=arguments.licence,
        name=getattr(arguments, "name", ""),
    )


def print_comparison(
    arguments: argparse.Namespace, report: dict[str, Any], model: Path, metrics: dict[str, Any]
) -> None:
    """Print the comparison of an old model with `model`. metrics: its figures that fit into a line."""
    comparison = str(arguments.comparison) if arguments.comparison else ""
    finished = {"model": str(model), "metrics": metrics, "comparison": comparison}
    console.print_comparison(report, finished, arguments.json)
