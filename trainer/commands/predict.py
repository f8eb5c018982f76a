"""`trainer predict`: print a model's verdict on sound files, as `babymonitor predict` does."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from trainer.commands import console, options

NAME = "predict"
SUMMARY = "print a model's verdict on sound files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    parser.add_argument("--model", type=options.model_file, required=True, metavar="FILE.onnx")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the JSON there")


def run(arguments: argparse.Namespace) -> int:
    from babymonitor.core.model.classifier import Classifier
    from babymonitor.core.model.score_file import entry_of
    from babymonitor.core.sound.files import sound_files
    from babymonitor.core.whole_file import write_whole

    classifier = Classifier(arguments.model)
    entries = [entry_of(file, classifier) for path in arguments.paths for file in sound_files(path)]
    report = {"files": entries}
    if arguments.output:
        text = json.dumps(report, indent=2, ensure_ascii=False)
        write_whole(arguments.output, text.encode(errors="backslashreplace"))
    if arguments.json:
        console.print_event(report)
    else:
        for entry in entries:
            if "error" in entry:
                console.warn(entry["error"])
            else:
                verdict = f"{entry['label']} {entry['confidence']:.0%} (crying {entry['crying']:.0%})"
                print(f"{entry['path']}: {verdict}")
    return 0 if any("error" not in entry for entry in entries) else console.REFUSED
