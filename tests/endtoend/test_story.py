"""The story that all is for: record, label by key, teach, compare, swap, hear the difference; and killed in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import story
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from virtual_hardware import VirtualSoundCard

from babymonitor.app import Application
from babymonitor.core import paths
from babymonitor.core.library.library import Library
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.scorer import Score
from babymonitor.core.settings import MODEL, PREVIOUS_MODEL, Settings
from babymonitor.core.state import Activity
from babymonitor.core.training_runs import FINISHED, INTERRUPTED, all_runs, is_alive

pytestmark = [pytest.mark.window, pytest.mark.sound_card, pytest.mark.slow]

Measured = Callable[[str, str], None]
ROOT = Path(__file__).parents[2]
EARLIER = "earlier.onnx"
"""A model that was in use before the one that is in use as the story begins."""


@pytest.fixture
def person(qtbot: QtBot, qapp: QApplication, sound_card: VirtualSoundCard) -> Iterator[story.Caregiver]:
    story.quiet_settings()
    story.fill_library(3, squeaks=7, unlabelled=True)
    sound_card.play(story.room(300))
    application = Application(qapp)
    application.show()
    person = story.Caregiver(application, sound_card.play)
    person.sit_down()
    yield person
    application.window.hide()
    application.shut_down()
    application.window.deleteLater()


def loudest(scores: Sequence[Score], count: int = 4) -> float:
    """The P(crying) that so many scores reach."""
    return sorted(score.crying for score in scores)[-count]


def test_recorded_labelled_taught_compared_swapped_and_heard(person: story.Caregiver, measured: Measured) -> None:
    monitor = person.monitor
    shipped = monitor.model_name
    before = person.hear(story.squeak(3))
    assert loudest(before) > monitor.start_threshold, "the model in use takes the door for a cry"
    assert Activity.CRYING in person.activities

    # Three labels, by key; one more press for each squeak that waits from the nights before.
    person.press(story.Key.Key_3, story.CONTROL)
    view = person.label_page.labelling_view
    assert view.queue.count == 21
    labelled: dict[str, str] = {}
    for wave, key, label in (
        (story.cry(2, 2.0), story.SAD_KEY, "sad"),
        (story.babble(2, 2.0), story.NATURAL_KEY, "natural"),
    ):
        clip = person.record(wave)
        person.press(key)
        labelled[clip.id] = label
    clip = person.record(story.squeak(2, 2.0))
    person.name_it(story.DOOR)
    labelled[clip.id] = story.DOOR
    while view.queue.count:
        clip = person.open_clip
        assert clip.label == ""
        person.press(story.Key.Key_8)
        labelled[clip.id] = story.DOOR
    labels = {clip.id: clip.label for clip in person.library.clips()}
    assert labelled.items() <= labels.items()
    assert len(labelled) == 24
    assert sorted(labels.values()) == ["door"] * 22 + ["natural"] * 4 + ["sad"] * 4

    # Teach it, and see how far it is.
    shown: list[tuple[int, str]] = []
    scores = len(person.scores)
    ended = person.teach()
    page = person.train_page
    progress, stage = page.running_view.progress_bar, page.running_view.step_label
    page.trainer.event_arrived.connect(lambda _: shown.append((progress.value(), stage.text())))
    assert page.running_view.isVisible()
    person.until(lambda: ended, 180)
    assert ended[0][1] == FINISHED, ended
    shares = [value for value, _ in shown]
    assert shares == sorted(shares)
    assert len(set(shares)) > 3, "it is seen to go on"
    assert {"Listening to 30 clips", "Comparing with the present model"} <= {words for _, words in shown}
    assert len(person.scores) > scores, "it listened all the while"

    # Old against new: nothing has changed yet.
    comparison = page.comparison_view
    assert comparison.isVisible()
    assert comparison.use_button.text() == "Use this model"
    (run,) = all_runs()
    figures = json.loads(run.comparison.read_text(encoding="utf-8"))
    assert figures["cries"]["new_caught"] == figures["cries"]["old_caught"] == 4
    assert figures["others"]["new_woke"] < figures["others"]["old_woke"]
    assert monitor.model_name == shipped
    person.press(story.Key.Key_1, story.ALT)
    assert not comparison.isVisible()
    assert "not in use yet" in page.note_label.text()
    person.push(page.resume_button)
    assert comparison.isVisible(), "whoever looks elsewhere first can come back to it"

    # Used: the very next window is the new model's, and the door is a door.
    at_swap = len(person.scores) - 2
    person.push(comparison.use_button)
    person.until(lambda: monitor.model_name != shipped)
    settings = person.application.settings
    assert Path(settings[MODEL]).parent == paths.models_folder()
    assert settings[PREVIOUS_MODEL] == ""
    after = person.hear(story.squeak(3))
    assert loudest(after) < monitor.start_threshold, [round(score.crying, 2) for score in after]
    assert Activity.CRYING not in person.activities
    crying = person.hear(story.cry(3))
    assert loudest(crying) > monitor.start_threshold, "and a cry is a cry"
    assert Activity.CRYING in person.activities

    # And back.
    person.push(comparison.roll_back_button)
    person.until(lambda: monitor.model_name == shipped)
    again = person.hear(story.squeak(3))
    assert loudest(again) > monitor.start_threshold
    assert settings[MODEL] == ""
    person.push(comparison.close_button)
    assert page.note_bar.isHidden(), "it was decided on"
    assert monitor.card is not None
    hops = set(np.diff([score.end_sample for score in person.scores[at_swap:]]))
    assert hops == {monitor.card.hop_samples}, "through both swaps not one window was missed"
    assert person.application.history.gaps() == []
    complaints = [sentence for sentence in person.window.complaint_view.sentences if "fall asleep" not in sentence]
    assert complaints == [], "nothing else went wrong"
    door = f"{loudest(before):.2f} before, {loudest(after):.2f} after, {loudest(again):.2f} back"
    measured("P(crying) of the door, live", f"{door}; of a cry after {loudest(crying):.2f}")


# ------------------------------------------------------------------------------------------------------------- killed


class Program:
    """The program in a process of its own, with a caregiver who uses it. `lines` are what it printed."""

    def __init__(self, moment: str) -> None:
        self.lines: list[dict[str, Any]] = []
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed with the program)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(Path(story.__file__)), moment]
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )

    def read(self) -> dict[str, Any]:
        """Read the next line that it prints; fail with its error messages if it ended instead."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            pytest.fail(f"It ended with {self._process.returncode}:\n{self._errors.read()}")
        self.lines.append(json.loads(line))
        return self.lines[-1]

    def read_until(self, key: str) -> Any:
        while key not in (line := self.read()):
            pass
        return line[key]

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self.close()

    def close(self) -> int:
        """Wait for its end; the exit status."""
        assert self._process.stdout is not None
        status = self._process.wait(60)
        self._process.stdout.close()
        self._errors.close()
        return status


