"""The shipped model: what must never be a cry, what must be one, and the same probabilities at any volume."""

from __future__ import annotations

import numpy as np
import pytest
from made_data import DEFAULT_MODEL

from babymonitor.core.labels import LABELS
from babymonitor.core.model.classifier import Classifier, decode_golden
from babymonitor.core.sound.wave import Wave
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
    return classifier.crying(classifier.probabilities_of_wave(wave))


def test_opens_small_and_with_the_vocabulary(classifier: Classifier) -> None:
    assert classifier.labels == tuple(LABELS)
    assert DEFAULT_MODEL.stat().st_size <= 2_000_000
    assert classifier.card.window_samples == 32000
    assert classifier.card.hop_seconds <= 0.5
    assert classifier.card.licence == "CC BY-NC-SA 4.0"
    assert (DEFAULT_MODEL.with_suffix(".md")).is_file()


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
    assert crying(classifier, golden) >= classifier.card.thresholds["start"]
    rng = np.random.default_rng(12)
    values = [crying(classifier, synthetic.cry(rng, 32000)) for _ in range(20)]
    assert sum(value >= classifier.card.thresholds["start"] for value in values) >= 16, np.round(values, 2)


@pytest.mark.parametrize("gain_db", [-20, -10, 10])
def test_volume_changes_nothing(classifier: Classifier, gain_db: float) -> None:
    """Exact except for the features' absolute floor: half a percentage point."""
    rng = np.random.default_rng(13)
    factor = np.float32(10 ** (gain_db / 20))
    for wave in (
        0.3 * synthetic.cry(rng, 32000),
        0.3 * synthetic.voice_like(rng, 32000),
        0.1 * synthetic.fan(rng, 32000),
    ):
        wave = np.asarray(wave + 1e-3 * rng.standard_normal(32000), np.float32)
        quiet = classifier.probabilities_of_wave(wave * factor)
        assert np.allclose(quiet, classifier.probabilities_of_wave(wave), atol=0.005)


def test_short_sound_is_judged(classifier: Classifier) -> None:
    """The start of a stream is mirrored, and a cry is recognised there too."""
    wave = synthetic.cry(np.random.default_rng(14), 16000)
    assert classifier.probabilities_of_wave(wave).sum() == pytest.approx(1, abs=1e-4)
    assert crying(classifier, wave) > 0.3
    assert crying(classifier, np.zeros(16000, np.float32)) < 0.1


def test_reasons_are_never_confident(classifier: Classifier) -> None:
    """The sound hardly reveals why a child cries, so whoever shows a reason must not be given a certainty."""
    rng = np.random.default_rng(15)
    for _ in range(10):
        reasons = classifier.reasons(classifier.probabilities_of_wave(synthetic.cry(rng, 32000)))
        assert max(reasons.values()) < 0.8
