"""Sound itself: the ring everything reads from, files of any usual format, resampling, level and envelope.

Everywhere in the app a wave is mono float32 in [-1, 1]; the ring runs at 16 kHz and its absolute sample index is the
only audio clock.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterator
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from babymonitor.core.features import Wave

SAMPLE_RATE = 16000
SILENCE_DB = -120.0
AUDIO_SUFFIXES = frozenset(
    {".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au"}
    | {".m4a", ".mp4", ".aac", ".3gp", ".3gpp", ".caf", ".amr", ".wma", ".webm"}
)

_HIGHEST_RATE = 768_000
_MOST_CHANNELS = 64
_MOST_CLIPPED = 10_000
FULL_SCALE = 0.999
CLIPPED_SAMPLES = 3


class AudioError(Exception):
    """Sound that cannot be read; the message is one sentence for a person."""


class OverrunError(LookupError):
    """The samples asked for were overwritten before they could be read."""


class RingBuffer:
    """The last seconds of sound, addressed by absolute sample number: one writer, any number of readers, no lock.

    The writer first announces how far it is going to write, then writes, then publishes. A reader copies and looks
    afterwards whether the announcement has reached what it copied. Both numbers are plain attributes, whose assignment
    the interpreter makes indivisible.
    """

    def __init__(self, seconds: float, sample_rate: int = SAMPLE_RATE) -> None:
        self.sample_rate = sample_rate
        self.capacity = int(seconds * sample_rate)
        self._samples = np.zeros(self.capacity, np.float32)
        self._announced = 0
        self._written = 0
        self._cut_at = 0
        self._clipped: deque[int] = deque(maxlen=_MOST_CLIPPED)

    @property
    def written(self) -> int:
        """How many samples were ever written: the index that the next one will have."""
        return self._written

    @property
    def oldest(self) -> int:
        """The index of the oldest sample that can still be read."""
        return max(0, self._announced - self.capacity)

    def write(self, block: npt.NDArray[np.float32]) -> None:
        """Append (samples,); of a block longer than the ring only the end is kept, and all of it is counted."""
        stop = self._written + block.size
        self._announced = stop
        kept = block[-self.capacity :]
        at = (stop - kept.size) % self.capacity
        first = min(kept.size, self.capacity - at)
        self._samples[at : at + first] = kept[:first]
        self._samples[: kept.size - first] = kept[first:]
        self._written = stop

    @property
    def cut_at(self) -> int:
        """Where the sound that goes on now began: what is before it was heard before a gap."""
        return self._cut_at

    def cut(self) -> None:
        """The writer's word that what it writes next does not follow what it wrote (the microphone was away)."""
        self._cut_at = self._written

    def mark_clipped(self) -> None:
        """The writer's word that what it wrote last was too loud for the microphone; resampling hides that."""
        self._clipped.append(self._written)

    def is_clipped(self, start: int, stop: int) -> bool:
        """Whether the writer has marked anything it wrote of the samples [start, stop). For the writer's own thread."""
        return any(start < at <= stop for at in self._clipped)

    def read(self, start: int, stop: int) -> Wave:
        """A copy of the samples [start, stop). OverrunError when the first are gone, ValueError when any is to come."""
        if not 0 <= start <= stop <= self._written:
            raise ValueError(f"Samples {start} to {stop} were asked for, {self._written} have been written.")
        if start < self.oldest:
            raise OverrunError(f"Sample {start} is gone, the oldest is {self.oldest}.")
        at, size = start % self.capacity, stop - start
        first = min(size, self.capacity - at)
        out = np.empty(size, np.float32)
        out[:first] = self._samples[at : at + first]
        out[first:] = self._samples[: size - first]
        if start < self.oldest:
            raise OverrunError(f"Sample {start} was overwritten while it was read.")
        return out

    def latest(self, samples: int) -> Wave:
        """The newest `samples` samples; fewer at the beginning of the sound, and never more than half of the ring.

        Half, because what is older could be overwritten by the time it is copied.
        """
        stop = self._written
        return self.read(max(0, stop - samples, stop - self.capacity // 2), stop)


class ClippingMeter:
    """Finds sound that was too loud for the microphone: three samples in a row, or more, at full scale.

    A single one may be a true peak; what was cut off stays at the limit. Blocks may come in any size, at the rate at
    which they were recorded: resampled, what was flat has ripples.
    """

    def __init__(self) -> None:
        self._tail = np.zeros(0, bool)

    def push(self, block: Wave) -> bool:
        """Whether a clipped stretch ends in, or goes on into, this block (samples,)."""
        full = np.concatenate((self._tail, np.abs(block) >= FULL_SCALE))
        self._tail = full[-(CLIPPED_SAMPLES - 1) :]
        if not full.any():
            return False
        runs = np.convolve(full, np.ones(CLIPPED_SAMPLES, int))
        return bool((runs == CLIPPED_SAMPLES).any())


class StreamResampler:
    """Resampling of a stream, block by block (libsoxr, high quality); the same samples whatever the block sizes."""

    def __init__(self, source_rate: float, target_rate: int = SAMPLE_RATE) -> None:
        import soxr

        self._stream = (
            None
            if source_rate == target_rate
            else soxr.ResampleStream(source_rate, target_rate, 1, dtype="float32", quality="HQ")
        )

    def push(self, block: Wave, last: bool = False) -> Wave:
        """(samples,) at the source's rate → (samples,) at the target's, later by the filter's delay; `last` flushes."""
        if self._stream is None:
            return block
        return np.asarray(self._stream.resample_chunk(block, last=last), np.float32)


class AudioFile:
    """One sound file, read in blocks: wav, flac, ogg… by libsndfile; mp3, m4a, aac, 3gp, caf, amr… by FFmpeg (PyAV).

    Opening it raises AudioError with one sentence for a file that is missing, empty or not sound.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if path.is_dir():
                raise AudioError(f"{path} is a folder, not a sound file.")
            size = path.stat().st_size
            with path.open("rb"):
                pass
        except OSError as error:
            raise AudioError(f"{path} cannot be read: {error.strerror or error}.") from error
        if size == 0:
            raise AudioError(f"{path} is empty.")
        self.sample_rate, self._by_sndfile = self._probe()
        if not 1000 <= self.sample_rate <= _HIGHEST_RATE:
            raise AudioError(f"{path} has an impossible sampling rate ({self.sample_rate} Hz).")

    def _probe(self) -> tuple[int, bool]:
        import soundfile

        try:
            info = soundfile.info(str(self.path))
        except (soundfile.LibsndfileError, RuntimeError, UnicodeError):
            return self._probe_av(), False
        if info.format == "MP3":
            # soundfile seeks after each block it reads, and in an MP3 a seek loses the decoder's state: measured, most
            # of a steady tone came out as silence
            return self._probe_av(), False
        if info.channels > _MOST_CHANNELS:
            raise AudioError(f"{self.path} has {info.channels} channels, which is more than any microphone.")
        if info.frames == 0:
            raise AudioError(f"{self.path} holds no sound.")
        return int(info.samplerate), True

    def _probe_av(self) -> int:
        import av

        try:
            with av.open(str(self.path)) as container:
                if not container.streams.audio:
                    raise AudioError(f"{self.path} holds no sound.")
                return int(container.streams.audio[0].rate or 0)
        except (av.FFmpegError, ValueError, OSError) as error:  # a name that is no text is a ValueError
            raise AudioError(f"{self.path} is not a sound file that can be read, or it is damaged.") from error

    def blocks(self, seconds: float = 2.0) -> Iterator[Wave]:
        """The sound at the file's own rate, mixed to mono, in blocks of (at most) `seconds`.

        Not short ones: soundfile seeks after every block, which in a FLAC costs as much as decoding it.

        AudioError when the file turns out to be damaged, or to hold values that are no numbers, on the way.
        """
        total = 0
        for block in self._sndfile_blocks(seconds) if self._by_sndfile else self._av_blocks():
            if not np.isfinite(block).all():
                raise AudioError(f"{self.path} holds values that are no numbers.")
            total += block.size
            # Floating-point files may hold anything; a sample beyond 8 is not sound but would drown all that is.
            yield np.clip(block, -8.0, 8.0)
        if total == 0:
            raise AudioError(f"{self.path} holds no sound.")

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
            raise AudioError(f"{self.path} is damaged: it could not be read to its end.") from error

    def _av_blocks(self) -> Iterator[Wave]:
        import av

        try:
            with av.open(str(self.path)) as container:
                stream = container.streams.audio[0]
                # Planar float, and mixed by us: FFmpeg's own mixing is 3 dB louder than everything else here.
                to_float = av.AudioResampler(format="fltp", rate=self.sample_rate)
                for frame in chain(container.decode(stream), (None,)):
                    for out in to_float.resample(frame):
                        yield _mono(np.asarray(out.to_ndarray().T, np.float32))
        except (av.FFmpegError, ValueError, OSError) as error:
            raise AudioError(f"{self.path} is damaged: it could not be read to its end.") from error


def _mono(block: npt.NDArray[np.float32]) -> Wave:
    """(samples, channels) → (samples,)."""
    return block[:, 0].copy() if block.shape[1] == 1 else np.asarray(block.mean(axis=1), np.float32)


def resampled_blocks(path: Path, sample_rate: int = SAMPLE_RATE) -> Iterator[Wave]:
    """A file's sound at `sample_rate`, in blocks of any size; AudioError as in `AudioFile`."""
    file = AudioFile(path)
    resampler = StreamResampler(file.sample_rate, sample_rate)
    for block in file.blocks():
        yield resampler.push(block)
    yield resampler.push(np.zeros(0, np.float32), last=True)


def read_wave(path: Path, sample_rate: int = SAMPLE_RATE, longest_seconds: float = 3600.0) -> Wave:
    """A whole file as (samples,) float32 mono at `sample_rate`.

    AudioError for one that cannot be read or is longer than `longest_seconds` (stream such a file instead).
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
    """As `read_wave`, in small steps: yields between them, and returns the samples."""
    blocks: list[Wave] = []
    samples = 0
    for block in resampled_blocks(path, sample_rate):
        blocks.append(block)
        samples += block.size
        if samples > longest_seconds * sample_rate:
            raise AudioError(f"{path} is longer than {longest_seconds / 60:.0f} minutes.")
        yield
    return np.concatenate(blocks)


def sound_files(path: Path) -> list[Path]:
    """The file itself, or every sound file under a folder, sorted."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.suffix.lower() in AUDIO_SUFFIXES and file.is_file())


def level_db(wave: Wave) -> float:
    """Root mean square in dB relative to full scale, not below -120; of nothing: -120."""
    if wave.size == 0:
        return SILENCE_DB
    power = float(np.dot(wave, wave)) / wave.size
    return max(SILENCE_DB, 10.0 * math.log10(power)) if power > 0 else SILENCE_DB


def is_digital_silence(wave: Wave) -> bool:
    """Every sample is the same: a muted or broken microphone. A quiet room never is that quiet."""
    return wave.size > 0 and bool((wave == wave[0]).all())


def envelope(wave: Wave, points: int) -> npt.NDArray[np.float32]:
    """The least and the greatest sample of `points` equal stretches, (points, 2): what a screen can show of a wave."""
    size = wave.size // points
    if size == 0:
        return np.repeat(wave[:, None], 2, axis=1)
    stretches = wave[wave.size - size * points :].reshape(points, size)
    return np.stack((stretches.min(axis=1), stretches.max(axis=1)), axis=1)
