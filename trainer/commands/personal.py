"""The commands that teach a model one home and set two models side by side: `teach`, `rehearsal`, `versus`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.commands import options


def add_commands(command: Callable[[str, Any, str], argparse.ArgumentParser]) -> None:
    """Add them by `command`, which takes name, function and description."""
    teaching = command("teach", _teach, "teach a model your own clips, in seconds; it forgets nobody")
    teaching.add_argument("--model", type=options.model_file, required=True, metavar="FILE.onnx", help="the one in use")
    text = "your clips: a folder per label, in it one per recording or night"
    teaching.add_argument("--data", type=Path, action="append", required=True, metavar="DIR", help=text)
    teaching.add_argument("--output", type=options.model_file, required=True, metavar="FILE.onnx")
    teaching.add_argument("--comparison", type=Path, metavar="FILE.json", help="where old and new are set side by side")
    teaching.add_argument("--threads", type=options.positive, default=2, metavar="N", help="(default: 2)")
    teaching.add_argument("--json", action="store_true", help="one JSON object a line on standard output")

    rehearsing = command("rehearsal", _rehearsal, "write what a model rehearses while it is taught, beside it")
    rehearsing.add_argument("--model", type=options.model_file, required=True, metavar="FILE.onnx")
    options.add_data(rehearsing)
    options.add_division(rehearsing)
    rehearsing.add_argument("--output", type=Path, metavar="FILE.npz", help="default: NAME.rehearsal.npz beside it")
    rehearsing.add_argument("--threads", type=options.positive, default=1, metavar="N", help="(default: 1)")

    comparing = command("versus", _versus, "set two models side by side on the same clips")
    comparing.add_argument("--old", type=options.model_file, required=True, metavar="FILE.onnx")
    comparing.add_argument("--new", type=options.model_file, required=True, metavar="FILE.onnx")
    options.add_data(comparing)
    options.add_division(comparing)
    comparing.add_argument("--side", default="test", choices=options.SPLITS, help="of the data (default: test)")
    comparing.add_argument("--comparison", type=Path, metavar="FILE.json", help="where all of it is written")


def _event(values: dict[str, Any]) -> None:
    print(json.dumps(values, ensure_ascii=False), flush=True)


def _progress(values: dict[str, Any]) -> None:
    if values["event"] == "warning":
        print(values["sentence"], file=sys.stderr)


def _teach(arguments: argparse.Namespace) -> int:
    from trainer.home.teach import Request, metrics_of, teach

    request = Request(arguments.model, arguments.data, arguments.output, arguments.comparison, arguments.threads)
    report = teach(request, _event if arguments.json else _progress)
    _tell(arguments, report, {"model": str(arguments.output), "metrics": metrics_of(report)})
    return 0


def _tell(arguments: argparse.Namespace, report: dict[str, Any], told: dict[str, Any]) -> None:
    if arguments.json:
        comparison = str(arguments.comparison) if arguments.comparison else ""
        _event({"event": "finished", **told, "comparison": comparison, "refused": report["refused"]})
    else:
        print(readable(report))


def readable(report: dict[str, Any]) -> str:
    """A comparison in a few lines."""
    cries, others, everyone = report["cries"], report["others"], report["everyone_else"]
    accuracy = report["balanced_accuracy"]
    lines = [report["how"]]
    if cries["clips"]:
        lines.append(
            f"of {cries['clips']} clips of crying {cries['old_caught']} were caught, now {cries['new_caught']}"
        )
    if others["clips"]:
        lines.append(f"of {others['clips']} others {others['old_woke']} woke somebody, now {others['new_woke']}")
    if accuracy["new"]["value"] is not None:
        lines.append(f"balanced accuracy {accuracy['old']['value']:.3f}, now {accuracy['new']['value']:.3f}")
    if everyone and everyone["old_found"] is not None:
        lines.append(
            f"of other babies' cries {everyone['old_found']:.1%} are found, now {everyone['new_found']:.1%}; of other "
            f"sounds {everyone['others_raised_old']:.1%} raised, now {everyone['others_raised_new']:.1%}"
        )
    if report["refused"]:
        lines.append(f"Not to be used: {report['refused']}")
    return "\n".join(lines)


def _rehearsal(arguments: argparse.Namespace) -> int:
    from trainer.home.rehearsal import make, place_beside

    output = arguments.output or place_beside(arguments.model)
    counts = make(
        arguments.model, arguments.data, output, arguments.cache, arguments.segments, options.division(arguments),
        dict(arguments.merge), arguments.threads,
    )  # fmt: skip
    if arguments.json:
        _event({"event": "finished", "rehearsal": str(output), **counts})
    else:
        told = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
        print(f"{output}: {told}; {output.stat().st_size / 1e6:.2f} MB")
    return 0


def rehearse(arguments: argparse.Namespace, model: Path, event: Callable[[dict[str, Any]], None]) -> None:
    """Write the rehearsal of a model that was just trained with these options; one that cannot be taught has none."""
    from trainer.errors import DataError
    from trainer.home.rehearsal import make, place_beside

    try:
        make(
            model, arguments.data, place_beside(model), arguments.cache, arguments.segments,
            options.division(arguments), dict(arguments.merge),
        )  # fmt: skip
    except DataError as error:
        event({"event": "warning", "sentence": str(error)})


def _versus(arguments: argparse.Namespace) -> int:
    from trainer.home.old_and_new import versus, write
    from trainer.home.teach import metrics_of

    report = versus(
        arguments.old, arguments.new, arguments.data, arguments.side, arguments.cache, arguments.segments,
        options.division(arguments), dict(arguments.merge),
    )  # fmt: skip
    if arguments.comparison:
        write(arguments.comparison, report)
    _tell(arguments, report, {"model": str(arguments.new), "metrics": metrics_of(report)})
    return 0
