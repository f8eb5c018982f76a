"""The same windows are judged however sound comes in and however often anyone looks."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tiny_model

from babymonitor.core.alerts.loudness import LoudnessMeter
from babymonitor.core.model.classifier import Answer, Classifier
from babymonitor.core.model.detector import Detector
from babymonitor.core.model.scorer import Score
from babymonitor.core.model.window_grid import WindowGrid
from babymonitor.core.sound.ring import RingBuffer


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return Classifier(tiny_model.write(tmp_path_factory.mktemp("model") / "tiny.onnx"))


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise whose loudness wanders."""
    generator = np.random.default_rng(seed)
    samples = int(seconds * 16000)
    knots = generator.uniform(0, 0.3, int(seconds) + 2)
    loudness = np.interp(np.arange(samples) / 16000, np.arange(knots.size), knots)
    return np.asarray(generator.standard_normal(samples) * loudness, np.float32)


def listen(classifier: Classifier, wave: np.ndarray, sizes: list[int]) -> list[Score]:
    """All scores of a wave that comes in blocks of these sizes, over and over."""
    ring, scores, start, turn = RingBuffer(20.0), [], 0, 0
    detector = Detector(classifier, ring)
    while start < wave.size:
        size = sizes[turn % len(sizes)]
        ring.write(wave[start : start + size])
        start, turn = start + size, turn + 1
        while (score := detector.poll()) is not None:
            scores.append(score)
    return scores


def test_scores_do_not_depend_on_the_blocks(classifier: Classifier) -> None:
    wave = sound(30)
    expected = listen(classifier, wave, [4096])
    assert len(expected) == 1 + (classifier.card.features.frames(wave.size) - 62) // 16
    for sizes in ([100], [4000], [333, 17, 2999]):
        scores = listen(classifier, wave, sizes)
        assert [score.end_sample for score in scores] == [score.end_sample for score in expected]
        for score, reference in zip(scores, expected, strict=True):
            assert score.crying == pytest.approx(reference.crying, abs=1e-5)
            assert score.level_db == pytest.approx(reference.level_db, abs=1e-3)


def test_a_streamed_score_is_the_score_of_the_window_cut_out(classifier: Classifier) -> None:
    wave = sound(10)
    for score in listen(classifier, wave, [4000])[5:]:
        window = wave[score.end_sample - 32000 : score.end_sample]
        assert score.crying == pytest.approx(classifier.crying(classifier.probabilities_of_wave(window)), abs=1e-4)


def test_a_late_look_takes_the_newest_window_of_the_same_grid(classifier: Classifier) -> None:
    wave, ring = sound(30), RingBuffer(60.0)
    detector = Detector(classifier, ring)
    every = {score.end_sample: score for score in listen(classifier, wave, [4000])}
    late = []
    for start in range(0, wave.size, 40000):
        ring.write(wave[start : start + 40000])
        score = detector.poll()
        assert detector.poll() is None, "it never queues"
        if score is not None:
            late.append(score)
    assert len(late) == 12
    for score in late:
        assert score.crying == pytest.approx(every[score.end_sample].crying, abs=1e-5)
        assert ring.written - score.end_sample >= 0


def test_a_look_that_is_a_little_late_leaves_nothing_out(classifier: Classifier) -> None:
    wave, ring = sound(30), RingBuffer(60.0)
    every = [score.end_sample for score in listen(classifier, wave, [4000])]
    detector, ends = Detector(classifier, ring), []
    for start in range(0, wave.size, 15000):
        ring.write(wave[start : start + 15000])
        looks = []
        while (score := detector.poll()) is not None:
            looks.append(score.end_sample)
        ends += looks
        assert len(looks) <= WindowGrid.MOST_LATE_HOPS
    assert ends == every


