"""Milliseconds per window: what a judgement costs us, in total and in parts, beside a frame of YAMNet.

    python -m benchmarks.window [--rounds 40] [--calls 25]

All sides take turns in one process and on one thread, so that a busy machine slows all of them down. A judgement of
ours is `Detector.poll` as the app calls it: the new sound from the ring, its log-mel, the network, the level.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.detector import Detector
from babymonitor.core.model.features import log_mel
from babymonitor.core.paths import default_model
from babymonitor.core.sound.ring import RingBuffer
from benchmarks import yamnet
from benchmarks.measurement import median, note, percentile, print_machine, print_table, take_turns
from resources import synthesise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=40, help="turns of every side")
    parser.add_argument("--calls", type=int, default=25, help="calls in a turn, each timed by itself")
    parser.add_argument("--model", type=Path, default=default_model())
    parser.add_argument("--yamnet", type=Path, default=yamnet.DEFAULT_FILE, help="the .tflite file")
    arguments = parser.parse_args()
    print_machine()
    classifier = Classifier(arguments.model)
    card = classifier.card
    calls = _our_calls(classifier)
    hops = dict.fromkeys(calls, card.hop_seconds)
    if reason := yamnet.missing(arguments.yamnet):
        note(reason)
    else:
        network, frame = yamnet.Yamnet(arguments.yamnet), _sound(yamnet.FRAME_SAMPLES)
        calls["YAMNet: a frame"] = lambda: network.judge(frame)
        hops["YAMNet: a frame"] = yamnet.HOP_SAMPLES / yamnet.RATE_HZ
    sides = {name: partial(_time_ms, call, arguments.calls) for name, call in calls.items()}
    take_turns(sides, 2)  # warm up
    turns = take_turns(sides, arguments.rounds)
    times = {name: [ms for turn in of_side for ms in turn] for name, of_side in turns.items()}
    peer = median(times["YAMNet: a frame"]) if "YAMNet: a frame" in times else float("nan")
    peer_second = peer / hops.get("YAMNet: a frame", float("nan"))
    rows = []
    for name, values in times.items():
        middle, second = median(values), median(values) / hops[name]
        row = [name, f"{middle:.3f}", f"{percentile(values, 95):.3f}", f"{middle / peer:.2f}"]
        rows.append([*row, f"{second:.2f}", f"{second / peer_second:.2f}"])
    print(f"model {card.name}, window {card.window_seconds:.2f} s, hop {card.hop_seconds:.3f} s,")
    print(f"{arguments.rounds * arguments.calls} calls each\n")
    print_table(["what", "median ms", "95 % ms", "/ YAMNet", "ms a second of sound", "/ YAMNet"], rows)


def _our_calls(classifier: Classifier) -> dict[str, Callable[[], object]]:
    card, spec = classifier.card, classifier.card.features
    new_sound = _sound(card.hop_samples + spec.n_fft - spec.hop_length)
    mel = log_mel(_sound(card.window_samples), spec)
    ring = RingBuffer(180.0)
    ring.write(_sound(card.window_samples))
    detector = Detector(classifier, ring)
    hop = _sound(card.hop_samples)

    def poll() -> None:
        ring.write(hop)
        if detector.poll() is None:
            raise AssertionError("Every hop completes a window.")

    return {
        "ours: a judgement (Detector.poll)": poll,
        "  of it the log-mel of a hop": lambda: log_mel(new_sound, spec),
        "  of it the network": lambda: classifier.probabilities(mel),
    }


def _sound(samples: int) -> synthesise.Wave:
    return synthesise.speech_like(samples / synthesise.RATE_HZ + 0.1, np.random.default_rng(1))[:samples]


def _time_ms(call: Callable[[], object], calls: int) -> list[float]:
    times = []
    for _ in range(calls):
        began = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - began))
    return times


if __name__ == "__main__":
    main()
