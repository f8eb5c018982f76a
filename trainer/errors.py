"""The error of bad data or bad options, and the small words that its sentences share."""

from __future__ import annotations

from pathlib import Path


class DataError(Exception):
    """A data set that cannot be used; the message is one sentence for a person."""


def existing(path: Path) -> Path:
    """The path itself; DataError where no file is there."""
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    return path


def counted(count: int, noun: str) -> str:
    """``1 group``, ``2 groups``."""
    return f"{count} {noun}{'s' * (count != 1)}"
