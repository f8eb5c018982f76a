"""`watch` as others rely on it: real processes, real files, the lines of the contract."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tiny_model
from program import babymonitor, loud_night, wav

from babymonitor.core import paths
from babymonitor.core.alerts.policy import AlertPolicy, AlertRules, Change
from babymonitor.core.history.history import History
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.detector import Detector
from babymonitor.core.settings import Settings
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.ring import RingBuffer
from resources import synthesise


def events(result: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def of(kind: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == kind]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_model.write(tmp_path / "tiny.onnx")


def test_the_lines_are_those_of_the_contract(tmp_path: Path, model: Path) -> None:
    night = wav(tmp_path / "night.wav", loud_night())
    result = babymonitor("watch", night, "--fast", "--json", "--model", model)
    assert result.returncode == 0, result.stderr
    lines = events(result)
    assert lines[0] == {
        "event": "started",
        "room": "",
        "source": "night.wav",
        "model": "tiny",
        "labels": list(tiny_model.LABELS),
        "window_seconds": 2.0,
        "hop_seconds": 0.256,
    }
    assert lines[-1] == {"event": "ended", "room": "", "seconds": 60.0}
    scores = of("score", lines)
    assert len(scores) > 220
    assert set(scores[0]) == {"event", "room", "seconds", "crying", "probabilities", "level_db"}
    assert set(scores[0]["probabilities"]) == set(tiny_model.LABELS)
    assert sum(scores[9]["probabilities"].values()) == pytest.approx(1.0, abs=0.001)
    (alert,) = of("alert", lines)
    assert set(alert) == {"event", "room", "seconds", "id", "kind", "began_seconds", "reasons"}
    assert alert["kind"] == "crying"
    assert 20.0 <= alert["began_seconds"] <= alert["seconds"] <= 22.5
    (ended,) = of("alert_ended", lines)
    assert (ended["id"], set(ended)) == (alert["id"], {"event", "room", "seconds", "id", "peak_db"})
    assert -12 < ended["peak_db"] < -9
    (health,) = of("health", lines)
    assert (health["state"], set(health)) == ("listening", {"event", "room", "seconds", "state", "detail"})


@pytest.fixture
def deaf_to_crying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that takes loud sound for a dog, and nothing for crying."""
    monkeypatch.setattr(tiny_model, "LOUD_LOG_POWER", 50.0)
    return tiny_model.write(tmp_path / "dog.onnx", sounds=("dog", "quiet", "whimper"))


def test_scores_say_what_else_is_heard_where_the_model_names_it(tmp_path: Path, deaf_to_crying: Path) -> None:
    night = wav(tmp_path / "night.wav", loud_night())
    scores = of("score", events(babymonitor("watch", night, "--fast", "--json", "--model", deaf_to_crying)))
    keys = ["event", "room", "seconds", "crying", "probabilities", "level_db", "heard"]
    assert all(list(score) == keys for score in scores)
    for score in scores:
        kinds = score["heard"]
        if 22.5 < score["seconds"] < 29.5:
            assert list(kinds) == ["dog"]
            assert 0.3 <= kinds["dog"] <= 1.0
        elif score["seconds"] < 19.5:
            assert list(kinds) == ["quiet"], "a whimper is evidence for the model alone"


def test_on_a_terminal_the_line_says_what_else_is_heard(tmp_path: Path, model: Path, deaf_to_crying: Path) -> None:
    night = wav(tmp_path / "night.wav", loud_night()[15 * 16000 : 35 * 16000])
    output = on_a_terminal("watch", night, "--fast", "--model", deaf_to_crying)
    assert "A dog" in output
    assert "Quiet" in output
    assert "No baby" not in output
    before = on_a_terminal("watch", night, "--fast", "--model", model)
    assert "No baby" in before
    assert "Other sounds" not in before


