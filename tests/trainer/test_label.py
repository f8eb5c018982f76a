"""Labels by a teacher: which clips it is asked about, and what a cry is called then."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile

from trainer import label
from trainer.__main__ import main
from trainer.corpora import Division, load, split
from trainer.importers import import_corpus
from trainer.label import SLOT, Scores, label_corpus, reason

UPLOAD = "0D1AD73E-4C5E-45F3-85C4-9A3CB71E8856-1430742{at}-1.0-m-04-{reason}.wav"


class AlwaysCrying:
    """A teacher that hears a baby cry throughout."""

    def __init__(self, model: Path) -> None:
        self.model = model

    def scores(self, wave: np.ndarray) -> Scores:
        frames = np.zeros((max(1, wave.size // SLOT), len(label.KEPT)), np.float32)
        frames[:, 20] = 0.9
        return frames


@pytest.fixture
def teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(label, "Teacher", AlwaysCrying)
    file = tmp_path / "yamnet.tflite"
    file.touch()
    return file


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(str(path))).normal(0, 0.1, 32000)
    soundfile.write(path, noise.astype(np.float32), 16000)


def labels_of(segments: Path) -> dict[str, str]:
    with segments.open(newline="", encoding="utf-8") as file:
        return {row["path"]: row["label"] for row in csv.DictReader(file)}


def test_an_imported_corpus_of_cries_is_listened_to(tmp_path: Path, teacher: Path) -> None:
    """Its labels are the vocabulary's, and every clip of it was background from end to end once."""
    reasons = {"hu": "hungry", "ti": "tired", "dc": "sad"}
    for at, name in enumerate(reasons):
        write(tmp_path / "uploads" / UPLOAD.format(at=197 + at, reason=name))
    import_corpus("donateacry", tmp_path / "uploads", tmp_path / "set", print)
    totals = label_corpus(tmp_path / "set", teacher, tmp_path / "segments.csv")
    assert set(totals) == set(reasons.values())
    assert min(totals.values()) > 1
    found = labels_of(tmp_path / "segments.csv")
    assert {path[-6:-4]: name for path, name in found.items()} == reasons


def test_a_plain_folder_of_cries_is_listened_to(tmp_path: Path, teacher: Path) -> None:
    for who in ("anna", "ben", "cleo"):
        write(tmp_path / "set" / "crying" / who / "one.wav")
        write(tmp_path / "set" / "background" / who / "dog.wav")
    label_corpus(tmp_path / "set", teacher, tmp_path / "segments.csv")
    found = labels_of(tmp_path / "segments.csv")
    assert {name.split("/")[0]: heard for name, heard in found.items()} == {"crying": "sad", "background": "background"}
    data = split(load(tmp_path / "set", tmp_path / "segments.csv"), Division())
    assert data.labels == ("sad", "background")


def test_the_data_sets_word_goes_before_the_uploaders() -> None:
    assert reason("reason=hu", "baby_cry_candidate") == "hungry"
    assert reason("reason=hu", "pain") == "pain"
    assert reason("", "baby_cry_candidate") == "sad"


@pytest.mark.parametrize("model", ["nowhere.tflite", "words.tflite"])
def test_a_teacher_that_is_none(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ai_edge_litert")
    (tmp_path / "words.tflite").write_text("no model")
    write(tmp_path / "set" / "crying" / "one.wav")
    words = ["label", "--data", str(tmp_path / "set"), "--yamnet", str(tmp_path / model)]
    assert main([*words, "--output", str(tmp_path / "segments.csv")]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert model in said
    assert not (tmp_path / "segments.csv").exists()
