"""The hearing benchmark: every listener listens, figures match those worked out by hand, the page is self-contained."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tiny_model

from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from benchmarks.hearing import clips, figures, invariance, nights
from benchmarks.hearing.__main__ import main
from benchmarks.hearing.material import Item, gather, named_kind
from benchmarks.hearing.voter import FEATURES, Voter, frame_features
from benchmarks.yamnet import DEFAULT_FILE, missing
from resources import synthesise
from trainer.audio import synthetic
from trainer.data.readers import load
from trainer.evaluation import metrics
from trainer.evaluation.answer_cache import AnswerCache, Sound, origin_of
from trainer.evaluation.listeners import Listener, Ours, Session, YamnetListener
from trainer.evaluation.night_outcomes import ScoreSeries

MODEL = Path(__file__).resolve().parents[2] / "models" / "default.onnx"
GROUPS = 8
RMS_AT = 14  # after 13 cepstra and the zero-crossing rate


@pytest.fixture(scope="module")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crying, babble-like tones and noises, a clip a group, and two clips that must not be learnt from."""
    root, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(5)
    makers = {"crying": synthetic.cry, "babbling": synthetic.tones, "background": synthetic.noise}
    rows = []
    for name, maker in makers.items():
        for group in range(GROUPS):
            rows.append({"path": f"{name}-{group}.wav", "label": name, "group": f"{name}-{group}", "use": "train"})
            soundfile.write(root / rows[-1]["path"], maker(rng, 6 * SAMPLE_RATE), SAMPLE_RATE)
    for name in ("cat", "siren"):
        rows.append({"path": f"{name}.wav", "label": "background", "group": name, "use": "evaluation-only"})
        soundfile.write(root / rows[-1]["path"], 0.05 * synthetic.tones(rng, 3 * SAMPLE_RATE), SAMPLE_RATE)
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return root


