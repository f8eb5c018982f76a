"""The program is killed while it trains: at the next start nothing is lost, it says so, and the trainer is gone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from babymonitor.app import Application
from babymonitor.core import paths
from babymonitor.core.library.library import Library
from babymonitor.core.settings import LISTEN_AT_START, MODEL, Settings
from babymonitor.core.training_runs import INTERRUPTED, all_runs, is_alive
from resources import synthesise

pytestmark = [pytest.mark.window, pytest.mark.slow]

TEACHING_PROGRAM = """
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from babymonitor.app import Application
qt = QApplication([])
application = Application(qt)
application.show()
application.window.show_training()
application.window.pages.currentWidget().teach()
sys.exit(qt.exec())
"""


def fill() -> int:
    rng = np.random.default_rng(3)
    library = Library()
    for group in range(4):
        for label, maker in (("sad", synthesise.cry), ("background", synthesise.room_tone)):
            library.add(maker(4.0, rng), label, group=f"night-2026-11-{10 + group}")
    count = len(library.clips())
    library.close()
    return count


def state() -> dict[str, Any]:
    for file in paths.runs_folder().glob("*/state.json"):
        values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return values
    return {}


def events() -> str:
    return "".join(file.read_text(encoding="utf-8") for file in paths.runs_folder().glob("*/events.jsonl"))


def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not happen in time; {state()} {events()}"
        time.sleep(0.02)


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(lambda: bool(state()), id="begun"),
        pytest.param(lambda: bool(state().get("trainer")), id="the trainer runs"),
        pytest.param(lambda: '"progress"' in events(), id="it learns"),
    ],
)
def test_killed_while_it_teaches(moment: Callable[[], bool], qtbot: QtBot, qapp: QApplication) -> None:
    settings = Settings(paths.settings_file())
    settings[LISTEN_AT_START] = False
    count = fill()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "QT_QPA_PLATFORM": "offscreen"}
    with subprocess.Popen([sys.executable, "-c", TEACHING_PROGRAM], env=environment) as program:
        until(moment)
        program.send_signal(signal.SIGKILL)
        program.wait()
    trainer = int(state().get("trainer", 0))

    application = Application(qapp)
    try:
        application.show()
        qtbot.waitUntil(lambda: bool(application.window.complaint_view.sentences), timeout=20_000)
        assert application.window.complaint_view.sentences == [
            "The program ended while it was training; nothing was changed."
        ]
        until(lambda: not is_alive(trainer))
        assert [run.state for run in all_runs()] == [INTERRUPTED]
        assert application.library is not None
        assert len(application.library.clips()) == count
        assert application.library.complaints == []
        assert application.settings[MODEL] == ""
        assert list(paths.models_folder().glob("*.onnx")) == []
        qtbot.waitUntil(lambda: application.monitor.model_name != "", timeout=20_000)
        # And now it can be taught.
        application.window.show_training()
        view: Any = application.window.pages.currentWidget()
        with qtbot.waitSignal(view.trainer.ended, timeout=120_000) as ended:
            view.teach()
        assert ended.args[1] == "finished"
    finally:
        application.end()
        application.shut_down()
