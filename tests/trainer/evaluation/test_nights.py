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
from trainer.evaluation.night_composer import DEVICES, ComposedNight, CryEpisode
from trainer.evaluation.night_outcomes import (
    ScoreSeries,
    alerts_from,
    best_start,
    match_alerts,
    night_figures,
    operating_curve,
    score_series,
)
from trainer.evaluation.night_stock import BACKGROUNDS, Background, Stock, gather_stock, loudness
from trainer.model_file.export import rewrite_card

STILL = Background("still", -70, {"pink": lambda rng, n: synthetic.coloured(rng, n, 1.0)}, nearer_db=40)
BURSTS = Background("bursts", -10, {"burst": lambda rng, n: synthetic.coloured(rng, n // 4, 0.0)}, gap_seconds=20)
RULES = AlertRules(start_threshold=0.6, end_threshold=0.3, minimum_seconds=0.5)
HOURS = 0.1


@pytest.fixture(scope="module")
def stock(data_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Stock:
    data = load(data_set)
    waves = DecodedAudio(data, tmp_path_factory.mktemp("waves"), codecs=False)
    return gather_stock(trim_to_audio(data.clips, waves), waves)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.write(tmp_path_factory.mktemp("model") / "tiny.onnx")


def night(
    stock: Stock,
    background: Background = STILL,
    seed: int = 1,
    snrs_db: tuple[float, ...] = (20.0,),
    **options: Any,
) -> ComposedNight:
    """Six minutes with three episodes."""
    return ComposedNight(background, stock, HOURS, seed, snrs_db, per_hour=30, **options)


AS_IT_IS: dict[str, Any] = {"devices": DEVICES[:1], "volume_db": (0.0, 0.0)}


def sound(of: ComposedNight, cries: bool = True) -> Wave:
    return np.concatenate(list(of.blocks(cries)))


@pytest.fixture(scope="module")
def listened(stock: Stock, model: Path) -> tuple[ComposedNight, ScoreSeries]:
    """A night, and what the tiny model said of it."""
    composed = night(stock)
    return composed, score_series(Classifier(model), composed.blocks())


def without_cries(stock: Stock) -> Stock:
    return replace(stock, cries=[])


def test_cries_are_where_the_truth_says_and_as_loud(stock: Stock) -> None:
    composed = night(stock, snrs_db=(10.0, 0.0), **AS_IT_IS)
    wave, bed = sound(composed), sound(composed, cries=False)
    assert wave.size == bed.size == composed.samples == round(HOURS * 3600 * SAMPLE_RATE)
    assert len(composed.episodes) == 3
    assert [episode.snr_db for episode in composed.episodes] == [50, 40, 50]
    assert len({episode.group for episode in composed.episodes}) == 3
    cries = wave - bed
    for episode in composed.episodes:
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
    composed = night(stock, hiss)
    wave, share = sound(composed, cries=False), int(HOURS * 3600 / 3) * SAMPLE_RATE
    assert [episode.device for episode in composed.episodes] == ["studio", "laptop", "phone"]

    def band(start: int, low: float, high: float) -> float:
        spectrum = np.abs(np.fft.rfft(wave[start : start + SAMPLE_RATE])) ** 2
        return float(10 * np.log10(spectrum[int(low) : int(high)].mean()))

    studio, laptop, phone = (number * share + share // 2 for number in range(3))
    assert band(studio, 7500, 7900) == pytest.approx(band(studio, 1000, 2000), abs=3)
    assert band(laptop, 20, 60) < band(laptop, 1000, 2000) - 20
    assert band(laptop, 5000, 6000) == pytest.approx(band(laptop, 1000, 2000), abs=3)
    assert band(phone, 6000, 7900) < band(phone, 1000, 2000) - 20
    volumes = [band(start, 1000, 2000) for start in (studio, laptop, phone)]
    assert np.ptp(volumes) > 1
    for number in range(2):
        end = (number + 1) * share
        for start, volume in ((end - 2 * SAMPLE_RATE, volumes[number]), (end + SAMPLE_RATE, volumes[number + 1])):
            assert band(start, 1000, 2000) == pytest.approx(volume, abs=1.5), "it changes within a second"


def test_near_and_far_each_snr_and_each_device_meet(stock: Stock) -> None:
    composed = ComposedNight(STILL, stock, 18 / 30, 1, (10.0, 0.0, -5.0), per_hour=30)
    kinds = {(episode.snr_db, episode.device, episode.far) for episode in composed.episodes}
    assert len(composed.episodes) == len(kinds) == 18


def test_from_afar_the_room_fills_the_pauses_and_the_onset_stays(stock: Stock) -> None:
    composed = night(stock, **AS_IT_IS)
    cries = sound(composed) - sound(composed, cries=False)
    near, far = composed.episodes[:2]
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
    first, again, different = night(stock), night(stock), night(stock, seed=2)
    assert first.episodes == again.episodes != different.episodes
    wave = sound(first)
    assert np.array_equal(wave, sound(again))
    assert np.array_equal(wave, sound(first)), "and it can be heard twice"
    assert not np.array_equal(wave, sound(different))


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


def test_a_cry_is_caught_when_it_must_be(listened: tuple[ComposedNight, ScoreSeries]) -> None:
    composed, scores = listened
    outcome = match_alerts(alerts_from(scores, RULES), composed.episodes, composed.samples)
    assert outcome.false == ()
    (expected,) = expected_alerts(sound(composed))
    assert outcome.delays[0] == pytest.approx(expected - composed.episodes[0].onset / SAMPLE_RATE)
    assert all(delay is not None and 0.5 <= delay < 5 for delay in outcome.delays)
    figures = night_figures([outcome])
    assert figures["caught"] == figures["episodes"] == 3
    assert figures["by_snr_db"] == {"60": {"episodes": 3, "caught": 3}}
    assert figures["caught_share"]["low"] == pytest.approx(0.025 ** (1 / 3), abs=1e-4), "three of three, after Clopper"


def test_silence_gives_no_alarm(stock: Stock, model: Path) -> None:
    composed = night(without_cries(stock))
    alerts = alerts_from(score_series(Classifier(model), composed.blocks()), RULES)
    outcome = match_alerts(alerts, composed.episodes, composed.samples)
    figures = night_figures([outcome])
    assert (figures["episodes"], figures["false_alarms"], figures["caught_share"]) == (0, 0, None)
    assert figures["quiet_hours"] == pytest.approx(HOURS)
    assert figures["false_alarms_per_hour"]["high"] == pytest.approx(3.689 / HOURS, abs=0.01)


def test_an_alarm_without_a_cry_is_false(stock: Stock, model: Path) -> None:
    composed = night(without_cries(stock), BURSTS, **AS_IT_IS)
    alerts = alerts_from(score_series(Classifier(model), composed.blocks()), RULES)
    outcome = match_alerts(alerts, composed.episodes, composed.samples)
    assert len(outcome.false) >= 3
    assert {composed.sound_at(seconds - 1) for seconds in outcome.false} == {"made burst"}
    wave = sound(composed)
    for seconds in outcome.false:
        end = int(seconds * SAMPLE_RATE)
        assert loudness(wave[max(0, end - 3 * SAMPLE_RATE) : end]) > 0.1, "there was a burst"


def test_replaying_scores_gives_the_alerts_of_listening(stock: Stock, model: Path) -> None:
    """Kept scores through a fresh policy, and the app's loop with blocks of its own size, agree on every alert."""
    composed = night(stock, BURSTS)
    ring = RingBuffer(30.0)
    detector, policy = Detector(Classifier(model), ring), AlertPolicy(RULES)
    raised = []
    wave = sound(composed)
    for start in range(0, wave.size, 1000):
        ring.write(wave[start : start + 1000])
        score = detector.poll()
        for event in policy.feed(score) if score is not None else ():
            raised += [event.alert.raised_seconds] * (event.change is Change.RAISED)
    alerts = alerts_from(score_series(Classifier(model), composed.blocks()), RULES)
    assert [alert.raised_seconds for alert in alerts] == raised
    assert len(raised) > 3


def alert(raised: float, ended: float) -> Alert:
    return Alert(1, "crying", raised - 0.5, raised, ended)


def test_what_is_caught_what_is_late_and_what_is_false() -> None:
    episodes = [
        CryEpisode(int(second * SAMPLE_RATE), int((second + 4) * SAMPLE_RATE), str(second), 10.0)
        for second in (100, 200, 300, 400)
    ]
    alerts = [
        alert(50.0, 60.0),  # nobody cries
        alert(99.9, 150.0),  # before the first, and lasting: the first is missed for it
        alert(201.25, 230.0),
        alert(202.0, 230.0),  # of the same episode
        alert(309.9, 320.0),  # after the end, but within ten seconds of the onset
        alert(411.0, 420.0),  # too late
    ]
    outcome = match_alerts(alerts, episodes, 3600 * SAMPLE_RATE)
    assert outcome.delays == (None, pytest.approx(1.25), pytest.approx(9.9), None)
    assert outcome.already == 1
    assert outcome.false == (50.0, 99.9, 411.0)
    assert outcome.quiet_hours == pytest.approx(1 - 4 * 10 / 3600)
    figures = night_figures([outcome, outcome])
    assert (figures["episodes"], figures["babies"], figures["caught"]) == (8, 4, 4)
    assert figures["false_alarms_per_hour"]["value"] == pytest.approx(6 / (2 * (1 - 40 / 3600)), abs=1e-3)


def test_the_curve_is_in_the_cards_form(listened: tuple[ComposedNight, ScoreSeries]) -> None:
    composed, scores = listened
    ladder = (0.5, 0.9)
    outcomes = []
    for start in ladder:
        rules = AlertRules(start_threshold=start, end_threshold=start / 2)
        outcomes.append([match_alerts(alerts_from(scores, rules), composed.episodes, composed.samples)])
    rows = operating_curve(ladder, outcomes)
    assert [row["start_threshold"] for row in rows] == [0.5, 0.9]
    assert rows[0]["median_delay_seconds"] <= rows[1]["median_delay_seconds"]
    card = tiny_model.card(operating_curve=rows)
    assert type(card).from_json(card.to_json()).operating_curve == rows
    assert operating_curve((0.99,), [[match_alerts([], composed.episodes, composed.samples)]]) == [], "no cry, no curve"


def test_the_threshold_weighs_cries_against_false_alarms() -> None:
    rungs = {0.3: (0.95, 10.0), 0.5: (0.93, 6.8), 0.7: (0.925, 1.9), 0.8: (0.9, 0.8), 0.95: (0.5, 0.0)}
    rows = [
        {"start_threshold": start, "caught": caught, "false_alarms_per_hour": rate}
        for start, (caught, rate) in rungs.items()
    ]
    assert best_start(rows) == 0.8
    assert best_start([{**row, "false_alarms_per_hour": 0.0} for row in rows]) == 0.3, "what costs nothing is heard"
    with pytest.raises(DataError, match="No cry was caught"):
        best_start([])


def test_real_clips_go_where_they_belong(stock: Stock) -> None:
    assert len(stock.cries) == 4
    assert {piece.kind for group in stock.beds["laughing, babbling"] for piece in group} == {"babbling"}
    assert {piece.kind for group in stock.beds["other"] for piece in group} == {"background"}
    assert all(
        ComposedNight(background, stock, 0.1, 1).possible
        for background in BACKGROUNDS
        if background.synthetic_sounds or background.name in stock.beds
    )


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
    assert [night["background"] for night in report["nights"]] == ["quiet room", "other"]
    assert report["all"]["episodes"] == 2
    for row in report["operating_curve"]:
        delays = {"median_delay_seconds", "p95_delay_seconds"}
        assert set(row) == {"start_threshold", "false_alarms_per_hour", "caught", "hours", *delays}
        assert row["hours"] == report["all"]["quiet_hours"]
    assert main(["nights", *arguments]) == 0
    output = capsys.readouterr().out
    assert "quiet room" in output
    assert output == (tmp_path / "report" / "nights.txt").read_text(encoding="utf-8")
    stored = json.loads((tmp_path / "report" / "nights.json").read_text(encoding="utf-8"))
    stored.pop("times_real_time")
    assert stored == report, "the same seed, the same report"
    copy = tmp_path / "told.onnx"
    shutil.copy(model, copy)
    run([*arguments, "--model", str(copy), "--tell-model"], capsys)
    assert Classifier(copy).card.operating_curve == report["operating_curve"]
    assert Classifier(model).card.operating_curve == [], "only where it is asked for"
    run([*arguments, "--model", str(copy), "--set-thresholds"], capsys)
    thresholds = Classifier(copy).card.thresholds
    assert thresholds["start"] in {row["start_threshold"] for row in report["operating_curve"]}
    assert thresholds["end"] == round(0.6 * thresholds["start"], 2)
    groups = [group_hash(clip.group) for clip in load(data_set).clips]
    rewrite_card(copy, training={"groups": {"train": groups, "validation": []}})
    assert main(["nights", *arguments, "--model", str(copy), "--tell-model"]) == 2
    output = capsys.readouterr().err
    assert "has learnt from these groups" in output
    assert "quiet room" not in output, "it is refused before anything is heard"


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["nights", *arguments]) == 2
    output = capsys.readouterr().err.strip().splitlines()[-1]
    assert output.endswith(".")
    return output


def test_what_cannot_be_a_night_is_refused(
    own_data_set: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = f"--model {model} --data {own_data_set} --cache {tmp_path / 'cache'}".split()
    assert "no background 'wind'" in refusal([*arguments, "--backgrounds", "wind"], capsys)
    assert "do not fit" in refusal([*arguments, "--hours", "0.1", "--episodes", "100"], capsys)
    write_manifest(own_data_set, [row for row in read_manifest(own_data_set) if row["label"] != "crying"])
    assert "nights need cries" in refusal(arguments, capsys)
