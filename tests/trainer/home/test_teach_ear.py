"""Teaching a model that weighs evidence over time, and what else is done with its file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_ear
import torch
from made_data import DEFAULT_MODEL, make_data_set, make_library, write_manifest, write_sound

from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.replay import clip_scores
from babymonitor.core.model.scorer import over_time
from babymonitor.core.sound.files import read_wave
from resources import synthesise
from trainer.__main__ import main
from trainer.audio import synthetic
from trainer.backbone.tagger import SoundTagger
from trainer.data.split import group_hash
from trainer.ear.kinds import GROUPS
from trainer.ear.model_file import write_ear
from trainer.ear.network import EarNetwork
from trainer.home import teach
from trainer.home.adapter import Adapter, BaseModel
from trainer.home.adapter_fit import Caution, RehearsalWindows, fit_adapter
from trainer.home.clip_embeddings import EmbeddedClip, Projection, Take, embed_clip
from trainer.home.rehearsal import find_rehearsal, place_beside
from trainer.labelling.cry_segments import student_track
from trainer.labelling.yamnet_teacher import SLOT
from trainer.model_file.sealed_file import rewrite_card
from trainer.windows.sampler import WindowSampler


def _some_adapter(base: BaseModel) -> Adapter:
    """An adapter that shifts everything a little, towards crying."""
    rng = np.random.default_rng(1)
    width = base(_windows(base, 1))[1].shape[1]
    offset = rng.normal(0, 0.5, len(base.card.labels) + 1)
    offset[-1] = 2.0
    weights = rng.normal(0, 0.01, (width, offset.size))
    return Adapter(base.card.labels, weights.astype(np.float32), offset.astype(np.float32))


def _windows(base: BaseModel, count: int = 5) -> Any:
    return np.random.default_rng(0).normal(-3, 2, (count, 64, base.card.window_frames)).astype(np.float32)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tiny_ear.write(tmp_path / "ear.onnx")


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the full size as the trainer writes it, weights in 8 bits; with random ones."""
    torch.manual_seed(1)
    network = EarNetwork(SoundTagger())
    torch.nn.init.normal_(network.head.weight, std=0.1)
    evidence = tiny_ear.evidence(len(GROUPS))
    thresholds = {"start": 0.5, "end": 0.3, "minimum_seconds": 0.0}
    path = tmp_path_factory.mktemp("untrained") / "ear.onnx"
    write_ear(path, network, evidence, thresholds, licence="MIT")
    return path


