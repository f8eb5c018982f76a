"""The library's clips as rows of a table: filtered and sorted here, whole lists at a time.

Not by QSortFilterProxyModel: it asks Python about every row, once to filter and a dozen times to sort. Of 10,000 clips
a list comprehension makes what is shown in a few milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QCoreApplication,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRectF,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap

from babymonitor.core.labels import label
from babymonitor.core.library.library import LibraryClip
from babymonitor.ui.parts.theme import LIGHT, Theme
from babymonitor.ui.parts.wording import day_text, label_title, level_text, plain, reason_hint, short_label_title

_Index = QModelIndex | QPersistentModelIndex


class Column(IntEnum):
    """The table's columns, in order."""

    LABEL = 0
    RECORDED = 1
    LENGTH = 2
    BABY = 3
    NOTE = 4
    LEVEL = 5
    GROUP = 6


CLIP_ROLE = Qt.ItemDataRole.UserRole


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which clips are listed. None: any. text: words that all have to be found."""

    label: str | None = None
    baby: str | None = None
    group: str | None = None
    text: str = ""


def label_words(name: str) -> str:
    """A clip's label as a person reads it in a table; one that has none says so."""
    return short_label_title(name) if name else _tr("No label yet")


def _tr(text: str) -> str:
    return QCoreApplication.translate("Library", text)


