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
    """The next alarm of a room waits until `until`, if what it was for is found again before `resume_by`.

    kinds: of alerts that may be the same again. Crying may be found as loudness first, loudness is never crying.
    """

    until: float
    resume_by: float
    kinds: frozenset[str]


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
        self._warned_at: dict[str, float] = {}
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
        # Rounded: two clocks are never read at quite the same moment, and the answer is not to tremble.
        ends = self._snooze.wall + self._snooze.seconds + (round(set_by) if set_by < -_CLOCK_SET_SECONDS else 0)
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

    def holds_back(self, room: str, kind: str, lasts: bool) -> bool:
        """Whether an alarm of `room` has to wait: snoozed, or given just before a restart of the listening.

        kind: of the alert, ``crying`` or ``loud``. lasts: there is such an alert now, so that it was found again.
        """
        if self.snoozed_until is not None:
            return True
        hold = self._holds.get(room)
        now = self._clock()
        return hold is not None and kind in hold.kinds and now < hold.until and (lasts or now < hold.resume_by)

    def is_held(self, room: str) -> bool:
        """Whether what cried before a restart of the listening may still be found again."""
        return room in self._holds and self._clock() < self._holds[room].resume_by

    def wake(self, room: str) -> str:
        """Sound the alarm for `room`. Returns a sentence when it cannot be heard, an empty text when it can."""
        self._alarmed_at[room] = self._clock()
        self._waking.add(room)
        self._holds.pop(room, None)
        return "" if self.alarm is None else self.alarm.crying()

    def warn(self, room: str) -> str:
        """Sound the health alarm: `room` is not listened to. Returns as `wake` does."""
        self._warned_at[room] = self._clock()
        return "" if self.alarm is None else self.alarm.health()

    def acknowledge(self) -> None:
        """Silence the alarm that sounds now; somebody is awake."""
        self._waking.clear()
        self._warned_at.clear()
        self.silence()

    def silence(self) -> None:
        """End whatever sounds, without anybody having acknowledged it."""
        if self.alarm is not None:
            self.alarm.stop()

    def release(self, room: str) -> None:
        """All is well in `room` again: its alarm ends, unless another room still needs somebody."""
        self._waking.discard(room)
        self._warned_at.pop(room, None)
        self._holds.pop(room, None)
        now = self._clock()
        is_warning = any(now - at < self._settings[ALARM_SECONDS] for at in self._warned_at.values())
        if not is_warning and not any(self.is_waking(name) for name in self._waking):
            self.silence()

    def hold_over(self, room: str, is_crying: bool) -> None:
        """The listening in `room` is restarted while an alert lasts: its alarm, or its silence, goes on as it is.

        If the same is found again, the alarm is next repeated when it would have been without the restart.

        is_crying: the alert is for crying, not for loudness alone.
        """
        if room in self._alarmed_at:
            until = self._alarmed_at[room] + self._settings[REPEAT_SECONDS]
            kinds = frozenset({"crying", "loud"} if is_crying else {"loud"})
            self._holds[room] = _Hold(until, self._clock() + _RESUME_SECONDS, kinds)
