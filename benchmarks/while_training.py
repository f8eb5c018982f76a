"""What a training at the same time costs the listening: missed scores, lost sound and late scores, in turns.

    python -m benchmarks.while_training [--rounds 3] [--seconds 40]

The real program in this process, its window on a virtual screen (Xvfb), hearing a quiet room through a virtual
microphone (PulseAudio). In every second turn the app's own `TrainerProcess` runs a full training, with one process per
core that only counts, at the same low priority, so that the machine is never idle.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measurement import median, print_machine, print_table, take_turns
from benchmarks.quiet_room import quiet_room

_SETTLE_SECONDS = 4.0
_LONGEST_START_SECONDS = 180.0
_GROUPS = 9


@dataclass(frozen=True, slots=True)
class ListeningTurn:
    """A turn of listening. late: seconds from the end of each window to its score. missed: windows without a score.

    gaps: how often sound was lost, or the history recorded a gap. trained: epochs that ended during the turn.
    """

    scores: int
    missed: int
    late: list[float]
    overflows: int
    gaps: int
    trained: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=40.0, help="length of each turn")
    arguments = parser.parse_args()
    print_machine()
    # Includes the trainer's time until its first epoch.
    seconds = 2 * arguments.rounds * (arguments.seconds + 2 * _SETTLE_SECONDS + _LONGEST_START_SECONDS) + 60
    with quiet_room(seconds), tempfile.TemporaryDirectory() as home:
        os.environ["BABYMONITOR_HOME"] = home
        _measure(arguments.rounds, arguments.seconds, Path(home))


def _measure(rounds: int, seconds: float, home: Path) -> None:
    from PySide6.QtWidgets import QApplication

    from babymonitor.app import Application

    qt = QApplication(sys.argv[:1])
    application = Application(qt)
    application.show()
    data = _home_of_sounds(home / "sounds")
    _run(_SETTLE_SECONDS)
    turns = take_turns(
        {
            "idle": lambda: _listen(application.monitor, seconds),
            "training": lambda: _beside_a_training(application.monitor, data, seconds),
        },
        rounds,
    )
    print_table(
        ("", "scores", "missed", "overflows", "gaps", "late: median", "95 %", "worst", "epochs trained"),
        [_row(name, side_turns) for name, side_turns in turns.items()],
    )
    idle, busy = ([late for turn in turns[name] for late in turn.late] for name in ("idle", "training"))
    print(f"\nScores come {np.median(busy) / np.median(idle):.2f} times as late as without a training (median).")
    application.window.close_without_asking()
    application.shut_down()


def _row(name: str, turns: list[ListeningTurn]) -> tuple[str, ...]:
    late = [1000 * seconds for turn in turns for seconds in turn.late]
    sums = (sum(getattr(turn, field) for turn in turns) for field in ("scores", "missed", "overflows", "gaps"))
    p95 = float(np.percentile(late, 95))
    return (
        name, *map(str, sums), f"{median(late):.0f} ms", f"{p95:.0f} ms", f"{max(late):.0f} ms",
        str(sum(turn.trained for turn in turns)),
    )  # fmt: skip


def _listen(monitor: Any, seconds: float, epochs: list[int] | None = None) -> ListeningTurn:
    """Collect what the monitor's scores show during `seconds`. epochs: appended to by a training."""
    ends: list[int] = []
    late: list[float] = []

    def on_scored(score: Any) -> None:
        ends.append(score.end_sample)
        late.append((monitor.ring.written - score.end_sample) / monitor.ring.sample_rate)

    microphone = monitor._room.listening.source  # the app itself does not need its counters
    overflows, gaps, cut_at = microphone.overflows, len(monitor.history.gaps()), monitor.ring.cut_at
    trained = len(epochs or ())
    monitor.scored.connect(on_scored)
    _run(seconds)
    monitor.scored.disconnect(on_scored)
    hop = monitor.card.hop_samples
    missed = sum(int(after - before) // hop - 1 for before, after in itertools.pairwise(ends))
    lost = microphone.overflows - overflows
    silent = len(monitor.history.gaps()) - gaps + (monitor.ring.cut_at > cut_at)
    return ListeningTurn(len(ends), missed, late, lost, silent, len(epochs or ()) - trained)


def _beside_a_training(monitor: Any, data: Path, seconds: float) -> ListeningTurn:
    from babymonitor.core import paths, training_runs
    from babymonitor.live.trainer_process import NICE, TrainerProcess

    trainer = TrainerProcess()
    epochs: list[int] = []
    ended: list[str] = []

    def on_event(event: dict[str, Any]) -> None:
        if event.get("event") == "epoch":
            epochs.append(int(event["epoch"]))

    trainer.event_arrived.connect(on_event)
    trainer.ended.connect(lambda _run, _state, sentence: ended.append(sentence))
    options = {"epochs": "1000", "epoch-windows": "512"}
    request = training_runs.Request(training_runs.FULL, paths.default_model(), (data,), "cnn_tiny", options)
    trainer.start(training_runs.begin(request))
    busy = [
        subprocess.Popen(["nice", "-n", str(NICE), sys.executable, "-c", "while True: pass"])
        for _ in range(os.cpu_count() or 1)
    ]
    try:
        waited = 0.0
        while not epochs:
            _run(0.5)
            waited += 0.5
            if ended or waited > _LONGEST_START_SECONDS:
                raise RuntimeError(f"The training does not run: {' '.join(ended)}")
        turn = _listen(monitor, seconds, epochs)
        if ended:
            raise RuntimeError(f"The training ended too early: {' '.join(ended)}")
        return turn
    finally:
        trainer.shut_down()
        for process in busy:
            process.kill()
            process.wait()
        _run(_SETTLE_SECONDS)


def _run(seconds: float) -> None:
    """Let the program's event loop run."""
    from PySide6.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()


def _home_of_sounds(folder: Path) -> Path:
    """Write a small data set of synthetic sounds: crying and the room, in as many groups as a split needs."""
    import soundfile

    from resources import synthesise

    for group in range(_GROUPS):
        rng = np.random.default_rng(group)
        sounds = {"crying": synthesise.cry, "background": synthesise.room_tone}
        for name, make in sounds.items():
            path = folder / name / f"night-{group}" / "0.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, np.asarray(make(6.0, rng), np.float32), 16000)
    return folder


if __name__ == "__main__":
    main()
