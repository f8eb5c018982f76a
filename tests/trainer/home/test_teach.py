"""Teaching a model one home: what it learns, what it leaves as it was, and how honestly it is reported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tiny_model
from made_data import DEFAULT_MODEL, make_library, write_sound

from babymonitor.core.library.library import Library
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.detector import Detector
from babymonitor.core.model.replay import clip_windows
from babymonitor.core.sound.ring import RingBuffer
from resources import synthesise
from trainer.__main__ import main
from trainer.audio import synthetic
from trainer.data.readers import load
from trainer.evaluation.judgements import training_overlap
from trainer.home import teach
from trainer.home.adapter import Adapter, BaseModel, shifted_probabilities
from trainer.home.adapter_fit import Caution, RehearsalWindows, fit_adapter, label_for_model, unproject, window_weights
from trainer.home.clip_embeddings import EmbeddedClip, Take, lightly_altered, windows_of_clip
from trainer.home.rehearsal import find_rehearsal, projection_of, synthetic_rehearsal

LABELS = ("hungry", "pain", "tired", "sad", "happy", "natural", "background")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_library(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def body() -> BaseModel:
    return BaseModel(DEFAULT_MODEL)


@pytest.fixture(scope="module")
def lesson(library: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[Any]]:
    """The taught model, its comparison, and the events of the run."""
    folder = tmp_path_factory.mktemp("run")
    events: list[Any] = []
    request = teach.TeachRequest(DEFAULT_MODEL, [library], folder / "model.onnx", folder / "comparison.json")
    teach.teach(request, events.append)
    return request.output, json.loads((folder / "comparison.json").read_text(encoding="utf-8")), events


def _mels(body: BaseModel, count: int = 6) -> Any:
    rng = np.random.default_rng(0)
    return rng.normal(-8, 3, (count, body.card.features.rows, body.card.window_frames)).astype(np.float32)


def _some_adapter(body: BaseModel) -> Adapter:
    rng = np.random.default_rng(1)
    plain = Adapter.untaught(body.card.labels, body(_mels(body, 1))[1].shape[1])
    weights = rng.normal(0, 0.05, plain.weights.shape).astype(np.float32)
    return Adapter(plain.labels, weights, rng.normal(0, 0.5, plain.offset.shape).astype(np.float32))


def test_untaught_it_is_the_model_as_it_was(body: BaseModel, tmp_path: Path) -> None:
    mels = _mels(body)
    probabilities, embeddings, _ = body(mels)
    adapter = Adapter.untaught(body.card.labels, embeddings.shape[1])
    assert np.allclose(adapter(probabilities, embeddings), probabilities, atol=1e-6)
    body.write(tmp_path / "taught.onnx", adapter, {})
    written, before = Classifier(tmp_path / "taught.onnx"), Classifier(DEFAULT_MODEL)
    for mel in mels:
        assert np.allclose(written.probabilities(mel), before.probabilities(mel), atol=1e-5)


def test_the_file_answers_as_the_adapter_does(body: BaseModel, tmp_path: Path) -> None:
    adapter = _some_adapter(body)
    card = body.write(tmp_path / "taught.onnx", adapter, {"clips": 3})
    mels = _mels(body)
    expected = adapter(*body(mels)[:2])
    assert np.allclose(expected.sum(1), 1, atol=1e-5)
    written = Classifier(tmp_path / "taught.onnx")
    for mel, row in zip(mels, expected, strict=True):
        assert np.allclose(written.probabilities(mel), row, atol=1e-5)
    assert card.name == f"{body.card.name}, taught"
    assert card.thresholds == body.card.thresholds
    taught = card.training["taught"]
    assert (taught["base_sha256"], taught["base_name"], taught["clips"]) == (body.sha256, body.card.name, 3)
    assert card.operating_curve == body.card.operating_curve
    assert "before it was taught" in taught["thresholds_and_operating_curve"]


def test_what_was_taught_comes_off_again(body: BaseModel, tmp_path: Path) -> None:
    body.write(tmp_path / "taught.onnx", _some_adapter(body), {})
    again = BaseModel(tmp_path / "taught.onnx")
    mels = _mels(body)
    assert np.array_equal(again(mels)[0], body(mels)[0])
    assert (again.was_taught, again.sha256, again.card.name) == (True, body.sha256, body.card.name)
    assert again.card.training == body.card.training
    again.write(tmp_path / "twice.onnx", _some_adapter(body), {})
    names = [
        [node.name for node in onnx.load(tmp_path / name).graph.node if node.name.startswith("taught/")]
        for name in ("taught.onnx", "twice.onnx")
    ]
    assert names[0] == names[1], "an adapter replaces the one before it"


def test_to_learn_the_reason_changes_nothing_of_whether_it_cries() -> None:
    rng = np.random.default_rng(2)
    probabilities = rng.dirichlet(np.ones(7), 20).astype(np.float32)
    moved = np.hstack((rng.normal(0, 2, (20, 7)), np.zeros((20, 1))))
    answer = shifted_probabilities(LABELS, probabilities, moved)
    assert np.allclose(answer[:, :4].sum(1), probabilities[:, :4].sum(1), atol=1e-5)
    assert np.abs(answer - probabilities).max() > 0.1


def test_the_grid_is_the_detectors() -> None:
    classifier = Classifier(DEFAULT_MODEL)
    wave = synthetic.cry(np.random.default_rng(4), 56123)
    ring = RingBuffer(30.0)
    detector = Detector(classifier, ring)
    scores = []
    for start in range(0, wave.size, 1024):
        ring.write(wave[start : start + 1024])
        score = detector.poll()
        scores += [score] if score else []
    grid = windows_of_clip(wave, classifier.card)
    assert [score.end_sample for score in scores] == grid.ends.tolist()
    assert np.allclose([score.level_db for score in scores], grid.level_db, atol=1e-3)
    windows = [window.features for window in clip_windows(wave, classifier.card)]
    assert np.array_equal(grid.features, np.stack(windows))


def test_a_sound_shorter_than_half_a_window_is_heard_as_it_is() -> None:
    card = Classifier(DEFAULT_MODEL).card
    for samples in (100, 4000):
        grid = windows_of_clip(np.full(samples, 0.1, np.float32), card)
        assert grid.features.shape == (1, card.features.rows, card.window_frames)


def _clip(label: str, group: str, probabilities: Any, embeddings: Any, window_db: Any = None) -> EmbeddedClip:
    count = len(probabilities)
    level = np.zeros(count) if window_db is None else np.asarray(window_db)
    view = Take(np.asarray(probabilities, np.float32), np.asarray(embeddings, np.float32), np.zeros((count, 0)), level)
    return EmbeddedClip(f"{label}-{group}", group, label, 2.0, (view,), np.arange(count) * 4096, np.zeros(count))


def _row(crying: float) -> list[float]:
    return [crying / 4] * 4 + [(1 - crying) / 3] * 3


def test_silence_between_cries_is_not_taught_as_crying() -> None:
    probabilities = [_row(share) for share in (0.9, 0.05, 0.9, 0.2, 0.8, 0.05)]
    clip = _clip("hungry", "a", probabilities, np.zeros((6, 2)), [0.0, -40.0, -3.0, -5.0, -2.0, -1.0])
    weights = window_weights(clip.takes[0], tiny_model.card(), "hungry")
    assert np.allclose(weights, [1 / 3, 0, 1 / 3, 0, 1 / 3, 0])
    weights = window_weights(clip.takes[0], tiny_model.card(), "owl")
    assert weights.argmax() in (0, 2), "what would wake somebody counts most"
    assert weights.min() > 0


@pytest.mark.parametrize(
    ("name", "expected"), [("owl", "background"), ("hungry", "hungry"), ("sad", "sad"), ("natural", "natural")]
)
def test_a_label_that_the_model_does_not_know_is_no_baby(name: str, expected: str) -> None:
    assert label_for_model(name, LABELS) == expected


def test_the_fit_learns_what_is_told_and_no_more() -> None:
    rng = np.random.default_rng(5)
    rows = np.array([_row(share) for share in rng.random(300)], np.float32)
    known = RehearsalWindows(rows, rng.normal(0, 1, (300, 4)), np.zeros((300, 0)))
    owl, cry = np.array([3.0, 0, 0, 0]), np.array([0, 3.0, 0, 0])
    clips = [_clip("owl", f"{number}", [_row(0.9)] * 4, owl + rng.normal(0, 0.2, (4, 4))) for number in range(5)]
    clips += [_clip("sad", f"{number}", [_row(0.4)] * 4, cry + rng.normal(0, 0.2, (4, 4))) for number in range(5)]
    adapter = fit_adapter(clips, tiny_model.card(), known, Caution(0.1, 0.1, 0.1, 20, 20, 20))
    probabilities = np.array([_row(0.9), _row(0.4), _row(0.7)], np.float32)
    rows = adapter(probabilities, np.stack((owl, cry, np.zeros(4))).astype(np.float32))
    crying = rows[:, :4].sum(1)
    assert crying[0] < 0.5, "the owl is let sleep"
    assert crying[1] > 0.6, "the cry is heard"
    assert crying[2] == pytest.approx(0.7, abs=0.1), "what nobody spoke of stays"
    assert np.allclose(rows[:, :4] / crying[:, None], 0.25, atol=1e-4), "no reason was told"


def test_an_adapter_of_projected_embeddings_is_one_of_the_embeddings() -> None:
    rng = np.random.default_rng(6)
    embeddings = rng.normal(1, 2, (50, 12)).astype(np.float32)
    projection = projection_of(embeddings, 5)
    small = Adapter(LABELS, rng.normal(0, 1, (5, 8)).astype(np.float32), rng.normal(0, 1, 8).astype(np.float32))
    probabilities = rng.dirichlet(np.ones(7), 50).astype(np.float32)
    expected = small(probabilities, projection(embeddings))
    assert np.allclose(unproject(small, projection)(probabilities, embeddings), expected, atol=1e-4)


def test_it_learns_this_home(lesson: tuple[Path, dict[str, Any], list[Any]]) -> None:
    output, report, events = lesson
    accuracy = report["balanced_accuracy"]
    assert accuracy["new"]["value"] > accuracy["old"]["value"], "the two cries are told apart, in other recordings"
    assert report["refused"] == ""
    assert report["cries"]["new_caught"] >= report["cries"]["old_caught"]
    assert report["false_alarms_per_night"]["nights"] == 3
    assert Classifier(output).card.training["taught"]["labels"] == {"hungry": 6, "pain": 6, "owl": 6}
    assert [event["event"] for event in events[:2]] == ["started", "progress"]
    shares = [event["share"] for event in events if event["event"] == "progress"]
    assert shares == sorted(shares)
    assert shares[-1] <= 1
    assert not list(output.parent.glob("*.part*"))


def test_the_comparison_says_everything(lesson: tuple[Path, dict[str, Any], list[Any]], library: Path) -> None:
    _, report, _ = lesson
    assert set(report) == {
        "format", "old", "new", "how", "labels", "clips", "confusion", "per_label", "balanced_accuracy", "cries",
        "others", "false_alarms_per_night", "everyone_else", "roc", "worst", "refused",
    }  # fmt: skip
    assert "without its recording" in report["how"]
    assert len(report["clips"]) == 18
    clip = report["clips"][0]
    assert Path(clip["path"]).is_file()
    assert set(clip["old"]) == set(clip["new"]) == {"label", "crying", "wakes", "probabilities"}
    assert np.sum(report["confusion"]["new"]) == 18
    assert sum(row["items"] for row in report["per_label"]["old"]) == 18
    assert sorted(report["worst"]) == list(range(18))
    everyone = report["everyone_else"]
    assert everyone["low"] <= everyone["new_found"] - everyone["old_found"] <= everyone["high"]


def test_the_shipped_model_has_its_rehearsal(body: BaseModel) -> None:
    """A new model is shipped with a new one: `scripts/default_model.sh` has the line."""
    path = DEFAULT_MODEL.with_name("default.rehearsal.npz")
    rehearsal = find_rehearsal(body.sha256, [DEFAULT_MODEL.parent])
    assert rehearsal is not None
    assert path.stat().st_size < 1.5e6
    assert rehearsal.labels == body.card.labels
    assert len(rehearsal.fit.probabilities) > 1000
    assert rehearsal.held["test"].cries.sum() > 30


def test_taught_again_it_begins_from_its_base(
    lesson: tuple[Path, dict[str, Any], list[Any]], library: Path, tmp_path: Path
) -> None:
    output, _, _ = lesson
    again = tmp_path / "again.onnx"
    report = teach.teach(teach.TeachRequest(output, [library], again))
    assert report["old"]["name"] == "Default"
    first, second = (Classifier(path) for path in (output, again))
    assert second.card.name == first.card.name
    mels = np.random.default_rng(8).normal(-8, 3, (3, first.card.features.rows, first.card.window_frames))
    for mel in mels.astype(np.float32):
        assert np.allclose(first.probabilities(mel), second.probabilities(mel), atol=1e-5), "no drift"


def test_on_the_command_line(library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (library / "unlabelled" / "night").mkdir(parents=True, exist_ok=True)
    write_sound(library / "unlabelled" / "night" / "x.flac", np.zeros(16000))
    (library / "owl" / "night-2026-11-10" / "broken.flac").write_bytes(b"fLaC nothing")
    output, comparison = tmp_path / "model.onnx", tmp_path / "comparison.json"
    words = ["teach", "--model", str(DEFAULT_MODEL), "--data", str(library), "--output", str(output)]
    assert main([*words, "--comparison", str(comparison), "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (library / "owl" / "night-2026-11-10" / "broken.flac").unlink()
    assert events[0]["labels"] == {"hungry": 6, "pain": 6, "owl": 7}
    assert any(event["event"] == "warning" and "broken.flac" in event["sentence"] for event in events)
    assert (events[-1]["event"], events[-1]["model"]) == ("finished", str(output))
    assert len(json.loads(comparison.read_text(encoding="utf-8"))["clips"]) == 18
    words = ["versus", "--old", str(DEFAULT_MODEL), "--new", str(output), "--data", str(library)]
    words += ["--side", "all", "--cache", str(tmp_path), "--comparison", str(comparison)]
    assert main([*words, "--merge", "owl=background"]) == 0
    report = json.loads(comparison.read_text(encoding="utf-8"))
    assert (report["old"]["name"], report["new"]["name"]) == ("Default", "Default, taught")
    assert report["everyone_else"] is None
    assert len(report["clips"]) == 18


def test_a_model_of_ones_own_gets_its_rehearsal(
    data_set: Path, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.home.rehearsal.FIT_WINDOWS", 300)
    model = tmp_path / "own.onnx"
    words = ["train", "--data", str(data_set), "--family", "cnn_tiny", "--output", str(model), "--cache", str(tmp_path)]
    assert main([*words, "--epochs", "1", "--epoch-windows", "16", "--batch", "8", "--no-codecs", "--rehearsal"]) == 0
    rehearsal = find_rehearsal(BaseModel(model).sha256, [tmp_path])
    assert rehearsal is not None
    assert rehearsal.labels == ("sad", "natural", "background")
    assert set(rehearsal.held) == {"validation", "test"}
    assert rehearsal.held["test"].cries.any()
    body = BaseModel(model)
    mels = _mels(body, 4)
    projected = rehearsal.projection(body(mels)[1])
    assert projected.shape == (4, rehearsal.fit.embeddings.shape[1])
    assert find_rehearsal("another", [tmp_path]) is None
    events: list[Any] = []
    report = teach.teach(teach.TeachRequest(model, [library], tmp_path / "taught.onnx"), events.append)
    assert not any(event["event"] == "warning" for event in events)
    assert report["everyone_else"]["cries"] > 0
    assert {clip["new"]["label"] for clip in report["clips"]} <= {"sad", "natural", "background"}


def test_a_damaged_rehearsal_is_as_none(tmp_path: Path) -> None:
    shipped = DEFAULT_MODEL.with_name("default.rehearsal.npz").read_bytes()
    (tmp_path / "cut.rehearsal.npz").write_bytes(shipped[: len(shipped) // 2])
    (tmp_path / "empty.rehearsal.npz").write_bytes(b"")
    rng = np.random.default_rng(0)
    for number in range(20):  # what is wrong shows at another place each time
        spoilt = bytearray(shipped)
        position = int(rng.integers(1000, len(spoilt) - 2000))
        spoilt[position : position + 4] = rng.bytes(4)
        (tmp_path / f"{number}.rehearsal.npz").write_bytes(spoilt)
    assert find_rehearsal(BaseModel(DEFAULT_MODEL).sha256, [tmp_path]) is None


def test_reasons_of_a_single_name_are_not_learnt(library: Path, tmp_path: Path) -> None:
    """Who has called all cries hungry has not said that there are no others."""
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "hungry").symlink_to(library / "hungry")
    teach.teach(teach.TeachRequest(DEFAULT_MODEL, [tmp_path / "library"], tmp_path / "model.onnx"))
    before, after = Classifier(DEFAULT_MODEL), Classifier(tmp_path / "model.onnx")
    wave = synthetic.cry(np.random.default_rng(3), 32000)
    reasons = [model.reasons(model.probabilities_of_wave(wave)) for model in (before, after)]
    assert reasons[0] == pytest.approx(reasons[1], abs=1e-4)


def test_one_recording_is_told_to_look_too_good(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    for take in range(3):
        write_sound(tmp_path / "library" / "crying" / "recording-1" / f"{take}.wav", synthetic.cry(rng, 32000))
    report = teach.teach(teach.TeachRequest(DEFAULT_MODEL, [tmp_path / "library"], tmp_path / "model.onnx"))
    assert "better than it is" in report["how"]
    assert report["clips"][0]["label"] == "sad"
    assert report["others"]["clips"] == 0


def test_one_cry_in_two_groups_is_never_judged_by_what_it_taught_itself(tmp_path: Path) -> None:
    """The monitor's own clip of an alert, and the recording that somebody made of it."""
    rng = np.random.default_rng(5)
    cry, second_cry = synthetic.cry(rng, 64000), synthetic.cry(rng, 48000)
    library = Library(tmp_path / "library")
    library.add(cry[:48000], "hungry", group="night-2026-11-20", source="night", recorded=1000.0)
    library.add(cry[16000:], "hungry", group="recording-2026-11-21", recorded=1001.0)
    library.add(second_cry, "hungry", group="recording-2026-11-22", recorded=90000.0)
    library.close()
    request = teach.TeachRequest(DEFAULT_MODEL, [library.folder], tmp_path / "taught.onnx")
    report = teach.teach(request)
    assert sorted(clip["group"] for clip in report["clips"]) == [
        "night-2026-11-20", "night-2026-11-20", "recording-2026-11-22",
    ]  # fmt: skip
    assert "2 groups" in report["how"]
    clips = load([library.folder]).clips
    assert training_overlap(Classifier(request.output).card, clips) == {"train": 3, "validation": 0}, (
        "versus says that it knows them"
    )


