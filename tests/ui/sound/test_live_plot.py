"""The picture is the sound's: columns are core's log-mel, positions are the ring's sample numbers."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from babymonitor.core.model.features import FeatureSpec, log_mel
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.ui.parts.theme import DARK, apply_theme
from babymonitor.ui.sound.live_plot import LivePlot, LiveTrace, SteadyClock, pixels

RATE = 16000


def noise(samples: int, seed: int = 0) -> np.ndarray:
    swell = np.linspace(0.001, 0.5, samples) if samples else np.zeros(0)
    return (np.random.default_rng(seed).standard_normal(samples) * swell).astype(np.float32)


@pytest.mark.parametrize("block", [160, 533, 1600, 4000])
def test_columns_equal_log_mel_of_the_ring(block: int) -> None:
    spec, ring, trace = FeatureSpec(), RingBuffer(30.0), LiveTrace(FeatureSpec())
    wave = noise(5 * RATE)
    for start in range(0, wave.size, block):
        ring.write(wave[start : start + block])
        trace.follow(ring)
    expected = pixels(log_mel(wave, spec))
    assert trace.next_column == expected.shape[1]
    shown = trace.image[:, -expected.shape[1] :]
    # The table has 256 steps: rounding may fall to the other side of one.
    assert np.abs(shown.astype(int) - expected.astype(int)).max() <= 1
    bins = wave[: wave.size // spec.hop_length * spec.hop_length].reshape(-1, spec.hop_length)
    np.testing.assert_array_equal(trace.extremes[-len(bins) :, 0], bins.min(axis=1))
    np.testing.assert_array_equal(trace.extremes[-len(bins) :, 1], bins.max(axis=1))


def test_only_the_newest_columns_are_kept_and_in_order() -> None:
    spec, ring, trace = FeatureSpec(), RingBuffer(60.0), LiveTrace(FeatureSpec())
    wave = noise(40 * RATE)
    for start in range(0, wave.size, 8000):
        ring.write(wave[start : start + 8000])
        trace.follow(ring)
    expected = pixels(log_mel(wave, spec))[:, -trace.columns :]
    assert np.abs(trace.image.astype(int) - expected.astype(int)).max() <= 1


def test_after_a_long_look_away_only_what_can_be_shown_is_read() -> None:
    spec, ring, trace = FeatureSpec(), RingBuffer(20.0), LiveTrace(FeatureSpec())
    ring.write(noise(3 * RATE))
    trace.follow(ring)
    wave = noise(50 * RATE, seed=1)
    ring.write(wave)
    assert trace.follow(ring)
    newest = (trace.next_column - 1) * spec.hop_length - 3 * RATE
    expected = pixels(log_mel(wave[newest : newest + spec.n_fft], spec))
    assert np.abs(trace.image[:, -1:].astype(int) - expected.astype(int)).max() <= 1
    assert ring.written - newest - 3 * RATE < 2 * spec.n_fft


def test_another_ring_begins_anew() -> None:
    trace = LiveTrace(FeatureSpec())
    old, new = RingBuffer(20.0), RingBuffer(20.0)
    old.write(noise(4 * RATE))
    trace.follow(old)
    assert trace.image.any()
    new.write(np.zeros(1600, np.float32))
    assert trace.follow(new)
    assert not trace.image.any()
    assert trace.next_column == FeatureSpec().frames(1600)


def test_nothing_new_is_said_so() -> None:
    ring, trace = RingBuffer(20.0), LiveTrace(FeatureSpec())
    assert not trace.follow(ring)
    ring.write(noise(RATE))
    assert trace.follow(ring)
    assert not trace.follow(ring)


def test_the_clock_runs_evenly_over_blocks_and_never_ahead() -> None:
    clock = SteadyClock(RATE)
    steps, last = [], 0.0
    for frame in range(300):
        now = 100.0 + frame / 30
        written = int((frame / 30) * 10) * RATE // 10 + 10 * RATE  # a block every tenth of a second
        position = clock.advance(now, written)
        assert position <= written
        if frame > 60:
            steps.append(position - last)
        last = position
    assert min(steps) > 0.3 * RATE / 30
    assert max(steps) < 1.7 * RATE / 30
    assert written - last < 0.3 * RATE


def test_it_draws_what_is_new_and_counts_it(qtbot: QtBot, qapp: QApplication) -> None:
    apply_theme(qapp, DARK)
    plot, ring = LivePlot(), RingBuffer(20.0)
    qtbot.addWidget(plot)
    plot.resize(500, 300)
    plot.show()
    qtbot.waitExposed(plot)
    ring.write(noise(2 * RATE))
    drawn = plot.frames_drawn
    assert plot.show_sound(ring)
    qtbot.waitUntil(lambda: plot.frames_drawn > drawn)
    picture = plot.grab().toImage()
    colours = {picture.pixelColor(x, 200).name() for x in range(60, 490, 3)}
    assert len(colours) > 20
