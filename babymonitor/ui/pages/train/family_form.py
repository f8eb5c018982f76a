"""The form of a full training, made from the trainer's families; a field left alone keeps the family's value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from babymonitor.ui.parts.choice_view import ChoiceView
from babymonitor.ui.parts.number_boxes import DecimalBox, IntegerBox
from babymonitor.ui.parts.switch_view import SwitchView
from babymonitor.ui.parts.text_label import wrapped_label

_MAIN = ("epochs", "batch", "learning_rate")
_MORE = (
    "epoch_windows", "weight_decay", "schedule", "patience", "balance", "mixup", "mask", "smoothing", "precision",
    "average", "reuse", "seed",
)  # fmt: skip
"""The settings that are offered, at once and behind "More options". What each may be, the trainer says."""
_DECIMALS = {"learning_rate": 6, "weight_decay": 6, "average": 5}
_MOST = {"seed": 2**30, "epoch_windows": 2**30}
"""The end of the range of an integer field without a limit, if it is not 10,000."""
_FAMILY_ROWS = 2
_DEFAULT_FAMILY = "cnn_tiny"


class FamilyForm(QWidget):
    """Is filled by `set_families`, and tells the choice by `family`, `folders` and `options`."""

    changed = Signal()
    """The choice changed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._families: list[dict[str, Any]] = []
        self._fields: dict[str, QSpinBox | QDoubleSpinBox | ChoiceView] = {}
        self.family_box = ChoiceView(self)
        self.family_box.setAccessibleName(self.tr("Family"))
        self.about_label = wrapped_label("", "muted", self)
        self.about_label.setMinimumWidth(520)
        self._build_controls()
        self._build_data()
        self._lay_out()
        self.family_box.currentIndexChanged.connect(self._on_family_changed)

    def _build_controls(self) -> None:
        titles = {
            "epochs": self.tr("Epochs"), "batch": self.tr("Batch"), "learning_rate": self.tr("Learning rate"),
            "epoch_windows": self.tr("Windows of an epoch"), "weight_decay": self.tr("Weight decay"),
            "schedule": self.tr("Schedule"), "patience": self.tr("Patience (epochs)"), "balance": self.tr("Balance"),
            "mixup": self.tr("Mixup (share)"), "mask": self.tr("Masking (share)"),
            "smoothing": self.tr("Label smoothing"), "precision": self.tr("Precision"),
            "average": self.tr("Weight averaging"), "reuse": self.tr("Epochs that share windows"),
            "seed": self.tr("Seed"),
        }  # fmt: skip
        self._titles = titles
        self.augment_box = ChoiceView(self)
        for title, value in (
            (self.tr("By the labels"), ""),
            (self.tr("Night: rooms, noise, devices"), "night"),
            (self.tr("Speech: light"), "speech"),
            (self.tr("None"), "none"),
        ):
            self.augment_box.addItem(title, value)
        self.augment_box.setAccessibleName(self.tr("Augmentation"))
        self.codecs_switch = SwitchView(self)
        self.codecs_switch.setChecked(True)
        self.codecs_switch.setAccessibleName(self.tr("Copies through phone codecs"))
        self.more_button = QPushButton(self.tr("More options"), self)
        self.more_button.setProperty("role", "small")
        self.more_button.setCheckable(True)
        self.more_button.toggled.connect(self._on_more_toggled)

    def _add_fields(self) -> None:
        """Add a field for each offered setting that matters to any of the families."""
        settings = {setting["name"]: setting for family in self._families for setting in family["settings"]}
        for form, names, row, before in (
            (self._main_form, _MAIN, _FAMILY_ROWS, self.family_box),
            (self._more_form, _MORE, 0, self.more_button),
        ):
            previous: QWidget = before
            for name in names:
                if name in self._fields or name not in settings:
                    continue
                field = self._fields[name] = self._field(settings[name])
                field.setAccessibleName(self._titles[name])
                field.setMinimumSize(130, 32)
                form.insertRow(row, self._titles[name], field)
                QWidget.setTabOrder(previous, field)
                row, previous = row + 1, field
        QWidget.setTabOrder(previous, self.codecs_switch)

    def _field(self, setting: dict[str, Any]) -> QSpinBox | QDoubleSpinBox | ChoiceView:
        name = setting["name"]
        if setting["kind"] == "choice":
            choice = ChoiceView(self)
            for value in setting["choices"]:
                choice.addItem(value.replace("_", " "), value)
            return choice
        if setting["kind"] == "number":
            number, decimals = DecimalBox(self), _DECIMALS.get(name, 3)
            number.setDecimals(decimals)
            number.setRange(setting["least"] + setting["above_least"] * 10**-decimals, setting["most"])
            number.setSingleStep(0.0005 if decimals == 6 else 0.05)
            return number
        integer = IntegerBox(self)
        integer.setRange(setting["least"], setting["most"] or _MOST.get(name, 10_000))
        if name == "epoch_windows":
            integer.setSpecialValueText(self.tr("automatic"))
            integer.setToolTip(self.tr("Automatic: four for each clip."))
        elif name == "patience":
            integer.setToolTip(self.tr("End after so many epochs without a better one; 0: never."))
        return integer

    def _build_data(self) -> None:
        self.folder_list = QListWidget(self)
        self.folder_list.setAccessibleName(self.tr("Further folders to learn from"))
        self.folder_list.setFixedHeight(74)
        self.folder_list.setMinimumWidth(380)
        self.add_button = QPushButton(self.tr("Add a folder…"), self)
        self.remove_button = QPushButton(self.tr("Remove"), self)
        for button in (self.add_button, self.remove_button):
            button.setProperty("role", "small")
        self._show_folders()
        self.add_button.clicked.connect(self._on_add_clicked)
        self.remove_button.clicked.connect(self._on_remove_clicked)
        self.folder_list.currentRowChanged.connect(self._on_folder_chosen)

    def _lay_out(self) -> None:
        self._main_form, self._more_form = QFormLayout(), QFormLayout()
        for form in (self._main_form, self._more_form):
            form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.FieldsStayAtSizeHint)
            form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
            form.setHorizontalSpacing(18)
            form.setVerticalSpacing(6)
        self._main_form.addRow(self.tr("Family"), self.family_box)
        self._main_form.addRow("", self.about_label)
        self._main_form.addRow(self.tr("Augmentation"), self.augment_box)
        folders = QHBoxLayout()
        folders.addWidget(self.folder_list, 1)
        buttons = QVBoxLayout()
        buttons.addWidget(self.add_button)
        buttons.addWidget(self.remove_button)
        buttons.addStretch(1)
        folders.addLayout(buttons)
        self._main_form.addRow(
            self.tr("Learns from"), QLabel(self.tr("your library, and further folders of labelled sound"), self)
        )
        self._main_form.addRow("", folders)
        self._more = QWidget(self)
        inner = QVBoxLayout(self._more)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addLayout(self._more_form)
        self._more_form.addRow(self.tr("Copies through phone codecs"), self.codecs_switch)
        self._more.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(self._main_form)
        column.addWidget(self.more_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._more)

    def set_families(self, families: list[dict[str, Any]]) -> None:
        """Offer these families, as `trainer families --json` prints them."""
        self._families = families
        self._add_fields()
        self.family_box.blockSignals(True)
        self.family_box.clear()
        for family in families:
            self.family_box.addItem(family["name"], family["name"])
        names = [family["name"] for family in families]
        self.family_box.setCurrentIndex(names.index(_DEFAULT_FAMILY) if _DEFAULT_FAMILY in names else 0)
        self.family_box.blockSignals(False)
        self._on_family_changed(self.family_box.currentIndex())

    @property
    def family(self) -> str:
        """The name of the chosen family; empty if there are no families yet."""
        return str(self.family_box.currentData() or "")

    @property
    def folders(self) -> list[Path]:
        """Further folders to learn from."""
        return [Path(self.folder_list.item(row).text()) for row in range(self.folder_list.count())]

    @property
    def options(self) -> dict[str, str]:
        """The options that differ from the family's recipe: values by name, both as on the command line."""
        recipe = self._recipe()
        options: dict[str, str] = {}
        for name, field in self._fields.items():
            if self._applies(name) and name in recipe and (value := _value(field)) != recipe[name]:
                options[name.replace("_", "-")] = f"{value:g}" if isinstance(value, float) else str(value)
        if self.augment_box.currentData():
            options["augment"] = str(self.augment_box.currentData())
        if not self.codecs_switch.isChecked():
            options["no-codecs"] = ""
        return options

    def add_folder(self, folder: Path) -> None:
        """Add a folder to learn from."""
        if folder not in self.folders:
            self.folder_list.addItem(str(folder))
            self._show_folders()
            self.changed.emit()

    def _show_folders(self) -> None:
        has_folders = self.folder_list.count() > 0
        self.folder_list.setVisible(has_folders)
        self.remove_button.setVisible(has_folders)
        self.remove_button.setEnabled(self.folder_list.currentRow() >= 0)

    def _chosen(self) -> dict[str, Any] | None:
        index = self.family_box.currentIndex()
        return self._families[index] if 0 <= index < len(self._families) else None

    def _recipe(self) -> dict[str, Any]:
        chosen = self._chosen()
        return {} if chosen is None else dict(chosen["recipe"])

    def _applies(self, name: str) -> bool:
        """Whether a setting matters to the chosen family."""
        chosen = self._chosen()
        return chosen is not None and name in [setting["name"] for setting in chosen["settings"]]

    @Slot(int)
    def _on_family_changed(self, index: int) -> None:
        chosen = self._chosen()
        if chosen is None:
            return
        size = self.tr("{n} million parameters").format(n=f"{chosen['parameters'] / 1e6:.2f}")
        if not chosen["parameters"]:
            size = self.tr("fitted at once")
        needs = "" if chosen["needs"] == "nothing more" else self.tr("Needs {what}.").format(what=chosen["needs"])
        words = self.tr("{about} {size}; hears {input}. {needs}")
        text = words.format(about=chosen["about"], size=size[:1].upper() + size[1:], input=chosen["input"], needs=needs)
        self.about_label.setText(text.strip())
        for name, field in self._fields.items():
            if name in chosen["recipe"]:
                _set_value(field, chosen["recipe"][name])
            field.setEnabled(self._applies(name))
        self.changed.emit()

    @Slot(bool)
    def _on_more_toggled(self, shown: bool) -> None:
        self._more.setVisible(shown)
        self.more_button.setText(self.tr("Fewer options") if shown else self.tr("More options"))

    @Slot()
    def _on_add_clicked(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("A folder with a subfolder for each label"))
        if folder:
            self.add_folder(Path(folder))

    @Slot()
    def _on_remove_clicked(self) -> None:
        self.folder_list.takeItem(self.folder_list.currentRow())
        self._show_folders()
        self.changed.emit()

    @Slot(int)
    def _on_folder_chosen(self, row: int) -> None:
        self.remove_button.setEnabled(row >= 0)


def _value(field: QSpinBox | QDoubleSpinBox | ChoiceView) -> int | float | str:
    if isinstance(field, ChoiceView):
        return str(field.currentData())
    return field.value()


def _set_value(field: QSpinBox | QDoubleSpinBox | ChoiceView, value: Any) -> None:
    if isinstance(field, ChoiceView):
        field.setCurrentIndex(field.findData(value))
    elif isinstance(field, QSpinBox):
        field.setValue(int(value))
    else:
        field.setValue(float(value))
