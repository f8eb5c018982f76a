"""Judging by what was left out: who is judged by what, figures that follow from scores, and nobody listens twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tiny_model
from made_data import write_manifest

from babymonitor.core.alerts.policy import AlertPolicy, AlertRules
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.scorer import Score
from babymonitor.core.sound.wave import SAMPLE_RATE
from trainer.__main__ import main
from trainer.audio import synthetic
from trainer.errors import DataError
from trainer.evaluation.left_out import tell_model
from trainer.evaluation.left_out_figures import PlannedNight, PlayedNight, alone_figures, clip_figures, nights_figures
from trainer.evaluation.left_out_material import MOTHER, SINGLE, Material, gather
from trainer.evaluation.listeners import Ours
from trainer.evaluation.night_composer import ComposedNight
from trainer.evaluation.night_outcomes import ScoreSeries, alerts_from
from trainer.evaluation.night_stock import Background

CLIPS = {
    # Path, without its number: how many, label, use.
    "big/baby_cry/cry": (10, "baby_cry", "train"),
    "small/baby_cry/cry": (2, "baby_cry", "train"),
    "small/baby_laugh/laugh": (1, "baby_laugh", "train"),
    "small/baby_fuss/baby_fake_cry": (1, "adult_vocal", "train"),
    "learnt/cat/meow": (2, "cat", "train"),
    "foreign/cat/meow": (2, "cat", "evaluation-only"),
    "foreign/music/song": (2, "music", "evaluation-only"),
    "foreign/coughing/cough": (1, "adult_nonverbal", "evaluation-only"),
    "ravdess/actor_02/speech": (2, "adult_speech", "evaluation-only"),
    "ravdess/actor_03/speech": (2, "adult_speech", "evaluation-only"),
    "foreign/child_speech/child": (1, "child_speech", "evaluation-only"),
    "foreign/noise/street": (1, "noise", "evaluation-only"),
}
LABELS = {"cry": "baby_cry", "noise": "noise"}
LEAVE_OUT = ("big/*", "small/*")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cries of two corpora that were left out, and what stands against them; one cry twice, under two names."""
    root, rng = tmp_path_factory.mktemp("left out") / "data", np.random.default_rng(5)
    rows = []
    for stem, (count, label, use) in CLIPS.items():
        for number in range(count):
            path = f"{stem}{number}.wav"
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            make = synthetic.cry if label == "baby_cry" else synthetic.tones
            soundfile.write(root / path, make(rng, int(1.6 * SAMPLE_RATE)), SAMPLE_RATE)
            group = "actor 2" if "actor_02" in path else path
            source, _, _ = path.partition("/")
            row = {"path": path, "use": use, "source": source, "label": label, "group": group}
            rows.append({**row, "detail": "", "licence": ""})
    (root / "small/baby_cry/copy.wav").write_bytes((root / "big/baby_cry/cry0.wav").read_bytes())
    rows.append({**rows[0], "path": "small/baby_cry/copy.wav"})
    write_manifest(root, rows)
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def material(data: Path, cache: Path) -> Material:
    return gather(data, LEAVE_OUT, cache)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.write(tmp_path_factory.mktemp("model") / "tiny.onnx")


def series(*scores: float, hop: float = 0.5) -> ScoreSeries:
    return ScoreSeries.from_rows(
        [(round((number + 1) * hop * SAMPLE_RATE), score, -30.0) for number, score in enumerate(scores)]
    )


def test_only_what_was_left_out_judges(material: Material) -> None:
    paths = [clip.path for clip in (*material.cries, *material.others)]
    assert not [path for path in paths if path.startswith("learnt/")]
    assert sum(path.startswith("foreign/cat/") for path in paths) == 2


def test_a_copy_of_a_cry_judges_once(material: Material) -> None:
    assert len(material.cries) == 12
    assert not [clip for clip in material.cries if "copy" in clip.path]


def test_a_baby_that_laughs_and_a_clip_that_holds_crying_count_as_neither(material: Material) -> None:
    assert dict(material.aside) == {"baby_laugh": 1, "adult_vocal": 1}


def test_small_corpora_are_taken_together(material: Material) -> None:
    corpora = [material.corpora[clip.path] for clip in material.cries]
    assert corpora.count("big") == 10
    assert corpora.count(SINGLE) == 2


def test_sounds_lie_in_the_beds_that_they_belong_to(material: Material) -> None:
    def groups(bed: str) -> list[str]:
        return [pieces[0].group for pieces in material.stock.beds[bed]]

    assert set(groups(MOTHER)) == {"actor 2", "foreign/child_speech/child0.wav"}
    assert "ravdess/actor_03/speech0.wav" in groups("television")
    assert all("cat" in group for group in groups("animals"))
    assert groups("recorded rooms") == ["foreign/noise/street0.wav"]
    alone = {kind: len(members) for kind, members in material.alone.items() if members}
    assert alone == {"cats": 2, "coughing": 1, "music": 2}