def machine(path: Path, loud: float, share: float) -> Path:
    """A voter's file that looks at nothing but RMS: a window cries if `share` of it is a sound of RMS `loud`."""
    deviation = np.full(FEATURES, 1e9)
    deviation[RMS_AT] = 1.0
    vectors = np.zeros((1, FEATURES))
    vectors[0, RMS_AT] = loud
    gamma = np.log(2) / ((1 - share) * loud) ** 2
    np.savez(
        path, mean=np.zeros(FEATURES), deviation=deviation, vectors=vectors, weights=[1.0], shift=-0.5, gamma=gamma,
        about="{}",
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def voter(tmp_path_factory: pytest.TempPathFactory) -> Voter:
    return Voter(machine(tmp_path_factory.mktemp("voter") / "voter.npz", 0.2, 0.6))


def steady(seconds: float, total: float) -> Wave:
    """A noise of RMS 0.2 for so long, then silence."""
    rng = np.random.default_rng(0)
    wave = np.zeros(int(total * SAMPLE_RATE), np.float32)
    loud = int(seconds * SAMPLE_RATE)
    wave[:loud] = 0.2 * rng.choice([-1.0, 1.0], loud)
    return wave


def heard_in(listener: Listener, wave: Wave, block: int = 1 << 16) -> ScoreSeries:
    session = listener.begin()
    for start in range(0, wave.size, block):
        session.push(wave[start : start + block])
    return session.finish()


# In 9 s, five windows of 5 s: sounding for 5.5 s leaves 100, 90, 70, 50, 30 % of them; for 4.5 s 90, 70, 50, 30, 10 %.
@pytest.mark.parametrize(("seconds", "votes"), [(9.0, 5), (5.5, 3), (4.5, 2), (1.0, 0)])
def test_the_majority_of_five_windows_decides(voter: Voter, seconds: float, votes: int) -> None:
    wave = steady(seconds, 9.0)
    counted, score = voter.vote(wave)
    assert counted == votes
    assert (score >= 0.5) == (votes >= 3)
    streamed = heard_in(voter, wave)
    assert streamed.end_samples.tolist() == [9 * SAMPLE_RATE]
    assert streamed.crying[0] == pytest.approx(score, abs=1e-6), "what is kept from window to window changes nothing"


def test_the_voter_judges_once_a_second_and_repeats_what_is_short(voter: Voter) -> None:
    ends = heard_in(voter, steady(3.0, 12.3)).end_samples / SAMPLE_RATE
    assert ends.tolist() == [9, 10, 11, 12]
    short = heard_in(voter, steady(2.0, 2.0))
    assert short.end_samples.tolist() == [2 * SAMPLE_RATE]
    assert short.crying[0] > 0.5, "nine seconds of it would be crying"


def test_the_voters_features_are_librosas() -> None:
    import librosa

    wave = synthesise.cry(2.0, np.random.default_rng(1))
    ours = frame_features(wave)
    options: dict[str, Any] = {"n_fft": 2048, "hop_length": 1000, "center": False}
    power = librosa.feature.melspectrogram(y=wave, sr=SAMPLE_RATE, **options)
    spectra = {"y": wave, "sr": SAMPLE_RATE, **options}
    theirs = np.concatenate(
        (
            librosa.feature.mfcc(S=librosa.power_to_db(power, top_db=None), n_mfcc=13),
            librosa.feature.zero_crossing_rate(wave, frame_length=2048, hop_length=1000, center=False),
            librosa.feature.rms(y=wave, frame_length=2048, hop_length=1000, center=False),
            librosa.feature.spectral_centroid(**spectra),
            librosa.feature.spectral_bandwidth(**spectra),
            librosa.feature.spectral_rolloff(**spectra),
        )
    ).T
    assert ours.shape == theirs.shape
    assert np.allclose(ours, theirs, rtol=0.01, atol=0.02)


@pytest.fixture(scope="module")
def listeners(voter: Voter) -> list[Listener]:
    always: list[Listener] = [Ours(MODEL), voter]
    return always if missing(DEFAULT_FILE) else [*always, YamnetListener(DEFAULT_FILE)]


def test_a_cry_ranks_above_a_noise(listeners: list[Listener]) -> None:
    rng = np.random.default_rng(3)
    cry = synthesise.cry(10.0, rng, level_db=-14.0)
    noise = 0.02 * synthetic.coloured(rng, cry.size, 1.0)
    for listener in listeners:
        assert clips.highest(heard_in(listener, cry)) > clips.highest(heard_in(listener, noise)), listener.name


def test_in_which_blocks_sound_comes_changes_nothing(listeners: list[Listener]) -> None:
    wave = np.asarray(synthesise.cry(11.3, np.random.default_rng(2)), np.float32)
    for listener in listeners:
        at_once, pieces = heard_in(listener, wave), heard_in(listener, wave, 1700)
        assert np.array_equal(at_once.end_samples, pieces.end_samples), listener.name
        assert np.allclose(at_once.crying, pieces.crying, atol=1e-4), listener.name
        assert np.allclose(at_once.level_db, pieces.level_db, atol=0.1), listener.name


def test_every_listener_answers_to_the_shortest_sound(listeners: list[Listener]) -> None:
    for listener in listeners:
        assert len(heard_in(listener, steady(0.3, 0.3)).crying) == 1, listener.name


def scored(*scores: float) -> ScoreSeries:
    count = len(scores)
    return ScoreSeries(4096 * np.arange(1, count + 1), np.array(scores), np.zeros(count))


class Scripted:
    """A listener whose answers are known."""

    name, key, hop, file = "Scripted", "scripted", 4096, Path("none")
    begun = 0

    def __init__(self, voter: Voter) -> None:
        self.rules = replace(voter.rules, start_threshold=0.6, end_threshold=0.3)

    def begin(self) -> Session:
        self.begun += 1
        return _Scripted()


class _Scripted:
    def __init__(self) -> None:
        self.top = 0.0

    def push(self, block: Wave) -> None:
        self.top = max(self.top, float(block.max(initial=0)))

    def finish(self) -> ScoreSeries:
        return scored(self.top)


def test_cries_found_by_hand(voter: Voter) -> None:
    """Of 200 others, 1 % are two: the threshold is the third highest of them; 0.1 % are none: it is the highest."""
    negatives = [*np.linspace(0.0, 0.595, 198).tolist(), 0.7, 0.8]
    cries = [0.59, 0.65, 0.75, 0.9]
    items = [Item(f"o{number}", f"o{number}", "", False) for number in range(200)] + [
        Item(f"c{number}", f"c{number}", "", True) for number in range(4)
    ]
    row = clips.row_of(clips.Scoring("one", Scripted(voter)), items, [scored(score) for score in negatives + cries])
    assert row["thresholds"] == {"0.01": pytest.approx(0.595), "0.001": 0.8}
    assert row["found"]["0.01"]["value"] == 0.75
    assert row["found"]["0.001"]["value"] == 0.25
    assert row["found_at_start"]["value"] == 0.75
    assert row["raised_at_start"]["value"] == pytest.approx(2 / 200)
    won = sum((cry > negative) + 0.5 * (cry == negative) for cry in cries for negative in negatives)
    assert row["auc"]["value"] == pytest.approx(won / 800, abs=1e-4)
    assert row["roc_low"][0] == [0.0, 0.25], "without a single false one"


@pytest.mark.parametrize("tie", [51 / 256, 0.99996])
def test_what_many_share_stays_on_one_side_of_the_threshold(voter: Voter, tie: float) -> None:
    """YAMNet says steps of 1/256: a threshold that is rounded lets all of a step in, or nothing above it."""
    negatives, cries = [*[0.0] * 190, *[tie] * 10], [tie, tie, (1 + tie) / 2, 1.0]
    items = [Item(f"{number}", f"{number}", "", number >= 200) for number in range(204)]
    answers = [scored(score) for score in negatives + cries]
    scoring = clips.Scoring("one", Scripted(voter))
    row = clips.row_of(scoring, items, answers)
    assert row["thresholds"] == {"0.01": tie, "0.001": tie}
    assert row["found"]["0.01"]["value"] == 0.5
    assert (scoring.of(answers[200:]) > row["thresholds"]["0.01"]).mean() == 0.5, "the same where cries are altered"


def test_all_of_a_few_groups_is_not_certain() -> None:
    """Of three babies all were heard: with a chance of 0.292 each that would still happen once in forty times."""
    certain: dict[str, float | None] = {"value": 1.0, "low": 1.0, "high": 1.0}
    widened = metrics.widened(certain, 3)
    assert widened["high"] == 1.0
    assert widened["low"] is not None
    assert widened["low"] ** 3 == pytest.approx(0.025, abs=1e-4)
    assert metrics.widened({"value": 0.0, "low": 0.0, "high": 0.0}, 3)["high"] == pytest.approx(
        1 - 0.025 ** (1 / 3), abs=1e-4
    )
    uncertain: dict[str, float | None] = {"value": 0.5, "low": 0.2, "high": 0.7}
    assert metrics.widened(uncertain, 3) == uncertain


def test_equal_false_alarms() -> None:
    false_at = {0.1: 90, 0.3: 12, 0.5: 3, 0.6: 4, 0.7: 3, 0.9: 0}
    assert nights.equal_start(false_at, 3) == 0.7, "0.5 gives as few by luck, and more a little above"
    assert nights.equal_start(false_at, 100) == 0.1
    assert nights.equal_start({0.5: 2}, 1) is None


def test_a_sound_is_heard_once(voter: Voter, tmp_path: Path) -> None:
    listener, cache = Scripted(voter), AnswerCache(tmp_path)
    sounds_made: list[str] = []

    def sound(name: str, level: float) -> Sound:
        def blocks() -> tuple[Wave, ...]:
            sounds_made.append(name)
            return (np.full(9, level, np.float32), np.zeros(9, np.float32))

        return Sound(name, blocks)

    sounds = [sound("a", 0.25), sound("b", 0.5)]
    for _ in range(2):
        answers = cache.scores("these", sounds, [listener])["Scripted"]
        assert [series.crying.tolist() for series in answers] == [[0.25], [0.5]]
    assert (listener.begun, sounds_made) == (2, ["a", "b"])
    cache.scores("these", [*sounds, sound("c", 0.1)], [listener])
    assert sounds_made == ["a", "b", "a", "b", "c"], "another batch is heard"


def test_what_lies_under_a_cry_is_part_of_its_name(data_set: Path, tmp_path: Path) -> None:
    """Else an answer to other sound would be taken for the answer to this one."""
    material = gather([data_set], None, tmp_path)
    item, name = material.cries[0], next(iter(material.stock.beds))
    key = material.mixed(item, "fan", 0.0).key
    assert key == gather([data_set], None, tmp_path).mixed(item, "fan", 0.0).key, "the same again"
    for groups in ([], [group[:1] for group in material.stock.beds[name][1:]]):
        stock = replace(material.stock, beds={**material.stock.beds, name: groups})
        assert replace(material, stock=stock, origin=origin_of(stock)).mixed(item, "fan", 0.0).key != key


def test_by_telephone_it_is_the_same_clip_through_a_codec(data_set: Path, tmp_path: Path) -> None:
    material = gather([data_set], None, tmp_path)
    for item in material.foreign:
        plain, phoned = (
            np.concatenate([*sound_of(item).blocks()]) for sound_of in (material.sound, material.by_telephone)
        )
        assert phoned.shape == plain.shape
        assert not np.array_equal(phoned, plain)
        assert abs(np.log10(np.mean(phoned**2) / np.mean(plain**2))) < 0.3, "about as loud"
        assert material.sound(item).key != material.by_telephone(item).key


def test_who_labelled_the_test_side_is_told(data_set: Path, tmp_path: Path) -> None:
    """A model of ours, which is counted; or the pitch of the voice, whose cries are a set of their own."""
    material = gather([data_set], None, tmp_path)
    assert (material.by_student, material.pitched) == (None, [])
    clips_ = load([data_set]).clips
    file = tmp_path / "segments.csv"
    by = {material.cries[0].path: "yamnet+pitch", material.others[0].path: "yamnet+student"}
    rows = [f"{clip.path},0,1.5,{clip.spans[0].label},{by.get(clip.path, 'yamnet')}" for clip in clips_]
    file.write_text("\n".join(["path,start_seconds,end_seconds,label,teacher", *rows]), encoding="utf-8")
    labelled = gather([data_set], file, tmp_path)
    assert labelled.by_student == 1
    assert labelled.pitched == material.cries[:1]
    file.write_text("\n".join(["path,start_seconds,end_seconds,label", *(row.rsplit(",", 1)[0] for row in rows)]))
    untold = gather([data_set], file, tmp_path)
    assert (untold.by_student, untold.pitched) == (None, [])


def test_cost_is_of_the_steady_stream(listeners: list[Listener], monkeypatch: pytest.MonkeyPatch) -> None:
    """A judgement of ours is one hop heard, not a window heard anew; an hour is as many as there are hops in it."""
    monkeypatch.setattr(figures, "_TURNS", 3)
    costs = figures.cost(listeners)["listeners"]
    ours = costs["Baby Monitor"]
    assert 0 < ours["milliseconds_a_judgement"] <= ours["milliseconds_median"]
    assert ours["milliseconds_while_crying"] > 0
    hops = 3600 / ours["hop_seconds"]
    assert ours["cpu_seconds_an_hour"] == pytest.approx(hops * ours["milliseconds_a_judgement"] / 1000, rel=0.01)
    assert ours["first_to_this"]["value"] == 1.0
    assert set(costs) == {listener.name for listener in listeners}


@pytest.mark.parametrize("hop", [1, 3])
def test_every_hop_of_a_stream_is_one_judgement(listeners: list[Listener], hop: int) -> None:
    """Else the cost of a judgement would be that of something else."""
    for listener in listeners:
        counts = []
        for hops in (60, 60 + hop):
            session = listener.begin()
            for _ in range(hops):
                session.push(np.zeros(listener.hop, np.float32))
            counts.append(len(session.finish().crying))
        assert counts[1] - counts[0] == hop, listener.name


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        ("animals/kitten_1.ogg", "animal", "cats"),
        ("x/y.wav", "adult nonverbal: coughing", "coughing"),
        ("snap/laugh-male2.mp3", "adult laugh", "adult laughing"),
        ("octavia/birds_singing.ogg", "animal", None),
        ("esc50/503 - Siren/1.ogg", "env: siren", "sirens"),
        ("more/barkeeper.wav", "speech", None),
    ],
)
def test_the_kinds_that_the_aims_name(path: str, kind: str, expected: str | None) -> None:
    assert named_kind(Item(path, "g", kind, False)) == expected


