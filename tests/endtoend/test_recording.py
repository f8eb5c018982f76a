"""Recording, playing and judging on the real program: sound through PulseAudio and PortAudio, real files and model."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import tiny_model
from pytestqt.qtbot import QtBot
from virtual_hardware import VirtualSoundCard

from babymonitor.core import paths
from babymonitor.core.history.history import History
from babymonitor.core.model.scorer import Score
from babymonitor.core.settings import MINIMUM_SECONDS, MODEL, Settings
from babymonitor.core.sound.recording import to_pcm
from babymonitor.core.state import Activity
from babymonitor.live.monitor import Monitor
from babymonitor.live.record.recorder import RecordedSound
from resources import synthesise

pytestmark = [pytest.mark.window, pytest.mark.sound_card]


class Home:
    """A monitor in a room where things can be heard, without its window."""

    def __init__(self, qtbot: QtBot, card: VirtualSoundCard) -> None:
        self.qtbot = qtbot
        self.card = card
        self.settings = Settings(paths.settings_file())
        self.history = History(paths.history_file())
        self.monitor = Monitor(self.settings, self.history)
        self.recorder = self.monitor.recorder
        self.complaints: list[str] = []
        self.finished: list[RecordedSound] = []
        self.recorder.complained.connect(self.complaints.append)
        self.recorder.finished.connect(self.finished.append)

    def room(self, seconds: float = 120.0) -> None:
        tone = np.random.default_rng(1).standard_normal(int(16000 * seconds)) * 10 ** (-50 / 20)
        self.card.play(np.asarray(tone, np.float32))

    def listen(self) -> None:
        self.room()
        self.monitor.start()
        self.qtbot.waitUntil(lambda: self.monitor.state.activity is Activity.LISTENING, timeout=20_000)

    def hear(self, seconds: float) -> None:
        """Wait so long as the ring counts time: in samples."""
        until = self.monitor.ring.written + int(16000 * seconds)
        self.qtbot.waitUntil(lambda: self.monitor.ring.written >= until, timeout=int(1000 * (seconds + 10)))

    def recorded(self, number: int = 1) -> RecordedSound:
        self.qtbot.waitUntil(lambda: len(self.finished) >= number, timeout=20_000)
        return self.finished[number - 1]


@pytest.fixture
def home_with(qtbot: QtBot, sound_card: VirtualSoundCard) -> Iterator[Home]:
    home = Home(qtbot, sound_card)
    yield home
    home.monitor.shut_down()
    home.history.close()


def pcm_of(sound: RecordedSound) -> npt.NDArray[np.int16]:
    samples, rate = soundfile.read(sound.path, dtype="int16")
    assert rate == 16000
    return np.asarray(samples, np.int16)


def test_a_recording_is_bit_by_bit_what_the_ring_held(home_with: Home) -> None:
    home = home_with
    home.listen()
    home.hear(3)
    ring = home.monitor.ring
    scores: list[object] = []
    home.monitor.scored.connect(scores.append)
    begin = ring.written - 2 * 16000
    assert home.recorder.start(pre_roll_seconds=2.0)
    home.card.play(synthesise.cry(3.0, np.random.default_rng(0)))
    home.hear(4)
    stop = ring.written
    assert home.recorder.seconds == pytest.approx((stop - begin) / 16000)
    home.recorder.stop()
    assert not home.recorder.is_recording
    sound = home.recorded()
    assert np.array_equal(pcm_of(sound), to_pcm(ring.read(begin, stop)))
    assert sound.path.suffix == ".flac"
    assert sound.seconds == pytest.approx((stop - begin) / 16000)
    assert time.time() - sound.recorded == pytest.approx(sound.seconds, abs=5)
    assert len(scores) > 8, "it went on scoring"
    assert ring.cut_at < begin
    assert os.listdir(paths.recordings_folder()) == [sound.path.name]
    assert home.complaints == []


def test_models_are_swapped_while_it_listens_and_no_score_is_missed(
    home_with: Home, tmp_path: Path, measured: Callable[[str, str], None]
) -> None:
    home = home_with
    home.listen()
    monitor = home.monitor
    card = monitor.card
    assert card is not None
    shipped = monitor.model_name
    scores: list[Score] = []
    late: list[float] = []

    def on_scored(score: Score) -> None:
        scores.append(score)
        late.append((monitor.ring.written - score.end_sample) / 16000)

    monitor.scored.connect(on_scored)
    home.hear(2)
    copied = tmp_path / "copied.onnx"
    shutil.copy(paths.default_model(), copied)
    for path, name in (
        (tiny_model.write(tmp_path / "taught.onnx", name="taught"), "taught"),
        (copied, shipped),
        (tiny_model.write(tmp_path / "again.onnx", name="again"), "again"),
    ):
        with home.qtbot.waitSignal(monitor.model_changed, timeout=20_000):
            home.settings[MODEL] = str(path)
        assert monitor.model_name == name
        home.hear(2)
    broken = tmp_path / "broken.onnx"
    data = bytearray(copied.read_bytes())
    data[1000] ^= 1
    broken.write_bytes(data)
    with home.qtbot.waitSignal(monitor.complained, timeout=20_000) as refused:
        home.settings[MODEL] = str(broken)
    assert "altered" in refused.args[0]
    assert "in use goes on" in refused.args[0]
    assert monitor.model_name == "again"
    home.hear(2)
    hops = {card.hop_samples, tiny_model.card().hop_samples}
    assert set(np.diff([score.end_sample for score in scores])) <= hops, "one score each hop, no gap"
    assert scores[-1].reasons, "the last one is the last model's"
    assert monitor.ring.cut_at < scores[0].end_sample
    assert monitor._room.listening is not None
    assert monitor._room.listening.source.overflows == 0  # type: ignore[attr-defined]
    assert home.history.gaps() == []
    measured("four models while listening: the latest score after the sound", f"{max(late):.2f} s of {len(late)}")


def test_sound_that_is_too_loud_is_shown(home_with: Home) -> None:
    home = home_with
    home.listen()
    levels: list[tuple[float, bool]] = []

    def on_level(level: float, is_clipping: bool) -> None:
        levels.append((level, is_clipping))

    home.recorder.level_changed.connect(on_level)
    home.recorder.watching_level = True
    home.card.play(0.5 * synthesise.cry(2.0, np.random.default_rng(0)))
    home.hear(3)
    assert not any(is_clipping for _, is_clipping in levels), "loud is not too loud"
    assert len(levels) > 10, "often enough for a meter"
    assert home.recorder.start(0.0)
    home.card.play(np.clip(6 * synthesise.cry(2.0, np.random.default_rng(0)), -1, 1))
    home.qtbot.waitUntil(lambda: levels[-1][1], timeout=10_000)
    home.qtbot.waitUntil(lambda: levels[-1][0] > -20, timeout=10_000)
    home.hear(0.5)
    home.recorder.stop()
    assert home.recorded().is_clipped


def test_pulled_out_in_the_middle_of_a_recording_it_is_ended_and_kept(home_with: Home) -> None:
    home = home_with
    home.listen()
    assert home.recorder.start(0.0)
    began = home.monitor.ring.written
    home.hear(3)
    home.card.unplug()
    home.qtbot.waitUntil(lambda: not home.recorder.is_recording, timeout=10_000)
    sound = home.recorded()
    ring = home.monitor.ring
    assert 3.0 <= sound.seconds < 10.0
    samples = pcm_of(sound)
    assert np.array_equal(samples, to_pcm(ring.read(began, began + samples.size))), "to the last sample before the end"
    assert len(home.complaints) == 1
    assert "what was recorded is kept" in home.complaints[0]
    assert not home.recorder.start(), "there is nothing to record"
    assert home.complaints[1].startswith("Nothing can be recorded")
    home.card.plug()
    home.room()
    home.qtbot.waitUntil(lambda: home.monitor.state.activity is Activity.LISTENING, timeout=60_000)
    assert home.recorder.start()
    home.hear(1)
    home.recorder.stop()
    assert home.recorded(2).seconds < 4.0, "nothing from before the gap"


def test_recording_begins_to_listen_and_the_end_of_listening_ends_it(home_with: Home) -> None:
    home = home_with
    home.room()
    assert home.recorder.start()
    assert home.monitor.state.activity is not Activity.LISTENING
    home.hear(2)
    home.monitor.stop()
    assert not home.recorder.is_recording
    assert "Listening was stopped" in home.complaints[0]
    assert home.recorded().seconds >= 2.0
    home.recorder.take_last(1.0)
    assert home.recorded(2).seconds == 1.0


def test_a_wave_is_played_from_anywhere_over_and_over_and_the_alarm_sounds_beside_it(home_with: Home) -> None:
    home, monitor = home_with, home_with.monitor
    playbacks: list[str] = []
    monitor.playback_changed.connect(playbacks.append)
    tone = np.asarray(0.02 * np.sin(2 * np.pi * 500 * np.arange(16000) / 16000), np.float32)
    assert monitor.playback_position() is None
    monitor.play_wave(np.concatenate((tone, tone, tone)), start_seconds=2.0)
    positions: list[float] = []

    def note() -> None:
        position = monitor.playback_position()
        if position is not None:
            positions.append(position)

    def is_over() -> bool:
        note()
        return playbacks == ["wave", ""]

    home.qtbot.waitUntil(is_over, timeout=10_000)
    assert positions == sorted(positions)
    assert 2.0 <= positions[0] < 2.5
    assert 2.7 < positions[-1] <= 3.0
    assert monitor.playback_position() is None
    monitor.play_wave(tone, loop=True, start_seconds=0.5)
    positions.clear()

    def has_begun_anew() -> bool:
        note()
        return sum(later < earlier for earlier, later in itertools.pairwise(positions)) >= 2

    home.qtbot.waitUntil(has_begun_anew, timeout=10_000)
    assert max(positions) <= 1.0
    monitor.test_alarm()
    with ThreadPoolExecutor(1) as ear:
        listening = ear.submit(home.card.sounds, 0.1, 10.0)
        home.qtbot.waitUntil(listening.done, timeout=20_000)
    assert listening.result(), "the alarm is louder than the tone"
    assert monitor.playback_position() is not None, "and the tone goes on"
    monitor.stop_playing()
    assert playbacks == ["wave", "", "wave", ""]


def test_a_clip_is_judged_between_the_windows_of_the_room(
    home_with: Home, measured: Callable[[str, str], None]
) -> None:
    home, monitor = home_with, home_with.monitor
    home.listen()
    cry = synthesise.cry(8.0, np.random.default_rng(0))
    quiet = np.asarray(np.random.default_rng(0).standard_normal(16000 * 8) * 1e-3, np.float32)
    waves = {"cry": np.concatenate((quiet, cry)), "quiet": quiet, "long": np.tile(cry, 15), "nothing": quiet[:10]}
    scores: list[Score] = []
    late: list[float] = []
    answers: dict[str, tuple[dict[str, float], float]] = {}

    def on_scored(score: Score) -> None:
        scores.append(score)
        late.append((monitor.ring.written - score.end_sample) / 16000)

    def on_guessed(key: str, probabilities: dict[str, float], crying: float) -> None:
        answers[key] = probabilities, crying

    monitor.scored.connect(on_scored)
    monitor.guessed.connect(on_guessed)
    asked = time.monotonic()
    for key, wave in waves.items():
        monitor.ask_guess(key, wave)
    home.qtbot.waitUntil(lambda: len(answers) == len(waves), timeout=60_000)
    took = time.monotonic() - asked
    home.hear(1)
    assert answers["nothing"] == ({}, 0.0)
    for key in ("cry", "quiet", "long"):
        assert sum(answers[key][0].values()) == pytest.approx(1.0, abs=1e-3)
        assert set(answers[key][0]) == set(monitor.labels)
    assert answers["quiet"][1] < answers["cry"][1]
    assert answers["quiet"][0]["background"] > answers["cry"][0]["background"]
    card = monitor.card
    assert card is not None
    assert set(np.diff([score.end_sample for score in scores])) == {card.hop_samples}, "no score was missed"
    seconds = sum(wave.size for wave in waves.values()) / 16000
    measured("judging clips while listening", f"{seconds:.0f} s in {took:.1f} s, latest score {max(late):.2f} s after")


def test_a_cry_too_short_to_wake_anybody_is_a_near_miss_to_review(home_with: Home) -> None:
    home = home_with
    home.settings[MINIMUM_SECONDS] = 8.0
    home.listen()
    home.hear(3)
    home.card.play(0.6 * synthesise.cry(2.5, np.random.default_rng(0)))
    with home.qtbot.waitSignal(home.monitor.alerts_changed, timeout=60_000):
        pass
    (row,) = home.history.near_misses(0, 1e12)
    assert home.history.alerts() == []
    assert row.clip is not None
    assert row.peak_crying > 0.3
    wave, rate = soundfile.read(paths.clips_folder() / row.clip)
    assert row.ended - row.began < wave.size / rate < 25
    assert np.abs(wave).max() > 0.1
    assert np.abs(wave[: 2 * rate]).max() < 0.05, "it begins before the cry"
    home.monitor.play(paths.clips_folder() / row.clip)
    home.hear(10)
    home.monitor.stop_playing()
    home.hear(14)
    assert len(home.history.near_misses(0, 1e12)) == 1, "playing it is no near miss"
