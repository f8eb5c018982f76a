"""The whole program on real parts: window under Xvfb, microphone through PulseAudio and PortAudio, SQLite, FLAC."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import soundfile
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from virtual_hardware import VirtualSoundCard

from babymonitor.app import Application
from babymonitor.core import paths
from babymonitor.core.alerts.policy import Change
from babymonitor.core.happenings import AlertHappened, Happening
from babymonitor.core.model.scorer import Score
from babymonitor.core.settings import (
    ALARM_SECONDS,
    CLIP_AFTER_SECONDS,
    COOL_DOWN_SECONDS,
    END_SECONDS,
    LOUD_ALERTS,
    LOUD_LEVEL_DB,
    MICROPHONE,
    MODEL,
    Settings,
)
from babymonitor.core.sound.files import read_wave
from babymonitor.core.state import Activity
from resources import synthesise

pytestmark = [pytest.mark.window, pytest.mark.sound_card]

ROOM_DB = -62.0
Measured = Callable[[str, str], None]


class Night:
    """The program as a person runs it, in a room where things can be heard."""

    def __init__(self, qtbot: QtBot, qapp: QApplication, card: VirtualSoundCard) -> None:
        self.qtbot = qtbot
        self.card = card
        settings = Settings(paths.settings_file())
        settings[END_SECONDS] = 3.0
        settings[CLIP_AFTER_SECONDS] = 1.0
        settings[ALARM_SECONDS] = 3.0
        self.room()
        self.application = Application(qapp)
        self.monitor = self.application.monitor
        self.scores: list[tuple[float, Score]] = []
        self.activities: list[tuple[float, Activity]] = []
        self.alarms: list[float] = []
        self.happened: list[Happening] = []
        # As a third listener would, beside the window: the phone page, or MQTT.
        self.monitor.happened.connect(self.happened.append)
        self.monitor.scored.connect(self._on_scored)
        self.monitor.state_changed.connect(self._on_state_changed)
        self.monitor.alert_raised.connect(self._on_alert_raised)
        self.application.show()
        qtbot.waitExposed(self.application.window)

    def _on_scored(self, score: Score) -> None:
        self.scores.append((time.monotonic(), score))

    def _on_state_changed(self) -> None:
        self.activities.append((time.monotonic(), self.monitor.state.activity))

    def _on_alert_raised(self) -> None:
        self.alarms.append(time.monotonic())

    def room(self) -> None:
        """Play the tone of a quiet room for minutes: without it the microphone would be as silent as a broken one."""
        generator = np.random.default_rng(1)
        tone = generator.standard_normal(16000 * 240) * 10 ** (ROOM_DB / 20)
        self.card.play(np.asarray(tone, np.float32))

    def until(self, activity: Activity, seconds: float = 10.0) -> None:
        self.wait(lambda: self.monitor.state.activity is activity, seconds)

    def wait(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        self.qtbot.waitUntil(condition, timeout=int(1000 * seconds))

    def listen_for(self, seconds: float) -> None:
        """Wait so long as the monitor counts time: in scores."""
        wanted = len(self.scores) + round(seconds / 0.256)
        self.wait(lambda: len(self.scores) >= wanted, seconds + 10)

    def hears(self, above: float, seconds: float = 20.0) -> bool:
        """Return whether anything louder comes out of the loudspeakers; meanwhile the program goes on."""
        with ThreadPoolExecutor(1) as ear:
            listening = ear.submit(self.card.sounds, above, seconds)
            self.wait(listening.done, seconds + 20)
        return listening.result()

    @property
    def line(self) -> str:
        return self.application.window.monitor_page.state_view.words.text


@pytest.fixture
def night(qtbot: QtBot, qapp: QApplication, sound_card: VirtualSoundCard) -> Iterator[Night]:
    night = Night(qtbot, qapp, sound_card)
    yield night
    night.application.window.hide()
    night.application.shut_down()
    night.application.window.deleteLater()


CAUGHT_SECONDS = 10.0
"""Longest delay from onset to alert that `trainer nights` counts as caught. The delay itself is measured by
`benchmarks.hearing` and printed here; a tighter limit would judge how busy the machine is, the player's start included.
"""
CRIES = (
    "donateacry/f5b29377-7cd6-4688-942c-5a07add39dc5-1436857199908-1.7-f-26-dk.3gp",
    "donateacry/7E4B9C14-F955-4BED-9B03-7F3096A6CBFF-1430540826-1.0-f-26-bu.caf",
    "donateacry/0F4B1065-4012-47C8-88B7-ACE11B1A536E-1430038775-1.0-m-04-hu.caf",
)
"""Babies on the test side of the shipped model's split, each crying for five seconds and more."""


