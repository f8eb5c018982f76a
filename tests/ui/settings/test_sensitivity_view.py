"""The slider for the sensitivity, in the real dialog, with real model files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tiny_model
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QSlider, QStyle, QStyleOptionSlider
from pytestqt.qtbot import QtBot

from babymonitor.core.alerts.policy import AlertRules
from babymonitor.core.settings import (
    END_THRESHOLD,
    LOUD_ALERTS,
    MINIMUM_SECONDS,
    MODEL,
    START_THRESHOLD,
    USE_MODEL_THRESHOLDS,
    Settings,
)
from babymonitor.live.monitor import Monitor
from babymonitor.ui.settings.sensitivity_view import SensitivityView
from babymonitor.ui.settings.settings_dialog import SettingsDialog
from babymonitor.ui.window.main_window import MainWindow

CURVE = [
    {"start_threshold": start, "false_alarms_per_hour": false, "caught": caught, "median_delay_seconds": delay,
     "hours": 80.0}
    for start, false, caught, delay in ((0.3, 0.5, 0.99, 0.8), (0.6, 0.025, 0.98, 1.2), (0.8, 0.0, 0.9, 1.6))
]  # fmt: skip
RECOMMENDED = "About 1 false alarm in 4 nights, catches 98 of 100 cries, half of them within 2 s."


@pytest.fixture
def use(monitor: Monitor, settings: Settings, tmp_path: Path, qtbot: QtBot) -> Any:
    """Have the monitor open a model with this curve."""

    def use(name: str, curve: list[dict[str, float]], **more: Any) -> None:
        path = tiny_model.write(tmp_path / f"{name}.onnx", name=name, operating_curve=curve, **more)
        settings[MODEL] = str(path)
        qtbot.waitUntil(lambda: monitor.model_name == name, timeout=15000)

    return use


@pytest.fixture
def view(window: MainWindow, use: Any, qtbot: QtBot) -> SensitivityView:
    use("measured", CURVE)
    window.show_settings()
    dialog = window.settings_dialog
    assert dialog is not None
    qtbot.waitExposed(dialog)
    return dialog.sensitivity_view


def test_it_stands_where_the_model_recommends_and_says_what_that_gives(view: SensitivityView) -> None:
    assert (view.slider.minimum(), view.slider.maximum(), view.slider.value()) == (0, 2, 1)
    assert view.sentence_label.text() == RECOMMENDED
    assert "recommends" in view.note_label.text()
    assert not view.recommended_button.isEnabled()
    assert view.slider.accessibleName() == "Sensitivity"
    assert view.slider.accessibleDescription().startswith(RECOMMENDED)


def test_keys_move_it_the_sentence_follows_and_the_alarm_takes_it_at_once(
    view: SensitivityView, monitor: Monitor, settings: Settings, qtbot: QtBot
) -> None:
    view.slider.setFocus()
    qtbot.keyClick(view.slider, Qt.Key.Key_Right)
    assert view.sentence_label.text().startswith("About 5 false alarms a night, catches 99 of 100 cries")
    assert monitor.start_threshold == 0.3
    assert AlertRules.from_settings(
        settings, monitor.card.thresholds if monitor.card else None
    ).end_threshold == pytest.approx(0.15)
    saved = Settings(settings.path)
    assert (saved[USE_MODEL_THRESHOLDS], saved[START_THRESHOLD]) == (False, 0.3)
    qtbot.keyClick(view.slider, Qt.Key.Key_Home)
    assert view.sentence_label.text().startswith("No false alarm in the 80 hours it was tried on")
    assert monitor.start_threshold == 0.8
    assert view.slider.accessibleDescription().startswith("No false alarm")
    assert "recommends" not in view.note_label.text()
    qtbot.mouseClick(view.recommended_button, Qt.MouseButton.LeftButton)
    assert view.sentence_label.text() == RECOMMENDED
    assert settings[USE_MODEL_THRESHOLDS]
    assert monitor.start_threshold == 0.6


def test_moved_back_by_hand_it_follows_the_model_again(
    view: SensitivityView, settings: Settings, use: Any, monitor: Monitor
) -> None:
    view.slider.setValue(0)
    view.slider.setValue(1)
    assert settings[USE_MODEL_THRESHOLDS]
    use("other", [], thresholds={"start": 0.45, "end": 0.3})
    assert monitor.start_threshold == 0.45


def test_with_another_model_the_choice_keeps_its_meaning(
    view: SensitivityView, settings: Settings, use: Any, monitor: Monitor
) -> None:
    view.slider.setValue(0)
    use("finer", [{**CURVE[0], "start_threshold": stop / 20, "caught": 1 - stop / 40} for stop in range(4, 20)])
    assert monitor.start_threshold == settings[START_THRESHOLD] == 0.8
    rung = view.rung
    assert rung is not None
    assert rung.start_threshold == 0.8
    assert "catches 60 of 100 cries" in view.sentence_label.text()
    use("coarse", [{**CURVE[0], "start_threshold": 0.9}])
    assert view.rung is not None
    assert view.rung.start_threshold == 0.9, "the nearest is shown"
    assert monitor.start_threshold == 0.8
    assert view.sentence_label.text().startswith("Yours is none of the stops: crying counts from 80 % on")
    assert "false alarm" not in view.sentence_label.text()


NOT_ITS_OWN = "Yours is none of the stops: crying counts from 60 % on and ends below 10 %."


def test_thresholds_that_are_no_stop_are_not_told_the_figures_of_one(
    view: SensitivityView, settings: Settings, monitor: Monitor, qtbot: QtBot
) -> None:
    settings[END_THRESHOLD] = 0.1
    settings[USE_MODEL_THRESHOLDS] = False  # the start is the model's own
    view.refresh()
    assert view.slider.value() == 1
    assert view.sentence_label.text().startswith(NOT_ITS_OWN)
    assert view.note_label.text() == ""
    assert view.recommended_button.isEnabled()
    settings[END_THRESHOLD] = 0.3
    view.refresh()
    assert view.sentence_label.text() == RECOMMENDED, "by whatever way, it is what the model was measured with"


def handle_of(slider: QSlider) -> QPoint:
    option = QStyleOptionSlider()
    slider.initStyleOption(option)
    part = QStyle.SubControl.SC_SliderHandle
    return slider.style().subControlRect(QStyle.ComplexControl.CC_Slider, option, part, slider).center()


@pytest.mark.parametrize("way", ["mouse", "space", "end"])
def test_the_stop_that_is_shown_can_be_chosen(
    view: SensitivityView, settings: Settings, monitor: Monitor, qtbot: QtBot, way: str
) -> None:
    settings[START_THRESHOLD] = 0.31
    settings[USE_MODEL_THRESHOLDS] = False
    view.refresh()
    assert view.slider.value() == 2
    assert view.sentence_label.text().startswith("Yours is none of the stops: crying counts from 31 % on")
    if way == "mouse":
        qtbot.mouseClick(view.slider, Qt.MouseButton.LeftButton, pos=handle_of(view.slider))
    else:
        qtbot.keyClick(view.slider, {"space": Qt.Key.Key_Space, "end": Qt.Key.Key_End}[way])
    assert (settings[START_THRESHOLD], settings[END_THRESHOLD]) == (0.3, pytest.approx(0.15))
    assert monitor.start_threshold == 0.3
    assert view.sentence_label.text().startswith("About 5 false alarms a night")


def test_a_model_that_was_not_measured_says_so(view: SensitivityView, use: Any, monitor: Monitor) -> None:
    use("unmeasured", [])
    assert "was not measured for this model" in view.sentence_label.text()
    view.slider.setValue(view.slider.maximum())
    assert monitor.start_threshold == 0.2
    assert view.sentence_label.text().startswith("Crying counts from 20 % on;")


def test_what_else_changes_the_figures_is_said(view: SensitivityView, window: MainWindow, settings: Settings) -> None:
    assert "Wake me after" not in view.note_label.text()
    settings[MINIMUM_SECONDS] = 10.0
    settings[LOUD_ALERTS] = True
    assert "“Wake me after” at 0.2 s, not at your 10 s" in view.note_label.text()
    assert "any loud sound" in view.note_label.text()


def test_a_model_that_wakes_at_once_was_measured_so(view: SensitivityView, use: Any, settings: Settings) -> None:
    use("at once", CURVE, thresholds={"start": 0.6, "end": 0.3, "minimum_seconds": 0.0})
    assert view.sentence_label.text() == RECOMMENDED
    assert "Wake me after" not in view.note_label.text()
    settings[MINIMUM_SECONDS] = 1.0
    assert "“Wake me after” at 0 s, not at your 1 s" in view.note_label.text()


def test_restore_defaults_returns_to_what_the_model_recommends(
    view: SensitivityView, window: MainWindow, settings: Settings, use: Any
) -> None:
    view.slider.setValue(0)
    dialog = window.settings_dialog
    assert isinstance(dialog, SettingsDialog)
    dialog.restore_defaults()
    assert (settings[USE_MODEL_THRESHOLDS], settings[START_THRESHOLD]) == (True, START_THRESHOLD.default)
    assert settings[END_THRESHOLD] == END_THRESHOLD.default
    assert settings[MODEL] == "", "the shipped model, which the slider shows as soon as it is open"


def test_before_a_model_is_open_it_cannot_be_moved(monitor: Monitor, settings: Settings, qtbot: QtBot) -> None:
    monitor.card = None
    view = SensitivityView(monitor, settings)
    qtbot.addWidget(view)
    assert not view.slider.isEnabled()
    assert not view.recommended_button.isEnabled()
    assert "being opened" in view.sentence_label.text()
