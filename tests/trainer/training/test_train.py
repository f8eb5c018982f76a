"""Train, kill, resume, export, open: all the way from a folder of sound to a file that the app uses."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from babymonitor.core.model.classifier import Classifier
from trainer.__main__ import main
from trainer.errors import DataError
from trainer.model_file.torch_file import initialise_weights
from trainer.networks import FAMILIES
from trainer.networks.heads import Calibrated, Calibration, TwoLevel
from trainer.training.loop import progress_bar
from trainer.training.recipe import Recipe
from trainer.training.request import TrainingRequest
from trainer.training.train import train

TINY = Recipe(epochs=2, epoch_windows=32, batch=8, seed=3)


def request_for(data: Path, cache: Path, output: Path, **changes: Any) -> TrainingRequest:
    values = {"data": data, "family": "cnn_tiny", "output": output, "recipe": TINY, "cache": cache, "codecs": False}
    return TrainingRequest(**{**values, **changes})


@pytest.fixture(scope="module")
def trained(data_set: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("run")
    train(request_for(data_set, folder / "cache", folder / "model.onnx"))
    return folder / "model.onnx", folder / "cache"


def test_model_file_opens_and_answers_as_torch_does(trained: tuple[Path, Path]) -> None:
    classifier = Classifier(trained[0])
    assert classifier.labels == ("sad", "natural", "background")
    family = FAMILIES["cnn_tiny"]
    network = family.network(classifier.labels)
    state = torch.load(trained[0].with_suffix(".checkpoint"), weights_only=True)
    network.load_state_dict(state["best"])
    values = classifier.card.calibration
    names = ("slope", "offset", "reason_temperature", "other_temperature")
    calibration = Calibration(**{name: values[name] for name in names})
    mels = np.random.default_rng(0).normal(-8, 3, (3, 64, 124)).astype(np.float32)
    with torch.no_grad():
        expected = Calibrated(network, classifier.labels, calibration).eval()(torch.from_numpy(mels)).numpy()
    actual = np.stack([classifier.probabilities(mel) for mel in mels])
    assert np.allclose(actual, expected, atol=1e-4)
    assert np.allclose(actual.sum(1), 1, atol=1e-5)
    session = onnxruntime.InferenceSession(trained[0].read_bytes(), providers=["CPUExecutionProvider"])
    (in_one_batch,) = session.run(None, {"features": mels})
    assert np.allclose(in_one_batch, actual, atol=1e-5)


def test_a_killed_run_resumes_to_the_very_same_weights(
    trained: tuple[Path, Path], data_set: Path, tmp_path: Path
) -> None:
    class KilledError(Exception):
        pass

    def die_in_the_second_epoch(values: dict[str, Any]) -> None:
        if values["event"] == "epoch" and values["epoch"] == 1:
            raise KilledError

    output = tmp_path / "model.onnx"
    with pytest.raises(KilledError):
        train(request_for(data_set, trained[1], output), die_in_the_second_epoch)
    assert not output.exists()
    train(request_for(data_set, trained[1], output, resume=True))
    uninterrupted = torch.load(trained[0].with_suffix(".checkpoint"), weights_only=True)
    resumed = torch.load(output.with_suffix(".checkpoint"), weights_only=True)
    for part in ("network", "averaged", "best"):
        for name, values in uninterrupted[part].items():
            assert torch.equal(values, resumed[part][name]), name


def test_checkpoint_of_another_run_is_refused(trained: tuple[Path, Path], data_set: Path, capsys: Any) -> None:
    status = main(
        f"train --data {data_set} --cache {trained[1]} --family cnn_tiny --no-codecs "
        f"--output {trained[0]} --epochs 9 --resume".split()
    )
    assert status == 2
    assert "another run" in capsys.readouterr().err


def test_json_events_end_with_finished(trained: tuple[Path, Path], data_set: Path, tmp_path: Path, capsys: Any) -> None:
    output = tmp_path / "model.onnx"
    status = main(
        f"train --data {data_set} --cache {trained[1]} --family cnn_tiny --no-codecs "
        f"--output {output} --epochs 1 --epoch-windows 16 --batch 8 --json".split()
    )
    assert status == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == ["started", "epoch", "finished"]
    assert events[-1]["model"] == str(output)
    assert 0 <= events[-1]["metrics"]["balanced_accuracy"] <= 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("columns", "widest"), [(80, 79), (200, 100)])
def test_the_bar_shows_the_latest_validation_in_one_line(
    columns: int, widest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", str(columns))
    with progress_bar(24_000, 0) as bar:
        for figure in (0.5, 0.614):
            bar.update(11_999)
            bar.stepped(1.234)
            bar.validated(figure)
    lines = sys.stderr.getvalue().strip().split("\r")
    shown = ["validation" in line for line in lines]
    assert shown == sorted(shown), "once known, it stays"
    assert "24000/24000 steps  loss 1.234  validation 0.61  00:00 left" in lines[-1]
    assert max(map(len, lines)) <= widest


def test_evaluate_reports_every_label_with_its_interval(
    trained: tuple[Path, Path], data_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", "--model", str(trained[0]), "--data", str(data_set), "--cache", str(trained[1])]
    assert main([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["labels"] == ["sad", "natural", "background"]
    for entry in report["per_label"]:
        assert {"precision", "recall", "f1", "items", "groups"} <= entry.keys()
    assert report["balanced_accuracy"]["low"] <= report["balanced_accuracy"]["high"]
    assert sum(map(sum, report["confusion"])) == report["windows"]
    assert main(arguments) == 0
    assert "confusion" in capsys.readouterr().out


def test_families_names_every_family_and_its_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["families", "--json"]) == 0
    families = {family["name"]: family for family in json.loads(capsys.readouterr().out)["families"]}
    assert families.keys() == FAMILIES.keys()
    assert 100_000 <= families["cnn_tiny"]["parameters"] <= 250_000
    # Of the published body, not of the small stand-in; on it the layers' weights and the head.
    for name in ("hubert", "wav2vec2"):
        assert families[name]["parameters"] == 94_371_712 + 13 + 7 * 769


@pytest.mark.parametrize("labels", [("sad", "happy", "background"), ("rain", "wind"), ("hungry", "tired")])
def test_probabilities_sum_to_one_in_the_labels_order(labels: tuple[str, ...]) -> None:
    logits = torch.eye(len(labels)) * 9
    rows = TwoLevel(labels).probabilities(logits, Calibration())
    assert torch.allclose(rows.sum(1), torch.ones(len(labels)))
    assert rows.argmax(1).tolist() == list(range(len(labels)))


def test_a_training_begins_from_a_models_weights(trained: tuple[Path, Path], data_set: Path, tmp_path: Path) -> None:
    """From the .onnx alone: after one small step the network is near where it began, and far from a fresh one."""
    copy = tmp_path / "given.onnx"
    copy.write_bytes(trained[0].read_bytes())
    family = FAMILIES["cnn_tiny"]
    labels = Classifier(copy).labels
    network = family.network(labels)
    initialise_weights(copy, network, labels)
    state = torch.load(trained[0].with_suffix(".checkpoint"), weights_only=True)["best"]
    for name, values in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(values, state[name]), name
    # Other labels: the body is taken over, the head is new.
    other_labels = family.network(("rain", "wind"))
    initialise_weights(copy, other_labels, ("rain", "wind"))
    assert torch.equal(other_labels.state_dict()["stem.0.weight"], state["stem.0.weight"])
    output = tmp_path / "on.onnx"
    few = replace(TINY, epochs=1, epoch_windows=8, learning_rate=1e-5)
    train(request_for(data_set, trained[1], output, recipe=few, begin_from=copy))
    mel = np.random.default_rng(0).normal(-8, 3, (64, 124)).astype(np.float32)
    with torch.no_grad():
        near = network.eval()(torch.from_numpy(mel[None]))
        state = torch.load(output.with_suffix(".checkpoint"), weights_only=True)["best"]
        network.load_state_dict(state)
        assert torch.allclose(network(torch.from_numpy(mel[None])), near, atol=0.2)


def test_a_training_begins_with_the_weights_another_ended_with(
    trained: tuple[Path, Path], data_set: Path, tmp_path: Path
) -> None:
    """A step at a tiny learning rate leaves the averaged weights of the checkpoint as they were."""
    begun, output = trained[0].with_suffix(".checkpoint"), tmp_path / "on.onnx"
    few = replace(TINY, epochs=1, epoch_windows=8, learning_rate=1e-9)
    train(request_for(data_set, trained[1], output, recipe=few, begin_from=begun))
    before, after = (
        torch.load(path, weights_only=True)["averaged"] for path in (begun, output.with_suffix(".checkpoint"))
    )
    weights = [name for name in before if name.endswith("weight")]
    assert weights
    for name in weights:
        assert torch.allclose(before[name], after[name], atol=1e-6), name


def test_training_cannot_begin_from_a_checkpoint_of_another_network(
    trained: tuple[Path, Path], data_set: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "begun.checkpoint"
    damaged.write_bytes(trained[0].with_suffix(".checkpoint").read_bytes()[:-500])
    for family, begun in (("base_cnn", trained[0].with_suffix(".checkpoint")), ("cnn_tiny", damaged)):
        with pytest.raises(DataError, match="nothing can begin from it"):
            train(request_for(data_set, trained[1], tmp_path / "on.onnx", family=family, begin_from=begun))


def test_weights_of_another_family_are_refused(trained: tuple[Path, Path], data_set: Path, capsys: Any) -> None:
    words = f"train --data {data_set} --cache {trained[1]} --family base_cnn --no-codecs --from {trained[0]}"
    assert main([*words.split(), "--output", str(trained[0].with_name("other.onnx"))]) == 2
    assert "do not fit" in capsys.readouterr().err
