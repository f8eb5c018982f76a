"""The Train page: teach the model in use one's own baby, train one from the beginning, and choose among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QFont, QFontMetrics, QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from babymonitor.core import paths
from babymonitor.core.labels import label as known_label
from babymonitor.core.library.label_counts import night_of
from babymonitor.core.library.library import Library, LibraryError
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
from babymonitor.ui.parts.keys import add_keys
from babymonitor.ui.parts.theme import Theme
from babymonitor.ui.parts.wording import label_title, translated

TEACH_TAB, FULL_TAB, MODELS_TAB = 0, 1, 2
_RUNNING, _RESULT = 3, 4
_FEW_CLIPS = 20


class TrainingView(QWidget):
    """Built when it is first visited; it then says what a program that died left behind."""

    complained = Signal(object)

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
        self._build_teach()
        self._build_full()
        self.models_view = ModelsView(monitor, settings, self)
        self.running_view = RunningView(self)
        self.comparison_view = ComparisonView(monitor, self)
        self._lay_out()
        self._connect()
        self._tell_what_was_left()
        self.show_tab(TEACH_TAB)

    # ------------------------------------------------------------------------------------------------------- building

    def _build_tabs(self) -> None:
        self.stack = QStackedWidget(self)
        self._tabs = QButtonGroup(self)
        self._tab_row = QHBoxLayout()
        self._tab_row.setSpacing(2)
        for number, title, tip in (
            (TEACH_TAB, self.tr("Teach it my baby"), self.tr("From your own clips, in under a minute (Alt+1)")),
            (FULL_TAB, self.tr("Full training"), self.tr("A model from the beginning, any family (Alt+2)")),
            (MODELS_TAB, self.tr("Models"), self.tr("What there is, and which one listens (Alt+3)")),
        ):
            button = QToolButton(self)
            button.setText(title)
            button.setToolTip(tip)
            button.setCheckable(True)
            button.setProperty("role", "tab")
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self._tabs.addButton(button, number)
            self._tab_row.addWidget(button)
        self._tabs.setExclusive(True)
        self._tabs.idClicked.connect(self.show_tab)
        self.note_bar = QFrame(self)
        self.note_bar.setProperty("role", "complaint")
        self.note_label = _words()
        self.resume_button = QPushButton(self.tr("Resume"), self)
        self.resume_button.setProperty("role", "small")
        self.dismiss_button = QPushButton(self.tr("Dismiss"), self)
        self.dismiss_button.setProperty("role", "plain")

    def _build_teach(self) -> None:
        self.teach_title = QLabel(self.tr("Teach it my baby"), self)
        self.teach_title.setProperty("role", "pageTitle")
        self.teach_label = _words()
        self.missing_label = _words()
        self.missing_label.setProperty("role", "muted")
        self.promise_label = _words(
            self.tr(
                "The model in use learns your clips on top of what it knows. It is then compared with the present one "
                "on clips it has not learnt from, and nothing changes until you say so."
            )
        )
        self.promise_label.setProperty("role", "muted")
        self.teach_button = QPushButton(self.tr("Teach it my baby"), self)
        self.teach_button.setProperty("role", "main")
        self.teach_button.setToolTip(self.tr("Begin (Ctrl+T)"))

    def _build_full(self) -> None:
        self.form = FamilyForm(self)
        self.form.setEnabled(False)
        self.full_label = _words(self.tr("Asking the trainer which families it knows…"))
        self.full_label.setProperty("role", "muted")
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
        self.stack.addWidget(self._teach_page())
        self.stack.addWidget(self._full_page())
        for view in (self.models_view, self.running_view, self.comparison_view):
            self.stack.addWidget(view)
        head = QHBoxLayout()
        head.addLayout(self._tab_row)
        head.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 10, 16, 14)
        column.setSpacing(10)
        column.addLayout(head)
        column.addWidget(self.note_bar)
        column.addWidget(self.stack, 1)

    def _teach_page(self) -> QWidget:
        card = QFrame(self)
        card.setProperty("role", "card")
        column = QVBoxLayout(card)
        column.setContentsMargins(28, 24, 28, 24)
        column.setSpacing(14)
        column.addWidget(self.teach_title)
        column.addWidget(self.teach_label)
        column.addWidget(self.missing_label)
        column.addWidget(self.promise_label)
        column.addSpacing(6)
        column.addWidget(self.teach_button, 0, Qt.AlignmentFlag.AlignLeft)
        page = QWidget(self)
        outer = QVBoxLayout(page)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(card)
        outer.addStretch(1)
        return page

    def _full_page(self) -> QWidget:
        card = QFrame(self)
        card.setProperty("role", "card")
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
        self.teach_button.clicked.connect(self.teach)
        self.full_button.clicked.connect(self.train_fully)
        self.resume_button.clicked.connect(self._on_resume_clicked)
        self.dismiss_button.clicked.connect(self._on_dismissed)
        self.running_view.cancel_requested.connect(self.trainer.cancel)
        self.trainer.event_arrived.connect(self.running_view.take)
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

    # -------------------------------------------------------------------------------------------------------- showing

    def set_theme(self, theme: Theme) -> None:
        for view in (self.models_view, self.running_view, self.comparison_view):
            view.set_theme(theme)
        for button in self._tabs.buttons():
            # The chosen one is bold, and needs the room for it.
            font = QFont(button.font())
            font.setPixelSize(theme.text_px + 2)
            font.setBold(True)
            button.setMinimumWidth(QFontMetrics(font).horizontalAdvance(button.text()) + 30)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show_teach()
        self.models_view.refresh()

    @property
    def busy_sentence(self) -> str:
        """What is lost if the program is closed now; empty while nothing is trained."""
        run = self.trainer.run
        if run is None:
            return ""
        if run.request.kind == FULL:
            return self.tr("A training is under way. If you close the program it stops; it can be resumed later.")
        return self.tr("The model is being taught. If you close the program that stops, and nothing is changed.")

    @Slot(int)
    def show_tab(self, number: int) -> None:
        """A page; while something runs, its progress takes the place of the two ways in."""
        self._tabs.button(number).setChecked(True)
        if number == MODELS_TAB:
            self.models_view.refresh()
            self.stack.setCurrentIndex(MODELS_TAB)
        elif self.trainer.is_running:
            self.stack.setCurrentIndex(_RUNNING)
        else:
            self.stack.setCurrentIndex(number)
            self._tell_of_undecided()
            if number == FULL_TAB:
                self.families.load()
            else:
                self._show_teach()

    def _show_teach(self) -> None:
        """What it would be taught with, what is missing, and how long it takes."""
        try:
            clips = [clip for clip in self._library.clips() if clip.label]
        except LibraryError as error:
            self.teach_label.setText(translated(str(error)))
            self.teach_button.setEnabled(False)
            return
        self.teach_button.setEnabled(bool(clips))
        if not clips:
            self.teach_label.setText(self.tr("There is nothing to learn from yet."))
            self.missing_label.setText(
                self.tr(
                    "Record your baby, or take clips out of your nights, and say what each is. Ten clips help already, "
                    "and so does what woke you for nothing: the cat, the door."
                )
            )
            return
        counts: dict[str, int] = {}
        for clip in clips:
            counts[clip.label] = counts.get(clip.label, 0) + 1
        listed = sorted(counts.items(), key=_by_count)
        labels = ", ".join(f"{label_title(name).lower()} {n}" for name, n in listed)
        nights = len({night_of(clip.recorded) for clip in clips})
        words = self.tr("It will use {clips} from {nights}: {labels}. That takes about {time}.")
        self.teach_label.setText(
            words.format(
                clips=self.tr("1 clip") if len(clips) == 1 else self.tr("{n} clips").format(n=len(clips)),
                nights=self.tr("1 night") if nights == 1 else self.tr("{n} nights").format(n=nights),
                labels=labels,
                time=_time_text(self, len(clips)),
            )
        )
        self.missing_label.setText(" ".join(self._missing(counts, len({clip.group for clip in clips}))))
        self.missing_label.setVisible(bool(self.missing_label.text()))

    def _missing(self, counts: dict[str, int], groups: int) -> list[str]:
        found = []
        if sum(counts.values()) < _FEW_CLIPS:
            found.append(self.tr("These are few: with {n} clips or more it gets better.").format(n=_FEW_CLIPS))
        if not any(known_label(name).crying for name in counts):
            found.append(self.tr("There is no crying among them, so whether it still hears your baby cannot be told."))
        if all(known_label(name).crying for name in counts):
            found.append(self.tr("There is only crying among them: add what must not wake you."))
        if groups == 1:
            found.append(self.tr("All are of one recording: another night would tell how well it has learnt."))
        return found

    def _note(self, sentence: str, run: Run | None = None) -> None:
        """Say something of a run, which can be resumed, or whose result can be looked at."""
        self.note_label.setText(translated(sentence))
        self.note_bar.setAccessibleName(sentence)
        self._shown_run = run
        is_undecided = run is not None and run.is_undecided
        self.resume_button.setText(self.tr("Show the comparison") if is_undecided else self.tr("Resume"))
        self.resume_button.setVisible(run is not None and (run.is_resumable or is_undecided))
        self.note_bar.show()

    def _tell_of_undecided(self) -> None:
        """A model that is ready, while nobody has said whether to use it: it may have taken hours to train."""
        newest = next(iter(all_runs()), None)
        if newest is not None and newest.is_undecided and self.note_bar.isHidden():
            self._note(self.tr("The last training is finished; its model is not in use yet."), newest)

    def _tell_what_was_left(self) -> None:
        """Trainings of a program that is gone; one that goes on without it is ended first."""
        left = interrupted_runs()
        if left:
            self._note(left[0].sentence, left[0])
            return
        stopped = next((run for run in all_runs() if run.request.kind == FULL), None)
        if stopped is not None and stopped.is_resumable:
            self._note(self.tr("A full training was stopped and can be resumed."), stopped)

    # ------------------------------------------------------------------------------------------------------- training

    @Slot()
    def teach(self) -> None:
        """Teach the model in use what the library holds."""
        self._begin(TEACH)

    @Slot()
    def train_fully(self) -> None:
        """Train a model of the chosen family from the beginning."""
        if self.form.family:
            self._begin(FULL)

    def _begin(self, kind: str) -> None:
        if self.trainer.is_running or (kind == TEACH and not self.teach_button.isEnabled()):
            return
        try:
            model = self._model_in_use()
            if not model.is_file():
                self.complained.emit(self._gone_sentence(model))
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

    def _gone_sentence(self, model: Path) -> str:
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
        """The file of it; of a `.pt`, what was made of it."""
        value = self._settings[MODEL]
        if not value:
            return paths.default_model()
        path = Path(value)
        return torch_conversion.conversion_of(path) if torch_conversion.is_torch(path) else path

    def shut_down(self) -> None:
        """The program ends: what is trained stops, and a full training can be resumed."""
        self._is_shut_down = True
        self.trainer.shut_down()
        self.families.shut_down()

    @Slot(object, str, object)
    def _on_ended(self, run: Run, state: str, sentence: str) -> None:
        if self._is_shut_down:
            return
        if state != FINISHED:
            self._note(sentence, run)
            self.show_tab(TEACH_TAB if run.request.kind == TEACH else FULL_TAB)
            return
        self.show_result(run)

    def show_result(self, run: Run) -> None:
        """Old against new, of a finished run."""
        self._shown_run = run
        try:
            self.comparison_view.show_comparison(read_comparison(run.comparison))
        except RunError as error:
            self.comparison_view.show_without_comparison(translated(run.sentence or str(error)))
        self.comparison_view.show_use(False, False)
        self.note_bar.hide()
        self.stack.setCurrentIndex(_RESULT)

    # ------------------------------------------------------------------------------------------------------ receivers

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


def _by_count(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _time_text(view: QWidget, clips: int) -> str:
    """Generous: better done before than after it was promised."""
    seconds = 8 + 0.4 * clips
    if seconds <= 32:
        return view.tr("half a minute")
    if seconds <= 75:
        return view.tr("a minute")
    return view.tr("{n} minutes").format(n=round(seconds / 60 + 0.5))


def _words(text: str = "") -> QLabel:
    made = QLabel(text)
    made.setWordWrap(True)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    return made
