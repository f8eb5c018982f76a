"""A caregiver uses the program: records, labels by key, teaches, compares, swaps models. Tests use it in their own
process, or run it as a script: that is the real program, which prints what it did and waits to be killed at a moment.

    python tests/story.py MOMENT    does everything until MOMENT (one of `MOMENTS`), prints it, and waits to be killed
    python tests/story.py look      starts, prints what is there as JSON, and ends
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
import soundfile
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QInputDialog, QPushButton
from virtual_hardware import PLAYER

from babymonitor import app
from babymonitor.app import Application
from babymonitor.core import paths
from babymonitor.core.library.database import LibraryDatabase
from babymonitor.core.library.library import Library, LibraryClip
from babymonitor.core.model.scorer import Score
from babymonitor.core.settings import ALARM_ON, END_SECONDS, MODEL, PREVIOUS_MODEL, Settings
from babymonitor.core.sound.wave import Wave
from babymonitor.core.state import Activity
from babymonitor.core.training_runs import Run, all_runs
from babymonitor.ui.pages.label.label_page import LabelPage
from babymonitor.ui.pages.train.train_page import TrainPage
from resources import synthesise

Key = Qt.Key
CONTROL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier
HEARING = (Activity.LISTENING, Activity.CRYING, Activity.LOUD)
DOOR = "door"
SAD_KEY, NATURAL_KEY = Key.Key_4, Key.Key_6

RECORDING, STOPPED, LABELLING, LABELLED = "recording", "stopped", "labelling", "labelled"
TRAINING_BEGUN, TRAINING, TRAINED, SWAPPING, SWAPPED = "training begun", "training", "trained", "swapping", "swapped"
MOMENTS = (RECORDING, STOPPED, LABELLING, LABELLED, TRAINING_BEGUN, TRAINING, TRAINED, SWAPPING, SWAPPED)
"""While a recording grows; before it is in the library; between a label's file and its row; after the label; as a
training begins; in its middle; before the new model is used; between the two settings of a swap; right after them."""

# ----------------------------------------------------------------------------------------------------------- the sounds


def cry(seed: int, seconds: float = 3.0) -> Wave:
    return as_loud(synthesise.cry(seconds, np.random.default_rng(seed)))


def babble(seed: int, seconds: float = 3.0) -> Wave:
    return as_loud(synthesise.babble(seconds, np.random.default_rng(seed)))


def squeak(seed: int, seconds: float = 3.0) -> Wave:
    """A door that swings to and fro on a dry hinge, (samples,) at 16 kHz: the shipped model takes it for a cry."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(16000 * seconds)) / 16000
    swing = 0.5 - 0.5 * np.cos(2 * np.pi * time / rng.uniform(0.8, 1.0) + rng.uniform(-0.3, 0.3))
    pitch = (300 + 60 * swing) * (1 + 0.01 * np.sin(2 * np.pi * rng.uniform(8, 12) * time))
    phase = 2 * np.pi * np.cumsum(pitch) / 16000
    wave = np.zeros(time.size)
    for harmonic in range(1, 16):
        hz = harmonic * pitch
        gain = 1 / (1 + ((hz - 1100) / 500) ** 2) + 0.8 / (1 + ((hz - 3300) / 900) ** 2) + 0.06
        wave += np.where(hz < 7500, gain, 0.0) * np.sin(harmonic * phase)
    wave *= np.clip(10 * np.minimum(time, seconds - time), 0, 1) * (0.4 + 0.6 * np.sqrt(swing))
    return as_loud(np.asarray(wave, np.float32))


def as_loud(wave: Wave) -> Wave:
    return np.asarray(0.3 * wave / np.abs(wave).max(), np.float32)


def room(seconds: float) -> Wave:
    """A quiet room: a microphone that gives nothing at all would be called muted."""
    return np.asarray(np.random.default_rng(1).standard_normal(int(16000 * seconds)) * 1e-3, np.float32)


def fill_library(nights: int, squeaks: int = 1, unlabelled: bool = False) -> None:
    """Fill the library with nights before: in each a cry, babbling, and the door. unlabelled: the door has no label."""
    library = Library()
    for night in range(nights):
        group = f"night-2026-11-{10 + night}"
        began = datetime(2026, 11, 10 + night, 22, tzinfo=UTC).timestamp()
        for number, (label, make) in enumerate((("sad", cry), ("natural", babble), *((DOOR, squeak),) * squeaks)):
            wave = make(50 + 10 * night + number, 2.0)
            wave = np.concatenate((room(0.3), wave + room(3.0)[-wave.size :]))
            name = "" if unlabelled and label == DOOR else label
            # Nights of one time would be taken for one night, and be judged by nothing but what is recorded today.
            library.add(wave, name, group=group, source="night", recorded=began + 60 * number)
    library.close()


