"""A table of clips in which several can be selected at once."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QItemSelectionRange, Qt, Slot
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from babymonitor.core.library.library import LibraryClip
from babymonitor.ui.pages.label.library_model import CLIP_ROLE, ClipColumn, LibraryModel
from babymonitor.ui.parts.theme import current_theme, follow_theme

NARROW_EMS = 40
_WITH_LEVEL_EMS, _WITH_GROUP_EMS = 52, 62
_WIDTHS_EM = {
    ClipColumn.LABEL: 14,
    ClipColumn.RECORDED: 11,
    ClipColumn.LENGTH: 4.8,
    ClipColumn.BABY: 5,
    ClipColumn.LEVEL: 5.6,
    ClipColumn.GROUP: 15,
}


class ClipsView(QTableView):
    """Rows without a grid. The selection is given as clips, not as rows."""

    def __init__(self, model: LibraryModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._clips = model
        self.setModel(model)
        self.setProperty("role", "clips")
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        # All rows have one height: Qt need not ask each of 10,000.
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        # WORKAROUND QHeaderView: if it shares the table's selection, it asks at every repaint whether all rows of each
        # column are selected, which is slow for 10,000 rows.
        header.setSelectionModel(QItemSelectionModel(model, header))
        header.setSectionsClickable(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(ClipColumn.NOTE, QHeaderView.ResizeMode.Stretch)
        self.setSortingEnabled(True)
        self.sortByColumn(ClipColumn.RECORDED, Qt.SortOrder.DescendingOrder)
        self.setAccessibleName(self.tr("Clips"))
        words = self.tr("Enter opens a clip, Space plays it, a number labels all that are chosen.")
        self.setAccessibleDescription(words)
        follow_theme(self._apply_theme)

    @Slot()
    def _apply_theme(self) -> None:
        text_px = current_theme().text_px
        self.verticalHeader().setDefaultSectionSize(round(text_px * 2.2))
        for column, ems in _WIDTHS_EM.items():
            self.setColumnWidth(column, round(ems * text_px))

    def use_width(self, ems: float) -> None:
        """Hide columns that have no room, least important first. ems: the width in sizes of the text."""
        self.setColumnHidden(ClipColumn.BABY, ems < NARROW_EMS)
        self.setColumnHidden(ClipColumn.LEVEL, ems < _WITH_LEVEL_EMS)
        self.setColumnHidden(ClipColumn.GROUP, ems < _WITH_GROUP_EMS)

    def current_clip(self) -> LibraryClip | None:
        """Return the clip that was selected last."""
        index = self.currentIndex()
        clip: LibraryClip | None = index.data(CLIP_ROLE) if index.isValid() else None
        return clip

    def chosen_count(self) -> int:
        """Return how many clips are selected."""
        return sum(part.height() for part in self._chosen_parts())

    def chosen_ids(self) -> list[str]:
        """Return the ids of the selected clips, from the top."""
        rows: set[int] = set()
        for part in self._chosen_parts():
            rows.update(range(part.top(), part.bottom() + 1))
        return [self._clips.shown[row].id for row in sorted(rows)]

    def _chosen_parts(self) -> list[QItemSelectionRange]:
        """Return the selection as ranges of rows; it has few of them, however many rows it has."""
        selection = self.selectionModel().selection()
        return [selection.at(number) for number in range(selection.count())]

    def choose(self, ids: Sequence[str]) -> None:
        """Select these clips, as far as they are listed."""
        rows = sorted(row for id in ids if (row := self._clips.row_of(id)) is not None)
        selection = QItemSelection()
        first = 0
        # Range by range: thousands of single rows would take Qt seconds.
        for index, row in enumerate(rows):
            if index + 1 == len(rows) or rows[index + 1] != row + 1:
                last_column = len(ClipColumn) - 1
                selection.select(self._clips.index(rows[first], 0), self._clips.index(row, last_column))
                first = index + 1
        model = self.selectionModel()
        flag = QItemSelectionModel.SelectionFlag
        model.select(selection, flag.ClearAndSelect)
        if rows and not self.currentIndex().isValid():
            model.setCurrentIndex(self._clips.index(rows[0], 0), flag.NoUpdate)
