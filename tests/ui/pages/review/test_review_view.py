"""The review on real parts: history, library, clips of the demo; from the keyboard alone."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import soundfile
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from turned_room import TurnedRoom

from babymonitor.core import paths
from babymonitor.core.history.history import RIGHT, UNSURE, WRONG, History, Minute
from babymonitor.core.history.night import Night
from babymonitor.core.library.library import Library
from babymonitor.core.settings import BABY_NAME, USE_MODEL_THRESHOLDS, Settings
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from babymonitor.live.monitor import Monitor
from babymonitor.ui.pages.label.label_page import REVIEW_TAB, LabelPage
from babymonitor.ui.pages.nights.nights_page import NightsPage
from babymonitor.ui.pages.review.review_view import ReviewView
from babymonitor.ui.parts.alerts_model import AlertColumn
from babymonitor.ui.window.main_window import LABEL_PAGE, MainWindow

NIGHT = 0.0
"""Return a moment of last night, seen from now, because midnight may lie between import and test."""


@pytest.fixture(autouse=True)
def _last_night() -> None:
    global NIGHT
    NIGHT = Night.of(time.time() - 12 * 3600).began + 3600.0


@pytest.fixture
def view(
    qtbot: QtBot, monitor: Monitor, history: History, library: Library, settings: Settings
) -> Iterator[ReviewView]:
    view = ReviewView(monitor, history, library, settings)
    view.resize(940, 560)
    qtbot.addWidget(view)
    yield view
    view.hide()


def open_review(view: ReviewView, qtbot: QtBot) -> None:
    view.show()
    view.activateWindow()
    qtbot.waitUntil(view.isActiveWindow)


def press(view: ReviewView, *keys: Qt.Key) -> None:
    for key in keys:
        QTest.keyClick(view, key)


def keep_sound(name: str, start: float, seconds: float = 3.0) -> str:
    wave = read_wave(paths.resource("demo.flac"))
    first = int(start * SAMPLE_RATE)
    path = paths.clips_folder() / name
    soundfile.write(path, wave[first : first + int(seconds * SAMPLE_RATE)], SAMPLE_RATE, subtype="PCM_16")
    return name


def add_alert(history: History, began: float, crying: float, clip: str | None = None) -> str:
    id = history.add_alert("crying", began, began + 1.0, -20.0, crying)
    history.update_alert(id, began + 30.0, -20.0, crying, {"hungry": 0.7, "tired": 0.3})
    if clip is not None:
        history.set_clip(id, clip)
    return f"alert:{id}"


def add_near_miss(history: History, began: float, crying: float, clip: str | None = None) -> str:
    shares = {"sad": crying, "background": 1 - crying}
    return f"near-miss:{history.add_near_miss(began, began + 3.0, crying, -40.0, shares, clip)}"


def test_nothing_to_review_is_said_kindly(view: ReviewView, qtbot: QtBot) -> None:
    open_review(view, qtbot)
    assert view.end_view.title_label.text() == "Nothing to review: nothing woke you last night, and nothing came close."
    assert view.count == 0
    press(view, Qt.Key.Key_Y, Qt.Key.Key_N, Qt.Key.Key_5, Qt.Key.Key_Backspace)
    assert view.end_view.title_label.isVisible()


def test_a_night_is_reviewed_from_the_keyboard_alone(
    view: ReviewView, history: History, library: Library, settings: Settings, monitor: Monitor, qtbot: QtBot
) -> None:
    settings[BABY_NAME] = "Ada"
    settings[USE_MODEL_THRESHOLDS] = False  # the model's own would come when it is open
    threshold = monitor.start_threshold
    near = add_near_miss(history, NIGHT + 60, threshold - 0.01, keep_sound("near.flac", 0.0))
    doubtful = add_alert(history, NIGHT + 120, threshold + 0.02, keep_sound("doubtful.flac", 3.0))
    middling = add_alert(history, NIGHT + 180, threshold + 0.1, keep_sound("middling.flac", 5.0))
    sure = add_alert(history, NIGHT + 240, threshold + 0.2, keep_sound("sure.flac", 7.0))
    gone = add_alert(history, NIGHT + 300, threshold + 0.25, "deleted.flac")
    counts: list[int] = []
    view.count_changed.connect(counts.append)
    monitor.alerts_changed.emit()
    qtbot.waitUntil(lambda: view.count == 5)
    open_review(view, qtbot)

    def asked() -> str:
        return "" if view.episode is None else view.episode.key

    def library_labels() -> dict[str, str]:
        return {clip.origin: clip.label for clip in library.clips()}

    assert asked() == near
    assert view.state_view.words.headline.startswith("Let you sleep at ")
    assert view.editor.seconds == 3.0
    press(view, Qt.Key.Key_N)
    assert "What was it" in view.label_title_view.text()
    assert not view.right_button.isEnabled()
    press(view, Qt.Key.Key_1)  # it was hungry
    assert asked() == doubtful
    assert library_labels() == {near: "hungry"}
    assert view.editor.hasFocus(), "an arrow must not change the period"
    press(view, Qt.Key.Key_Left, Qt.Key.Key_Right)
    assert asked() == doubtful, "the arrows are the selection's"
    view.editor.fit()
    press(view, Qt.Key.Key_Y)
    assert library_labels() == {near: "hungry", doubtful: "sad"}
    assert asked() == middling
    press(view, Qt.Key.Key_U)
    assert asked() == sure
    # N was a slip: back out of it, then say at once what it was.
    press(view, Qt.Key.Key_N, Qt.Key.Key_Backspace)
    assert asked() == sure
    press(view, Qt.Key.Key_7)
    assert library_labels() == {near: "hungry", doubtful: "sad", sure: "background"}
    assert asked() == gone
    assert "no longer on the disk" in view.no_sound_label.text()
    assert view.no_sound_label.isVisible()
    press(view, Qt.Key.Key_Y)
    assert asked() == ""
    assert view.end_view.title_label.text() == "All of last night is reviewed."
    assert "2 of 3 alerts were right" in view.end_view.detail_label.text()
    # Two steps back: the episode whose sound is gone, and the one that was called background.
    press(view, Qt.Key.Key_Backspace)
    assert asked() == gone
    press(view, Qt.Key.Key_Backspace)
    assert asked() == sure
    assert library_labels() == {near: "hungry", doubtful: "sad"}
    assert history.precision() == (1, 0)
    press(view, Qt.Key.Key_3)
    assert library_labels() == {near: "hungry", doubtful: "sad", sure: "tired"}
    press(view, Qt.Key.Key_Y)
    assert counts[0] == 5
    assert counts[-1] == view.count == 0
    reviews = {f"alert:{id}": (review.verdict, review.label) for id, review in history.reviews().items()}
    assert reviews == {
        doubtful: (RIGHT, "sad"),
        middling: (UNSURE, ""),
        sure: (RIGHT, "tired"),
        gone: (RIGHT, "sad"),
    }
    (miss,) = history.near_misses()
    assert (miss.verdict, miss.label) == (WRONG, "hungry")
    for clip in library.clips():
        assert clip.path.is_file()
        assert (clip.baby, clip.source) == ("Ada", "night")
        assert clip.group == "night-" + time.strftime("%Y-%m-%d", time.localtime(Night.of(NIGHT).began))


def test_a_label_of_ones_own(
    view: ReviewView, history: History, library: Library, monitor: Monitor, qtbot: QtBot
) -> None:
    add_alert(history, NIGHT, 0.9, keep_sound("1.flac", 0.0))
    add_near_miss(history, NIGHT + 60, 0.3, keep_sound("2.flac", 4.0))
    open_review(view, qtbot)
    complaints: list[str] = []
    view.complained.connect(complaints.append)
    press(view, Qt.Key.Key_N)
    view.label_buttons.label_chosen.emit("!!")
    assert "cannot be a label" in complaints[0]
    view.label_buttons.label_chosen.emit("squeaking door")
    (clip,) = library.clips()
    assert clip.label == "squeaking_door"
    # The seven known labels have the keys 1 to 7, new ones the next.
    press(view, Qt.Key.Key_8)
    assert {clip.label for clip in library.clips()} == {"squeaking_door"}
    assert len(library.clips()) == 2
    assert view.count == 0
    (alert,), (miss,) = history.reviews().values(), history.near_misses()
    assert (alert.verdict, alert.label) == (WRONG, "squeaking_door")
    assert miss.label == "squeaking_door"


def test_a_selected_part_is_what_goes_into_the_library(
    view: ReviewView, history: History, library: Library, qtbot: QtBot
) -> None:
    add_alert(history, NIGHT, 0.9, keep_sound("1.flac", 0.0))
    open_review(view, qtbot)
    view.editor.set_region(1.0, 2.5)
    press(view, Qt.Key.Key_2)
    (clip,) = library.clips()
    assert clip.seconds == pytest.approx(1.5, abs=0.01)
    assert clip.label == "pain"


def test_the_week_holds_more_than_the_night(view: ReviewView, history: History, monitor: Monitor, qtbot: QtBot) -> None:
    add_alert(history, NIGHT, 0.9)
    add_alert(history, NIGHT - 3 * 86400, 0.8)
    add_alert(history, NIGHT - 12 * 86400, 0.8)
    open_review(view, qtbot)
    assert view.count == 1
    press(view, Qt.Key.Key_Y)
    assert view.end_view.title_label.isVisible()
    assert view.end_view.detail_label.text() == "This week the one reviewed alert was right."
    assert view.end_view.week_button.isVisible()
    view.end_view.week_button.click()
    assert view.count == 1
    press(view, Qt.Key.Key_N, Qt.Key.Key_6)
    assert view.end_view.title_label.text() == "All of this week is reviewed."
    assert view.end_view.detail_label.text() == "Precision this week: 1 of 2 alerts were right."
    assert not view.end_view.week_button.isVisible()


def test_what_lasts_still_comes_when_it_is_over(
    view: ReviewView, history: History, monitor: Monitor, qtbot: QtBot
) -> None:
    id = history.add_alert("crying", NIGHT, NIGHT + 1, -20.0, 0.9)
    open_review(view, qtbot)
    assert view.end_view.title_label.text() == "An alert lasts still. It comes here when it is over."
    history.update_alert(id, NIGHT + 20, -20.0, 0.9, {})
    with qtbot.waitSignal(view.count_changed):
        monitor.alerts_changed.emit()
    assert view.episode is not None
    assert view.no_sound_label.isVisible()
    history.set_clip(id, keep_sound("late.flac", 1.0))
    monitor.alerts_changed.emit()
    qtbot.waitUntil(view.editor.isVisible)
    assert view.editor.seconds == 3.0


def test_each_one_is_played_as_it_comes_if_that_is_wanted(
    view: ReviewView, history: History, monitor: Monitor, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        add_alert(history, NIGHT + 60 * number, 0.9, keep_sound(f"{number}.flac", float(number)))
    played: list[int] = []

    def play(wave: Wave, loop: bool = False, start_seconds: float = 0.0) -> None:
        played.append(wave.size)

    monkeypatch.setattr(monitor, "play_wave", play)
    open_review(view, qtbot)
    press(view, Qt.Key.Key_Y)
    assert played == []
    press(view, Qt.Key.Key_Space)
    assert played == [3 * SAMPLE_RATE]
    view.play_switch.setChecked(True)
    press(view, Qt.Key.Key_Y)
    assert played == [3 * SAMPLE_RATE] * 2


def test_without_a_library_the_marks_are_kept(
    qtbot: QtBot, monitor: Monitor, history: History, settings: Settings
) -> None:
    view = ReviewView(monitor, history, None, settings)
    qtbot.addWidget(view)
    add_alert(history, NIGHT, 0.9, keep_sound("1.flac", 0.0))
    open_review(view, qtbot)
    press(view, Qt.Key.Key_7)
    assert "library cannot be opened" in view.status_label.text()
    assert [(review.verdict, review.label) for review in history.reviews().values()] == [(WRONG, "background")]
    press(view, Qt.Key.Key_Backspace)
    assert history.reviews() == {}
    assert view.count == 1


def test_what_the_monitor_heard_of_a_night_comes_to_be_reviewed(
    view: ReviewView, monitor: Monitor, history: History, library: Library, settings: Settings, qtbot: QtBot
) -> None:
    """Follow an alert and a near miss from the listening to the library's folders."""
    settings[USE_MODEL_THRESHOLDS] = False
    room = TurnedRoom(paths.data_folder())
    room.run(10)
    room.microphone.amplitude = 0.2
    room.run(2, crying=0.5)
    room.run(20)
    room.run(5, crying=0.95)
    room.run(10)
    room.end()
    room.history.close()
    # The room's clock ran faster than the wall's.
    history._run("UPDATE alerts SET began = began - 3600, raised = raised - 3600, ended = ended - 3600", ())
    history._run("UPDATE near_misses SET began = began - 3600, ended = ended - 3600", ())
    monitor.alerts_changed.emit()
    open_review(view, qtbot)
    assert view.count == 2
    seen = {}
    while view.episode is not None:
        seen[view.episode.kind] = view.editor.seconds
        press(view, Qt.Key.Key_7)
    assert seen["near_miss"] == pytest.approx(5.0, abs=0.5)
    assert seen["crying"] > 5.0
    clips = {clip.origin: clip for clip in library.clips()}
    assert set(clips) == {"near-miss:1", "alert:1"}
    assert {clip.label for clip in clips.values()} == {"background"}
    assert clips["near-miss:1"].guess["sad"] == pytest.approx(0.5)
    assert history.precision() == (0, 1)
    assert [row.verdict for row in history.near_misses()] == [RIGHT]


