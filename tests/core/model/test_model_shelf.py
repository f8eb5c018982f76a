"""Which model is in use: taken, taken back, refused, and remembered whoever asked for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_model

from babymonitor.core import paths
from babymonitor.core.messages import Code
from babymonitor.core.model.classifier import ModelError
from babymonitor.core.model.model_shelf import can_roll_back, roll_back, take_into_use
from babymonitor.core.settings import MODEL, PREVIOUS_MODEL, Settings


@pytest.fixture
def settings() -> Settings:
    return Settings(paths.settings_file())


def own_model(name: str) -> Path:
    return tiny_model.write(paths.models_folder() / f"{name}.onnx", name=name)


def test_the_model_before_is_remembered_and_comes_back(settings: Settings) -> None:
    first, second = own_model("first"), own_model("second")
    assert not can_roll_back(settings)
    take_into_use(settings, first)
    take_into_use(settings, second)
    take_into_use(settings, second)
    assert (settings[MODEL], settings[PREVIOUS_MODEL]) == (str(second), str(first))
    assert roll_back(settings) is None
    assert (settings[MODEL], settings[PREVIOUS_MODEL]) == (str(first), str(second))
    assert roll_back(settings) is None
    take_into_use(settings, paths.default_model())
    assert (settings[MODEL], settings[PREVIOUS_MODEL]) == ("", str(second))


def test_a_file_that_is_not_there_is_refused_and_nothing_changes(settings: Settings, tmp_path: Path) -> None:
    take_into_use(settings, own_model("first"))
    before = settings[MODEL], settings[PREVIOUS_MODEL]
    with pytest.raises(ModelError, match="There is no file"):
        take_into_use(settings, tmp_path / "none.onnx")
    assert (settings[MODEL], settings[PREVIOUS_MODEL]) == before


def test_where_the_model_before_is_gone_the_shipped_one_is_used_and_that_is_said(settings: Settings) -> None:
    first, second = own_model("first"), own_model("second")
    take_into_use(settings, first)
    take_into_use(settings, second)
    first.unlink()
    sentence = roll_back(settings)
    assert sentence is not None
    assert sentence.code is Code.MODEL_BEFORE_MISSING
    assert (settings[MODEL], settings[PREVIOUS_MODEL]) == ("", str(second))


def test_a_disk_that_refuses_keeps_both_for_this_run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = own_model("first"), own_model("second")
    take_into_use(settings, first)

    def refuse(_settings: Settings) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Settings, "_write", refuse)
    with pytest.raises(OSError, match="No space"):
        take_into_use(settings, second)
    assert (settings[MODEL], settings[PREVIOUS_MODEL]) == (str(second), str(first))
