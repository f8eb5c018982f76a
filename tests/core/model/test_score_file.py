"""What a wave in memory is taken for is what a file with the same sound is taken for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny_model

from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.detector import Detector
from babymonitor.core.model.score_file import Guess, judge
from babymonitor.core.model.scorer import Score
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.sound.wave import Wave


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return Classifier(tiny_model.write(tmp_path_factory.mktemp("model") / "tiny.onnx"))


def noise(seconds: float, amplitude: float, seed: int = 0) -> Wave:
    samples = np.random.default_rng(seed).standard_normal(int(16000 * seconds)) * amplitude
    return np.asarray(np.clip(samples, -1, 1), np.float32)


def guess_of(wave: Wave, classifier: Classifier) -> Guess:
    guess = Guess(wave, classifier)
    while guess.step():
        pass
    return guess


def test_a_wave_is_judged_as_the_file_is(classifier: Classifier, tmp_path: Path) -> None:
    wave = np.concatenate((noise(4, 0.001), noise(3, 0.1, 1), noise(3, 0.001, 2)))
    path = tmp_path / "sound.wav"
    soundfile.write(path, wave, 16000, subtype="FLOAT")
    assert guess_of(wave, classifier).crying == pytest.approx(judge(path, classifier).crying, abs=1e-5)


def test_the_most_telling_window_decides(classifier: Classifier, tmp_path: Path) -> None:
    """Not a mean over several: many a cry is no longer than one."""
    wave = np.concatenate((noise(4, 0.0005), noise(1.2, 0.1, 1), noise(4, 0.0005, 2)))
    path = tmp_path / "sound.wav"
    soundfile.write(path, wave, 16000, subtype="FLOAT")
    ring = RingBuffer(20.0, 16000)
    detector = Detector(classifier, ring)
    scores = []
    for start in range(0, wave.size, 1024):
        ring.write(wave[start : start + 1024])
        scores.extend(iter(detector.poll, None))
    best = max(scores, key=lambda score: score.crying)
    verdict = judge(path, classifier)
    assert verdict.crying == pytest.approx(best.crying, abs=1e-5)
    assert best.crying > np.median([score.crying for score in scores]) + 0.1
    chosen = best if best.crying >= classifier.card.thresholds["start"] else min(scores, key=background)
    assert verdict.probabilities == pytest.approx(chosen.probabilities, abs=1e-5)
    assert verdict.label == max(chosen.probabilities, key=chosen.probabilities.__getitem__)


def background(score: Score) -> float:
    return score.probabilities["background"]


def test_the_loud_part_of_a_clip_decides_and_not_the_pause_before_it(classifier: Classifier) -> None:
    cry = guess_of(noise(3, 0.1), classifier).probabilities
    with_pause = guess_of(np.concatenate((noise(12, 0.0005, 1), noise(3, 0.1))), classifier)
    assert cry["background"] < 0.1
    assert with_pause.probabilities["background"] < 0.35, "of its windows four in five are background"
    assert sum(with_pause.probabilities.values()) == pytest.approx(1.0, abs=1e-5)
    assert with_pause.crying == pytest.approx(guess_of(noise(3, 0.1), classifier).crying, abs=0.02)
    assert guess_of(noise(5, 0.0005), classifier).probabilities["background"] > 0.9


def test_digital_silence_is_judged_and_what_is_no_sound_is_not(classifier: Classifier) -> None:
    silence = guess_of(np.zeros(32000, np.float32), classifier)
    assert sum(silence.probabilities.values()) == pytest.approx(1.0, abs=1e-5)
    short = guess_of(noise(0.3, 0.1), classifier)
    assert short.crying > 0.5
    for samples in (0, 100):
        nothing = guess_of(np.zeros(samples, np.float32), classifier)
        assert nothing.probabilities == {}
        assert nothing.crying == 0.0
