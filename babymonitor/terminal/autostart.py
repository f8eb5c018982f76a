"""`babymonitor autostart`: whether the window opens when you log in."""

from __future__ import annotations

import argparse
import sys

from babymonitor.core import autostart


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["on", "off", "status"])


def run(arguments: argparse.Namespace) -> int:
    """Returns 0 on success; `status` returns 0 if it is on and 1 if it is off."""
    try:
        if arguments.action == "on":
            autostart.turn_on()
        elif arguments.action == "off":
            autostart.turn_off()
    except OSError as error:
        print(f"{autostart.entry()} cannot be changed: {error.strerror or error}.", file=sys.stderr)
        return 2
    is_on = autostart.is_on()
    print("The window opens when you log in." if is_on else "The window does not open by itself.")
    return 0 if is_on or arguments.action != "status" else 1
