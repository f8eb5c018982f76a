"""The ring, files of every usual and unusual kind, resampling."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from babymonitor.core.sound.files import read_wave, sound_files
from babymonitor.core.sound.levels import envelope, is_digital_silence, level_db
from babymonitor.core.sound.resample import StreamResampler
from babymonitor.core.sound.ring import OverrunError, RingBuffer
from babymonitor.core.sound.wave import AudioError


def tone(seconds: float, rate: int = 16000, hz: float = 440.0) -> np.ndarray:
    return np.asarray(0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate), np.float32)


@given(blocks=st.lists(st.integers(0, 250), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_ring_gives_back_what_was_written(blocks: list[int]) -> None:
    ring = RingBuffer(0.1, 1000)  # 100 samples: some blocks are longer than the ring
    written = np.arange(sum(blocks), dtype=np.float32)
    at = 0
    for size in blocks:
        ring.write(written[at : at + size])
        at += size
        assert ring.written == at
        assert np.array_equal(ring.read(ring.oldest, at), written[ring.oldest : at])


def test_ring_says_when_samples_are_gone_or_to_come() -> None:
    ring = RingBuffer(0.1, 1000)
    ring.write(np.zeros(150, np.float32))
    with pytest.raises(OverrunError):
        ring.read(49, 60)
    with pytest.raises(ValueError, match="150 have been written"):
        ring.read(100, 151)
    assert ring.read(50, 150).size == 100


def test_ring_never_gives_torn_sound_to_a_reader_on_another_thread() -> None:
    """The writer counts up; whatever a reader gets must count up without a jump."""
    ring = RingBuffer(0.5, 1000)
    stop = threading.Event()

    def write() -> None:
        at = 0
        while not stop.is_set():
            ring.write(np.arange(at, at + 37, dtype=np.float32))
            at = (at + 37) % 1_000_000

    writer = threading.Thread(target=write)
    writer.start()
    read = overruns = 0
    try:
        while read < 2000:
            start = max(0, ring.written - 480)
            try:
                wave = ring.read(start, start + min(400, ring.written - start))
            except OverrunError:
                overruns += 1
                continue
            read += 1
            steps = np.diff(wave)
            # 1_000_000 is no multiple of 37: where the count begins again, one step is not 1.
            assert np.count_nonzero(steps != 1) <= 1
    finally:
        stop.set()
        writer.join()


@given(sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=30))
@settings(max_examples=20, deadline=None)
def test_resampling_in_blocks_equals_resampling_at_once(sizes: list[int]) -> None:
    wave = np.random.default_rng(0).standard_normal(sum(sizes)).astype(np.float32) * 0.1
    once = StreamResampler(44100).push(wave, last=True)
    stream, parts, at = StreamResampler(44100), [], 0
    for size in sizes:
        parts.append(stream.push(wave[at : at + size]))
        at += size
    parts.append(stream.push(np.zeros(0, np.float32), last=True))
    assert np.allclose(np.concatenate(parts), once, atol=1e-6)
    assert once.size == pytest.approx(wave.size * 16000 / 44100, abs=2)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".aiff"])
def test_reads_what_soundfile_writes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tone{suffix}"
    stereo = np.stack((tone(1.0, 44100), np.zeros(44100, np.float32)), axis=1)
    soundfile.write(path, stereo, 44100)
    wave = read_wave(path)
    assert wave.dtype == np.float32
    assert wave.size == pytest.approx(16000, rel=0.1)
    assert level_db(wave[2000:14000]) == pytest.approx(level_db(0.5 * tone(1.0)), abs=0.5)
    spectrum = np.abs(np.fft.rfft(wave[2000:14000] * np.hanning(12000)))
    assert np.argmax(spectrum) * 16000 / 12000 == pytest.approx(440, abs=2)


@pytest.mark.parametrize(
    ("suffix", "codec", "rate"),
    [(".m4a", "aac", 44100), (".aac", "aac", 44100), (".3gp", "aac", 16000), (".caf", "adpcm_ima_qt", 16000)],
)
def test_reads_what_phones_write(tmp_path: Path, suffix: str, codec: str, rate: int) -> None:
    import av

    path = tmp_path / f"tone{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        samples = np.round(tone(2.0, rate) * 32767).astype(np.int16)
        size = stream.frame_size or 64
        for at in range(0, samples.size - size + 1, size):
            frame = av.AudioFrame.from_ndarray(samples[None, at : at + size], format="s16", layout="mono")
            frame.sample_rate, frame.pts = rate, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    wave = read_wave(path)
    assert wave.size == pytest.approx(32000, rel=0.1)
    assert level_db(wave[4000:28000]) == pytest.approx(level_db(tone(1.0)), abs=1.0)


def test_reads_the_phones_of_the_real_data(shared_data: Path) -> None:
    for pattern in ("*.3gp", "*.caf"):
        for path in sorted((shared_data / "donateacry").glob(pattern))[:3]:
            wave = read_wave(path)
            assert 1.0 < wave.size / 16000 < 60.0
            assert np.isfinite(wave).all()


def broken_files(folder: Path) -> dict[str, Path]:
    """Every kind of file that is no sound, or not any more."""
    good = folder / "good.wav"
    soundfile.write(good, tone(1.0), 16000)
    data = good.read_bytes()
    flac = folder / "good.flac"
    soundfile.write(flac, np.random.default_rng(0).uniform(-0.5, 0.5, 32000), 16000)
    files = {name: folder / f"{name}.wav" for name in ("empty", "header", "text", "none", "nan", "inf")}
    files["empty"].write_bytes(b"")
    files["header"].write_bytes(data[:20])
    files["text"].write_text("This is not a sound, whatever its name says.\n" * 100)
    soundfile.write(files["none"], np.zeros(0, np.float32), 16000)
    soundfile.write(files["nan"], np.full(16000, np.nan, np.float32), 16000, subtype="FLOAT")
    soundfile.write(files["inf"], np.full(16000, np.inf, np.float32), 16000, subtype="FLOAT")
    files["missing"] = folder / "missing.wav"
    files["truncated"] = folder / "truncated.flac"
    files["truncated"].write_bytes(flac.read_bytes()[:9000])
    files["folder"] = folder / "folder"
    files["folder"].mkdir()
    return files


@pytest.mark.parametrize("kind", ["empty", "header", "text", "none", "nan", "inf", "missing", "truncated", "folder"])
def test_a_broken_file_is_one_sentence_with_its_name(tmp_path: Path, kind: str) -> None:
    path = broken_files(tmp_path)[kind]
    with pytest.raises(AudioError) as caught:
        read_wave(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_a_truncated_wav_gives_what_is_left_of_it(tmp_path: Path) -> None:
    path = tmp_path / "whole.wav"
    soundfile.write(path, tone(2.0), 16000)
    cut = tmp_path / "cut.wav"
    cut.write_bytes(path.read_bytes()[: 44 + 32000])
    assert read_wave(cut).size == pytest.approx(16000, abs=2)


def test_an_enormous_file_is_refused_before_memory_is_full(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros(16000 * 30, np.float32), 16000)
    with pytest.raises(AudioError, match="longer than"):
        read_wave(path, longest_seconds=10)


def test_an_impossible_rate_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "slow.wav"
    soundfile.write(path, tone(0.1), 100)
    with pytest.raises(AudioError, match="impossible sampling rate"):
        read_wave(path)


def test_sound_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("a.WAV", "b/c.mp3", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in sound_files(tmp_path)] == ["a.WAV", "c.mp3"]


def test_level_silence_and_envelope() -> None:
    assert level_db(np.zeros(10, np.float32)) == -120.0
    assert level_db(np.zeros(0, np.float32)) == -120.0
    assert level_db(np.ones(100, np.float32)) == pytest.approx(0.0, abs=1e-4)
    assert is_digital_silence(np.full(100, 0.3, np.float32))
    assert not is_digital_silence(np.random.default_rng(0).standard_normal(100).astype(np.float32) * 1e-6)
    assert not is_digital_silence(np.zeros(0, np.float32))
    wave = np.zeros(1000, np.float32)
    wave[995] = 0.7
    low_high = envelope(wave, 10)
    assert low_high.shape == (10, 2)
    assert low_high[9].tolist() == pytest.approx([0.0, 0.7])


def test_reading_a_file_needs_no_program(tmp_path: Path) -> None:
    """PyAV carries FFmpeg's libraries: no ffmpeg command is called."""
    code = (
        "import os, sys; os.environ['PATH'] = '';"
        "from pathlib import Path; from babymonitor.core.sound.files import read_wave;"
        "print(read_wave(Path(sys.argv[1])).size)"
    )
    path = tmp_path / "tone.mp3"
    soundfile.write(path, tone(1.0, 44100), 44100)
    result = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert int(result.stdout) > 15000
