"""The model file: opened when it is whole, refused with a sentence when anything is missing or altered."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_model

from babymonitor.core import paths
from babymonitor.core.model.classifier import METADATA_KEY, Classifier, ModelError, decode_golden, encode_golden, seal


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_model.write(tmp_path / "tiny.onnx")


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        Classifier(path)
    sentence = str(caught.value)
    assert path.name in sentence
    assert sentence.endswith(".")
    assert not sentence.endswith("..")
    assert sentence.count("\n") == 0
    return sentence


def test_a_whole_model_opens_and_answers(model: Path) -> None:
    classifier = Classifier(model)
    assert classifier.labels == tiny_model.LABELS
    assert classifier.card.window_seconds == 2.0
    assert classifier.card.hop_seconds == pytest.approx(0.256)
    loud = classifier.probabilities_of_wave(np.random.default_rng(0).uniform(-1, 1, 32000).astype(np.float32))
    assert loud.sum() == pytest.approx(1.0, abs=1e-5)
    assert classifier.crying(loud) > 0.9
    assert sum(classifier.reasons(loud).values()) == pytest.approx(1.0)
    assert set(classifier.reasons(loud)) == {"hungry", "pain", "tired", "sad"}


def test_the_shipped_model_opens() -> None:
    classifier = Classifier(paths.default_model())
    assert classifier.labels == tiny_model.LABELS


@pytest.mark.parametrize("seed", range(8))
def test_one_changed_byte_is_noticed_wherever_it_is(model: Path, seed: int) -> None:
    data = bytearray(model.read_bytes())
    generator = random.Random(seed)
    at = generator.randrange(len(data)) if seed else len(data) - 1
    data[at] ^= 1 << generator.randrange(8)
    model.write_bytes(data)
    assert "altered" in (sentence := refusal(model)) or "not whole" in sentence


def test_one_changed_byte_of_the_shipped_model_is_noticed(tmp_path: Path) -> None:
    data = bytearray(paths.default_model().read_bytes())
    data[len(data) // 2] ^= 1
    path = tmp_path / "changed.onnx"
    path.write_bytes(data)
    assert "altered" in refusal(path)


def test_missing_empty_short_and_foreign_files(tmp_path: Path, model: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "missing.onnx")
    assert "cannot be read" in refusal(tmp_path)
    for name, data in (
        ("empty", b""),
        ("short", model.read_bytes()[:-1]),
        ("text", b"not a model " * 100),
        ("unsealed", tiny_model.graph_bytes(tiny_model.card())),
    ):
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(data)
        assert "not one of this program's models" in refusal(path)
    path = tmp_path / "sealed-text.onnx"
    path.write_bytes(seal(b"not a model"))
    assert "ONNX Runtime" in refusal(path)
    path.write_bytes(seal(tiny_model.graph_bytes(None)))
    assert "no description" in refusal(path)


@pytest.mark.parametrize(
    ("figures", "shown"),
    [
        (None, True),
        ({"balanced_accuracy": {"value": 0.4, "low": 0.31, "high": 0.5}, "chance": 0.25}, True),
        ({"balanced_accuracy": {"value": 0.28, "low": 0.18, "high": 0.53}, "chance": 0.25}, False),
        ({"balanced_accuracy": {"value": 0.4, "low": None, "high": None}, "chance": 0.25}, False),
        ({}, False),
    ],
)
def test_reasons_are_told_where_they_were_measured_above_chance(tmp_path: Path, figures: Any, shown: bool) -> None:
    metrics = {} if figures is None else {"reasons": figures}
    classifier = Classifier(tiny_model.write(tmp_path / "tiny.onnx", metrics=metrics))
    row = np.array([0.4, 0.3, 0.1, 0.1, 0.0, 0.0, 0.1], np.float32)
    assert bool(classifier.reasons(row)) == shown


@pytest.mark.parametrize("name", sorted({*tiny_model.card().__slots__} - {"sounds", "evidence"}))
def test_missing_metadata_is_named(tmp_path: Path, name: str) -> None:
    description = json.loads(tiny_model.card().to_json())
    del description[name]
    assert f"lacks {name}" in refusal(write_description(tmp_path, json.dumps(description)))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"thresholds": {"start": 0.2, "end": 0.5}}, "thresholds"),
        ({"thresholds": {}}, "description is wrong"),
        ({"labels": []}, "labels"),
        ({"labels": ["a", "a"]}, "labels"),
        ({"window_frames": 1}, "window"),
        ({"hop_frames": 500}, "window or hop"),
        ({"format": 99}, "does not know"),
        ({"features": {"kind": "log_mel"}}, "front end"),
        ({"golden": {}}, "golden pair"),
        ({"golden": {"wave": "!", "probabilities": [0.1]}}, "golden pair"),
        ({"labels": [*"abcdefgh"]}, "makes no sense"),
        ({"window_frames": 99}, "fails when it is asked"),
    ],
)
def test_impossible_metadata_is_refused(tmp_path: Path, changes: dict[str, object], expected: str) -> None:
    description = {**json.loads(tiny_model.card().to_json()), **changes}
    assert expected in refusal(write_description(tmp_path, json.dumps(description)))


def test_a_description_that_never_stops_opening_brackets_is_refused(tmp_path: Path) -> None:
    assert "not readable" in refusal(write_description(tmp_path, "[" * 100_000))


def test_a_golden_output_that_is_not_reproduced_is_refused(tmp_path: Path) -> None:
    golden = dict(tiny_model.card().golden)
    golden["probabilities"] = golden["probabilities"][::-1]
    assert "does not reproduce" in refusal(tiny_model.write(tmp_path / "liar.onnx", golden=golden))


def test_the_golden_wave_survives() -> None:
    wave = np.linspace(-1, 1, 999, dtype=np.float32)
    assert np.abs(decode_golden(encode_golden(wave)) - wave).max() < 1 / 32767


def write_description(folder: Path, text: str) -> Path:
    """The tiny graph with any text as its description."""
    import onnx

    model = onnx.load_from_string(tiny_model.graph_bytes(None))
    onnx.helper.set_model_props(model, {METADATA_KEY: text})
    path = folder / "described.onnx"
    path.write_bytes(seal(model.SerializeToString()))
    return path
