"""A recording on disk: a WAV that is valid at every moment while it grows, and a FLAC when it is finished.

Samples are 16-bit at the ring's rate. If the program is killed, the file contains everything appended so far: its
header, with sizes and metadata, is rewritten after each block.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import struct
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from babymonitor.core.sound.levels import SILENCE_DB, ClippingMeter
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from babymonitor.core.whole_file import TEMPORARY, whole_file

SHORTEST_SECONDS = 0.2
"""Anything shorter is discarded."""

_UNFINISHED = ".unfinished.wav"
_COMMENT_BYTES = 192
_HEADER = struct.Struct(f"<4sI4s4sIHHIIHH4sI4s4sI{_COMMENT_BYTES}s4sI")
_MOST_BYTES = 2**32 - 1
_BLOCK = 2**20

Pcm = npt.NDArray[np.int16]


def to_pcm(wave: Wave) -> Pcm:
    """Convert (samples,) float32 to 16-bit. Converting back to float and to 16-bit again gives the same samples."""
    return np.asarray(np.clip(np.rint(wave * np.float32(32768.0)), -32768, 32767), "<i2")


@dataclass(frozen=True, slots=True)
class RecordedSound:
    """A finished recording on disk.

    recorded: Unix seconds of its first sample. level_db: root mean square. is_clipped: some of it was too loud for the
    microphone. room: where it was recorded, empty for the only room.
    """

    path: Path
    recorded: float
    seconds: float
    is_clipped: bool
    level_db: float
    room: str = ""


class RecordingFile:
    """A recording while it grows. Any call may raise OSError; what was appended before is still there."""

    def __init__(self, path: Path, recorded: float, sample_rate: int = SAMPLE_RATE, room: str = "") -> None:
        """path: from `free_path`. recorded: Unix seconds of the first sample. room: where it is recorded."""
        self._recorded = recorded
        self._room = room
        self._sample_rate = sample_rate
        self._clipping = ClippingMeter()
        self._is_clipped = False
        self._power = 0.0
        self._samples = 0
        self.path = path
        # Unbuffered: the operating system has what was appended even if this process is killed.
        self._file = self.path.open("xb", buffering=0)
        self._write_header()

    def append(self, wave: Wave, is_clipped: bool = False) -> None:
        """Append (samples,) and wait until the disk has it.

        is_clipped: known to have been too loud for the microphone, even if the samples no longer show it.
        """
        pcm = to_pcm(wave)
        self._is_clipped = self._clipping.push(wave) or is_clipped or self._is_clipped
        self._power += float(np.square(wave, dtype=np.float64).sum())
        self._file.seek(_HEADER.size + 2 * self._samples)
        self._write(pcm.tobytes())
        self._samples += pcm.size
        self._write_header()
        os.fsync(self._file.fileno())

    def finish(self, as_flac: bool = True) -> RecordedSound | None:
        """Close the file and compress it to FLAC; it stays a WAV if that fails. Returns None if it was too short.

        as_flac: off to finish at once, as compressing hours of sound takes a while.
        """
        self._file.close()
        recording = repair(self.path)
        return None if recording is None else _compress(recording) if as_flac else recording

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) or 0 :]

    def _write_header(self) -> None:
        self._file.seek(0)
        level = max(SILENCE_DB, 10.0 * math.log10(self._power / self._samples)) if self._power > 0 else SILENCE_DB
        metadata = {"recorded": self._recorded, "level_db": round(level, 2), "is_clipped": self._is_clipped}
        self._write(_header(_with_room(metadata, self._room), self._samples, self._sample_rate))


def repair(path: Path) -> RecordedSound | None:
    """Make a valid WAV of a recording that was cut off; if it is too short, delete it and return None."""
    with path.open("r+b") as file:
        head = file.read(_HEADER.size)
        samples = max(0, path.stat().st_size - _HEADER.size) // 2
        rate = int(_HEADER.unpack(head)[7]) if len(head) == _HEADER.size else 0
        if rate > 0 and samples >= SHORTEST_SECONDS * rate:
            comment = _HEADER.unpack(head)[16].rstrip(b"\0").decode("ascii", "replace")
            # The program may have been killed between block and header: trust the file's size.
            file.truncate(_HEADER.size + 2 * samples)
            file.seek(0)
            file.write(_header(comment, samples, rate))
        else:
            samples = 0
    if samples == 0:
        path.unlink()
        return None
    finished = path.with_name(_stem(path) + ".wav")
    path.replace(finished)
    return describe(finished)


def describe(path: Path) -> RecordedSound | None:
    """Read the metadata of a finished recording; None for a file that is not sound."""
    import soundfile

    try:
        with soundfile.SoundFile(str(path)) as file:
            seconds = file.frames / file.samplerate
            comment = file.comment
    except (soundfile.LibsndfileError, RuntimeError, OSError):
        return None
    metadata: dict[str, object] = {}
    with contextlib.suppress(ValueError):
        parsed = json.loads(comment)
        metadata = parsed if isinstance(parsed, dict) else {}
    recorded, level = metadata.get("recorded"), metadata.get("level_db")
    return RecordedSound(
        path,
        float(recorded) if isinstance(recorded, int | float) else path.stat().st_mtime - seconds,
        seconds,
        metadata.get("is_clipped") is True,
        float(level) if isinstance(level, int | float) else SILENCE_DB,
        room if isinstance(room := metadata.get("room"), str) else "",
    )


def recordings(folder: Path, busy: Callable[[], Collection[Path]] = tuple) -> list[RecordedSound]:
    """Every recording in the folder, oldest first; those that were cut off are repaired.

    busy: returns the paths that are being written, which are left alone. It is called after listing the folder, so that
    a recording begun in between is among them.
    """
    cut_off = sorted(folder.glob(f"*{_UNFINISHED}"))
    stems = {_stem(path) for path in busy()}
    for path in cut_off:
        if _stem(path) not in stems:
            # A file that cannot be repaired now is tried again at the next start.
            with contextlib.suppress(OSError):
                repair(path)
    finished: dict[str, Path] = {}
    files = sorted(folder.glob("recording-*"))
    stems |= {_stem(path) for path in busy()}
    for path in files:
        stem = _stem(path)
        if stem in stems or path.name.endswith(_UNFINISHED):
            continue
        if path.suffix == TEMPORARY or (path.suffix == ".wav" and stem in finished):
            # The program was killed while it compressed the WAV, or just after.
            with contextlib.suppress(OSError):
                path.unlink()
        elif path.suffix in (".flac", ".wav"):
            finished[stem] = path
    sounds = [describe(path) for path in finished.values()]
    return sorted((sound for sound in sounds if sound is not None), key=lambda sound: sound.recorded)


def _compress(sound: RecordedSound) -> RecordedSound:
    """Compress a WAV to FLAC, a little over half the size; returns the WAV unchanged if that fails."""
    import soundfile

    target = sound.path.with_suffix(".flac")
    try:
        with (
            soundfile.SoundFile(str(sound.path)) as wav,
            whole_file(target) as temporary,
            soundfile.SoundFile(str(temporary), "w", wav.samplerate, 1, "PCM_16", format="FLAC") as flac,
        ):
            flac.comment = wav.comment
            while (block := wav.read(_BLOCK, dtype="int16")).size:
                flac.write(block)
    except (soundfile.LibsndfileError, RuntimeError, OSError):
        return sound
    with contextlib.suppress(OSError):
        sound.path.unlink()
    return replace(sound, path=target)


def _stem(path: Path) -> str:
    """The part of the name that all files of a recording share, from the first second to the FLAC."""
    return path.name.removesuffix(TEMPORARY).removesuffix(_UNFINISHED).removesuffix(".wav").removesuffix(".flac")


def _with_room(metadata: Mapping[str, object], room: str) -> str:
    """Return the comment of a header, with as much of the room's name as fits."""
    while room and len(comment := json.dumps({**metadata, "room": room})) > _COMMENT_BYTES:
        room = room[:-1]
    return comment if room else json.dumps(metadata)


def _header(comment: str, samples: int, sample_rate: int) -> bytes:
    data = 2 * samples
    return _HEADER.pack(
        b"RIFF",
        min(_MOST_BYTES, _HEADER.size - 8 + data),
        b"WAVE",
        *(b"fmt ", 16, 1, 1, sample_rate, 2 * sample_rate, 2, 16),
        *(b"LIST", 12 + _COMMENT_BYTES, b"INFO", b"ICMT", _COMMENT_BYTES, comment.encode("ascii", "replace")),
        b"data",
        min(_MOST_BYTES, data),
    )


def free_path(folder: Path, recorded: float) -> Path:
    """A path for a new recording, named by the time; unused even if the clock was set back."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = datetime.fromtimestamp(recorded).strftime("recording-%Y-%m-%d_%H-%M-%S")
    for number in range(1, 10_000):
        name = stem if number == 1 else f"{stem}-{number}"
        if not any((folder / (name + end)).exists() for end in (_UNFINISHED, ".wav", ".flac")):
            return folder / (name + _UNFINISHED)
    return folder / f"{stem}-{time.time_ns()}{_UNFINISHED}"