def a_real_cry(folder: Path, name: str) -> tuple[np.ndarray, float]:
    """A real cry, at the loudness of a baby in the room, and the seconds until it begins."""
    wave = read_wave(folder / name)
    wave = wave / np.abs(wave).max() * 0.5
    power = np.convolve(wave**2, np.ones(800) / 800, "same")
    # A quarter of the loudest: what is before it is breath and handling.
    return np.asarray(wave, np.float32), float(np.argmax(power > power.max() / 16)) / 16000


def test_a_cry_is_alerted_to_shown_and_kept(night: Night, shared_data: Path, measured: Measured) -> None:
    night.until(Activity.LISTENING)
    night.listen_for(4)
    assert night.alarms == [], "a quiet room wakes nobody"
    cry, lead_seconds = a_real_cry(shared_data, CRIES[0])
    played = time.monotonic()
    night.card.play(cry)
    night.until(Activity.CRYING)
    # The player's own start is counted against us: the figure is an upper bound.
    delay = night.alarms[0] - played - lead_seconds
    measured("onset to alert", f"{delay:.2f} s")
    assert delay <= CAUGHT_SECONDS
    assert "Crying" in night.line
    assert night.monitor.state.alarm_sounding
    assert night.hears(above=0.1), "the alarm comes out of the loudspeakers"
    assert max(score.crying for _, score in night.scores[-4:]) > 0.5
    bars = night.application.window.monitor_page.bars_view
    assert bars.crying > 0.5
    assert set(bars.shares()) == set(night.monitor.labels)
    night.until(Activity.LISTENING, 30)
    night.wait(lambda: night.monitor.history.alerts()[0].clip is not None)
    (row,) = night.monitor.history.alerts()
    assert row.kind == "crying"
    assert row.ended is not None
    assert row.ended > row.began
    alerts = [happening for happening in night.happened if isinstance(happening, AlertHappened)]
    assert [alert.event.change for alert in alerts] == [Change.RAISED, Change.ENDED]
    assert [(alert.room, alert.row.id) for alert in alerts] == [("", row.id)] * 2
    assert alerts[-1].row.ended == row.ended, "the row is as it stands in the history"
    clip = paths.clips_folder() / str(row.clip)
    wave, rate = soundfile.read(clip, dtype="float32")
    assert rate == 16000
    assert 6.0 < wave.size / rate < 40.0
    assert np.abs(wave[: 2 * rate]).max() < 0.05, "it begins some seconds before the cry"
    assert np.abs(wave).max() > 0.2
    night.monitor.play(clip)
    assert night.hears(above=0.1), "the clip can be played"
    night.monitor.stop_playing()


def test_one_baby_after_the_other_is_heard_in_time(night: Night, shared_data: Path, measured: Measured) -> None:
    night.monitor.settings[COOL_DOWN_SECONDS] = 0.0
    night.until(Activity.LISTENING)
    delays = []
    for name in CRIES:
        night.listen_for(2)
        alarms = len(night.alarms)
        cry, lead_seconds = a_real_cry(shared_data, name)
        played = time.monotonic()
        night.card.play(cry)
        night.wait(lambda alarms=alarms: len(night.alarms) > alarms, 8)
        delays.append(night.alarms[-1] - played - lead_seconds)
        night.until(Activity.LISTENING, 30)
    figures = ", ".join(f"{delay:.2f}" for delay in delays)
    measured("onset to alert, one baby after the other", f"{figures} s, median {median(delays):.2f} s")
    assert max(delays) <= CAUGHT_SECONDS


def test_quiet_and_speech_wake_nobody(night: Night, shared_data: Path) -> None:
    night.until(Activity.LISTENING)
    speech = [read_wave(path) for path in sorted((shared_data / "ravdess" / "actor_01").iterdir())[:4]]
    player = night.card.play(np.concatenate(speech))
    night.wait(lambda: player.poll() is not None, 30)
    night.listen_for(2)
    assert night.alarms == []
    assert night.monitor.history.alerts() == []
    assert {activity for _, activity in night.activities} <= {Activity.STARTING, Activity.LISTENING}


