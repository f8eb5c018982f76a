"""What the ring held is on disk, sample by sample, whatever happens to the sound, the disk or the program."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from pytestqt.qtbot import QtBot

from babymonitor.core import paths
from babymonitor.core.sound.levels import ClippingMeter, level_db
from babymonitor.core.sound.recording import RecordingFile, free_path, recordings, to_pcm
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.sound.wave import Wave
from babymonitor.live.record.recorder import RecordedSound, Recorder

RATE = 16000


def noise(seconds: float, seed: int = 0, amplitude: float = 0.1) -> Wave:
    return np.asarray(np.random.default_rng(seed).uniform(-amplitude, amplitude, int(seconds * RATE)), np.float32)


class Studio:
    """A recorder on a ring that the test writes."""

    def __init__(self, qtbot: QtBot, ring_seconds: float = 60.0) -> None:
        self.qtbot = qtbot
        self.ring = RingBuffer(ring_seconds)
        self.reason = ""
        self.recorder = Recorder(self.ring, self.listen)
        self.complaints: list[str] = []
        self.finished: list[RecordedSound] = []
        self.levels: list[tuple[float, bool]] = []
        self.changes: list[bool] = []
        self.recorder.complained.connect(self.complaints.append)
        self.recorder.finished.connect(self.finished.append)
        self.recorder.level_changed.connect(self.on_level)
        self.recorder.state_changed.connect(self.on_state)

    def listen(self) -> str:
        return self.reason

    def on_level(self, level: float, is_clipping: bool) -> None:
        self.levels.append((level, is_clipping))

    def on_state(self) -> None:
        self.changes.append(self.recorder.is_recording)

    def idle(self) -> None:
        self.qtbot.waitUntil(lambda: self.recorder.is_idle, timeout=20_000)

    def growing(self) -> Path:
        """The file that grows."""
        self.qtbot.waitUntil(lambda: len(list(paths.recordings_folder().glob("*.unfinished.wav"))) == 1)
        return next(paths.recordings_folder().glob("*.unfinished.wav"))

    def flushed(self, samples: int) -> None:
        """Wait until so many samples of the recording are in its file."""
        path = self.growing()
        self.qtbot.waitUntil(lambda: path.stat().st_size >= 2 * samples, timeout=20_000)


@pytest.fixture
def studio(qtbot: QtBot) -> Iterator[Studio]:
    studio = Studio(qtbot)
    yield studio
    studio.recorder.close()


def pcm_of(sound: RecordedSound) -> npt.NDArray[np.int16]:
    samples, rate = soundfile.read(sound.path, dtype="int16")
    assert rate == RATE
    return np.asarray(samples, np.int16)


def test_a_recording_begins_before_it_was_asked_for_and_is_what_the_ring_held(studio: Studio) -> None:
    studio.ring.write(noise(5))
    assert studio.recorder.start(pre_roll_seconds=2.0)
    assert studio.recorder.seconds == 2.0
    studio.ring.write(noise(3, seed=1))
    assert studio.recorder.seconds == 5.0
    studio.recorder.stop()
    assert studio.recorder.seconds == 0.0
    assert studio.changes == [True, False]
    studio.idle()
    (sound,) = studio.finished
    assert np.array_equal(pcm_of(sound), to_pcm(studio.ring.read(3 * RATE, 8 * RATE)))
    assert sound.seconds == 5.0
    assert sound.level_db == pytest.approx(level_db(studio.ring.read(3 * RATE, 8 * RATE)), abs=0.02)
    assert not sound.is_clipped
    # The five seconds were written in no time, so they would have begun five seconds ago but for the writing.
    assert time.time() - sound.recorded == pytest.approx(2.0, abs=1.5)
    assert [path.name for path in paths.recordings_folder().iterdir()] == [sound.path.name]
    assert studio.complaints == []


def test_a_recording_may_be_longer_than_the_ring(qtbot: QtBot) -> None:
    studio = Studio(qtbot, ring_seconds=4.0)
    parts = [noise(1.5, seed) for seed in range(12)]
    studio.recorder.start()
    for count, part in enumerate(parts, 1):
        studio.ring.write(part)
        studio.flushed(count * part.size)
    studio.recorder.stop()
    studio.idle()
    assert np.array_equal(pcm_of(studio.finished[0]), to_pcm(np.concatenate(parts)))
    studio.recorder.close()


def test_the_last_seconds_can_be_had_after_the_fact_but_not_from_across_a_gap(studio: Studio) -> None:
    studio.recorder.take_last(30)
    assert studio.complaints == ["There is no sound to keep: nothing has been heard yet."]
    studio.ring.write(noise(5))
    studio.ring.cut()
    studio.ring.write(noise(10, seed=1))
    studio.recorder.take_last(3)
    studio.recorder.take_last(30)
    studio.idle()
    short, long = studio.finished
    assert np.array_equal(pcm_of(short), to_pcm(studio.ring.read(12 * RATE, 15 * RATE)))
    assert np.array_equal(pcm_of(long), to_pcm(studio.ring.read(5 * RATE, 15 * RATE)))
    assert short.path != long.path
    assert long.recorded < short.recorded
    assert studio.recorder.unfinished() == [long, short]


def test_after_listening_has_ended_the_last_seconds_are_dated_by_when_they_were_heard(studio: Studio) -> None:
    studio.ring.write(noise(5))
    studio.recorder.interrupt("Listening was stopped.")
    ended = time.time()
    studio.qtbot.wait(1200)
    studio.recorder.take_last(5)
    studio.idle()
    assert studio.finished[0].recorded == pytest.approx(ended - 5, abs=0.2)
    assert studio.complaints == [], "there was no recording that it could have ended"


def test_a_gap_ends_a_recording_which_is_kept_and_that_is_said(studio: Studio) -> None:
    studio.ring.write(noise(1))
    studio.recorder.start()
    studio.ring.write(noise(2, seed=1))
    studio.ring.cut()
    studio.ring.write(noise(2, seed=2))
    studio.idle()
    assert studio.finished[0].seconds == 3.0
    assert len(studio.complaints) == 1
    assert "what was recorded is kept" in studio.complaints[0]
    assert studio.changes == [True, False]


def test_where_no_sound_comes_at_all_it_is_said_once_that_nothing_was_recorded(studio: Studio) -> None:
    studio.recorder.start()
    studio.recorder.interrupt("No microphone was found.")
    studio.idle()
    assert studio.complaints == ["No microphone was found. Nothing was recorded."]
    assert studio.finished == []
    assert list(paths.recordings_folder().iterdir()) == []


def test_where_nothing_can_be_heard_nothing_begins(studio: Studio) -> None:
    studio.reason = "No microphone was found."
    assert not studio.recorder.start()
    assert not studio.recorder.is_recording
    assert studio.complaints == ["Nothing can be recorded: No microphone was found."]


def test_what_is_too_short_is_not_kept(studio: Studio) -> None:
    studio.recorder.start()
    studio.ring.write(noise(0.1))
    studio.recorder.stop()
    studio.idle()
    assert studio.finished == []
    assert studio.complaints == ["That was too short to be kept."]
    assert list(paths.recordings_folder().iterdir()) == []


def test_sound_that_is_too_loud_for_the_microphone_is_told_while_it_lasts_and_afterwards(studio: Studio) -> None:
    studio.recorder.watching_level = True
    studio.ring.write(noise(0.5))
    studio.qtbot.waitUntil(lambda: len(studio.levels) == 1)
    level, is_clipping = studio.levels[0]
    assert level == pytest.approx(level_db(studio.ring.latest(1600)))
    assert not is_clipping
    studio.recorder.start()
    studio.ring.write(noise(0.5))
    studio.ring.mark_clipped()
    studio.qtbot.waitUntil(lambda: len(studio.levels) == 2)
    assert studio.levels[-1][1]
    studio.ring.write(noise(0.7))
    studio.qtbot.waitUntil(lambda: len(studio.levels) == 3)
    assert studio.levels[-1][1], "long enough to be seen"
    studio.ring.write(noise(0.7))
    studio.qtbot.waitUntil(lambda: len(studio.levels) == 4)
    assert not studio.levels[-1][1]
    studio.recorder.stop()
    studio.recorder.take_last(0.5)
    studio.idle()
    assert [sound.is_clipped for sound in studio.finished] == [True, False]
    assert [sound.is_clipped for sound in studio.recorder.unfinished()] == [True, False]


def test_clipped_is_what_stays_at_the_limit_wherever_blocks_end() -> None:
    wave = noise(1.0)
    wave[200:202], wave[300] = 1.0, -1.0
    for size in (1, 2, 7, 4000, 16000):
        meter = ClippingMeter()
        assert not any(meter.push(wave[at : at + size]) for at in range(0, wave.size, size)), "peaks may touch it"
    wave[500:503] = -0.9995
    for size in (1, 2, 7, 4000, 16000):
        meter = ClippingMeter()
        found = [meter.push(wave[at : at + size]) for at in range(0, wave.size, size)]
        assert found.index(True) == 502 // size


RECORDING_FOR_EVER = """
import sys, time
import numpy as np
from PySide6.QtCore import QCoreApplication, QTimer
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.live.record.recorder import Recorder

