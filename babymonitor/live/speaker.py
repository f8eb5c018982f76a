"""The loudspeakers: one wave at a time, for the alarm and for kept clips."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from babymonitor.core.features import Wave
from babymonitor.live.sound_card import SoundCard, SoundCardError, close_stream


class Speaker:
    """Plays one wave at a time through the loudspeakers, once or over and over."""

    def __init__(self, card: SoundCard) -> None:
        self._card = card
        self._stream: Any = None
        self._wave: Wave = np.zeros(0, np.float32)
        self._position = 0
        self._until: float | None = None
        self._suspended = False
        card.add_speaker(self)

    @property
    def playing(self) -> bool:
        """Whether it can be heard now; ends what is over."""
        if self._stream is None:
            return False
        over = time.monotonic() >= self._until if self._until is not None else self._position >= self._wave.size
        if over or not self._stream.active:
            self.stop()
        return self._stream is not None

    def play(self, wave: Wave, sample_rate: int, volume: float = 1.0, loop_seconds: float | None = None) -> None:
        """Play (samples,) at `sample_rate`; with `loop_seconds` over and over for so long.

        What played before ends. SoundCardError where there is no loudspeaker.
        """
        self.stop()
        self._position = 0
        self._until = None if loop_seconds is None else time.monotonic() + loop_seconds
        self._wave = np.zeros(0, np.float32)
        stream = self._card.open_output(self._callback)
        if int(stream.samplerate) != sample_rate:
            wave = soxr.resample(wave, sample_rate, stream.samplerate)
        self._wave = np.asarray(np.clip(wave * np.float32(volume), -1.0, 1.0), np.float32)
        self._stream = stream

    def stop(self) -> None:
        stream, self._stream = self._stream, None
        close_stream(stream)

    def suspend(self) -> None:
        """PortAudio is about to be initialised anew: let go of the stream, remember what played."""
        self._suspended = self.playing
        self.stop()

    def resume(self) -> None:
        """Go on with what was suspended, where a loudspeaker can be had."""
        if self._suspended and self._wave.size:
            with contextlib.suppress(SoundCardError):
                self._stream = self._card.open_output(self._callback)

    def _callback(self, outdata: npt.NDArray[np.float32], frames: int, _time: object, _status: object) -> None:
        wave, start = self._wave, self._position
        if self._until is not None and wave.size:
            outdata[:, 0] = np.take(wave, np.arange(start, start + frames), mode="wrap")
        else:
            part = wave[start : start + frames]
            outdata[: part.size, 0] = part
            outdata[part.size :, 0] = 0.0
            frames = part.size
        self._position = start + frames