# -------------------------------------------------------------------------------------------------------- the caregiver


class Caregiver:
    """Works with the shown window by keyboard, and waits as a person does: for what is seen."""

    def __init__(self, application: Application, play: Callable[[Wave], subprocess.Popen[bytes]]) -> None:
        self.application = application
        self.monitor = application.monitor
        self.window = application.window
        self.play = play
        self.scores: list[Score] = []
        self.activities: list[Activity] = []
        self.monitor.scored.connect(self.scores.append)
        self.monitor.state_changed.connect(self._on_state_changed)

    def _on_state_changed(self) -> None:
        self.activities.append(self.monitor.state.activity)

    def until(self, condition: Callable[[], Any], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"It did not happen in time: {self.window.complaint_view.sentences}")
            QTest.qWait(10)

    def press(self, key: Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(QApplication.focusWidget() or self.window, key, modifier)

    def sit_down(self) -> None:
        """Wait until the window is shown and active, and the program listens."""
        self.until(self.window.isVisible)
        self.until(lambda: self.monitor.state.activity in HEARING and self.scores)
        self.window.activateWindow()
        self.until(self.window.isActiveWindow)

    def let_sound(self, wave: Wave) -> None:
        """Play a sound in the room; returns when all of it was played."""
        player = self.play(wave)
        self.until(lambda: player.poll() is not None)

    # Record & label

    @property
    def library(self) -> Library:
        assert self.application.library is not None
        return self.application.library

    @property
    def label_page(self) -> LabelPage:
        return cast(LabelPage, self.window.pages.currentWidget())

    @property
    def open_clip(self) -> LibraryClip:
        clip = self.label_page.labelling_view.clip
        assert clip is not None
        return clip

    def begin_recording(self, wave: Wave) -> None:
        """Press R and play the sound; returns when it is over."""
        self.press(Key.Key_R)
        recorder = self.monitor.recorder
        assert recorder.is_recording
        self.let_sound(wave)
        wanted = recorder.seconds + 0.3
        self.until(lambda: recorder.seconds >= wanted)

    def record(self, wave: Wave) -> LibraryClip:
        """Press R, play the sound, press R. Returns the new clip, which is open."""
        before = {clip.id for clip in self.library.clips()}
        self.begin_recording(wave)
        self.press(Key.Key_R)
        view = self.label_page.labelling_view
        self.until(lambda: view.clip is not None and view.clip.id not in before)
        return self.open_clip

    def name_it(self, name: str) -> None:
        """Press M, type a label, press Enter."""

        def answer() -> None:
            dialog = QApplication.activeModalWidget()
            if not isinstance(dialog, QInputDialog):
                QTimer.singleShot(20, answer)
                return
            dialog.setTextValue(name)
            QTest.keyClick(dialog, Key.Key_Return)

        QTimer.singleShot(0, answer)
        self.press(Key.Key_M)

    # Train

    @property
    def train_page(self) -> TrainPage:
        return cast(TrainPage, self.window.pages.currentWidget())

    def teach(self) -> list[tuple[Run, str, str]]:
        """Press Ctrl+4 and Ctrl+T: teaching begins. The list returned gets how it ended, once it has."""
        ended: list[tuple[Run, str, str]] = []
        self.press(Key.Key_4, CONTROL)
        page = self.train_page
        page.trainer.ended.connect(lambda *result: ended.append(result))
        self.until(page.teach_view.teach_button.isEnabled)
        self.press(Key.Key_T, CONTROL)
        assert page.trainer.is_running
        return ended

    def push(self, button: QPushButton) -> None:
        """Focus a button and press it by the space bar."""
        assert button.isVisible(), button.text()
        button.setFocus()
        QTest.keyClick(button, Key.Key_Space)

    def hear(self, wave: Wave) -> list[Score]:
        """Play a sound in the room; returns the scores until it is quiet again."""
        self.until(lambda: self.monitor.state.activity is Activity.LISTENING)
        self.activities.clear()
        first = len(self.scores)
        self.let_sound(wave)
        until = self.monitor.ring.written + 8000
        self.until(lambda: self.monitor.ring.written >= until)
        self.until(lambda: self.scores[-1].end_sample >= until - 4096)
        return self.scores[first:]


# --------------------------------------------------------------------------------------------- the program as a process


def say(**values: Any) -> None:
    print(json.dumps(values), flush=True)


def wait_for_the_end(moment: str) -> None:
    """Print the moment and stop this thread for good."""
    say(moment=moment)
    while True:
        signal.pause()


def play(wave: Wave) -> subprocess.Popen[bytes]:
    path = paths.data_folder().parent / f"{time.monotonic_ns()}.wav"
    soundfile.write(path, wave, 16000)
    return subprocess.Popen([*PLAYER, str(path)], stderr=subprocess.DEVNULL)


def live_until(moment: str, person: Caregiver) -> None:
    """Do everything up to a moment."""
    person.sit_down()
    person.press(Key.Key_3, CONTROL)
    label_by_key(person, cry(1, 0.3), SAD_KEY)
    if moment == RECORDING:
        person.begin_recording(squeak(2, 0.3))
        person.until(lambda: any(path.stat().st_size > 48000 for path in paths.recordings_folder().iterdir()))
        wait_for_the_end(moment)
    if moment == STOPPED:
        person.begin_recording(squeak(2, 0.3))
        person.press(Key.Key_R)
        wait_for_the_end(moment)
    if moment == LABELLING:
        clip = person.record(babble(3, 0.3))
        say(open=clip.id)
        stop_before_the_row(moment)
        person.press(NATURAL_KEY)
    label_by_key(person, babble(3, 0.3), NATURAL_KEY)
    clip = person.record(squeak(2, 0.3))
    person.name_it(DOOR)
    confirm(person, clip.id, DOOR)
    if moment == LABELLED:
        wait_for_the_end(moment)
    ended = person.teach()
    page = person.train_page
    if moment == TRAINING_BEGUN:
        wait_for_the_end(moment)
    if moment == TRAINING:
        person.until(lambda: page.running_view.progress_bar.value() > 0)
        wait_for_the_end(moment)
    person.until(lambda: ended)
    assert ended[0][1] == "finished", ended
    if moment == TRAINED:
        wait_for_the_end(moment)
    if moment == SWAPPING:
        stop_before_the_model_is_set(moment)
    person.push(page.comparison_view.use_button)
    wait_for_the_end(SWAPPED)


def label_by_key(person: Caregiver, wave: Wave, key: Key) -> None:
    clip = person.record(wave)
    person.press(key)
    confirm(person, clip.id, {SAD_KEY: "sad", NATURAL_KEY: "natural"}[key])


def confirm(person: Caregiver, id: str, label: str) -> None:
    """Check and print a clip's label: the person has seen it, so it must not be lost from now on."""
    clip = person.library.clip(id)
    assert clip is not None
    assert clip.label == label
    say(labelled=id, label=label)


def stop_before_the_row(moment: str) -> None:
    def put(*_: Any, **__: Any) -> None:
        wait_for_the_end(moment)

    LibraryDatabase.put = put  # type: ignore[method-assign]


def stop_before_the_model_is_set(moment: str) -> None:
    """Stop when the new model's file and the way back are written, and the new settings lie beside their place."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.rename" and Path(os.fsdecode(arguments[1])) == paths.settings_file():
            coming = json.loads(Path(os.fsdecode(arguments[0])).read_text(encoding="utf-8"))
            if coming.get(MODEL.name):
                wait_for_the_end(moment)

    sys.addaudithook(hook)


def look(person: Caregiver) -> None:
    """Print what is there after a start."""
    person.sit_down()
    person.press(Key.Key_3, CONTROL)
    person.until(lambda: person.monitor.recorder.unfinished() == [])
    person.until(lambda: len(person.scores) >= 3)
    waiting = person.label_page.labelling_view.queue.count
    settings = person.application.settings
    person.press(Key.Key_4, CONTROL)
    train = person.train_page
    if train.resume_button.isVisible():
        person.push(train.resume_button)
    say(
        clips={clip.id: [clip.label, clip.seconds] for clip in person.library.clips()},
        files=sum(clip.path.is_file() for clip in person.library.clips()),
        library=person.library.complaints,
        waiting=waiting,
        offered=train.comparison_view.isVisible() and train.comparison_view.use_button.isVisible(),
        complaints=person.window.complaint_view.sentences,
        model=person.monitor.model_name,
        setting=settings[MODEL],
        previous=settings[PREVIOUS_MODEL],
        activity=person.monitor.state.activity.value,
        runs=[run.state for run in all_runs()],
        scores=len(person.scores),
    )


def main() -> int:
    """Run the real program with a caregiver who uses it."""
    moment = sys.argv[1]

    class UsedApplication(Application):
        def show(self) -> None:
            super().show()
            QTimer.singleShot(0, self._use)

        def _use(self) -> None:
            try:
                person = Caregiver(self, play)
                if moment == "look":
                    look(person)
                else:
                    live_until(moment, person)
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
                os._exit(3)
            self.end()

    app.Application = UsedApplication  # type: ignore[misc]
    return app.run()


def quiet_settings() -> None:
    """The alarm is no part of this story: the virtual loudspeaker is not heard by the virtual microphone."""
    settings = Settings(paths.settings_file())
    settings[ALARM_ON] = False
    settings[END_SECONDS] = 2.0


if __name__ == "__main__":
    sys.exit(main())
