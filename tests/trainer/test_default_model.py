"""The shipped model: what must never be a cry, what must be one, and the same verdict at any volume."""

from __future__ import annotations

import numpy as np
import pytest
from made_data import DEFAULT_MODEL

from babymonitor.core.labels import LABELS
from babymonitor.core.model.classifier import Classifier, decode_golden
from babymonitor.core.model.replay import clip_scores
from babymonitor.core.model.sounds import likeliest
from babymonitor.core.sound.wave import Wave
from resources import synthesise
from trainer.audio import synthetic

NEVER_A_CRY = {
    "digital silence": lambda rng, n: np.zeros(n, np.float32),
    "last bit": lambda rng, n: np.asarray(np.round(rng.standard_normal(n)) / 32768, np.float32),
    "white noise": lambda rng, n: synthetic.coloured(rng, n, 0.0),
    "pink noise": lambda rng, n: synthetic.coloured(rng, n, 1.0),
    "brown noise": lambda rng, n: synthetic.coloured(rng, n, 2.0),
    "hum": synthetic.hum,
    "fan": synthetic.fan,
    "shush": synthetic.shush,
    "clicks": synthetic.clicks,
    "voice-like": synthetic.voice_like,
}


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(DEFAULT_MODEL)


def crying(classifier: Classifier, wave: Wave) -> float:
    """The highest P(crying) of any window, as the monitor would say it."""
    return max(score.crying for score in clip_scores(wave, classifier))


def test_opens_small_and_with_the_vocabulary(classifier: Classifier) -> None:
    assert classifier.labels == tuple(LABELS)
    assert DEFAULT_MODEL.stat().st_size <= 5_000_000
    assert classifier.card.window_samples == 15600
    assert classifier.evidence is not None
    assert classifier.card.hop_seconds <= 0.5
    assert classifier.card.licence == "CC BY 4.0"
    assert (DEFAULT_MODEL.with_suffix(".md")).is_file()
    assert (DEFAULT_MODEL.with_name("NOTICE.md")).is_file(), "it goes on from YAMNet"


def test_probabilities_sum_to_one_for_any_input(classifier: Classifier) -> None:
    rng = np.random.default_rng(0)
    for scale in (0.0, 1e-6, 1e-3, 1.0, 8.0):
        row = classifier.probabilities_of_wave(np.asarray(scale * rng.standard_normal(32000), np.float32))
        assert row.sum() == pytest.approx(1, abs=1e-4)
        assert (row >= 0).all()


@pytest.mark.parametrize("kind", NEVER_A_CRY)
def test_what_is_no_cry_stays_below_the_threshold(classifier: Classifier, kind: str) -> None:
    rng = np.random.default_rng(11)
    values = [crying(classifier, NEVER_A_CRY[kind](rng, 32000)) for _ in range(20)]
    above = sum(value >= classifier.card.thresholds["start"] for value in values)
    assert above <= 1, f"{kind}: {above} of 20, highest {max(values):.2f}"


def test_a_synthetic_cry_is_a_cry(classifier: Classifier) -> None:
    golden = decode_golden(classifier.card.golden["wave"])
    assert classifier.crying(classifier.probabilities_of_wave(golden)) > 0.1
    rng = np.random.default_rng(12)
    values = [crying(classifier, synthetic.cry(rng, 48000)) for _ in range(20)]
    assert sum(value >= classifier.card.thresholds["start"] for value in values) >= 16, np.round(values, 2)


@pytest.mark.parametrize("gain_db", [-20, -10, 10])
def test_volume_changes_no_verdict(classifier: Classifier, gain_db: float) -> None:
    factor = np.float32(10 ** (gain_db / 20))
    start = classifier.card.thresholds["start"]
    for maker, cries in ((synthesise.cry, True), (synthesise.speech_like, False), (synthesise.fan, False)):
        wave = maker(4.0, np.random.default_rng(13), level_db=-24.0)
        assert (crying(classifier, np.asarray(wave * factor, np.float32)) >= start) == cries, maker.__name__


def test_short_sound_is_judged(classifier: Classifier) -> None:
    """The start of a stream is mirrored, and a cry is recognised there too."""
    wave = synthesise.cry(1.2, np.random.default_rng(14))
    assert classifier.probabilities_of_wave(wave).sum() == pytest.approx(1, abs=1e-4)
    assert crying(classifier, wave) > 0.3
    assert crying(classifier, np.zeros(16000, np.float32)) < 0.1


def test_a_minute_of_talk_with_a_shriek_is_no_cry_and_one_with_crying_is(classifier: Classifier) -> None:
    rng = np.random.default_rng(15)
    talk = synthesise.speech_like(60.0, rng, high=True)
    assert crying(classifier, talk) < classifier.card.thresholds["end"]
    shriek, cry = talk.copy(), talk.copy()
    time = np.arange(9600) / 16000
    shriek[480_000:489_600] += np.float32(0.3) * np.sin(2 * np.pi * (900 + 300 * time) * time).astype(np.float32)
    assert crying(classifier, shriek) < classifier.card.thresholds["start"]
    cry[480_000:544_000] += synthesise.cry(4.0, rng)
    assert crying(classifier, cry) >= classifier.card.thresholds["start"]


def test_it_says_what_else_it_hears(classifier: Classifier) -> None:
    rng = np.random.default_rng(16)
    for maker, expected in ((synthesise.speech_like, "talking"), (synthesise.music_box, "music")):
        names = [likeliest(score.sounds) for score in clip_scores(maker(6.0, rng), classifier)]
        assert names.count(expected) > len(names) / 3, (expected, names)
    quiet = [likeliest(score.sounds) for score in clip_scores(synthesise.room_tone(6.0, rng), classifier)]
    assert set(quiet) <= {"quiet", ""}
