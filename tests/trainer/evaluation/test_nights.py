"""Nights: truth to the sample, what counts as caught and as false, and the same night from the same seed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_model
from made_data import read_manifest, write_manifest

from babymonitor.core.alerts.policy import Alert, AlertPolicy, AlertRules, Change
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.detector import Detector
from babymonitor.core.model.features import FeatureSpec, fit_frames, log_mel
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from trainer.__main__ import main
from trainer.audio import synthetic
from trainer.data.decoded_audio import DecodedAudio, trim_to_audio
from trainer.data.readers import load
from trainer.data.split import group_hash
from trainer.errors import DataError
from trainer.evaluation.night_composer import (
    BACKGROUNDS,
    DEVICES,
    Background,
    Episode,
    Night,
    Stock,
    gathered,
    loudness,
)
from trainer.evaluation.nights import Heard, alerts_of, best_start, curve, figures, judge, listen
from trainer.model_file.export import rewrite_card

STILL = Background("still", -70, {"pink": lambda rng, n: synthetic.coloured(rng, n, 1.0)}, nearer_db=40)
BURSTS = Background("bursts", -10, {"burst": lambda rng, n: synthetic.coloured(rng, n // 4, 0.0)}, gap_seconds=20)
RULES = AlertRules(start_threshold=0.6, end_threshold=0.3, minimum_seconds=0.5)
HOURS = 0.1


@pytest.fixture(scope="module")
def stock(data_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Stock:
    data = load(data_set)
    waves = DecodedAudio(data, tmp_path_factory.mktemp("waves"), codecs=False)
    return gathered(trim_to_audio(data.clips, waves), waves)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.write(tmp_path_factory.mktemp("model") / "tiny.onnx")


def night(
    stock: Stock,
    background: Background = STILL,
    seed: int = 1,
    snrs_db: tuple[float, ...] = (20.0,),
    **options: Any,
) -> Night:
    """Six minutes with three episodes."""
    return Night(background, stock, HOURS, seed, snrs_db, per_hour=30, **options)


AS_IT_IS: dict[str, Any] = {"devices": DEVICES[:1], "volume_db": (0.0, 0.0)}


def sound(of: Night, cries: bool = True) -> Wave:
    return np.concatenate(list(of.blocks(cries)))


@pytest.fixture(scope="module")
def listened(stock: Stock, model: Path) -> tuple[Night, Heard]:
    """A night, and what the tiny model said of it."""
    made = night(stock)
    return made, listen(Classifier(model), made.blocks())


def without_cries(stock: Stock) -> Stock:
    return replace(stock, cries=[])


def test_cries_are_where_the_truth_says_and_as_loud(stock: Stock) -> None:
    made = night(stock, snrs_db=(10.0, 0.0), **AS_IT_IS)
    whole, bed = sound(made), sound(made, cries=False)
    assert whole.size == bed.size == made.samples == round(HOURS * 3600 * SAMPLE_RATE)
    assert len(made.episodes) == 3
    assert [episode.snr_db for episode in made.episodes] == [50, 40, 50]
    assert len({episode.group for episode in made.episodes}) == 3
    cries = whole - bed
    for episode in made.episodes:
        part = cries[episode.onset : episode.end]
        assert part.size >= 3 * SAMPLE_RATE
        # A wave may cross zero at its first or last sample.
        assert np.abs(part[:4]).max() > 0
        assert np.abs(part[-4:]).max() > 0
        assert 20 * np.log10(loudness(part)) == pytest.approx(STILL.level_db + episode.snr_db, abs=0.1)
        cries[episode.onset : episode.end] = 0
    assert not cries.any()
    assert 20 * np.log10(loudness(bed)) == pytest.approx(-66, abs=6), "the bed, and the room tone under it"


def test_each_share_is_heard_by_one_device_at_one_volume(stock: Stock) -> None:
    hiss = Background("hiss", -30, {"white": lambda rng, n: synthetic.coloured(rng, n, 0.0)})
    made = night(stock, hiss)
    wave, share = sound(made, cries=False), int(HOURS * 3600 / 3) * SAMPLE_RATE
    assert [episode.device for episode in made.episodes] == ["studio", "laptop", "phone"]

    def band(at: int, low: float, high: float) -> float:
        spectrum = np.abs(np.fft.rfft(wave[at : at + SAMPLE_RATE])) ** 2
        return float(10 * np.log10(spectrum[int(low) : int(high)].mean()))

    studio, laptop, phone = (number * share + share // 2 for number in range(3))
    assert band(studio, 7500, 7900) == pytest.approx(band(studio, 1000, 2000), abs=3)
    assert band(laptop, 20, 60) < band(laptop, 1000, 2000) - 20
    assert band(laptop, 5000, 6000) == pytest.approx(band(laptop, 1000, 2000), abs=3)
    assert band(phone, 6000, 7900) < band(phone, 1000, 2000) - 20
    volumes = [band(at, 1000, 2000) for at in (studio, laptop, phone)]
    assert np.ptp(volumes) > 1
    for number in range(2):
        end = (number + 1) * share
        for at, volume in ((end - 2 * SAMPLE_RATE, volumes[number]), (end + SAMPLE_RATE, volumes[number + 1])):
            assert band(at, 1000, 2000) == pytest.approx(volume, abs=1.5), "it changes within a second"


def test_near_and_far_each_snr_and_each_device_meet(stock: Stock) -> None:
    made = Night(STILL, stock, 18 / 30, 1, (10.0, 0.0, -5.0), per_hour=30)
    kinds = {(episode.snr_db, episode.device, episode.far) for episode in made.episodes}
    assert len(made.episodes) == len(kinds) == 18


def test_from_afar_the_room_fills_the_pauses_and_the_onset_stays(stock: Stock) -> None:
    made = night(stock, **AS_IT_IS)
    cries = sound(made) - sound(made, cries=False)
    near, far = made.episodes[:2]
    assert (near.far, far.far) == (False, True)
    quiet = []
    for episode in (near, far):
        part = cries[episode.onset : episode.end]
        assert np.abs(part[:160]).max() > 0, "it begins where the truth says"
        blocks = part[: part.size // 800 * 800].reshape(-1, 800)
        # How loud the quietest twentieth of a second is that follows a louder one at once: the end of a cry.
        power = np.sqrt(np.mean(blocks**2, axis=1))
        ends = np.flatnonzero((power[:-1] > 0.1 * power.max()) & (power[1:] < 0.1 * power.max()))
        quiet.append(float(np.median(power[np.minimum(ends + 2, power.size - 1)] / power.max())))
    assert quiet[1] > 5 * quiet[0]


def test_same_seed_same_night(stock: Stock) -> None:
    first, again, other = night(stock), night(stock), night(stock, seed=2)
    assert first.episodes == again.episodes != other.episodes
    wave = sound(first)
    assert np.array_equal(wave, sound(again))
    assert np.array_equal(wave, sound(first)), "and it can be heard twice"
    assert not np.array_equal(wave, sound(other))


def expected_alerts(wave: Wave) -> list[float]:
    """When the tiny model raises its first alert, worked out from the sound without ring, detector or policy."""
    spec = FeatureSpec()
    mel = log_mel(wave, spec)
    since: float | None = None
    for stop in range(62, mel.shape[1] + 1, 16):
        mean = fit_frames(mel[:, max(0, stop - 124) : stop], 124).mean()
        x = np.clip(2 * (mean - tiny_model.LOUD_LOG_POWER), -50, 50)
        crying = (np.exp(x) + 3) / (np.exp(x) + 5 + np.exp(-x))
        seconds = spec.samples(stop) / SAMPLE_RATE
        if crying < 0.3:
            since = None
        elif crying >= 0.6:
            since = seconds if since is None else since
            if seconds - since >= 0.5:
                return [seconds]
    return []


def test_a_cry_is_caught_when_it_must_be(listened: tuple[Night, Heard]) -> None:
    made, heard = listened
    outcome = judge(alerts_of(heard, RULES), made.episodes, made.samples)
    assert outcome.false == ()
    (expected,) = expected_alerts(sound(made))
    assert outcome.delays[0] == pytest.approx(expected - made.episodes[0].onset / SAMPLE_RATE)
    assert all(delay is not None and 0.5 <= delay < 5 for delay in outcome.delays)
    told = figures([outcome])
    assert told["caught"] == told["episodes"] == 3
    assert told["by_snr_db"] == {"60": {"episodes": 3, "caught": 3}}
    assert told["caught_share"]["low"] == pytest.approx(0.025 ** (1 / 3), abs=1e-4), "three of three, after Clopper"


def test_silence_gives_no_alarm(stock: Stock, model: Path) -> None:
    made = night(without_cries(stock))
    outcome = judge(alerts_of(listen(Classifier(model), made.blocks()), RULES), made.episodes, made.samples)
    told = figures([outcome])
    assert (told["episodes"], told["false_alarms"], told["caught_share"]) == (0, 0, None)
    assert told["quiet_hours"] == pytest.approx(HOURS)
    assert told["false_alarms_per_hour"]["high"] == pytest.approx(3.689 / HOURS, abs=0.01)


def test_an_alarm_without_a_cry_is_false(stock: Stock, model: Path) -> None:
    made = night(without_cries(stock), BURSTS, **AS_IT_IS)
    outcome = judge(alerts_of(listen(Classifier(model), made.blocks()), RULES), made.episodes, made.samples)
    assert len(outcome.false) >= 3
    assert {made.what(seconds - 1) for seconds in outcome.false} == {"made burst"}
    wave = sound(made)
    for seconds in outcome.false:
        at = int(seconds * SAMPLE_RATE)
        assert loudness(wave[max(0, at - 3 * SAMPLE_RATE) : at]) > 0.1, "there was a burst"


def test_replaying_scores_gives_the_alerts_of_listening(stock: Stock, model: Path) -> None:
    """Kept scores through a fresh policy, and the app's loop with blocks of its own size, agree on every alert."""
    made = night(stock, BURSTS)
    ring = RingBuffer(30.0)
    detector, policy = Detector(Classifier(model), ring), AlertPolicy(RULES)
    raised = []
    wave = sound(made)
    for start in range(0, wave.size, 1000):
        ring.write(wave[start : start + 1000])
        score = detector.poll()
        for event in policy.feed(score) if score is not None else ():
            raised += [event.alert.raised_seconds] * (event.change is Change.RAISED)
    alerts = alerts_of(listen(Classifier(model), made.blocks()), RULES)
    assert [alert.raised_seconds for alert in alerts] == raised
    assert len(raised) > 3


