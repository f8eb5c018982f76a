"""The Train page on the real window: what it says it will use, a real teaching, the change over, the way back."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_model
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from babymonitor.core import paths, training_runs
from babymonitor.core.history.history import History
from babymonitor.core.library.library import Library
from babymonitor.core.model.scorer import Score
from babymonitor.core.settings import MODEL, PREVIOUS_MODEL, Settings
from babymonitor.core.training_runs import FULL, INTERRUPTED, TEACH, Request, all_runs, begin
from babymonitor.live.monitor import Monitor
from babymonitor.ui.pages.train.family_form import FamilyForm
from babymonitor.ui.pages.train.train_page import FULL_TAB, MODELS_TAB, TEACH_TAB, TrainPage
from babymonitor.ui.window.main_window import TRAIN_PAGE, MainWindow
from resources import synthesise
from trainer.training.recipe import settings_json

END_MS = 120_000
DAY = 86400.0
RECIPE = {
    "epochs": 12,
    "epoch_windows": 0,
    "batch": 128,
    "learning_rate": 0.003,
    "schedule": "one_cycle",
    "mixup": 0.15,
}
FAMILIES = [
    {
        "name": "svm",
        "parameters": 0,
        "input": "44 × 92",
        "needs": "scikit-learn",
        "recipe": RECIPE,
        "settings": settings_json(fitted_at_once=True),
        "about": "SVM.",
    },
    {
        "name": "cnn_tiny",
        "parameters": 9000,
        "input": "64 × 92",
        "needs": "nothing more",
        "recipe": RECIPE,
        "settings": settings_json(fitted_at_once=False),
        "about": "A.",
    },
]


@pytest.fixture
def library(home: Path) -> Iterator[Library]:
    library = Library()
    yield library
    library.close()


@pytest.fixture
def window(
    qtbot: QtBot, monitor: Monitor, settings: Settings, history: History, library: Library
) -> Iterator[MainWindow]:
    window = MainWindow(monitor, settings, history, lambda: (library, ""))
    window.resize(1024, 640)
    qtbot.addWidget(window, before_close_func=lambda window: window.close_without_asking())
    window.show()
    qtbot.waitExposed(window)
    yield window
    window.shut_down()


def fill(library: Library, groups: int = 3) -> None:
    """Add a cry and a quiet room in each of several nights."""
    rng = np.random.default_rng(3)
    for group in range(groups):
        for label, maker in (("sad", synthesise.cry), ("background", synthesise.room_tone)):
            library.add(maker(2.5, rng), label, group=f"night-2026-11-{10 + group}", recorded=1.8e9 + DAY * group)


def page(window: MainWindow) -> TrainPage:
    window.show_training()
    view = window.pages.widget(TRAIN_PAGE)
    assert isinstance(view, TrainPage)
    return view


def taught(view: TrainPage, qtbot: QtBot) -> None:
    with qtbot.waitSignal(view.trainer.ended, timeout=END_MS) as ended:
        qtbot.mouseClick(view.teach_view.teach_button, Qt.MouseButton.LeftButton)
        assert view.stack.currentWidget() is view.running_view
    assert ended.args[1] == "finished", ended.args[2]


def test_an_empty_library_is_told_kindly(window: MainWindow) -> None:
    view = page(window)
    assert view.teach_view.teach_label.text() == "There is nothing to learn from yet."
    assert not view.teach_view.teach_button.isEnabled()
    view.teach()
    assert not view.trainer.is_running


def test_it_says_what_it_will_use_and_what_is_missing(window: MainWindow, library: Library) -> None:
    fill(library)
    view = page(window)
    assert view.teach_view.teach_label.text() == (
        "It will use 6 clips from 3 nights: no baby 3, crying, reason unclear 3. That takes about half a minute."
    )
    assert view.teach_view.missing_label.text() == "These are few: with 20 clips or more it gets better."
    library.change([clip.id for clip in library.clips(label="background")], label="hungry")
    view.show_tab(TEACH_TAB)
    assert "only crying" in view.teach_view.missing_label.text()


def test_what_is_not_on_the_disk_any_more_is_not_taught(
    window: MainWindow, library: Library, settings: Settings, tmp_path: Path
) -> None:
    fill(library)
    settings[MODEL] = str(tmp_path / "deleted.onnx")
    view = page(window)
    sentences: list[str] = []
    view.complained.connect(sentences.append)
    view.teach()
    assert not view.trainer.is_running
    assert "deleted.onnx, is not on the disk any more" in sentences[0]


@pytest.mark.slow
def test_taught_compared_used_and_rolled_back_while_it_scores(
    window: MainWindow, library: Library, monitor: Monitor, settings: Settings, qtbot: QtBot
) -> None:
    fill(library)
    view = page(window)
    qtbot.waitUntil(lambda: monitor.model_name != "", timeout=20_000)
    shipped = monitor.model_name
    shares: list[float] = []
    view.trainer.event_arrived.connect(lambda event: shares.append(view.running_view.progress_bar.value()))
    assert view.busy_sentence == ""
    taught(view, qtbot)
    assert max(shares) > 500
    assert view.stack.currentWidget() is view.comparison_view
    assert settings[MODEL] == ""
    assert view.comparison_view.outcome_view.accessibleName()
    assert len(view.comparison_view._play_buttons) == 6

    scores: list[Score] = []
    # The detector's own signal: the monitor does not listen here, and passes on no scores.
    monitor._worker.scored.connect(lambda _room, score: scores.append(score))
    sound = synthesise.room_tone(2.5, np.random.default_rng(0))

    def hear() -> None:
        count = len(scores)
        monitor.ring.write(sound)
        qtbot.waitUntil(lambda: len(scores) > count, timeout=20_000)

    hear()
    qtbot.mouseClick(view.comparison_view.use_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: monitor.model_name == f"{shipped}, taught", timeout=20_000)
    hear()
    (new_model,) = paths.models_folder().glob("*.onnx")
    assert settings[MODEL] == str(new_model)
    assert settings[PREVIOUS_MODEL] == ""
    assert not view.comparison_view.use_button.isVisible()
    qtbot.mouseClick(view.comparison_view.roll_back_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: monitor.model_name == shipped, timeout=20_000)
    hear()
    assert (settings[MODEL], settings[PREVIOUS_MODEL]) == ("", str(new_model))
    view.models_view.roll_back()
    qtbot.waitUntil(lambda: monitor.model_name == f"{shipped}, taught", timeout=20_000)


@pytest.mark.slow
@pytest.mark.logs_warnings
def test_cancelled_and_killed_it_changes_nothing_and_says_so(
    window: MainWindow, library: Library, settings: Settings, qtbot: QtBot
) -> None:
    fill(library)
    view = page(window)
    with qtbot.waitSignal(view.trainer.ended, timeout=END_MS):
        view.teach()
        assert view.busy_sentence.startswith("The model is being taught.")
        view.running_view.cancel_button.click()
    assert view.note_label.text() == "The training was stopped; nothing was changed."
    assert view.stack.currentIndex() == TEACH_TAB
    with qtbot.waitSignal(view.trainer.event_arrived, timeout=END_MS):
        view.teach()
    with qtbot.waitSignal(view.trainer.ended, timeout=END_MS):
        os.kill(view.trainer.process_id, signal.SIGKILL)
    assert view.note_label.text().startswith("The training ended unexpectedly; nothing was changed.")
    assert settings[MODEL] == ""
    assert list(paths.models_folder().glob("*.onnx")) == []


def test_closing_asks_while_it_trains(
    window: MainWindow, library: Library, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(library)
    view = page(window)
    asked: list[str] = []

    def keep(box: QMessageBox) -> None:
        asked.append(box.text())
        box.defaultButton().click()

    monkeypatch.setattr(QMessageBox, "exec", keep)
    view.teach()
    assert not window.close()
    assert asked == ["The model is being taught. If you close the program that stops, and nothing is changed."]
    window.shut_down()
    assert not view.trainer.is_running
    (run,) = all_runs()
    assert run.state == "cancelled"


def test_what_a_program_left_half_done_is_told_and_resumed(window: MainWindow) -> None:
    begin(Request(TEACH, paths.default_model(), (Path("library"),)), 1e9)
    full = begin(Request(FULL, paths.default_model(), (Path("library"),), "cnn_tiny"), 1e9 + 1)
    full.checkpoint.write_bytes(b"half way")
    training_runs._own.clear()  # the program that began them is gone
    view = page(window)
    assert view.note_label.text() == (
        "The program ended while it was training; nothing was changed. It can be resumed."
    )
    assert view.resume_button.isVisible()
    assert [run.state for run in all_runs()] == [INTERRUPTED, INTERRUPTED]


def test_the_form_is_made_from_the_families_and_tells_what_differs(qtbot: QtBot) -> None:
    form = FamilyForm()
    qtbot.addWidget(form)
    assert form.family == ""
    form.set_families(FAMILIES)
    assert form.family == "cnn_tiny"
    assert form.options == {}
    fields: dict[str, Any] = form._fields
    assert (fields["batch"].minimum(), fields["smoothing"].maximum()) == (2, 0.5), "as the trainer limits them"
    assert fields["learning_rate"].minimum() > 0
    fields["epochs"].setValue(3)
    fields["learning_rate"].setValue(0.0005)
    fields["schedule"].setCurrentIndex(2)
    form.augment_box.setCurrentIndex(1)
    form.codecs_switch.setChecked(False)
    assert form.options == {
        "epochs": "3", "learning-rate": "0.0005", "schedule": "constant", "augment": "night", "no-codecs": "",
    }  # fmt: skip
    form.family_box.setCurrentIndex(0)
    assert not fields["epochs"].isEnabled()
    assert form.options == {"augment": "night", "no-codecs": ""}
    assert "Fitted at once" in form.about_label.text()
    assert "Needs scikit-learn." in form.about_label.text()
    form.add_folder(Path("more"))
    form.add_folder(Path("more"))
    assert form.folders == [Path("more")]


def test_models_are_listed_used_and_deleted(
    window: MainWindow, settings: Settings, monitor: Monitor, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_model.write(paths.models_folder() / "mine.onnx", name="Mine")
    (paths.models_folder() / "broken.onnx").write_bytes(b"")
    view = page(window)
    view.show_tab(MODELS_TAB)
    models = view.models_view
    rows = {models._files[row].path.name: row for row in range(models.list.count())}
    assert set(rows) == {"default.onnx", "mine.onnx", "broken.onnx"}
    assert models.chosen is not None
    assert models.chosen.is_shipped
    assert not models.delete_button.isEnabled()
    models.list.setCurrentRow(rows["broken.onnx"])
    assert "cannot be used" in models.words_label.text()
    assert not models.use_button.isVisible()
    models.list.setCurrentRow(rows["mine.onnx"])
    models.use_button.click()
    qtbot.waitUntil(lambda: monitor.model_name == "Mine", timeout=20_000)
    assert settings[MODEL] == str(path)
    assert "in use" in models.list.item(rows["mine.onnx"]).text()
    assert not models.delete_button.isEnabled()
    models.roll_back()
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    models.list.setCurrentRow(rows["mine.onnx"])
    models.delete_button.click()
    assert not path.exists()
    assert settings[PREVIOUS_MODEL] == ""
    assert len(list((paths.trash_folder() / "models").glob("mine-*.onnx"))) == 1


def test_a_model_that_is_refused_is_not_said_to_listen(
    window: MainWindow, settings: Settings, monitor: Monitor, qtbot: QtBot
) -> None:
    path = tiny_model.write(paths.models_folder() / "altered.onnx", name="Altered")
    path.write_bytes(path.read_bytes()[:-1] + b"0")
    qtbot.waitUntil(lambda: monitor.model_path is not None, timeout=20_000)
    with qtbot.waitSignal(monitor.complained, timeout=20_000):
        settings[MODEL] = str(path)
    view = page(window)
    view.show_tab(MODELS_TAB)
    models = view.models_view
    texts = [models.list.item(row).text() for row in range(models.list.count())]
    assert [("in use" in text, "chosen" in text) for text in texts] == [(True, False), (False, True)]
    assert models.chosen is not None
    assert models.chosen.path == path
    assert "another model is listening" in models.state_label.text()


@pytest.mark.slow
def test_the_real_families_fill_the_form(window: MainWindow, qtbot: QtBot) -> None:
    view = page(window)
    with qtbot.waitSignal(view.families.arrived, timeout=END_MS):
        view.show_tab(FULL_TAB)
    assert view.form.family == "cnn_tiny"
    assert view.full_button.isEnabled()
    assert view.form.family_box.count() > 15
    assert view.form.options == {}
