"""The microphone as a source of sound."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.sound.levels import ClippingMeter
from babymonitor.core.sound.resample import StreamResampler
from babymonitor.core.sound.ring import OverrunError, RingBuffer
from babymonitor.live.sound_card import SoundCard, SoundCardError, close_stream

_CAPTURE_SECONDS = 10.0
_USUAL_RATE = 48000


class Microphone:
    """Writes the sound of a microphone into a ring at 16 kHz, whatever its own rate is.

    PortAudio's thread runs `_audio_callback`, which copies and counts and does nothing else; `pump`, called by the
    main thread, resamples what has come into the ring of the monitor.
    """

    ends = False

    def __init__(self, ring: RingBuffer, card: SoundCard, wanted: str = "") -> None:
        self.wanted = wanted
        self.name = wanted
        self.overflows = 0
        self._ring = ring
        self._card = card
        self._stream: Any = None
        self._captured = RingBuffer(_CAPTURE_SECONDS, _USUAL_RATE)
        self._pumped = 0
        self._clipping = ClippingMeter()
        self._resampler = StreamResampler(ring.sample_rate, ring.sample_rate)
        card.add_microphone(self)

    @property
    def is_open(self) -> bool:
        return self._stream is not None

    @property
    def finished(self) -> bool:
        return False

    @property
    def is_substitute(self) -> bool:
        """Whether another microphone is open because the wanted one is missing."""
        return self.wanted.casefold() not in self.name.casefold()

    def open(self) -> None:
        """Open the stream. Raises SoundCardError if that is not possible now."""
        self.close()
        # A new ring for each stream: a late callback of an old stream writes where nobody reads.
        captured = RingBuffer(_CAPTURE_SECONDS, _USUAL_RATE)
        self._stream, self.name = self._card.open_input(self.wanted, self._callback_into(captured))
        self._captured, self._pumped, self._clipping = captured, 0, ClippingMeter()
        self._resampler = StreamResampler(self._stream.samplerate, self._ring.sample_rate)
        self._ring.cut()

    def reopen(self) -> None:
        """Look for devices again and open the wanted microphone, or else the system's default. Raises as `open`."""
        self.close()
        self._card.refresh(self)
        self.open()

    def suspend(self) -> None:
        """Close the stream before PortAudio is initialised again for the sake of another microphone."""
        with contextlib.suppress(Exception):  # what is lost is noticed; the other streams must be opened again
            self.pump()
        self.close()

    def resume(self) -> None:
        """Open the stream again after `suspend`. If that fails, the health watch notices that no samples come."""
        with contextlib.suppress(SoundCardError):
            self.open()

    def close(self) -> None:
        """Close the stream. Safe at any time."""
        stream, self._stream = self._stream, None
        close_stream(stream)

    def pump(self) -> None:
        """Resample what was captured since the last call, and write it into the ring."""
        written = self._captured.written
        if written == self._pumped:
            return
        try:
            block = self._captured.read(self._pumped, written)
        except OverrunError:
            # The main thread was blocked for longer than the capture ring lasts: the sound has a gap here.
            self._pumped = written
            self._ring.cut()
            return
        self._ring.write(np.nan_to_num(self._resampler.push(block)))
        if self._clipping.push(block):
            self._ring.mark_clipped()
        self._pumped = written

    def _callback_into(self, captured: RingBuffer) -> Callable[..., None]:
        def _audio_callback(indata: npt.NDArray[np.float32], frames: int, _time: object, status: Any) -> None:
            captured.write(indata[:, 0] if indata.shape[1] == 1 else indata.mean(axis=1))
            if status.input_overflow:
                self.overflows += 1

        return _audio_callback
