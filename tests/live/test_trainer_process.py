"""The real trainer as a real process: its events, its priority, its end by itself, by a button and by kill -9."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pytestqt.qtbot import QtBot

from babymonitor.core import paths
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.training_runs import (
    CANCELLED,
    FAILED,
    FINISHED,
    FULL,
    TEACH,
    Request,
    Run,
    begin,
    mark,
    read,
    read_comparison,
)
from babymonitor.live.trainer_process import NICE, FamiliesLoader, TrainerProcess, end_orphan
from resources import synthesise

END_MS = 120_000


def make_library(root: Path, groups: int = 3, takes: int = 1) -> Path:
    """Synthesised crying and room tone, of several recordings."""
    rng = np.random.default_rng(3)
    for group in range(groups):
        for take in range(takes):
            for label, maker in (("sad", synthesise.cry), ("background", synthesise.room_tone)):
                folder = root / label / f"recording-{group}"
                folder.mkdir(parents=True, exist_ok=True)
                soundfile.write(folder / f"{take}.flac", maker(2.5, rng), 16000)
    return root


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return make_library(tmp_path / "library")


@pytest.fixture
def trainer(qtbot: QtBot) -> Iterator[TrainerProcess]:
    trainer = TrainerProcess()
    yield trainer
    trainer.shut_down()


def teaching(library: Path) -> Run:
    return begin(Request(TEACH, paths.default_model(), (library,)))


def training(library: Path, epochs: int = 2) -> Run:
    options = {
        "epochs": str(epochs),
        "epoch-windows": "128",
        "reuse": "1",
        "augment": "none",
        "no-codecs": "",
        "shares": "34,33,33",
    }
    return begin(Request(FULL, paths.default_model(), (library,), "cnn_tiny", options))


def ended(qtbot: QtBot, trainer: TrainerProcess, do: Callable[[], Any]) -> tuple[Run, str, str]:
    with qtbot.waitSignal(trainer.ended, timeout=END_MS) as waiting:
        do()
    run, state, sentence = waiting.args
    assert read(run.folder) == run
    assert not trainer.is_running
    return run, state, sentence


@pytest.mark.slow
def test_it_teaches_behind_the_monitor_and_tells_as_it_goes(
    library: Path, trainer: TrainerProcess, qtbot: QtBot
) -> None:
    events: list[dict[str, Any]] = []
    priorities: list[int] = []
    trainer.event_arrived.connect(events.append)

    def look(event: dict[str, Any]) -> None:
        if event["event"] == "started" and sys.platform != "win32":
            priorities.append(os.getpriority(os.PRIO_PROCESS, trainer.process_id))

    trainer.event_arrived.connect(look)
    run, state, sentence = ended(qtbot, trainer, lambda: trainer.start(teaching(library)))
    assert (state, sentence) == (FINISHED, "The new model is ready.")
    if sys.platform != "win32":
        assert priorities == [os.getpriority(os.PRIO_PROCESS, 0) + NICE]
    assert [events[0]["event"], events[-1]["event"]] == ["started", "finished"]
    shares = [event["share"] for event in events if event["event"] == "progress"]
    assert shares == sorted(shares)
    assert [json.loads(line) for line in run.events.read_text(encoding="utf-8").splitlines()] == events
    assert "taught" in Classifier(run.model).card.training
    assert len(read_comparison(run.comparison)["clips"]) == 6


@pytest.mark.slow
def test_a_full_training_is_cancelled_resumed_and_compared(
    tmp_path: Path, trainer: TrainerProcess, qtbot: QtBot
) -> None:
    library = make_library(tmp_path / "library")
    epochs: list[int] = []

    def count(event: dict[str, Any]) -> None:
        if event["event"] == "epoch":
            epochs.append(event["epoch"])
            if event["epoch"] == 1:
                trainer.cancel()

    trainer.event_arrived.connect(count)
    stopped, state, sentence = ended(qtbot, trainer, lambda: trainer.start(training(library)))
    assert state == CANCELLED
    assert sentence == "The training was stopped; nothing was changed, and it can be resumed."
    assert stopped.is_resumable
    assert not stopped.model.exists()
    trainer.event_arrived.disconnect(count)
    epochs.clear()
    trainer.event_arrived.connect(lambda event: epochs.append(event.get("epoch", 0)))
    run, state, sentence = ended(qtbot, trainer, lambda: trainer.start(stopped, resume=True))
    assert (state, sentence) == (FINISHED, "The new model is ready.")
    assert [epoch for epoch in epochs if epoch] == [2]
    assert read_comparison(run.comparison)["clips"]
    assert not run.checkpoint.exists()
    assert run.model.with_name("model.rehearsal.npz").is_file()
    Classifier(run.model)


def test_cancelled_before_it_has_begun(library: Path, trainer: TrainerProcess, qtbot: QtBot) -> None:
    def both() -> None:
        trainer.start(teaching(library))
        trainer.cancel()
        trainer.cancel()

    run, state, sentence = ended(qtbot, trainer, both)
    assert (state, sentence) == (CANCELLED, "The training was stopped; nothing was changed.")
    assert not run.model.exists()


@pytest.mark.logs_warnings
def test_a_kill_is_told_plainly(library: Path, trainer: TrainerProcess, qtbot: QtBot) -> None:
    def kill(event: dict[str, Any]) -> None:
        if event["event"] == "started":
            os.kill(trainer.process_id, signal.SIGKILL)

    trainer.event_arrived.connect(kill)
    run, state, sentence = ended(qtbot, trainer, lambda: trainer.start(teaching(library)))
    assert state == FAILED
    assert sentence.startswith("The training ended unexpectedly; nothing was changed.")
    assert not run.model.exists()
    # And the next one goes well.
    trainer.event_arrived.disconnect(kill)
    assert ended(qtbot, trainer, lambda: trainer.start(teaching(library)))[1] == FINISHED


def test_what_the_trainer_refuses_is_its_own_sentence(tmp_path: Path, trainer: TrainerProcess, qtbot: QtBot) -> None:
    (tmp_path / "empty").mkdir()
    run, state, sentence = ended(qtbot, trainer, lambda: trainer.start(teaching(tmp_path / "empty")))
    assert state == FAILED
    assert sentence.endswith(".")
    assert "unexpectedly" not in sentence
    assert sentence in run.log.read_text(encoding="utf-8")


@pytest.mark.logs_warnings
def test_a_fault_of_the_trainer_ends_with_the_last_line_of_its_log(
    library: Path, trainer: TrainerProcess, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "onnx.py").write_text("raise RuntimeError('the sky fell')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    _, state, sentence = ended(qtbot, trainer, lambda: trainer.start(teaching(library)))
    assert state == FAILED
    assert sentence.startswith("The training ended unexpectedly; nothing was changed. The last it said: ")
    assert "the sky fell" in sentence


@pytest.mark.logs_warnings
def test_one_that_outlived_its_program_is_ended_and_nobody_else(
    library: Path, trainer: TrainerProcess, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(trainer.event_arrived, timeout=END_MS):
        trainer.start(teaching(library))
    run = trainer.run
    assert run is not None
    assert run.trainer == trainer.process_id
    end_orphan(mark(begin(run.request), "running", trainer=os.getpid()))  # another process has that number now
    with qtbot.waitSignal(trainer.ended, timeout=END_MS) as waiting:
        end_orphan(run)
    assert waiting.args[1] == FAILED


FAMILIES_PROGRAM = """
import json, sys
open("asked", "a").write(" ".join(sys.argv[1:]) + "\\n")
print(json.dumps({"families": [{"name": "cnn_tiny"}]}))
"""


def test_the_families_are_asked_for_once(qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in answers, because the trainer takes five seconds: the Train page's tests ask the real one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paths, "program", lambda: ([sys.executable, "-c", FAMILIES_PROGRAM], dict(os.environ)))
    loader = FamiliesLoader()
    with qtbot.waitSignal(loader.arrived, timeout=END_MS):
        loader.load()
        loader.load()
    names = [family["name"] for family in loader.families]
    assert "cnn_tiny" in names
    loader.load()
    assert loader._process is None
    assert (tmp_path / "asked").read_text() == "trainer families --json\n"
