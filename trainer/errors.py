"""The error for bad data or bad options, and two helpers for its sentences."""

from __future__ import annotations

from pathlib import Path


class DataError(Exception):
    """A data set that cannot be used; the message is one sentence for a person."""


def existing(path: Path) -> Path:
    """Return the path itself. Raises DataError if there is no such file."""
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    return path


def counted(count: int, noun: str) -> str:
    """Return the noun with its count: ``1 group``, ``2 groups``."""
    return f"{count} {noun}{'s' * (count != 1)}"
