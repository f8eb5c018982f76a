"""The comparison of a new model with the present one: the outcome, the figures that matter, then all the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from babymonitor.core.labels import label
from babymonitor.live.monitor import Monitor
from babymonitor.ui.pages.train.comparison_words import clip_words, figures_of, outcome_of
from babymonitor.ui.pages.train.confusion_view import ConfusionView
from babymonitor.ui.pages.train.curve_plots import RocPlot
from babymonitor.ui.parts.card import Card, titled_card
from babymonitor.ui.parts.symbols import symbol_icon
from babymonitor.ui.parts.text_label import text_label, wrapped_label
from babymonitor.ui.parts.theme import Tone, current_theme, follow_theme, set_role, tone_sheet
from babymonitor.ui.parts.wording import label_title, percent_text, plain

_SHOWN_CLIPS = 6


class OutcomeView(QFrame):
    """The outcome in a large sentence of any length, in the colours of a tone and with a symbol."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tone, self._symbol = Tone.IDLE, "check"
        self.setProperty("role", "verdict")
        self._symbol_label = QLabel(self)
        self.label = wrapped_label("", "verdictText", self)
        row = QHBoxLayout(self)
        row.setContentsMargins(18, 14, 18, 14)
        row.setSpacing(14)
        row.addWidget(self._symbol_label, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.label, 1)
        follow_theme(self._apply_theme)

    def show_outcome(self, sentence: str, tone: Tone, symbol: str) -> None:
        """Show a sentence in a tone."""
        self._tone, self._symbol = tone, symbol
        self.label.setText(sentence)
        self.setAccessibleName(sentence)
        self._apply_theme()

    @Slot()
    def _apply_theme(self) -> None:
        theme = current_theme()
        text = theme.tone(self._tone)[1]
        px = round(theme.text_px * 1.5)
        self.setStyleSheet(tone_sheet(theme, self._tone))
        self._symbol_label.setPixmap(symbol_icon(self._symbol, text).pixmap(px + 6, px + 6))