class LibraryModel(QAbstractTableModel):
    """All clips are given by `set_clips`; `show_only` says which of them are rows."""

    note_edited = Signal(str, str)
    """Id and the new note."""
    baby_edited = Signal(str, str)
    """Id and the new name."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._clips: list[LibraryClip] = []
        self._texts: dict[str, tuple[LibraryClip, str]] = {}
        self._shown: list[LibraryClip] = []
        self._rows: dict[str, int] = {}
        self._wanted = Wanted()
        self._sorted_by = (Column.RECORDED, True)
        self._theme = LIGHT
        self._moments: dict[float, str] = {}
        self._days: dict[tuple[int, ...], str] = {}
        self._signs: dict[str, QIcon] = {}

    @property
    def clips(self) -> list[LibraryClip]:
        """All of them, whether listed or not."""
        return self._clips

    @property
    def shown(self) -> list[LibraryClip]:
        """Those that are listed, in order."""
        return self._shown

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._signs.clear()

    def _sign(self, name: str) -> QIcon:
        """A label's sign in its colour: words alone are slow to scan."""
        if name not in self._signs:
            side = round(self._theme.text_px * 1.2)
            sign = QPixmap(2 * side, 2 * side)
            sign.setDevicePixelRatio(2.0)
            sign.fill(Qt.GlobalColor.transparent)
            painter = QPainter(sign)
            font = painter.font()
            font.setPixelSize(self._theme.text_px)
            painter.setFont(font)
            colour = self._theme.label_colour(name) if name else self._theme.colours.muted
            painter.setPen(QColor(colour))
            painter.drawText(QRectF(0, 0, side, side), Qt.AlignmentFlag.AlignCenter, label(name).icon if name else "–")
            painter.end()
            # Qt tints what is chosen: a label's colour must stay its own.
            self._signs[name] = QIcon(sign)
            self._signs[name].addPixmap(sign, QIcon.Mode.Selected)
        return self._signs[name]

    def set_clips(self, clips: Sequence[LibraryClip]) -> None:
        """Other clips; where only values changed, the rows stay where they are."""
        self._clips = list(clips)
        self._show()

    def update_clips(self, changed: Mapping[str, LibraryClip | None]) -> None:
        """Other values for some clips by their ids, None for those that are gone; new ones may be among them."""
        changed = dict(changed)
        kept = [changed.pop(clip.id) if clip.id in changed else clip for clip in self._clips]
        self._clips = [clip for clip in (*changed.values(), *kept) if clip is not None]
        self._show()

    def show_only(self, wanted: Wanted) -> None:
        if wanted != self._wanted:
            self._wanted = wanted
            self._show()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        if column >= 0:
            self._sorted_by = (Column(column), order is Qt.SortOrder.DescendingOrder)
            self._show()

    def row_of(self, id: str) -> int | None:
        """Where a clip is listed."""
        return self._rows.get(id)

    def _show(self) -> None:
        shown = self._chosen()
        column, is_falling = self._sorted_by
        shown.sort(key=_SORT_KEYS[column], reverse=is_falling)
        if [clip.id for clip in shown] == [clip.id for clip in self._shown]:
            self._shown = shown
            if shown:
                self.dataChanged.emit(self.index(0, 0), self.index(len(shown) - 1, len(Column) - 1))
            return
        self.beginResetModel()
        self._shown = shown
        self._rows = {clip.id: row for row, clip in enumerate(shown)}
        self.endResetModel()

    def _chosen(self) -> list[LibraryClip]:
        wanted, clips = self._wanted, self._clips
        if wanted.label is not None:
            clips = [clip for clip in clips if clip.label == wanted.label]
        if wanted.baby is not None:
            clips = [clip for clip in clips if clip.baby == wanted.baby]
        if wanted.group is not None:
            clips = [clip for clip in clips if clip.group == wanted.group]
        words = wanted.text.lower().split()
        if not words:
            return list(clips)
        return [clip for clip in clips if all(word in text for text in (self._text(clip),) for word in words)]

    def _text(self, clip: LibraryClip) -> str:
        """All that a search looks at, made once for each state of a clip."""
        known = self._texts.get(clip.id)
        if known is not None and known[0] is clip:
            return known[1]
        words = label_words(clip.label), label_title(clip.label) if clip.label else ""
        parts = (*words, clip.label, clip.baby, clip.note, clip.group, clip.origin)
        text = " ".join((*parts, self._moment(clip))).lower()
        self._texts[clip.id] = (clip, text)
        return text

    def _moment(self, clip: LibraryClip) -> str:
        text = self._moments.get(clip.recorded)
        if text is None:
            local = time.localtime(clip.recorded)
            day = local[:3]
            if day not in self._days:  # a language's words for a day take longer than all the rest
                self._days[day] = day_text(clip.recorded)
            text = f"{self._days[day]}  {local.tm_hour:02d}:{local.tm_min:02d}"
            self._moments[clip.recorded] = text
        return text

    # ------------------------------------------------------------------------------------------------------ Qt's side

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own signature
        return 0 if parent.isValid() else len(self._shown)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(Column)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Vertical:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return {
            Column.LABEL: _tr("Label"),
            Column.RECORDED: _tr("Heard"),
            Column.LENGTH: _tr("Length"),
            Column.BABY: _tr("Baby"),
            Column.NOTE: _tr("Note"),
            Column.LEVEL: _tr("Level"),
            Column.GROUP: _tr("Recording or night"),
        }[Column(section)]

    def flags(self, index: _Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.isValid() and index.column() in (Column.NOTE, Column.BABY):
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._words(self._shown[index.row()], index.column())
        if role == CLIP_ROLE:
            return self._shown[index.row()]
        if role == Qt.ItemDataRole.DecorationRole and index.column() == Column.LABEL:
            return self._sign(self._shown[index.row()].label)
        if role == Qt.ItemDataRole.ForegroundRole and index.column() == Column.LABEL:
            name = self._shown[index.row()].label
            return QColor(self._theme.colours.muted) if not name else None
        if role == Qt.ItemDataRole.EditRole:
            return self._words(self._shown[index.row()], index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(self._shown[index.row()], index.column())
        return None

    def setData(self, index: _Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """An edit is only told: whoever keeps the library does it, and the rows come back changed."""
        if not index.isValid() or role != Qt.ItemDataRole.EditRole:
            return False
        clip, text = self._shown[index.row()], str(value).strip()
        if index.column() == Column.NOTE and text != clip.note:
            self.note_edited.emit(clip.id, text)
        elif index.column() == Column.BABY and text != clip.baby:
            self.baby_edited.emit(clip.id, text)
        return True

    def _words(self, clip: LibraryClip, column: int) -> str:
        if column == Column.LABEL:
            return label_words(clip.label)
        if column == Column.RECORDED:
            return self._moment(clip)
        if column == Column.LENGTH:
            return f"{clip.seconds:.1f} s"
        if column == Column.BABY:
            return clip.baby
        if column == Column.NOTE:
            return clip.note
        if column == Column.LEVEL:
            return level_text(clip.level_db) + (" ▲" if clip.is_clipped else "")
        return clip.group

    def _tip(self, clip: LibraryClip, column: int) -> str | None:
        if column == Column.LEVEL and clip.is_clipped:
            return _tr("Too loud for the microphone: parts of it are distorted.")
        if column == Column.NOTE:
            return plain(clip.note) or _tr("F2 writes a note.")
        if column == Column.LABEL and clip.guess:
            crying = {name: share for name, share in clip.guess.items() if label(name).crying}
            total = sum(crying.values())
            return reason_hint({name: share / total for name, share in crying.items()}) if total > 0.3 else None
        if column == Column.GROUP:
            return plain(clip.origin or clip.group)
        return None


_SORT_KEYS: dict[Column, Any] = {
    Column.LABEL: lambda clip: (clip.label, clip.recorded),
    Column.RECORDED: lambda clip: clip.recorded,
    Column.LENGTH: lambda clip: clip.seconds,
    Column.BABY: lambda clip: (clip.baby.lower(), clip.recorded),
    Column.NOTE: lambda clip: (clip.note.lower(), clip.recorded),
    Column.LEVEL: lambda clip: clip.level_db,
    Column.GROUP: lambda clip: (clip.group, clip.recorded),
}
