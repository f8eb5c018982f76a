"""The sound card: the only module that talks to PortAudio.

One owner, one thread (the main one), because PortAudio's list of devices is frozen when it is initialised: to see a
microphone that was plugged in, everything has to be closed and initialised anew, and that ends every stream.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from weakref import WeakSet

from babymonitor.core.messages import Code, PersonError, message

_LATENCY_SECONDS = 0.05
"""WORKAROUND: with PortAudio's own 'high' latency PulseAudio delivers its first block up to 2 s late. This one starts
at once, and its blocks are still long enough to survive a busy interpreter."""
_BUDGET_SECONDS, _BUDGET_PERIOD_SECONDS = 1.0, 30.0
"""A room may be deaf for this long within this period, while another room's microphone is looked for."""


class SoundCardError(PersonError):
    """No stream could be opened."""


class Suspendable(Protocol):
    """Anything with a stream. It closes the stream while PortAudio is initialised again."""

    def suspend(self) -> None: ...
    def resume(self) -> None: ...


class Output(Suspendable, Protocol):
    """Anything that plays."""

    @property
    def playing(self) -> bool: ...
    def stop(self) -> None: ...


class Input(Suspendable, Protocol):
    """Anything that listens."""

    @property
    def is_open(self) -> bool: ...


class SoundCard:
    """PortAudio: lists and opens devices, and can start over without losing an alarm that is sounding."""

    def __init__(self) -> None:
        self._speakers: list[Output] = []
        # Weak references: this list does not keep a microphone alive that is no longer used.
        self._microphones: WeakSet[Input] = WeakSet()
        self._refreshes: deque[tuple[float, float]] = deque()
        # Imported late: initialising PortAudio probes every device, and the window should not wait for that.
        self._portaudio: Any = None
        try:
            with _without_chatter():
                import sounddevice

            self._portaudio = sounddevice
        except OSError:  # raised when the system has no PortAudio
            pass

    @property
    def installed(self) -> bool:
        """Whether PortAudio is installed."""
        return self._portaudio is not None

    def microphones(self) -> list[str]:
        """Return the names of the inputs found at the last initialisation, the system's default first."""
        if self._portaudio is None:
            return []
        try:
            devices = self._portaudio.query_devices()
        except self._portaudio.PortAudioError:
            return []
        default = self._portaudio.default.device[0]
        order = sorted(range(len(devices)), key=lambda index: index != default)
        return [str(devices[index]["name"]) for index in order if devices[index]["max_input_channels"] > 0]

    def refresh(self, asker: Input | None = None) -> bool:
        """Initialise PortAudio again, so that devices plugged in since then are found. Returns whether it did.

        That ends every stream; loudspeakers and the microphones of other rooms are opened again. While other rooms are
        heard it is done only within a budget, so that a missing microphone does not deafen them.

        WORKAROUND https://github.com/PortAudio/portaudio/issues/11: PortAudio has no other way to update
        its list of devices, and sounddevice no public function for it.

        asker: the microphone that is being looked for.
        """
        if self._portaudio is None:
            return False
        others = [microphone for microphone in self._microphones if microphone is not asker and microphone.is_open]
        began = time.monotonic()
        while self._refreshes and self._refreshes[0][0] < began - _BUDGET_PERIOD_SECONDS:
            self._refreshes.popleft()
        if others and not self._is_within_budget():
            return False
        streams: list[Suspendable] = [*others, *self._speakers]
        for stream in streams:
            stream.suspend()
        with contextlib.suppress(self._portaudio.PortAudioError):
            self._portaudio._terminate()
        with contextlib.suppress(self._portaudio.PortAudioError), _without_chatter():
            self._portaudio._initialize()
        for stream in streams:
            stream.resume()
        self._refreshes.append((began, time.monotonic() - began))
        return True

    def _is_within_budget(self) -> bool:
        """Whether another refresh fits into the budget, if it takes as long as the longest recent one."""
        durations = [duration for _, duration in self._refreshes]
        return sum(durations) + max(durations, default=0.0) <= _BUDGET_SECONDS

    def open_input(self, name: str, callback: Callable[..., None]) -> tuple[Any, str]:
        """Open and start the input whose name contains `name` (empty: the system's default), at its own rate.

        Returns the stream and the device's name. SoundCardError with a sentence when there is none or it does not open.
        """
        self._check_installed()
        reason = message(Code.MICROPHONE_MISSING)
        for device in self._candidates(name):
            # WORKAROUND: some drivers open only with all of their channels; one channel is right everywhere else.
            for channels in dict.fromkeys((1, int(device["max_input_channels"]))):
                try:
                    with _without_chatter():
                        stream = self._portaudio.InputStream(
                            device=device["index"],
                            channels=channels,
                            samplerate=device["default_samplerate"],
                            dtype="float32",
                            latency=_LATENCY_SECONDS,
                            callback=callback,
                        )
                        stream.start()
                except (self._portaudio.PortAudioError, ValueError) as error:
                    reason = message(Code.MICROPHONE_DOES_NOT_OPEN, name=str(device["name"]), reason=_reason(error))
                    continue
                return stream, str(device["name"])
        raise SoundCardError(reason)

    def _candidates(self, name: str) -> list[dict[str, Any]]:
        """Return the inputs whose names match, then the default: another microphone is better than none."""
        try:
            inputs = [device for device in self._portaudio.query_devices() if device["max_input_channels"] > 0]
            default = self._portaudio.query_devices(kind="input")
        except (self._portaudio.PortAudioError, ValueError):
            return []
        exact = [device for device in inputs if device["name"] == name]
        partly = [device for device in inputs if name and name.casefold() in device["name"].casefold()]
        matches = (exact or partly) if name else []
        return [*matches, *([] if default in matches else [default])]

    def open_output(self, callback: Callable[..., None]) -> Any:
        """Open and start the default loudspeakers, mono. Raises SoundCardError if there are none."""
        self._check_installed()
        try:
            with _without_chatter():
                stream = self._portaudio.OutputStream(channels=1, dtype="float32", callback=callback)
                stream.start()
        except (self._portaudio.PortAudioError, ValueError) as error:
            raise SoundCardError(Code.LOUDSPEAKER_UNUSABLE, reason=_reason(error)) from error
        return stream

    def _check_installed(self) -> None:
        if self._portaudio is None:
            raise SoundCardError(Code.PORTAUDIO_MISSING)

    def add_speaker(self, speaker: Output) -> None:
        """Register a speaker, so that `refresh` reopens it."""
        self._speakers.append(speaker)

    def add_microphone(self, microphone: Input) -> None:
        """Register a microphone, so that a `refresh` for another one reopens it."""
        self._microphones.add(microphone)

    def hush_others(self, speaker: Output) -> bool:
        """Stop everything else that plays: some sound cards have one output stream. Returns whether anything did."""
        outputs = [output for output in self._speakers if output is not speaker and output.playing]
        for output in outputs:
            output.stop()
        return bool(outputs)


def close_stream(stream: Any) -> None:
    """Close a stream, or do nothing for None, whatever state it is in.

    abort, not stop: stop waits for a device that may be gone.
    """
    if stream is not None:
        with contextlib.suppress(Exception):
            stream.abort()
        with contextlib.suppress(Exception):
            stream.close()


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """WORKAROUND: hide the page of warnings that ALSA and JACK print for every device that is missing."""
    if not sys.platform.startswith("linux"):
        yield
        return
    sys.stderr.flush()
    standard_error = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)
        os.close(nowhere)


def _reason(error: Exception) -> str:
    text = str(error.args[0] if error.args else error)
    return text.split("[")[0].strip().rstrip(".:")