def test_altered_sound_is_altered_as_it_says() -> None:
    rng = np.random.default_rng(4)
    wave = np.asarray(0.1 * synthetic.coloured(rng, 2 * SAMPLE_RATE, 0.0), np.float32)
    same = invariance.as_file(wave, 16_000)
    assert np.abs(same - wave).max() <= 1 / 32767
    dull = np.asarray(0.1 * synthetic.coloured(rng, wave.size, 2.0), np.float32)
    wide = invariance.as_file(dull, 48_000)
    assert np.abs(wide[1000:-1000] - dull[1000 : wide.size - 1000]).max() < 0.002, "the same, and not later"
    narrow = np.abs(np.fft.rfft(invariance.as_file(wave, 8_000)))
    half = narrow.size // 2
    assert narrow[int(1.1 * half) :].max() < 0.01 * narrow[: int(0.9 * half)].mean()
    assert np.allclose(invariance.louder(wave, -20.0), wave / 10, atol=2e-5)
    assert invariance.louder(wave, 40.0).max() <= 1.0
    hum = np.abs(np.fft.rfft(invariance.with_hum(wave, 50.0) - wave))
    assert hum.argmax() == 100, "50 Hz in two seconds"
    far = invariance.in_room(wave, "x", (0.0, 6.0))
    assert not np.allclose(far, wave, atol=0.01)
    assert np.array_equal(far, invariance.in_room(wave, "x", (0.0, 6.0))), "the same room again"