def test_in_the_window_the_review_the_library_and_the_nights_tell_the_same(
    window: MainWindow, history: History, library: Library, settings: Settings, qtbot: QtBot
) -> None:
    settings[USE_MODEL_THRESHOLDS] = False
    history.put_minute(Minute(int(NIGHT), -50.0, 0.0, {"background": 60.0}))
    add_alert(history, NIGHT + 60, 0.65, keep_sound("1.flac", 0.0))
    add_alert(history, NIGHT + 120, 0.9, keep_sound("2.flac", 4.0))
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.show_page(LABEL_PAGE)
    page = window.pages.currentWidget()
    assert isinstance(page, LabelPage)
    assert page.tabs.title(REVIEW_TAB) == "Review · 2"
    QTest.keyClick(window, Qt.Key.Key_3, Qt.KeyboardModifier.AltModifier)
    for key in (Qt.Key.Key_Y, Qt.Key.Key_N, Qt.Key.Key_6):
        QTest.keyClick(window, key)
    assert page.tabs.title(REVIEW_TAB) == "Review"
    assert {clip.label for clip in library.clips()} == {"sad", "natural"}
    QTest.keyClick(window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert page.tabs.title(REVIEW_TAB) == "Review · 1"
    assert {clip.label for clip in library.clips()} == {"sad"}
    QTest.keyClick(window, Qt.Key.Key_7)
    window.show_nights()
    nights = window.pages.currentWidget()
    assert isinstance(nights, NightsPage)
    shown = [nights.alerts_filter.index(row, AlertColumn.VERDICT).data() for row in range(2)]
    assert shown == ["✓ Right", "✕ Wrong: no baby"]
    assert nights.precision_label.text() == "✓ 1 of 2 alerts right this week"
    nights.alerts_view.selectRow(0)
    QTest.keyClick(window, Qt.Key.Key_U)
    assert nights.precision_label.text() == "✓ 0 of 1 alerts right this week"
    assert {clip.label for clip in library.clips()} == {"background"}
