"""The models tab: which model listens, what is known of each, and buttons to use, roll back or delete one."""

from __future__ import annotations

import contextlib
import json
import time
from functools import partial
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QDate, QLocale, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from babymonitor.core.alerts.sensitivity import rungs
from babymonitor.core.model.classifier import ModelCard, ModelError
from babymonitor.core.model.model_shelf import (
    ModelFile,
    can_roll_back,
    model_files,
    move_to_trash,
    roll_back,
    take_into_use,
)
from babymonitor.core.settings import MODEL, PREVIOUS_MODEL, Settings
from babymonitor.live.monitor import Monitor
from babymonitor.ui.parts.card import Card
from babymonitor.ui.parts.save_setting import try_to_save
from babymonitor.ui.parts.text_label import text_label, wrapped_label
from babymonitor.ui.parts.theme import current_theme, follow_theme
from babymonitor.ui.parts.wording import label_title, percent_text, plain, sensitivity_text, translated


class ModelsView(QWidget):
    """A list of model files, and the card of the chosen file."""

    complained = Signal(object)
    """A sentence about what could not be done."""

    def __init__(self, monitor: Monitor, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._settings = settings
        self._files: list[ModelFile] = []
        self._build_list()
        self._build_card()
        self._lay_out()
        monitor.model_changed.connect(self._on_model_changed)
        self.refresh()
        follow_theme(self._apply_theme)

    def _build_list(self) -> None:
        self.list = QListWidget(self)
        self.list.setAccessibleName(self.tr("Models"))
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setWordWrap(True)
        self.list.currentRowChanged.connect(self._on_chosen)

    def _build_card(self) -> None:
        self.title_label = text_label("", "pageTitle", self)
        self.state_label = text_label("", "muted", self)
        self.words_label = wrapped_label(parent=self)
        self.words_label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.use_button = QPushButton(self.tr("Use this model"), self)
        self.use_button.setProperty("role", "main")
        self.roll_back_button = QPushButton(self.tr("Roll back"), self)
        self.delete_button = QPushButton(self.tr("Delete"), self)
        self.delete_button.setToolTip(self.tr("Into the trash of the program's folder (Del)"))
        self.delete_button.setShortcut("Del")
        self.card_button = QPushButton(self.tr("Show the whole card"), self)
        self.card_button.setProperty("role", "small")
        self.card_button.setCheckable(True)
        self.card_edit = QPlainTextEdit(self)
        self.card_edit.setReadOnly(True)
        self.card_edit.setAccessibleName(self.tr("Model card"))
        self.card_edit.setMinimumHeight(160)
        self.card_edit.hide()
        self.use_button.clicked.connect(self._on_use_clicked)
        self.roll_back_button.clicked.connect(self.roll_back)
        self.delete_button.clicked.connect(self._on_delete_clicked)
        self.card_button.toggled.connect(self._on_card_toggled)

    def _lay_out(self) -> None:
        self._list_card = Card(self)
        column = QVBoxLayout(self._list_card)
        column.setContentsMargins(6, 8, 6, 8)
        column.addWidget(self.list)
        right = Card(self)
        column = QVBoxLayout(right)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(8)
        column.addWidget(self.title_label)
        column.addWidget(self.state_label)
        inside = QWidget(self)
        inner = QVBoxLayout(inside)
        inner.setContentsMargins(0, 0, 4, 0)
        inner.addWidget(self.words_label)
        inner.addWidget(self.card_button, 0, Qt.AlignmentFlag.AlignLeft)
        inner.addWidget(self.card_edit)
        inner.addStretch(1)
        area = QScrollArea(self)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        area.setAccessibleName(self.tr("What is known of the model"))
        column.addWidget(area, 1)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self.use_button)
        row.addWidget(self.roll_back_button)
        row.addStretch(1)
        row.addWidget(self.delete_button)
        column.addLayout(row)
        outer = QHBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(12)
        outer.addWidget(self._list_card)
        outer.addWidget(right, 1)

    @Slot()
    def _apply_theme(self) -> None:
        self._list_card.setFixedWidth(round(current_theme().text_px * 18))

    @property
    def chosen(self) -> ModelFile | None:
        """The file that is selected in the list."""
        row = self.list.currentRow()
        return self._files[row] if 0 <= row < len(self._files) else None

    def is_chosen(self, file: ModelFile) -> bool:
        """Return whether a model is the one that the settings name."""
        used = self._settings[MODEL]
        return Path(used) == file.path if used else file.is_shipped

    def is_in_use(self, file: ModelFile) -> bool:
        """Return whether the monitor uses this model; it uses another if it refused the chosen one."""
        return self._monitor.model_path == file.path

    @Slot()
    def refresh(self) -> None:
        """Look into the folders again. The choice stays; at first it is the model in use."""
        before = self.chosen
        self._files = model_files()
        listed = [file.path for file in self._files]
        row = next((index for index, file in enumerate(self._files) if self.is_chosen(file)), 0)
        if before is not None and before.path in listed:
            row = listed.index(before.path)
        self.list.blockSignals(True)
        self.list.clear()
        kinds = {"shipped": self.tr("shipped"), "taught": self.tr("taught"), "trained": self.tr("trained")}
        for file in self._files:
            text = f"{file.title}\n{kinds[file.kind]} · {_made_text(file)}"
            if self.is_in_use(file):
                text = "✓ " + text + " · " + self.tr("in use")
            elif self.is_chosen(file):
                text += " · " + self.tr("chosen")
            self.list.addItem(QListWidgetItem(text))
        self.list.setCurrentRow(row)
        self.list.blockSignals(False)
        self._show_chosen()

    def _show_chosen(self) -> None:
        file = self.chosen
        if file is None:
            return
        is_chosen = self.is_chosen(file)
        self.title_label.setText(file.title)
        if self.is_in_use(file):
            state = self.tr("in use: this model is listening")
        else:
            state = self.tr("chosen, but another model is listening") if is_chosen else self.tr("not in use")
        self.state_label.setText(f"{file.path.name} · {state}")
        if file.card is None:
            self.words_label.setText(translated(file.complaint))
            self.card_edit.setPlainText("")
        else:
            self.words_label.setText("\n\n".join(_card_words(file.card)))
            values = json.loads(file.card.to_json())
            values.pop("golden", None)
            with contextlib.suppress(KeyError, TypeError):
                values["training"] = {name: value for name, value in values["training"].items() if name != "groups"}
            self.card_edit.setPlainText(json.dumps(values, indent=2, ensure_ascii=False))
        self.card_button.setVisible(file.card is not None)
        self.use_button.setVisible(not is_chosen and file.card is not None)
        self.delete_button.setEnabled(not is_chosen and not file.is_shipped)
        self.roll_back_button.setVisible(can_roll_back(self._settings))
        self.roll_back_button.setToolTip(
            plain(self.tr("Use {name} again").format(name=model_name(self._settings[PREVIOUS_MODEL])))
        )

    def use(self, path: Path) -> bool:
        """Use this model from now on, and remember the one before. Returns whether that succeeded."""
        try:
            return try_to_save(partial(take_into_use, self._settings, path), self.complained.emit)
        except ModelError as error:
            self.complained.emit(error.message)
            return False
        finally:
            self.refresh()

    @Slot()
    def roll_back(self) -> None:
        """Use the previous model again; a second time, return to this one."""

        def change() -> None:
            if complaint := roll_back(self._settings):
                self.complained.emit(complaint)

        try_to_save(change, self.complained.emit)
        self.refresh()

    @Slot()
    def _on_use_clicked(self) -> None:
        if self.chosen is not None:
            self.use(self.chosen.path)

    @Slot()
    def _on_delete_clicked(self) -> None:
        file = self.chosen
        if file is None or file.is_shipped or self.is_chosen(file) or not self._confirms_deleting(file):
            return
        try:
            move_to_trash(file.path)
            if self._settings[PREVIOUS_MODEL] == str(file.path):
                self._settings[PREVIOUS_MODEL] = ""
        except OSError as error:
            words = self.tr("The model could not be deleted: {error}.")
            self.complained.emit(words.format(error=error.strerror or error))
        self.refresh()

    def _confirms_deleting(self, file: ModelFile) -> bool:
        words = self.tr("Delete the model {name}? It is put into the trash.").format(name=file.title)
        answer = QMessageBox.question(self, self.tr("Delete a model"), plain(words))
        return answer is QMessageBox.StandardButton.Yes

    @Slot()
    def _on_model_changed(self) -> None:
        if self.isVisible():
            self.refresh()

    @Slot(int)
    def _on_chosen(self, row: int) -> None:
        self._show_chosen()

    @Slot(bool)
    def _on_card_toggled(self, shown: bool) -> None:
        self.card_edit.setVisible(shown)
        self.card_button.setText(self.tr("Hide the whole card") if shown else self.tr("Show the whole card"))