class ComparisonView(QWidget):
    """Shows a comparison and what can be done about it; it changes nothing by itself."""

    use_requested = Signal()
    """The person wants the new model; if it was refused, they have insisted."""
    closed = Signal()
    """The person has seen enough; the model in use stays."""
    roll_back_requested = Signal()
    """The person wants the previous model back."""

    def __init__(self, monitor: Monitor, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._comparison: dict[str, Any] = {}
        self._playing = ""
        self._play_buttons: dict[QPushButton, str] = {}
        self._build_outcome()
        self._build_cards()
        self._lay_out()
        self.use_button.clicked.connect(self._on_use_clicked)
        self.close_button.clicked.connect(self.closed)
        self.roll_back_button.clicked.connect(self.roll_back_requested)
        monitor.playback_changed.connect(self._on_playback_changed)

    def _build_outcome(self) -> None:
        self.outcome_view = OutcomeView(self)
        self.use_button = QPushButton(self)
        self.use_button.setProperty("role", "main")
        self.close_button = QPushButton(self)
        self.roll_back_button = QPushButton(self.tr("Roll back"), self)
        self.roll_back_button.setToolTip(self.tr("Use the model again that was in use before"))
        self.state_label = wrapped_label()

    def _build_cards(self) -> None:
        self._tiles = QHBoxLayout()
        self._tiles.setSpacing(12)
        self.words_label = wrapped_label()
        self.old_matrix, self.new_matrix = ConfusionView(self), ConfusionView(self)
        self.roc_plot = RocPlot(self)
        self.roc_plot.setMinimumHeight(230)
        self._labels_grid = QGridLayout()
        self._labels_grid.setHorizontalSpacing(18)
        self._labels_grid.setVerticalSpacing(4)
        self._clips = QVBoxLayout()
        self._clips.setSpacing(2)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addWidget(self.use_button)
        buttons.addWidget(self.close_button)
        buttons.addWidget(self.roll_back_button)
        buttons.addWidget(self.state_label, 1)
        matrices = QHBoxLayout()
        matrices.setSpacing(24)
        for title, view in ((self.tr("Present model"), self.old_matrix), (self.tr("New model"), self.new_matrix)):
            column = QVBoxLayout()
            column.setSpacing(2)
            column.addWidget(text_label(title, "muted", self))
            column.addWidget(view)
            column.addStretch(1)
            matrices.addLayout(column, 1)
        page = QWidget(self)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 4, 0)
        column.setSpacing(12)
        column.addWidget(self.outcome_view)
        column.addLayout(buttons)
        column.addLayout(self._tiles)
        column.addWidget(titled_card(self.tr("In words"), self.words_label))
        self.clips_card = titled_card(self.tr("Clips that the new model finds hardest — listen"), self._clips)
        column.addWidget(self.clips_card)
        column.addWidget(titled_card(self.tr("What it is (rows), and what the models say (columns)"), matrices))
        pair = QHBoxLayout()
        pair.setSpacing(12)
        pair.addWidget(titled_card(self.tr("Label by label: present → new"), self._labels_grid), 3)
        self.roc_card = titled_card(self.tr("At every sensitivity: new (line), present (dashes)"), self.roc_plot)
        pair.addWidget(self.roc_card, 2)
        column.addLayout(pair)
        column.addStretch(1)
        self.area = QScrollArea(self)
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setWidget(page)
        self.area.setAccessibleName(self.tr("Old against new"))
        self.setFocusProxy(self.area)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.area)

    def show_comparison(self, comparison: dict[str, Any]) -> None:
        """Show a comparison, as `core.training_runs.read_comparison` gives it."""
        self._comparison = comparison
        outcome = outcome_of(comparison)
        self.outcome_view.show_outcome(outcome.headline, outcome.tone, outcome.symbol)
        is_refused = bool(comparison["refused"])
        self.use_button.setText(self.tr("Use it all the same…") if is_refused else self.tr("Use this model"))
        set_role(self.use_button, "" if is_refused else "main")
        self.close_button.setText(self.tr("Keep the present model"))
        set_role(self.close_button, "main" if is_refused else "")
        self.words_label.setText("\n".join(outcome.details))
        self._show_tiles(comparison)
        self._show_matrices(comparison)
        self._show_labels(comparison)
        roc = comparison.get("roc") or {"old": [], "new": []}
        self.roc_plot.set_curves(roc["old"] or [], roc["new"] or [])
        self.roc_card.setVisible(bool(roc["new"]))
        self._show_clips(comparison)
        self.area.verticalScrollBar().setValue(0)

    def show_without_comparison(self, sentence: str) -> None:
        """Show only a sentence about a new model."""
        self._comparison = {}
        self.outcome_view.show_outcome(sentence, Tone.IDLE, "check")
        self.use_button.setText(self.tr("Use this model"))
        self.close_button.setText(self.tr("Keep the present model"))

    def show_use(self, is_used: bool, can_roll_back: bool, sentence: str = "") -> None:
        """Show whether the new model is in use."""
        self.use_button.setVisible(not is_used)
        self.roll_back_button.setVisible(is_used and can_roll_back)
        if is_used:
            self.close_button.setText(self.tr("Done"))
        self.state_label.setText(sentence)

    def _show_tiles(self, comparison: dict[str, Any]) -> None:
        _clear(self._tiles)
        for figure in figures_of(comparison):
            tile = Card(self)
            tile.setToolTip(figure.words)
            number = text_label(figure.value, "number", tile)
            number.setAccessibleDescription(figure.words)
            title, before = wrapped_label(figure.title, "", tile), text_label(figure.before, "muted", tile)
            column = QVBoxLayout(tile)
            column.setContentsMargins(14, 8, 10, 10)
            column.setSpacing(0)
            for line in (number, title, before):
                column.addWidget(line)
            column.addStretch(1)
            self._tiles.addWidget(tile, 1)

    def _show_matrices(self, comparison: dict[str, Any]) -> None:
        labels, tables = comparison["labels"], comparison["confusion"]
        occurring = [
            index
            for index in range(len(labels))
            if any(sum(table[index]) or sum(row[index] for row in table) for table in (tables["old"], tables["new"]))
        ]
        for which, view in (("old", self.old_matrix), ("new", self.new_matrix)):
            title = self.tr("Present model") if which == "old" else self.tr("New model")
            table = [[tables[which][row][column] for column in occurring] for row in occurring]
            view.set_table(title, [labels[index] for index in occurring], table)

    def _show_labels(self, comparison: dict[str, Any]) -> None:
        _clear(self._labels_grid)
        grid = self._labels_grid
        heads = ("", self.tr("clips"), self.tr("found"), self.tr("right when said"), self.tr("F1"))
        tips = ("", "", self.tr("Recall"), self.tr("Precision"), self.tr("Of both the harmonic mean"))
        for column, (head, tip) in enumerate(zip(heads, tips, strict=True)):
            cell = text_label(head, "muted", self)
            cell.setToolTip(tip)
            grid.addWidget(cell, 0, column)
        row = 1
        for old, new in zip(comparison["per_label"]["old"], comparison["per_label"]["new"], strict=True):
            if not new["items"]:
                continue
            name = QLabel(f"{label(new['label']).icon} {label_title(new['label'])}", self)
            grid.addWidget(name, row, 0)
            grid.addWidget(QLabel(str(new["items"]), self), row, 1)
            for column, key in enumerate(("recall", "precision", "f1"), start=2):
                grid.addWidget(QLabel(f"{_share(old[key])} → {_share(new[key])}", self), row, column)
            row += 1
        grid.setColumnStretch(len(heads), 1)
        grid.setRowStretch(row, 1)

    def _show_clips(self, comparison: dict[str, Any]) -> None:
        _clear(self._clips)
        self._play_buttons = {}
        for index in comparison["worst"][:_SHOWN_CLIPS]:
            clip = comparison["clips"][index]
            button = QPushButton(self.tr("Play"), self)
            button.setProperty("role", "small")
            words = clip_words(clip)
            button.setAccessibleName(self.tr("Play: {words}").format(words=words))
            button.clicked.connect(self._on_play_clicked)
            self._play_buttons[button] = clip["path"]
            line = wrapped_label(words[:1].upper() + words[1:] + ".")
            line.setToolTip(plain(f"{clip['group']} · {clip['seconds']:.1f} s"))
            row = QHBoxLayout()
            row.setSpacing(10)
            row.addWidget(button)
            row.addWidget(line, 1)
            self._clips.addLayout(row)
        self.clips_card.setVisible(bool(self._play_buttons))

    @Slot()
    def _on_use_clicked(self) -> None:
        reason = str(self._comparison.get("refused", ""))
        if not reason or self._insists(reason):
            self.use_requested.emit()

    def _insists(self, reason: str) -> bool:
        """Ask a second time. The careless answer keeps the present model."""
        box = QMessageBox(self)
        box.setWindowTitle(self.tr("Use it all the same?"))
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(self.tr("{reason}\nA cry that is not caught wakes nobody.").format(reason=reason))
        keep = box.addButton(self.tr("Keep the present model"), QMessageBox.ButtonRole.RejectRole)
        use = box.addButton(self.tr("Use it all the same"), QMessageBox.ButtonRole.DestructiveRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.exec()
        return box.clickedButton() is use

    @Slot()
    def _on_play_clicked(self) -> None:
        button = self.sender()
        path = self._play_buttons.get(button) if isinstance(button, QPushButton) else None
        if path is None:
            return
        if path == self._playing:
            self._monitor.stop_playing()
        else:
            self._monitor.play(Path(path))

    @Slot(str)
    def _on_playback_changed(self, path: str) -> None:
        self._playing = path
        for button, clip_path in self._play_buttons.items():
            button.setText(self.tr("Stop") if clip_path == path else self.tr("Play"))


def _share(value: float | None) -> str:
    return "–" if value is None else percent_text(value)


def _clear(layout: Any) -> None:
    while (item := layout.takeAt(0)) is not None:
        if item.widget() is not None:
            item.widget().hide()
            item.widget().deleteLater()
        elif item.layout() is not None:
            _clear(item.layout())
