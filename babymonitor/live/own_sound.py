"""What comes out of our own loudspeakers, and up to where a room's sound may hold it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from babymonitor.core.sound.ring import RingBuffer

_TAIL_SECONDS = 0.5
"""For this long after it ended, sound of ours may still arrive: through loudspeaker, room and microphone."""


@dataclass(slots=True)
class _Marks:
    """Of one ring: sample numbers up to which it may hold the alarm, and a clip that was played."""

    alarm_until: int = 0
    clip_until: int = 0
    alarm_sounded: bool = False


class OwnSound:
    """One for all rooms: they share the loudspeakers.

    `mark` is called at least once a tick for each ring; everything else is a question without side effects.

    is_alarm_sounding: asks whether the alarm can be heard now.
    """

    def __init__(self, is_alarm_sounding: Callable[[], bool]) -> None:
        self.is_clip_playing = False
        """Set by whoever plays a clip through the loudspeakers."""
        self._is_alarm_sounding = is_alarm_sounding
        self._marks: WeakKeyDictionary[RingBuffer, _Marks] = WeakKeyDictionary()

    def mark(self, ring: RingBuffer) -> None:
        """Note how far `ring` may hold what sounds now, or has sounded since the last call."""
        marks = self._marks.setdefault(ring, _Marks())
        until = ring.written + int(_TAIL_SECONDS * ring.sample_rate)
        is_sounding = self._is_alarm_sounding()
        if is_sounding or marks.alarm_sounded:
            marks.alarm_until = until
        marks.alarm_sounded = is_sounding
        if self.is_clip_playing:
            marks.clip_until = until

    def alarm_until(self, ring: RingBuffer) -> int:
        """The sample of `ring` from which on it holds no alarm of ours."""
        return self._marks.get(ring, _Marks()).alarm_until

    def until(self, ring: RingBuffer) -> int:
        """The sample of `ring` from which on it holds nothing that we played, alarm or clip."""
        marks = self._marks.get(ring, _Marks())
        return max(marks.alarm_until, marks.clip_until)
