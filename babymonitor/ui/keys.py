"""Keys of a page: they work while it can be seen, wherever the focus is, and stay letters in a field."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

Row = tuple[str, tuple[str, ...], Callable[[], object]]
"""What it does, its keys, who is told."""


def add_keys(widget: QWidget, table: Iterable[Row]) -> dict[str, QAction]:
    """Give a widget actions with keys. Qt passes keys to the actions of those that are visible alone."""
    made: dict[str, QAction] = {}
    for title, keys, receiver in table:
        action = QAction(title, widget)
        action.setShortcuts([QKeySequence(key) for key in keys])
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.triggered.connect(receiver)
        widget.addAction(action)
        made.update(dict.fromkeys(keys, action))
    return made


def key_list(widget: QWidget) -> list[str]:
    """A line for each action of a widget that has a key: "R  —  Record"."""
    lines = []
    for action in widget.actions():
        keys = ", ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts())
        if keys:
            lines.append(f"{keys}  —  {action.text()}")
    return lines
