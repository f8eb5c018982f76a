"""Recording, playing and judging on the real program: sound through PulseAudio and PortAudio, real files and model."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import tiny_model
from pytestqt.qtbot import QtBot
from virtual_hardware import VirtualSoundCard

from babymonitor.core import paths
from babymonitor.core.detector import Score
from babymonitor.core.history import History
from babymonitor.core.recording import to_pcm
from babymonitor.core.settings import MODEL, Settings
from babymonitor.live.monitor import Monitor
from babymonitor.live.recorder import RecordedSound
from babymonitor.live.state import Activity
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
        self.said: list[str] = []
        self.finished: list[RecordedSound] = []
        self.recorder.complained.connect(self.said.append)
        self.recorder.finished.connect(self.finished.append)

    def room(self, seconds: float = 120.0) -> None:
        tone = np.random.default_rng(1).standard_normal(int(16000 * seconds)) * 10 ** (-50 / 20)
        self.card.play(np.asarray(tone, np.float32))

    def listen(self) -> None:
        self.room()
        self.monitor.start()
        self.qtbot.waitUntil(lambda: self.monitor.state.activity is Activity.LISTENING, timeout=20_000)

    def hear(self, seconds: float) -> None:
        """Let time go by as the ring counts it."""
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
    assert home.said == []


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
    assert set(np.diff([score.end_sample for score in scores])) == {card.hop_samples}, "one score each hop, no gap"
    assert scores[-1].reasons, "the last one is the last model's"
    assert monitor.ring.cut_at < scores[0].end_sample
    assert monitor._listening is not None
    assert monitor._listening.source.overflows == 0  # type: ignore[attr-defined]
    assert home.history.gaps() == []
    measured("four models while listening: the latest score after the sound", f"{max(late):.2f} s of {len(late)}")
