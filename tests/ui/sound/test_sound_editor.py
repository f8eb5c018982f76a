"""The sound editor with a real mouse, real keys and, where there is a sound card, real sound."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pyqtgraph as pg
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from virtual_hardware import VirtualSoundCard

from babymonitor.core.sound.wave import SAMPLE_RATE
from babymonitor.live.monitor import Monitor
from babymonitor.ui.parts.theme import DARK, LIGHT, NIGHT, Theme, apply_theme
from babymonitor.ui.sound.sound_editor import SoundEditor
from resources import synthesise

Measured = Callable[[str, str], None]


def tone(seconds: float, amplitude: float = 0.4) -> np.ndarray:
    times = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return np.asarray(amplitude * np.sin(2 * np.pi * 700 * times), np.float32)


@pytest.fixture
def editor(qtbot: QtBot, monitor: Monitor) -> SoundEditor:
    editor = SoundEditor(monitor)
    editor.resize(800, 300)
    qtbot.addWidget(editor)
    editor.show()
    qtbot.waitExposed(editor)
    editor.show_wave(tone(4.0), "a tone")
    return editor


def point(editor: SoundEditor, seconds: float) -> QPoint:
    """Return the point of a second in the wave."""
    box = editor.picture._wave_box
    return editor.picture.mapFromScene(box.mapViewToScene(QPointF(seconds, 0.0)))


def drag(qtbot: QtBot, editor: SoundEditor, start: float, end: float) -> None:
    """Drag in small steps as a hand does, because pyqtgraph follows the way."""
    viewport = editor.picture.viewport()
    first, last = point(editor, start), point(editor, end)
    qtbot.mouseMove(viewport, first)
    qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=first)
    for step in range(1, 13):
        to = QPointF(first + (last - first) * (step / 12))
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        kind, no_key = QMouseEvent.Type.MouseMove, Qt.KeyboardModifier.NoModifier
        QApplication.sendEvent(viewport, QMouseEvent(kind, to, viewport.mapToGlobal(to), none, left, no_key))
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=last)


@pytest.fixture(autouse=True)
def _every_move_counts() -> Iterator[None]:
    """Wait, because pyqtgraph looks at a hundred moves a second at most."""
    pg.setConfigOption("mouseRateLimit", -1)
    yield
    pg.setConfigOption("mouseRateLimit", 100)


def test_all_is_selected_at_first(editor: SoundEditor) -> None:
    assert editor.region() == (0.0, 4.0)
    assert not editor.has_selection
    assert editor.region_label.text() == "4.0 s"
    assert editor.accessible_text() == "a tone, 4.0 s, 4.0 s"


def test_a_drag_selects_and_an_edge_can_be_dragged_on(editor: SoundEditor, qtbot: QtBot) -> None:
    regions: list[tuple[float, float]] = []
    editor.region_changed.connect(lambda: regions.append(editor.region()))
    drag(qtbot, editor, 1.0, 2.5)
    assert editor.region() == pytest.approx((1.0, 2.5), abs=0.06)
    assert editor.has_selection
    assert regions[-1] == editor.region()
    assert "1.0" in editor.region_label.text()
    drag(qtbot, editor, editor.region()[1], 3.4)
    assert editor.region() == pytest.approx((1.0, 3.4), abs=0.08)
    drag(qtbot, editor, 2.0, 2.4)  # by its body
    assert editor.region() == pytest.approx((1.4, 3.8), abs=0.1)
    drag(qtbot, editor, 0.9, 0.2)  # backwards, beside it
    assert editor.region() == pytest.approx((0.2, 0.9), abs=0.06)


def test_a_double_click_selects_everything_again(editor: SoundEditor, qtbot: QtBot) -> None:
    editor.set_region(1.0, 2.0)
    viewport, left, place = editor.picture.viewport(), Qt.MouseButton.LeftButton, point(editor, 1.5)
    qtbot.mouseClick(viewport, left, pos=place)
    assert editor.has_selection
    qtbot.mouseDClick(viewport, left, pos=place)
    qtbot.mouseRelease(viewport, left, pos=place)
    qtbot.waitUntil(lambda: not editor.has_selection)


def test_a_region_never_leaves_the_sound_and_never_vanishes(editor: SoundEditor) -> None:
    editor.set_region(-3.0, 99.0)
    assert editor.region() == (0.0, 4.0)
    editor.set_region(2.0, 2.0)
    start, end = editor.region()
    assert end - start >= 0.02
    editor.set_region(4.0, 4.0)
    start, end = editor.region()
    assert end <= 4.0
    assert end - start >= 0.02 - 1e-9


def test_the_wheel_zooms_about_the_mouse(editor: SoundEditor) -> None:
    viewport, place = editor.picture.viewport(), QPointF(point(editor, 1.0))
    for _ in range(4):
        event = QWheelEvent(
            place,
            viewport.mapToGlobal(place),
            QPoint(),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(viewport, event)
    first, last = editor.picture.view()
    assert last - first == pytest.approx(4.0 * 0.8**4, rel=0.01)
    assert (1.0 - first) / (last - first) == pytest.approx(0.25, abs=0.02)
    assert editor.scroll_bar.isVisible()
    editor.scroll_bar.setValue(editor.scroll_bar.maximum())
    assert editor.picture.view()[1] == pytest.approx(4.0, abs=0.01)
    editor.fit()
    assert editor.picture.view() == (0.0, 4.0)
    assert not editor.scroll_bar.isVisible()


def test_one_cannot_zoom_beyond_reason(editor: SoundEditor) -> None:
    for _ in range(40):
        editor.zoom_in()
    first, last = editor.picture.view()
    assert last - first == pytest.approx(0.1, abs=0.01)
    for _ in range(40):
        editor.zoom_out()
    assert editor.picture.view() == (0.0, 4.0)


def test_arrow_keys_move_and_change_the_selection(editor: SoundEditor, qtbot: QtBot) -> None:
    editor.setFocus()
    key, shift, control = Qt.Key, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier
    qtbot.keyClick(editor, key.Key_Right)
    assert editor.region() == pytest.approx((1.5, 2.5)), "there was none: one in the middle"
    qtbot.keyClick(editor, key.Key_Right)
    assert editor.region() == pytest.approx((1.58, 2.58))
    qtbot.keyClick(editor, key.Key_Left, shift)
    assert editor.region() == pytest.approx((1.58, 2.5))
    qtbot.keyClick(editor, key.Key_Left, control)
    assert editor.region() == pytest.approx((1.5, 2.5))


@pytest.mark.parametrize("samples", [1, 100, 511, 4000])
def test_sounds_too_short_for_a_window_are_drawn(editor: SoundEditor, samples: int) -> None:
    editor.show_wave(np.full(samples, 0.1, np.float32))
    assert not editor.grab().isNull()


def test_nothing_is_a_picture_too(editor: SoundEditor) -> None:
    editor.clear()
    assert not editor.play_button.isEnabled()
    assert editor.accessible_text() == "No sound is open."
    assert not editor.grab().isNull()


def test_what_is_drawn_is_the_sound(editor: SoundEditor) -> None:
    """A click in the middle of silence: one column of the wave is high, at its place."""
    wave = np.zeros(2 * SAMPLE_RATE, np.float32)
    wave[SAMPLE_RATE] = 0.9
    editor.show_wave(wave)
    _low, high = editor.picture._columns(0.0, 2.0, 500)
    assert high.max() == pytest.approx(0.9)
    assert abs(int(high.argmax()) - 250) <= 1
    assert np.count_nonzero(high > 0.5) <= 2
    _low, high = editor.picture._columns(0.999, 1.001, 100)  # closer than a sample a pixel
    assert high.max() == pytest.approx(0.9)


@pytest.mark.parametrize("theme", [LIGHT, DARK, NIGHT])
def test_every_theme(editor: SoundEditor, qapp: QApplication, theme: Theme) -> None:
    apply_theme(qapp, theme)
    editor.set_region(1, 2)
    assert not editor.grab().isNull()


def test_a_minute_is_shown_and_zoomed(editor: SoundEditor, measured: Measured) -> None:
    wave = synthesise.babble(60.0, np.random.default_rng(1))[: 60 * SAMPLE_RATE]
    began = time.perf_counter()
    editor.show_wave(wave)
    editor.grab()
    shown = time.perf_counter() - began
    began = time.perf_counter()
    for _ in range(10):
        editor.zoom_in()
        editor.grab()
    measured(
        "a minute in the sound editor",
        f"shown in {1000 * shown:.0f} ms, a zoom {100 * (time.perf_counter() - began):.0f} ms",
    )
    assert editor.seconds == pytest.approx(60.0)


@pytest.mark.sound_card
def test_playing(editor: SoundEditor, monitor: Monitor, sound_card: VirtualSoundCard, qtbot: QtBot) -> None:
    editor.set_region(1.0, 1.6)
    editor.play()
    assert editor.is_playing
    assert editor.play_button.text() == "Stop"
    heads = editor.picture._heads
    qtbot.waitUntil(lambda: heads[0].isVisible() and heads[0].value() > 1.2)
    qtbot.waitUntil(lambda: not editor.is_playing, timeout=10_000)
    assert editor.play_button.text() == "Play"
    assert not heads[0].isVisible()
    editor.toggle_loop()
    editor.play()
    seen: list[float] = []

    def has_begun_anew() -> bool:
        seen.append(heads[0].value())
        return any(later < sooner for sooner, later in pairwise(seen))

    qtbot.waitUntil(has_begun_anew)
    assert editor.is_playing, "it begins anew"
    editor.toggle_playing()
    assert not editor.is_playing
    assert monitor.playback_position() is None


@pytest.mark.sound_card
def test_a_click_says_where_to_begin(editor: SoundEditor, sound_card: VirtualSoundCard, qtbot: QtBot) -> None:
    qtbot.mouseClick(editor.picture.viewport(), Qt.MouseButton.LeftButton, pos=point(editor, 3.0))
    heads = editor.picture._heads
    qtbot.waitUntil(lambda: heads[0].isVisible() and heads[0].value() == pytest.approx(3.0, abs=0.05))
    editor.play()
    qtbot.waitUntil(lambda: heads[0].value() > 3.1)
    editor.hide()
    assert not editor.is_playing, "what cannot be seen is not heard"
