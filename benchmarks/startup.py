"""From the start of the process to a visible window and to the first score, and the memory of listening.

    python -m benchmarks.startup [--rounds 7] [--listen 30]

The real window on a virtual screen (Xvfb), hearing a quiet room through a virtual microphone (PulseAudio). Beside it,
in turns: the barest window that PySide6 can show, the same with an empty pyqtgraph plot, and `import torch`.
The app's moments are those of its own log. Every start is a warm one: the files are in the system's cache.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measurement import (
    ROOT,
    end,
    median,
    memory_mb,
    note,
    print_machine,
    print_table,
    spread,
    take_turns,
    verdict,
)
from resources import synthesise
from tests.virtual_hardware import VirtualScreen, VirtualSoundCard, missing_programs

_APP, _BARE, _PLOT, _TORCH = "Baby Monitor", "bare PySide6 window", "PySide6 + pyqtgraph plot", "import torch"
_PEERS = {
    _BARE: [sys.executable, "-m", "benchmarks.bare_window"],
    _PLOT: [sys.executable, "-m", "benchmarks.bare_window", "--plot"],
    _TORCH: [sys.executable, "-c", "import time, torch; print(time.time(), flush=True); time.sleep(60)"],
}
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the start of the process: into our `main`, to the window (or the import's end), to a score."""

    started: float
    visible: float
    first_score: float
    rss_mb: float
    pss_mb: float


def start_app(listen_seconds: float = 0.0) -> Start:
    """Start the monitor with nothing remembered, wait for its first score, let it listen on, end it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        began = time.time()
        environment = {**os.environ, "BABYMONITOR_HOME": home}
        process = subprocess.Popen([sys.executable, "-m", "babymonitor"], cwd=ROOT, env=environment)
        try:
            moments = _moments(Path(home) / "babymonitor.log", began)
            time.sleep(listen_seconds)
            rss, pss = memory_mb(process.pid)
        finally:
            end(process)
    started = next(at for text, at in moments.items() if text.startswith("started"))
    return Start(started, moments["window visible"], moments["first score"], rss, pss)


def _moments(log: Path, began: float) -> dict[str, float]:
    """What the log says and when, in seconds from the start, as soon as it tells of the first score."""
    while time.time() - began < _PATIENCE_SECONDS:
        lines = log.read_text().splitlines() if log.exists() else []
        # 1700000000.123 2026-01-01 00:00:00,123 INFO window visible
        moments = {line.split(" ", 4)[4]: float(line.split(" ", 1)[0]) - began for line in lines if line[:1].isdigit()}
        if "first score" in moments:
            return moments
        time.sleep(0.02)
    raise RuntimeError(f"There was no score within {_PATIENCE_SECONDS:.0f} s; the log: {lines}")


def start_peer(command: list[str]) -> Start:
    """Start a peer and read from it when it was up."""
    began = time.time()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        visible = float(process.stdout.readline()) - began
        time.sleep(0.5)
        rss, pss = memory_mb(process.pid)
    finally:
        end(process)
        process.stdout.close()
    return Start(float("nan"), visible, float("nan"), rss, pss)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--listen", type=float, default=30.0, metavar="SECONDS", help="before memory is read")
    arguments = parser.parse_args()
    if missing := missing_programs():
        sys.exit(f"These programs are needed and not here: {', '.join(missing)}.")
    print_machine()
    screen, sound_card = VirtualScreen(), VirtualSoundCard()
    try:
        seconds = 10.0 * arguments.rounds + arguments.listen + 120.0
        sound_card.play(synthesise.room_tone(seconds, np.random.default_rng(1), level_db=-55.0))
        _measure(arguments.rounds, arguments.listen)
    finally:
        sound_card.close()
        screen.close()


def _measure(rounds: int, listen_seconds: float) -> None:
    sides: dict[str, Callable[[], Start]] = {_APP: start_app}
    sides |= {name: partial(start_peer, command) for name, command in _PEERS.items()}
    note("Starting everything once to warm the caches …")
    take_turns(sides, 1)
    note(f"Starting everything {rounds} times …")
    starts = take_turns(sides, rounds)
    note(f"Listening for {listen_seconds:.0f} s …")
    listening = start_app(listen_seconds)
    ours = starts[_APP]
    visible, score = [start.visible for start in ours], [start.first_score for start in ours]
    own = [start.visible - start.started for start in ours]
    after = [start.first_score - start.visible for start in ours]
    print(f"seconds from the start of the process, median of {rounds} (least–greatest)\n")
    rows = [
        ["window visible", spread(visible), verdict(median(visible), 1)],
        ["  of it from our first log line on", spread(own), ""],
        ["first score", spread(score), verdict(median(score), 2.5)],
        ["  of it from the visible window on", spread(after), ""],
    ]
    print_table(["Baby Monitor", "s", "aim"], rows)
    rows = []
    for name, of_side in starts.items():
        up = [start.visible for start in of_side]
        ratios = [one.visible / other.visible for one, other in zip(ours, of_side, strict=True)]
        rss, pss = (median([getattr(start, field) for start in of_side]) for field in ("rss_mb", "pss_mb"))
        row = [name, spread(up), f"{median(ratios):.2f}", f"{rss:.0f}", f"{pss:.0f}"]
        rows.append([*row, f"{median([start.rss_mb for start in ours]) / rss:.2f}"])
    print_table(["up after", "s", "ours / this", "RSS MB", "PSS MB", "our RSS / this"], rows)
    print(f"after {listen_seconds:.0f} s of listening, window open: RSS {listening.rss_mb:.0f} MB, ", end="")
    print(f"PSS {listening.pss_mb:.0f} MB   aim {verdict(listening.rss_mb, 250)}")


if __name__ == "__main__":
    main()
