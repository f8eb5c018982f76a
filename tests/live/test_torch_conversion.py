"""A `.pt` put into the models folder, or named after --model: converted once by the real trainer, then used."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from program import babymonitor, loud_night, wav
from pytestqt.qtbot import QtBot

from babymonitor.core import paths
from babymonitor.core.history.history import History
from babymonitor.core.model.classifier import Classifier, ModelError
from babymonitor.core.settings import MODEL, Settings
from babymonitor.live import torch_conversion
from babymonitor.live.monitor import Monitor

LABELS = ("sad", "natural", "background")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `.pt` as training leaves it, of a network that has learnt nothing."""
    import torch

    from trainer.model_file import torch_file
    from trainer.model_file.export import write_model
    from trainer.networks import FAMILIES
    from trainer.networks.heads import Calibration

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("trained") / "nursery.pt"
    family = FAMILIES["cnn_tiny"]
    network: Any = family.network(LABELS).eval()
    description = {
        "name": "nursery",
        "family": family.name,
        "created": "2026-01-01",
        "labels": LABELS,
        "licence": "MIT",
    }
    description |= {"thresholds": {"start": 0.6, "end": 0.3}, "operating_curve": [], "calibration": {}}
    description |= {"training": {}, "metrics": {}}
    card = write_model(path.with_suffix(".onnx"), network, family.front, Calibration(), description)
    torch_file.save(path, network, family.name, card)
    return path


@pytest.fixture
def begin(qtbot: QtBot) -> Iterator[Callable[[], tuple[Monitor, list[str]]]]:
    """Begins the monitor as the window does, not listening; with it, what it says."""
    begun: list[tuple[Monitor, History]] = []

    def begin() -> tuple[Monitor, list[str]]:
        history = History(paths.history_file())
        monitor = Monitor(Settings(paths.settings_file()), history)
        complaints: list[str] = []
        monitor.complained.connect(complaints.append)
        begun.append((monitor, history))
        return monitor, complaints

    yield begin
    for monitor, history in begun:
        monitor.shut_down()
        history.close()


def put(original: Path, data: bytes | None = None) -> Path:
    """A `.pt` in the person's models folder."""
    path = paths.models_folder() / original.name
    path.write_bytes(original.read_bytes() if data is None else data)
    return path


@pytest.mark.slow
def test_the_terminal_converts_once_and_then_uses_it(original: Path, tmp_path: Path) -> None:
    sound = wav(tmp_path / "night.wav", loud_night()[: 8 * 16000])
    first = babymonitor("predict", sound, "--json", "--model", original)
    assert first.returncode == 0, first.stderr
    assert first.stderr.strip() == "The model nursery.pt is converted for this program; that is done once."
    (file,) = json.loads(first.stdout)["files"]
    assert tuple(file["probabilities"]) == LABELS

    second = babymonitor("watch", sound, "--json", "--fast", "--model", original)
    assert second.returncode == 0
    assert second.stderr == ""
    assert json.loads(second.stdout.splitlines()[0])["model"] == "nursery"
    (made,) = paths.converted_models_folder().glob("*.onnx")
    assert Classifier(made).card == Classifier(original.with_suffix(".onnx")).card


@pytest.mark.slow
def test_the_window_hears_with_the_old_model_until_the_dropped_one_is_ready(
    original: Path, begin: Callable[[], tuple[Monitor, list[str]]], qtbot: QtBot
) -> None:
    dropped = put(original)
    monitor, complaints = begin()
    qtbot.waitUntil(lambda: monitor.model_name != "", timeout=20000)
    assert monitor.model_name == Classifier(paths.default_model()).card.name
    qtbot.waitUntil(lambda: monitor.model_name == "nursery", timeout=60000)
    assert complaints == [
        "The model nursery.pt is being prepared; until then the model in use goes on.",
        "The model nursery.pt from the models folder is ready and is used from now on.",
    ]
    assert monitor.labels == LABELS
    assert monitor.settings[MODEL] == str(dropped)
    monitor.shut_down()

    monitor, complaints = begin()
    qtbot.waitUntil(lambda: monitor.model_name == "nursery", timeout=20000)
    assert complaints == []
    # Whoever goes back to the shipped model keeps it: what was found once is not new.
    monitor.settings[MODEL] = ""
    qtbot.waitUntil(lambda: monitor.model_name != "nursery", timeout=20000)
    monitor.shut_down()
    monitor, complaints = begin()
    qtbot.waitUntil(lambda: monitor.model_name != "", timeout=20000)
    qtbot.wait(300)
    assert monitor.model_name != "nursery"
    assert complaints == []


