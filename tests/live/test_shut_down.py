"""The program ends although its detector does not."""

from __future__ import annotations

import subprocess
import sys

from babymonitor.core import paths
from babymonitor.core.settings import LISTEN_AT_START, Settings

BUSY_FOR_EVER = """
from PySide6.QtCore import QTimer
from babymonitor import app
from babymonitor.live import detector_worker, monitor

def busy_for_ever(path):
    while True:
        pass

class Application(app.Application):
    def show(self):
        super().show()
        QTimer.singleShot(0, self.end)

detector_worker.Classifier = busy_for_ever
monitor._LONGEST_END_MS = 100
app.Application = Application
raise SystemExit(app.run())
"""


def test_closing_while_a_model_is_being_opened_ends_the_program() -> None:
    """In a process of its own, which can be killed: a thread ended by force took Python's lock with it for good."""
    Settings(paths.settings_file())[LISTEN_AT_START] = False
    done = subprocess.run([sys.executable, "-c", BUSY_FOR_EVER], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    log = paths.log_file().read_text()
    assert "ended while a model was still at work" in log
    assert "ERROR" not in log
