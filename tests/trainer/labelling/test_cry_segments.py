"""Labelling by a teacher: which clips it is asked about, and which label a cry gets."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import soundfile

from trainer.__main__ import main
from trainer.data.corpus_import import import_corpus
from trainer.data.readers import load
from trainer.data.split import Division, split
from trainer.labelling import cry_segments
from trainer.labelling import yamnet_teacher as teacher_module
from trainer.labelling.cry_segments import (
    SlotScores,
    detailed_sounds,
    label_corpus,
    label_of_cry,
    settle_by_pitch,
    spans,
    teacher_labels,
)
from trainer.labelling.voice_pitch import held_voice
from trainer.labelling.yamnet_teacher import CLASSES, SLOT, Scores

UPLOAD = "0D1AD73E-4C5E-45F3-85C4-9A3CB71E8856-1430742{number}-1.0-m-04-{reason}.wav"


class AlwaysCrying:
    """A teacher that reports a crying baby throughout."""

    def __init__(self, model: Path) -> None:
        self.model = model

    def scores(self, wave: np.ndarray) -> Scores:
        frames = np.zeros((max(1, wave.size // SLOT), CLASSES), np.float32)
        frames[:, 20] = 0.9
        return frames


@pytest.fixture
def teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(teacher_module, "Teacher", AlwaysCrying)
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


def test_an_imported_corpus_of_cries_is_labelled(tmp_path: Path, teacher: Path) -> None:
    """Its labels are those of the vocabulary; at one time every clip of it became background from end to end."""
    reasons = {"hu": "hungry", "ti": "tired", "dc": "sad"}
    for number, name in enumerate(reasons):
        write(tmp_path / "uploads" / UPLOAD.format(number=197 + number, reason=name))
    import_corpus("donateacry", tmp_path / "uploads", tmp_path / "set", print)
    totals = label_corpus(tmp_path / "set", teacher, tmp_path / "segments.csv")
    assert set(totals) == set(reasons.values())
    assert min(totals.values()) > 1
    labels = labels_of(tmp_path / "segments.csv")
    assert {path[-6:-4]: name for path, name in labels.items()} == reasons


def test_a_plain_folder_of_cries_is_labelled(tmp_path: Path, teacher: Path) -> None:
    for who in ("anna", "ben", "cleo"):
        write(tmp_path / "set" / "crying" / who / "one.wav")
        write(tmp_path / "set" / "background" / who / "dog.wav")
    label_corpus(tmp_path / "set", teacher, tmp_path / "segments.csv")
    labels = labels_of(tmp_path / "segments.csv")
    assert {path.split("/")[0]: label for path, label in labels.items()} == {
        "crying": "sad",
        "background": "background",
    }
    data = split(load(tmp_path / "set", tmp_path / "segments.csv"), Division())
    assert data.labels == ("sad", "background")


def test_the_data_sets_label_takes_precedence_over_the_uploaders() -> None:
    assert label_of_cry("reason=hu", "baby_cry_candidate") == "hungry"
    assert label_of_cry("reason=hu", "pain") == "pain"
    assert label_of_cry("", "baby_cry_candidate") == "sad"


def scores_of(**tracks: list[float]) -> SlotScores:
    """Scores of a teacher by slot; all slots equally loud."""
    length = len(next(iter(tracks.values())))
    names = ("cry", "cry_steady", "whimper", "laugh", "babble", "speech", "silence")
    scores = {name: np.array(tracks.get(name, [0.0] * length), np.float32) for name in names}
    return SlotScores(level_db=np.full(length, -20.0, np.float32), **scores)


def test_sounds_are_described_in_more_detail_than_labels() -> None:
    sound = scores_of(
        cry_steady=[0.9, 0.6, 0, 0, 0, 0, 0],
        whimper=[0.1, 0.4, 0, 0, 0, 0, 0],
        speech=[0, 0, 0, 0, 0.8, 0, 0],
        silence=[0, 0, 0, 0, 0, 0.9, 0],
    )
    labels = ["crying", "crying", "happy", "natural", "background", "background", "background"]
    assert detailed_sounds(sound, labels) == ["crying", "whimper", "laughing", "babbling", "speech", "silence", "noise"]


def voice(hertz: float, seconds: float, sway: float = 0.02) -> np.ndarray:
    """A sung tone with harmonics that sways a little; (samples,) at 16 kHz."""
    time = np.arange(int(16000 * seconds)) / 16000
    phase = 2 * np.pi * hertz * (time - sway / (2 * np.pi * 5) * np.cos(2 * np.pi * 5 * time))
    return np.asarray(sum(0.1 / k * np.sin(k * phase) for k in range(1, 6)), np.float32)


def between_silences(*parts: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(5)
    gap = np.zeros(SLOT, np.float32)
    wave = np.concatenate([gap, *(piece for part in parts for piece in (part, gap))])
    return np.asarray(wave + rng.normal(0, 1e-3, wave.size), np.float32)


def test_a_high_held_voice_is_found_with_its_length() -> None:
    held = held_voice(between_silences(voice(420, 0.8)))
    assert held[0] == 0
    assert held[-1] == 0
    assert held[2] == pytest.approx(0.8, abs=0.1)
    assert set(held[held > 0]) == {held[2]}, "a voice has the same length in all of its slots"


@pytest.mark.parametrize(
    "sound",
    [voice(170, 0.8), np.random.default_rng(1).normal(0, 0.1, 16000).astype(np.float32), np.zeros(16000, np.float32)],
    ids=["an adult", "noise", "digital silence"],
)
def test_other_sounds_are_no_high_voice(sound: np.ndarray) -> None:
    assert not held_voice(between_silences(sound)).any()


def test_syllables_are_held_only_for_their_own_length() -> None:
    syllables = [voice(hertz, 0.16) for hertz in (420, 560, 400, 580, 410)]
    assert held_voice(np.concatenate([np.zeros(SLOT, np.float32), *syllables])).max() < 0.3


@pytest.mark.parametrize("samples", [0, 1, 900, 2500])
def test_a_very_short_sound_has_no_pitch(samples: int) -> None:
    assert held_voice(np.full(samples, 0.1, np.float32)).tolist() == [0.0]


def test_the_pitch_settles_what_the_teacher_does_not_recognise() -> None:
    slots = ["", "", "background", "background", "happy"]
    held = np.array([0.6, 0.2, 0.6, 0.1, 0.9], np.float32)
    suspected = scores_of(cry=[0.1] * 5)
    assert settle_by_pitch(slots, suspected, held) == (
        ["crying", "", "crying", "", "happy"],
        [True, False, True, False, False],
    )
    # Against the teacher's scores it is not a cry, but it is not background either.
    for against in (
        scores_of(cry=[0.01] * 5),
        scores_of(cry=[0.2] * 5, speech=[0.9] * 5),
        scores_of(cry=[0.5] * 5, laugh=[0.6] * 5),
    ):
        assert settle_by_pitch(slots, against, held) == (["", "", "", "", "happy"], [False] * 5)


def test_a_shorter_cry_is_believed_beside_one_that_the_teacher_knows() -> None:
    nothing = scores_of(cry=[0.0, 0.0, 0.0])
    held = np.array([0.0, 0.4, 0.3], np.float32)
    assert settle_by_pitch(["crying", "", ""], nothing, held) == (["crying", "crying", ""], [False, True, False])
    assert settle_by_pitch(["background", "", ""], nothing, held) == (["background", "", ""], [False] * 3)


def test_babble_in_a_recording_of_laughter() -> None:
    sound = scores_of(babble=[0.8, 0.8, 0.4, 0.8], laugh=[0.1, 0.7, 0.2, 0.1], cry=[0.0, 0.0, 0.0, 0.4])
    assert teacher_labels(sound, "happy") == ["natural", "happy", "happy", ""]


class FixedScores:
    """A teacher that gives every frame the same scores."""

    scores_of: ClassVar[dict[int, float]] = {}

    def __init__(self, model: Path) -> None:
        self.model = model

    def scores(self, wave: np.ndarray) -> Scores:
        frames = np.zeros((max(1, wave.size // SLOT), CLASSES), np.float32)
        for class_index, score in self.scores_of.items():
            frames[:, class_index] = score
        return frames


BABY_CRY, BABBLING, SILENCE = 20, 4, 494


@pytest.mark.parametrize(
    ("scores", "wave", "expected"),
    [
        ({BABY_CRY: 0.1}, between_silences(voice(420, 1.5)), {("sad", "yamnet+pitch")}),
        ({BABY_CRY: 0.1}, between_silences(voice(170, 1.5)), set()),
        ({BABBLING: 0.4}, between_silences(voice(170, 1.5)), set()),
        ({BABBLING: 0.8}, between_silences(voice(170, 1.5)), {("natural", "yamnet")}),
    ],
    ids=["a held high voice", "a low one", "unsure babble", "sure babble"],
)
def test_both_witnesses_make_the_labels(
    scores: dict[int, float],
    wave: np.ndarray,
    expected: set[tuple[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FixedScores, "scores_of", scores)
    monkeypatch.setattr(teacher_module, "Teacher", FixedScores)
    (tmp_path / "yamnet.tflite").touch()
    clip = tmp_path / "set" / "crying" / "anna" / "one.wav"
    clip.parent.mkdir(parents=True)
    soundfile.write(clip, wave, 16000)
    label_corpus(tmp_path / "set", tmp_path / "yamnet.tflite", tmp_path / "segments.csv")
    with (tmp_path / "segments.csv").open(newline="", encoding="utf-8") as file:
        baby = {(row["label"], row["teacher"]) for row in csv.DictReader(file) if row["label"] != "background"}
    assert baby == expected


def test_spans_are_cut_where_the_sound_changes_and_joined_where_the_label_stays(tmp_path: Path) -> None:
    labels = ["crying"] * 4 + [""] + ["background"] * 6
    sounds = ["crying"] * 4 + [""] + ["speech"] * 3 + ["noise"] + ["silence"] * 2
    slot = SLOT / 16000
    runs = list(spans(labels, sounds, 11 * slot))
    # A single slot of noise joins the sound before it.
    assert [(name, sound, slots) for _, _, name, sound, slots in runs] == [
        ("crying", "crying", [0, 1, 2, 3]),
        ("background", "speech", [5, 6, 7, 8]),
        ("background", "silence", [9, 10]),
    ]
    write(tmp_path / "set" / "crying" / "anna" / "one.wav")
    rows = [f"crying/anna/one.wav,{start},{end},{name},{sound},1,yamnet" for start, end, name, sound, _ in runs]
    (tmp_path / "segments.csv").write_text("\n".join([",".join(cry_segments.COLUMNS), *rows]), encoding="utf-8")
    (clip,) = load(tmp_path / "set", tmp_path / "segments.csv").clips
    assert [(span.label, round(span.start / slot), round(span.end / slot)) for span in clip.spans] == [
        ("sad", 0, 4),
        ("background", 5, 11),
    ]


@pytest.mark.parametrize("model", ["nowhere.tflite", "words.tflite"])
def test_an_invalid_teacher_is_refused(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ai_edge_litert")
    (tmp_path / "words.tflite").write_text("no model")
    write(tmp_path / "set" / "crying" / "one.wav")
    words = ["label", "--data", str(tmp_path / "set"), "--yamnet", str(tmp_path / model)]
    assert main([*words, "--output", str(tmp_path / "segments.csv")]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert model in message
    assert not (tmp_path / "segments.csv").exists()