app = QCoreApplication([])
ring = RingBuffer(180.0)
ramp = (np.arange(32000) % 32000 - 16000).astype(np.float32) / 32768
recorder = Recorder(ring, str)
recorder.start()

def on_timeout():
    at = ring.written % 32000
    ring.write(np.take(ramp, np.arange(at, at + 4000), mode="wrap"))
    print(ring.written, flush=True)

timer = QTimer()
timer.timeout.connect(on_timeout)
timer.start(25)
app.exec()
"""


@pytest.mark.parametrize("killed_at_seconds", [1.0, 4.75, 9.5])
def test_killed_at_any_moment_all_but_the_last_seconds_are_there(qtbot: QtBot, killed_at_seconds: float) -> None:
    """Sound comes ten times as fast as time, so that two seconds are what the writing may lag behind at that pace."""
    with subprocess.Popen([sys.executable, "-c", RECORDING_FOR_EVER], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        for line in program.stdout:
            if int(line) >= killed_at_seconds * RATE:
                program.send_signal(signal.SIGKILL)
                break
        written = int((program.stdout.read().split() or [line])[-1])
    (path,) = paths.recordings_folder().iterdir()
    assert path.name.endswith(".unfinished.wav")
    studio = Studio(qtbot)
    sounds = studio.recorder.unfinished()
    kept = sum(round(sound.seconds * RATE) for sound in sounds)
    assert kept >= written - 2 * RATE
    if sounds:
        ramp = np.arange(kept) % 32000 - 16000
        assert np.array_equal(pcm_of(sounds[0]), ramp), "and it is the sound that was heard"
        studio.recorder.discard(sounds[0].path)
    assert studio.recorder.unfinished() == []
    assert list(paths.recordings_folder().iterdir()) == []


def test_a_file_cut_off_anywhere_is_repaired_or_removed() -> None:
    folder = paths.recordings_folder()
    wave = noise(1.0)
    growing = RecordingFile(free_path(folder, 1_700_000_000.25), 1_700_000_000.25)
    growing.append(wave)
    complete = growing.path.read_bytes()
    growing.finish()
    for path in folder.iterdir():
        path.unlink()
    for number, size in enumerate((0, 10, 255, 256, 257, 256 + 2000)):
        (folder / f"recording-{number}.unfinished.wav").write_bytes(complete[:size])
    (folder / "recording-6.unfinished.wav").write_bytes(b"\0" * 40000)
    assert recordings(folder) == []
    assert list(folder.iterdir()) == [], "what holds no sound does not stay"
    for number, size in enumerate((256 + 20000, 256 + 20001, len(complete))):
        (folder / f"recording-{number}.unfinished.wav").write_bytes(complete[:size])
    sounds = recordings(folder)
    assert [sound.seconds * RATE for sound in sounds] == [10000, 10000, 16000]
    assert all(sound.recorded == 1_700_000_000.25 for sound in sounds)
    for sound in sounds:
        samples = pcm_of(sound)
        assert np.array_equal(samples, to_pcm(wave)[: samples.size])
    (folder / "recording-9.flac").write_bytes(b"no sound")
    (folder / "recording-0.flac.part").write_bytes(b"half a FLAC")
    soundfile.write(folder / "recording-1.flac", wave, RATE)
    sounds = recordings(folder)
    assert [sound.path.name for sound in sounds] == ["recording-0.wav", "recording-2.wav", "recording-1.flac"]
    names = {path.name for path in folder.iterdir()}
    assert names == {"recording-0.wav", "recording-1.flac", "recording-2.wav", "recording-9.flac"}


def test_a_disk_that_takes_nothing_is_told_and_the_next_recording_is_tried(studio: Studio) -> None:
    folder = paths.recordings_folder()
    folder.rmdir()
    folder.write_text("in the way")
    studio.ring.write(noise(3))
    studio.recorder.start()
    studio.qtbot.waitUntil(lambda: not studio.recorder.is_recording)
    assert "could not be written" in studio.complaints[0]
    folder.unlink()
    studio.recorder.start()
    studio.recorder.stop()
    studio.idle()
    assert [sound.seconds for sound in studio.finished] == [2.0]


def test_a_disk_that_is_full_keeps_what_it_has_taken(studio: Studio) -> None:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    studio.ring.write(noise(2))
    studio.recorder.start(2.0)
    studio.flushed(2 * RATE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        studio.ring.write(noise(3, seed=1))
        studio.qtbot.waitUntil(lambda: not studio.recorder.is_recording, timeout=10_000)
        studio.idle()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(studio.complaints) == 1
    assert "could not be written" in studio.complaints[0]
    (sound,) = studio.finished
    assert sound.seconds >= 2.0
    samples = pcm_of(sound)
    assert np.array_equal(samples, to_pcm(studio.ring.read(0, samples.size)))


def test_while_the_disk_is_slow_the_ring_keeps_the_sound(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, folder = threading.Event(), paths.recordings_folder()

    def slow() -> Path:
        disk.wait(30)
        return folder

    monkeypatch.setattr(paths, "recordings_folder", slow)
    studio = Studio(qtbot, ring_seconds=6.0)
    studio.recorder.start()
    studio.ring.write(noise(5))
    qtbot.wait(100)
    assert studio.recorder.is_recording
    disk.set()
    studio.flushed(5 * RATE)
    disk.clear()
    studio.recorder.take_last(1.0)
    studio.ring.write(noise(7, seed=1))
    qtbot.waitUntil(lambda: not studio.recorder.is_recording)
    assert "The disk is too slow" in studio.complaints[0]
    disk.set()
    studio.idle()
    assert sorted(sound.seconds for sound in studio.finished) == [1.0, 5.0]
    studio.recorder.close()


def test_looking_for_unfinished_recordings_leaves_alone_what_is_being_written(studio: Studio) -> None:
    studio.ring.write(noise(40))
    studio.recorder.start()
    studio.flushed(2 * RATE)
    assert studio.recorder.unfinished() == []
    studio.recorder.take_last(40)
    studio.ring.write(noise(1, seed=1))
    studio.recorder.stop()
    seen = []
    while not studio.recorder.is_idle:
        seen += [sound for sound in studio.recorder.unfinished() if sound not in studio.finished]
        studio.qtbot.wait(1)
    assert seen == [], "nobody is told of a recording twice"
    assert sorted(sound.seconds for sound in studio.finished) == [3.0, 40.0]
    assert len(studio.recorder.unfinished()) == 2


def test_closing_keeps_a_recording_for_the_next_start(studio: Studio) -> None:
    studio.ring.write(noise(3))
    studio.recorder.start()
    studio.ring.write(noise(1))
    studio.recorder.close()
    (sound,) = Studio(studio.qtbot).recorder.unfinished()
    assert sound.seconds == 3.0
    assert sound.path.suffix == ".wav", "the program's end waits for no FLAC"
    assert np.array_equal(pcm_of(sound), to_pcm(studio.ring.read(RATE, 4 * RATE)))
    studio.recorder.discard(paths.settings_file())
    assert studio.finished == []


@pytest.mark.parametrize(
    "room", ["", "Nursery", "子供部屋", "a name that is much longer than the header of a WAV has room for " * 4]
)
def test_a_recording_carries_its_room_finished_or_cut_off(tmp_path: Path, room: str) -> None:
    for kind in ("finished", "cut off"):
        folder = tmp_path / kind
        folder.mkdir()
        file = RecordingFile(free_path(folder, 1_700_000_000.0), 1_700_000_000.0, room=room)
        file.append(np.full(16000, 0.1, np.float32))
        if kind == "finished":
            file.finish()
        else:
            file._file.close()  # as a kill does
        (sound,) = recordings(folder)
        assert sound.recorded == 1_700_000_000.0
        assert room.startswith(sound.room)
        assert sound.room == room or len(sound.room) > 60