def test_a_long_recording_of_crying_gives_its_loud_parts(tmp_path: Path) -> None:
    rng, root = np.random.default_rng(1), tmp_path / "data"
    root.mkdir()
    quiet = 0.003 * synthetic.tones(rng, 12 * SAMPLE_RATE)
    soundfile.write(root / "cry.wav", np.concatenate((quiet, synthetic.cry(rng, 6 * SAMPLE_RATE))), SAMPLE_RATE)
    soundfile.write(root / "noise.wav", synthetic.noise(rng, 2 * SAMPLE_RATE), SAMPLE_RATE)
    common = {"use": "evaluation-only", "source": "", "detail": "", "licence": ""}
    rows = [{"path": f"{name}.wav", "label": label, "group": name, **common} for name, label in LABELS.items()]
    write_manifest(root, rows)
    gathered = gather(root, (), tmp_path)
    (pieces,) = gathered.stock.cries
    assert all(piece.start >= 12 * SAMPLE_RATE for piece in pieces)
    (longest,) = gathered.clip_sets["recordings"].cries
    assert longest.stop - longest.start == 10 * SAMPLE_RATE
    assert longest.start == 8 * SAMPLE_RATE
    assert all(piece.start >= 12 * SAMPLE_RATE for piece in gathered.clip_sets["pieces"].cries)


def test_nothing_that_cries_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no cries"):
        gather(data, ("learnt/*",), tmp_path)


def test_clips_are_told_apart_by_their_highest_score(material: Material, model: Path) -> None:
    listener = Ours(model, "tiny")
    answers = {
        name: {"tiny": [series(0.1, 0.9)] * len(clips.cries) + [series(0.1, 0.2)] * len(clips.others)}
        for name, clips in material.clip_sets.items()
    }
    answers["recordings"]["tiny"][0] = series(0.1, 0.1)  # a cry of the big corpus that is missed
    figures = clip_figures(material, answers, [listener])["sets"]["recordings"]
    found = {name: row["found"]["0.01"] for name, row in figures["listeners"]["tiny"].items()}
    assert found["big"]["value"] == pytest.approx(0.9)
    assert found[SINGLE]["value"] == 1.0
    assert found[SINGLE]["low"] < 1.0
    assert found["all"]["value"] == pytest.approx(11 / 12, abs=1e-4)
    assert figures["hardest"]["tiny"]["cries"][0] == [material.clip_sets["recordings"].cries[0].path, 0.1]


def played(material: Material, scores: ScoreSeries, name: str = "rooms") -> PlayedNight:
    """Six minutes with two cries."""
    plan = PlannedNight(name, name, 0.1, (20.0,), 20.0)
    night = ComposedNight(Background("recorded rooms", -40), material.stock, 0.1, 1, (20.0,), 20.0)
    return PlayedNight(plan, night, {"tiny": scores})


def scored(night: ComposedNight, cry: float, at_begin: float) -> ScoreSeries:
    """Low scores but for the episodes, and for a second at the beginning, where nothing cries."""
    seconds = np.arange(0.5, 360.0, 0.5)
    values = np.full(seconds.size, 0.01)
    values[:2] = at_begin
    for episode in night.episodes:
        during = (seconds > episode.onset / SAMPLE_RATE) & (seconds <= episode.end / SAMPLE_RATE)
        values[during] = cry
    return ScoreSeries((seconds * SAMPLE_RATE).astype(np.int64), values, np.full(seconds.size, -30.0))


def test_a_rate_is_kept_by_the_threshold_that_catches_most(material: Material, model: Path) -> None:
    listener = Ours(model, "tiny")
    assert listener.rules.start_threshold == 0.6
    night = played(material, series()).night
    corpus_of = {clip.group: material.corpora[clip.path] for clip in material.cries}
    figures = nights_figures([played(material, scored(night, cry=0.5, at_begin=0.3))], [listener], corpus_of)
    tiny = figures["listeners"]["tiny"]
    assert tiny["shipped"]["all"]["caught"] == 0
    point = tiny["at_rate"]["0.03"]
    assert 0.3 < point["start"] <= 0.5
    assert point["all"]["caught"] == len(night.episodes) == 2
    assert point["all"]["false_alarms"] == 0
    assert point["all"]["caught_share"]["low"] < 1.0
    assert sum(counts["caught"] for counts in point["by_corpus"].values()) == 2


def test_at_a_rate_that_no_threshold_keeps_there_is_no_figure(material: Material, model: Path) -> None:
    listener = Ours(model, "tiny")
    night = played(material, series()).night
    corpus_of = {clip.group: material.corpora[clip.path] for clip in material.cries}
    figures = nights_figures([played(material, scored(night, cry=0.5, at_begin=1.0))], [listener], corpus_of)
    assert figures["listeners"]["tiny"]["at_rate"]["3"] is None


