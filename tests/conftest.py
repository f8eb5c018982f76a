"""A screen, a sound card and a home folder for every test: real ones where real parts matter."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

# Before anything imports numpy: matrices here are small, and threads that wait for each other cost more than the work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Before anything imports librosa: what numba compiled for it lies beside it, and two processes of a fresh checkout that
# compiled and read the same at once ended in a segmentation fault.
os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="numba-")

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import virtual_hardware
from leftovers import Leftovers, fail_for

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

_hardware: list[virtual_hardware.VirtualScreen | virtual_hardware.VirtualSoundCard] = []
_leftovers = Leftovers()


def pytest_configure(config: pytest.Config) -> None:
    """Before anything can initialise Qt or PortAudio, which look at their surroundings once."""
    missing = virtual_hardware.missing_programs()
    if missing and os.environ.get("CI"):
        pytest.exit(f"CI must run everything, and these programs are missing: {', '.join(missing)}.", returncode=4)
    if config.getoption("numprocesses", None):
        return  # this process only deals the tests out to others
    if missing or config.option.collectonly:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        return
    _hardware.append(virtual_hardware.VirtualScreen())
    _hardware.append(virtual_hardware.VirtualSoundCard())


def pytest_unconfigure(config: pytest.Config) -> None:
    while _hardware:
        _hardware.pop().close()
    shutil.rmtree(os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)


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
    """Print what tests measured by the way, whichever process they ran in, and what `run.py test` found before them."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            terminalreporter.write_line(f"{name}: {text}")
    if failed := os.environ.get("BABYMONITOR_CHECKS_FAILED"):
        terminalreporter.write_line(f"Not in order: {failed} (see above).", red=True, bold=True)


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Tell a figure that a test measured by the way: it is printed at the end of the run."""
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
            hardware.quiet()
            hardware.plug()
            return
    pytest.skip("There is no PulseAudio here: the microphone was not tested.")


@pytest.fixture
def shared_data() -> Path:
    """Real clips, where they are."""
    if not SHARED_DATA.is_dir():
        pytest.skip("../shared/data is not here: real clips were not tested.")
    return SHARED_DATA
