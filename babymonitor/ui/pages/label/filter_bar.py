"""The filters above the table of clips: label, baby, recording or night, and a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QSizePolicy, QWidget

from babymonitor.core.library.library import LibraryClip
from babymonitor.ui.pages.label.clips_view import NARROW_EMS
from babymonitor.ui.pages.label.library_model import ClipFilter, label_words
from babymonitor.ui.parts.choice_view import ChoiceView

_WAIT_MS = 120
"""After the last letter of a search."""
_THREE_BOXES_EMS = 52
"""A table this wide, in sizes of the text, has room to read three boxes beside each other."""
_TRASH = "\0trash"


class FilterBar(QWidget):
    """Says which clips are listed; the trash is one of the choices."""

    changed = Signal()
    """Other clips are to be listed: see `clip_filter` and `is_trash`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.label_box, self.baby_box, self.group_box = ChoiceView(self), ChoiceView(self), ChoiceView(self)
        for box, name in (
            (self.label_box, self.tr("Show which labels")),
            (self.baby_box, self.tr("Show which baby")),
            (self.group_box, self.tr("Show which recording or night")),
        ):
            box.setAccessibleName(name)
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            box.currentIndexChanged.connect(self.find_now)
        self.search_edit = QLineEdit(self)
        self.search_edit.setPlaceholderText(self.tr("Search"))
        self.search_edit.setToolTip(self.tr("Notes, names, labels, days (Ctrl+F)"))
        self.search_edit.setClearButtonEnabled(True)
        self.search_edit.setAccessibleName(self.tr("Search"))
        self._search_timer = QTimer(self)
        self._search_timer.setSingleShot(True)
        self._search_timer.setInterval(_WAIT_MS)
        self._search_timer.timeout.connect(self.find_now)
        self.search_edit.textChanged.connect(self._search_timer.start)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        # Labels have the longest words; the search has room for a name or two.
        row.addWidget(self.label_box, 36)
        row.addWidget(self.baby_box, 23)
        row.addWidget(self.group_box, 26)
        row.addWidget(self.search_edit, 23)

    @property
    def is_trash(self) -> bool:
        """Whether the clips in the trash are to be listed."""
        return bool(self.label_box.currentData() == _TRASH)

    @property
    def clip_filter(self) -> ClipFilter:
        """Which clips are to be listed, of the library or of the trash."""
        label = None if self.is_trash else self.label_box.currentData()
        return ClipFilter(label, self.baby_box.currentData(), self.group_box.currentData(), self.search_edit.text())

    def show_choices(self, clips: Sequence[LibraryClip], labels: Sequence[str], counts: Mapping[str, int]) -> None:
        """Offer what the clips have. labels: in the order to offer. counts: clips of each label, "" for none."""
        words = self.tr("{label} ({n})")
        entries: list[tuple[str, str | None]] = [(self.tr("All clips"), None)]
        entries += [
            (words.format(label=label_words(name), n=counts[name]), name) for name in ("", *labels) if name in counts
        ]
        _fill(self.label_box, [*entries, (self.tr("Recently deleted"), _TRASH)])
        babies = sorted({clip.baby for clip in clips} - {""}, key=str.lower)
        _fill(self.baby_box, [(self.tr("Every baby"), None), *((name, name) for name in babies)])
        groups = dict.fromkeys(clip.group for clip in clips)
        _fill(self.group_box, [(self.tr("Every night"), None), *((name, name) for name in groups)])

    def use_width(self, ems: float) -> None:
        """Hide boxes that have no room, but none that filters now. ems: the table's width in sizes of the text."""
        has_babies = self.baby_box.count() > 2
        group_ems = _THREE_BOXES_EMS if has_babies else NARROW_EMS
        self.baby_box.setVisible((ems >= NARROW_EMS and has_babies) or self.baby_box.currentData() is not None)
        self.group_box.setVisible(ems >= group_ems or self.group_box.currentData() is not None)

    @Slot()
    def find_now(self) -> None:
        """Announce the filter without waiting for more letters."""
        self._search_timer.stop()
        self.changed.emit()


def _fill(box: ChoiceView, entries: Sequence[tuple[str, str | None]]) -> None:
    """Replace the entries of a box. The choice stays if it is still among them."""
    if [(box.itemText(row), box.itemData(row)) for row in range(box.count())] == list(entries):
        return
    chosen = box.currentData()
    box.blockSignals(True)
    box.clear()
    for text, value in entries:
        box.addItem(text, value)
    values = [value for _, value in entries]
    box.setCurrentIndex(values.index(chosen) if chosen in values else 0)
    box.blockSignals(False)
