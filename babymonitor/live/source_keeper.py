"""Keeping a room's source open: retries with back-off, and the way back to the microphone that was wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from babymonitor.core.messages import Code, message
from babymonitor.core.sound.wave import AudioError
from babymonitor.live.sound_card import SoundCardError

_FIRST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 0.5, 8.0
_RETURN_SECONDS = 120.0
"""While another microphone is heard, the wanted one is looked for this often."""
_RENEW_SECONDS = 60.0
"""PortAudio is initialised again for a loudspeaker at most this often: that briefly interrupts the microphone."""


class Source(Protocol):
    """Where sound comes from: the microphone, or files in its place.

    `open` and `reopen` raise SoundCardError or AudioError; `pump` moves what has arrived into the ring.
    ends: whether it can finish; one that can does not go deaf and is not reopened.
    is_substitute: it is not the one that was wanted.
    """

    name: str
    ends: bool

    @property
    def finished(self) -> bool: ...
    @property
    def is_substitute(self) -> bool: ...
    def open(self) -> None: ...
    def reopen(self) -> None: ...
    def close(self) -> None: ...
    def pump(self) -> None: ...


class SourceKeeper:
    """Opens a source, moves its sound, and tries again for as long as it takes.

    clock: monotonic seconds. complain: takes one sentence for a person.
    """

    def __init__(self, source: Source, clock: Callable[[], float], complain: Callable[[str], None]) -> None:
        self.source = source
        self.error = ""
        """Why no sound comes, as one sentence; empty where it is not known, or sound comes."""
        self._clock = clock
        self._complain = complain
        self._retry_at = clock()
        self._retry_seconds = _FIRST_RETRY_SECONDS
        self._return_at = clock() + _RETURN_SECONDS
        self._renewed_at = float("-inf")

    def open(self) -> None:
        """Open the source. One that does not open is left to `retry_when_due`."""
        self._try(self.source.open)

    def close(self) -> None:
        self.source.close()

    def pump(self) -> None:
        """Move what has arrived into the ring. Raises AudioError for a file that is damaged on the way."""
        try:
            self.source.pump()
        except AudioError:
            raise
        except Exception as error:  # the watch must go on whatever the sound does: missing samples are noticed
            self.error = message(Code.MICROPHONE_UNUSABLE, reason=str(error))

    def retry_when_due(self) -> None:
        """Without sound: open the source anew, with growing pauses between the attempts."""
        if self.source.ends or self._clock() < self._retry_at:
            return
        self._try(self.source.reopen)
        # Counted from the end of the attempt: opening can itself take seconds.
        self._retry_at = self._clock() + self._retry_seconds
        self._retry_seconds = min(2 * self._retry_seconds, _LONGEST_RETRY_SECONDS)

    def forget_failures(self) -> None:
        """Sound comes: the next failure begins with short pauses again."""
        self._retry_seconds = _FIRST_RETRY_SECONDS

    def return_when_due(self) -> None:
        """While another microphone is heard, see now and then whether the wanted one is back."""
        now = self._clock()
        if self.source.is_substitute and now >= self._return_at:
            self._return_at = now + _RETURN_SECONDS
            self._try(self.source.reopen)

    def renew_devices(self) -> bool:
        """Have the sound card look for devices anew, because no loudspeaker could be used.

        Returns whether it did: not for files, and at most once a minute.
        """
        now = self._clock()
        if self.source.ends or now < self._renewed_at + _RENEW_SECONDS:
            return False
        self._renewed_at = now
        self._try(self.source.reopen)
        return True

    def _try(self, attempt: Callable[[], None]) -> None:
        try:
            attempt()
            self.error = ""
        except (SoundCardError, AudioError) as error:
            self.error = error.message
            return
        if self.source.is_substitute:
            self._complain(message(Code.MICROPHONE_SUBSTITUTED, name=self.source.name))
