"""The Train page: teach the model in use, train a model from the beginning, and choose among the models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from babymonitor.core import paths
from babymonitor.core.library.library import Library
from babymonitor.core.model.classifier import ModelError
from babymonitor.core.model.model_shelf import can_roll_back
from babymonitor.core.settings import MODEL, PREVIOUS_MODEL, Settings
from babymonitor.core.training_runs import (
    FINISHED,
    FULL,
    TEACH,
    Request,
    Run,
    RunError,
    adopt,
    all_runs,
    begin,
    prune,
    read_comparison,
)
from babymonitor.live import torch_conversion
from babymonitor.live.monitor import Monitor
from babymonitor.live.trainer_process import FamiliesLoader, TrainerProcess, interrupted_runs
from babymonitor.ui.pages.train.comparison_view import ComparisonView
from babymonitor.ui.pages.train.family_form import FamilyForm
from babymonitor.ui.pages.train.models_view import ModelsView
from babymonitor.ui.pages.train.running_view import RunningView
from babymonitor.ui.pages.train.teach_view import TeachView
from babymonitor.ui.parts.card import Card
from babymonitor.ui.parts.keys import add_keys
from babymonitor.ui.parts.page import Page
from babymonitor.ui.parts.tab_bar import TabBar
from babymonitor.ui.parts.text_label import wrapped_label
from babymonitor.ui.parts.wording import translated

TEACH_TAB, FULL_TAB, MODELS_TAB = 0, 1, 2
_RUNNING, _RESULT = 3, 4


class TrainPage(Page):
    """Three tabs, and in place of them a training under way or its result.

    When it is built, it offers to resume what a program that died left behind.
    """

    def __init__(self, monitor: Monitor, library: Library, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._library = library
        self._settings = settings
        self._shown_run: Run | None = None
        self._is_shut_down = False
        self.trainer = TrainerProcess(self)
        self.families = FamiliesLoader(self)
        self._build_tabs()
        self.teach_view = TeachView(library, self)
        self._build_full()
        self.models_view = ModelsView(monitor, settings, self)
        self.running_view = RunningView(self)
        self.comparison_view = ComparisonView(monitor, self)
        self._lay_out()
        self._connect()
        self._note_left_running()
        self.show_tab(TEACH_TAB)

    def _build_tabs(self) -> None:
        self.stack = QStackedWidget(self)
        self.tabs = TabBar(self)
        for number, title, tip in (
            (TEACH_TAB, self.tr("Teach it my baby"), self.tr("From your own clips, in under a minute (Alt+1)")),
            (FULL_TAB, self.tr("Full training"), self.tr("A model from the beginning, any family (Alt+2)")),
            (MODELS_TAB, self.tr("Models"), self.tr("What there is, and which one listens (Alt+3)")),
        ):
            self.tabs.add_tab(number, title, tip)
        self.note_bar = QFrame(self)
        self.note_bar.setProperty("role", "complaint")
        self.note_label = wrapped_label()
        self.resume_button = QPushButton(self.tr("Resume"), self)
        self.resume_button.setProperty("role", "small")
        self.dismiss_button = QPushButton(self.tr("Dismiss"), self)
        self.dismiss_button.setProperty("role", "plain")

    def _build_full(self) -> None:
        self.form = FamilyForm(self)
        self.form.setEnabled(False)
        self.full_label = wrapped_label(self.tr("Asking the trainer which families it knows…"), "muted")
        self.full_button = QPushButton(self.tr("Begin the full training"), self)
        self.full_button.setProperty("role", "main")
        self.full_button.setEnabled(False)

    def _lay_out(self) -> None:
        row = QHBoxLayout(self.note_bar)
        row.setContentsMargins(14, 6, 8, 6)
        row.addWidget(self.note_label, 1)
        row.addWidget(self.resume_button)
        row.addWidget(self.dismiss_button)
        self.note_bar.hide()
        self.stack.addWidget(self.teach_view)
        self.stack.addWidget(self._full_page())
        for view in (self.models_view, self.running_view, self.comparison_view):
            self.stack.addWidget(view)
        head = QHBoxLayout()
        head.addWidget(self.tabs)
        head.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 10, 16, 14)
        column.setSpacing(10)
        column.addLayout(head)
        column.addWidget(self.note_bar)
        column.addWidget(self.stack, 1)

    def _full_page(self) -> QWidget:
        card = Card(self)
        inside = QWidget(self)
        inner = QVBoxLayout(inside)
        inner.setContentsMargins(0, 0, 8, 0)
        inner.addWidget(self.full_label)
        inner.addWidget(self.form)
        inner.addStretch(1)
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        area.setAccessibleName(self.tr("Full training"))
        column = QVBoxLayout(card)
        column.setContentsMargins(20, 16, 12, 14)
        column.addWidget(area, 1)
        column.addWidget(self.full_button, 0, Qt.AlignmentFlag.AlignLeft)
        return card

    def _connect(self) -> None:
        self.tabs.tab_chosen.connect(self.show_tab)
        self.teach_view.teach_requested.connect(self.teach)
        self.full_button.clicked.connect(self.train_fully)
        self.resume_button.clicked.connect(self._on_resume_clicked)
        self.dismiss_button.clicked.connect(self._on_dismissed)
        self.running_view.cancel_requested.connect(self.trainer.cancel)
        self.trainer.event_arrived.connect(self.running_view.show_event)
        self.trainer.log_arrived.connect(self.running_view.add_line)
        self.trainer.ended.connect(self._on_ended)
        self.families.arrived.connect(self._on_families_arrived)
        self.families.failed.connect(self._on_families_failed)
        self.comparison_view.use_requested.connect(self._on_use_requested)
        self.comparison_view.closed.connect(self._on_result_closed)
        self.comparison_view.roll_back_requested.connect(self._on_roll_back_requested)
        self.models_view.complained.connect(self.complained)
        self.actions_by_key = add_keys(
            self,
            (
                (self.tr("Teach it my baby"), ("Ctrl+T",), self.teach),
                (self.tr("The page to teach"), ("Alt+1",), self._on_teach_key),
                (self.tr("Full training"), ("Alt+2",), self._on_full_key),
                (self.tr("Models"), ("Alt+3",), self._on_models_key),
            ),
        )

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.teach_view.refresh()
        self.models_view.refresh()

    @property
    def busy_sentence(self) -> str:
        run = self.trainer.run
        if run is None:
            return ""
        if run.request.kind == FULL:
            return self.tr("A training is under way. If you close the program it stops; it can be resumed later.")
        return self.tr("The model is being taught. If you close the program that stops, and nothing is changed.")

    @Slot(int)
    def show_tab(self, number: int) -> None:
        """Show a tab. While a training is under way, its progress takes the place of the first two tabs."""
        self.tabs.check(number)
        if number == MODELS_TAB:
            self.models_view.refresh()
            self.stack.setCurrentIndex(MODELS_TAB)
        elif self.trainer.is_running:
            self.stack.setCurrentIndex(_RUNNING)
        else:
            self.stack.setCurrentIndex(number)
            self._note_undecided()
            if number == FULL_TAB:
                self.families.load()
            else:
                self.teach_view.refresh()

    def _show_note(self, sentence: str, run: Run | None = None) -> None:
        """Show a sentence about a run, which can be resumed, or whose result can be looked at."""
        self.note_label.setText(translated(sentence))
        self.note_bar.setAccessibleName(sentence)
        self._shown_run = run
        is_undecided = run is not None and run.is_undecided
        self.resume_button.setText(self.tr("Show the comparison") if is_undecided else self.tr("Resume"))
        self.resume_button.setVisible(run is not None and (run.is_resumable or is_undecided))
        self.note_bar.show()

    def _note_undecided(self) -> None:
        """Recall a finished model that nobody has decided about: it may have taken hours to train."""
        newest = next(iter(all_runs()), None)
        if newest is not None and newest.is_undecided and self.note_bar.isHidden():
            self._show_note(self.tr("The last training is finished; its model is not in use yet."), newest)

    def _note_left_running(self) -> None:
        """Offer the training of a program that is gone. A trainer that goes on without it is ended first."""
        left = interrupted_runs()
        if left:
            self._show_note(left[0].sentence, left[0])
            return
        stopped = next((run for run in all_runs() if run.request.kind == FULL), None)
        if stopped is not None and stopped.is_resumable:
            self._show_note(self.tr("A full training was stopped and can be resumed."), stopped)

    @Slot()
    def teach(self) -> None:
        """Teach the model in use with the clips of the library."""
        self._begin(TEACH)

    @Slot()
    def train_fully(self) -> None:
        """Train a model of the chosen family from the beginning."""
        if self.form.family:
            self._begin(FULL)

    def _begin(self, kind: str) -> None:
        if self.trainer.is_running or (kind == TEACH and not self.teach_view.can_teach):
            return
        try:
            model = self._model_in_use()
            if not model.is_file():
                self.complained.emit(self._missing_model_sentence(model))
                return
            prune(needed=[Path(self._settings[name]) for name in (MODEL, PREVIOUS_MODEL) if self._settings[name]])
            data = (self._library.folder,)
            if kind == FULL:
                request = Request(FULL, model, (*data, *self.form.folders), self.form.family, self.form.options)
            else:
                request = Request(TEACH, model, data)
            run = begin(request)
        except (RunError, ModelError) as error:
            self.complained.emit(str(error))
            return
        self._start(run)

    def _missing_model_sentence(self, model: Path) -> str:
        words = self.tr(
            "The model in use, {name}, is not on the disk any more, so nothing can be built on it: choose another "
            "under Models."
        )
        return words.format(name=model.name)

    def _start(self, run: Run, resume: bool = False) -> None:
        self.note_bar.hide()
        self.running_view.begin(run)
        self.trainer.start(run, resume)
        if self.trainer.is_running:
            self.stack.setCurrentIndex(_RUNNING)

    def _model_in_use(self) -> Path:
        """Return the file of the model in use; for a `.pt`, the file it was converted to."""
        value = self._settings[MODEL]
        if not value:
            return paths.default_model()
        path = Path(value)
        return torch_conversion.conversion_of(path) if torch_conversion.is_torch(path) else path

    def shut_down(self) -> None:
        """End a training under way; a full training can be resumed."""
        self._is_shut_down = True
        self.trainer.shut_down()
        self.families.shut_down()

    @Slot(object, str, object)
    def _on_ended(self, run: Run, state: str, sentence: str) -> None:
        if self._is_shut_down:
            return
        if state != FINISHED:
            self._show_note(sentence, run)
            self.show_tab(TEACH_TAB if run.request.kind == TEACH else FULL_TAB)
            return
        self.show_result(run)

    def show_result(self, run: Run) -> None:
        """Show the comparison of a finished run's model with the model in use."""
        self._shown_run = run
        try:
            self.comparison_view.show_comparison(read_comparison(run.comparison))
        except RunError as error:
            self.comparison_view.show_without_comparison(translated(run.sentence or str(error)))
        self.comparison_view.show_use(False, False)
        self.note_bar.hide()
        self.stack.setCurrentIndex(_RESULT)

    @Slot()
    def _on_use_requested(self) -> None:
        run = self._shown_run
        if run is None:
            return
        try:
            path = adopt(run)
        except RunError as error:
            self.complained.emit(str(error))
            return
        if self.models_view.use(path):
            run.decide()
            words = self.tr("It is in use: the monitor went on listening. You can go back at any time.")
            self.comparison_view.show_use(True, can_roll_back(self._settings), words)

    @Slot()
    def _on_roll_back_requested(self) -> None:
        self.models_view.roll_back()
        self.comparison_view.show_use(False, False, self.tr("The model before is in use again."))

    @Slot()
    def _on_result_closed(self) -> None:
        self._monitor.stop_playing()
        if self._shown_run is not None:
            self._shown_run.decide()
        self.show_tab(TEACH_TAB)

    @Slot()
    def _on_dismissed(self) -> None:
        self.note_bar.hide()
        if self._shown_run is not None:
            self._shown_run.decide()

    @Slot()
    def _on_resume_clicked(self) -> None:
        run = self._shown_run
        if run is not None and run.is_undecided:
            self.show_result(run)
        elif run is not None and run.is_resumable and not self.trainer.is_running:
            self._start(run, resume=True)

    @Slot(list)
    def _on_families_arrived(self, families: list[dict[str, Any]]) -> None:
        self.form.set_families(families)
        self.form.setEnabled(True)
        self.full_button.setEnabled(True)
        self.full_label.setText(
            self.tr(
                "A model of your own, trained from the beginning. It needs at least 200 clips of each label, better "
                "500, and minutes to hours. For most homes teaching is the better way."
            )
        )

    @Slot(object)
    def _on_families_failed(self, sentence: str) -> None:
        self.full_label.setText(translated(sentence))

    @Slot()
    def _on_teach_key(self) -> None:
        self.show_tab(TEACH_TAB)

    @Slot()
    def _on_full_key(self) -> None:
        self.show_tab(FULL_TAB)

    @Slot()
    def _on_models_key(self) -> None:
        self.show_tab(MODELS_TAB)
