"""Several model files as one: it answers with their mean, and its card says what went into it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_model

from babymonitor.core.model.classifier import Classifier
from trainer.__main__ import main
from trainer.evaluation.model_cost import parameters_of
from trainer.home.adapter import Adapter, Body
from trainer.training.recipe import Recipe
from trainer.training.request import TrainingRequest
from trainer.training.train import train


@pytest.fixture(scope="module")
def parts(data_set: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two networks of two families that see the same."""
    folder = tmp_path_factory.mktemp("parts")
    made = []
    for family in ("lstm_mel", "resnet_mel"):
        recipe = Recipe(epochs=1, epoch_windows=16, batch=8)
        made.append(folder / f"{family}.onnx")
        train(TrainingRequest([data_set], family, made[-1], recipe, folder / "cache", codecs=False))
    return made


def test_it_answers_with_the_mean(parts: list[Path], tmp_path: Path) -> None:
    output = tmp_path / "both.onnx"
    assert main(["combine", *map(str, parts), "--output", str(output), "--name", "Both"]) == 0
    both, *each = (Classifier(path) for path in (output, *parts))
    mels = np.random.default_rng(0).normal(-8, 3, (3, both.card.features.rows, both.card.window_frames))
    for mel in mels.astype(np.float32):
        expected = np.mean([one.probabilities(mel) for one in each], axis=0)
        assert np.allclose(both.probabilities(mel), expected, atol=1e-5)
    assert np.abs(each[0].probabilities(mel) - each[1].probabilities(mel)).max() > 1e-3
    card = both.card
    assert (card.name, card.family, card.metrics) == ("Both", "combined", {})
    assert [part["family"] for part in card.training["parts"]] == ["lstm_mel", "resnet_mel"]
    assert card.training["groups"] == each[0].card.training["groups"], "whom it met is known"


@pytest.fixture
def mels(parts: list[Path]) -> np.ndarray:
    """Windows of all kinds, (N, rows, window_frames)."""
    card = Classifier(parts[0]).card
    rng = np.random.default_rng(0)
    levels = rng.uniform(-14, -2, (9, 1, 1))
    return (levels + rng.normal(0, 2, (9, card.features.rows, card.window_frames))).astype(np.float32)


