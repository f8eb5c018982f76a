"""Time from the start of the process to a visible window and to the first score, and the memory of listening.

    python -m benchmarks.startup [--rounds 7] [--listen 30]

The real window on a virtual screen (Xvfb), hearing a quiet room through a virtual microphone (PulseAudio). For
comparison, in turns: the barest window of PySide6, the same with an empty pyqtgraph plot, and `import torch`. A window
is visible when its pixels are on the screen, whatever the program says; the first score is taken from the app's log.
Every start is a warm one, with the files in the system's cache.
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
from benchmarks.quiet_room import quiet_room
from benchmarks.screen import Screen

_APP, _BARE, _PLOT, _TORCH = "Baby Monitor", "bare PySide6 window", "PySide6 + pyqtgraph plot", "import torch"
_PEERS = {
    _BARE: [sys.executable, "-m", "benchmarks.bare_window"],
    _PLOT: [sys.executable, "-m", "benchmarks.bare_window", "--plot"],
    _TORCH: [sys.executable, "-c", "import torch; print(flush=True); input()"],
}
_PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the start of the process, and memory in MB at the end of the observation.

    visible: the window's pixels are on the screen, or the import is done. logged: the same according to the app's log.
    """

    visible: float
    rss: float
    pss: float
    started: float = float("nan")
    logged: float = float("nan")
    first_score: float = float("nan")


def start_app(screen: Screen, listen_seconds: float = 0.0) -> Start:
    """Start the monitor with no settings or history, wait for its first score, let it listen on, and end it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        empty_screen = _empty_screen(screen)
        environment = {**os.environ, "BABYMONITOR_HOME": home}
        began = time.time()
        process = subprocess.Popen([sys.executable, "-m", "babymonitor"], cwd=ROOT, env=environment)
        try:
            visible = _await_pixels(screen, empty_screen, process) - began
            moments = _moments(Path(home) / "babymonitor.log", began)
            time.sleep(listen_seconds)
            rss, pss = memory_mb(process.pid)
        finally:
            end(process)
    started = next(seconds for text, seconds in moments.items() if text.startswith("started"))
    return Start(visible, rss, pss, started, moments["window visible"], moments["first score"])


def start_peer(screen: Screen, command: list[str]) -> Start:
    """Start a peer and end it when its window is on the screen, or when it has printed a line."""
    empty_screen = _empty_screen(screen)
    began = time.time()
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        if command == _PEERS[_TORCH]:
            process.stdout.readline()
            visible = time.time() - began
        else:
            visible = _await_pixels(screen, empty_screen, process) - began
        time.sleep(0.5)
        rss, pss = memory_mb(process.pid)
    finally:
        end(process)
    return Start(visible, rss, pss)


def _empty_screen(screen: Screen) -> bytes:
    """Return the pixels of the empty screen, once the previous window has disappeared."""
    while True:
        before = screen.look()
        time.sleep(0.3)
        if screen.look() == before:
            return before


def _await_pixels(screen: Screen, empty_screen: bytes, process: subprocess.Popen[bytes]) -> float:
    """Return the Unix time at which something appears on the screen. Raises RuntimeError if nothing does."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while screen.look() == empty_screen:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("No window came.")
        time.sleep(_LOOK_SECONDS)
    return time.time()


def _moments(log: Path, began: float) -> dict[str, float]:
    """Return the log's messages with their seconds from the start, once the first score is among them."""
    while time.time() - began < _PATIENCE_SECONDS:
        lines = log.read_text().splitlines() if log.exists() else []
        # 1700000000.123 2026-01-01 00:00:00,123 INFO window visible
        moments = {line.split(" ", 4)[4]: float(line.split(" ", 1)[0]) - began for line in lines if line[:1].isdigit()}
        if "first score" in moments:
            return moments
        time.sleep(_LOOK_SECONDS)
    raise RuntimeError(f"There was no score within {_PATIENCE_SECONDS:.0f} s; the log: {lines}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--listen", type=float, default=30.0, metavar="SECONDS", help="before memory is read")
    arguments = parser.parse_args()
    print_machine()
    with quiet_room(20.0 * arguments.rounds + arguments.listen + 120.0):
        screen = Screen()
        try:
            _measure(screen, arguments.rounds, arguments.listen)
        finally:
            screen.close()


def _measure(screen: Screen, rounds: int, listen_seconds: float) -> None:
    sides: dict[str, Callable[[], Start]] = {_APP: partial(start_app, screen)}
    sides |= {name: partial(start_peer, screen, command) for name, command in _PEERS.items()}
    note("Starting everything once to warm the caches …")
    take_turns(sides, 1)
    note(f"Starting everything {rounds} times …")
    starts = take_turns(sides, rounds)
    note(f"Listening for {listen_seconds:.0f} s …")
    listening = start_app(screen, listen_seconds)
    ours = starts[_APP]
    visible, score = [start.visible for start in ours], [start.first_score for start in ours]
    imports, logged = [start.started for start in ours], [start.logged for start in ours]
    after = [start.first_score - start.logged for start in ours]
    print(f"seconds from the start of the process, median of {rounds} (least–greatest)\n")
    rows = [
        ["imports done (first line of the log)", spread(imports), ""],
        ["window shown, says the log", spread(logged), ""],
        ["window's pixels on the screen", spread(visible), verdict(median(visible), 1)],
        ["first score", spread(score), verdict(median(score), 2.5)],
        ["  of it after the window was shown", spread(after), ""],
    ]
    print_table(["Baby Monitor", "s", "aim"], rows)
    rows = []
    for name, side_starts in starts.items():
        up = [start.visible for start in side_starts]
        ratios = [own.visible / peer.visible for own, peer in zip(ours, side_starts, strict=True)]
        rss, pss = (median([getattr(start, field) for start in side_starts]) for field in ("rss", "pss"))
        row = [name, spread(up), f"{median(ratios):.2f}", f"{rss:.0f}", f"{pss:.0f}"]
        rows.append([*row, f"{median([start.rss for start in ours]) / rss:.2f}"])
    print_table(["up after", "s", "ours / this", "RSS MB", "PSS MB", "our RSS / this"], rows)
    print(f"after {listen_seconds:.0f} s of listening, window open: RSS {listening.rss:.0f} MB, ", end="")
    print(f"PSS {listening.pss:.0f} MB   aim {verdict(listening.rss, 250)}")


if __name__ == "__main__":
    main()
