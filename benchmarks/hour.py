"""CPU-seconds to listen to an hour of sound: `babymonitor watch FILE --fast --json` beside YAMNet at its usual hop.

    python -m benchmarks.hour [--file FILE] [--rounds 3]

Without a file, an hour is composed of synthesised sounds: quiet, crying, speech, a dog, white noise. Both sides
are complete processes, from the start of Python to the last line. Both decode the same FLAC and print a JSON line per
judgement. Ours also maintains the alerts, the watchdogs and the level, and judges more often than YAMNet does.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from babymonitor.core.model.classifier import Classifier
from babymonitor.core.paths import default_model
from benchmarks import yamnet
from benchmarks.measurement import (
    ChildCost,
    child_cost,
    median,
    note,
    print_machine,
    print_table,
    spread,
    take_turns,
    verdict,
)
from resources import synthesise

_PIECE_SECONDS = 300.0


def compose(seconds: float, seed: int = 1) -> synthesise.Wave:
    """Compose a night in brief, (samples,) at 16 kHz: five minutes with every kind of sound, repeated to the length."""
    rng = np.random.default_rng(seed)
    piece = synthesise.room_tone(_PIECE_SECONDS, rng).astype(np.float32)
    parts = (
        (30.0, synthesise.babble(15.0, rng)),
        (60.0, synthesise.cry(45.0, rng)),
        (140.0, synthesise.speech_like(20.0, rng, high=True)),
        (170.0, synthesise.dog(6.0, rng)),
        (180.0, synthesise.white_noise_machine(120.0, rng)),
        (220.0, synthesise.cry(20.0, rng, arousal=0.9)),
    )
    for start_seconds, wave in parts:
        start = round(start_seconds * synthesise.RATE_HZ)
        piece[start : start + len(wave)] += wave
    return np.resize(np.clip(piece, -1.0, 1.0), round(seconds * synthesise.RATE_HZ))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--file", type=Path, help="16 kHz mono sound to listen to, in place of the composed hour")
    parser.add_argument("--minutes", type=float, default=60.0, help="length of the composed sound")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", type=Path, default=default_model())
    parser.add_argument("--yamnet", type=Path, default=yamnet.DEFAULT_FILE, help="the .tflite file")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BABYMONITOR_HOME"] = folder
        print_machine()
        _measure(arguments, Path(folder))


def _measure(arguments: argparse.Namespace, folder: Path) -> None:
    import soundfile

    file = arguments.file
    if file is None:
        note("Composing the sound …")
        file = folder / "hour.flac"
        soundfile.write(file, compose(60 * arguments.minutes), synthesise.RATE_HZ, subtype="PCM_16")
    hours = soundfile.info(str(file)).duration / 3600
    card = Classifier(arguments.model).card
    hops = {"babymonitor watch": card.hop_seconds, "YAMNet": yamnet.HOP_SAMPLES / yamnet.RATE_HZ}
    words = ["-m", "babymonitor", "watch", str(file), "--fast", "--json", "--model", str(arguments.model)]
    commands = {"babymonitor watch": [sys.executable, *words]}
    if reason := yamnet.missing(arguments.yamnet):
        note(reason)
    else:
        peer = [sys.executable, "-m", "benchmarks.yamnet", str(file), "--yamnet", str(arguments.yamnet)]
        commands["YAMNet"] = peer
    note(f"Listening {arguments.rounds} times …")
    sides = {name: partial(child_cost, command) for name, command in commands.items()}
    costs: dict[str, list[ChildCost]] = take_turns(sides, arguments.rounds)
    rows = []
    for name, runs in costs.items():
        cpu = [run.cpu_seconds / hours for run in runs]
        wall = median([run.wall_seconds / hours for run in runs])
        rows.append([name, f"{hops[name]:.3f}", spread(cpu, 1), f"{wall:.1f}", f"{3600 / wall:.0f} ×"])
    print(f"{hours:.2f} h of sound, model {card.name}, median of {arguments.rounds} turns (least–greatest)\n")
    print_table(["listener", "hop, s", "CPU s per hour", "wall s per hour", "faster than time"], rows)
    if "YAMNet" in costs:
        pairs = zip(costs["babymonitor watch"], costs["YAMNet"], strict=True)
        ratios = [ours.cpu_seconds / theirs.cpu_seconds for ours, theirs in pairs]
        print(f"CPU, ours / YAMNet: {spread(ratios)}   aim {verdict(median(ratios), 1)}")


if __name__ == "__main__":
    main()
