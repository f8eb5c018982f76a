"""Keeping an eye on one room: is sound coming, does the model answer, did the computer sleep, and is an alarm due?"""

from __future__ import annotations

import time
from collections.abc import Callable

from babymonitor.core.alerts.health import Health, HealthRules, HealthWatch
from babymonitor.core.messages import Code, message
from babymonitor.core.settings import REPEAT_SECONDS, Settings
from babymonitor.core.sound.levels import is_digital_silence
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.state import Activity
from babymonitor.live.source_keeper import SourceKeeper
from babymonitor.live.waker import Waker

WITHOUT_SOUND = (Health.DEAF, Health.MUTED)

_SLEPT_SECONDS = 5.0
_ECHO_SECONDS = 2.5
"""For so long the alarm pauses when sound seems to be back: it may only be the alarm itself."""


class HealthKeeper:
    """Judges the health of one room's listening, and keeps the time of its health alarm.

    clock: monotonic seconds.
    """

    def __init__(
        self, ring: RingBuffer, keeper: SourceKeeper, waker: Waker, settings: Settings, clock: Callable[[], float]
    ) -> None:
        self.health = Health.STARTING
        self.detail = ""
        """One sentence on a fault, empty when all is well."""
        self.fault_since: float | None = None
        """Unix seconds at which the fault began; None when there is none."""
        self.model_error = ""
        """Why there are no scores, in the detector's words; empty where it gave none."""
        self._ring = ring
        self._keeper = keeper
        self._waker = waker
        self._settings = settings
        self._clock = clock
        self._watch = HealthWatch(HealthRules(), clock())
        self._scores = 0
        self._written = ring.written
        self._wall_ahead = time.time() - clock()
        self._alarmed_at = float("-inf")
        self._paused_until = float("-inf")

    @property
    def is_fault(self) -> bool:
        """Somebody believes that it listens, and it does not, or not with its model."""
        return Activity(self.health.value).is_fault

    def note_score(self) -> None:
        """The model has answered."""
        self._scores += 1
        self.model_error = ""

    def look(self) -> bool:
        """Judge the sound and the scores so far. Returns whether `health` or `detail` changed.

        Where the microphone was the only input, a sound server may offer a loopback of the loudspeakers in its place:
        the alarm pauses when sound seems to be back, and what is heard counts only if it is there without the alarm.
        """
        is_silent = is_digital_silence(self._ring.latest(self._ring.sample_rate // 2))
        # Only new sound is back: when a microphone is unplugged, the last of the ring is still the room.
        has_new, self._written = self._ring.written != self._written, self._ring.written
        may_be_echo = has_new and self._waker.alarm is not None and not is_silent and self.health in WITHOUT_SOUND
        if may_be_echo and self._waker.is_sounding:
            self._waker.silence()
            self._alarmed_at = float("-inf")
            self._paused_until = self._clock() + _ECHO_SECONDS
        is_unproven = may_be_echo and self._clock() < self._paused_until
        health = self._watch.look(self._clock(), self._ring.written, self._scores, is_silent or is_unproven)
        was_fault = self.is_fault
        # The reason may become another while the fault lasts: silent at first, then known to be unplugged.
        detail = self._explain(health)
        has_changed = (health, detail) != (self.health, self.detail)
        self.health, self.detail = health, detail
        if not self.is_fault:
            self.fault_since = None
            self._alarmed_at = float("-inf")
        elif not was_fault:
            self.fault_since = time.time()
        return has_changed

    def slept_seconds(self) -> float:
        """How long the computer slept since the last call; 0 where it did not, or where files are read.

        The wall clock runs on while the computer sleeps; the monotonic one does not.
        """
        ahead = time.time() - self._clock()
        slept_seconds, self._wall_ahead = ahead - self._wall_ahead, ahead
        return 0.0 if self._keeper.source.ends or slept_seconds < _SLEPT_SECONDS else slept_seconds

    # The health alarm: at the beginning of a fault, and repeated while it lasts

    @property
    def is_alarm_due(self) -> bool:
        now = self._clock()
        is_audible = self._waker.alarm is not None and now >= self._paused_until
        return self.is_fault and is_audible and now >= self._alarmed_at + self._settings[REPEAT_SECONDS]

    @property
    def is_first_alarm(self) -> bool:
        """The alarm has not sounded yet for this fault."""
        return self._alarmed_at == float("-inf")

    def note_alarm(self) -> None:
        """The health alarm sounds now."""
        self._alarmed_at = self._clock()

    def _explain(self, health: Health) -> str:
        name = self._keeper.source.name
        if health is Health.DEAF:
            return self._keeper.error or message(Code.MICROPHONE_SILENT, name=name)
        if health is Health.MUTED:
            return message(Code.MICROPHONE_MUTED, name=name)
        if health is Health.MODEL_FAILED:
            reason = self.model_error or message(Code.MODEL_SILENT)
            return message(Code.LOUDNESS_STANDS_IN, reason=reason)
        return ""
