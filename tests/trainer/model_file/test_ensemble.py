"""Combining model files: the result returns their mean, and its card records its parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_model

from babymonitor.core.model.classifier import Classifier
from trainer.__main__ import main
from trainer.evaluation.model_cost import parameters_of
from trainer.home.adapter import Adapter, BaseModel
from trainer.training.recipe import Recipe
from trainer.training.request import TrainingRequest
from trainer.training.train import train


@pytest.fixture(scope="module")
def parts(data_set: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two networks of different families with the same input."""
    folder = tmp_path_factory.mktemp("parts")
    paths = []
    for family in ("lstm_mel", "resnet_mel"):
        recipe = Recipe(epochs=1, epoch_windows=16, batch=8)
        paths.append(folder / f"{family}.onnx")
        train(TrainingRequest([data_set], family, paths[-1], recipe, folder / "cache", codecs=False))
    return paths


def test_it_returns_the_mean(parts: list[Path], tmp_path: Path) -> None:
    output = tmp_path / "both.onnx"
    assert main(["combine", *map(str, parts), "--output", str(output), "--name", "Both"]) == 0
    both, *members = (Classifier(path) for path in (output, *parts))
    mels = np.random.default_rng(0).normal(-8, 3, (3, both.card.features.rows, both.card.window_frames))
    for mel in mels.astype(np.float32):
        expected = np.mean([member.probabilities(mel) for member in members], axis=0)
        assert np.allclose(both.probabilities(mel), expected, atol=1e-5)
    assert np.abs(members[0].probabilities(mel) - members[1].probabilities(mel)).max() > 1e-3
    card = both.card
    assert (card.name, card.family, card.metrics) == ("Both", "combined", {})
    assert [part["family"] for part in card.training["parts"]] == ["lstm_mel", "resnet_mel"]
    assert card.training["groups"] == members[0].card.training["groups"], "the groups it was trained on are known"


@pytest.fixture
def mels(parts: list[Path]) -> np.ndarray:
    """Windows of various levels, (N, rows, window_frames)."""
    card = Classifier(parts[0]).card
    rng = np.random.default_rng(0)
    levels = rng.uniform(-14, -2, (9, 1, 1))
    return (levels + rng.normal(0, 2, (9, card.features.rows, card.window_frames))).astype(np.float32)