def test_unplugged_it_says_so_and_replugged_it_listens_again_without_a_click(night: Night, measured: Measured) -> None:
    night.until(Activity.LISTENING)
    night.listen_for(1)
    pulled = night.card.unplug()
    night.wait(lambda: night.monitor.state.activity.is_fault, 5)
    noticed = next(moment for moment, activity in night.activities if moment > pulled and activity.is_fault)
    measured("unplugged, shown after", f"{noticed - pulled:.2f} s")
    assert noticed - pulled <= 3.0
    assert "NOT LISTENING" in night.line
    assert night.hears(above=0.05), "the health alarm comes out of the loudspeakers"
    night.card.plug()
    night.room()
    plugged = time.monotonic()
    night.until(Activity.LISTENING, 30)
    measured("plugged in again, listening after", f"{time.monotonic() - plugged:.2f} s")
    count = len(night.scores)
    night.wait(lambda: len(night.scores) > count + 4)
    (gap, *_) = night.monitor.history.gaps()
    assert gap.state in ("deaf", "muted")
    assert all(gap.ended is not None for gap in night.monitor.history.gaps())


def test_digital_silence_is_a_muted_microphone(night: Night) -> None:
    night.until(Activity.LISTENING)
    night.card.quiet()
    night.until(Activity.MUTED)
    assert "MUTED" in night.line.upper()
    night.room()
    night.until(Activity.LISTENING, 30)


def test_a_model_that_fails_leaves_loudness_on_watch(night: Night, tmp_path: Path) -> None:
    night.until(Activity.LISTENING)
    night.monitor.settings[LOUD_LEVEL_DB] = -20.0
    # The detector's thread is gone, as if it hung for ever.
    night.monitor._worker_stop_requested.emit()
    night.until(Activity.MODEL_FAILED, 15)
    night.card.play(synthesise.cry(6.0, np.random.default_rng(0)))
    night.until(Activity.LOUD, 10)
    assert night.alarms
    night.wait(lambda: any(row.kind == "loud" for row in night.monitor.history.alerts()))


def test_any_loud_sound_wakes_where_that_is_wanted(night: Night) -> None:
    night.monitor.settings[LOUD_ALERTS] = True
    night.until(Activity.LISTENING)
    night.listen_for(5)
    noise = np.random.default_rng(2).standard_normal(16000 * 7) * 0.05
    night.card.play(np.asarray(noise, np.float32))
    night.until(Activity.LOUD)
    assert "Loud for" in night.line
    assert night.hears(above=0.1), "the alarm comes out of the loudspeakers"
    night.until(Activity.LISTENING, 20)
    night.wait(lambda: night.monitor.history.alerts()[0].clip is not None)
    (row,) = night.monitor.history.alerts()
    assert row.kind == "loud"
    assert 3 <= (row.ended or 0) - row.began <= 9
    assert len(night.alarms) == 1


def test_a_broken_model_file_is_refused_and_the_shipped_one_serves(night: Night, tmp_path: Path) -> None:
    night.until(Activity.LISTENING)
    broken = tmp_path / "broken.onnx"
    data = bytearray(paths.default_model().read_bytes())
    data[1000] ^= 1
    broken.write_bytes(data)
    complaints: list[str] = []
    night.monitor.complained.connect(complaints.append)
    night.monitor.settings[MODEL] = str(broken)
    night.wait(lambda: any("altered" in sentence for sentence in complaints))
    night.listen_for(2)
    assert night.monitor.state.activity is Activity.LISTENING


def test_a_snooze_outlives_another_microphone_and_a_restart(night: Night) -> None:
    night.until(Activity.LISTENING)
    night.monitor.snooze(30)
    until = night.monitor.state.snoozed_until
    assert until is not None
    settings = night.application.settings
    activities = len(night.activities)
    settings[MICROPHONE] = "pulse"
    night.until(Activity.STARTING)
    night.until(Activity.LISTENING)
    assert night.monitor.state.source == "pulse"
    assert night.monitor.state.snoozed_until == until
    assert Activity.STOPPED not in [activity for _, activity in night.activities[activities:]], "it goes on at once"
    night.monitor.stop()
    assert night.monitor.state.activity is Activity.STOPPED
    night.monitor.start()
    night.until(Activity.LISTENING)
    assert night.monitor.state.snoozed_until == until
