"""What every benchmark does the same way: taking turns, summarising and reporting."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

ROOT = Path(__file__).resolve().parents[1]

T = TypeVar("T")


def take_turns(sides: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Run every side once per round, A B A B …, so that other load on the machine affects all of them equally."""
    results: dict[str, list[T]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            results[name].append(side())
    return results


@dataclass(frozen=True, slots=True)
class ChildCost:
    """The cost of a finished process: seconds of CPU (user and system), and seconds of wall time."""

    cpu_seconds: float
    wall_seconds: float


def child_cost(command: Sequence[str]) -> ChildCost:
    """Run a command to its end and discard its output. Raises RuntimeError if it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    complaint = process.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {complaint.strip()[-500:]}")
    return ChildCost(usage.ru_utime + usage.ru_stime, time.perf_counter() - began)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a window, which might otherwise ask before it closes."""
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)


def memory_mb(pid: int | str) -> tuple[float, float]:
    """Return (RSS, PSS) of a process in MB, as the kernel counts them; PSS divides shared memory among processes."""
    sizes = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        sizes[name] = int(rest.split()[0]) / 1024
    return sizes["Rss"], sizes["Pss"]


def median(values: Sequence[float]) -> float:
    return float(np.median(values))


def percentile(values: Sequence[float], percent: float) -> float:
    return float(np.percentile(values, percent))


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Format the median, with the minimum and maximum in brackets."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def verdict(value: float, aim: float) -> str:
    """Format whether an upper limit is met."""
    return f"≤ {aim:g}: {'met' if value <= aim else 'MISSED'}"


def print_machine() -> None:
    """Print the first lines of every benchmark: the machine, and how busy it is."""
    model = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    now = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    print(f"{now}; {os.cpu_count()} × {model}; Python {platform.python_version()}; load {load}")
    if os.getloadavg()[0] > 1.0:
        print("The machine is busy with something else: absolute figures are too high, ratios are blurred.")
    print(flush=True)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table with aligned columns."""
    lines = [list(header), *[list(row) for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    for line in lines:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
    print(flush=True)


def note(sentence: str) -> None:
    """Print progress to standard error, so that standard output holds only the tables."""
    print(sentence, file=sys.stderr, flush=True)