def test_held_up_for_longer_than_the_ring_it_begins_anew(classifier: Classifier) -> None:
    ring = RingBuffer(1.5)
    detector = Detector(classifier, ring)
    ring.write(sound(1.2))
    assert detector.poll() is not None
    ring.write(sound(10))
    assert detector.poll() is None
    lost = ring.written
    ring.write(sound(1.2))
    score = detector.poll()
    assert score is not None
    assert lost < score.end_sample <= ring.written


def test_after_a_cut_nothing_from_before_it_is_heard(classifier: Classifier) -> None:
    ring = RingBuffer(20.0)
    detector = Detector(classifier, ring)
    loud = np.random.default_rng(0).uniform(-1, 1, 48000).astype(np.float32)
    quiet = np.random.default_rng(0).uniform(-1, 1, 48000).astype(np.float32) * 1e-4
    ring.write(loud)
    first = detector.poll()
    assert first is not None
    assert first.crying > 0.9
    ring.cut()
    ring.write(quiet[:15000])
    assert detector.poll() is None, "half a window is needed again"
    ring.write(quiet[15000:17000])
    score = detector.poll()
    assert score is not None
    assert score.crying < 0.01


def test_a_sound_shorter_than_half_a_window_is_judged_at_its_end(classifier: Classifier) -> None:
    ring = RingBuffer(20.0)
    detector = Detector(classifier, ring)
    wave = sound(0.5) + 0.1 * sound(0.5, 1)
    ring.write(wave)
    assert detector.poll() is None
    score = detector.finish()
    assert score is not None
    assert score.crying == pytest.approx(classifier.crying(classifier.probabilities_of_wave(wave)), abs=1e-4)
    assert detector.finish() is None


def test_another_model_is_asked_from_the_next_window_on(classifier: Classifier, tmp_path: Path) -> None:
    ring = RingBuffer(20.0)
    detector = Detector(classifier, ring)
    wave = sound(10)
    ring.write(wave[:48000])
    last = detector.poll()
    assert last is not None
    second = Classifier(tiny_model.write(tmp_path / "other.onnx", name="other"))
    detector.use(second)
    assert detector.classifier.card.name == "other"
    assert detector.poll() is None, "that window has been judged"
    ring.write(wave[48000:])
    score = detector.poll()
    assert score is not None
    assert (score.end_sample - last.end_sample) % second.card.hop_samples == 0, "the grid is the old one"
    window = wave[score.end_sample - 32000 : score.end_sample]
    assert score.crying == pytest.approx(second.crying(second.probabilities_of_wave(window)), abs=1e-4)


@pytest.mark.parametrize(
    ("heard_seconds", "window_frames"), [(1.1, 30), (1.1, 124), (1.5, 124), (2.6, 300), (17.3, 30), (17.3, 300)]
)
def test_no_window_is_missed_when_models_change(
    classifier: Classifier, tmp_path: Path, heard_seconds: float, window_frames: int
) -> None:
    """Also where the other model looks back further, as far as half of that was heard, or less far."""
    ring = RingBuffer(20.0)
    detector = Detector(classifier, ring)
    wave = sound(heard_seconds + 5)
    ends, start = [], 0
    for stop in range(1000, wave.size, 1000):
        ring.write(wave[start:stop])
        if start < heard_seconds * 16000 <= stop:
            detector.use(_looking_back(classifier, window_frames))
        start = stop
        score = detector.poll()
        if score is not None:
            ends.append(score.end_sample)
    assert set(np.diff(ends)) == {classifier.card.hop_samples}


def _looking_back(classifier: Classifier, window_frames: int) -> Classifier:
    """A model like this one with a window of another length; its network is not asked for it."""
    model = copy.copy(classifier)
    model.card = dataclasses.replace(classifier.card, window_frames=window_frames)
    model.answer = lambda window: Answer(np.full(7, 1 / 7, np.float32), np.zeros(0, np.float32))  # type: ignore[method-assign]
    return model