@pytest.mark.parametrize("moment", story.MOMENTS)
def test_killed_and_started_again(moment: str, sound_card: VirtualSoundCard) -> None:
    story.quiet_settings()
    Settings(paths.settings_file())[PREVIOUS_MODEL] = EARLIER
    story.fill_library(2)
    library = Library()
    labelled = {clip.id: clip.label for clip in library.clips()}
    library.close()
    sound_card.play(story.room(120))

    program = Program(moment)
    try:
        assert program.read_until("moment") == moment
    finally:
        program.kill()
    trainers = [run.trainer for run in all_runs()]
    new_model = list(paths.models_folder().glob("*.onnx"))

    again = Program("look")
    try:
        seen = again.read_until("clips")
        state = again.lines[-1]
    except BaseException:
        again.kill()
        raise
    assert again.close() == 0, "it ends as it should, too"

    # Nothing that had a label is lost, nothing is twice, and the sound of each is there.
    labelled |= {line["labelled"]: line["label"] for line in program.lines if "labelled" in line}
    assert labelled.items() <= {id: label for id, (label, _) in seen.items()}.items()
    assert state["files"] == len(seen)
    assert state["library"] == []
    unconfirmed = {id: values for id, values in seen.items() if id not in labelled}
    if moment in (story.RECORDING, story.STOPPED):
        ((label, seconds),) = unconfirmed.values()
        assert label == ""
        assert seconds > 1.5, "what was being recorded is offered"
        assert state["waiting"] == 1
        assert any("before the program ended" in sentence for sentence in state["complaints"])
    elif moment == story.LABELLING:
        (name,) = (line["open"] for line in program.lines if "open" in line)
        assert {id: label for id, (label, _) in unconfirmed.items()} == {name: "natural"}, (
            "the key that was pressed counts"
        )
    else:
        assert unconfirmed == {}

    # A training that ended with it is reported, and its trainer is gone.
    if moment in (story.TRAINING_BEGUN, story.TRAINING):
        assert state["runs"] == [INTERRUPTED]
        assert "The program ended while it was training; nothing was changed." in state["complaints"]
    elif moment in (story.TRAINED, story.SWAPPING, story.SWAPPED):
        assert state["runs"] == [FINISHED]
    else:
        assert state["runs"] == []
    # It notices when it next reports, which may be a while on a busy machine.
    deadline = time.monotonic() + 20
    while any(is_alive(trainer) for trainer in trainers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(is_alive(trainer) for trainer in trainers)
    assert state["offered"] == (moment in (story.TRAINED, story.SWAPPING)), "what was trained can still be used"

    # The old or the new model hears.
    assert state["activity"] == Activity.LISTENING.value
    assert state["scores"] >= 3
    shipped = Classifier(paths.default_model()).card.name
    if moment == story.SWAPPED:
        assert [Path(state["setting"])] == new_model
        assert state["model"] == Classifier(new_model[0]).card.name != shipped
    else:
        assert state["setting"] == ""
        assert state["model"] == shipped
    # The way back is kept before the new model is taken.
    assert state["previous"] == ("" if moment in (story.SWAPPING, story.SWAPPED) else EARLIER)