@pytest.fixture
def cascade(parts: list[Path], mels: np.ndarray, tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A cascade of three that asks the last two for some of those windows, and a mask of these, (N,)."""
    first, path = Classifier(parts[0]), tmp_path / "cascade.onnx"
    crying = np.array([first.crying(first.probabilities(mel)) for mel in mels])
    lowest, highest = crying.min(), min(crying.max(), first.crying(np.array(first.card.golden["probabilities"])))
    suspect = float(lowest + highest) / 2
    words = ["--suspect", str(suspect), "--bits", "16", "--output", str(path)]
    assert main(["combine", *map(str, parts), str(parts[1]), *words]) == 0
    return path, crying >= suspect


def test_a_cascade_runs_its_branch_only_where_the_first_suspects_crying(
    parts: list[Path], mels: np.ndarray, cascade: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, suspected = cascade
    combined, *members = (Classifier(file) for file in (path, *parts))
    first, second = (np.array([member.probabilities(mel) for mel in mels]) for member in members)
    answer = np.array([combined.probabilities(mel) for mel in mels])
    assert np.allclose(answer, np.where(suspected[:, None], (first + 2 * second) / 3, first), atol=2e-3)
    assert 0 < combined.card.training["suspect"] < 1
    differ = np.abs(first - second).max(1)
    assert min(differ[suspected].max(), differ[~suspected].max()) > 0.02, "a wrong choice would show"
    # The networks in the branch are not run where nothing is suspected, so all of their nodes must be inside it.
    assert {node.name.partition("/")[0] for node in onnx.load(path).graph.node if node.name} == {
        "0",
        "cascade",
        "probabilities",
    }
    mean = tmp_path / "mean.onnx"
    assert main(["combine", *map(str, parts), str(parts[1]), "--output", str(mean)]) == 0
    assert path.stat().st_size < 0.6 * mean.stat().st_size, "16 bits"
    assert abs(parameters_of(path) - parameters_of(mean)) < 0.1 * parameters_of(mean), "the branch's parameters count"


def test_a_cascade_can_be_taught(mels: np.ndarray, cascade: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    path, suspected = cascade
    combined, body = Classifier(path), BaseModel(path)
    answers, embeddings, _ = body(mels)
    for mel, answer in zip(mels, answers, strict=True):
        assert np.allclose(combined.probabilities(mel), answer, atol=1e-5), "independent of the rest of the batch"
    theirs = ~embeddings[~suspected].any(0)
    assert theirs.any()
    assert (np.abs(embeddings[suspected][:, theirs]).sum(1) > 0).all()
    rng = np.random.default_rng(1)
    weights = rng.normal(0, 0.5, (embeddings.shape[1], len(combined.labels) + 1)).astype(np.float32)
    adapter = Adapter(combined.labels, weights, np.zeros(len(combined.labels) + 1, np.float32))
    body.write(tmp_path / "taught.onnx", adapter, {})
    taught, expected = Classifier(tmp_path / "taught.onnx"), adapter(answers, embeddings)
    assert np.abs(expected - answers).max() > 0.1
    for mel, row in zip(mels, expected, strict=True):
        assert np.allclose(taught.probabilities(mel), row, atol=1e-5)
    again = BaseModel(tmp_path / "taught.onnx")
    assert np.array_equal(again(mels)[1], embeddings)


def test_a_cascade_may_be_part_of_another_and_of_a_mean(
    parts: list[Path], mels: np.ndarray, cascade: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    inner, second = Classifier(cascade[0]), Classifier(parts[1])
    width = BaseModel(parts[1])(mels)[1].shape[1]
    ways = (
        ("mean", [], 1e-5),
        ("outer", ["--suspect", "0.0001"], 1e-5),
        ("narrow", ["--suspect", "0.0001", "--bits", "8"], 0.05),
    )
    for name, words, off in ways:
        path = tmp_path / f"{name}.onnx"
        assert main(["combine", str(cascade[0]), str(parts[1]), "--output", str(path), *words]) == 0
        combined, body = Classifier(path), BaseModel(path)
        for mel in mels:
            expected = (inner.probabilities(mel) + second.probabilities(mel)) / 2
            assert np.allclose(combined.probabilities(mel), expected, atol=off)
        assert body(mels)[1].shape[1] == BaseModel(cascade[0])(mels)[1].shape[1] + width, (
            "all of its heads can be taught"
        )


@pytest.mark.parametrize(("bits", "off", "smaller"), [("16", 2e-3, 0.6), ("8", 0.05, 0.4)])
def test_weights_of_fewer_bits_give_nearly_the_same_probabilities(
    parts: list[Path], mels: np.ndarray, tmp_path: Path, bits: str, off: float, smaller: float
) -> None:
    full, narrow = tmp_path / "whole.onnx", tmp_path / "narrow.onnx"
    assert main(["combine", *map(str, parts), "--suspect", "0.0001", "--output", str(full)]) == 0
    assert main(["combine", *map(str, parts), "--suspect", "0.0001", "--bits", bits, "--output", str(narrow)]) == 0
    before, after = Classifier(full), Classifier(narrow)
    differ = [np.abs(before.probabilities(mel) - after.probabilities(mel)).max() for mel in mels]
    assert 0 < max(differ) < off
    assert after.card.training["bits"] == int(bits)
    assert narrow.stat().st_size < smaller * full.stat().st_size
    assert 0.9 * parameters_of(full) < parameters_of(narrow) < 1.1 * parameters_of(full)


@pytest.mark.parametrize("bits", ["16", "8"])
def test_weights_of_fewer_bits_keep_what_teaching_looks_for(
    parts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bits: str
) -> None:
    monkeypatch.setattr("trainer.model_file.narrow.NARROW_FROM", 1)
    path = tmp_path / "narrow.onnx"
    assert main(["combine", *map(str, parts), "--bits", bits, "--output", str(path)]) == 0
    assert len(BaseModel(path).inputs) == len(parts)


def test_the_first_must_suspect_the_golden_cry(
    parts: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--suspect", "0.9999", "--output", str(tmp_path / "out.onnx")]
    assert main(["combine", *map(str, parts), *words]) == 2
    assert "name another first" in capsys.readouterr().err


def test_a_cascade_is_not_quantised(cascade: tuple[Path, np.ndarray], capsys: pytest.CaptureFixture[str]) -> None:
    path, _ = cascade
    assert main(["export", str(path), "--format", "onnx", "--int8"]) == 2
    assert "quantise its parts" in capsys.readouterr().err
    assert not path.with_suffix(".int8.onnx").exists()


def test_a_fitted_part_prevents_8_bits(data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = [tmp_path / f"{family}.onnx" for family in ("svm", "random_forest")]
    for part in parts:
        train(TrainingRequest([data_set], part.stem, part, Recipe(epoch_windows=16), tmp_path / "cache", codecs=False))
    both = tmp_path / "both.onnx"
    assert main(["combine", *map(str, parts), "--output", str(both)]) == 0
    assert main(["export", str(both), "--format", "onnx", "--int8"]) == 2
    assert "8 bits are too few" in capsys.readouterr().err
    assert not both.with_suffix(".int8.onnx").exists()
    assert main(["combine", *map(str, parts), "--bits", "8", "--output", str(tmp_path / "narrow.onnx")]) == 2
    assert "8 bits are too few" in capsys.readouterr().err


def test_what_cannot_be_combined_is_refused(
    parts: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unrelated = tiny_model.write(tmp_path / "other.onnx")
    words = ["--output", str(tmp_path / "out.onnx")]
    assert main(["combine", str(parts[0]), *words]) == 2
    assert "two model files or more" in capsys.readouterr().err
    assert main(["combine", str(parts[0]), str(unrelated), *words]) == 2
    assert "their labels differ" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["combine", *map(str, parts), "--suspect", "1", *words])
    assert "between 0 and 1" in capsys.readouterr().err
    assert not (tmp_path / "out.onnx").exists()


def test_only_models_of_crying_can_suspect_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = ("a", "b", "c", "d", "e", "f", "g")
    acted = [tiny_model.write(tmp_path / f"{number}.onnx", labels=labels) for number in (0, 1)]
    words = ["--suspect", "0.1", "--output", str(tmp_path / "out.onnx")]
    assert main(["combine", *map(str, acted), *words]) == 2
    assert "labels of crying" in capsys.readouterr().err
