"""The one way in which the window stores a setting."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from PySide6.QtCore import QCoreApplication

from babymonitor.core.settings import Setting, Settings

T = TypeVar("T", bool, int, float, str)


def try_to_save(change: Callable[[], None], complain: Callable[[str], object]) -> bool:
    """Make a change to the settings. Returns False, after one sentence to `complain`, if they could not be written.

    The change then still holds until the program ends. Whatever else `change` raises is passed on.
    """
    try:
        change()
    except OSError as error:
        sentence = QCoreApplication.translate("Settings", "The settings could not be saved: {error}.")
        complain(sentence.format(error=error.strerror or error))
        return False
    return True


def save_setting(settings: Settings, setting: Setting[T], value: T, complain: Callable[[str], object]) -> bool:
    """Set and save a setting, as `try_to_save` does. Raises SettingError if the value is not allowed."""
    return try_to_save(partial(settings.__setitem__, setting, value), complain)