def test_what_is_played_alone_wakes_or_not(material: Material, model: Path) -> None:
    listener = Ours(model, "tiny")
    night = played(material, series()).night
    corpus_of = {clip.group: material.corpora[clip.path] for clip in material.cries}
    nights = nights_figures([played(material, scored(night, cry=0.9, at_begin=0.0))], [listener], corpus_of)
    count = sum(len(members) for members in material.alone.values())
    answers = {"tiny": [series(0.9, 0.9, 0.9), *[series(0.1)] * (count - 1)]}
    figures = alone_figures(material, answers, [listener], nights)
    assert figures["kinds"]["cats"]["wake"]["tiny"]["shipped"] == 1
    assert sum(kind["wake"]["tiny"]["shipped"] for kind in figures["kinds"].values()) == 1
    assert figures["woken_by"]["tiny"] == [material.alone["cats"][0].path]


@pytest.mark.parametrize("minimum", [0.0, 0.5, 3.0])
def test_alerts_are_those_that_the_policy_gives_for_every_score(minimum: float) -> None:
    """Scores that cannot change anything are not fed; the alerts must be the same to the last digit."""
    rng = np.random.default_rng(2)
    scores = series(*np.where(rng.random(4000) < 0.02, rng.random(4000), 0.1 * rng.random(4000)), hop=0.26)
    rules = AlertRules(start_threshold=0.5, end_threshold=0.2, minimum_seconds=minimum, maximum_seconds=20.0)
    policy, alerts = AlertPolicy(rules), {}
    for end, crying, level in zip(scores.end_samples.tolist(), scores.crying, scores.level_db, strict=True):
        for event in policy.feed(Score(end, end / SAMPLE_RATE, float(crying), float(level))):
            alerts[event.alert.id] = event.alert
    for event in policy.interrupt():
        alerts[event.alert.id] = event.alert
    assert alerts_from(scores, rules) == list(alerts.values())
    assert minimum or alerts


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[dict[str, Any], list[str]]:
    """Run the command; returns its report, and the sentences on standard error."""
    small = ("--hours", "0.03", "--beds", "quiet room", "--processes", "1", "--json")
    assert main(["left-out", *map(str, words), *small]) == 0
    out, err = capsys.readouterr()
    return json.loads(out), err.splitlines()


def test_a_run_with_another_model_listens_with_that_model_alone(
    data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--data", data, "--cache", tmp_path / "cache", "--leave-out", *LEAVE_OUT)
    first, sentences = run(capsys, "--model", model, "--report", tmp_path / "report", *words)
    assert any(sentence.endswith("night quiet room") for sentence in sentences)
    kept = json.loads((tmp_path / "report" / "left-out.json").read_text(encoding="utf-8"))
    assert kept["nights"] == first["nights"]
    assert "flatter YAMNet" in " ".join(kept["cautions"])
    assert "quiet room" in (tmp_path / "report" / "left-out.txt").read_text(encoding="utf-8")
    again, sentences = run(capsys, "--model", model, *words)
    assert not [sentence for sentence in sentences if "night" in sentence]
    assert again["nights"] == first["nights"]
    # Of the same name, in another folder.
    (tmp_path / "other").mkdir()
    other = tiny_model.write(tmp_path / "other" / "tiny.onnx", thresholds={"start": 0.9, "end": 0.3})
    both, _ = run(capsys, "--model", model, "--model", other, *words)
    names = [listener["name"] for listener in both["listeners"]]
    assert names == [f"{model.parent.name}/tiny", "other/tiny"]
    assert both["nights"]["listeners"][names[0]] == first["nights"]["listeners"]["tiny"]
    assert both["nights"]["listeners"][names[1]]["shipped"]["start"] == 0.9
    folders = sorted((tmp_path / "cache" / "left-out").iterdir())
    assert len(folders) == 2


def test_a_model_is_told_what_it_was_judged_to_be(
    data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--data", data, "--cache", tmp_path / "cache", "--leave-out", *LEAVE_OUT)
    before = Classifier(model).card
    report, _ = run(capsys, "--model", model, "--tell-model", *words)
    card = Classifier(model).card
    shipped = report["nights"]["listeners"]["tiny"]["shipped"]
    assert card.thresholds == before.thresholds
    assert card.operating_curve == report["operating_curve"]
    assert card.metrics["left_out"]["nights"]["episodes"] == shipped["all"]["episodes"]
    # Judged at another threshold, it is used at that one; the end keeps its proportion.
    shipped["start"] = before.thresholds["start"] / 2
    tell_model(model, report)
    assert Classifier(model).card.thresholds == {
        name: pytest.approx(value / 2) for name, value in before.thresholds.items()
    }


def test_a_pattern_that_matches_nothing_is_one_sentence(
    data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("left-out", "--model", model, "--data", data, "--cache", tmp_path, "--leave-out", "nobody/*")
    assert main([str(word) for word in words]) == 2
    assert capsys.readouterr().err.strip() == "There is no clip nobody/* to leave out."
