"""All clips as a table: find, hear, label many at once, take out, bring in; beside it what there is of each label."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QModelIndex,
    QSize,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from babymonitor.core.library import label_counts
from babymonitor.core.library.library import LibraryError
from babymonitor.live.monitor import Monitor
from babymonitor.ui.pages.label.clips_view import NARROW_EMS, ClipsView
from babymonitor.ui.pages.label.label_commands import Labelling
from babymonitor.ui.pages.label.label_counts_view import HealthView
from babymonitor.ui.pages.label.library_model import LibraryModel, Wanted, label_words
from babymonitor.ui.parts.choice_view import ChoiceView
from babymonitor.ui.parts.keys import add_keys, press_focused_button
from babymonitor.ui.parts.label_keys import MOST_KEYS, LabelButtons
from babymonitor.ui.parts.symbols import symbol_icon
from babymonitor.ui.parts.theme import LIGHT, Theme

_WAIT_MS = 120
"""After the last key of a search."""
_HEALTH_MS = 150
_THREE_BOXES_EMS = 52
"""So wide that three filters can be read beside each other."""
_MANY = 300
"""From so many changed clips on, all of them are read again."""
_TRASH = "\0trash"


class LibraryView(QWidget):
    """Reads the library when it is first shown; afterwards only what has changed."""

    complained = Signal(object)
    open_requested = Signal(str)
    """The id of a clip that the person wants to see and hear."""
    export_requested = Signal(str)
    """The folder to copy everything to."""
    import_files_requested = Signal()
    import_folder_requested = Signal()

    def __init__(self, monitor: Monitor, labelling: Labelling, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._labelling = labelling
        self._library = labelling.library
        self._theme = LIGHT
        self._is_stale = True
        self._playing = ""
        self._build_head()
        self._build_table()
        self._build_selection_bar()
        self.health_view = HealthView(self)
        self._lay_out()
        self._build_keys()
        self._search_timer = QTimer(self)
        self._search_timer.setSingleShot(True)
        self._search_timer.setInterval(_WAIT_MS)
        self._search_timer.timeout.connect(self._on_filter_changed)
        # What a label's clips amount to takes a moment with 10,000 of them: it follows the rows.
        self._health_timer = QTimer(self)
        self._health_timer.setSingleShot(True)
        self._health_timer.setInterval(_HEALTH_MS)
        self._health_timer.timeout.connect(self._on_health_due)
        self._unlabelled = 0
        self._connect()

    # ------------------------------------------------------------------------------------------------------- building

    def _build_head(self) -> None:
        self.label_box, self.baby_box, self.group_box = ChoiceView(self), ChoiceView(self), ChoiceView(self)
        for box, name in (
            (self.label_box, self.tr("Show which labels")),
            (self.baby_box, self.tr("Show which baby")),
            (self.group_box, self.tr("Show which recording or night")),
        ):
            box.setAccessibleName(name)
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.search_edit = QLineEdit(self)
        self.search_edit.setPlaceholderText(self.tr("Search"))
        self.search_edit.setToolTip(self.tr("Notes, names, labels, days (Ctrl+F)"))
        self.search_edit.setClearButtonEnabled(True)
        self.search_edit.setAccessibleName(self.tr("Search"))
        self.more_button = QPushButton(self)
        self.more_button.setAccessibleName(self.tr("Import, export"))
        self.more_button.setToolTip(self.tr("Import or export"))
        self.more_button.setProperty("role", "tool")
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
        self.empty_label = QLabel(self)
        self.empty_label.setProperty("role", "muted")
        self.empty_label.setWordWrap(True)
        self.empty_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._table_stack = QStackedWidget(self)
        self._table_stack.addWidget(self.table)
        self._table_stack.addWidget(self.empty_label)

    def _build_selection_bar(self) -> None:
        self.count_label = QLabel(self)
        self.count_label.setProperty("role", "muted")
        self.label_buttons = LabelButtons(self, is_small=True)
        self.play_button = QPushButton(self.tr("Play"), self)
        self.play_button.setToolTip(self.tr("Hear the clip (Space)"))
        self.open_button = QPushButton(self.tr("Open"), self)
        self.open_button.setToolTip(self.tr("See it, trim it, write a note (Enter)"))
        self.baby_button = QPushButton(self.tr("Baby…"), self)
        self.baby_button.setToolTip(self.tr("Whose voice these are (B)"))
        self.delete_button = QPushButton(self.tr("Delete"), self)
        for button in (self.play_button, self.open_button, self.baby_button, self.delete_button):
            button.setProperty("role", "small")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def _lay_out(self) -> None:
        card = QFrame(self)
        card.setProperty("role", "card")
        head = QHBoxLayout()
        head.setSpacing(8)
        # The words of a label are the longest; a name or two fits the search.
        head.addWidget(self.label_box, 36)
        head.addWidget(self.baby_box, 23)
        head.addWidget(self.group_box, 26)
        head.addWidget(self.search_edit, 23)
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
        line.addWidget(self.health_view)

    def _build_keys(self) -> None:
        tr = self.tr
        self.actions_by_key = add_keys(
            self,
            (
                (tr("Play the clip, or end it"), ("Space",), self._on_space),
                (tr("Open the clip"), ("Return", "Enter"), self._on_enter),
                (tr("Delete what is chosen, or bring it back"), ("Del",), self.delete_chosen),
                (tr("Whose voice these are"), ("B",), self._on_baby_wanted),
                (tr("A label of your own"), ("M",), self.label_buttons.ask_for_label),
                (tr("Search"), ("Ctrl+F",), self._on_search_wanted),
                (tr("Export everything"), ("Ctrl+E",), self.export),
                *((tr("Label {n}").format(n=n), (str(n),), self._on_number) for n in range(1, MOST_KEYS + 1)),
            ),
        )

    def _connect(self) -> None:
        for box in (self.label_box, self.baby_box, self.group_box):
            box.currentIndexChanged.connect(self._on_filter_changed)
        self.search_edit.textChanged.connect(self._search_timer.start)
        self.table.doubleClicked.connect(self._on_double_clicked)
        self.table.selectionModel().selectionChanged.connect(self._on_selection_changed)
        self.label_buttons.label_chosen.connect(self.label_chosen)
        self.play_button.clicked.connect(self.toggle_playing)
        self.open_button.clicked.connect(self.open_chosen)
        self.baby_button.clicked.connect(self._on_baby_wanted)
        self.delete_button.clicked.connect(self.delete_chosen)
        self.model.note_edited.connect(self._on_note_edited)
        self.model.baby_edited.connect(self._on_baby_edited)
        self._labelling.changed.connect(self._on_library_changed)
        self._monitor.playback_changed.connect(self._on_playback_changed)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self.model.set_theme(theme)
        self.health_view.set_theme(theme)
        self.label_buttons.set_theme(theme)
        self.health_view.setFixedWidth(round(theme.text_px * 19))
        self.table.set_theme(theme)
        self._dress()

    def _dress(self) -> None:
        side = round(self._theme.text_px * 1.1)
        is_trash = self._is_trash
        for button, symbol in (
            (self.play_button, "stop" if self._playing else "play"),
            (self.delete_button, "undo" if is_trash else "bin"),
            (self.more_button, "into"),
        ):
            gap = 6 if button.text() else 0
            button.setIcon(symbol_icon(symbol, self._theme.colours.text, None, side, gap))
            button.setIconSize(QSize(side + gap, side))
        self.delete_button.setText(self.tr("Bring back") if is_trash else self.tr("Delete"))
        tip = self.tr("Out of the trash again (Del)") if is_trash else self.tr("Into the trash, for 30 days (Del)")
        self.delete_button.setToolTip(tip)

    # -------------------------------------------------------------------------------------------------------- showing

    @Slot()
    def refresh(self) -> None:
        """Read everything again."""
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

    def find_now(self) -> None:
        """Search for what is typed, without waiting for more."""
        self._search_timer.stop()
        self._on_filter_changed()

    @property
    def _is_trash(self) -> bool:
        return bool(self.label_box.currentData() == _TRASH)

    def _show_counts(self) -> None:
        """The choices of the filter, and the bars: made of the clips that are in memory."""
        labels = self._library.labels()
        if self._is_trash:
            return
        clips = self.model.clips
        counts: dict[str, int] = {}
        for clip in clips:
            counts[clip.label] = counts.get(clip.label, 0) + 1
        self._unlabelled = counts.get("", 0)
        self._health_timer.start()
        self.label_buttons.set_labels(labels)
        words = self.tr("{label} ({n})")
        entries: list[tuple[str, str | None]] = [(self.tr("All clips"), None)]
        entries += [
            (words.format(label=label_words(name), n=counts[name]), name) for name in ("", *labels) if name in counts
        ]
        _fill(self.label_box, [*entries, (self.tr("Recently deleted"), _TRASH)])
        babies = sorted({clip.baby for clip in clips} - {""}, key=str.lower)
        _fill(self.baby_box, [(self.tr("Every baby"), None), *((name, name) for name in babies)])
        newest = dict.fromkeys(clip.group for clip in clips)
        _fill(self.group_box, [(self.tr("Every night"), None), *((name, name) for name in newest)])
        self._show_boxes()

    @Slot()
    def _on_health_due(self) -> None:
        try:
            found = self._library.health()
        except LibraryError as error:
            self.complained.emit(str(error))
            return
        self.health_view.show_health(found, label_counts.advice(found, self._unlabelled))

    def _show_table(self) -> None:
        has_rows = bool(self.model.shown)
        has_focus = self.empty_label.hasFocus()
        self._table_stack.setCurrentIndex(0 if has_rows else 1)
        if has_rows and has_focus:
            self.table.setFocus()  # the stack had given it to the words in its place
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

    # --------------------------------------------------------------------------------------------------------- actions

    @Slot(str)
    def label_chosen(self, name: str) -> None:
        """Give all that are chosen this label."""
        ids = self.table.chosen_ids()
        if ids and not self._is_trash:
            self._go_on(ids)
            self._labelling.label(ids, name)

    def _go_on(self, ids: Sequence[str]) -> None:
        """After labelling one of many without a label, the next one is the one to be labelled."""
        row = self.model.row_of(ids[0])
        if len(ids) == 1 and row is not None and row + 1 < len(self.model.shown) and not self.model.shown[row].label:
            self.table.setCurrentIndex(self.model.index(row + 1, 0))

    @Slot()
    def delete_chosen(self) -> None:
        """Into the trash, or out of it where that is what is listed."""
        ids = self.table.chosen_ids()
        if not ids:
            return
        if self._is_trash:
            self._labelling.bring_back(ids)
        else:
            self._labelling.delete(ids)

    @Slot()
    def toggle_playing(self) -> None:
        """Play the clip that is chosen, or end it."""
        clip = self.table.current_clip()
        if self._playing or clip is None:
            self._monitor.stop_playing()
        else:
            self._monitor.play(clip.path)

    @Slot()
    def open_chosen(self) -> None:
        clip = self.table.current_clip()
        if clip is not None and not self._is_trash:
            self.open_requested.emit(clip.id)

    @Slot()
    def export(self) -> None:
        """Ask for a folder to copy everything to."""
        folder = QFileDialog.getExistingDirectory(self, self.tr("Export into an empty folder"))
        if folder:
            self.export_requested.emit(folder)

    # ------------------------------------------------------------------------------------------------------ receivers

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
        """What was chosen; where that is gone from the list, what has taken its place."""
        if any(self.model.row_of(id) is not None for id in chosen):
            self.table.choose(chosen)
        elif chosen and self.model.shown:
            self.table.setCurrentIndex(self.model.index(min(max(row, 0), len(self.model.shown) - 1), 0))

    @Slot()
    def _on_filter_changed(self) -> None:
        was_trash = getattr(self, "_was_trash", False)
        self._was_trash = self._is_trash
        self._dress()
        if was_trash is not self._is_trash:
            self.refresh()
        label = None if self._is_trash else self.label_box.currentData()
        wanted = Wanted(label, self.baby_box.currentData(), self.group_box.currentData(), self.search_edit.text())
        chosen = self.table.chosen_ids()
        self.model.show_only(wanted)
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
    def _on_number(self) -> None:
        action = self.sender()
        number = next((n for n in range(1, MOST_KEYS + 1) if self.actions_by_key[str(n)] is action), 0)
        name = self.label_buttons.name_of_key(number)
        if name is not None:
            self.label_chosen(name)

    @Slot()
    def _on_search_wanted(self) -> None:
        self.search_edit.setFocus()
        self.search_edit.selectAll()

    @Slot()
    def _on_baby_wanted(self) -> None:
        ids = self.table.chosen_ids()
        clip = self.table.current_clip()
        if not ids or self._is_trash:
            return
        name, is_given = QInputDialog.getText(
            self, self.tr("Whose voice?"), self.tr("Baby’s name:"), text="" if clip is None else clip.baby
        )
        if is_given:
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
        self._dress()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where it is narrow, what can be read in the clip itself goes first."""
        super().resizeEvent(event)
        ems = (self.width() - self.health_view.width()) / self._theme.text_px
        self.table.use_width(ems)
        self._show_boxes()

    def _show_boxes(self) -> None:
        """One that filters is never hidden; else those that say something, where there is room."""
        ems = (self.width() - self.health_view.width()) / self._theme.text_px
        has_babies = self.baby_box.count() > 2
        needed = _THREE_BOXES_EMS if has_babies else NARROW_EMS
        self.baby_box.setVisible((ems >= NARROW_EMS and has_babies) or self.baby_box.currentData() is not None)
        self.group_box.setVisible(ems >= needed or self.group_box.currentData() is not None)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if self._health_timer.isActive():
            self._health_timer.stop()
            self._is_stale = True

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._is_stale:
            self.refresh()
        self.table.setFocus()


def _fill(box: ChoiceView, entries: Sequence[tuple[str, str | None]]) -> None:
    """Other entries; what was chosen stays chosen where it is still among them."""
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
