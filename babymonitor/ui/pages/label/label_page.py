"""The page Record & label: its tabs, and what they share: undo, import, export, dropped files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QShowEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QStackedWidget,
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
from babymonitor.ui.pages.label.labelling import Labelling
from babymonitor.ui.pages.label.labelling_view import LabellingView
from babymonitor.ui.pages.label.library_view import LibraryView
from babymonitor.ui.pages.review.review_view import ReviewView
from babymonitor.ui.parts.card import Card
from babymonitor.ui.parts.keys import add_keys
from babymonitor.ui.parts.page import Page
from babymonitor.ui.parts.symbol_button import SymbolButton
from babymonitor.ui.parts.tab_bar import TabBar
from babymonitor.ui.parts.text_label import text_label, wrapped_label
from babymonitor.ui.parts.wording import plain, translated

LABEL_TAB, LIBRARY_TAB, REVIEW_TAB = 0, 1, 2


class LabelPage(Page):
    """Three tabs: record and label, the library, and the review."""

    own_keys = frozenset({"L"})

    def __init__(
        self, monitor: Monitor, library: Library, history: History, settings: Settings, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._library = library
        self._settings = settings
        self._job: ImportJob | ExportJob | None = None
        self._has_looked = False
        self.labelling = Labelling(library, self)
        self.labelling_view = LabellingView(monitor, self.labelling, settings, self)
        self.library_view = LibraryView(monitor, self.labelling, self)
        self.review_view = ReviewView(monitor, history, library, settings, self)
        self._build_tabs()
        self._build_messages()
        self._lay_out()
        self._build_keys()
        self._connect()
        self.setAcceptDrops(True)
        self._show_steps()

    def _build_tabs(self) -> None:
        self.stack = QStackedWidget(self)
        for view in (self.labelling_view, self.library_view, self.review_view):
            self.stack.addWidget(view)
        self.tabs = TabBar(self)
        self.tabs.add_tab(LABEL_TAB, self.tr("Record && label"), self.tr("Record, hear, label (Alt+1)"))
        self.tabs.add_tab(LIBRARY_TAB, self.tr("Library"), self.tr("All that was collected (Alt+2)"))
        self.tabs.add_tab(REVIEW_TAB, self.tr("Review"), self.tr("What the model was not sure of (Alt+3)"))
        self.tabs.check(LABEL_TAB)
        self._on_review_count_changed(self.review_view.count)
        self.step_label = text_label("", "muted", self)
        self.undo_button = self._step_button("undo", self.tr("Undo"))
        self.redo_button = self._step_button("redo", self.tr("Redo"))

    def _step_button(self, symbol: str, name: str) -> QPushButton:
        button = SymbolButton("", symbol, self, "tool")
        button.setAccessibleName(name)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _build_messages(self) -> None:
        """Build the line that shows the progress of an import or export, and its outcome."""
        self.message_bar = Card(self)
        self.message_label = wrapped_label(parent=self.message_bar)
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
        head.addWidget(self.tabs)
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
                (tr("Review"), ("Alt+3",), self.show_review),
            ),
        )

    def _connect(self) -> None:
        steps = self.labelling.undo_stack
        steps.indexChanged.connect(self._on_steps_changed)
        self.tabs.tab_chosen.connect(self.show_tab)
        self.undo_button.clicked.connect(self.undo)
        self.redo_button.clicked.connect(self.redo)
        self.message_button.clicked.connect(self._on_message_button)
        self.labelling.complained.connect(self.complained)
        self.labelling_view.complained.connect(self.complained)
        self.library_view.complained.connect(self.complained)
        self.review_view.complained.connect(self.complained)
        self.review_view.count_changed.connect(self._on_review_count_changed)
        self.library_view.open_requested.connect(self.open)
        self.library_view.export_requested.connect(self.export_to)
        for view in (self.labelling_view.record_view, self.library_view):
            view.import_files_requested.connect(self.ask_for_files)
            view.import_folder_requested.connect(self.ask_for_folder)

    def shut_down(self) -> None:
        """End an import, whose clips stay, or an export, of which nothing stays."""
        if self._job is not None:
            self._job.cancel()
        self.labelling_view.shut_down()

    @Slot(int)
    def show_tab(self, number: int) -> None:
        """Go to a tab. The review has its own undo."""
        if self.stack.currentIndex() == REVIEW_TAB != number:
            # The review may have added clips.
            self.labelling.refresh()
        self.stack.setCurrentIndex(number)
        for action in (self.actions_by_key["Ctrl+Z"], self.actions_by_key["Ctrl+Y"]):
            action.setEnabled(number != REVIEW_TAB)
        for widget in (self.step_label, self.undo_button, self.redo_button):
            widget.setVisible(number != REVIEW_TAB)
        self.tabs.check(number)

    @Slot()
    def show_labelling(self) -> None:
        """Go to the tab to record and label."""
        self.show_tab(LABEL_TAB)

    @Slot()
    def show_library(self) -> None:
        """Go to the library."""
        self.show_tab(LIBRARY_TAB)

    @Slot()
    def show_review(self) -> None:
        """Go to the review."""
        self.show_tab(REVIEW_TAB)

    @Slot(str)
    def open(self, id: str) -> None:
        """Open a clip of the library, to hear and label it."""
        self.show_tab(LABEL_TAB)
        self.labelling_view.open(id)

    @Slot(int)
    def _on_review_count_changed(self, count: int) -> None:
        words = self.tr("Review · {n}").format(n=count) if count else self.tr("Review")
        self.tabs.set_title(REVIEW_TAB, words)

    @Slot()
    def undo(self) -> None:
        """Undo the last step, and drop the outcome of an import, which may no longer be true."""
        if self.labelling.undo_stack.canUndo():
            self.labelling.undo_stack.undo()
            self.labelling_view.follow_step(self.labelling.touched)
        if self._job is None:
            self.message_bar.hide()

    @Slot()
    def redo(self) -> None:
        """Redo the last step that was undone."""
        if self.labelling.undo_stack.canRedo():
            self.labelling.undo_stack.redo()
            self.labelling_view.follow_step(self.labelling.touched)

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

    @Slot()
    def ask_for_files(self) -> None:
        """Let the person choose files to import."""
        kinds = " ".join(f"*{suffix}" for suffix in sorted(AUDIO_SUFFIXES))
        words = self.tr("Sound files ({kinds});;All files (*)").format(kinds=kinds)
        names, _ = QFileDialog.getOpenFileNames(self, self.tr("Import files"), "", words)
        self.import_paths([Path(name) for name in names])

    @Slot()
    def ask_for_folder(self) -> None:
        """Let the person choose a folder to import."""
        name = QFileDialog.getExistingDirectory(self, self.tr("Import a folder"))
        if name:
            self.import_paths([Path(name)])

    def import_paths(self, paths: Sequence[Path]) -> None:
        """Import files and folders, unless an import or export is under way."""
        if paths and self._is_free():
            self._begin(ImportJob(self._library, paths, self._settings[BABY_NAME], self))

    @Slot(str)
    def export_to(self, folder: str) -> None:
        """Copy the library to a folder or, if that is not empty, to a new folder inside it."""
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
        if self._monitor.recorder.is_recording:
            return self.tr("A recording is under way; it would end here, and is kept.")
        if isinstance(self._job, ImportJob):
            return self.tr("An import is under way; what is in the library already stays.")
        return self.tr("An export is under way; nothing of it would be left.") if self._job is not None else ""

    @property
    def is_busy(self) -> bool:
        """Whether an import or an export is under way."""
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

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        # The Nights page may have added clips meanwhile.
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
