"""A recording on disk: a WAV that is whole at every moment while it grows, and a FLAC when it is finished.

Sound is kept as 16-bit samples at the ring's rate. Killed at any moment, the file holds all that was appended: sizes
and what is known of the sound stand in its header, which is written anew after each piece.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import struct
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from babymonitor.core.sound.levels import SILENCE_DB, ClippingMeter
from babymonitor.core.sound.wave import SAMPLE_RATE, Wave
from babymonitor.core.whole_file import TEMPORARY, whole_file

SHORTEST_SECONDS = 0.2
"""What is shorter is no recording: nothing could be made of it."""

_UNFINISHED = ".unfinished.wav"
_COMMENT_BYTES = 192
_HEADER = struct.Struct(f"<4sI4s4sIHHIIHH4sI4s4sI{_COMMENT_BYTES}s4sI")
_MOST_BYTES = 2**32 - 1
_BLOCK = 2**20

Pcm = npt.NDArray[np.int16]


def to_pcm(wave: Wave) -> Pcm:
    """(samples,) float32 → 16-bit. Read back as a float it is a float again, and the same 16-bit sample once more."""
    return np.asarray(np.clip(np.rint(wave * np.float32(32768.0)), -32768, 32767), "<i2")


@dataclass(frozen=True, slots=True)
class RecordedSound:
    """A recording that lies on disk, whole.

    recorded: Unix seconds of its first sample. level_db: root mean square of all of it. is_clipped: somewhere in it
    the sound was too loud for the microphone.
    """

    path: Path
    recorded: float
    seconds: float
    is_clipped: bool
    level_db: float


class RecordingFile:
    """One recording while it grows. OSError from any call means the disk: what was appended before is still there."""

    def __init__(self, path: Path, recorded: float, sample_rate: int = SAMPLE_RATE) -> None:
        """path: one of `free_path`. recorded: Unix seconds of the first sample."""
        self._recorded = recorded
        self._sample_rate = sample_rate
        self._clipping = ClippingMeter()
        self._is_clipped = False
        self._power = 0.0
        self._samples = 0
        self.path = path
        # Unbuffered: what was appended is the system's at once, whatever becomes of this process.
        self._file = self.path.open("xb", buffering=0)
        self._write_header()

    def append(self, wave: Wave, is_clipped: bool = False) -> None:
        """Put (samples,) behind what is there, and see that it reaches the disk.

        is_clipped: it was too loud for the microphone, though it may not be seen of the samples any more.
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
        """Close it and make a FLAC of it; where that cannot be written it stays a WAV. None: it was too short.

        as_flac: a WAV is finished at once, of hours a FLAC takes a while.
        """
        self._file.close()
        whole = repair(self.path)
        return None if whole is None else _compress(whole) if as_flac else whole

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) or 0 :]

    def _write_header(self) -> None:
        self._file.seek(0)
        level = max(SILENCE_DB, 10.0 * math.log10(self._power / self._samples)) if self._power > 0 else SILENCE_DB
        known = {"recorded": self._recorded, "level_db": round(level, 2), "is_clipped": self._is_clipped}
        self._write(_header(json.dumps(known), self._samples, self._sample_rate))


def repair(path: Path) -> RecordedSound | None:
    """Make a finished WAV of a recording that was cut off; None where there was too little, and it is removed."""
    with path.open("r+b") as file:
        head = file.read(_HEADER.size)
        samples = max(0, path.stat().st_size - _HEADER.size) // 2
        rate = int(_HEADER.unpack(head)[7]) if len(head) == _HEADER.size else 0
        if rate > 0 and samples >= SHORTEST_SECONDS * rate:
            comment = _HEADER.unpack(head)[16].rstrip(b"\0").decode("ascii", "replace")
            # The last piece may have been written when the header had not: the file's own size is right.
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
    """What is known of a finished recording; None for a file that is no sound."""
    import soundfile

    try:
        with soundfile.SoundFile(str(path)) as file:
            seconds = file.frames / file.samplerate
            comment = file.comment
    except (soundfile.LibsndfileError, RuntimeError, OSError):
        return None
    known: dict[str, object] = {}
    with contextlib.suppress(ValueError):
        read = json.loads(comment)
        known = read if isinstance(read, dict) else {}
    recorded, level = known.get("recorded"), known.get("level_db")
    return RecordedSound(
        path,
        float(recorded) if isinstance(recorded, int | float) else path.stat().st_mtime - seconds,
        seconds,
        known.get("is_clipped") is True,
        float(level) if isinstance(level, int | float) else SILENCE_DB,
    )


def recordings(folder: Path, busy: Callable[[], Collection[Path]] = tuple) -> list[RecordedSound]:
    """Every recording in the folder, the oldest first; what was cut off is repaired.

    busy: tells the paths of those that are being written, which are left alone. It is asked after the folder: one that
    is begun in between is then among them.
    """
    cut_off = sorted(folder.glob(f"*{_UNFINISHED}"))
    stems = {_stem(path) for path in busy()}
    for path in cut_off:
        if _stem(path) not in stems:
            # One that cannot be touched now is tried again at the next start.
            with contextlib.suppress(OSError):
                repair(path)
    whole: dict[str, Path] = {}
    there = sorted(folder.glob("recording-*"))
    stems |= {_stem(path) for path in busy()}
    for path in there:
        stem = _stem(path)
        if stem in stems or path.name.endswith(_UNFINISHED):
            continue
        if path.suffix == TEMPORARY or (path.suffix == ".wav" and stem in whole):
            # Killed while a FLAC was made of the WAV, or when it had just been made.
            with contextlib.suppress(OSError):
                path.unlink()
        elif path.suffix in (".flac", ".wav"):
            whole[stem] = path
    sounds = [describe(path) for path in whole.values()]
    return sorted((sound for sound in sounds if sound is not None), key=lambda sound: sound.recorded)


def _compress(sound: RecordedSound) -> RecordedSound:
    """The same sound as a FLAC, a little more than half as large; the sound as it is where that cannot be written."""
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
    return RecordedSound(target, sound.recorded, sound.seconds, sound.is_clipped, sound.level_db)


def _stem(path: Path) -> str:
    """What a recording's files have in common, from the first second to the FLAC."""
    return path.name.removesuffix(TEMPORARY).removesuffix(_UNFINISHED).removesuffix(".wav").removesuffix(".flac")


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
    """Where a recording may grow: a name that none has yet, finished or not. By the clock, which may be set back."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = datetime.fromtimestamp(recorded).strftime("recording-%Y-%m-%d_%H-%M-%S")
    for number in range(1, 10_000):
        name = stem if number == 1 else f"{stem}-{number}"
        if not any((folder / (name + end)).exists() for end in (_UNFINISHED, ".wav", ".flac")):
            return folder / (name + _UNFINISHED)
    return folder / f"{stem}-{time.time_ns()}{_UNFINISHED}"
