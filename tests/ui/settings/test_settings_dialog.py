"""The dialog is the declarations: every shown setting has its field, takes what is allowed, and refuses the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_model
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit, QSlider, QSpinBox
from pytestqt.qtbot import QtBot

from babymonitor.core import autostart
from babymonitor.core.settings import (
    ALARM_ON,
    ALARM_VOLUME,
    END_THRESHOLD,
    LOUD_RISE_DB,
    MICROPHONE,
    MINIMUM_SECONDS,
    MODEL,
    PREVIOUS_MODEL,
    SETTINGS,
    START_THRESHOLD,
    THEME,
    USE_MODEL_THRESHOLDS,
    WINDOW_GEOMETRY,
    Settings,
)
from babymonitor.live.monitor import Monitor
from babymonitor.ui.settings.settings_dialog import SettingsDialog
from babymonitor.ui.window.main_window import MainWindow


@pytest.fixture
def dialog(window: MainWindow, qtbot: QtBot) -> SettingsDialog:
    window.show_settings()
    assert window.settings_dialog is not None
    qtbot.waitExposed(window.settings_dialog)
    return window.settings_dialog


def test_every_shown_setting_has_a_field_of_its_kind(dialog: SettingsDialog, settings: Settings) -> None:
    shown = [setting for setting in SETTINGS if setting.section and setting not in (START_THRESHOLD, END_THRESHOLD)]
    assert set(dialog.fields) == {setting.name for setting in shown} | {"autostart"}
    kinds = {bool: QCheckBox, int: QSpinBox, float: QDoubleSpinBox, str: (QComboBox, QLineEdit)}
    for setting in shown:
        field = dialog.fields[setting.name]
        kind = QSlider if setting is USE_MODEL_THRESHOLDS else kinds[type(setting.default)]
        assert isinstance(field, kind), setting.name
        assert field.accessibleName() == setting.title
        if isinstance(field, QSpinBox | QDoubleSpinBox):
            assert field.minimum() == pytest.approx(setting.least)
            assert field.maximum() == pytest.approx(setting.most)
            assert field.value() == pytest.approx(settings[setting])
            assert field.suffix().strip() == setting.unit


def test_a_change_holds_and_is_saved_at_once(dialog: SettingsDialog, settings: Settings, qtbot: QtBot) -> None:
    volume, on, theme = (dialog.fields[setting.name] for setting in (ALARM_VOLUME, ALARM_ON, THEME))
    assert isinstance(volume, QSpinBox)
    assert isinstance(theme, QComboBox)
    volume.setValue(35)
    on.setChecked(False)  # type: ignore[attr-defined]
    theme.setCurrentIndex(theme.findData("night"))
    saved = Settings(settings.path)
    assert (saved[ALARM_VOLUME], saved[ALARM_ON], saved[THEME]) == (35, False, "night")


def test_a_number_counts_when_it_is_whole_not_while_it_is_typed(
    dialog: SettingsDialog, settings: Settings, qtbot: QtBot
) -> None:
    dialog.section_list.setCurrentRow(1)
    field = dialog.fields[ALARM_VOLUME.name]
    assert isinstance(field, QSpinBox)
    field.selectAll()
    qtbot.keyClicks(field, "6")
    assert settings[ALARM_VOLUME] == 80
    qtbot.keyClicks(field, "0")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert settings[ALARM_VOLUME] == 60
    assert dialog.isVisible(), "Enter finishes a field, not the dialog"


def test_what_is_out_of_limits_cannot_be_had(dialog: SettingsDialog, settings: Settings) -> None:
    field = dialog.fields[LOUD_RISE_DB.name]
    assert isinstance(field, QDoubleSpinBox)
    field.setValue(700.0)
    assert settings[LOUD_RISE_DB] == LOUD_RISE_DB.most


def test_a_refused_value_is_told_in_one_sentence_and_the_old_one_is_back(
    dialog: SettingsDialog, settings: Settings
) -> None:
    field = dialog.fields[MINIMUM_SECONDS.name]
    assert isinstance(field, QDoubleSpinBox)
    field.setMaximum(1e6)
    field.setValue(5000.0)
    assert dialog.error_label.isVisible()
    assert "must lie between" in dialog.error_label.text()
    assert settings[MINIMUM_SECONDS] == MINIMUM_SECONDS.default
    assert field.value() == MINIMUM_SECONDS.default


def test_a_model_that_is_not_there_is_refused(dialog: SettingsDialog, settings: Settings, tmp_path: Path) -> None:
    field = dialog.fields[MODEL.name]
    assert isinstance(field, QLineEdit)
    field.setText(str(tmp_path / "none.onnx"))
    field.editingFinished.emit()
    assert "There is no file" in dialog.error_label.text()
    assert settings[MODEL] == ""
    assert field.text() == ""


def test_a_model_chosen_here_can_be_rolled_back(dialog: SettingsDialog, settings: Settings, tmp_path: Path) -> None:
    field = dialog.fields[MODEL.name]
    assert isinstance(field, QLineEdit)
    chosen = [tiny_model.write(tmp_path / f"{name}.onnx", name=name) for name in ("first", "second")]
    for path in chosen:
        field.setText(str(path))
        field.editingFinished.emit()
    assert (settings[PREVIOUS_MODEL], settings[MODEL]) == tuple(map(str, chosen))


def test_a_model_found_in_the_folder_can_be_rolled_back(
    monitor: Monitor, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(monitor, "_use_model", lambda path: None)  # nothing is converted here
    earlier, arrived = tiny_model.write(tmp_path / "earlier.onnx"), tmp_path / "found.pt"
    arrived.write_bytes(b"torch")
    settings[MODEL] = str(earlier)
    monitor._on_model_found(str(arrived))
    assert (settings[PREVIOUS_MODEL], settings[MODEL]) == (str(earlier), str(arrived))


def test_the_microphones_are_asked_for_when_the_picker_opens(
    dialog: SettingsDialog, monitor: Monitor, settings: Settings, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr(monitor, "microphones", lambda: ["", "Built-in", "USB crib"])
    dialog.section_list.setCurrentRow(0)
    picker = dialog.fields[MICROPHONE.name]
    assert isinstance(picker, QComboBox)
    picker.showPopup()
    assert [picker.itemData(row) for row in range(picker.count())] == ["", "Built-in", "USB crib"]
    picker.hidePopup()
    picker.setCurrentIndex(2)
    picker.activated.emit(2)
    assert settings[MICROPHONE] == "USB crib"


def test_a_microphone_that_is_gone_stays_chosen(
    dialog: SettingsDialog, window: MainWindow, monitor: Monitor, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor, "microphones", lambda: ["Built-in"])
    settings[MICROPHONE] = "USB crib"
    picker = window.monitor_page.microphone_view
    picker.showPopup()
    picker.hidePopup()
    assert picker.currentData() == "USB crib"
    assert picker.currentText() == "USB crib (not found)"


def test_restore_defaults_keeps_what_is_only_remembered(dialog: SettingsDialog, settings: Settings) -> None:
    settings[WINDOW_GEOMETRY] = "AAAA"
    settings[ALARM_VOLUME] = 5
    settings[ALARM_ON] = False
    dialog.show_values()
    dialog.restore_defaults()
    assert settings[ALARM_VOLUME] == ALARM_VOLUME.default
    assert settings[ALARM_ON] is True
    field = dialog.fields[ALARM_VOLUME.name]
    assert isinstance(field, QSpinBox)
    assert field.value() == ALARM_VOLUME.default
    assert settings[WINDOW_GEOMETRY] == "AAAA"


def test_a_disk_that_is_full_is_told(
    dialog: SettingsDialog, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(settings, "_write", full)
    field = dialog.fields[ALARM_VOLUME.name]
    assert isinstance(field, QSpinBox)
    field.setValue(41)
    assert dialog.error_label.text() == "The settings could not be saved: No space left on device."


def test_opening_at_login_is_the_system_s_own_entry(
    dialog: SettingsDialog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    dialog.show_values()
    assert not dialog.autostart_switch.isChecked()
    dialog.autostart_switch.click()
    assert autostart.is_on()
    assert autostart.entry().is_relative_to(tmp_path)
    autostart.turn_off()  # by the command, meanwhile
    dialog.show_values()
    assert not dialog.autostart_switch.isChecked()
    (tmp_path / "autostart").rmdir()
    (tmp_path / "autostart").write_text("no folder")
    dialog.autostart_switch.click()
    assert not dialog.autostart_switch.isChecked()
    assert "could not be changed" in dialog.error_label.text()
