"""The settings dialog, made from the declarations of the settings: a page for each section, a field for each setting.

Each change holds at once and there is no OK button, because a microphone, a volume or a theme is judged by trying it.
The monitor follows the settings by itself. *Restore defaults* is the way back.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, Qt, Slot
from PySide6.QtWidgets import (
    QDialog,
    QDoubleSpinBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from babymonitor.core import autostart, paths
from babymonitor.core.alerts.sensitivity import Rung
from babymonitor.core.model.classifier import ModelError
from babymonitor.core.model.model_shelf import take_into_use
from babymonitor.core.settings import (
    END_THRESHOLD,
    LISTEN_AT_START,
    MICROPHONE,
    MODEL,
    SETTINGS,
    START_THRESHOLD,
    USE_MODEL_THRESHOLDS,
    Setting,
    SettingError,
    Settings,
)
from babymonitor.live.monitor import Monitor
from babymonitor.ui.parts.card import Card
from babymonitor.ui.parts.choice_view import ChoiceView
from babymonitor.ui.parts.microphone_view import MicrophoneView
from babymonitor.ui.parts.number_boxes import DecimalBox, IntegerBox
from babymonitor.ui.parts.save_setting import try_to_save
from babymonitor.ui.parts.switch_view import SwitchView
from babymonitor.ui.parts.text_label import text_label, wrapped_label
from babymonitor.ui.parts.theme import current_theme, follow_theme
from babymonitor.ui.parts.wording import translated
from babymonitor.ui.settings.sensitivity_view import SensitivityView

_BY_SLIDER = (START_THRESHOLD, END_THRESHOLD)
"""Set by the slider for the sensitivity, and therefore without fields of their own."""


def _translated(text: str) -> str:
    """Return a setting's wording in the person's language."""
    return QCoreApplication.translate("Settings", text)


class SettingsDialog(QDialog):
    """Is not modal, because an alarm must be answerable while it is open."""

    def __init__(self, monitor: Monitor, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._monitor = monitor
        self._settings = settings
        self.fields: dict[str, QWidget] = {}
        """The widget that holds a setting's value, by the setting's name."""
        self._show_value: dict[str, Callable[[], None]] = {}
        self.setWindowTitle(self.tr("Settings"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        self.resize(820, 560)
        self._build_sections()
        self._build_foot()
        self._lay_out()
        follow_theme(self._apply_theme)

    def _build_sections(self) -> None:
        self.section_list = QListWidget(self)
        self.section_list.setAccessibleName(self.tr("Sections"))
        self.section_pages = QStackedWidget(self)
        sections = dict.fromkeys(setting.section for setting in SETTINGS if setting.section)
        for section in sections:
            self.section_list.addItem(_translated(section))
            self.section_pages.addWidget(self._section_page(section))
        self.section_list.currentRowChanged.connect(self.section_pages.setCurrentIndex)
        self.section_list.setCurrentRow(0)

    def _section_page(self, section: str) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(4, 4, 16, 4)
        column.setSpacing(18)
        for setting in SETTINGS:
            if setting.section == section and setting not in _BY_SLIDER:
                column.addWidget(self._row(setting))
        if section == LISTEN_AT_START.section:
            column.addWidget(self._autostart_row())
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(page)
        return area

    def _row(self, setting: Setting[Any]) -> QWidget:
        """Return a row with title and help at the left and the field at the right, or a wide field beneath."""
        field, holder = self._field(setting)
        self.fields[setting.name] = field
        is_wide = setting.name == USE_MODEL_THRESHOLDS.name
        return self._line(
            _translated(setting.title), _translated(setting.help) if setting.help else "", field, holder, is_wide
        )

    def _line(self, title: str, help: str, field: QWidget, holder: QWidget, is_wide: bool = False) -> QWidget:
        row = QWidget()
        line = QVBoxLayout(row) if is_wide else QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4 if is_wide else 20)
        words = QVBoxLayout()
        words.setSpacing(2)
        title_label = QLabel(title)
        words.addWidget(title_label)
        if help:
            words.addWidget(wrapped_label(help, "muted"))
        field.setAccessibleName(title)
        if not field.accessibleDescription():
            field.setAccessibleDescription(help)
        title_label.setBuddy(field)
        line.addLayout(words, 1)
        line.addWidget(holder, 0, Qt.AlignmentFlag(0) if is_wide else Qt.AlignmentFlag.AlignTop)
        return row

    def _autostart_row(self) -> QWidget:
        """Return a row that is no setting: what counts is the system's own entry, whoever made or removed it."""
        self.autostart_switch = self.fields["autostart"] = SwitchView()
        self._show_value["autostart"] = self._show_autostart
        self.autostart_switch.clicked.connect(self._on_autostart_clicked)
        title, help = self.tr("Open when I log in"), self.tr("So that a computer that restarts at night listens again.")
        return self._line(title, help, self.autostart_switch, self.autostart_switch)

    def _show_autostart(self) -> None:
        self.autostart_switch.setChecked(autostart.is_on())

    @Slot(bool)
    def _on_autostart_clicked(self, is_on: bool) -> None:
        try:
            autostart.turn_on() if is_on else autostart.turn_off()
        except OSError as error:
            self._complain(self.tr("That could not be changed: {error}.").format(error=error.strerror))
        self._show_autostart()

    def _field(self, setting: Setting[Any]) -> tuple[QWidget, QWidget]:
        """Return the field for a setting's type, and the widget that holds it in its row."""
        if setting.name == MICROPHONE.name:
            picker = MicrophoneView(self._monitor, self._settings)
            picker.setMinimumWidth(230)
            picker.complained.connect(self._complain)
            self._show_value[setting.name] = picker.refresh
            return picker, picker
        if setting.name == MODEL.name:
            return self._model_field()
        if setting.name == USE_MODEL_THRESHOLDS.name:
            return self._sensitivity_field()
        if setting.choices:
            return self._choice_field(setting)
        kind = type(setting.default)
        if kind is bool:
            return self._check_field(setting)
        if kind in (int, float):
            return self._number_field(setting)
        return self._text_field(setting)

    def _check_field(self, setting: Setting[bool]) -> tuple[QWidget, QWidget]:
        box = SwitchView()
        self._bind(setting, lambda: box.setChecked(self._settings[setting]))
        box.toggled.connect(partial(self._save, setting))
        return box, box

    def _number_field(self, setting: Setting[Any]) -> tuple[QWidget, QWidget]:
        box: QSpinBox | QDoubleSpinBox = IntegerBox() if type(setting.default) is int else DecimalBox()
        least, most = setting.least, setting.most
        if isinstance(box, QDoubleSpinBox):
            # A share such as 0.001 needs three decimals, seconds need one.
            is_share = least is not None and most is not None and most - least < 1.5
            box.setDecimals(3 if is_share else 1)
            box.setSingleStep(0.01 if is_share else 1.0 if (most or 0) > 100 else 0.5)
            box.setRange(-1e9 if least is None else least, 1e9 if most is None else most)
        else:
            box.setRange(-(2**31) if least is None else int(least), 2**31 - 1 if most is None else int(most))
        if setting.unit:
            box.setSuffix(f" {setting.unit}")
        # The 6 on the way to 60 must not become the setting.
        box.setKeyboardTracking(False)
        box.setMinimumSize(130, 34)
        self._bind(setting, lambda: box.setValue(self._settings[setting]))
        box.valueChanged.connect(partial(self._save, setting))
        return box, box

    def _choice_field(self, setting: Setting[str]) -> tuple[QWidget, QWidget]:
        box = ChoiceView()
        for value, title in setting.choices:
            box.addItem(_translated(title), value)
        box.setMinimumWidth(160)
        self._bind(setting, lambda: box.setCurrentIndex(box.findData(self._settings[setting])))
        box.currentIndexChanged.connect(lambda index: self._save(setting, box.itemData(index)))
        return box, box

    def _text_field(self, setting: Setting[str]) -> tuple[QWidget, QWidget]:
        field = QLineEdit()
        field.setMinimumWidth(230)
        self._bind(setting, lambda: field.setText(self._settings[setting]))
        field.editingFinished.connect(lambda: self._save(setting, field.text()))
        return field, field

    def _model_field(self) -> tuple[QWidget, QWidget]:
        """Return a field for a path, which must be a file; whether it is a model shows when the monitor opens it."""
        field = QLineEdit()
        field.setMinimumWidth(150)
        field.setPlaceholderText(self.tr("shipped model"))
        choose = QPushButton(self.tr("Choose…"))
        choose.setProperty("role", "small")
        choose.setAutoDefault(False)
        self._bind(MODEL, lambda: field.setText(self._settings[MODEL]))
        field.editingFinished.connect(self._on_model_edited)
        choose.clicked.connect(self._on_choose_model_clicked)
        self._model_edit = field
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(field)
        row.addWidget(choose)
        return field, holder

    def _sensitivity_field(self) -> tuple[QWidget, QWidget]:
        self.sensitivity_view = SensitivityView(self._monitor, self._settings)
        self.sensitivity_view.rung_chosen.connect(self._on_rung_chosen)
        self._show_value[USE_MODEL_THRESHOLDS.name] = self.sensitivity_view.refresh
        return self.sensitivity_view.slider, self.sensitivity_view

    def _build_foot(self) -> None:
        self.error_label = wrapped_label("", "error", self)
        self.error_label.hide()
        self.defaults_button = QPushButton(self.tr("Restore defaults"), self)
        self.defaults_button.setProperty("role", "small")
        self.defaults_button.setToolTip(self.tr("Every setting of every section, as it came"))
        self.defaults_button.setAutoDefault(False)
        self.close_button = QPushButton(self.tr("Done"), self)
        self.close_button.setProperty("role", "main")
        self.close_button.setDefault(False)
        self.close_button.setAutoDefault(False)
        self.defaults_button.clicked.connect(self.restore_defaults)
        self.close_button.clicked.connect(self.close)

    def _lay_out(self) -> None:
        card = Card(self)
        inner = QVBoxLayout(card)
        inner.setContentsMargins(18, 18, 6, 14)
        inner.addWidget(self.section_pages)
        middle = QHBoxLayout()
        middle.setSpacing(12)
        middle.addWidget(self.section_list)
        middle.addWidget(card, 1)
        foot = QHBoxLayout()
        foot.addWidget(text_label(self.tr("Changes hold at once."), "muted"))
        foot.addStretch(1)
        foot.addWidget(self.defaults_button)
        foot.addWidget(self.close_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(12)
        column.addLayout(middle, 1)
        column.addWidget(self.error_label)
        column.addLayout(foot)

    @Slot()
    def _apply_theme(self) -> None:
        text_px = current_theme().text_px
        self.section_list.setFixedWidth(round(text_px * 10.5))
        self.resize(max(self.width(), 58 * text_px), self.height())

    def show_values(self) -> None:
        """Show the settings as they are now, without storing anything."""
        for name, show in self._show_value.items():
            blocked = self.fields[name].blockSignals(True)
            show()
            self.fields[name].blockSignals(blocked)

    @Slot()
    def restore_defaults(self) -> None:
        """Restore the default of each setting that the dialog shows; the window's geometry, for one, stays."""
        for setting in SETTINGS:
            if setting.section:
                self._save(setting, setting.default)
        self.show_values()

    def _bind(self, setting: Setting[Any], show: Callable[[], None]) -> None:
        show()
        self._show_value[setting.name] = show

    def _save(self, setting: Setting[Any], value: Any) -> None:
        """Set and save a setting; if the value is refused, say why and show the old value again."""
        self._try(partial(self._settings.__setitem__, setting, value))

    def _try(self, change: Callable[[], None]) -> None:
        try:
            is_saved = try_to_save(change, self._complain)
        except (SettingError, ModelError) as error:
            self._complain(translated(error.message))
            self.show_values()
            return
        if is_saved:
            self.error_label.hide()

    @Slot(object)
    def _complain(self, sentence: str) -> None:
        self.error_label.setText(sentence)
        self.error_label.show()

    @Slot()
    def _on_model_edited(self) -> None:
        text = self._model_edit.text().strip()
        if text == self._settings[MODEL]:
            return
        self._try(lambda: take_into_use(self._settings, Path(text) if text else paths.default_model()))

    @Slot(object)
    def _on_rung_chosen(self, rung: Rung) -> None:
        """Store the thresholds rather than the stop's number, because they mean the same to another model."""
        if not rung.is_recommended:
            self._save(END_THRESHOLD, rung.end_threshold)
            self._save(START_THRESHOLD, rung.start_threshold)
        self._save(USE_MODEL_THRESHOLDS, rung.is_recommended)

    @Slot()
    def _on_choose_model_clicked(self) -> None:
        start = self._settings[MODEL]
        path, _ = QFileDialog.getOpenFileName(self, self.tr("Model file"), start, self.tr("Models (*.onnx *.pt)"))
        if path:
            self._model_edit.setText(path)
            self._on_model_edited()