def alert(raised: float, ended: float) -> Alert:
    return Alert(1, "crying", raised - 0.5, raised, ended)


def test_what_is_caught_what_is_late_and_what_is_false() -> None:
    episodes = [
        Episode(int(at * SAMPLE_RATE), int((at + 4) * SAMPLE_RATE), str(at), 10.0) for at in (100, 200, 300, 400)
    ]
    alerts = [
        alert(50.0, 60.0),  # nobody cries
        alert(99.9, 150.0),  # before the first, and lasting: the first is missed for it
        alert(201.25, 230.0),
        alert(202.0, 230.0),  # of the same episode
        alert(309.9, 320.0),  # after the end, but within ten seconds of the onset
        alert(411.0, 420.0),  # too late
    ]
    outcome = judge(alerts, episodes, 3600 * SAMPLE_RATE)
    assert outcome.delays == (None, pytest.approx(1.25), pytest.approx(9.9), None)
    assert outcome.already == 1
    assert outcome.false == (50.0, 99.9, 411.0)
    assert outcome.quiet_hours == pytest.approx(1 - 4 * 10 / 3600)
    told = figures([outcome, outcome])
    assert (told["episodes"], told["babies"], told["caught"]) == (8, 4, 4)
    assert told["false_alarms_per_hour"]["value"] == pytest.approx(6 / (2 * (1 - 40 / 3600)), abs=1e-3)