def on_a_terminal(*words: str | Path) -> str:
    """Run the program on a terminal of its own; returns what it printed there."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "babymonitor", *map(str, words)]
    with subprocess.Popen(command, stdout=its, stderr=subprocess.STDOUT) as process:
        os.close(its)
        printed = b""
        with contextlib.suppress(OSError):  # what Linux says where nobody holds the other end any more
            while block := os.read(ours, 65536):
                printed += block
        assert process.wait(60) == 0, printed.decode()
    os.close(ours)
    return printed.decode()


def test_fast_gives_the_same_alerts_as_time_does(tmp_path: Path, model: Path) -> None:
    night = wav(tmp_path / "night.wav", loud_night()[27 * 16000 : 34 * 16000])
    rules = ("--set", "end_seconds=2", "--model", model, "--json")
    fast = events(babymonitor("watch", night, "--fast", *rules))
    paced = events(babymonitor("watch", night, *rules))
    for kind in ("alert", "alert_ended"):
        for mine, other in zip(of(kind, fast), of(kind, paced), strict=True):
            assert mine.keys() == other.keys()
            assert mine["seconds"] == pytest.approx(other["seconds"], abs=0.3)
    assert len(of("alert", fast)) == 1
    by_time = {line["seconds"]: line["crying"] for line in of("score", fast)}
    for line in of("score", paced):
        assert line["crying"] == pytest.approx(by_time[line["seconds"]], abs=2e-3)


def test_any_loud_sound_is_an_alert_where_that_is_wanted_fast_and_paced_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny_model, "LOUD_LOG_POWER", 50.0)
    words = ("--model", tiny_model.write(tmp_path / "hears_no_crying.onnx"), "--set", "end_seconds=1")
    words += ("--set", "loud_seconds=2", "--set", "loud_alerts=on")
    night = wav(tmp_path / "night.wav", loud_night()[15 * 16000 : 24 * 16000])
    quiet_again = wav(tmp_path / "quiet.wav", loud_night()[: 3 * 16000])
    fast, paced = (
        events(babymonitor("watch", night, quiet_again, *words, "--json", *how)) for how in (("--fast",), ())
    )
    (alert,) = of("alert", fast)
    assert alert == {
        "event": "alert",
        "room": "",
        "seconds": 7.25,
        "id": 1,
        "kind": "loud",
        "began_seconds": 5.0,
        "reasons": {},
    }
    (ended,) = of("alert_ended", fast)
    assert (ended["id"], set(ended)) == (1, {"event", "room", "seconds", "id", "peak_db"})
    assert 10.0 <= ended["seconds"] <= 10.5
    assert -12 < ended["peak_db"] < -9
    assert [of(kind, paced) for kind in ("alert", "alert_ended")] == [[alert], [ended]]
    output = babymonitor("watch", night, quiet_again, *words, "--fast").stdout
    assert "0:00:07.2  ALERT: loud sound since 0:00:05.0." in output
    assert "Loud sound is over after 4 s" in output
    without = babymonitor("watch", night, quiet_again, *words, "--set", "loud_alerts=off", "--fast", "--json")
    assert of("alert", events(without)) == []


def test_loud_crying_is_one_alert(tmp_path: Path, model: Path) -> None:
    night = wav(tmp_path / "night.wav", loud_night())
    words = ("--fast", "--json", "--model", model, "--set", "loud_alerts=on", "--set", "loud_seconds=1")
    (alert,) = of("alert", events(babymonitor("watch", night, *words)))
    assert alert["kind"] == "crying"


def twenty_minutes() -> np.ndarray:
    """Room tone with synthesised cries, babble, a dog and a white-noise machine in it: more than 2 ** 24 samples."""
    generator = np.random.default_rng(7)
    wave = generator.standard_normal(1200 * 16000).astype(np.float32) * np.float32(10 ** (-62 / 20))
    wave[480 * 16000 : 720 * 16000] += np.tile(synthesise.white_noise_machine(60.0, generator), 4)
    for minute in range(1, 20, 2):
        kind = (synthesise.cry, synthesise.babble, synthesise.dog)[(minute // 2) % 3]
        sound = kind(20.0, generator)
        at = minute * 60 * 16000 + int(generator.integers(0, 16000))
        wave[at : at + sound.size] += sound
    return wave


def live_path(wave: np.ndarray, seed: int) -> list[tuple[str, float]]:
    """The live path's ring, detector and policy, with blocks and looks as irregular as a busy machine makes them."""
    generator = np.random.default_rng(seed)
    classifier = Classifier(paths.default_model())
    ring = RingBuffer(30.0)
    detector = Detector(classifier, ring)
    policy = AlertPolicy(AlertRules.from_settings(Settings(), classifier.card.thresholds))
    story, at = [], 0
    while at < wave.size:
        size = int(generator.integers(100, 3000))
        ring.write(wave[at : at + size])
        at += size
        score = detector.poll()
        if score is not None:
            story += [(event.change.value, round(event.alert.raised_seconds, 3)) for event in policy.feed(score)]
    story += [(event.change.value, round(event.alert.raised_seconds, 3)) for event in policy.interrupt()]
    return [step for step in story if step[0] != Change.REPEATED.value]


