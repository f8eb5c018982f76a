"""The list of clips that wait for a label."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QItemSelectionModel, Qt, Signal, Slot
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from babymonitor.core.library.library import LibraryClip
from babymonitor.ui.parts.card import Card
from babymonitor.ui.parts.text_label import wrapped_label
from babymonitor.ui.parts.theme import current_theme, follow_theme
from babymonitor.ui.parts.wording import clock_text, day_text, plain

_MOST_SHOWN = 300
"""More than anybody looks through at once; the rest follows as these are labelled."""


class ClipQueue(Card):
    """The newest clip first. A click asks for a clip, and `show_open` marks the one that is open."""

    clip_chosen = Signal(str)
    """The id of the clip that was clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._ids: list[str] = []
        self._waiting = 0
        self.title_label = wrapped_label("", "title", self)
        self.list = QListWidget(self)
        self.list.setAccessibleName(self.tr("Clips without a label"))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setUniformItemSizes(True)
        self.list.itemClicked.connect(self._on_item_chosen)
        self.list.itemActivated.connect(self._on_item_chosen)
        words = self.tr("What you record or import waits here for its label.")
        self.empty_label = wrapped_label(words, "muted", self)
        self.empty_label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.empty_label.setContentsMargins(8, 4, 4, 4)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 10, 6, 8)
        column.setSpacing(4)
        self.title_label.setContentsMargins(8, 0, 0, 0)
        column.addWidget(self.title_label)
        column.addWidget(self.list, 1)
        column.addWidget(self.empty_label, 1)
        follow_theme(self._apply_theme)

    @property
    def count(self) -> int:
        """How many clips wait, listed or not."""
        return self._waiting

    @property
    def ids(self) -> list[str]:
        """The ids of the clips that are listed, in order."""
        return self._ids

    @Slot()
    def _apply_theme(self) -> None:
        self.setFixedWidth(round(current_theme().text_px * 12.2))

    def set_clips(self, clips: Sequence[LibraryClip]) -> None:
        """Show the clips that wait."""
        self._waiting = len(clips)
        shown = clips[:_MOST_SHOWN]
        self.title_label.setText(self.tr("No label yet · {n}").format(n=len(clips)))
        self.list.setVisible(bool(clips))
        self.empty_label.setVisible(not clips)
        if [clip.id for clip in shown] == self._ids:
            return
        self._ids = [clip.id for clip in shown]
        self.list.clear()
        for clip in shown:
            item = QListWidgetItem(_words(clip))
            item.setData(Qt.ItemDataRole.UserRole, clip.id)
            item.setToolTip(plain(clip.origin or clip.group))
            self.list.addItem(item)

    def show_open(self, id: str) -> None:
        """Mark the clip that is open, if it is listed."""
        flag = QItemSelectionModel.SelectionFlag
        if id in self._ids:
            self.list.setCurrentRow(self._ids.index(id), flag.ClearAndSelect)
        else:
            self.list.setCurrentRow(-1, flag.Clear)

    def next_after(self, id: str, step: int = 1) -> str:
        """Return the id of the clip `step` places after a clip, or the first if that clip is not listed.

        Returns "" if no further clip is listed.
        """
        if not [listed for listed in self._ids if listed != id]:
            return ""
        if id not in self._ids:
            return self._ids[0]
        return self._ids[(self._ids.index(id) + step) % len(self._ids)]

    @Slot(QListWidgetItem)
    def _on_item_chosen(self, item: QListWidgetItem) -> None:
        self.clip_chosen.emit(str(item.data(Qt.ItemDataRole.UserRole)))


def _words(clip: LibraryClip) -> str:
    """Return when a clip was recorded, or its file's name, and its length."""
    if clip.source == "import" and clip.origin:
        name = clip.origin if len(clip.origin) <= 18 else f"{clip.origin[:9]}…{clip.origin[-8:]}"
        return f"{name}\n{clip.seconds:.1f} s"
    return f"{day_text(clip.recorded, 'd MMM')}  {clock_text(clip.recorded, with_seconds=True)}\n{clip.seconds:.1f} s"
