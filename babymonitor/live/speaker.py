"""The loudspeakers: they play one wave at a time, an alarm or a clip."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from babymonitor.core.sound.wave import Wave
from babymonitor.live.sound_card import SoundCard, SoundCardError, close_stream


class Speaker:
    """Plays one wave at a time through the loudspeakers, once or in a loop."""

    def __init__(self, card: SoundCard) -> None:
        self._card = card
        self._stream: Any = None
        self._wave: Wave = np.zeros(0, np.float32)
        self._position = 0
        self._begun = 0
        self._last_block = (0, 0, 0.0)
        self._until: float | None = None
        self._suspended = False
        card.add_speaker(self)

    @property
    def playing(self) -> bool:
        """Whether something is audible now. Closes the stream of a wave that has ended."""
        if self._stream is None:
            return False
        over = time.monotonic() >= self._until if self._until is not None else self._audible_sample() >= self._wave.size
        if over or not self._stream.active:
            self.stop()
        return self._stream is not None

    @property
    def position_seconds(self) -> float | None:
        """The position in the wave that is audible now, in seconds; None when nothing plays."""
        stream, size = self._stream, self._wave.size
        if stream is None or size == 0:
            return None
        position = self._audible_sample()
        return float(position % size if self._until is not None else min(position, size)) / float(stream.samplerate)

    def _audible_sample(self) -> float:
        """Return the sample of the wave that is audible now: a block is heard gradually, after the latency."""
        start, frames, at = self._last_block
        rate, latency = float(self._stream.samplerate), float(self._stream.latency)
        elapsed_samples = min((time.monotonic() - at) * rate, frames)
        return self._begun + max(0.0, start + elapsed_samples - latency * rate)

    def play(
        self,
        wave: Wave,
        sample_rate: int,
        volume: float = 1.0,
        loop_seconds: float | None = None,
        start_seconds: float = 0.0,
    ) -> None:
        """Play (samples,) at `sample_rate` from `start_seconds` on; with `loop_seconds`, in a loop for so long.

        Whatever was playing ends. Raises SoundCardError if there is no loudspeaker.
        """
        self.stop()
        self._position = 0
        self._last_block = (0, 0, 0.0)
        self._until = None if loop_seconds is None else time.monotonic() + loop_seconds
        self._wave = np.zeros(0, np.float32)
        stream = self._card.open_output(self._callback)
        if int(stream.samplerate) != sample_rate:
            wave = soxr.resample(wave, sample_rate, stream.samplerate)
        self._begun = min(max(0, int(start_seconds * stream.samplerate)), wave.size)
        self._wave = np.asarray(np.clip(wave * np.float32(volume), -1.0, 1.0), np.float32)
        self._stream = stream

    def stop(self) -> None:
        stream, self._stream = self._stream, None
        close_stream(stream)

    def suspend(self) -> None:
        """Close the stream before PortAudio is initialised again, and remember what was playing."""
        self._suspended = self.playing
        self.stop()

    def resume(self) -> None:
        """Continue what was suspended, if there is a loudspeaker."""
        if self._suspended and self._wave.size:
            with contextlib.suppress(SoundCardError):
                self._stream = self._card.open_output(self._callback)

    def _callback(self, outdata: npt.NDArray[np.float32], frames: int, _time: object, _status: object) -> None:
        wave, start = self._wave, self._position
        place = self._begun + start
        if self._until is not None and wave.size:
            outdata[:, 0] = np.take(wave, np.arange(place, place + frames), mode="wrap")
        else:
            part = wave[place : place + frames]
            outdata[: part.size, 0] = part
            outdata[part.size :, 0] = 0.0
            if not wave.size:
                return  # the wave is still being resampled
        self._last_block = (start, frames, time.monotonic())
        self._position = start + frames