@pytest.mark.parametrize("kind", ["tiny", "untrained"])
def test_a_taught_file_keeps_what_its_base_has(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    path: Path = request.getfixturevalue(kind)
    base, before = BaseModel(path), Classifier(path)
    assert len(base.inputs) == 1, "the head is found, whatever the other weights are stored as"
    adapter, output = _some_adapter(base), tmp_path / "taught.onnx"
    base.write(output, adapter, {"clips": 3})
    taught = Classifier(output)
    for name in ("sounds", "evidence", "thresholds", "labels", "features", "window_frames", "hop_frames"):
        assert getattr(taught.card, name) == getattr(before.card, name)
    assert taught.card.thresholds["minimum_seconds"] == 0.0
    assert taught.card.golden.get("tolerance") == before.card.golden.get("tolerance")
    windows = _windows(base)
    probabilities, embeddings, sounds = base(windows)
    expected = adapter(probabilities, embeddings)
    assert np.abs(expected - probabilities).max() > 0.01
    for index, window in enumerate(windows):
        answer = taught.answer(window)
        assert np.allclose(answer.probabilities, expected[index], atol=1e-5)
        assert np.allclose(answer.sounds, before.answer(window).sounds, atol=1e-5)
        assert np.allclose(np.clip(sounds[index], -9, 9), answer.sounds, atol=1e-5)


@pytest.mark.parametrize("kind", ["tiny", "untrained"])
def test_taken_off_again_it_is_the_base(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    path: Path = request.getfixturevalue(kind)
    base = BaseModel(path)
    base.write(tmp_path / "taught.onnx", _some_adapter(base), {})
    again = BaseModel(tmp_path / "taught.onnx")
    assert (again.was_taught, again.sha256, again.card) == (True, base.sha256, _untaught(base, again))
    assert again.model.graph == base.model.graph
    for now, then in zip(again(_windows(base)), base(_windows(base)), strict=True):
        assert np.array_equal(now, then)


def _untaught(base: BaseModel, again: BaseModel) -> Any:
    """The base's card, but for what every file has of its own."""
    return replace(base.card, created=again.card.created, golden=again.card.golden)


def _embedded(base: BaseModel, wave: Any, label: str) -> EmbeddedClip:
    width = base(_windows(base, 1))[1].shape[1]
    projection = Projection(np.zeros(width, np.float32), np.eye(width, dtype=np.float32))
    return embed_clip(base, projection, wave, label, label, label, copies=0, seed=(1,))


def test_a_clips_verdict_is_the_apps(tiny: Path, tmp_path: Path) -> None:
    """By the same evidence over time, of which the taught P(crying) is a part."""
    base = BaseModel(tiny)
    adapter = _some_adapter(base)
    base.write(tmp_path / "taught.onnx", adapter, {})
    wave = synthesise.cat(2.5, np.random.default_rng(2)) * np.float32(0.001)
    clip = _embedded(base, wave, "cat")
    take = clip.takes[0]
    (compared,) = teach.compare_clips([clip], [adapter(take.probabilities, take.embeddings)], base.card)
    for path, verdict in ((tiny, compared.old), (tmp_path / "taught.onnx", compared.new)):
        scores = clip_scores(wave, Classifier(path))
        assert verdict.crying == pytest.approx(max(score.crying for score in scores), abs=1e-4)
        assert verdict.wakes == any(score.crying >= base.card.thresholds["start"] for score in scores)
    assert compared.new.crying > compared.old.crying + 0.05
    assert abs(compared.old.crying - take.probabilities[:, :4].sum(1).max()) > 0.01, "no window's alone"


def _row(crying: float) -> list[float]:
    return [crying / 4] * 4 + [(1 - crying) / 3] * 3


def test_what_wakes_by_little_suspicion_is_unlearnt(tiny: Path) -> None:
    """An owl of whose windows each says 10 %, which together wake somebody."""
    card = Classifier(tiny).card
    card = replace(card, evidence={**card.evidence, "crying": [0.0, 0, 0, 0, 1, 0], "offset": 2.8})
    rng = np.random.default_rng(5)
    others = np.array([_row(share) for share in 0.02 * rng.random(300)], np.float32)
    known = RehearsalWindows(others, rng.normal(0, 1, (300, 4)), np.zeros((300, 2), np.float32))
    direction = np.array([3.0, 0, 0, 0])
    owls = []
    for number in range(5):
        embeddings = (direction + rng.normal(0, 0.2, (6, 4))).astype(np.float32)
        take = Take(np.array([_row(0.1)] * 6, np.float32), embeddings, np.zeros((6, 2), np.float32), np.zeros(6))
        owls.append(EmbeddedClip("owl", f"{number}", "owl", 2.0, (take,), np.arange(6) * 4160, np.zeros(6)))
    adapter = fit_adapter(owls, card, known, Caution(4.0, 0.1, 0.1, 400, 20, 20))
    taken, sounds = owls[0].takes[0], np.zeros((6, 2), np.float32)
    assert over_time(card, taken.probabilities, sounds).crying.min() > 0.55
    after = over_time(card, adapter(taken.probabilities, taken.embeddings), sounds)
    assert after.crying.max() < 0.5
    stranger = adapter(np.array([_row(0.5)], np.float32), -direction[None].astype(np.float32))
    assert stranger[:, :4].sum() > 0.4, "what is unlike an owl stays"


def test_it_learns_this_home(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An owl woke somebody, and does no longer; the child still does, and the model is taught anew from its base."""
    monkeypatch.setattr("trainer.home.rehearsal._SYNTHETIC_WINDOWS", 80)
    library = make_library(tmp_path / "library")
    output = tmp_path / "taught.onnx"
    report = teach.teach(teach.TeachRequest(tiny, [library], output, tmp_path / "comparison.json"))
    assert report["refused"] == ""
    assert report["others"]["old_woke"] == 6
    assert report["others"]["new_woke"] == 0
    assert report["cries"]["new_caught"] == report["cries"]["old_caught"] == 12
    taught = Classifier(output)
    for path, wakes in (("owl/night-2026-11-10/0.flac", False), ("pain/recording-1/0.flac", True)):
        scores = clip_scores(read_wave(library / path), taught)
        assert any(score.crying >= taught.card.thresholds["start"] for score in scores) == wakes
    again = teach.teach(teach.TeachRequest(output, [library], tmp_path / "again.onnx"))
    assert again["old"]["name"] == "tiny ear"
    assert again["others"] == report["others"]
    assert Classifier(tmp_path / "again.onnx").card.sounds == tiny_ear.SOUNDS


CHANCE = {"balanced_accuracy": {"value": 0.26, "low": 0.2, "high": 0.3}, "chance": 0.25}


@pytest.mark.parametrize(("labels", "tells"), [(("hungry", "pain"), True), (("hungry",), False)])
def test_a_home_that_named_reasons_may_have_them_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: tuple[str, ...], tells: bool
) -> None:
    """The model could not tell them apart in other homes, and what it was not taught it cannot tell in this."""
    monkeypatch.setattr("trainer.home.rehearsal._SYNTHETIC_WINDOWS", 80)
    library = make_library(tmp_path / "all")
    for label in (*labels, "owl"):
        (tmp_path / "library").mkdir(exist_ok=True)
        (tmp_path / "library" / label).symlink_to(library / label)
    model = tiny_ear.write(tmp_path / "ear.onnx", metrics={"reasons": CHANCE})
    assert not Classifier(model).card.tells_reasons
    teach.teach(teach.TeachRequest(model, [tmp_path / "library"], tmp_path / "taught.onnx"))
    assert Classifier(tmp_path / "taught.onnx").card.tells_reasons == tells
    assert BaseModel(tmp_path / "taught.onnx").card.metrics == {"reasons": CHANCE}


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A data set with four groups of each label of the vocabulary, and clips of other kinds."""
    rng, root = np.random.default_rng(5), tmp_path / "data"
    cry, samples = synthetic.cry, int(4.2 * 16000)
    makers = {
        "hungry": cry, "pain": cry, "tired": cry, "baby_cry": cry, "baby_laugh": synthetic.tones,
        "babbling": synthetic.tones, "dog": synthetic.noise, "baby_fuss": cry,
    }  # fmt: skip
    rows = []
    for label, maker in makers.items():
        for group in range(4):
            path = f"{label}/{group}.wav"
            write_sound(root / path, maker(rng, samples))
            rows.append({"path": path, "label": label, "group": f"{label}-{group}", "use": "train", "licence": "CC0"})
    for licence in ("GPL-3", "none stated", "CC BY-NC-ND 4.0", "research only"):
        path = f"judging/{licence}.wav"
        write_sound(root / path, synthetic.noise(rng, samples))
        rows.append({"path": path, "label": "cat", "group": licence, "use": "evaluation-only", "licence": licence})
    # A copy of a clip that is left out, under another name.
    (root / "copies").mkdir()
    (root / "copies" / "again.wav").write_bytes((root / "baby_cry" / "0.wav").read_bytes())
    rows.append({**rows[0], "path": "copies/again.wav", "label": "baby_cry", "group": "copy"})
    write_manifest(root, rows)
    return root


def _rehearse(model: Path, data: Path, *words: str) -> int:
    options = ["--model", str(model), "--data", str(data), "--cache", str(data.parent / "cache")]
    return main(["rehearsal", *options, *words])


LEFT_OUT = ("--leave-out", "baby_cry/[0-2].wav", "dog/[01].wav", "baby_fuss/*")


def test_it_rehearses_what_its_training_left_out(
    tiny: Path, shared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("trainer.home.rehearsal.FIT_WINDOWS", 60)
    learnt: list[str] = []
    before = WindowSampler.__init__

    def noting(self: WindowSampler, clips: Any, *arguments: Any, **options: Any) -> None:
        learnt.extend(clip.path for clip in clips)
        before(self, clips, *arguments, **options)

    monkeypatch.setattr(WindowSampler, "__init__", noting)
    assert _rehearse(tiny, shared, *LEFT_OUT, "--json") == 0
    counts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert counts["validation_cries"] + counts["test_cries"] == 4, "three cries and the copy; no baby that may fuss"
    assert counts["validation_others"] + counts["test_others"] == 3, "two dogs, and the cat that may be published"
    divided = sorted(path for path in learnt if path.startswith(("baby_cry", "dog", "baby_fuss", "judging", "copies")))
    assert divided == ["baby_cry/3.wav", "dog/2.wav", "dog/3.wav"]
    base = BaseModel(tiny)
    rehearsal = find_rehearsal(base.sha256, [tiny.parent])
    assert rehearsal is not None
    groups = set(np.concatenate([held.groups for held in rehearsal.held.values()]))
    assert group_hash("GPL-3") in groups
    assert not groups & {group_hash(name) for name in ("none stated", "CC BY-NC-ND 4.0", "research only", "dog-2")}
    assert not set(rehearsal.held["validation"].groups) & set(rehearsal.held["test"].groups)
    for held in rehearsal.held.values():
        assert held.sounds.shape == (len(held.probabilities), 2)
        assert set(np.bincount(held.clip)) == {12}, "nearly four seconds of each"


def test_others_are_judged_by_evidence_over_time(tiny: Path, shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer.home.rehearsal.FIT_WINDOWS", 60)
    assert _rehearse(tiny, shared, *LEFT_OUT) == 0
    base = BaseModel(tiny)
    rehearsal = find_rehearsal(base.sha256, [tiny.parent])
    assert rehearsal is not None
    held = max(rehearsal.held.values(), key=lambda side: side.cries.sum())
    assert held.raising_alert(held.probabilities, base.card)[held.cries].all()
    # A model that has unlearnt P(crying), so that only the weights of the other sounds are left, wakes nobody.
    silent = np.zeros_like(held.probabilities)
    silent[:, -1] = 1
    assert not held.raising_alert(silent, base.card).any()
    card = replace(base.card, evidence={**tiny_ear.evidence().to_dict(), "sounds": [[9.0, 0.0], [9.0, 0.0]]})
    without_dogs = held.raising_alert(held.probabilities, card)
    assert not without_dogs[held.cries].all(), "the other sounds were kept, and speak against it"


def test_an_older_models_rehearsal_is_read_as_before() -> None:
    rehearsal = find_rehearsal(BaseModel(DEFAULT_MODEL).sha256, [DEFAULT_MODEL.parent])
    assert rehearsal is not None
    for held in rehearsal.held.values():
        assert held.sounds.shape == (len(held.probabilities), len(Classifier(DEFAULT_MODEL).card.sounds))


def test_a_pattern_that_fits_nothing_is_refused(tiny: Path, shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _rehearse(tiny, shared, "--leave-out", "nothing/*") == 2
    assert "nothing/*" in capsys.readouterr().err
    assert not place_beside(tiny).exists()


def test_an_old_model_against_a_new_one(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, comparison = make_data_set(tmp_path / "data", 2.2), tmp_path / "comparison.json"
    words = ["--data", str(data), "--side", "all", "--cache", str(tmp_path), "--comparison", str(comparison)]
    assert main(["versus", "--old", str(DEFAULT_MODEL), "--new", str(tiny), *words]) == 0
    report = json.loads(comparison.read_text(encoding="utf-8"))
    assert (report["old"]["name"], report["new"]["name"]) == (Classifier(DEFAULT_MODEL).card.name, "tiny ear")
    assert len(report["clips"]) == 24
    model = Classifier(tiny)
    for clip in report["clips"][::6]:
        scores = clip_scores(read_wave(Path(clip["path"])), model)
        assert clip["new"]["crying"] == pytest.approx(max(score.crying for score in scores), abs=1e-4)
    assert main(["versus", "--old", str(tiny), "--new", str(DEFAULT_MODEL), *words]) == 0


def test_it_is_neither_combined_nor_quantised(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out.onnx"
    assert main(["combine", str(tiny), str(tiny), "--output", str(output)]) == 2
    assert "cannot be combined" in capsys.readouterr().err
    assert main(["combine", str(DEFAULT_MODEL), str(tiny), "--output", str(output)]) == 2
    assert "cannot be combined" in capsys.readouterr().err
    assert main(["export", str(tiny), "--format", "onnx", "--int8", "--output", str(output)]) == 2
    assert "8 bits already" in capsys.readouterr().err
    assert main(["export", str(tiny), "--format", "pt", "--output", str(tmp_path / "out.pt")]) == 2
    assert "cannot be turned back" in capsys.readouterr().err
    assert not output.exists()


def test_its_card_can_be_rewritten(tiny: Path) -> None:
    before = Classifier(tiny)
    curve = [{"start_threshold": 0.5, "false_alarms_per_hour": 0.1, "caught": 0.98}]
    rewrite_card(tiny, operating_curve=curve)
    after = Classifier(tiny)
    assert after.card == replace(before.card, operating_curve=curve)
    window = _windows(BaseModel(tiny), 1)[0]
    assert np.array_equal(after.answer(window).sounds, before.answer(window).sounds)


def test_predict_answers_by_evidence_over_time(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wave = synthesise.cat(2.5, np.random.default_rng(2)) * np.float32(0.3)
    write_sound(tmp_path / "cat.wav", wave)
    assert main(["predict", str(tmp_path / "cat.wav"), "--model", str(tiny), "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["files"]
    scores = clip_scores(read_wave(tmp_path / "cat.wav"), Classifier(tiny))
    assert entry["crying"] == pytest.approx(max(score.crying for score in scores), abs=1e-3)


@pytest.mark.parametrize("seconds", [0.05, 0.8, 3.0])
def test_as_a_student_it_tells_slots_apart(tiny: Path, seconds: float) -> None:
    """Its windows are one second long, a cry of two seconds among silence must be found where it is."""
    wave = np.zeros(int(3 * seconds * 16000), np.float32)
    cry = synthetic.cry(np.random.default_rng(3), int(seconds * 16000))
    wave[cry.size : 2 * cry.size] = cry
    slots = max(1, -(-wave.size // SLOT))
    track = student_track(Classifier(tiny), wave, slots)
    assert track.shape == (slots, 4)
    if seconds == 3.0:
        found = np.flatnonzero(track[:, 0] > 0.5) * SLOT / 16000
        assert found.min() == pytest.approx(3.0, abs=0.6)
        assert found.max() == pytest.approx(6.0, abs=0.6)


def test_its_window_is_what_the_golden_pair_is_about(tiny: Path, tmp_path: Path) -> None:
    """A taught file's golden pair is the taught answer: the app would refuse the file otherwise."""
    base = BaseModel(tiny)
    card = base.write(tmp_path / "taught.onnx", _some_adapter(base), {})
    assert card.golden["wave"] == base.card.golden["wave"]
    assert card.golden["probabilities"] != base.card.golden["probabilities"]
