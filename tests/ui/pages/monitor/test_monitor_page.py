"""The Monitor page on the real window: it follows the monitor's signals, and rests while nobody can see it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_model
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from babymonitor.core import paths
from babymonitor.core.history.history import History
from babymonitor.core.model.classifier import Classifier
from babymonitor.core.model.replay import replay_scores
from babymonitor.core.model.scorer import Score
from babymonitor.core.model.sounds import KINDS
from babymonitor.core.settings import LOUD_ALERTS, LOUD_LEVEL_DB, LOUD_RISE_DB, SNOOZE_MINUTES, THEME, Settings
from babymonitor.core.state import Activity, MonitorState
from babymonitor.live.monitor import Monitor
from babymonitor.ui.pages.monitor.bars_view import BarsView
from babymonitor.ui.parts.alerts_model import AlertColumn
from babymonitor.ui.parts.theme import THEMES, Theme, apply_theme
from babymonitor.ui.parts.wording import label_title
from babymonitor.ui.window.main_window import MainWindow

LABELS = ("hungry", "pain", "tired", "sad", "happy", "natural", "background")


def a_score(level_db: float = -20.0, **shares: float) -> Score:
    probabilities = dict.fromkeys(LABELS, 0.0) | shares
    crying = sum(probabilities[name] for name in LABELS[:4])
    reasons = {name: probabilities[name] / crying for name in LABELS[:4]} if crying else {}
    return Score(32000, 2.0, crying, level_db, probabilities, reasons)


def be(monitor: Monitor, activity: Activity, **more: object) -> None:
    monitor.state = MonitorState(activity, "Crib microphone", **more)  # type: ignore[arg-type]
    monitor.state_changed.emit(monitor.state)


def add_alert(history: History, began: float, clip: str | None = None) -> int:
    id = history.add_alert("crying", began, began + 1.5, -14.2, 0.97)
    history.update_alert(id, began + 65, -11.6, 0.98, {"hungry": 0.6, "pain": 0.2, "tired": 0.1, "sad": 0.1})
    if clip is not None:
        (paths.clips_folder() / clip).write_bytes(b"")
        history.set_clip(id, clip)
    return id


def test_the_state_line_follows_the_state(window: MainWindow, monitor: Monitor) -> None:
    view = window.monitor_page
    assert view.words.headline == "Stopped"
    be(monitor, Activity.LISTENING)
    monitor.scored.emit(a_score(natural=0.9, background=0.1))
    assert view.state_text == "Listening · babbling"
    be(monitor, Activity.CRYING, since=time.time() - 24)
    assert view.state_text.startswith("Crying for 24 s")
    be(monitor, Activity.DEAF, detail="microphone unplugged, trying again")
    assert view.state_text == "NOT LISTENING — microphone unplugged, trying again"
    assert view.state_view.headline.text_px >= 32
    assert view.microphone_view.shown_text() == "Crib microphone"


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES.keys())
def test_no_label_is_cut_short_where_the_bars_are_narrow(qtbot: QtBot, qapp: QApplication, theme: Theme) -> None:
    apply_theme(qapp, theme)
    bars = BarsView()
    qtbot.addWidget(bars)
    bars.set_model(LABELS, 0.7)
    bars.resize(bars.minimumSizeHint())
    assert bars.titles()[1] == {name: label_title(name) for name in LABELS}
    bars.resize(bars.width() // 2, bars.height())
    assert bars.titles()[1]["sad"].endswith("…"), "it would show"


def test_the_seconds_of_crying_go_on_by_themselves(window: MainWindow, monitor: Monitor, qtbot: QtBot) -> None:
    be(monitor, Activity.CRYING, since=time.time() - 10)
    qtbot.waitUntil(lambda: "12 s" in window.monitor_page.words.headline, timeout=6000)


def test_bars_follow_the_score(window: MainWindow, monitor: Monitor) -> None:
    bars = window.monitor_page.bars_view
    monitor.labels = LABELS
    monitor.start_threshold = 0.55
    monitor.model_changed.emit()
    be(monitor, Activity.CRYING, since=time.time())
    monitor.scored.emit(a_score(hungry=0.6, tired=0.2, background=0.2))
    assert bars.names == LABELS
    assert bars.shares()["hungry"] == 0.6
    assert bars.crying == pytest.approx(0.8)
    assert bars.hint == "maybe hungry 75 %"
    assert "Hungry 60 %" in bars.accessibleDescription()
    be(monitor, Activity.DEAF)
    assert bars.crying is None
    monitor.scored.emit(a_score(hungry=0.6, background=0.4))
    assert bars.crying is None, "a score that comes late must not look alive"


def hearing(monitor: Monitor, seconds: float, sounds: dict[str, float], **shares: float) -> None:
    monitor.scored.emit(replace(a_score(**(shares or {"background": 1.0})), seconds=seconds, sounds=sounds))


def test_no_baby_says_what_it_is_and_does_not_flicker(window: MainWindow, monitor: Monitor) -> None:
    bars = window.monitor_page.bars_view
    bars.resize(600, bars.height())
    monitor.labels = LABELS
    monitor.model_changed.emit()
    be(monitor, Activity.LISTENING)

    def title() -> str:
        return bars.titles()[1]["background"]

    assert title() == "No baby"
    hearing(monitor, 10.0, {"dog": 0.8, "music": 0.4})
    assert title() == "No baby: a dog"
    assert "No baby: a dog 100 %" in bars.accessibleDescription()
    for step, sounds in enumerate(({"quiet": 0.9}, {"dog": 0.8}, {"music": 0.9})):
        hearing(monitor, 10.25 + 0.25 * step, sounds)
        assert title() == "No baby: a dog", "a name can be read before another takes its place"
    hearing(monitor, 11.0, {"quiet": 0.9})
    assert title() == "Quiet"
    hearing(monitor, 12.0, {"dog": 0.1})
    assert title() == "Other sounds"
    hearing(monitor, 13.0, {"dog": 0.9}, natural=0.9, background=0.1)
    assert title() == "No baby", "what is heard is a baby"
    hearing(monitor, 0.5, {"music": 0.9})
    assert title() == "No baby: music", "another source begins at zero"
    be(monitor, Activity.STOPPED)
    assert title() == "No baby"


def test_the_state_line_says_what_it_is_too(window: MainWindow, monitor: Monitor) -> None:
    be(monitor, Activity.LISTENING)
    for at in range(8):
        hearing(monitor, 10 + at / 4, {"dog": 0.8})
    assert window.monitor_page.state_text == "Listening · a dog"
    for at in range(8):
        hearing(monitor, 20 + at / 4, {"dog": 0.0})
    assert window.monitor_page.state_text == "Listening · some noise"


def test_by_a_model_file_that_names_sounds_and_by_none_that_does_not(
    window: MainWindow, monitor: Monitor, tmp_path: Path
) -> None:
    wave = np.asarray(np.random.default_rng(0).standard_normal(5 * 16000) * 1e-3, np.float32)
    bars = window.monitor_page.bars_view
    monitor.labels = LABELS
    monitor.model_changed.emit()
    be(monitor, Activity.LISTENING)
    for sounds, title in (((), "No baby"), (("dog", "quiet"), "Quiet")):
        classifier = Classifier(tiny_model.write(tmp_path / "tiny.onnx", sounds=sounds))
        bars.set_score(None)
        for score in replay_scores((wave,), classifier):
            monitor.scored.emit(score)
        assert bars.titles()[1]["background"] == title


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES.keys())
def test_no_sound_is_cut_short_nor_changes_the_size_where_the_bars_are_narrow(
    qtbot: QtBot, qapp: QApplication, theme: Theme
) -> None:
    apply_theme(qapp, theme)
    bars = BarsView()
    qtbot.addWidget(bars)
    bars.set_model(LABELS, 0.7)
    bars.resize(bars.minimumSizeHint())
    scale, _ = bars.titles()
    for name, code in KINDS.items():
        bars.set_score(None)
        bars.set_score(replace(a_score(background=1.0), sounds={name: 0.9}))
        again, titles = bars.titles()
        assert again == scale
        assert "…" not in titles["background"], code


def test_the_level_mark_is_where_loudness_would_wake(window: MainWindow, monitor: Monitor, settings: Settings) -> None:
    level = window.monitor_page.level_view
    settings[LOUD_LEVEL_DB] = -25.0
    settings[LOUD_RISE_DB] = 18.0
    assert level.loud_db == -25.0
    be(monitor, Activity.LISTENING)
    for _ in range(20):
        monitor.scored.emit(a_score(level_db=-60.0, background=1.0))
    assert level.loud_db == -42.0
    for _ in range(40):
        monitor.scored.emit(a_score(level_db=-35.0, background=1.0))
    assert level.loud_db == -25.0, "a white-noise machine: should the model fail, the fixed level counts"
    settings[LOUD_ALERTS] = True
    assert level.loud_db == -17.0, "beside the model only what stands out from it"
    be(monitor, Activity.MODEL_FAILED, detail="The model gives no answer.")
    monitor.model_changed.emit()
    assert level.loud_db == -25.0


def test_a_loud_alert_is_told_and_listed_as_one(window: MainWindow, monitor: Monitor, history: History) -> None:
    be(monitor, Activity.LOUD, since=time.time() - 12, alarm_sounding=True)
    assert window.monitor_page.state_text == "Loud for 12 s — the model does not hear crying"
    assert window.windowTitle().startswith("LOUD — ")
    assert window.monitor_page.acknowledge_button.isVisible()
    add_alert(history, time.time() - 600)
    monitor.alerts_changed.emit()
    assert window.monitor_page.alerts_view.isColumnHidden(AlertColumn.KIND), "all of them crying: that need not be said"
    id = history.add_alert("loud", time.time() - 12, time.time() - 9, -14.0, 0.0)
    history.update_alert(id, time.time(), -12.0, 0.0, {})
    monitor.alerts_changed.emit()
    model = window.monitor_page.alerts_model
    assert model.index(0, AlertColumn.KIND).data() == "Loud"
    assert not window.monitor_page.alerts_view.isColumnHidden(AlertColumn.KIND)


def test_the_level_is_the_sounds(window: MainWindow, monitor: Monitor, qtbot: QtBot) -> None:
    be(monitor, Activity.LISTENING)
    monitor.ring.write(np.full(16000, 0.1, np.float32))
    level = window.monitor_page.level_view
    qtbot.waitUntil(lambda: abs(level.level_db + 20.0) < 0.1)
    assert "−20 dB" in level.accessible_text()


def test_alerts_are_listed_from_the_history(window: MainWindow, monitor: Monitor, history: History) -> None:
    view = window.monitor_page
    assert view.no_alerts_label.isVisible()
    began = time.mktime((2026, 11, 20, 23, 5, 7, 0, 0, -1))
    add_alert(history, began, clip="one.flac")
    add_alert(history, began + 600)
    monitor.alerts_changed.emit()
    model = view.alerts_model
    assert not view.no_alerts_label.isVisible()
    row = [model.index(1, column).data() for column in range(model.columnCount())]
    assert row == ["23:05:07", "1 min 05 s", "Crying", "−12 dB", "hungry 60 %", "▶ Play"]
    assert model.index(0, AlertColumn.CLIP).data() == "–"


@pytest.mark.parametrize("way", ["click", "enter"])
def test_a_click_or_enter_plays_the_clip(
    window: MainWindow, monitor: Monitor, history: History, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    add_alert(history, time.time() - 100, clip="one.flac")
    monitor.alerts_changed.emit()
    view = window.monitor_page.alerts_view
    played: list[object] = []
    monkeypatch.setattr(monitor, "play", played.append)
    monkeypatch.setattr(monitor, "stop_playing", lambda: played.append(None))
    index = view.model().index(0, AlertColumn.CLIP)

    def ask() -> None:
        if way == "click":
            qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(index).center())
        else:
            view.setCurrentIndex(index)
            qtbot.keyClick(view, Qt.Key.Key_Return)

    ask()
    path = paths.clips_folder() / "one.flac"
    assert played == [path]
    monitor.playback_changed.emit(str(path))
    assert index.data() == "■ Stop"
    ask()
    assert played == [path, None]


def test_nothing_is_drawn_while_it_cannot_be_seen(window: MainWindow, monitor: Monitor, qtbot: QtBot) -> None:
    view = window.monitor_page
    be(monitor, Activity.LISTENING)
    sound = np.random.default_rng(0).standard_normal(16000).astype(np.float32) * 0.1

    def hear() -> None:
        monitor.ring.write(sound)

    def rests() -> bool:
        return not view.is_drawing

    def draws_again() -> None:
        drawn = view.frames_drawn
        hear()
        qtbot.waitUntil(lambda: view.frames_drawn > drawn)

    def stands_still(do: Callable[[], None], undo: Callable[[], None]) -> None:
        do()
        qtbot.waitUntil(rests)
        qtbot.wait(50)  # what was asked for before is painted
        assert view.live_plot is not None
        drawn, column = view.frames_drawn, view.live_plot.trace.next_column
        for _ in range(5):
            hear()
            monitor.scored.emit(a_score(natural=0.9, background=0.1))
            qtbot.wait(40)
        assert (view.frames_drawn, view.live_plot.trace.next_column) == (drawn, column)
        undo()
        draws_again()

    draws_again()
    stands_still(window.show_nights, window.show_monitor)
    stands_still(window.hide, window.show)
    stands_still(window.showMinimized, window.showNormal)


def test_the_buttons_ask_the_monitor(
    window: MainWindow, monitor: Monitor, settings: Settings, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    view, asked = window.monitor_page, []
    for name in ("start", "stop", "end_snooze"):
        monkeypatch.setattr(monitor, name, lambda name=name: asked.append(name))
    monkeypatch.setattr(monitor, "snooze", lambda minutes: asked.append(("snooze", minutes)))
    settings[SNOOZE_MINUTES] = 25
    qtbot.mouseClick(view.listen_button, Qt.MouseButton.LeftButton)
    be(monitor, Activity.LISTENING)
    assert view.snooze_button.text() == "Snooze 25 min"
    qtbot.mouseClick(view.snooze_button, Qt.MouseButton.LeftButton)
    be(monitor, Activity.LISTENING, snoozed_until=time.time() + 1500)
    qtbot.mouseClick(view.snooze_button, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(view.listen_button, Qt.MouseButton.LeftButton)
    assert asked == ["start", ("snooze", 25), "end_snooze", "stop"]


def test_acknowledge_is_there_while_the_alarm_sounds(window: MainWindow, monitor: Monitor) -> None:
    view = window.monitor_page
    be(monitor, Activity.CRYING, since=time.time(), alarm_sounding=True)
    assert view.acknowledge_button.isVisible()
    be(monitor, Activity.CRYING, since=time.time())
    assert not view.acknowledge_button.isVisible()


def test_no_word_on_a_button_is_cut_in_the_smallest_window(
    window: MainWindow, monitor: Monitor, settings: Settings, qtbot: QtBot
) -> None:
    for theme in ("light", "night"):
        settings[THEME] = theme
        be(monitor, Activity.CRYING, since=time.time(), alarm_sounding=True)
        for button in (window.monitor_page.acknowledge_button, window.monitor_page.snooze_button):
            qtbot.waitUntil(lambda button=button: button.width() >= button.sizeHint().width())
