"""Waking people: the alarm, who acknowledged it, and for how long it is snoozed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from babymonitor.core.settings import ALARM_SECONDS, REPEAT_SECONDS, Settings
from babymonitor.live.alarm import Alarm

_CLOCK_SET_SECONDS = 5.0
"""The wall clock was set back if it lags behind the monotonic one by more than this."""
_RESUME_SECONDS = 15.0
"""Crying that is found again this soon after a restart of the listening is the crying from before."""


@dataclass(frozen=True, slots=True)
class _Snooze:
    """A snooze as it was asked for: its length, and both clocks at that moment."""

    seconds: float
    wall: float
    monotonic: float


@dataclass(frozen=True, slots=True)
class _Hold:
    """The next alarm of a room waits until `until`, if its crying is found again before `resume_by`."""

    until: float
    resume_by: float


class Waker:
    """One for all rooms. It outlives a change of microphone and a restart of the listening.

    alarm: None where nothing is to be heard (files), or until the sound card is known. clock: monotonic seconds.
    """

    def __init__(
        self, settings: Settings, alarm: Alarm | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.alarm = alarm
        self._settings = settings
        self._clock = clock
        self._snooze: _Snooze | None = None
        self._alarmed_at: dict[str, float] = {}
        self._waking: set[str] = set()
        self._holds: dict[str, _Hold] = {}

    # Snooze

    @property
    def snoozed_until(self) -> float | None:
        """Unix seconds at which the snooze ends; None when nothing is snoozed.

        A wall clock that is set back does not make it longer; one that ran on while the computer slept ends it.
        """
        if self._snooze is None:
            return None
        now = time.time()
        set_by = (now - self._snooze.wall) - (time.monotonic() - self._snooze.monotonic)
        ends = self._snooze.wall + self._snooze.seconds + (set_by if set_by < -_CLOCK_SET_SECONDS else 0.0)
        return ends if now < ends else None

    def snooze(self, minutes: int) -> None:
        """Wake nobody for so long; what happens is kept all the same, and faults sound nevertheless."""
        self._snooze = _Snooze(60.0 * minutes, time.time(), time.monotonic())

    def end_snooze(self) -> None:
        self._snooze = None

    # The alarm

    @property
    def is_sounding(self) -> bool:
        """Whether the alarm can be heard now."""
        return self.alarm is not None and self.alarm.sounding

    def is_waking(self, room: str) -> bool:
        """Whether somebody is being woken for `room` just now, and has not acknowledged it."""
        return room in self._waking and self._clock() - self._alarmed_at[room] < self._settings[ALARM_SECONDS]

    def holds_back(self, room: str, is_crying: bool) -> bool:
        """Whether an alarm for `room` has to wait: snoozed, or acknowledged just before a restart of the listening.

        is_crying: an alert of the room lasts, so that the crying from before the restart was found again.
        """
        if self.snoozed_until is not None:
            return True
        hold = self._holds.get(room)
        now = self._clock()
        return hold is not None and now < hold.until and (is_crying or now < hold.resume_by)

    def wake(self, room: str) -> str:
        """Sound the alarm for `room`. Returns a sentence when it cannot be heard, an empty text when it can."""
        self.note_alarm(room)
        return "" if self.alarm is None else self.alarm.crying()

    def note_alarm(self, room: str) -> None:
        """An alarm for `room` is due now, whether or not it can be heard."""
        self._alarmed_at[room] = self._clock()
        self._waking.add(room)

    def warn(self) -> str:
        """Sound the health alarm: the monitor is not listening. Returns as `wake` does."""
        return "" if self.alarm is None else self.alarm.health()

    def acknowledge(self) -> None:
        """Silence the alarm that sounds now; somebody is awake."""
        self._waking.clear()
        self.silence()

    def silence(self) -> None:
        """End whatever sounds, without anybody having acknowledged it."""
        if self.alarm is not None:
            self.alarm.stop()

    def release(self, room: str) -> None:
        """All is well in `room` again: its alarm ends, unless another room still needs somebody."""
        self._waking.discard(room)
        self._holds.pop(room, None)
        if not any(self.is_waking(other) for other in self._waking):
            self.silence()

    def hold_over(self, room: str) -> None:
        """The listening in `room` is restarted while an alert lasts: its alarm, or its silence, goes on as it is.

        If the same crying is found again, the alarm is next repeated when it would have been without the restart.
        """
        if room in self._alarmed_at:
            until = self._alarmed_at[room] + self._settings[REPEAT_SECONDS]
            self._holds[room] = _Hold(until, self._clock() + _RESUME_SECONDS)
