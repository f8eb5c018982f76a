"""A model with evidence is asked where there is something to hear, remembers, and forgets where sound is cut."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_model
from plain_evidence import evidence

from babymonitor.core.model.classifier import Answer, Classifier
from babymonitor.core.model.detector import Detector
from babymonitor.core.model.features import Mel
from babymonitor.core.model.quiet_gate import QuietGate
from babymonitor.core.model.replay import replay_scores, replay_windows
from babymonitor.core.model.scorer import Scorer
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.sound.wave import Wave
from trainer.audio import synthetic


class Weighing(Classifier):
    """The tiny model, which takes loud sound for crying, with evidence over four windows."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.evidence = evidence()
        self.windows: list[Mel] = []

    def answer(self, window: Mel) -> Answer:
        self.windows.append(window)
        return super().answer(window)


@pytest.fixture
def model(tmp_path: Path) -> Weighing:
    return Weighing(tiny_model.write(tmp_path / "tiny.onnx"))


def noise(seconds: float, level: float = 0.001, seed: int = 0) -> Wave:
    return np.asarray(np.random.default_rng(seed).standard_normal(int(seconds * 16000)) * level, np.float32)


def night(cries_at: float = 20.0, seconds: float = 40.0) -> Wave:
    wave = noise(seconds)
    cry = synthetic.cry(np.random.default_rng(1), 3 * 16000)
    start = int(cries_at * 16000)
    wave[start : start + cry.size] += cry
    return wave


def test_a_quiet_night_is_asked_about_seldom_and_a_cry_at_once(model: Weighing) -> None:
    windows = list(replay_windows((night(),), model.card))
    scorer = Scorer(model)
    asked = []
    for window in windows:
        before = scorer.asked
        scorer.score(window)
        if scorer.asked > before:
            asked.append(window.end_sample / 16000)
    times = np.array(asked)
    hop = model.card.hop_seconds
    assert 1 <= ((times > 10) & (times < 20)).sum() <= 10 / 2 + 1, "every two seconds"
    assert times[times >= 20].min() - 20 <= 2 * hop, "at the second window after its onset at the latest"
    crying = (times >= 20.5) & (times < 23)
    assert np.diff(times[crying]) == pytest.approx(hop, abs=1e-3), "no window of a cry is left out"


def test_scores_are_the_same_in_whatever_blocks_sound_comes(model: Weighing) -> None:
    wave = night(8.0, 16.0)
    expected = [score.crying for score in replay_scores((wave,), model)]
    ring = RingBuffer(20.0)
    detector, scores = Detector(model, ring), []
    for start in range(0, wave.size, 777):
        ring.write(wave[start : start + 777])
        while (score := detector.poll()) is not None:
            scores.append(score.crying)
    assert scores == expected
    assert max(scores) > 0.9


def test_the_labels_share_the_evidence(model: Weighing) -> None:
    for score in replay_scores((night(8.0, 16.0),), model):
        assert sum(score.probabilities.values()) == pytest.approx(1.0, abs=1e-4)
        crying = sum(score.probabilities[name] for name in ("hungry", "pain", "tired", "sad"))
        assert crying == pytest.approx(score.crying, abs=1e-4)


def test_nothing_is_remembered_across_a_cut(model: Weighing) -> None:
    cry = synthetic.cry(np.random.default_rng(1), 4 * 16000)
    ring = RingBuffer(20.0)
    detector = Detector(model, ring)
    quiet = noise(4.0, seed=3)

    def crying(wave: Wave) -> list[float]:
        scores = []
        for start in range(0, wave.size, 1600):
            ring.write(wave[start : start + 1600])
            while (score := detector.poll()) is not None:
                scores.append(score.crying)
        return scores

    assert max(crying(cry)) > 0.9
    ring.cut()
    assert max(crying(quiet)) < 0.1


def test_a_model_without_evidence_is_asked_about_every_window(tmp_path: Path) -> None:
    model = Classifier(tiny_model.write(tmp_path / "tiny.onnx"))
    scorer = Scorer(model)
    windows = list(replay_windows((noise(5.0),), model.card))
    for window in windows:
        score = scorer.score(window)
        assert score.crying == model.crying(model.probabilities(window.features))
        assert score.sounds == {}
    assert scorer.asked == len(windows)


def test_the_background_is_learnt_and_what_rises_out_of_it_is_noticed() -> None:
    rng = np.random.default_rng(0)
    gate = QuietGate()
    assert gate.rises(np.zeros((64, 16), np.float32)), "unknown at first"
    steady = [np.asarray(rng.normal(-3.0, 0.4, (64, 16)), np.float32) for _ in range(60)]
    for frames in steady[:40]:
        gate.rises(frames)
        gate.learn()
    assert not any(gate.rises(frames) for frames in steady[40:])
    harmonics = steady[-1].copy()
    harmonics[[10, 18, 25, 31, 36, 40, 44, 47], 5:] += 2.0
    assert gate.rises(harmonics)
    for _ in range(3):
        assert gate.rises(harmonics), "what is not learnt stays new"
