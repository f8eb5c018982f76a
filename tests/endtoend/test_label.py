"""Record and label with the whole program: a real window, a virtual microphone, keys, and the files on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from virtual_hardware import VirtualSoundCard

from babymonitor.app import Application
from babymonitor.core import paths
from babymonitor.core.library.library import Library
from babymonitor.core.settings import ALARM_ON, BABY_NAME, Settings
from babymonitor.core.sound.files import read_wave
from babymonitor.core.state import Activity
from babymonitor.ui.pages.label.label_page import LabelPage
from babymonitor.ui.window.main_window import LABEL_PAGE
from resources import synthesise

pytestmark = [pytest.mark.window, pytest.mark.sound_card]

Key = Qt.Key
CONTROL = Qt.KeyboardModifier.ControlModifier
HEARING = (Activity.LISTENING, Activity.CRYING, Activity.LOUD)


class Home:
    """The program as a person runs it, on the page Record & label."""

    def __init__(self, qtbot: QtBot, qapp: QApplication, card: VirtualSoundCard) -> None:
        self.qtbot = qtbot
        self.card = card
        settings = Settings(paths.settings_file())
        settings[BABY_NAME] = "Mia"
        # The virtual loudspeaker is not heard by the virtual microphone, but the alarm is no part of this story.
        settings[ALARM_ON] = False
        # As loud as a quiet room: a microphone that gives nothing at all would be called muted.
        room = np.random.default_rng(1).standard_normal(16000 * 200) * 1e-3
        card.play(np.asarray(room, np.float32))
        self.application = Application(qapp)
        self.monitor = self.application.monitor
        self.window = self.application.window
        self.application.show()
        qtbot.waitExposed(self.window)
        self.wait(lambda: self.monitor.state.activity in HEARING, 30)
        self.window.activateWindow()
        self.wait(self.window.isActiveWindow)
        self.press(Key.Key_3, CONTROL)
        page = self.window.pages.widget(LABEL_PAGE)
        assert isinstance(page, LabelPage)
        self.page = page
        assert self.application.library is not None
        self.library: Library = self.application.library

    def wait(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        self.qtbot.waitUntil(condition, timeout=int(1000 * seconds))

    def press(self, key: Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        self.qtbot.keyClick(QApplication.focusWidget() or self.window, key, modifier)

    def record(self, seconds: float) -> None:
        """R, so many seconds of what is heard, R."""
        recorder = self.monitor.recorder
        before = len(self.library.clips())
        self.press(Key.Key_R)
        assert recorder.is_recording
        self.wait(lambda: recorder.seconds >= seconds, 20 + seconds)
        self.press(Key.Key_R)
        self.wait(lambda: len(self.library.clips()) == before + 1)

    def end(self) -> None:
        self.window.hide()
        self.application.shut_down()
        self.window.deleteLater()


@pytest.fixture
def at_home(qtbot: QtBot, qapp: QApplication, sound_card: VirtualSoundCard) -> Iterator[Home]:
    home = Home(qtbot, qapp, sound_card)
    yield home
    home.end()


def test_recorded_labelled_undone_and_still_there_tomorrow(at_home: Home) -> None:
    home = at_home
    view = home.page.labelling_view
    samples = home.monitor.ring.written
    cry = synthesise.cry(5.0, np.random.default_rng(3))
    home.card.play(np.asarray(np.clip(cry, -1, 1), np.float32))
    home.record(4.0)
    assert view.clip is not None
    first = view.clip
    assert (first.label, first.baby, first.source) == ("", "Mia", "microphone")
    assert first.seconds >= 4.0
    assert abs(first.recorded - time.time()) < 60
    wave = read_wave(first.path)
    assert np.abs(wave).max() > 0.05, "the cry is in it"
    home.wait(lambda: view.suggestion_bar.label.text().startswith("It sounds like: "), 30)

    home.press(Key.Key_1)
    assert home.library.clip(first.id).label == "hungry"  # type: ignore[union-attr]
    home.press(Key.Key_Z, CONTROL)
    assert home.library.clip(first.id).label == ""  # type: ignore[union-attr]
    home.press(Key.Key_Return)
    suggested = home.library.clip(first.id).label  # type: ignore[union-attr]
    assert suggested, "the model's word was taken"

    home.press(Key.Key_L)  # too late to press Record
    home.wait(lambda: len(home.library.clips()) == 2)
    last = next(clip for clip in home.library.clips() if clip.id != first.id)
    assert last.seconds > 4.0
    home.wait(lambda: view.clip is not None and view.clip.id == last.id)
    home.press(Key.Key_7)
    assert [clip.label for clip in home.library.clips() if clip.id == last.id] == ["background"]
    assert list(paths.recordings_folder().glob("recording-*")) == []

    assert home.monitor.state.activity in HEARING, "it went on listening all the while"
    assert home.monitor.ring.cut_at <= samples
    tomorrow = Library()
    assert {clip.id: clip.label for clip in tomorrow.clips()} == {first.id: suggested, last.id: "background"}
    tomorrow.close()


def test_what_was_being_recorded_when_the_program_ended_is_offered(
    qtbot: QtBot, qapp: QApplication, sound_card: VirtualSoundCard
) -> None:
    home = Home(qtbot, qapp, sound_card)
    home.press(Key.Key_R)
    home.wait(lambda: home.monitor.recorder.seconds > 2.0)
    home.end()
    again = Home(qtbot, qapp, sound_card)
    try:
        again.wait(lambda: len(again.library.clips(label="")) == 1)
        assert again.library.clips()[0].seconds > 2.0
        assert again.page.labelling_view.queue.count == 1
        shown = " ".join(again.window.complaint_view.sentences)
        assert "before the program ended" in shown
    finally:
        again.end()


def test_a_label_can_be_given_while_it_is_recorded(at_home: Home) -> None:
    home = at_home
    view, recorder = home.page.labelling_view, home.monitor.recorder
    home.press(Key.Key_R)
    home.press(Key.Key_5)
    home.press(Key.Key_1, CONTROL)
    assert home.window.side_bar._pages.button(LABEL_PAGE).text() == "● Recording", "not to be forgotten elsewhere"
    home.press(Key.Key_3, CONTROL)
    assert view.title_label.text() == "It will be: Laughing"
    home.wait(lambda: recorder.seconds > 1.0)
    home.press(Key.Key_R)
    home.wait(lambda: [clip.label for clip in home.library.clips()] == ["happy"])
    home.wait(lambda: view.clip is not None)
    assert view.title_label.text() == "It was: Laughing"
    home.press(Key.Key_Z, CONTROL)
    assert [clip.label for clip in home.library.clips()] == [""]


def test_the_next_recording_takes_no_label_from_the_one_before(at_home: Home) -> None:
    home = at_home
    recorder = home.monitor.recorder
    home.press(Key.Key_R)
    home.press(Key.Key_5)
    home.wait(lambda: recorder.seconds > 1.0)
    home.press(Key.Key_R)
    home.press(Key.Key_R)  # at once: the first is not in the library yet
    home.press(Key.Key_1)
    assert home.library.clips() == []
    home.wait(lambda: [clip.label for clip in home.library.clips()] == ["happy"])
    home.wait(lambda: recorder.seconds > 3.0)
    home.press(Key.Key_R)
    home.wait(lambda: [clip.label for clip in home.library.clips()] == ["hungry", "happy"])


def test_the_selection_is_heard(at_home: Home) -> None:
    home = at_home
    view = home.page.labelling_view
    cry = synthesise.cry(4.0, np.random.default_rng(4))
    home.card.play(np.asarray(np.clip(cry, -1, 1), np.float32))
    home.record(3.0)
    home.wait(lambda: view.clip is not None)
    home.press(Key.Key_Space)
    assert view.editor.is_playing
    assert home.card.sounds(0.02, 5.0)
    home.press(Key.Key_Space)
    assert not view.editor.is_playing
