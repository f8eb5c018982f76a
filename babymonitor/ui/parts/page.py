"""What the window asks of each of its pages."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget


class Page(QWidget):
    """A page of the window. The window treats all pages alike and knows nothing else about them."""

    complained = Signal(object)
    """A sentence about something that went wrong: a `Message`, or a `str` in the person's language.

    An object, because a Signal(str) would turn a `Message` into a plain string, which cannot be translated.
    """

    own_keys: frozenset[str] = frozenset()
    """Keys that mean something else on this page than in the window, as `QKeySequence` writes them."""

    @property
    def busy_sentence(self) -> str:
        """What would be lost if the program were closed now; empty if nothing would be."""
        return ""

    def shut_down(self) -> None:
        """End whatever is under way, because the program ends."""