@pytest.mark.slow
def test_a_broken_file_is_said_in_a_sentence_and_the_old_model_goes_on(
    original: Path, begin: Callable[[], tuple[Monitor, list[str]]], qtbot: QtBot
) -> None:
    path = put(original, original.read_bytes()[:3000])
    monitor, complaints = begin()
    qtbot.waitUntil(lambda: len(complaints) == 2, timeout=60000)
    assert complaints[1].startswith("The model nursery.pt cannot be used: ")
    assert complaints[1].endswith("is damaged, or not a .pt file at all. The model in use goes on.")
    assert monitor.settings[MODEL] == ""
    assert monitor.model_name == Classifier(paths.default_model()).card.name
    # One that is not there at all, chosen by hand.
    monitor.settings[MODEL] = str(path.with_name("gone.pt"))
    qtbot.waitUntil(lambda: len(complaints) == 3, timeout=20000)
    assert complaints[2].startswith("The model gone.pt cannot be used: it cannot be read")


@pytest.mark.slow
def test_the_terminal_says_a_broken_file_once(original: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.pt"
    path.write_bytes(original.read_bytes()[:3000])
    result = babymonitor("predict", wav(tmp_path / "night.wav", loud_night()[:16000]), "--model", path)
    assert result.returncode == 2
    first, second = result.stderr.splitlines()
    assert first.endswith("that is done once.")
    assert second.startswith("The model broken.pt cannot be used: ")


def test_without_the_trainers_packages_it_says_what_is_missing(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('No module named torch', name='torch')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ModelError, match=r"^The model nursery.pt cannot be used: The trainer needs packages .*torch.*"):
        torch_conversion.usable(original, lambda _: None)


@pytest.mark.logs_warnings
def test_a_fault_of_the_conversion_is_one_sentence_too(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("raise RuntimeError('a\\nb')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ModelError, match=r"^The model nursery.pt cannot be used: its conversion failed\.$"):
        torch_conversion.usable(original, lambda _: None)


@pytest.mark.logs_warnings
def test_the_program_ends_at_once_while_a_conversion_runs(
    original: Path, tmp_path: Path, begin: Callable[[], tuple[Monitor, list[str]]], qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / "torch.py").write_text("import time; time.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    put(original)
    monitor, complaints = begin()
    qtbot.waitUntil(lambda: len(complaints) == 1, timeout=20000)
    qtbot.wait(500)
    began = time.monotonic()
    monitor.shut_down()
    assert time.monotonic() - began < 3
    qtbot.wait(100)
    assert len(complaints) == 1


def test_a_new_content_takes_the_place_of_the_old(tmp_path: Path) -> None:
    folder = paths.converted_models_folder()
    path = tmp_path / "a.pt"
    path.write_bytes(b"new")
    made = torch_conversion.conversion_of(path)
    stale, other = folder / f"a-{'0' * 16}.onnx", folder / f"a-b-{'0' * 16}.onnx"
    for file in (made, stale, other):
        file.write_bytes(b"")
    torch_conversion.Converter._delete_earlier(path, made)
    assert sorted(folder.iterdir()) == sorted((made, other))


def test_what_is_no_pt_is_left_alone(tmp_path: Path) -> None:
    assert torch_conversion.usable(tmp_path / "any.onnx", pytest.fail) == tmp_path / "any.onnx"


def test_the_program_runs_itself_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert paths.program()[0] == [sys.executable, "-m", "babymonitor"]
    monkeypatch.setattr(sys, "executable", "/opt/Baby Monitor/Baby Monitor")
    assert paths.program()[0] == ["/opt/Baby Monitor/Baby Monitor"]
