"""`babymonitor predict`: what each file sounds like."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from babymonitor.core import paths
from babymonitor.core.labels import label
from babymonitor.core.model.classifier import Classifier, ModelError
from babymonitor.core.model.score_file import entry_of
from babymonitor.core.sound.files import sound_files
from babymonitor.core.whole_file import write_whole
from babymonitor.live import torch_conversion


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="sound files, or folders of them")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of bars")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON there, too")
    parser.add_argument("--model", type=Path, help="another model file")


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 if at least one file was judged, 2 if none was or the model cannot be used."""
    try:
        wanted = arguments.model or paths.default_model()
        classifier = Classifier(torch_conversion.usable(wanted, lambda text: print(text, file=sys.stderr, flush=True)))
    except ModelError as error:
        print(error, file=sys.stderr)
        return 2
    files: list[dict[str, Any]] = []
    for path in (file for argument in arguments.paths for file in sound_files(argument)):
        files.append(entry_of(path, classifier))
        if not arguments.json:
            _print_bars(files[-1])
    text = json.dumps({"files": files}, indent=2, ensure_ascii=False)
    if arguments.json:
        print(text)
    if not files:
        print("No sound file was found there.", file=sys.stderr)
    if arguments.output is not None:
        try:
            write_whole(arguments.output, (text + "\n").encode(errors="backslashreplace"))
        except OSError as error:
            print(f"{arguments.output} cannot be written: {error.strerror}.", file=sys.stderr)
            return 2
    return 0 if any("error" not in file for file in files) else 2


def _print_bars(entry: dict[str, Any]) -> None:
    print(entry["path"])
    if "error" in entry:
        print(f"  {entry['error']}\n")
        return
    print(f"  {label(entry['label']).title} ({entry['confidence']:.0%}), crying {entry['crying']:.0%}")
    for name, share in entry["probabilities"].items():
        print(f"  {label(name).title:<24} {share:6.1%} {'█' * round(30 * share)}")
    print()