def model_name(value: str) -> str:
    """Return the name of the model that a setting's value stands for."""
    return Path(value).stem if value else "default"


def _made_text(file: ModelFile) -> str:
    if file.card is not None:
        with contextlib.suppress(ValueError):
            day = time.strptime(file.card.created[:10], "%Y-%m-%d")
            return QLocale().toString(QDate(day.tm_year, day.tm_mon, day.tm_mday), "d MMM yyyy")
    return time.strftime("%Y-%m-%d", time.localtime(file.made))


def _tr(text: str) -> str:
    return QCoreApplication.translate("Models", text)


def _card_words(card: ModelCard) -> list[str]:
    """Return what a card says as lines for a person: family, labels, figures, training data."""
    labels = ", ".join(label_title(name).lower() for name in card.labels)
    lines = [_tr("Family: {name}").format(name=card.family), _tr("Tells: {labels}").format(labels=labels)]
    for side, figures in card.metrics.items():
        if isinstance(figures, dict):
            parts = [
                f"{name.replace('_', ' ')} {percent_text(value)}"
                for name, value in figures.items()
                if isinstance(value, int | float) and 0 <= value <= 1
            ]
            if parts:
                words = _tr("On {side} groups: {figures}")
                lines.append(words.format(side=side.replace("_", " "), figures=", ".join(parts)))
    taught = card.training.get("taught")
    if isinstance(taught, dict):
        words = _tr("Taught with {clips} clips of {groups} recordings or nights, on top of {base}")
        counts = {name: taught.get(name, "?") for name in ("clips", "groups")}
        lines.append(words.format(base=taught.get("base_name", "?"), **counts))
    elif card.training.get("sources"):
        lines.append(_tr("Learnt from: {sources}").format(sources=", ".join(map(str, card.training["sources"]))))
    lines += [sensitivity_text(rung) for rung in rungs(card) if rung.is_recommended]
    start, end = percent_text(card.thresholds["start"]), percent_text(card.thresholds["end"])
    lines.append(_tr("Crying counts from {start} on and ends below {end}").format(start=start, end=end))
    words = _tr("Made: {when} · Licence: {licence}")
    lines.append(words.format(when=card.created[:16].replace("T", " "), licence=card.licence))
    return lines
