"""What the commands print: JSON events, progress lines, comparisons, and the one sentence of a refusal."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any, NoReturn

REFUSED, INTERRUPTED = 2, 130
"""Exit statuses: bad input, and Ctrl-C."""


class Parser(argparse.ArgumentParser):
    """Reports a wrong command line in one sentence, without the usage: with forty options that fills a screen."""

    def error(self, message: str) -> NoReturn:
        self.exit(REFUSED, f"{self.prog}: {message}. See {self.prog} --help.\n")


def print_event(values: dict[str, Any]) -> None:
    """Print one JSON object on a line of its own."""
    print(json.dumps(values, ensure_ascii=False), flush=True)


def warn_event(values: dict[str, Any]) -> None:
    """Print one JSON object on a line of standard error, beside what a command prints as its result."""
    warn(json.dumps(values, ensure_ascii=False))


def warn(sentence: str) -> None:
    """Print a sentence on standard error."""
    print(sentence, file=sys.stderr, flush=True)


def refuse(sentence: str, as_json: bool) -> int:
    """Report bad input. Returns the exit status."""
    print(sentence, file=sys.stderr)
    if as_json:
        print_event({"event": "failed", "error": sentence})
    return REFUSED


def interrupted(sentence: str) -> int:
    """Report Ctrl-C. Returns the exit status."""
    print(sentence, file=sys.stderr)
    return INTERRUPTED


def training_events(as_json: bool) -> Callable[[dict[str, Any]], None]:
    """Return the function that prints the events of a training.

    Without JSON it prints the labels and groups at the start and, where no progress bar is drawn, a line an epoch.
    """
    return print_event if as_json else _print_training_event


def _print_training_event(values: dict[str, Any]) -> None:
    if values["event"] == "started":
        sides = ", ".join(f"{side} {count}" for side, count in values["groups"].items())
        warn(f"{values['family']}: labels {', '.join(values['labels'])}; groups {sides}")
    elif values["event"] == "epoch" and not sys.stderr.isatty():
        figures = {name: value for name, value in values.items() if name not in ("event", "epoch", "epochs")}
        text = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures.items())
        warn(f"epoch {values['epoch']} of {values['epochs']}: {text}")


def print_comparison(report: dict[str, Any], finished: dict[str, Any], as_json: bool) -> None:
    """Print the comparison of an old model with a new one. finished: further values of the JSON event."""
    if as_json:
        print_event({"event": "finished", **finished, "refused": report["refused"]})
    else:
        print(_readable(report))


def _readable(report: dict[str, Any]) -> str:
    cries, no_cries, everyone = report["cries"], report["others"], report["everyone_else"]
    accuracy = report["balanced_accuracy"]
    lines = [report["how"]]
    if cries["clips"]:
        lines.append(
            f"of {cries['clips']} clips of crying {cries['old_caught']} were caught, now {cries['new_caught']}"
        )
    if no_cries["clips"]:
        lines.append(f"of {no_cries['clips']} others {no_cries['old_woke']} woke somebody, now {no_cries['new_woke']}")
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
