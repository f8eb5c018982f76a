"""A screen, a sound card and a home folder for every test: real ones where real parts matter."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Before anything imports numpy: matrices here are small, and threads that wait for each other cost more than the work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import distribution
import virtual_hardware
from leftovers import Leftovers, fail_for
from numba_cache import NumbaCache

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

_hardware: list[virtual_hardware.VirtualScreen | virtual_hardware.VirtualSoundCard] = []
_numba_cache = NumbaCache()
_leftovers = Leftovers()


def pytest_configure(config: pytest.Config) -> None:
    """Set the process up: its virtual hardware before Qt or PortAudio read the environment, which they do once."""
    # Bytecode is kept: compiling anew costs each of some 200 programs that tests start, and each process that collects.
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # Whoever starts the tests in the background has SIGINT ignored, and programs that tests start would inherit that.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    missing = virtual_hardware.missing_programs()
    if missing and os.environ.get("CI"):
        pytest.exit(f"CI must run everything, and these programs are missing: {', '.join(missing)}.", returncode=4)
    if config.getoption("numprocesses", None):
        return  # this process only distributes the tests
    if missing or config.option.collectonly:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        return
    _hardware.append(virtual_hardware.VirtualScreen())
    _hardware.append(virtual_hardware.VirtualSoundCard())


def pytest_unconfigure(config: pytest.Config) -> None:
    while _hardware:
        _hardware.pop().close()
    _numba_cache.close()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> distribution.Scheduling:
    config.option.loadscopereorder = False
    return distribution.Scheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        items[:] = distribution.in_order(items)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    _leftovers.begin()
    yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Fail a test that leaves a thread, a timer or an unexpected warning behind (see `leftovers`)."""
    yield
    expects_warnings = item.get_closest_marker("logs_warnings") is not None
    fail_for(_leftovers.end(expects_warnings))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests measured, whichever process they ran in, and what `run.py test` found beside."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            terminalreporter.write_line(f"{name}: {text}")
    if "BABYMONITOR_CHECKS" not in os.environ:
        return
    report, failed = (Path(os.environ["BABYMONITOR_CHECKS"], name) for name in ("report", "failed"))
    deadline = time.monotonic() + 600
    while not failed.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    if report.exists():
        terminalreporter.write_line(report.read_text(encoding="utf-8", errors="replace"))
    names = failed.read_text(encoding="utf-8") if failed.exists() else "types, imports (they did not end)"
    if names:
        terminalreporter.write_line(f"Not in order: {names} (see above).", red=True, bold=True)


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Note a figure that a test measured, by name: it is printed at the end of the run."""
    return lambda name, text: request.node.user_properties.append((name, text))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh home folder for each test: no test sees another's settings or history."""
    folder = tmp_path / "home"
    monkeypatch.setenv("BABYMONITOR_HOME", str(folder))
    return folder


@pytest.fixture
def sound_card() -> Iterator[virtual_hardware.VirtualSoundCard]:
    """The virtual sound card, plugged in and quiet; skipped where there is no PulseAudio (never in CI)."""
    for hardware in _hardware:
        if isinstance(hardware, virtual_hardware.VirtualSoundCard):
            hardware.check()
            hardware.plug()
            yield hardware
            hardware.check()
            hardware.rest()
            return
    pytest.skip("There is no PulseAudio here: the microphone was not tested.")


@pytest.fixture
def shared_data() -> Path:
    """Return the folder of real clips; skips where it is missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip("../shared/data is not here: real clips were not tested.")
    return SHARED_DATA
