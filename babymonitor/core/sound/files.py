"""Sound files of any common format, decoded in blocks or completely."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from babymonitor.core.messages import Code
from babymonitor.core.sound.resample import StreamResampler
from babymonitor.core.sound.wave import SAMPLE_RATE, AudioError, Wave

AUDIO_SUFFIXES = frozenset(
    {".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au"}
    | {".m4a", ".mp4", ".aac", ".3gp", ".3gpp", ".caf", ".amr", ".wma", ".webm"}
)
_HIGHEST_RATE = 768_000
_MOST_CHANNELS = 64


class AudioFile:
    """A sound file, read in blocks: wav, flac, ogg… by libsndfile; mp3, m4a, aac, 3gp, caf, amr… by FFmpeg (PyAV).

    Opening raises AudioError for a file that is missing, empty or not sound.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if path.is_dir():
                raise AudioError(Code.SOUND_IS_A_FOLDER, path=path)
            size = path.stat().st_size
            with path.open("rb"):
                pass
        except OSError as error:
            raise AudioError(Code.SOUND_UNREADABLE, path=path, reason=error.strerror or str(error)) from error
        if size == 0:
            raise AudioError(Code.SOUND_FILE_EMPTY, path=path)
        self.sample_rate, self._by_sndfile = self._probe()
        if not 1000 <= self.sample_rate <= _HIGHEST_RATE:
            raise AudioError(Code.SOUND_RATE_IMPOSSIBLE, path=path, rate=self.sample_rate)

    def _probe(self) -> tuple[int, bool]:
        import soundfile

        try:
            info = soundfile.info(str(self.path))
        except (soundfile.LibsndfileError, RuntimeError, UnicodeError):
            return self._probe_av(), False
        if info.format == "MP3":
            # soundfile seeks after each block, and in an MP3 a seek loses the decoder's state: most of a steady tone
            # was measured to come out as silence.
            return self._probe_av(), False
        if info.channels > _MOST_CHANNELS:
            raise AudioError(Code.SOUND_TOO_MANY_CHANNELS, path=self.path, channels=info.channels)
        if info.frames == 0:
            raise AudioError(Code.SOUND_MISSING, path=self.path)
        return int(info.samplerate), True

    def _probe_av(self) -> int:
        import av

        try:
            with av.open(str(self.path)) as container:
                if not container.streams.audio:
                    raise AudioError(Code.SOUND_MISSING, path=self.path)
                return int(container.streams.audio[0].rate or 0)
        except (av.FFmpegError, ValueError, OSError) as error:  # ValueError: a file name with a NUL character
            raise AudioError(Code.SOUND_FORMAT_UNKNOWN, path=self.path) from error

    def blocks(self, seconds: float = 2.0) -> Iterator[Wave]:
        """Yield the sound at the file's own rate, mixed to mono, in blocks of at most `seconds`.

        Blocks should be long: soundfile seeks after each, which in a FLAC costs as much as decoding it. Raises
        AudioError where the file turns out to be damaged or contains values that are not numbers.
        """
        total = 0
        for block in self._sndfile_blocks(seconds) if self._by_sndfile else self._av_blocks():
            if not np.isfinite(block).all():
                raise AudioError(Code.SOUND_NOT_NUMBERS, path=self.path)
            total += block.size
            # Floating-point files may contain any value; samples beyond 8 are not sound and would drown out the rest.
            yield np.clip(block, -8.0, 8.0)
        if total == 0:
            raise AudioError(Code.SOUND_MISSING, path=self.path)

    def _sndfile_blocks(self, seconds: float) -> Iterator[Wave]:
        import soundfile

        try:
            with soundfile.SoundFile(str(self.path)) as file:
                size = max(1, int(seconds * file.samplerate))
                while True:
                    block = file.read(size, dtype="float32", always_2d=True)
                    if len(block) == 0:
                        return
                    yield _mono(block)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise AudioError(Code.SOUND_DAMAGED, path=self.path) from error

    def _av_blocks(self) -> Iterator[Wave]:
        import av

        try:
            with av.open(str(self.path)) as container:
                stream = container.streams.audio[0]
                # Planar float, mixed to mono here: FFmpeg's own mixing is 3 dB louder than libsndfile's path.
                to_float = av.AudioResampler(format="fltp", rate=self.sample_rate)
                for frame in chain(container.decode(stream), (None,)):
                    for out in to_float.resample(frame):
                        yield _mono(np.asarray(out.to_ndarray().T, np.float32))
        except (av.FFmpegError, ValueError, OSError) as error:
            raise AudioError(Code.SOUND_DAMAGED, path=self.path) from error


def _mono(block: npt.NDArray[np.float32]) -> Wave:
    """Mix (samples, channels) to (samples,)."""
    return block[:, 0].copy() if block.shape[1] == 1 else np.asarray(block.mean(axis=1), np.float32)


def resampled_blocks(path: Path, sample_rate: int = SAMPLE_RATE) -> Iterator[Wave]:
    """Yield a file's sound at `sample_rate` in blocks of any size. Raises AudioError as `AudioFile` does."""
    file = AudioFile(path)
    resampler = StreamResampler(file.sample_rate, sample_rate)
    for block in file.blocks():
        yield resampler.push(block)
    yield resampler.push(np.zeros(0, np.float32), last=True)


def read_wave(path: Path, sample_rate: int = SAMPLE_RATE, longest_seconds: float = 3600.0) -> Wave:
    """Read a complete file as (samples,) float32 mono at `sample_rate`.

    Raises AudioError if it cannot be read or is longer than `longest_seconds`; use `resampled_blocks` for those.
    """
    steps = reading_wave(path, sample_rate, longest_seconds)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return np.asarray(end.value, np.float32)


def reading_wave(
    path: Path, sample_rate: int = SAMPLE_RATE, longest_seconds: float = 3600.0
) -> Generator[None, None, Wave]:
    """As `read_wave`, as a generator that yields between small steps and returns the samples."""
    blocks: list[Wave] = []
    samples = 0
    for block in resampled_blocks(path, sample_rate):
        blocks.append(block)
        samples += block.size
        if samples > longest_seconds * sample_rate:
            raise AudioError(Code.SOUND_TOO_LONG, path=path, minutes=longest_seconds / 60)
        yield
    return np.concatenate(blocks)


def sound_files(path: Path) -> list[Path]:
    """Every sound file under a folder, sorted; for a file, that file."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.suffix.lower() in AUDIO_SUFFIXES and file.is_file())
