"""Up to where a room's sound may hold what our own loudspeakers play."""

from __future__ import annotations

import numpy as np
from turned_room import SeenAlarm

from babymonitor.core.sound.ring import RingBuffer
from babymonitor.live.own_sound import OwnSound

TAIL = 8000
"""Half a second at 16 kHz."""


def test_an_alarm_marks_the_ring_while_it_sounds_and_once_more_when_it_ended() -> None:
    alarm, ring = SeenAlarm(), RingBuffer(10.0)
    own = OwnSound(lambda: alarm.sounding)
    ring.write(np.zeros(1000, np.float32))
    own.mark(ring)
    assert own.until(ring) == 0
    alarm.crying()
    own.mark(ring)
    assert own.alarm_until(ring) == own.until(ring) == 1000 + TAIL
    ring.write(np.zeros(4000, np.float32))
    alarm.stop()
    own.mark(ring)
    assert own.alarm_until(ring) == 5000 + TAIL, "it may have ended just now"
    ring.write(np.zeros(4000, np.float32))
    own.mark(ring)
    assert own.alarm_until(ring) == 5000 + TAIL


def test_a_clip_is_ours_but_no_alarm_and_each_ring_has_its_own_marks() -> None:
    one_ring, other_ring = RingBuffer(10.0), RingBuffer(10.0)
    own = OwnSound(lambda: False)
    own.is_clip_playing = True
    one_ring.write(np.zeros(2000, np.float32))
    own.mark(one_ring)
    assert own.until(one_ring) == 2000 + TAIL
    assert own.alarm_until(one_ring) == 0
    assert own.until(other_ring) == 0
