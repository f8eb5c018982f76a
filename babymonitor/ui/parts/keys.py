"""The keys of a page: they work while the page can be seen, wherever the focus is, but type letters in a field."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget

KeyRow = tuple[str, tuple[str, ...], Callable[[], object]]
"""What the keys do, the keys, and the receiver."""


def add_keys(widget: QWidget, table: Iterable[KeyRow]) -> dict[str, QAction]:
    """Give a widget actions with keys. Returns them by key. Qt passes keys only to actions of visible widgets."""
    actions: dict[str, QAction] = {}
    for title, keys, receiver in table:
        action = QAction(title, widget)
        action.setShortcuts([QKeySequence(key) for key in keys])
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        action.triggered.connect(receiver)
        widget.addAction(action)
        actions.update(dict.fromkeys(keys, action))
    return actions


def press_focused_button() -> bool:
    """Press the button that has the focus, which somebody went to by Tab. Returns whether there was one."""
    focused = QApplication.focusWidget()
    if not isinstance(focused, QAbstractButton):
        return False
    focused.click()
    return True


def key_list(widget: QWidget) -> list[str]:
    """Return a line for each action of a widget that has a key and is enabled: "R  —  Record"."""
    rows = []
    for action in widget.actions():
        keys = ", ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts())
        if keys and action.isEnabled():
            rows.append((keys, action.text()))
    return [f"{keys}  —  {words}" for keys, words in _without_repeats(rows)]


def _without_repeats(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Join rows from "1 — Label 1" to "9 — Label 9" into "1 … 9 — Label 1 … 9"."""
    joined: list[tuple[str, str]] = []
    for keys, words in rows:
        first = joined[-1][0].partition(" … ")[0] if joined else ""
        if first.isdigit() and keys.isdigit() and words.endswith(keys):
            joined[-1] = f"{first} … {keys}", f"{words.removesuffix(keys)}{first} … {keys}"
        else:
            joined.append((keys, words))
    return joined


def key_table(groups: Iterable[list[str]]) -> str:
    """Return the lines of several widgets as rich text in two columns, because one would not fit a small screen.

    The first group stands on the left, all further groups on the right.
    """
    first, *further = [lines for lines in groups if lines]
    right = "<br><br>".join("<br>".join(map(escape, lines)) for lines in further)
    cells = ["<br>".join(map(escape, first)), *([right] if right else [])]
    cell = '<td style="white-space: pre; padding-right: 32px">{}</td>'
    return f"<table><tr>{''.join(map(cell.format, cells))}</tr></table>"
