"""A table of clips in which many can be chosen at once."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QItemSelectionRange, Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from babymonitor.core.library.library import LibraryClip
from babymonitor.ui.pages.label.library_model import CLIP_ROLE, Column, LibraryModel
from babymonitor.ui.parts.theme import Theme

NARROW_EMS = 40
_WITH_LEVEL_EMS, _WITH_GROUP_EMS = 52, 62
_WIDTHS_EM = {
    Column.LABEL: 14,
    Column.RECORDED: 11,
    Column.LENGTH: 4.8,
    Column.BABY: 5,
    Column.LEVEL: 5.6,
    Column.GROUP: 15,
}


class ClipsView(QTableView):
    """Rows only, no grid. What is chosen is told in clips, not in rows."""

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
        # Rows of one height: with 10,000 of them Qt need not ask each.
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        # Shared with the table, it asks of each column whether all its rows are chosen, at every repaint.
        header.setSelectionModel(QItemSelectionModel(model, header))
        header.setSectionsClickable(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(Column.NOTE, QHeaderView.ResizeMode.Stretch)
        self.setSortingEnabled(True)
        self.sortByColumn(Column.RECORDED, Qt.SortOrder.DescendingOrder)
        self.setAccessibleName(self.tr("Clips"))
        words = self.tr("Enter opens a clip, Space plays it, a number labels all that are chosen.")
        self.setAccessibleDescription(words)

    def set_theme(self, theme: Theme) -> None:
        self.verticalHeader().setDefaultSectionSize(round(theme.text_px * 2.2))
        for column, ems in _WIDTHS_EM.items():
            self.setColumnWidth(column, round(ems * theme.text_px))

    def use_width(self, ems: float) -> None:
        """So much room there is, in sizes of the text: what can be read in the clip itself goes first."""
        self.setColumnHidden(Column.BABY, ems < NARROW_EMS)
        self.setColumnHidden(Column.LEVEL, ems < _WITH_LEVEL_EMS)
        self.setColumnHidden(Column.GROUP, ems < _WITH_GROUP_EMS)

    def current_clip(self) -> LibraryClip | None:
        """The one that was chosen last."""
        index = self.currentIndex()
        clip: LibraryClip | None = index.data(CLIP_ROLE) if index.isValid() else None
        return clip

    def chosen_count(self) -> int:
        return sum(part.height() for part in self._chosen_parts())

    def chosen_ids(self) -> list[str]:
        """Ids of the rows that are chosen, from the top."""
        rows: set[int] = set()
        for part in self._chosen_parts():
            rows.update(range(part.top(), part.bottom() + 1))
        return [self._clips.shown[row].id for row in sorted(rows)]

    def _chosen_parts(self) -> list[QItemSelectionRange]:
        """Rows that follow each other; a selection has few of these, however many rows it has."""
        selection = self.selectionModel().selection()
        return [selection.at(number) for number in range(selection.count())]

    def choose(self, ids: Sequence[str]) -> None:
        """Choose the rows of these clips, as far as they are listed."""
        rows = sorted(row for id in ids if (row := self._clips.row_of(id)) is not None)
        selection = QItemSelection()
        first = 0
        # In stretches: thousands of single rows would take Qt seconds.
        for at, row in enumerate(rows):
            if at + 1 == len(rows) or rows[at + 1] != row + 1:
                last_column = len(Column) - 1
                selection.select(self._clips.index(rows[first], 0), self._clips.index(row, last_column))
                first = at + 1
        model = self.selectionModel()
        flag = QItemSelectionModel.SelectionFlag
        model.select(selection, flag.ClearAndSelect)
        if rows and not self.currentIndex().isValid():
            model.setCurrentIndex(self._clips.index(rows[0], 0), flag.NoUpdate)
