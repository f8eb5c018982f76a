"""`babymonitor devices`: the microphones seen."""

from __future__ import annotations

import argparse
import json

from babymonitor.live.sound_card import SoundCard


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="a JSON list of names, the system's choice first")


def run(arguments: argparse.Namespace) -> int:
    names = SoundCard().microphones()
    if arguments.json:
        print(json.dumps(names, ensure_ascii=False))
    elif names:
        for number, name in enumerate(names):
            print(name + ("  (the system's choice)" if number == 0 else ""))
    else:
        print("No microphone was found.")
    return 0
