"""The library tab: all clips as a table to search, hear and label, beside what there is of each label."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QModelIndex,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QHBoxLayout,
    QInputDialog,
    QLineEdit,
    QMenu,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from babymonitor.core.library import label_counts
from babymonitor.core.library.library import LibraryError
from babymonitor.live.monitor import Monitor
from babymonitor.ui.pages.label.clips_view import ClipsView
from babymonitor.ui.pages.label.filter_bar import FilterBar
from babymonitor.ui.pages.label.label_counts_view import LabelCountsView
from babymonitor.ui.pages.label.labelling import Labelling
from babymonitor.ui.pages.label.library_model import LibraryModel
from babymonitor.ui.parts.card import Card
from babymonitor.ui.parts.keys import add_keys, press_focused_button
from babymonitor.ui.parts.label_buttons import LabelButtons
from babymonitor.ui.parts.symbol_button import SymbolButton
from babymonitor.ui.parts.text_label import text_label, wrapped_label
from babymonitor.ui.parts.theme import current_theme

_COUNTS_MS = 150
_MANY = 300
"""If more clips than this changed, all of them are read again."""
_SYMBOL_EM = 1.1


class LibraryView(QWidget):
    """Reads the library when it is first shown, and then only what has changed."""

    complained = Signal(object)
    """A sentence about what could not be done."""
    open_requested = Signal(str)
    """The id of the clip that the person wants to open."""
    export_requested = Signal(str)
    """The folder to copy everything to."""
    import_files_requested = Signal()
    import_folder_requested = Signal()

    def __init__(self, monitor: Monitor, labelling: Labelling, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._labelling = labelling
        self._library = labelling.library
        self._is_stale = True
        self._is_trash_listed = False
        self._playing = ""
        self._build_head()
        self._build_table()
        self._build_selection_bar()
        self.counts_view = LabelCountsView(self)
        self._lay_out()
        self._build_keys()
        # Counting minutes, nights and babies takes a moment for 10,000 clips, so it follows the rows.
        self._counts_timer = QTimer(self)
        self._counts_timer.setSingleShot(True)
        self._counts_timer.setInterval(_COUNTS_MS)
        self._counts_timer.timeout.connect(self._on_counts_due)
        self._unlabelled = 0
        self._connect()

    def _build_head(self) -> None:
        self.filter_bar = FilterBar(self)
        self.more_button = SymbolButton("", "into", self, "tool", _SYMBOL_EM)
        self.more_button.setAccessibleName(self.tr("Import, export"))
        self.more_button.setToolTip(self.tr("Import or export"))
        self.more_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        menu = QMenu(self)
        menu.addAction(self.tr("Import files…"), self.import_files_requested.emit)
        menu.addAction(self.tr("Import a folder…"), self.import_folder_requested.emit)
        menu.addSeparator()
        menu.addAction(self.tr("Export everything…"), self.export)
        self.more_button.setMenu(menu)

    def _build_table(self) -> None:
        self.model = LibraryModel(self)
        self.table = ClipsView(self.model, self)
        self.empty_label = wrapped_label("", "muted", self)
        self.empty_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._table_stack = QStackedWidget(self)
        self._table_stack.addWidget(self.table)
        self._table_stack.addWidget(self.empty_label)

    def _build_selection_bar(self) -> None:
        self.count_label = text_label("", "muted", self)
        self.label_buttons = LabelButtons(self, is_small=True)
        self.play_button = SymbolButton(self.tr("Play"), "play", self, "small", _SYMBOL_EM)
        self.play_button.setToolTip(self.tr("Hear the clip (Space)"))
        self.open_button = QPushButton(self.tr("Open"), self)
        self.open_button.setToolTip(self.tr("See it, trim it, write a note (Enter)"))
        self.baby_button = QPushButton(self.tr("Baby…"), self)
        self.baby_button.setToolTip(self.tr("Whose voice these are (B)"))
        self.delete_button = SymbolButton(self.tr("Delete"), "bin", self, "small", _SYMBOL_EM)
        self._show_trash_words()
        for button in (self.open_button, self.baby_button):
            button.setProperty("role", "small")
        for button in (self.play_button, self.open_button, self.baby_button, self.delete_button):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def _lay_out(self) -> None:
        card = Card(self)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.filter_bar, 1)
        head.addWidget(self.more_button)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.count_label, 1)
        for button in (self.play_button, self.open_button, self.baby_button, self.delete_button):
            row.addWidget(button)
        column = QVBoxLayout(card)
        column.setContentsMargins(14, 12, 12, 12)
        column.setSpacing(8)
        column.addLayout(head)
        column.addWidget(self._table_stack, 1)
        column.addLayout(row)
        column.addWidget(self.label_buttons)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(10)
        line.addWidget(card, 1)
        line.addWidget(self.counts_view)

    def _build_keys(self) -> None:
        tr = self.tr
        self.actions_by_key = add_keys(
            self,
            (
                (tr("Play the clip, or end it"), ("Space",), self._on_space),
                (tr("Open the clip"), ("Return", "Enter"), self._on_enter),
                (tr("Delete what is chosen, or bring it back"), ("Del",), self.delete_chosen),
                (tr("Whose voice these are"), ("B",), self._on_baby_requested),
                (tr("Search"), ("Ctrl+F",), self._on_search_requested),
                (tr("Export everything"), ("Ctrl+E",), self.export),
                *self.label_buttons.keys(tr("Label {n}")),
            ),
        )

    def _connect(self) -> None:
        self.filter_bar.changed.connect(self._on_filter_changed)
        self.table.doubleClicked.connect(self._on_double_clicked)
        self.table.selectionModel().selectionChanged.connect(self._on_selection_changed)
        self.label_buttons.label_chosen.connect(self.label_selection)
        self.play_button.clicked.connect(self.toggle_playing)
        self.open_button.clicked.connect(self.open_chosen)
        self.baby_button.clicked.connect(self._on_baby_requested)
        self.delete_button.clicked.connect(self.delete_chosen)
        self.model.note_edited.connect(self._on_note_edited)
        self.model.baby_edited.connect(self._on_baby_edited)
        self._labelling.changed.connect(self._on_library_changed)
        self._monitor.playback_changed.connect(self._on_playback_changed)

    def _show_trash_words(self) -> None:
        """Say on the button whether it deletes a clip or brings it back."""
        is_trash = self._is_trash
        self.delete_button.set_symbol("undo" if is_trash else "bin")
        self.delete_button.setText(self.tr("Bring back") if is_trash else self.tr("Delete"))
        tip = self.tr("Out of the trash again (Del)") if is_trash else self.tr("Into the trash, for 30 days (Del)")
        self.delete_button.setToolTip(tip)

    @Slot()
    def refresh(self) -> None:
        """Read everything from the library."""
        self._is_stale = False
        try:
            clips = self._library.trashed() if self._is_trash else self._library.clips()
            chosen = self.table.chosen_ids()
            self.model.set_clips(clips)
            self._show_counts()
        except LibraryError as error:
            self.complained.emit(str(error))
            return
        self.table.choose(chosen)
        self._show_table()

    @property
    def _is_trash(self) -> bool:
        return self.filter_bar.is_trash

    def _show_counts(self) -> None:
        """Show the choices of the filter and the bars, from the clips in memory."""
        labels = self._library.labels()
        if self._is_trash:
            return
        clips = self.model.clips
        counts: dict[str, int] = {}
        for clip in clips:
            counts[clip.label] = counts.get(clip.label, 0) + 1
        self._unlabelled = counts.get("", 0)
        self._counts_timer.start()
        self.label_buttons.set_labels(labels)
        self.filter_bar.show_choices(clips, labels, counts)
        self.filter_bar.use_width(self._table_ems)

    @Slot()
    def _on_counts_due(self) -> None:
        try:
            counts = self._library.health()
        except LibraryError as error:
            self.complained.emit(str(error))
            return
        self.counts_view.show_counts(counts, label_counts.advice(counts, self._unlabelled))

    def _show_table(self) -> None:
        has_rows = bool(self.model.shown)
        has_focus = self.empty_label.hasFocus()
        self._table_stack.setCurrentIndex(0 if has_rows else 1)
        if has_rows and has_focus:
            self.table.setFocus()  # the stack moved the focus to the words when it hid the table
        if self._is_trash:
            words = self.tr("The trash is empty.")
        elif self.model.clips:
            words = self.tr("Nothing matches.")
        else:
            words = self.tr("Nothing is here yet.\nRecord something, import files, or take clips out of Nights.")
        self.empty_label.setText(words)
        self._show_chosen()

    def _show_chosen(self) -> None:
        count, shown = self.table.chosen_count(), len(self.model.shown)
        if count > 1:
            words = self.tr("{n} of {all} chosen").format(n=count, all=shown)
        else:
            words = self.tr("1 clip") if shown == 1 else self.tr("{n} clips").format(n=shown)
        self.count_label.setText(words)
        for button in (self.play_button, self.open_button):
            button.setEnabled(count == 1)
        self.open_button.setEnabled(count == 1 and not self._is_trash)
        for widget in (self.baby_button, self.label_buttons):
            widget.setEnabled(count > 0 and not self._is_trash)
        self.delete_button.setEnabled(count > 0)
        clip = self.table.current_clip() if count == 1 else None
        self.label_buttons.check(clip.label if clip is not None else None)

    @Slot(str)
    def label_selection(self, name: str) -> None:
        """Give all selected clips this label."""
        ids = self.table.chosen_ids()
        if ids and not self._is_trash:
            self._move_on(ids)
            self._labelling.label(ids, name)

    def _move_on(self, ids: Sequence[str]) -> None:
        """Move from one clip to the next, if that has no label yet."""
        row = self.model.row_of(ids[0])
        if len(ids) == 1 and row is not None and row + 1 < len(self.model.shown) and not self.model.shown[row].label:
            self.table.setCurrentIndex(self.model.index(row + 1, 0))

    @Slot()
    def delete_chosen(self) -> None:
        """Move the selected clips to the trash, or out of it if the trash is listed."""
        ids = self.table.chosen_ids()
        if not ids:
            return
        if self._is_trash:
            self._labelling.bring_back(ids)
        else:
            self._labelling.delete(ids)

    @Slot()
    def toggle_playing(self) -> None:
        """Play the selected clip, or stop it."""
        clip = self.table.current_clip()
        if self._playing or clip is None:
            self._monitor.stop_playing()
        else:
            self._monitor.play(clip.path)

    @Slot()
    def open_chosen(self) -> None:
        """Open the selected clip in the labelling tab."""
        clip = self.table.current_clip()
        if clip is not None and not self._is_trash:
            self.open_requested.emit(clip.id)

    @Slot()
    def export(self) -> None:
        """Ask for a folder to copy everything to."""
        folder = QFileDialog.getExistingDirectory(self, self.tr("Export into an empty folder"))
        if folder:
            self.export_requested.emit(folder)

    @Slot(object)
    def _on_library_changed(self, ids: list[str]) -> None:
        if not self.isVisible():
            self._is_stale = True
            return
        if not ids or len(ids) > _MANY or self._is_trash:
            self.refresh()
            return
        try:
            changed = {id: self._library.clip(id) for id in ids}
            chosen, row = self.table.chosen_ids(), self.table.currentIndex().row()
            self.model.update_clips(changed)
            self._show_counts()
        except LibraryError as error:
            self.complained.emit(str(error))
            return
        self._choose_again(chosen, row)
        self._show_table()

    def _choose_again(self, chosen: Sequence[str], row: int) -> None:
        """Select these clips again, or what took their place if they are listed no longer."""
        if any(self.model.row_of(id) is not None for id in chosen):
            self.table.choose(chosen)
        elif chosen and self.model.shown:
            self.table.setCurrentIndex(self.model.index(min(max(row, 0), len(self.model.shown) - 1), 0))

    @Slot()
    def _on_filter_changed(self) -> None:
        self._show_trash_words()
        if self._is_trash_listed is not self._is_trash:
            self._is_trash_listed = self._is_trash
            self.refresh()
        chosen = self.table.chosen_ids()
        self.model.show_only(self.filter_bar.clip_filter)
        self.table.choose(chosen)
        self._show_table()

    @Slot()
    def _on_selection_changed(self) -> None:
        self._show_chosen()

    @Slot(QModelIndex)
    def _on_double_clicked(self, _index: QModelIndex) -> None:
        self.open_chosen()

    @Slot()
    def _on_space(self) -> None:
        if not press_focused_button():
            self.toggle_playing()

    @Slot()
    def _on_enter(self) -> None:
        if press_focused_button():
            return
        if isinstance(QApplication.focusWidget(), QLineEdit):
            self.table.setFocus()
        else:
            self.open_chosen()

    @Slot()
    def _on_search_requested(self) -> None:
        self.filter_bar.search_edit.setFocus()
        self.filter_bar.search_edit.selectAll()

    @Slot()
    def _on_baby_requested(self) -> None:
        ids = self.table.chosen_ids()
        clip = self.table.current_clip()
        if not ids or self._is_trash:
            return
        name, is_accepted = QInputDialog.getText(
            self, self.tr("Whose voice?"), self.tr("Baby’s name:"), text="" if clip is None else clip.baby
        )
        if is_accepted:
            self._labelling.name_baby(ids, name.strip())

    @Slot(str, str)
    def _on_note_edited(self, id: str, note: str) -> None:
        self._labelling.put_note([id], note)

    @Slot(str, str)
    def _on_baby_edited(self, id: str, baby: str) -> None:
        self._labelling.name_baby([id], baby)

    @Slot(str)
    def _on_playback_changed(self, playing: str) -> None:
        self._playing = playing
        self.play_button.setText(self.tr("Stop") if playing else self.tr("Play"))
        self.play_button.set_symbol("stop" if playing else "play")

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.table.use_width(self._table_ems)
        self.filter_bar.use_width(self._table_ems)

    @property
    def _table_ems(self) -> float:
        """The table's width in sizes of the text."""
        return (self.width() - self.counts_view.width()) / current_theme().text_px

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if self._counts_timer.isActive():
            self._counts_timer.stop()
            self._is_stale = True

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._is_stale:
            self.refresh()
        self.table.setFocus()