def test_without_a_rehearsal_it_says_so(library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = BaseModel(DEFAULT_MODEL)
    monkeypatch.setattr(teach.rehearsals, "find_rehearsal", lambda sha256, folders: None)
    events: list[Any] = []
    report = teach.teach(teach.TeachRequest(DEFAULT_MODEL, [library], tmp_path / "model.onnx"), events.append)
    assert report["everyone_else"] is None
    assert any("no rehearsal" in event.get("sentence", "") for event in events)
    assert synthetic_rehearsal(body).fit.probabilities.shape[1] == 7


def test_what_cannot_be_taught_is_refused(library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = tiny_model.write(tmp_path / "tiny.onnx")
    words = ["--data", str(library), "--output", str(tmp_path / "out.onnx")]
    assert main(["teach", "--model", str(tiny), *words]) == 2
    assert "no linear layer" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    words = ["--data", str(tmp_path / "empty"), "--output", str(tmp_path / "out.onnx")]
    assert main(["teach", "--model", str(DEFAULT_MODEL), *words]) == 2
    assert "holds no labelled sound" in capsys.readouterr().err
    assert main(["teach", "--model", str(DEFAULT_MODEL), "--data", str(library), "--output", str(tmp_path / "x")]) == 2
    assert "NAME.onnx" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.part*"))


def test_altered_takes_are_the_same_for_the_same_clip() -> None:
    wave = synthesise.cat(2.0, np.random.default_rng(1))
    first, second = (lightly_altered(wave, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.allclose(first, wave)
    assert not lightly_altered(np.zeros(8000, np.float32), np.random.default_rng(5)).any()