def test_the_curve_is_in_the_cards_form(listened: tuple[Night, Heard]) -> None:
    made, heard = listened
    ladder = (0.5, 0.9)
    outcomes = []
    for start in ladder:
        rules = AlertRules(start_threshold=start, end_threshold=start / 2)
        outcomes.append([judge(alerts_of(heard, rules), made.episodes, made.samples)])
    rows = curve(ladder, outcomes)
    assert [row["start_threshold"] for row in rows] == [0.5, 0.9]
    assert rows[0]["median_delay_seconds"] <= rows[1]["median_delay_seconds"]
    card = tiny_model.card(operating_curve=rows)
    assert type(card).from_json(card.to_json()).operating_curve == rows
    assert curve((0.99,), [[judge([], made.episodes, made.samples)]]) == [], "no cry, no curve"


def test_the_threshold_weighs_cries_against_false_alarms() -> None:
    rungs = {0.3: (0.95, 10.0), 0.5: (0.93, 6.8), 0.7: (0.925, 1.9), 0.8: (0.9, 0.8), 0.95: (0.5, 0.0)}
    rows = [
        {"start_threshold": at, "caught": some, "false_alarms_per_hour": rate} for at, (some, rate) in rungs.items()
    ]
    assert best_start(rows) == 0.8
    assert best_start([{**row, "false_alarms_per_hour": 0.0} for row in rows]) == 0.3, "what costs nothing is heard"
    with pytest.raises(DataError, match="No cry was caught"):
        best_start([])


