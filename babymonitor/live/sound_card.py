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
"""PortAudio's own 'high' latency took PulseAudio up to 2 s to begin with; this one begins at once, and a block of it
still outlasts whatever holds the interpreter up."""
_BUDGET_SECONDS, _BUDGET_PERIOD_SECONDS = 1.0, 30.0
"""How long a room may be deaf, within how long, because another room's microphone is being looked for."""


class SoundCardError(PersonError):
    """No stream could be opened."""


class Suspendable(Protocol):
    """Whatever has a stream: it lets go of it for a moment when PortAudio is initialised anew."""

    def suspend(self) -> None: ...
    def resume(self) -> None: ...


class Output(Suspendable, Protocol):
    """Whatever plays."""

    @property
    def playing(self) -> bool: ...
    def stop(self) -> None: ...


class Input(Suspendable, Protocol):
    """Whatever listens."""

    @property
    def is_open(self) -> bool: ...


class SoundCard:
    """PortAudio, initialised: names of microphones, and a way to begin anew without losing the alarm that sounds."""

    def __init__(self) -> None:
        self._speakers: list[Output] = []
        # Weakly: a microphone that nobody listens to any more is not kept for the sake of this list.
        self._microphones: WeakSet[Input] = WeakSet()
        self._refreshes: deque[tuple[float, float]] = deque()
        # Imported here: initialising PortAudio looks at every device, and the window need not wait for that.
        self._portaudio: Any = None
        try:
            with _without_chatter():
                import sounddevice

            self._portaudio = sounddevice
        except OSError:  # what it raises where the system has no PortAudio
            pass

    @property
    def installed(self) -> bool:
        """PortAudio is there."""
        return self._portaudio is not None

    def microphones(self) -> list[str]:
        """Names of the inputs known since PortAudio was last initialised, the system's own choice first."""
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
        """Initialise PortAudio anew, so that devices plugged in since are seen.

        Every stream ends by that. Loudspeakers and the microphones of other rooms are taken up again; so that those are
        not deafened for the sake of one that is missing, it is done only within their budget. Returns whether it was.

        asker: the microphone that is being looked for.
        """
        if self._portaudio is None:
            return False
        others = [microphone for microphone in self._microphones if microphone is not asker and microphone.is_open]
        began = time.monotonic()
        if others and not self._is_within_budget(began):
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

    def _is_within_budget(self, now: float) -> bool:
        """Whether one more refresh, if it takes as long as the longest of late, leaves the others enough to hear."""
        while self._refreshes and self._refreshes[0][0] < now - _BUDGET_PERIOD_SECONDS:
            self._refreshes.popleft()
        durations = [duration for _, duration in self._refreshes]
        return sum(durations) + max(durations, default=0.0) <= _BUDGET_SECONDS

    def open_input(self, name: str, callback: Callable[..., None]) -> tuple[Any, str]:
        """Open and start the input whose name contains `name` (empty: the system's choice), at its own rate.

        Returns the stream and the device's name. SoundCardError with a sentence when there is none or it does not open.
        """
        self._check_installed()
        reason = message(Code.MICROPHONE_MISSING)
        for device in self._candidates(name):
            # Some systems insist on the device's own number of channels; one is right everywhere else.
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
        """The inputs whose names match, then the system's choice: better to hear through another than not at all."""
        try:
            inputs = [device for device in self._portaudio.query_devices() if device["max_input_channels"] > 0]
            default = self._portaudio.query_devices(kind="input")
        except (self._portaudio.PortAudioError, ValueError):
            return []
        exact = [device for device in inputs if device["name"] == name]
        partly = [device for device in inputs if name and name.casefold() in device["name"].casefold()]
        found = (exact or partly) if name else []
        return [*found, *([] if default in found else [default])]

    def open_output(self, callback: Callable[..., None]) -> Any:
        """Open and start the system's loudspeakers, mono; SoundCardError where there are none."""
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
        """Let a speaker survive `refresh`."""
        self._speakers.append(speaker)

    def add_microphone(self, microphone: Input) -> None:
        """Let a microphone survive a `refresh` for another one."""
        self._microphones.add(microphone)

    def hush_others(self, speaker: Output) -> bool:
        """Stop whatever else plays: some sound cards play for one at a time. Whether anything did."""
        others = [other for other in self._speakers if other is not speaker and other.playing]
        for other in others:
            other.stop()
        return bool(others)


def close_stream(stream: Any) -> None:
    """End a stream, or nothing (None), whatever state it is in.

    abort, not stop: stop waits for a device that may be gone.
    """
    if stream is not None:
        with contextlib.suppress(Exception):
            stream.abort()
        with contextlib.suppress(Exception):
            stream.close()


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep ALSA and JACK from writing a page of warnings to standard error for every device that is not there."""
    if not sys.platform.startswith("linux"):
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _reason(error: Exception) -> str:
    text = str(error.args[0] if error.args else error)
    return text.split("[")[0].strip().rstrip(".:")