def test_loudness_is_relative_to_the_background_and_absolute() -> None:
    ring = RingBuffer(100.0)
    meter = LoudnessMeter(ring, rise_db=15.0, level_db=-10.0)
    generator = np.random.default_rng(0)

    def hear(amplitude: float, seconds: float) -> list[float]:
        ring.write(np.asarray(generator.standard_normal(round(seconds * 16000)) * amplitude, np.float32))
        return [score.crying for score in meter.poll(ring.written)]

    assert hear(0.01, 20) == [0.0] * 80
    assert set(hear(0.1, 5)) == {1.0}, "20 dB above the background"
    assert set(hear(0.01, 5)) == {0.0}
    assert set(hear(0.03, 5)) == {0.0}, "9.5 dB above it"
    assert set(hear(0.4, 5)) == {1.0}
    loud = LoudnessMeter(ring, rise_db=60.0, level_db=-25.0)
    ring.write(np.asarray(generator.standard_normal(4000) * 0.1, np.float32))
    (score,) = loud.poll(ring.written)
    assert score.crying == 1.0, "loud from the first moment, before there is a background"


def test_a_steady_noise_becomes_the_background_and_only_what_stands_out_of_it_is_loud() -> None:
    ring = RingBuffer(180.0)
    meter = LoudnessMeter(ring, rise_db=15.0, level_db=None)
    generator = np.random.default_rng(0)

    def hear(amplitude: float, seconds: float) -> float:
        """The share of the hops that were loud."""
        ring.write(np.asarray(generator.standard_normal(round(seconds * 16000)) * amplitude, np.float32))
        return float(np.mean([score.crying for score in meter.poll(ring.written)]))

    assert hear(0.001, 40) == 0.0
    assert hear(0.1, 60) == pytest.approx(0.5, abs=0.05), "a white-noise machine is switched on"
    assert hear(0.1, 60) == 0.0
    assert hear(0.9, 5) == 1.0
    ring.cut()
    assert hear(0.9, 5) == 0.0, "another microphone, another background"


def test_our_own_alarm_is_told_apart_and_is_not_learnt() -> None:
    ring = RingBuffer(100.0)
    meter = LoudnessMeter(ring, rise_db=15.0, level_db=None)
    generator = np.random.default_rng(0)

    def hear(amplitude: float, seconds: float) -> list[Score]:
        ring.write(np.asarray(generator.standard_normal(round(seconds * 16000)) * amplitude, np.float32))
        return meter.poll(ring.written)

    hear(0.01, 20)
    background_db = meter.background_db
    meter.own_until = 60 * 16000 + 100
    assert all(map(meter.is_own, hear(0.3, 40)))
    assert meter.background_db == background_db
    assert [meter.is_own(score) for score in hear(0.3, 1)] == [True, False, False, False], "of a hop a part is enough"
    assert [score.crying for score in hear(0.3, 5)] == 20 * [1.0]


def test_loudness_is_the_same_however_it_is_asked() -> None:
    generator = np.random.default_rng(3)
    amplitude = np.repeat(generator.choice([0.001, 0.002, 0.05], 50), 16000)
    wave = np.asarray(generator.standard_normal(amplitude.size) * amplitude, np.float32)

    def scores_of(sizes: tuple[int, int], seconds: float) -> list[Score]:
        ring = RingBuffer(seconds)
        meter, scores, start = LoudnessMeter(ring, 18.0, None), [], 0
        while start < wave.size:
            size = int(generator.integers(*sizes))
            ring.write(wave[start : start + size])
            start += size
            scores += meter.poll(ring.written)
        return scores

    often = scores_of((100, 3000), 30.0)
    assert len(often) == 200
    assert {score.crying for score in often} == {0.0, 1.0}
    assert scores_of((10000, 90000), 60.0) == often
    assert len(scores_of((320000, 320001), 25.0)) == 200
    late = scores_of((400000, 400001), 10.0)
    assert [score.end_sample % 4000 for score in late] == [0] * len(late), "what is lost does not shift the grid"
