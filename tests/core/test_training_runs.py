"""Trainings on disk: what is written when, what is read again, and what a kill leaves."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import tiny_model

from babymonitor.core import paths, training_runs
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.model_shelf import model_files, move_to_trash, purge_trash, read_card
from babymonitor.core.training_runs import (
    CANCELLED,
    FAILED,
    FINISHED,
    FULL,
    INTERRUPTED,
    RUNNING,
    TEACH,
    Request,
    RunError,
    adopt,
    all_runs,
    begin,
    is_alive,
    left_running,
    mark,
    prune,
    read,
    read_comparison,
)

TEACHING = Request(TEACH, Path("model in use.onnx"), (Path("library"),))
TRAINING = Request(
    FULL, Path("old.onnx"), (Path("library"), Path("more")), "cnn_tiny", {"epochs": "3", "no-codecs": ""}
)


def test_a_run_is_read_as_it_was_written(home: Path) -> None:
    first, second = begin(TEACHING, 1e9), begin(TRAINING, 1e9)
    third = begin(TEACHING, 1e9)
    assert {run.name for run in all_runs()} == {first.name, second.name, third.name}
    assert read(second.folder) == second
    ended = mark(second, FAILED, "It did not go well.")
    assert read(second.folder) == ended
    assert (ended.state, ended.sentence) == (FAILED, "It did not go well.")


def test_what_the_trainer_is_asked(home: Path) -> None:
    run = begin(TEACHING)
    (teach,) = run.commands()
    assert teach[:3] == ["teach", "--model", "model in use.onnx"]
    assert teach[-3:] == ["--threads", "1", "--json"]
    full = begin(TRAINING)
    train, versus = full.commands(resume=True)
    assert train[:5] == ["train", "--data", "library", "--data", "more"]
    assert "--rehearsal" in train, "it can be taught later, and forgets nobody"
    assert train[train.index("--epochs") :] == [
        "--epochs", "3", "--no-codecs", "--threads", "1", "--workers", "0", "--json", "--resume",
    ]  # fmt: skip
    assert versus[:5] == ["versus", "--old", "old.onnx", "--new", str(full.model)]


def test_what_a_dead_program_left_running_is_told_once(home: Path) -> None:
    teach, full = begin(TEACHING, 1e9), begin(TRAINING, 1e9 + 1)
    full.checkpoint.write_bytes(b"half way")
    mark(begin(TEACHING, 1e9 + 2), FINISHED)
    assert left_running() == [], "they are our own"
    training_runs._own.clear()
    runs = {run.name: run for run in left_running()}
    assert set(runs) == {teach.name, full.name}
    assert runs[teach.name].sentence == "The program ended while it was training; nothing was changed."
    assert runs[full.name].sentence.endswith("It can be resumed.")
    assert runs[full.name].is_resumable
    assert not runs[teach.name].is_resumable
    assert left_running() == []
    assert all(run.state != RUNNING for run in all_runs())


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b'{"state": "dancing", "sentence": "", "began": 1}'])
def test_a_damaged_run_is_none(home: Path, damage: bytes) -> None:
    run = begin(TEACHING)
    (run.folder / "state.json").write_bytes(damage)
    assert read(run.folder) is None
    assert all_runs() == []


def test_only_a_full_training_that_stopped_can_be_resumed(home: Path) -> None:
    run = begin(TRAINING)
    assert not mark(run, CANCELLED).is_resumable
    run.checkpoint.write_bytes(b"half way")
    assert [mark(run, state).is_resumable for state in (RUNNING, FINISHED, CANCELLED, FAILED, INTERRUPTED)] == [
        False, False, True, True, True,
    ]  # fmt: skip


def test_a_model_is_adopted_whole_and_listed(home: Path) -> None:
    run = begin(TEACHING, 1e9)
    with pytest.raises(RunError, match="cannot be taken into use"):
        adopt(run)
    tiny_model.write(run.model, name="Taught", training={"taught": {"clips": 3}})
    path = adopt(run)
    assert adopt(run) == path, "twice is once"
    assert path.parent == paths.models_folder()
    assert not list(path.parent.glob("*.part"))
    shipped, own = model_files()
    assert (shipped.is_shipped, shipped.kind) == (True, "shipped")
    assert shipped.card == Classifier(paths.default_model()).card
    assert (own.path, own.kind, own.title) == (path, "taught", "Taught")
    assert own.card == Classifier(path).card
    os.utime(path, (1e9, 1e9))
    gone = move_to_trash(path)
    purge_trash(time.time() + 29 * 86400.0)
    assert gone.is_file(), "deleted today, whenever it was made"
    assert paths.trash_folder() in gone.parents
    assert len(model_files()) == 1
    purge_trash(time.time() + 31 * 86400.0)
    assert not gone.exists()


@pytest.mark.parametrize("cut", [0, 1, 40, 500])
def test_a_file_that_is_no_model_is_listed_with_a_sentence(home: Path, cut: int) -> None:
    model = tiny_model.write(paths.models_folder() / "whole.onnx")
    broken = paths.models_folder() / "broken.onnx"
    broken.write_bytes(model.read_bytes()[:cut])
    found = {file.path.name: file for file in model_files()}
    assert found["whole.onnx"].card == read_card(model)
    assert found["broken.onnx"].card is None
    assert found["broken.onnx"].complaint.startswith("The model broken.onnx cannot be used: ")


def test_old_runs_go_and_those_that_are_needed_stay(home: Path) -> None:
    ended = [mark(begin(TEACHING, 1e9 + at), FINISHED) for at in range(6)]
    lasting = begin(TEACHING, 1e9 - 5)
    prune(2, needed=[ended[1].model])
    assert {run.name for run in all_runs()} == {ended[5].name, ended[4].name, ended[1].name, lasting.name}


def test_a_comparison_of_another_kind_is_refused(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "comparison.json"
    for text in ("", "[]", json.dumps({"format": 2}), json.dumps({"format": 1})):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(RunError):
            read_comparison(path)


def test_who_is_alive() -> None:
    assert is_alive(os.getpid())
    assert not is_alive(0)
