"""P(crying) of the windows of a sound all at once is what is said of them one after the other."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_ear
import tiny_model

from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.evidence import WINDOWS
from babymonitor.core.model.replay import clip_scores, clip_windows
from babymonitor.core.model.scorer import over_time
from resources import synthesise


@pytest.fixture(scope="module")
def ear(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return Classifier(tiny_ear.write(tmp_path_factory.mktemp("model") / "ear.onnx"))


def test_many_windows_at_once_are_weighed_as_one_after_the_other() -> None:
    evidence = tiny_ear.evidence()
    history = np.random.default_rng(1).normal(0, 3, (20, 3)).astype(np.float32)
    expected = [evidence(history[max(0, last - WINDOWS + 1) : last + 1]) for last in range(20)]
    assert np.ptp(expected) > 0.5
    assert np.allclose(evidence.of_windows(history), expected, atol=1e-6)


def test_a_sound_that_goes_on_is_weighed_as_its_only_window() -> None:
    evidence = tiny_ear.evidence()
    rows = np.random.default_rng(5).normal(0, 3, (4, 3)).astype(np.float32)
    expected = [evidence(np.repeat(row[None], WINDOWS, axis=0)) for row in rows]
    assert np.allclose(evidence.steady(rows), expected, atol=1e-6)


def test_rows_of_a_clip_say_what_the_app_says(ear: Classifier) -> None:
    wave = synthesise.cat(3.0, np.random.default_rng(2))
    answers = [ear.answer(window.features) for window in clip_windows(wave, ear.card)]
    rows = over_time(
        ear.card,
        np.stack([answer.probabilities for answer in answers]),
        np.stack([answer.sounds for answer in answers]),
    )
    scores = clip_scores(wave, ear)
    assert len(scores) > 5
    assert np.allclose(rows.crying, [score.crying for score in scores], atol=1e-5)
    assert np.allclose(rows.probabilities, [list(score.probabilities.values()) for score in scores], atol=1e-5)
    alone = [ear.crying(answer.probabilities) for answer in answers]
    assert np.abs(rows.crying - alone).max() > 0.05, "and that is not what each window says alone"


def test_a_sound_knows_nothing_of_the_sound_before_it(ear: Classifier) -> None:
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet(np.ones(7), 12).astype(np.float32)
    sounds = rng.normal(0, 2, (12, 2)).astype(np.float32)
    together = over_time(ear.card, probabilities, sounds, np.repeat([0, 1], (5, 7)))
    parts = [over_time(ear.card, probabilities[part], sounds[part]) for part in (slice(5), slice(5, None))]
    assert np.allclose(together.crying, np.concatenate([part.crying for part in parts]))
    joined = over_time(ear.card, probabilities, sounds)
    assert not np.allclose(together.crying[5:], joined.crying[5:])


def test_without_evidence_each_window_speaks_for_itself() -> None:
    card = tiny_model.card()
    probabilities = np.random.default_rng(4).dirichlet(np.ones(7), 5).astype(np.float32)
    rows = over_time(card, probabilities, np.zeros((5, 0), np.float32))
    assert np.array_equal(rows.probabilities, probabilities)
    assert np.allclose(rows.crying, probabilities[:, :4].sum(1))


def test_a_window_that_leaves_no_doubt_keeps_its_labels(ear: Classifier) -> None:
    """There is nothing on the other side whose proportions could be kept."""
    probabilities = np.eye(7, dtype=np.float32)[[0, 6]]
    rows = over_time(ear.card, probabilities, np.zeros((2, 2), np.float32))
    assert np.array_equal(rows.probabilities, probabilities)
    assert 0 < rows.crying.min() < rows.crying.max() < 1