@pytest.mark.slow
def test_a_long_file_read_fast_gives_the_alerts_of_the_live_path(tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    soundfile.write(path, twenty_minutes(), 16000)
    lines = events(babymonitor("watch", path, "--fast", "--json"))
    assert lines[-1]["seconds"] == 1200.0
    raised = {line["id"]: line["seconds"] for line in of("alert", lines)}
    story = []
    for line in lines:
        if line["event"] == "alert":
            story.append(("raised", line["seconds"]))
        elif line["event"] == "alert_ended":
            story.append(("ended", raised[line["id"]]))
    assert len(raised) >= 3, "the synthesised cries are heard"
    assert story == live_path(read_wave(path), seed=1)


def test_several_files_are_one_sound(tmp_path: Path, model: Path) -> None:
    first, second = wav(tmp_path / "a.wav", loud_night()[:80000]), wav(tmp_path / "b.flac", loud_night()[:48000])
    lines = events(babymonitor("watch", first, second, "--fast", "--json", "--model", model))
    assert lines[-1]["seconds"] == pytest.approx(8.0)


def test_the_demo_is_a_whole_story(tmp_path: Path) -> None:
    result = babymonitor("watch", "demo", "--fast", bare=True)
    assert result.returncode == 0, result.stderr
    assert "ALERT: crying" in result.stdout
    assert "is over" in result.stdout
    truth = json.loads(paths.resource("demo.json").read_text())
    crying = [section for section in truth["sections"] if section["label"] == "crying"]
    lines = events(babymonitor("watch", "demo", "--fast", "--json", bare=True))
    (alert,) = of("alert", lines)
    assert crying[0]["start_seconds"] <= alert["seconds"] <= crying[0]["start_seconds"] + 3.0


def test_without_screen_and_microphone_the_program_alone_plays_the_demo_and_says_so() -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "XDG_RUNTIME_DIR")}
    environment.pop("ALSA_CONFIG_PATH", None)
    environment.pop("QT_QPA_PLATFORM", None)
    command = [sys.executable, "-m", "babymonitor"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert time.monotonic() - asked < 30, "it ends when it is asked to, and not when the demo is over"
        assert process.wait(20) == 0
    assert "no screen" in lines[0]
    assert "No microphone was found: this is the demo recording" in lines[1]
    assert "Listening to demo" in lines[2]
    assert "The end." in rest


def test_the_microphone_is_watched_and_the_night_is_kept(sound_card: Any, model: Path, home: Path) -> None:
    night = np.concatenate((loud_night()[17 * 16000 : 25 * 16000], loud_night()[30 * 16000 : 36 * 16000]))
    settings = ("--set", "end_seconds=2", "--set", "clip_after_seconds=1")
    command = [sys.executable, "-m", "babymonitor", "watch", "mic", "--json", "--model", str(model), "--no-alarm"]
    with subprocess.Popen([*command, *settings], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: Iterator[dict[str, Any]] = map(json.loads, process.stdout)
        assert next(lines)["event"] == "started"
        player = sound_card.play(night)
        assert any(line["event"] == "alert_ended" for line in lines)
        player.wait()
        process.send_signal(signal.SIGTERM)
        rest = list(lines)
        assert process.wait(20) == 0
    assert rest[-1]["event"] == "ended"
    history = History(paths.history_file())
    (row,) = history.alerts()
    assert row.ended is not None
    assert row.clip is not None
    assert (paths.clips_folder() / row.clip).is_file()
    history.close()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["missing.wav"], "missing.wav cannot be read"),
        (["empty.wav"], "empty.wav is empty"),
        (["text.wav"], "not a sound file"),
        (["nan.wav"], "no numbers"),
        (["good.wav", "empty.wav"], "empty.wav is empty"),
        (["mic:no-such-name"], "No microphone"),
        (["mic", "good.wav"], "cannot be heard at once"),
        (["good.wav", "--set", "nothing=1"], "no setting 'nothing'"),
        (["good.wav", "--set", "start_threshold=7"], "start_threshold must lie between"),
        (["good.wav", "--set", "start_threshold"], "NAME=VALUE"),
        (["good.wav", "--model", "missing.onnx"], "missing.onnx cannot be used"),
        (["good.wav", "--model", "text.wav"], "text.wav cannot be used"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(tmp_path: Path, words: list[str], expected: str) -> None:
    wav(tmp_path / "good.wav", loud_night()[:80000])
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("not sound " * 200)
    soundfile.write(tmp_path / "nan.wav", np.full(32000, np.nan, np.float32), 16000, subtype="FLOAT")
    result = babymonitor("watch", *words, "--fast", cwd=tmp_path)
    assert result.returncode == 2
    assert expected in result.stderr
    assert result.stderr.strip().count("\n") == 0
    assert "Traceback" not in result.stderr


def test_explicitly_the_microphone_where_there_is_none_is_status_2() -> None:
    result = babymonitor("watch", "mic", bare=True)
    assert result.returncode == 2
    assert "No microphone was found" in result.stderr


def test_a_reader_that_goes_away_is_no_fault(tmp_path: Path, model: Path) -> None:
    night = wav(tmp_path / "night.wav", loud_night())
    command = f"'{sys.executable}' -m babymonitor watch '{night}' --fast --json --model '{model}' | head -3"
    result = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0
    assert result.stderr == ""
