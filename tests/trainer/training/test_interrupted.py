"""The real program, killed in the middle of an epoch, spread over processes, and searching with several workers."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from made_data import REPOSITORY

from babymonitor.core.model.classifier import Classifier
from trainer.__main__ import main

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def command(data: Path, output: Path, cache: Path, *more: str) -> list[str]:
    """Two epochs of a small network, on few windows."""
    return [
        *f"train --family cnn_tiny --data {data} --output {output} --cache {cache} --no-codecs --json".split(),
        *("--epochs", "3", "--epoch-windows", "64", "--batch", "16", "--reuse", "1", "--seed", "4"),
        *more,
    ]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The decoded sound, shared by every training whose decoding is not under test."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def in_one_go(
    data_set: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[tuple[str, ...]], Path]:
    """Train in one process without interruption, once for the same options."""
    folder = tmp_path_factory.mktemp("in_one_go")

    @functools.cache
    def train(more: tuple[str, ...]) -> Path:
        output = folder / f"{'-'.join(more) or 'plain'}.onnx"
        assert main(command(data_set, output, cache, *more)) == 0
        return output

    return train


def weights(output: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(output.with_suffix(".checkpoint"), weights_only=True)["averaged"]
    return state


@pytest.mark.parametrize("more", [(), ("--schedule", "plateau", "--patience", "2", "--mixup", "0.5")])
def test_killed_in_an_epoch_and_resumed_it_ends_with_the_same_weights(
    data_set: Path, cache: Path, in_one_go: Callable[[tuple[str, ...]], Path], tmp_path: Path, more: tuple[str, ...]
) -> None:
    uninterrupted, killed = in_one_go(more), tmp_path / "killed.onnx"
    with subprocess.Popen(
        [sys.executable, "-m", "trainer", *command(data_set, killed, cache, *more)],
        cwd=REPOSITORY, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line).get("epoch") == 1:
                os.killpg(process.pid, signal.SIGKILL)  # the second epoch has begun
                break
    assert process.returncode == -signal.SIGKILL
    assert not killed.exists()
    assert main([*command(data_set, killed, cache, *more), "--resume"]) == 0
    resumed = weights(killed)
    for name, values in weights(uninterrupted).items():
        assert torch.equal(values, resumed[name]), name
    assert Classifier(killed).card.metrics == Classifier(uninterrupted).card.metrics


def test_two_processes_train_one_network(
    data_set: Path, in_one_go: Callable[[tuple[str, ...]], Path], tmp_path: Path
) -> None:
    """DistributedDataParallel over gloo, started by torchrun: each draws its half of every batch."""
    output = tmp_path / "shared.onnx"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "trainer"]
    done = subprocess.run(
        [*launch, *command(data_set, output, tmp_path / "cache")],
        cwd=REPOSITORY, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    events: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    # Only the leader prints: every line once.
    assert [event["event"] for event in events] == ["started", "epoch", "epoch", "epoch", "finished"]
    assert Classifier(output).labels == ("sad", "natural", "background")
    # The gradients were averaged: the network differs from what one process makes.
    assert not torch.equal(weights(output)["head.weight"], weights(in_one_go(()))["head.weight"])


def test_workers_share_one_study(data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        *f"tune --family cnn_tiny --data {data_set} --cache {tmp_path}/cache --no-codecs".split(),
        *f"--study {tmp_path}/study.sqlite --trials 1 --epochs 1 --epoch-windows 64 --json".split(),
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "trainer", *words], cwd=REPOSITORY, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as second:
        assert main(words) == 0
        second.communicate()
    assert second.returncode == 0
    assert main(words) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["event"] == "finished"
    assert last["trials"] == 3
    assert 0 <= last["figure"] <= 1
    assert {"learning_rate", "mixup", "noise"} <= last["settings"].keys()