def test_real_clips_go_where_they_belong(stock: Stock) -> None:
    assert len(stock.cries) == 4
    assert {piece.kind for group in stock.beds["laughing, babbling"] for piece in group} == {"babbling"}
    assert {piece.kind for group in stock.beds["other"] for piece in group} == {"background"}
    assert all(Night(one, stock, 0.1, 1).possible for one in BACKGROUNDS if one.made or one.name in stock.beds)


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert main(["nights", *arguments, "--json"]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert report.pop("times_real_time") > 0
    return report


def test_command(data_set: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = (
        f"--model {model} --data {data_set} --cache {tmp_path} --hours 0.05 --report {tmp_path / 'report'}".split()
    )
    arguments += ["--backgrounds", "quiet room", "other", "--snr", "30"]
    report = run(arguments, capsys)
    assert report["event"] == "nights"
    assert [one["background"] for one in report["nights"]] == ["quiet room", "other"]
    assert report["all"]["episodes"] == 2
    for row in report["operating_curve"]:
        delays = {"median_delay_seconds", "p95_delay_seconds"}
        assert set(row) == {"start_threshold", "false_alarms_per_hour", "caught", "hours", *delays}
        assert row["hours"] == report["all"]["quiet_hours"]
    assert main(["nights", *arguments]) == 0
    said = capsys.readouterr().out
    assert "quiet room" in said
    assert said == (tmp_path / "report" / "nights.txt").read_text(encoding="utf-8")
    kept = json.loads((tmp_path / "report" / "nights.json").read_text(encoding="utf-8"))
    kept.pop("times_real_time")
    assert kept == report, "the same seed, the same report"
    told = tmp_path / "told.onnx"
    shutil.copy(model, told)
    run([*arguments, "--model", str(told), "--tell-model"], capsys)
    assert Classifier(told).card.operating_curve == report["operating_curve"]
    assert Classifier(model).card.operating_curve == [], "only where it is asked for"
    run([*arguments, "--model", str(told), "--set-thresholds"], capsys)
    thresholds = Classifier(told).card.thresholds
    assert thresholds["start"] in {row["start_threshold"] for row in report["operating_curve"]}
    assert thresholds["end"] == round(0.6 * thresholds["start"], 2)
    groups = [group_hash(clip.group) for clip in load(data_set).clips]
    rewrite_card(told, training={"groups": {"train": groups, "validation": []}})
    assert main(["nights", *arguments, "--model", str(told), "--tell-model"]) == 2
    said = capsys.readouterr().err
    assert "has learnt from these groups" in said
    assert "quiet room" not in said, "it is refused before anything is heard"


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["nights", *arguments]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.endswith(".")
    return said


def test_what_cannot_be_a_night_is_refused(
    own_data_set: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = f"--model {model} --data {own_data_set} --cache {tmp_path / 'cache'}".split()
    assert "no background 'wind'" in refusal([*arguments, "--backgrounds", "wind"], capsys)
    assert "do not fit" in refusal([*arguments, "--hours", "0.1", "--episodes", "100"], capsys)
    write_manifest(own_data_set, [row for row in read_manifest(own_data_set) if row["label"] != "crying"])
    assert "nights need cries" in refusal(arguments, capsys)
