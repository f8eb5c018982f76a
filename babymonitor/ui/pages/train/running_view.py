"""A training under way: its progress, its curves, its log, and a button that cancels it."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from babymonitor.core.training_runs import FULL, Run
from babymonitor.ui.pages.train.curve_plots import ProgressPlot
from babymonitor.ui.parts.card import Card
from babymonitor.ui.parts.text_label import text_label, wrapped_label
from babymonitor.ui.parts.wording import duration_text, percent_text

_STEPS = 1000
_LOG_LINES = 2000


class RunningView(QWidget):
    """Shows the events of one run as they arrive."""

    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title_label = text_label("", "pageTitle", self)
        self.step_label = text_label("", "", self)
        self.time_label = text_label("", "", self)
        self.time_label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.progress_bar = QProgressBar(self)
        self.progress_bar.setTextVisible(False)
        self.progress_bar.setAccessibleName(self.tr("Progress of the training"))
        self.plot = ProgressPlot(self)
        words = self.tr("The monitor goes on listening; the training waits for it. You may use the other pages.")
        self.note_label = wrapped_label(words, "muted", self)
        self.cancel_button = QPushButton(self.tr("Cancel"), self)
        self.cancel_button.setToolTip(self.tr("Stop the training; nothing is changed (Ctrl+.)"))
        self.cancel_button.setShortcut("Ctrl+.")
        self.log_button = QPushButton(self)
        self.log_button.setProperty("role", "small")
        self.log_button.setCheckable(True)
        self.log_edit = QPlainTextEdit(self)
        self.log_edit.setReadOnly(True)
        self.log_edit.setMaximumBlockCount(_LOG_LINES)
        self.log_edit.setAccessibleName(self.tr("Log"))
        self.log_edit.setMinimumHeight(110)
        self._lay_out()
        self.log_button.toggled.connect(self._on_log_toggled)
        self.cancel_button.clicked.connect(self._on_cancel_clicked)
        self._on_log_toggled(False)

    def _lay_out(self) -> None:
        card = Card(self)
        column = QVBoxLayout(card)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(10)
        column.addWidget(self.title_label)
        line = QHBoxLayout()
        line.addWidget(self.step_label, 1)
        line.addWidget(self.time_label)
        column.addLayout(line)
        column.addWidget(self.progress_bar)
        column.addWidget(self.plot, 1)
        column.addWidget(self.note_label)
        row = QHBoxLayout()
        row.addWidget(self.cancel_button)
        row.addStretch(1)
        row.addWidget(self.log_button)
        column.addLayout(row)
        column.addWidget(self.log_edit)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(card)
        self._rest = QWidget(self)
        outer.addWidget(self._rest, 1)
        self._card, self._outer = card, outer

    def begin(self, run: Run) -> None:
        """Show a run that has just begun."""
        is_full = run.request.kind == FULL
        title = self.tr("Training {family}").format(family=run.request.family) if is_full else self.tr("Teaching")
        self.title_label.setText(title)
        self.progress_bar.setRange(0, 0)
        self.step_label.setText(self.tr("The trainer starts…"))
        self.time_label.setText("")
        self.log_edit.clear()
        self.plot.clear()
        self.plot.setVisible(is_full)
        # Without curves the card is only as tall as its words.
        self._outer.setStretchFactor(self._card, 1 if is_full else 0)
        self._outer.setStretchFactor(self._rest, 0 if is_full else 1)
        self.cancel_button.setEnabled(True)
        self.cancel_button.setText(self.tr("Cancel"))

    def show_event(self, event: dict[str, Any]) -> None:
        """Show an event of the trainer; unknown kinds are ignored."""
        kind = event.get("event")
        if kind == "started":
            self.step_label.setText(self.tr("Listening to the clips"))
        elif kind == "epoch":
            self._show_epoch(event)
        elif kind == "progress":
            self._show(float(event.get("share", 0.0)), str(event.get("what", "")), event.get("seconds_left"))
        elif kind == "finished":
            self._show(1.0, self.tr("Comparing with the present model"), None)
        elif kind == "warning":
            self.add_line(str(event.get("sentence", "")))

    def add_line(self, line: str) -> None:
        """Append a line to the log."""
        self.log_edit.appendPlainText(line)

    def _show_epoch(self, event: dict[str, Any]) -> None:
        epoch, epochs = int(event.get("epoch", 0)), max(1, int(event.get("epochs", 1)))
        loss, accuracy = float(event.get("loss", 0.0)), float(event.get("balanced_accuracy", 0.0))
        self.plot.set_epochs(epochs)
        self.plot.add_epoch(epoch, loss, accuracy)
        words = self.tr("Epoch {n} of {of}: balanced accuracy {share}")
        step = words.format(n=epoch, of=epochs, share=percent_text(accuracy))
        self._show(epoch / epochs, step, event.get("seconds_left"))
        self.add_line(f"{epoch}/{epochs}  loss {loss:.4f}  balanced accuracy {accuracy:.3f}")

    def _show(self, share: float, step: str, seconds_left: Any) -> None:
        self.progress_bar.setRange(0, _STEPS)
        self.progress_bar.setValue(round(_STEPS * min(1.0, max(0.0, share))))
        self.step_label.setText(step[:1].upper() + step[1:])
        time_left = ""
        if isinstance(seconds_left, int | float):
            time_left = self.tr("about {time} left").format(time=duration_text(seconds_left + 0.99))
        self.time_label.setText(time_left)
        self.progress_bar.setAccessibleDescription(f"{percent_text(share)} {time_left}")

    @Slot()
    def _on_cancel_clicked(self) -> None:
        self.cancel_button.setEnabled(False)
        self.cancel_button.setText(self.tr("Stopping…"))
        self.cancel_requested.emit()

    @Slot(bool)
    def _on_log_toggled(self, shown: bool) -> None:
        self.log_edit.setVisible(shown)
        self.log_button.setText(self.tr("Hide the log") if shown else self.tr("Show the log"))
