"""What the live view costs: the CPU share with the window visible and hidden, in turns, and its frames per second.

    python -m benchmarks.view [--rounds 3] [--seconds 20]

The real program in this process, on a virtual screen (Xvfb), hearing a quiet room through a virtual microphone
(PulseAudio). 100 % is one core. The X server's share is listed separately: on a real screen the graphics card does that
work.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measurement import median, memory_mb, print_machine, print_table, spread, take_turns
from benchmarks.quiet_room import quiet_room

if TYPE_CHECKING:
    from babymonitor.app import Application

_TICKS = os.sysconf("SC_CLK_TCK")
_SETTLE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class CpuShares:
    """Shares of one core, and frames per second, over some seconds. rest: other threads than main and detector."""

    cpu: float
    main: float
    detector: float
    rest: float
    screen: float
    frames: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each turn")
    arguments = parser.parse_args()
    print_machine()
    seconds = 2.2 * arguments.rounds * (arguments.seconds + _SETTLE_SECONDS) + 30
    with quiet_room(seconds), tempfile.TemporaryDirectory() as home:
        os.environ["BABYMONITOR_HOME"] = home
        _measure(arguments.rounds, arguments.seconds)


def _measure(rounds: int, seconds: float) -> None:
    from PySide6.QtWidgets import QApplication

    from babymonitor.app import Application

    qt = QApplication(sys.argv[:1])
    application = Application(qt)
    scores: list[object] = []
    application.monitor.scored.connect(scores.append)
    application.show()
    _run(_SETTLE_SECONDS)

    def visible() -> CpuShares:
        application.window.show()
        return _cpu_shares(application, seconds)

    def hidden() -> CpuShares:
        application.window.hide()
        return _cpu_shares(application, seconds)

    qt.setQuitOnLastWindowClosed(False)
    turns = take_turns({"visible": visible, "hidden": hidden}, rounds)
    rss, pss = memory_mb("self")
    size = application.window.size()
    application.shut_down()
    if not scores:
        raise RuntimeError("The monitor gave no score: these figures would be of a monitor that does not listen.")
    rows = []
    for name, side_turns in turns.items():
        cpu = [100 * turn.cpu for turn in side_turns]
        fields = ("main", "detector", "rest", "screen")
        shares = [median([getattr(turn, field) for turn in side_turns]) for field in fields]
        frames = median([turn.frames for turn in side_turns])
        rows.append([name, spread(cpu, 1), *[f"{100 * share:.1f}" for share in shares], f"{frames:.1f}"])
    print(f"window {size.width()} × {size.height()}, % of one core, median of {rounds} turns of {seconds:.0f} s\n")
    header = ["window", "CPU %", "main thread %", "detector thread %", "sound's threads %", "X server %", "frames/s"]
    print_table(header, rows)
    ratio = median([s.cpu for s in turns["visible"]]) / median([s.cpu for s in turns["hidden"]])
    print(f"visible / hidden: {ratio:.1f}; memory at the end: RSS {rss:.0f} MB, PSS {pss:.0f} MB")


def _cpu_shares(application: Application, seconds: float) -> CpuShares:
    _run(_SETTLE_SECONDS)
    view = application.window.monitor_page
    screens = _screen_processes()
    began, cpu, frames = time.perf_counter(), time.process_time(), view.frames_drawn
    main_thread, detector = _thread_seconds("main"), _thread_seconds("detector")
    screen = sum(map(_cpu_seconds, screens))
    _run(seconds)
    elapsed = time.perf_counter() - began
    cpu = (time.process_time() - cpu) / elapsed
    main_thread = (_thread_seconds("main") - main_thread) / elapsed
    detector = (_thread_seconds("detector") - detector) / elapsed
    screen = (sum(map(_cpu_seconds, screens)) - screen) / elapsed
    frames_per_second = (view.frames_drawn - frames) / elapsed
    return CpuShares(cpu, main_thread, detector, max(0.0, cpu - main_thread - detector), screen, frames_per_second)


def _run(seconds: float) -> None:
    """Let the program's event loop run."""
    from PySide6.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()


def _thread_seconds(name: str) -> float:
    """Return the CPU seconds of this process's threads with a name; the first thread is called "main"."""
    tasks = Path("/proc/self/task").iterdir()
    names = {task: "main" if int(task.name) == os.getpid() else (task / "comm").read_text().strip() for task in tasks}
    return sum(_cpu_seconds(task) for task, named in names.items() if named == name)


def _cpu_seconds(folder: Path) -> float:
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _screen_processes() -> list[Path]:
    """Return our own X server: the child of this process with that name."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [Path("/proc", pid) for pid in children if Path("/proc", pid, "comm").read_text().strip() == "Xvfb"]


if __name__ == "__main__":
    main()
