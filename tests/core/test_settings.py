"""Settings: limits hold, nothing is lost, a broken file is kept aside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from babymonitor.core.alerts.policy import AlertRules
from babymonitor.core.settings import (
    ALARM_ON,
    ALARM_VOLUME,
    END_THRESHOLD,
    MICROPHONE,
    SETTINGS,
    START_THRESHOLD,
    THEME,
    USE_MODEL_THRESHOLDS,
    Setting,
    SettingError,
    Settings,
)


def test_choices_are_remembered(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    settings = Settings(path)
    changed: list[str] = []
    settings.on_change(changed.append)
    settings[START_THRESHOLD] = 0.7
    settings[MICROPHONE] = "Crib — röd"
    settings[MICROPHONE] = "Crib — röd"
    assert changed == ["start_threshold", "microphone"]
    again = Settings(path)
    assert again[START_THRESHOLD] == 0.7
    assert again[MICROPHONE] == "Crib — röd"
    assert again[ALARM_VOLUME] == ALARM_VOLUME.default
    assert [file.name for file in tmp_path.iterdir()] == ["settings.json"]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_default_is_allowed_and_every_limit_holds(setting: Setting[Any]) -> None:
    assert setting.check(setting.default) == setting.default
    assert not setting.section or setting.title
    numeric = type(setting.default) in (int, float)
    assert numeric == (setting.least is not None) == (setting.most is not None)
    if setting.least is not None and setting.most is not None:
        kind = type(setting.default)
        assert setting.check(kind(setting.least)) <= setting.check(kind(setting.most))
        for beyond in (setting.least - 1, setting.most + 1):
            with pytest.raises(SettingError, match=setting.name):
                setting.check(kind(beyond))
    with pytest.raises(SettingError):
        setting.check(None)
    with pytest.raises(SettingError):
        setting.check(float("nan"))


def test_text_after_set() -> None:
    settings = Settings()
    settings.override("alarm_on", "off")
    settings.override("start_threshold", "0.25")
    settings.override("theme", "night")
    assert (settings[ALARM_ON], settings[START_THRESHOLD], settings[THEME]) == (False, 0.25, "night")
    for name, text in (("alarm_on", "perhaps"), ("start_threshold", "high"), ("theme", "pink"), ("nothing", "1")):
        with pytest.raises(SettingError, match=name):
            settings.override(name, text)


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"\xff\xfe\x00", b"null"])
def test_a_broken_file_is_kept_aside_and_defaults_serve(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    settings = Settings(path)
    assert settings[ALARM_VOLUME] == ALARM_VOLUME.default
    (sentence,) = settings.complaints
    (aside,) = tmp_path.iterdir()
    assert aside.name in sentence
    assert aside.read_bytes() == content
    settings[ALARM_VOLUME] = 50
    assert Settings(path)[ALARM_VOLUME] == 50


def test_one_wrong_value_costs_only_itself_and_unknown_ones_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"alarm_volume": 900, "start_threshold": 0.8, "of_a_newer_version": [1]}))
    settings = Settings(path)
    assert settings[ALARM_VOLUME] == ALARM_VOLUME.default
    assert settings[START_THRESHOLD] == 0.8
    assert "alarm_volume" in settings.complaints[0]
    settings[START_THRESHOLD] = 0.9
    assert json.loads(path.read_text())["of_a_newer_version"] == [1]


def test_rules_take_the_models_thresholds_unless_told_otherwise() -> None:
    settings = Settings()
    assert AlertRules.from_settings(settings, {"start": 0.8, "end": 0.4}).start_threshold == 0.8
    settings[USE_MODEL_THRESHOLDS] = False
    settings[START_THRESHOLD], settings[END_THRESHOLD] = 0.2, 0.5
    rules = AlertRules.from_settings(settings, {"start": 0.8, "end": 0.4})
    assert (rules.start_threshold, rules.end_threshold) == (0.2, 0.2)