@pytest.fixture(scope="module")
def run(data_set: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The whole command on made sound, with a model that takes loud for crying; without YAMNet."""
    folder = tmp_path_factory.mktemp("hearing")
    model = tiny_model.write(folder / "tiny.onnx")
    arguments = f"--model {model} --data {data_set} --cache {folder / 'cache'} --hours 0.025 --clips 2".split()
    arguments += ["--yamnet", str(folder / "none.tflite"), "--output", str(folder / "out")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "_TURNS", 3)  # how often the cost is measured; nothing here depends on it
        assert main(arguments) == 0
    return folder / "out", arguments


@pytest.mark.slow
def test_the_page_stands_alone_and_says_what_the_values_say(run: tuple[Path, list[str]]) -> None:
    folder, _ = run
    values = json.loads((folder / "default-model.json").read_text(encoding="utf-8"))
    html = (folder / "default-model.html").read_text(encoding="utf-8")
    assert not re.findall(r"(?:src|href)=\"(?!#|data:|default-model\.json)[^\"]*\"|url\(|@import|https?:", html)
    assert values["listeners"] == ["Baby Monitor", "SVM voter"]
    assert values["skipped"] == ["YAMNet"]
    assert "YAMNet is left out" in html
    assert html.count("<tr>") > 60
    assert {aim["met"] for aim in values["aims"]} <= {True, False, None}
    assert values["stretches_by_student"] is None
    assert "favours us" not in html
    assert (folder / "default-model.json").stat().st_size < 1_500_000
    missed = sum(aim["met"] is False for aim in values["aims"])
    assert f"{missed} are not" in html
    ours = values["nights"]["listeners"]["Baby Monitor"]["own"]
    assert f">{ours['all_beds']['false_alarms']}</td>" in html
    assert ours["dense"]["quiet room, dense"]["episodes"] == 1
    assert values["nights"]["hours"] == pytest.approx(13 * 0.025, abs=0.1)
    for row in values["clips"]["test side"]["rows"]:
        assert len(row["found"]) == 2
    plain, phoned = (
        values["clips"][f"test side, against sounds of other origin{how}"] for how in ("", " by telephone")
    )
    assert (phoned["cries"], phoned["others"]) == (plain["cries"], plain["others"])
    assert phoned["others"] == 2
    assert [row["name"] for row in phoned["rows"]] == [row["name"] for row in plain["rows"]]
    assert phoned["rows"] != plain["rows"]
    assert set(values["alone"]["named"]) == {"cats", "dogs (made)", "singing (made)", "sirens"}
    assert values["voter"]["windows"] >= 20
    assert "Baby Monitor" in values["invariance"]["listeners"]


@pytest.mark.slow
def test_a_rerun_listens_to_nothing_twice(
    run: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "_TURNS", 3)
    folder, arguments = run
    before = json.loads((folder / "default-model.json").read_text(encoding="utf-8"))
    assert main([*arguments, "--output", str(tmp_path), "--kept", str(folder / "kept")]) == 0
    complaints = capsys.readouterr().err
    assert not re.search(r"sounds? for", complaints), "every answer was kept"
    after = json.loads((tmp_path / "default-model.json").read_text(encoding="utf-8"))
    for name in ("clips", "noise", "alone", "nights", "honesty", "invariance"):
        assert after[name] == before[name], name


def test_what_cannot_be_measured_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str], data_set: Path) -> None:
    assert main(["--model", str(tmp_path / "no.onnx"), "--data", str(data_set), "--output", str(tmp_path)]) == 2
    assert "no.onnx" in capsys.readouterr().err
    model = tiny_model.write(tmp_path / "tiny.onnx")
    assert main(["--model", str(model), "--data", str(tmp_path / "gone"), "--output", str(tmp_path)]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_delays_are_percentiles_of_what_was_caught() -> None:
    from trainer.evaluation.night_composer import CryEpisode
    from trainer.evaluation.night_outcomes import NightOutcome

    episodes = tuple(
        CryEpisode(second * SAMPLE_RATE, (second + 4) * SAMPLE_RATE, f"baby {second % 3}", 10.0)
        for second in range(0, 60, 10)
    )
    outcome = NightOutcome(episodes, (0.5, 1.0, None, 1.5, 2.0, 2.5), 0, (), 1.0)
    delays: dict[str, Any] = nights.delays([outcome])
    assert (delays["caught"], delays["median"]["value"]) == (5, 1.5)
    assert delays["median"]["low"] <= 1.5 <= delays["median"]["high"]
    one_baby = replace(outcome, episodes=tuple(replace(episode, group="one") for episode in episodes))
    assert nights.delays([one_baby])["median"] == {"value": 1.5, "low": None, "high": None}
    none = replace(outcome, delays=(None,) * 6)
    assert nights.delays([none])["p95"]["value"] is None
    curve: list[list[float]] = nights.delay_curve([outcome])
    share_by: Callable[[float], float] = dict(map(tuple, curve)).__getitem__
    assert (share_by(0.25), share_by(1.0), share_by(10.0)) == (
        0.0,
        pytest.approx(2 / 6, abs=1e-3),
        pytest.approx(5 / 6, abs=1e-3),
    )
