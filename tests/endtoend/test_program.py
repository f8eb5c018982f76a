"""The window program as a process: one at a time, a clean end, nothing lost when it is killed, no thread left."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QThread
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from virtual_hardware import VirtualSoundCard

from babymonitor.app import Application
from babymonitor.core import paths
from babymonitor.core.history.history import History
from babymonitor.core.settings import WINDOW_GEOMETRY, Settings
from babymonitor.core.state import Activity

pytestmark = [pytest.mark.window, pytest.mark.sound_card]


@pytest.fixture
def room(sound_card: VirtualSoundCard) -> None:
    tone = np.random.default_rng(0).standard_normal(16000 * 90) * 1e-3
    sound_card.play(np.asarray(tone, np.float32))


@contextmanager
def program() -> Iterator[subprocess.Popen[str]]:
    """The window program, running; killed at the end if it still is."""
    command = [sys.executable, "-m", "babymonitor"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            streams = subprocess.run(["pactl", "list", "short"], capture_output=True, text=True, check=False).stdout
            pytest.fail(f"It did not happen in time.\nThe log:\n{log()}\nPulseAudio:\n{streams}")
        time.sleep(0.05)


def log() -> str:
    return paths.log_file().read_text() if paths.log_file().exists() else ""


def test_it_opens_hears_and_ends_cleanly_when_it_is_asked_to(room: None) -> None:
    with program() as process:
        until(lambda: "first score" in log())
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
    assert "ERROR" not in log()
    assert "ended" in log()
    assert "Traceback" not in output
    assert "QThread" not in output
    history = History(paths.history_file())
    assert all(gap.ended is not None for gap in history.gaps())
    assert len(history.minutes(0, 1e12)) >= 1
    history.close()
    assert Settings(paths.settings_file())[WINDOW_GEOMETRY]


ASKED_TO_END_IN_A_SLOT = """
import signal
from babymonitor import app

class Application(app.Application):
    def __init__(self, qt):
        super().__init__(qt)
        self.monitor.scored.connect(self.on_scored)

    def on_scored(self, score):
        self.monitor.scored.disconnect(self.on_scored)
        signal.raise_signal(signal.SIGTERM)
        print("then", self.monitor.state.activity.value)

app.Application = Application
raise SystemExit(app.run())
"""


def test_what_the_program_does_when_it_is_asked_to_end_is_finished_first(room: None) -> None:
    """A signal arrives between any two of Python's instructions; what they use must not be closed under them."""
    result = subprocess.run([sys.executable, "-c", ASKED_TO_END_IN_A_SLOT], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert result.stdout in ("then starting\n", "then listening\n")
    assert "ERROR" not in log()
    assert "ended" in log()


def test_a_receiver_of_a_score_may_end_the_listening(qtbot: QtBot, qapp: QApplication, room: None) -> None:
    application = Application(qapp)
    application.monitor.scored.connect(application.monitor.stop)
    with qtbot.waitSignal(application.monitor.scored, timeout=15000):
        application.show()
    stopped = application.monitor.state.activity is Activity.STOPPED
    shown = " ".join(application.window.complaint_view.sentences)
    application.shut_down()
    application.window.hide()
    application.window.deleteLater()
    assert stopped
    assert "Something went wrong" not in shown


def test_a_second_program_shows_the_first_and_ends(room: None) -> None:
    with program() as first:
        until(lambda: "window visible" in log())
        with program() as second:
            output, _ = second.communicate(timeout=60)
            assert second.returncode == 0
            assert "already running" in output
        assert first.poll() is None
        assert len(re.findall("window visible", log())) == 1


def test_killed_it_starts_again_with_everything_it_knew(room: None) -> None:
    with program() as process:
        until(lambda: "first score" in log())
        process.kill()
    with program() as process:
        until(lambda: log().count("first score") == 2)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    history = History(paths.history_file())
    assert history.complaints == []
    history.close()


def test_damaged_files_are_shown_in_the_window_and_kept(qtbot: QtBot, qapp: QApplication, room: None) -> None:
    paths.settings_file().write_text("{broken")
    paths.history_file().write_bytes(b"no database" * 1000)
    application = Application(qapp)
    application.show()
    shown = " ".join(application.window.complaint_view.sentences)
    assert "settings could not be read" in shown
    assert "history was damaged" in shown
    assert len(list(paths.data_folder().glob("*.broken-*"))) == 2
    application.window.hide()
    application.shut_down()
    application.window.deleteLater()


def test_no_thread_is_left_and_nothing_listens_after_shut_down(qtbot: QtBot, qapp: QApplication, room: None) -> None:
    before = threading.active_count()
    application = Application(qapp)
    application.show()
    with qtbot.waitSignal(application.monitor.scored, timeout=15000):
        pass
    application.shut_down()
    assert threading.active_count() == before
    assert not any(thread.isRunning() for thread in application.findChildren(QThread))
    assert application.monitor.state.activity.value == "stopped"
    application.window.hide()
    application.window.deleteLater()


def test_the_log_names_no_sound_and_stays_in_the_persons_folder(room: None, home: Path) -> None:
    with program() as process:
        until(lambda: "first score" in log())
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert {path.name for path in home.iterdir()} >= {"babymonitor.log", "history.sqlite", "settings.json"}
    assert os.stat(paths.log_file()).st_size < 10_000
