"""Record & label on the real window: by keys alone, clip by clip, with undo."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QInputDialog, QLineEdit
from pytestqt.qtbot import QtBot

from babymonitor.core import paths
from babymonitor.core.library.library import Library, LibraryClip
from babymonitor.core.settings import BABY_NAME, COUNT_IN, Settings
from babymonitor.core.sound.recording import RecordedSound, RecordingFile
from babymonitor.core.state import Activity, MonitorState
from babymonitor.live.monitor import Monitor
from babymonitor.ui.pages.label.label_page import LABEL_TAB, LIBRARY_TAB, LabelPage
from babymonitor.ui.pages.label.labelling_view import LabellingView
from babymonitor.ui.pages.label.suggestion import suggestion
from babymonitor.ui.pages.label.takeover import pieces
from babymonitor.ui.window.main_window import LABEL_PAGE, TRAIN_PAGE, MainWindow
from resources import synthesise

Key = Qt.Key
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
NOW = 1_790_000_000.0
CRYING = {"hungry": 0.55, "pain": 0.09, "tired": 0.2, "sad": 0.1, "happy": 0.02, "natural": 0.03, "background": 0.01}


def sound(seed: int, seconds: float = 2.0) -> np.ndarray:
    return np.asarray(synthesise.babble(seconds, np.random.default_rng(seed)), np.float32)


def recorded(wave: np.ndarray) -> RecordedSound:
    """Leave a recording on disk as the recorder does."""
    file = RecordingFile(paths.recordings_folder() / "recording-2026-09-21_14-13-20.unfinished.wav", NOW)
    file.append(wave)
    sound = file.finish()
    assert sound is not None
    return sound


def fill(library: Library, labels: list[str]) -> list[LibraryClip]:
    """Add a clip for each label, the newest first."""
    return [
        library.add(sound(number), label, group=f"recording-{number // 2}", recorded=NOW - 60 * number)
        for number, label in enumerate(labels)
    ]


@pytest.fixture
def page(window: MainWindow, qtbot: QtBot) -> LabelPage:
    window.show_label()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    page = window.pages.widget(LABEL_PAGE)
    assert isinstance(page, LabelPage)
    return page


@pytest.fixture
def view(page: LabelPage) -> LabellingView:
    return page.labelling_view


def press(
    qtbot: QtBot, widget: LabelPage | LabellingView, key: Key, modifier: Qt.KeyboardModifier | None = None
) -> None:
    """Press a key as a keyboard does: it goes to whatever has the focus."""
    target = QApplication.focusWidget() or widget.window()
    qtbot.keyClick(target, key, modifier or Qt.KeyboardModifier.NoModifier)


def test_an_empty_library_says_what_can_be_done(view: LabellingView) -> None:
    assert view.stage.empty_label.isVisible()
    assert view.queue.count == 0
    assert not view.label_buttons.isEnabled()
    assert view.record_view.state_label.text() == "The microphone is off"
    assert view.record_view.source_label.text() == "Record switches it on"


def test_a_key_labels_and_the_next_clip_is_opened(
    page: LabelPage, view: LabellingView, library: Library, qtbot: QtBot
) -> None:
    first, second, third = fill(library, ["", "", ""])
    page.labelling.refresh()
    assert view.clip == first
    assert view.queue.count == 3
    press(qtbot, view, Key.Key_1)
    assert library.clip(first.id).label == "hungry"  # type: ignore[union-attr]
    assert view.clip is not None
    assert view.clip.id == second.id
    press(qtbot, view, Key.Key_6)
    press(qtbot, view, Key.Key_7)
    assert [clip.label for clip in library.clips()] == ["hungry", "natural", "background"]
    assert view.queue.count == 0
    assert view.clip.id == third.id, "the last one stays"
    assert view.title_label.text() == "It was: No baby"
    assert view.label_buttons.buttons["background"].isChecked()


def test_a_wrong_label_taken_back_is_given_anew_to_the_same_clip(
    page: LabelPage, view: LabellingView, library: Library, qtbot: QtBot
) -> None:
    first, second = fill(library, ["", ""])
    page.labelling.refresh()
    press(qtbot, view, Key.Key_3)
    assert view.clip is not None
    assert view.clip.id == second.id
    press(qtbot, view, Key.Key_Z, CONTROL)
    assert view.clip.id == first.id
    press(qtbot, view, Key.Key_1)
    assert [clip.label for clip in library.clips()] == ["hungry", ""]
    assert view.clip.id == second.id
    view.editor.set_region(0.5, 1.5)
    press(qtbot, view, Key.Key_T, CONTROL)
    press(qtbot, view, Key.Key_Z, CONTROL)
    assert view.clip.id == second.id, "trimmed too far: the whole is seen again"
    press(qtbot, view, Key.Key_Delete)
    press(qtbot, view, Key.Key_Z, CONTROL)
    assert view.clip.id == second.id


def test_every_step_can_be_taken_back_and_done_again(
    page: LabelPage, view: LabellingView, library: Library, qtbot: QtBot
) -> None:
    clip = fill(library, [""])[0]
    page.labelling.refresh()
    press(qtbot, view, Key.Key_3)
    view.note_edit.setText("before the feed")
    view.note_edit.editingFinished.emit()
    view.editor.set_region(0.5, 1.5)
    press(qtbot, view, Key.Key_T, CONTROL)
    assert view.clip is not None
    trimmed = view.clip
    assert trimmed.id != clip.id
    assert trimmed.seconds == pytest.approx(1.0)
    assert trimmed.label == "tired"
    press(qtbot, view, Key.Key_Delete)
    assert library.clips() == []
    for _ in range(2):  # delete and trim
        press(qtbot, view, Key.Key_Z, CONTROL)
    assert [(row.id, row.label, row.note) for row in library.clips()] == [(clip.id, "tired", "before the feed")]
    press(qtbot, view, Key.Key_Z, CONTROL)
    press(qtbot, view, Key.Key_Z, CONTROL)
    assert [(row.label, row.note) for row in library.clips()] == [("", "")]
    assert not page.undo_button.isEnabled()
    for _ in range(4):
        press(qtbot, view, Key.Key_Z, CONTROL | SHIFT)
    assert library.clips() == []
    assert {row.id for row in library.trashed()} == {clip.id, trimmed.id}
    assert not page.redo_button.isEnabled()


def test_the_suggestion_is_said_and_enter_accepts_it(
    page: LabelPage, view: LabellingView, library: Library, monitor: Monitor, qtbot: QtBot
) -> None:
    clip = fill(library, [""])[0]
    page.labelling.refresh()
    monitor.guessed.emit(clip.id, CRYING, 0.95)
    assert view.suggestion_bar.label.text() == "It sounds like: crying 94 %, maybe hungry 59 %"
    assert view.suggestion_bar.accept_button.text() == "Hungry  ↵"
    press(qtbot, view, Key.Key_Return)
    assert library.clip(clip.id).label == "hungry"  # type: ignore[union-attr]
    assert not view.suggestion_bar.accept_button.isVisible(), "it is so already"


@pytest.mark.parametrize(
    ("probabilities", "label", "words"),
    [
        (CRYING, "hungry", "crying 94 %, maybe hungry 59 %"),
        ({"hungry": 0.3, "tired": 0.3, "sad": 0.3, "background": 0.1}, "sad", "crying 90 %, not sure why"),
        ({"hungry": 0.1, "happy": 0.7, "background": 0.2}, "happy", "laughing 70 %"),
        ({"hiccups": 0.6, "background": 0.4}, "hiccups", "hiccups 60 %"),
    ],
)
def test_suggestions(probabilities: dict[str, float], label: str, words: str) -> None:
    guess = suggestion(probabilities)
    assert guess is not None
    assert (guess.label, guess.words) == (label, words)


def test_a_model_that_came_while_another_page_was_shown_is_asked(
    window: MainWindow, page: LabelPage, view: LabellingView, library: Library, monitor: Monitor
) -> None:
    clip = fill(library, [""])[0]
    page.labelling.refresh()
    monitor.guessed.emit(clip.id, CRYING, 0.95)
    window.show_training()
    monitor.model_changed.emit()
    asked: list[str] = []

    def note(key: str, _wave: object) -> None:
        asked.append(key)

    monitor.ask_guess = note
    window.show_label()
    assert asked == [clip.id]


def test_without_a_guess_there_is_no_suggestion() -> None:
    assert suggestion({}) is None


def test_a_label_of_ones_own(
    page: LabelPage, view: LabellingView, library: Library, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = fill(library, ["", ""])
    page.labelling.refresh()
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("猫", True))
    sentences: list[str] = []
    page.complained.connect(sentences.append)
    press(qtbot, view, Key.Key_M)
    assert sentences, "such a name cannot be a folder's"
    assert library.clip(first.id).label == ""  # type: ignore[union-attr]
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("Nächste Tür!", True))
    press(qtbot, view, Key.Key_M)
    assert library.clip(first.id).label == "nachste_tur"  # type: ignore[union-attr]
    press(qtbot, view, Key.Key_Z, CONTROL)
    monkeypatch.setattr(QInputDialog, "getText", lambda *_, **__: ("Hiccups", True))
    view.open(first.id)
    press(qtbot, view, Key.Key_M)
    assert library.clip(first.id).label == "hiccups"  # type: ignore[union-attr]
    assert view.clip is not None
    assert view.clip.id == second.id
    press(qtbot, view, Key.Key_8)
    assert library.clip(second.id).label == "hiccups", "it has a key from now on"  # type: ignore[union-attr]


def test_letters_stay_letters_in_the_fields(
    page: LabelPage, view: LabellingView, library: Library, settings: Settings, qtbot: QtBot
) -> None:
    clip = fill(library, [""])[0]
    page.labelling.refresh()
    press(qtbot, view, Key.Key_N)
    assert view.note_edit.hasFocus()
    qtbot.keyClicks(view.note_edit, "rolled over 1 time")
    press(qtbot, view, Key.Key_Return)
    assert view.editor.hasFocus()
    press(qtbot, view, Key.Key_B)
    qtbot.keyClicks(view.baby_edit, "Mia")
    press(qtbot, view, Key.Key_Return)
    now = library.clip(clip.id)
    assert now is not None
    assert (now.label, now.note, now.baby) == ("", "rolled over 1 time", "Mia")
    assert settings[BABY_NAME] == "Mia", "the next recordings are hers too"


def test_what_was_typed_belongs_to_the_clip_it_was_typed_for(
    page: LabelPage, view: LabellingView, library: Library
) -> None:
    first, second = fill(library, ["", ""])
    page.labelling.refresh()
    view.note_edit.setText("of the first")
    view.open(second.id)
    assert library.clip(first.id).note == "of the first"  # type: ignore[union-attr]
    assert library.clip(second.id).note == ""  # type: ignore[union-attr]
    assert view.note_edit.text() == ""


def test_whoever_only_looks_changes_nothing(view: LabellingView, library: Library) -> None:
    random = np.random.default_rng(8)
    clip, second_clip = (
        library.add(np.asarray(0.1 * random.standard_normal(8000), np.float32), "", group="g", note=note, baby=" Mia")
        for note in ("from elsewhere\nin two lines \n", "")
    )
    assert clip.baby == "Mia"
    view.open(clip.id)
    view.open(second_clip.id)
    assert library.clip(clip.id) == clip
    assert view._labelling.undo_stack.count() == 0


def test_page_keys_go_through_the_clips(page: LabelPage, view: LabellingView, library: Library, qtbot: QtBot) -> None:
    clips = fill(library, ["", "", ""])
    page.labelling.refresh()
    seen = [view.clip.id if view.clip else ""]
    for key in (Key.Key_PageDown, Key.Key_PageDown, Key.Key_PageUp):
        press(qtbot, view, key)
        seen.append(view.clip.id if view.clip else "")
    assert seen == [clips[0].id, clips[1].id, clips[2].id, clips[1].id]


def test_a_recording_comes_into_the_library_before_its_file_goes(
    view: LabellingView, library: Library, monitor: Monitor, settings: Settings, qtbot: QtBot
) -> None:
    settings[BABY_NAME] = "Mia"
    recording = recorded(sound(5))
    monitor.recorder.finished.emit(recording)
    qtbot.waitUntil(lambda: view.clip is not None)
    clip = library.clips()[0]
    assert view.clip == clip
    assert (clip.label, clip.baby, clip.source, clip.recorded) == ("", "Mia", "microphone", NOW)
    assert clip.group == recording.path.stem
    qtbot.waitUntil(lambda: not recording.path.exists())


def test_a_long_recording_becomes_several_clips_of_one_group(
    view: LabellingView, library: Library, monitor: Monitor, qtbot: QtBot
) -> None:
    recording = recorded(sound(6, 130.0))
    monitor.recorder.finished.emit(recording)
    qtbot.waitUntil(lambda: not recording.path.exists(), timeout=20_000)
    clips = sorted(library.clips(), key=lambda clip: clip.recorded)
    assert [round(clip.seconds, 1) for clip in clips] == [43.3, 43.3, 43.3]
    assert len({clip.group for clip in clips}) == 1
    assert clips[1].recorded == pytest.approx(NOW + clips[0].seconds, abs=0.01)


def test_pieces_are_equal_and_complete(tmp_path: Path) -> None:
    path, wave = tmp_path / "long.wav", sound(7, 10.0)
    soundfile.write(path, wave, 16000, subtype="FLOAT")
    parts = list(pieces(path, wave.size / 16000, 3.0))
    assert len(parts) == 4
    assert np.array_equal(np.concatenate(parts), wave)


def test_a_recording_from_before_the_crash_is_found(window: MainWindow, library: Library, qtbot: QtBot) -> None:
    recorded(sound(8))
    window.show_label()
    qtbot.waitUntil(lambda: len(library.clips(label="")) == 1)
    assert any("before the program ended" in sentence for sentence in window.complaint_view.sentences)
    qtbot.waitUntil(lambda: not list(paths.recordings_folder().glob("recording-*")))


def test_counting_in(
    view: LabellingView, monitor: Monitor, settings: Settings, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[float] = []
    monkeypatch.setattr(monitor.recorder, "start", lambda seconds: bool(begun.append(seconds)) or True)
    settings[COUNT_IN] = True
    press(qtbot, view, Key.Key_R)
    assert view.record_view.state_label.text() == "Recording in 3 …"
    assert view.stage.count_label.isVisible()
    assert view.stage.count_label.text() == "3"
    press(qtbot, view, Key.Key_R)
    assert not view.record_view.is_counting
    assert not view.stage.count_label.isVisible()
    press(qtbot, view, Key.Key_R)
    qtbot.waitUntil(lambda: bool(begun), timeout=10_000)
    assert begun == [0.0], "nothing from before: that was the counting"


def test_the_microphone_and_the_level_are_shown(view: LabellingView, monitor: Monitor) -> None:
    monitor.state = MonitorState(Activity.LISTENING, "Crib microphone")
    monitor.state_changed.emit(monitor.state)
    panel = view.record_view
    assert panel.source_label.text() == "Crib microphone"
    assert panel.state_label.text() == "Ready to record"
    assert panel.keep_button.isEnabled()
    monitor.recorder.level_changed.emit(-31.4, False)
    assert panel.level_bar.accessible_text() == "Level −31 dB"
    monitor.recorder.level_changed.emit(-0.5, True)
    assert panel.state_label.text() == "TOO LOUD · Ready to record"
    assert panel.source_label.text() == "Move the microphone away"
    assert "too loud" in panel.level_bar.accessible_text()
    monitor.state = MonitorState(Activity.DEAF, "Crib microphone")
    monitor.state_changed.emit(monitor.state)
    assert not panel.keep_button.isEnabled()


def test_keys_mean_what_this_page_says(
    window: MainWindow, page: LabelPage, monitor: Monitor, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(monitor, "start", lambda: asked.append("start"))
    monkeypatch.setattr(monitor.recorder, "take_last", lambda seconds: asked.append(f"take {seconds:g}"))
    monkeypatch.setattr(monitor, "acknowledge", lambda: asked.append("acknowledge"))
    monitor.state = MonitorState(Activity.LISTENING, "Crib microphone")
    monitor.state_changed.emit(monitor.state)
    press(qtbot, page, Key.Key_L)
    press(qtbot, page, Key.Key_A)
    assert asked == ["take 30", "acknowledge"]
    monitor.state = MonitorState(Activity.STOPPED)
    monitor.state_changed.emit(monitor.state)
    window.show_monitor()
    qtbot.keyClick(window, Key.Key_L)
    assert asked[-1] == "start"


def test_files_are_imported_and_the_broken_ones_named(
    page: LabelPage, view: LabellingView, library: Library, tmp_path: Path, qtbot: QtBot
) -> None:
    good = [tmp_path / f"{number}.wav" for number in range(3)]
    for number, path in enumerate(good):
        soundfile.write(path, sound(20 + number), 16000)
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"no sound at all" * 50)
    page.import_paths([*good, broken, tmp_path / "missing.wav"])
    assert page.message_button.text() == "Cancel"
    assert page.busy_sentence.startswith("An import is under way")
    assert page.progress_bar.isVisible()
    qtbot.waitUntil(lambda: not page.is_busy)
    text = page.message_label.text()
    assert text.startswith("3 clips are in the library now. 2 files were left out: ")
    assert "broken.mp3" in text
    assert "missing.wav" in text
    assert view.queue.count == 3
    assert {clip.source for clip in library.clips()} == {"import"}
    press(qtbot, view, Key.Key_Z, CONTROL)
    assert library.clips() == [], "an import is one step"
    assert not page.message_bar.isVisible(), "what it said is true no more"
    press(qtbot, view, Key.Key_Z, CONTROL | SHIFT)
    assert len(library.clips()) == 3


def test_what_an_import_said_can_be_dismissed(page: LabelPage, tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "hungry").mkdir()
    soundfile.write(tmp_path / "hungry" / "a.wav", sound(5), 16000)
    page.import_paths([tmp_path])
    qtbot.waitUntil(lambda: not page.is_busy)
    words = "1 clip is in the library now. Labelled as their folders are called: Hungry (1)."
    assert page.message_label.text() == words
    qtbot.mouseClick(page.message_button, Qt.MouseButton.LeftButton)
    assert not page.message_bar.isVisible()
    page.import_paths([tmp_path])
    qtbot.waitUntil(lambda: not page.is_busy)
    assert page.message_label.text().startswith("Nothing was added. ")


def test_an_import_can_be_cancelled(page: LabelPage, library: Library, tmp_path: Path, qtbot: QtBot) -> None:
    for number in range(40):
        soundfile.write(tmp_path / f"{number}.wav", sound(100 + number, 0.5), 16000)
    page.import_paths([tmp_path])
    qtbot.waitUntil(lambda: page.progress_bar.value() > 0)
    qtbot.mouseClick(page.message_button, Qt.MouseButton.LeftButton)
    assert not page.is_busy
    assert page.message_label.text().startswith("It was ended early.")
    assert 0 < len(library.clips()) < 40


def test_a_folder_with_labels_for_names(page: LabelPage, library: Library, tmp_path: Path, qtbot: QtBot) -> None:
    for number, name in enumerate(("hunger", "laugh")):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "a.wav", sound(30 + number), 16000)
    page.import_paths([tmp_path])
    qtbot.waitUntil(lambda: not page.is_busy)
    assert sorted(clip.label for clip in library.clips()) == ["happy", "hungry"]


def test_files_can_be_dropped(page: LabelPage, library: Library, tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "dropped.flac"
    soundfile.write(path, sound(40), 16000)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    event = QDropEvent(
        QPointF(200, 200),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    page.dropEvent(event)
    qtbot.waitUntil(lambda: not page.is_busy)
    assert [clip.origin for clip in library.clips()] == ["dropped.flac"]


def test_a_clip_whose_file_is_gone_is_said(page: LabelPage, view: LabellingView, library: Library) -> None:
    clip = fill(library, ["hungry"])[0]
    clip.path.unlink()
    sentences: list[str] = []
    page.complained.connect(sentences.append)
    page.open(clip.id)
    assert len(sentences) == 1
    assert clip.path.name in sentences[0]
    assert view.clip is None


def test_the_tabs(page: LabelPage, qtbot: QtBot) -> None:
    alt = Qt.KeyboardModifier.AltModifier
    qtbot.keyClick(page.window(), Key.Key_2, alt)
    assert page.stack.currentIndex() == LIBRARY_TAB
    qtbot.keyClick(page.window(), Key.Key_1, alt)
    assert page.stack.currentIndex() == LABEL_TAB
    assert [page.tabs.title(number) for number in range(2)] == ["Record & label", "Library"]


def test_without_a_library_the_page_says_why(
    monitor: Monitor, settings: Settings, history: object, qtbot: QtBot
) -> None:
    window = MainWindow(monitor, settings, history, lambda: (None, "The disk is read-only."))  # type: ignore[arg-type]
    qtbot.addWidget(window)
    window.show()
    for number in (LABEL_PAGE, TRAIN_PAGE):
        window.show_page(number)
        assert window.pages.currentWidget().label.text() == "The disk is read-only."  # type: ignore[union-attr]


def test_every_control_says_what_it_is(page: LabelPage, library: Library) -> None:
    fill(library, ["", "hungry"])
    page.labelling.refresh()
    for number in range(page.stack.count()):
        page.show_tab(number)
        shown = [button for button in page.findChildren(QAbstractButton) if button.isVisible()]
        assert len(shown) > 3
        for button in shown:
            assert button.text() or button.accessibleName(), button.toolTip()
            # Qt gives the focus to the tab that is shown; the arrow keys lead to the other tabs.
            if button.group() is None:
                assert button.focusPolicy() & Qt.FocusPolicy.TabFocus, f"{button.text()} is reached by Tab"
        for field in page.findChildren(QLineEdit):
            assert field.accessibleName() or field.parent().accessibleName() or isinstance(field.parent(), QComboBox)


def test_a_clip_that_was_too_loud_says_so(page: LabelPage, view: LabellingView, library: Library) -> None:
    wave = np.clip(20 * sound(50), -1, 1)
    library.add(np.asarray(wave, np.float32), "", group="loud", recorded=NOW)
    page.labelling.refresh()
    assert view.title_label.text() == "What was it? · too loud"


def test_the_day_of_a_clip_is_told_by_its_first_sample(view: LabellingView, page: LabelPage, library: Library) -> None:
    fill(library, [""])
    page.labelling.refresh()
    item = view.queue.list.item(0)
    assert time.strftime("%H:%M:%S", time.localtime(NOW)) in item.text()
    assert item.text().endswith("2.0 s")
