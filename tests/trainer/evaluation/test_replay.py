"""Whoever asks about a sound asks about the live monitor's windows, and gets its scores to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from made_data import DEFAULT_MODEL

from babymonitor.core.alerts.policy import AlertRules
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.detector import Detector
from babymonitor.core.model.replay import clip_scores, replay_scores
from babymonitor.core.model.score_file import Guess, judge
from babymonitor.core.model.scorer import Score, over_time
from babymonitor.core.paths import resource
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.sound.wave import Wave
from trainer.evaluation import evaluate
from trainer.evaluation.alert_delay import first_alert_seconds
from trainer.evaluation.night_outcomes import ScoreSeries, alerts_from, score_series
from trainer.home.adapter import BaseModel
from trainer.home.clip_embeddings import Projection, embed_clip
from trainer.home.old_and_new import _judge


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(DEFAULT_MODEL)


@pytest.fixture(scope="module")
def demo(classifier: Classifier) -> Wave:
    return read_wave(resource("demo.flac"), classifier.card.features.sample_rate)


@pytest.fixture(scope="module")
def live(classifier: Classifier, demo: Wave) -> list[Score]:
    """The monitor's own scores of the demo recording, which comes in the small blocks of a microphone."""
    ring = RingBuffer(180.0)
    detector, scores = Detector(classifier, ring), []
    for start in range(0, demo.size, 480):
        ring.write(demo[start : start + 480])
        if (score := detector.poll()) is not None:
            scores.append(score)
    return scores


def blocks_of(wave: Wave, size: int) -> Iterator[Wave]:
    for start in range(0, wave.size, size):
        yield wave[start : start + size]


@pytest.mark.parametrize("size", [333, 4096, 65536, 10**7])
def test_a_replay_is_the_live_monitor_whatever_the_blocks(
    classifier: Classifier, demo: Wave, live: list[Score], size: int
) -> None:
    assert len(live) > 250
    assert list(replay_scores(blocks_of(demo, size), classifier)) == live


def test_the_verdict_on_a_file(classifier: Classifier, live: list[Score]) -> None:
    verdict = judge(resource("demo.flac"), classifier)
    assert verdict.crying == max(score.crying for score in live)
    assert verdict.probabilities in [score.probabilities for score in live]


def test_a_suggested_label(classifier: Classifier, demo: Wave, live: list[Score]) -> None:
    guess = Guess(demo, classifier)
    steps = 0
    while guess.step():
        steps += 1
    assert steps == len(live)
    assert guess.crying == max(score.crying for score in live)


def test_nights(classifier: Classifier, demo: Wave, live: list[Score]) -> None:
    series = score_series(classifier, blocks_of(demo, 1 << 16))
    expected = ScoreSeries.from_scores(live)
    assert np.array_equal(series.end_samples, expected.end_samples)
    assert np.array_equal(series.crying, expected.crying)
    assert np.array_equal(series.level_db, expected.level_db)


def test_alert_delays(classifier: Classifier, demo: Wave, live: list[Score]) -> None:
    rules = AlertRules.of_card(classifier.card)
    first = alerts_from(ScoreSeries.from_scores(live), rules)[0]
    assert first_alert_seconds(classifier, demo, rules) == first.raised_seconds


def test_clip_embeddings(classifier: Classifier, demo: Wave, live: list[Score]) -> None:
    base = BaseModel(DEFAULT_MODEL)
    size = base(np.zeros((1, base.card.features.rows, base.card.window_frames), np.float32))[1].shape[1]
    projection = Projection(np.zeros(size, np.float32), np.eye(size, 2, dtype=np.float32))
    clip = embed_clip(base, projection, demo, "demo.flac", "demo", "hungry", 0, (1,))
    assert clip.ends.tolist() == [score.end_sample for score in live]
    assert clip.level_db.tolist() == [score.level_db for score in live]
    take = clip.takes[0]
    crying = over_time(classifier.card, take.probabilities, take.sounds).crying
    # The live scorer asks seldom where it is quiet, and lets the last answer stand.
    assert np.quantile(np.abs(crying - [score.crying for score in live]), 0.9) < 0.05


def test_evaluation_by_clip_and_the_comparison_of_two_models(
    classifier: Classifier, demo: Wave, live: list[Score]
) -> None:
    assert clip_scores(demo, classifier) == live
    crying = [score.crying for score in live]
    scores = evaluate._clip_scores(classifier, None, demo)
    assert scores["model"] == max(crying)
    assert scores["model_as_alert"] == AlertRules.of_card(classifier.card).held_up(crying, classifier.card.hop_seconds)
    assert _judge(classifier, demo).crying == max(crying)


@pytest.mark.parametrize("samples", [0, 100, 4000, 20000])
def test_a_clip_shorter_than_a_window_has_a_score(classifier: Classifier, samples: int) -> None:
    """Live, less than a frame is nothing and less than half a window is judged when the sound ends."""
    wave = np.full(samples, 0.1, np.float32)
    scores = clip_scores(wave, classifier)
    replayed = list(replay_scores((wave,), classifier))
    if samples < classifier.card.features.n_fft:
        assert (len(scores), replayed) == (1, [])
    else:
        assert scores == replayed
        assert len(scores) >= 1


def test_nothing_outside_the_grid_cuts_windows_for_the_monitor() -> None:
    """The grid is the only place that knows the first, half window; whoever needs one calls the replay."""
    root = Path(__file__).resolve().parents[3]
    users = {
        path.relative_to(root).as_posix()
        for folder in ("babymonitor", "trainer", "benchmarks")
        for path in (root / folder).rglob("*.py")
        if "window_frames // 2" in path.read_text(encoding="utf-8")
    }
    assert users == {"babymonitor/core/model/window_grid.py"}
