"""`predict`, `devices`, `selftest`: as others rely on them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tiny_model
from program import babymonitor, loud_night, wav

from babymonitor.core import paths
from resources import synthesise


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "sounds"
    (folder / "deeper").mkdir(parents=True)
    wav(folder / "quiet.wav", loud_night()[:80000])
    wav(folder / "deeper" / "short.flac", loud_night()[320000:326400])
    wav(folder / "cry.wav", synthesise.cry(6.0, np.random.default_rng(3)))
    (folder / "broken.mp3").write_text("not sound " * 200)
    (folder / "notes.txt").write_text("not looked at")
    return folder


def test_every_file_gets_its_entry_and_a_broken_one_its_own(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.json"
    result = babymonitor("predict", folder, "--json", "--output", output)
    assert result.returncode == 0, result.stderr
    files: list[dict[str, Any]] = json.loads(result.stdout)["files"]
    assert json.loads(output.read_text()) == {"files": files}
    by_name = {Path(file["path"]).name: file for file in files}
    assert set(by_name) == {"quiet.wav", "short.flac", "cry.wav", "broken.mp3"}
    assert set(by_name["broken.mp3"]) == {"path", "error"}
    for name in ("quiet.wav", "short.flac", "cry.wav"):
        file = by_name[name]
        assert set(file) == {"path", "label", "confidence", "probabilities", "crying"}
        assert list(file["probabilities"]) == list(tiny_model.LABELS)
        assert sum(file["probabilities"].values()) == pytest.approx(1.0, abs=0.001)
        assert file["confidence"] == max(file["probabilities"].values())
    assert by_name["cry.wav"]["crying"] > 0.8
    assert by_name["quiet.wav"]["crying"] < 0.2
    assert by_name["quiet.wav"]["label"] == "background"


def test_bars_for_a_person(folder: Path) -> None:
    result = babymonitor("predict", folder / "cry.wav", folder / "broken.mp3")
    assert result.returncode == 0
    assert "█" in result.stdout
    assert "crying" in result.stdout
    assert "broken.mp3" in result.stdout


def test_a_reader_that_has_had_enough_is_no_error(folder: Path) -> None:
    command, environment = paths.program()
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, "predict", str(folder)], env=environment, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # before anything is printed: the first line has nowhere to go
        errors = process.stderr.read().decode()
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert "BrokenPipe" not in errors


def test_nothing_that_can_be_judged_is_status_2(tmp_path: Path, folder: Path) -> None:
    assert babymonitor("predict", tmp_path / "missing.wav").returncode == 2
    assert babymonitor("predict", folder / "broken.mp3", "--json").returncode == 2
    empty = tmp_path / "empty"
    empty.mkdir()
    result = babymonitor("predict", empty)
    assert (result.returncode, "No sound file" in result.stderr) == (2, True)
    result = babymonitor("predict", folder / "cry.wav", "--model", tmp_path / "none.onnx")
    assert (result.returncode, "none.onnx" in result.stderr) == (2, True)
    result = babymonitor("predict", folder / "cry.wav", "--output", tmp_path / "no" / "folder" / "out.json")
    assert (result.returncode, "cannot be written" in result.stderr) == (2, True)


def test_devices_names_the_virtual_microphone(sound_card: object) -> None:
    result = babymonitor("devices", "--json")
    assert result.returncode == 0
    assert "pulse" in json.loads(result.stdout)
    assert "system's choice" in babymonitor("devices").stdout


def test_a_name_that_is_no_text_and_a_narrow_terminal_end_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "cry.wav").rename(folder / "a\udcff.wav")
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    result = babymonitor("predict", folder)
    assert result.returncode == 0, result.stderr
    assert "quiet.wav" in result.stdout


def test_devices_without_a_sound_card() -> None:
    result = babymonitor("devices", bare=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "No microphone was found.\n", "")


def test_selftest_says_what_is_well_and_what_is_not(tmp_path: Path) -> None:
    result = babymonitor("selftest")
    assert result.returncode == 0, result.stdout
    assert result.stdout.count("ok ") == 6
    assert "one tiny epoch" in result.stdout
    broken = tmp_path / "broken.onnx"
    data = bytearray(paths.default_model().read_bytes())
    data[500] ^= 1
    broken.write_bytes(data)
    result = babymonitor("selftest", "--quick", "--model", broken)
    assert result.returncode == 1
    assert "FAIL  model" in result.stdout
    assert result.stdout.count("ok ") == 4


def test_a_very_short_file_is_still_judged_or_told(tmp_path: Path) -> None:
    click = tmp_path / "click.wav"
    soundfile.write(click, np.ones(100, np.float32) * 0.1, 16000)
    result = babymonitor("predict", click)
    assert result.returncode == 2
    assert "too short" in result.stdout
