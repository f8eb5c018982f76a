"""Keys of a page: they work while it can be seen, wherever the focus is, and stay letters in a field."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget

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


def press_focused_button() -> bool:
    """Press the button that has the focus, for whoever went there by Tab; whether there was one."""
    focused = QApplication.focusWidget()
    if not isinstance(focused, QAbstractButton):
        return False
    focused.click()
    return True


def key_list(widget: QWidget) -> list[str]:
    """A line for each action of a widget that has a key, and can be done now: "R  —  Record"."""
    rows = []
    for action in widget.actions():
        keys = ", ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts())
        if keys and action.isEnabled():
            rows.append((keys, action.text()))
    return [f"{keys}  —  {words}" for keys, words in _without_repeats(rows)]


def _without_repeats(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """ "1 — Label 1" to "9 — Label 9" are one row: "1 … 9 — Label 1 … 9"."""
    found: list[tuple[str, str]] = []
    for keys, words in rows:
        first = found[-1][0].partition(" … ")[0] if found else ""
        if first.isdigit() and keys.isdigit() and words.endswith(keys):
            found[-1] = f"{first} … {keys}", f"{words.removesuffix(keys)}{first} … {keys}"
        else:
            found.append((keys, words))
    return found


def key_table(groups: Iterable[list[str]]) -> str:
    """The lines of several widgets as rich text, beside each other: else they would be higher than a small screen.

    The first stand on the left, all others on the right.
    """
    first, *others = [lines for lines in groups if lines]
    right = "<br><br>".join("<br>".join(map(escape, lines)) for lines in others)
    cells = ["<br>".join(map(escape, first)), *([right] if right else [])]
    cell = '<td style="white-space: pre; padding-right: 32px">{}</td>'
    return f"<table><tr>{''.join(map(cell.format, cells))}</tr></table>"
