"""`trainer families`: every family with its size, its input, what it needs and its recipe."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from trainer.commands import console
from trainer.training.recipe import Recipe, settings_json

if TYPE_CHECKING:
    from trainer.networks import Family

NAME = "families"
SUMMARY = "every family: name, parameters, input, what it needs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(arguments: argparse.Namespace) -> int:
    from trainer.networks import FAMILIES

    rows = [_row(family) for family in FAMILIES.values()]
    if arguments.json:
        console.print_event({"families": rows})
        return 0
    for row in rows:
        size = f"{row['parameters']:>11,} parameters" if row["parameters"] else f"{'fitted at once':>22}"
        print(f"{row['name']:18} {size}  {row['input']}  needs {row['needs']}")
        print(f"{'':18} {row['about']}")
        if row["parameters"]:
            recipe = row["recipe"]
            text = f"{recipe['epochs']} epochs, batches of {recipe['batch']}, learning rate {recipe['learning_rate']:g}"
            print(f"{'':18} {text}")
    return 0


def _row(family: Family) -> dict[str, Any]:
    """One family as JSON."""
    import torch

    from babymonitor.core.labels import LABELS

    published = {} if "/" in family.weights else "random"  # {}: the base configuration
    weights: tuple[Any, ...] = (published,) if family.weights else ()
    with torch.device("meta"):  # counts parameters without fetching weights or taking memory
        network = family.build(tuple(LABELS), family.front, *weights)
    front = family.front
    parameters = sum(values.numel() for values in network.parameters())
    return {
        "name": family.name,
        "parameters": parameters,
        "input": f"{front.features.kind} {front.features.rows} × {front.window_frames} ({front.seconds:.1f} s)",
        "needs": family.needs or "nothing more",
        "recipe": Recipe.of_family(family.recipe).to_dict(),
        "settings": settings_json(fitted_at_once=not parameters),
        "about": family.about,
    }