@pytest.fixture
def cascade(parts: list[Path], mels: np.ndarray, tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A cascade of three that asks the other two in some of those windows, and in which."""
    first, whole = Classifier(parts[0]), tmp_path / "cascade.onnx"
    crying = np.array([first.crying(first.probabilities(mel)) for mel in mels])
    lowest, highest = crying.min(), min(crying.max(), first.crying(np.array(first.card.golden["probabilities"])))
    suspect = float(lowest + highest) / 2
    words = ["--suspect", str(suspect), "--bits", "16", "--output", str(whole)]
    assert main(["combine", *map(str, parts), str(parts[1]), *words]) == 0
    return whole, crying >= suspect


def test_a_cascade_asks_the_others_only_where_the_first_suspects_crying(
    parts: list[Path], mels: np.ndarray, cascade: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    path, suspected = cascade
    whole, *each = (Classifier(one) for one in (path, *parts))
    first, second = (np.array([one.probabilities(mel) for mel in mels]) for one in each)
    answer = np.array([whole.probabilities(mel) for mel in mels])
    assert np.allclose(answer, np.where(suspected[:, None], (first + 2 * second) / 3, first), atol=2e-3)
    assert 0 < whole.card.training["suspect"] < 1
    differ = np.abs(first - second).max(1)
    assert min(differ[suspected].max(), differ[~suspected].max()) > 0.02, "it would show who was asked"
    # Who is not suspected is not worked on: all of the others is in the branch.
    assert {node.name.partition("/")[0] for node in onnx.load(path).graph.node if node.name} == {
        "0",
        "cascade",
        "probabilities",
    }
    mean = tmp_path / "mean.onnx"
    assert main(["combine", *map(str, parts), str(parts[1]), "--output", str(mean)]) == 0
    assert path.stat().st_size < 0.6 * mean.stat().st_size, "16 bits"
    assert abs(parameters_of(path) - parameters_of(mean)) < 0.1 * parameters_of(mean), "those in the branch count"


def test_a_cascade_can_be_taught(mels: np.ndarray, cascade: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    path, suspected = cascade
    whole, body = Classifier(path), Body(path)
    answers, embeddings = body(mels)
    for mel, answer in zip(mels, answers, strict=True):
        assert np.allclose(whole.probabilities(mel), answer, atol=1e-5), "a window's answer hangs on itself alone"
    theirs = ~embeddings[~suspected].any(0)
    assert theirs.any()
    assert (np.abs(embeddings[suspected][:, theirs]).sum(1) > 0).all()
    rng = np.random.default_rng(1)
    weights = rng.normal(0, 0.5, (embeddings.shape[1], len(whole.labels) + 1)).astype(np.float32)
    adapter = Adapter(whole.labels, weights, np.zeros(len(whole.labels) + 1, np.float32))
    body.write(tmp_path / "taught.onnx", adapter, {})
    taught, expected = Classifier(tmp_path / "taught.onnx"), adapter(answers, embeddings)
    assert np.abs(expected - answers).max() > 0.1
    for mel, row in zip(mels, expected, strict=True):
        assert np.allclose(taught.probabilities(mel), row, atol=1e-5)
    again = Body(tmp_path / "taught.onnx")
    assert np.array_equal(again(mels)[1], embeddings)


def test_a_cascade_may_be_part_of_another_and_of_a_mean(
    parts: list[Path], mels: np.ndarray, cascade: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    inner, second = Classifier(cascade[0]), Classifier(parts[1])
    width = Body(parts[1])(mels)[1].shape[1]
    ways = (
        ("mean", [], 1e-5),
        ("outer", ["--suspect", "0.0001"], 1e-5),
        ("narrow", ["--suspect", "0.0001", "--bits", "8"], 0.05),
    )
    for name, words, off in ways:
        path = tmp_path / f"{name}.onnx"
        assert main(["combine", str(cascade[0]), str(parts[1]), "--output", str(path), *words]) == 0
        whole, body = Classifier(path), Body(path)
        for mel in mels:
            expected = (inner.probabilities(mel) + second.probabilities(mel)) / 2
            assert np.allclose(whole.probabilities(mel), expected, atol=off)
        assert body(mels)[1].shape[1] == Body(cascade[0])(mels)[1].shape[1] + width, "all of them can be taught"


@pytest.mark.parametrize(("bits", "off", "smaller"), [("16", 2e-3, 0.6), ("8", 0.05, 0.4)])
def test_weights_of_fewer_bits_answer_much_the_same(
    parts: list[Path], mels: np.ndarray, tmp_path: Path, bits: str, off: float, smaller: float
) -> None:
    whole, narrow = tmp_path / "whole.onnx", tmp_path / "narrow.onnx"
    assert main(["combine", *map(str, parts), "--suspect", "0.0001", "--output", str(whole)]) == 0
    assert main(["combine", *map(str, parts), "--suspect", "0.0001", "--bits", bits, "--output", str(narrow)]) == 0
    before, after = Classifier(whole), Classifier(narrow)
    differ = [np.abs(before.probabilities(mel) - after.probabilities(mel)).max() for mel in mels]
    assert 0 < max(differ) < off
    assert after.card.training["bits"] == int(bits)
    assert narrow.stat().st_size < smaller * whole.stat().st_size
    assert 0.9 * parameters_of(whole) < parameters_of(narrow) < 1.1 * parameters_of(whole)


@pytest.mark.parametrize("bits", ["16", "8"])
def test_weights_of_fewer_bits_keep_what_teaching_looks_for(
    parts: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bits: str
) -> None:
    monkeypatch.setattr("trainer.model_file.ensemble.NARROW_FROM", 1)
    path = tmp_path / "narrow.onnx"
    assert main(["combine", *map(str, parts), "--bits", bits, "--output", str(path)]) == 0
    assert len(Body(path).inputs) == len(parts)


def test_who_does_not_suspect_the_golden_cry_is_no_first(
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


def test_a_part_that_is_fitted_keeps_the_whole_from_8_bits(
    data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [tmp_path / f"{family}.onnx" for family in ("svm", "random_forest")]
    for part in parts:
        train(TrainingRequest([data_set], part.stem, part, Recipe(epoch_windows=16), tmp_path / "cache", codecs=False))
    whole = tmp_path / "both.onnx"
    assert main(["combine", *map(str, parts), "--output", str(whole)]) == 0
    assert main(["export", str(whole), "--format", "onnx", "--int8"]) == 2
    assert "8 bits are too few" in capsys.readouterr().err
    assert not whole.with_suffix(".int8.onnx").exists()
    assert main(["combine", *map(str, parts), "--bits", "8", "--output", str(tmp_path / "narrow.onnx")]) == 2
    assert "8 bits are too few" in capsys.readouterr().err


def test_what_cannot_be_combined_is_refused(
    parts: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tiny_model.write(tmp_path / "other.onnx")
    words = ["--output", str(tmp_path / "out.onnx")]
    assert main(["combine", str(parts[0]), *words]) == 2
    assert "two model files or more" in capsys.readouterr().err
    assert main(["combine", str(parts[0]), str(other), *words]) == 2
    assert "their labels differ" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["combine", *map(str, parts), "--suspect", "1", *words])
    assert "between 0 and 1" in capsys.readouterr().err
    assert not (tmp_path / "out.onnx").exists()


def test_only_who_knows_crying_can_suspect_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    acted = [tiny_model.write(tmp_path / f"{at}.onnx", labels=("a", "b", "c", "d", "e", "f", "g")) for at in (0, 1)]
    words = ["--suspect", "0.1", "--output", str(tmp_path / "out.onnx")]
    assert main(["combine", *map(str, acted), *words]) == 2
    assert "labels of crying" in capsys.readouterr().err
