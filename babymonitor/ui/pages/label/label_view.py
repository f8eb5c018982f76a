"""The page Record & label: its tabs, what holds for all of them (undo, import, what is dropped), and nothing else."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from babymonitor.core.history.history import History
from babymonitor.core.library.library import Library, LibraryError
from babymonitor.core.settings import BABY_NAME, Settings
from babymonitor.core.sound.files import AUDIO_SUFFIXES
from babymonitor.live.monitor import Monitor
from babymonitor.ui.pages.label.export_job import ExportJob
from babymonitor.ui.pages.label.import_job import ImportJob
from babymonitor.ui.pages.label.label_commands import Labelling
from babymonitor.ui.pages.label.labelling_view import LabellingView
from babymonitor.ui.pages.label.library_view import LibraryView
from babymonitor.ui.parts.keys import add_keys
from babymonitor.ui.parts.symbols import symbol_icon
from babymonitor.ui.parts.theme import LIGHT, Theme
from babymonitor.ui.parts.wording import plain, translated

if TYPE_CHECKING:
    from babymonitor.ui.pages.review.review_view import ReviewView

LABEL_TAB, LIBRARY_TAB, REVIEW_TAB = 0, 1, 2


class _Themed(Protocol):
    def set_theme(self, theme: Theme) -> None: ...


class LabelView(QWidget):
    """Built when it is first visited. `own_keys` are letters that mean something else here than in the window."""

    complained = Signal(object)

    own_keys = frozenset({"L"})

    def __init__(
        self, monitor: Monitor, library: Library, history: History, settings: Settings, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._library = library
        self._history = history
        self._settings = settings
        self._theme = LIGHT
        self._job: ImportJob | ExportJob | None = None
        self._has_looked = False
        self.labelling = Labelling(library, self)
        self.labelling_view = LabellingView(monitor, self.labelling, settings, self)
        self.library_view = LibraryView(monitor, self.labelling, self)
        self.review_view: ReviewView | None = None
        self._build_tabs()
        self._build_messages()
        self._lay_out()
        self._build_keys()
        self._connect()
        self.setAcceptDrops(True)
        self._show_steps()

    # ------------------------------------------------------------------------------------------------------- building

    def _build_tabs(self) -> None:
        self.stack = QStackedWidget(self)
        self._tabs = QButtonGroup(self)
        self._tabs.setExclusive(True)
        self._tabs.idClicked.connect(self.show_tab)
        self._tab_row = QHBoxLayout()
        self._tab_row.setSpacing(2)
        self.stack.addWidget(self.labelling_view)
        self.stack.addWidget(self.library_view)
        self._add_tab(LABEL_TAB, self.tr("Record && label"), self.tr("Record, hear, label (Alt+1)"))
        self._add_tab(LIBRARY_TAB, self.tr("Library"), self.tr("All that was collected (Alt+2)"))
        if importlib.util.find_spec("babymonitor.ui.pages.review.review_view") is not None:
            self._add_tab(REVIEW_TAB, self.tr("Review"), self.tr("What the model was not sure of (Alt+3)"))
            # Built with the page: how much there is to review is told before anybody goes there.
            self._make_review()
        self._tabs.button(LABEL_TAB).setChecked(True)
        self.step_label = QLabel(self)
        self.step_label.setProperty("role", "muted")
        self.undo_button = self._step_button("undo", self.tr("Undo"))
        self.redo_button = self._step_button("redo", self.tr("Redo"))

    def _add_tab(self, number: int, title: str, tip: str) -> None:
        button = QToolButton(self)
        button.setText(title)
        button.setToolTip(tip)
        button.setCheckable(True)
        button.setProperty("role", "tab")
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._tabs.addButton(button, number)
        self._tab_row.addWidget(button)

    def _step_button(self, symbol: str, name: str) -> QPushButton:
        button = QPushButton(self)
        button.setProperty("role", "tool")
        button.setProperty("symbol", symbol)
        button.setAccessibleName(name)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _make_review(self) -> None:
        from babymonitor.ui.pages.review.review_view import ReviewView

        view = ReviewView(self._monitor, self._history, self._library, self._settings, self)
        view.complained.connect(self.complained)
        view.count_changed.connect(self._on_review_count_changed)
        self.review_view = view
        self.stack.addWidget(view)
        self._on_review_count_changed(view.count)

    def _build_messages(self) -> None:
        """One line for an import under way, and for what came of it."""
        self.message_bar = QFrame(self)
        self.message_bar.setProperty("role", "card")
        self.message_label = QLabel(self.message_bar)
        self.message_label.setTextFormat(Qt.TextFormat.PlainText)
        self.message_label.setWordWrap(True)
        self.progress_bar = QProgressBar(self.message_bar)
        self.progress_bar.setTextVisible(False)
        self.progress_bar.setMinimumWidth(120)
        self.progress_bar.setAccessibleName(self.tr("Progress"))
        self.message_button = QPushButton(self.message_bar)
        self.message_button.setProperty("role", "small")
        row = QHBoxLayout(self.message_bar)
        row.setContentsMargins(14, 6, 8, 6)
        row.setSpacing(10)
        row.addWidget(self.message_label, 2)
        row.addWidget(self.progress_bar, 1)
        row.addWidget(self.message_button)
        self.message_bar.hide()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addLayout(self._tab_row)
        head.addStretch(1)
        head.addWidget(self.step_label)
        head.addSpacing(4)
        head.addWidget(self.undo_button)
        head.addWidget(self.redo_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 10, 16, 14)
        column.setSpacing(10)
        column.addLayout(head)
        column.addWidget(self.message_bar)
        column.addWidget(self.stack, 1)

    def _build_keys(self) -> None:
        tr = self.tr
        self.actions_by_key = add_keys(
            self,
            (
                (tr("Undo"), ("Ctrl+Z",), self.undo),
                (tr("Redo"), ("Ctrl+Shift+Z", "Ctrl+Y"), self.redo),
                (tr("Import files"), ("Ctrl+O",), self.ask_for_files),
                (tr("Import a folder"), ("Ctrl+Shift+O",), self.ask_for_folder),
                (tr("Record and label"), ("Alt+1",), self.show_labelling),
                (tr("Library"), ("Alt+2",), self.show_library),
                *(((tr("Review"), ("Alt+3",), self.show_review),) if self.review_view is not None else ()),
            ),
        )

    def _connect(self) -> None:
        steps = self.labelling.undo_stack
        steps.indexChanged.connect(self._on_steps_changed)
        self.undo_button.clicked.connect(self.undo)
        self.redo_button.clicked.connect(self.redo)
        self.message_button.clicked.connect(self._on_message_button)
        self.labelling.complained.connect(self.complained)
        self.labelling_view.complained.connect(self.complained)
        self.library_view.complained.connect(self.complained)
        self.library_view.open_requested.connect(self.open)
        self.library_view.export_requested.connect(self.export_to)
        for view in (self.labelling_view.record_view, self.library_view):
            view.import_files_requested.connect(self.ask_for_files)
            view.import_folder_requested.connect(self.ask_for_folder)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        views: list[_Themed] = [self.labelling_view, self.library_view]
        if self.review_view is not None:
            views.append(self.review_view)
        for view in views:
            view.set_theme(theme)
        side = round(theme.text_px * 1.2)
        for button in (self.undo_button, self.redo_button):
            button.setIcon(symbol_icon(str(button.property("symbol")), theme.colours.text, None, side))

    def shut_down(self) -> None:
        """The program ends: so does an import, and what it has brought in stays; half an export goes."""
        if self._job is not None:
            self._job.cancel()
        self.labelling_view.shut_down()

    # ----------------------------------------------------------------------------------------------------------- tabs

    @Slot(int)
    def show_tab(self, number: int) -> None:
        """Go to a tab. The review keeps steps of its own, and what it adds to the library is read anew."""
        if self.stack.currentIndex() == REVIEW_TAB != number:
            self.labelling.refresh()
        self.stack.setCurrentIndex(number)
        for action in (self.actions_by_key["Ctrl+Z"], self.actions_by_key["Ctrl+Y"]):
            action.setEnabled(number != REVIEW_TAB)
        for widget in (self.step_label, self.undo_button, self.redo_button):
            widget.setVisible(number != REVIEW_TAB)
        self._tabs.button(number).setChecked(True)

    @Slot()
    def show_labelling(self) -> None:
        self.show_tab(LABEL_TAB)

    @Slot()
    def show_library(self) -> None:
        self.show_tab(LIBRARY_TAB)

    @Slot()
    def show_review(self) -> None:
        self.show_tab(REVIEW_TAB)

    @Slot(str)
    def open(self, id: str) -> None:
        """Show one clip of the library, to be heard and labelled."""
        self.show_tab(LABEL_TAB)
        self.labelling_view.open(id)

    def tab_text(self, number: int) -> str:
        """What stands on a tab."""
        return self._tabs.button(number).text().replace("&&", "&")

    @Slot(int)
    def _on_review_count_changed(self, count: int) -> None:
        words = self.tr("Review · {n}").format(n=count) if count else self.tr("Review")
        self._tabs.button(REVIEW_TAB).setText(words)

    # ----------------------------------------------------------------------------------------------------------- steps

    @Slot()
    def undo(self) -> None:
        """Take the last step back. What was told of an import may be true no more."""
        if self.labelling.undo_stack.canUndo():
            self.labelling.undo_stack.undo()
            self.labelling_view.show_one_of(self.labelling.touched)
        if self._job is None:
            self.message_bar.hide()

    @Slot()
    def redo(self) -> None:
        if self.labelling.undo_stack.canRedo():
            self.labelling.undo_stack.redo()
            self.labelling_view.show_one_of(self.labelling.touched)

    @Slot()
    def _on_steps_changed(self) -> None:
        self._show_steps()

    def _show_steps(self) -> None:
        steps = self.labelling.undo_stack
        words = steps.undoText()
        self.step_label.setText(self.tr("Done: {step}").format(step=words) if words else "")
        self.undo_button.setEnabled(steps.canUndo())
        self.redo_button.setEnabled(steps.canRedo())
        undo, redo = self.tr("Undo: {step} (Ctrl+Z)"), self.tr("Redo: {step} (Ctrl+Shift+Z)")
        self.undo_button.setToolTip(undo.format(step=steps.undoText()) if steps.canUndo() else self.tr("Undo"))
        self.redo_button.setToolTip(redo.format(step=steps.redoText()) if steps.canRedo() else self.tr("Redo"))

    # ---------------------------------------------------------------------------------------------------------- import

    @Slot()
    def ask_for_files(self) -> None:
        kinds = " ".join(f"*{suffix}" for suffix in sorted(AUDIO_SUFFIXES))
        words = self.tr("Sound files ({kinds});;All files (*)").format(kinds=kinds)
        names, _ = QFileDialog.getOpenFileNames(self, self.tr("Import files"), "", words)
        self.import_paths([Path(name) for name in names])

    @Slot()
    def ask_for_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, self.tr("Import a folder"))
        if name:
            self.import_paths([Path(name)])

    def import_paths(self, paths: Sequence[Path]) -> None:
        """Bring files and folders into the library, a few at a time; one import after the other."""
        if paths and self._is_free():
            self._begin(ImportJob(self._library, paths, self._settings[BABY_NAME], self))

    @Slot(str)
    def export_to(self, folder: str) -> None:
        """Copy everything to a folder, or, where it holds something, to a new one inside it."""
        if self._is_free():
            try:
                self._begin(ExportJob(self._library, Path(folder), self))
            except (LibraryError, OSError) as error:
                self.complained.emit(str(error))

    def _is_free(self) -> bool:
        if self._job is not None:
            self.complained.emit(self.tr("One thing after the other: wait for the end of this one, or cancel it."))
        return self._job is None

    def _begin(self, job: ImportJob | ExportJob) -> None:
        self._job = job
        job.progressed.connect(self._on_job_progressed)
        job.ended.connect(self._on_job_ended)
        self.message_button.setText(self.tr("Cancel"))
        self.progress_bar.show()
        self.message_bar.show()
        job.start()

    @property
    def busy_sentence(self) -> str:
        """What would end if the program were closed now; empty where nothing would."""
        if self._monitor.recorder.is_recording:
            return self.tr("A recording is under way; it would end here, and is kept.")
        if isinstance(self._job, ImportJob):
            return self.tr("An import is under way; what is in the library already stays.")
        return self.tr("An export is under way; nothing of it would be left.") if self._job is not None else ""

    @property
    def is_busy(self) -> bool:
        """An import or an export is under way."""
        return self._job is not None

    @Slot(int, int)
    def _on_job_progressed(self, done: int, total: int) -> None:
        is_import = isinstance(self._job, ImportJob)
        words = self.tr("Importing: {done} of {total} files") if is_import else self.tr("Copying: {done} of {total}")
        self.message_label.setText(words.format(done=done, total=total))
        self.progress_bar.setMaximum(max(1, total))
        self.progress_bar.setValue(done)

    @Slot()
    def _on_job_ended(self) -> None:
        job, self._job = self._job, None
        if job is None:
            return
        job.deleteLater()
        self.message_label.setText(job.sentence())
        self.message_label.setToolTip("")
        if isinstance(job, ImportJob):
            self.labelling.imported([clip.id for clip in job.clips])
            self.message_label.setToolTip(plain("\n".join(map(translated, job.refused))))
        self.progress_bar.hide()
        self.message_button.setText(self.tr("Dismiss"))

    @Slot()
    def _on_message_button(self) -> None:
        if self._job is not None:
            self._job.cancel()
        else:
            self.message_bar.hide()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _local_paths(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = _local_paths(event)
        if paths:
            event.acceptProposedAction()
            self.import_paths(paths)

    # ------------------------------------------------------------------------------------------------- seen or not seen

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        # Nights may have added clips while another page was shown.
        self.labelling.refresh()
        if not self._has_looked:
            self._has_looked = True
            for sentence in self._library.complaints:
                self.complained.emit(sentence)
            try:
                self.labelling_view.take_unfinished()
            except LibraryError as error:
                self.complained.emit(str(error))


def _local_paths(event: QDropEvent) -> list[Path]:
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
