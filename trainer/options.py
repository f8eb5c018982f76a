"""What the command line takes for a value: types for argparse, which say what it must be instead, and a default."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


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


def above_zero(text: str) -> float:
    value: float = _number(text, float, "a number above 0", lambda value: 0 < value < float("inf"))
    return value


def default_cache() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("babymonitor", appauthor=False)) / "waves"
