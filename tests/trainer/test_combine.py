"""Several model files as one: it answers with their mean, and its card says what went into it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_model

from babymonitor.core.classifier import Classifier
from trainer.__main__ import main
from trainer.fit import Recipe
from trainer.run import Request, train


@pytest.fixture(scope="module")
def parts(data_set: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two networks of two families that see the same."""
    folder = tmp_path_factory.mktemp("parts")
    made = []
    for family in ("lstm_mel", "resnet_mel"):
        recipe = Recipe(epochs=1, epoch_windows=16, batch=8)
        made.append(folder / f"{family}.onnx")
        train(Request([data_set], family, made[-1], recipe, folder / "cache", codecs=False))
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


def test_a_part_that_is_fitted_keeps_the_whole_from_8_bits(
    data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = [tmp_path / f"{family}.onnx" for family in ("svm", "random_forest")]
    for part in parts:
        train(Request([data_set], part.stem, part, Recipe(epoch_windows=16), tmp_path / "cache", codecs=False))
    whole = tmp_path / "both.onnx"
    assert main(["combine", *map(str, parts), "--output", str(whole)]) == 0
    assert main(["export", str(whole), "--format", "onnx", "--int8"]) == 2
    assert "8 bits are too few" in capsys.readouterr().err
    assert not whole.with_suffix(".int8.onnx").exists()


def test_what_cannot_be_combined_is_refused(
    parts: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tiny_model.write(tmp_path / "other.onnx")
    words = ["--output", str(tmp_path / "out.onnx")]
    assert main(["combine", str(parts[0]), *words]) == 2
    assert "two model files or more" in capsys.readouterr().err
    assert main(["combine", str(parts[0]), str(other), *words]) == 2
    assert "their labels differ" in capsys.readouterr().err
    assert not (tmp_path / "out.onnx").exists()
