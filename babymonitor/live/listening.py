"""One stretch of listening in a room, without Qt: what the window and the terminal both run.

`tick` moves sound and checks the monitor's health; `take` turns a score into alerts. What happens is added to an
`Outlet`, which the room flushes when they have done their work. Everything here runs on the main thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import count

from babymonitor.core.alerts.health import Health
from babymonitor.core.alerts.policy import AlertEvent, AlertPolicy, AlertRules, Change
from babymonitor.core.happenings import (
    AlertHappened,
    Complaint,
    HealthChanged,
    Outlet,
    Scored,
    StateChanged,
)
from babymonitor.core.history.history import AlertRow
from babymonitor.core.messages import Code, message
from babymonitor.core.model.scorer import Score
from babymonitor.core.settings import Settings
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.state import Activity, MonitorState
from babymonitor.live.health_keeper import WITHOUT_SOUND, HealthKeeper
from babymonitor.live.loud_alerts import LoudAlerts
from babymonitor.live.own_sound import OwnSound
from babymonitor.live.record.night_record import NightRecord
from babymonitor.live.source_keeper import Source, SourceKeeper
from babymonitor.live.waker import Waker

_LOOK_SECONDS = 0.25
_WINDOW_SECONDS = 2.0
"""A model looks back about so far: a score may still hold what has ended."""


class Listening:
    """One stretch of listening to one source, from `start` to `stop`.

    ring: written by the source alone. outlet: gets every happening. room: the room's name.
    record: None where nothing is to be kept (files).
    clock: monotonic seconds; for files read faster than time, the position in the sound.
    """

    def __init__(
        self,
        ring: RingBuffer,
        source: Source,
        settings: Settings,
        outlet: Outlet,
        waker: Waker,
        own_sound: OwnSound,
        record: NightRecord | None = None,
        clock: Callable[[], float] = time.monotonic,
        room: str = "",
    ) -> None:
        self.source = source
        self.is_recording = False
        """While a recording lasts, a better microphone is not looked for: that would be a gap in it."""
        self._ring = ring
        self._settings = settings
        self._outlet = outlet
        self._waker = waker
        self._own_sound = own_sound
        self._record = record
        self._clock = clock
        self._room = room
        ids = count(1)
        self._policy = AlertPolicy(AlertRules.from_settings(settings), ids=ids)
        self._loud = LoudAlerts(ring, settings, own_sound, ids)
        self._keeper = SourceKeeper(source, clock, self._complain)
        self._health = HealthKeeper(ring, self._keeper, waker, settings, clock)
        self._look_at = clock()
        self._alert_since: float | None = None
        self._complaints: set[str] = set()
        self._seconds = 0.0
        self._last_state: MonitorState | None = None
        self._has_stopped = False
        self.use_rules(None)

    # What the room asks of it

    def start(self) -> None:
        """Open the source. A microphone that does not open is tried again for as long as it takes."""
        self._keeper.open()
        self.note_state()

    def stop(self, is_restart: bool = False) -> None:
        """Close the source, end what lasts and hand over what is to be kept.

        is_restart: the listening goes on at once, with another source; an alarm is not silenced by that.
        """
        self._seconds = self._position
        self._has_stopped = True
        self._keeper.close()
        # Changed twice in a row, the crying from before the first change may not have been found again yet.
        is_held_over = is_restart and (self._alert_lasts or self._waker.is_held(self._room))
        if is_held_over and self._alert_lasts:
            self._waker.hold_over(self._room, is_crying=self._policy.active is not None)
        self._report([*self._policy.interrupt(), *self._loud.interrupt()])
        if self._record is not None:
            self._record.close(self._wall)
        if not is_held_over:
            self._waker.release(self._room)

    def use_rules(self, thresholds: dict[str, float] | None) -> None:
        """Take the numbers from the settings anew; `thresholds` are the model's own."""
        self._policy.rules = AlertRules.from_settings(self._settings, thresholds)
        if self._record is not None:
            self._record.use_rules(self._policy.rules)
        self._loud.use_rules(self.health)

    def model_failed(self, sentence: str) -> None:
        """Remember why the detector gives no scores, for when the health watch notices that there are none."""
        self._health.model_error = sentence

    def take(self, score: Score) -> None:
        """Judge a score of the detector."""
        self._seconds = score.seconds
        self._outlet.add(Scored(self._room, score.seconds, score))
        self._health.note_score()
        self._policy.snoozed = self._waker.holds_back(self._room, "crying", self._policy.active is not None)
        events = self._policy.feed(score)
        self._report(self._with_loud_taken_over(events))
        if any(event.change is Change.ENDED for event in events):
            self._loud.rest_after_crying(score.seconds)
        # After the model has spoken on the same moment, so that it does not matter which of the two is quicker.
        self._judge_loudness(score.end_sample)
        if self._record is not None:
            window_start = max(0, score.end_sample - int(_WINDOW_SECONDS * self._ring.sample_rate))
            self._record.score(score, self._wall, window_start < self._own_sound.until(self._ring))
        self.note_state()

    def tick(self) -> None:
        """Move sound, and a few times a second check the monitor's health."""
        self._seconds = self._position
        self._keeper.pump()
        self._seconds = self._position
        self._own_sound.mark(self._ring)
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self._check_health()
        self.note_state()

    def note_state(self) -> None:
        """Add the state to what is to be told, if it changed."""
        if not self._has_stopped and (state := self.state) != self._last_state:
            self._last_state = state
            self._outlet.add(StateChanged(self._room, self._seconds, state))

    @property
    def health(self) -> Health:
        return self._health.health

    @property
    def state(self) -> MonitorState:
        """Everything the state line has to know."""
        activity, since = self._activity()
        return MonitorState(
            activity=activity,
            source=self.source.name,
            detail=self._health.detail,
            since=since,
            snoozed_until=self._waker.snoozed_until,
            alarm_sounding=self._waker.is_sounding,
        )

    def _activity(self) -> tuple[Activity, float | None]:
        if self.health not in WITHOUT_SOUND:
            if self._policy.active is not None:
                return Activity.CRYING, self._alert_since
            if self._loud.is_active:
                return Activity.LOUD, self._alert_since
        return Activity(self.health.value), self._health.fault_since

    @property
    def _alert_lasts(self) -> bool:
        return self._policy.active is not None or self._loud.is_active

    @property
    def _position(self) -> float:
        """Seconds of sound so far."""
        return self._ring.written / self._ring.sample_rate

    def _wall(self, seconds: float) -> float:
        """Unix seconds of a position in the sound."""
        return time.time() - (self._position - seconds)

    # Health

    def _check_health(self) -> None:
        self._notice_sleep()
        before = self._health.health
        if self._health.look():
            self._act_on_health(before)
        if self.health in WITHOUT_SOUND:
            self._keeper.retry_when_due()
        elif self.health is Health.LISTENING:
            self._keeper.forget_failures()
            if not self._alert_lasts and not self.is_recording:
                self._keeper.return_when_due()
        elif self.health is Health.MODEL_FAILED:
            # Before the health alarm begins: the sound up to now is not our alarm.
            self._judge_loudness(self._ring.written)
        if self._health.is_alarm_due:
            self._sound_health_alarm()

    def _notice_sleep(self) -> None:
        slept_seconds = self._health.slept_seconds()
        if not slept_seconds:
            return
        began, ended = time.time() - slept_seconds, time.time()
        sentence = message(Code.COMPUTER_SLEPT, began=_clock(began), ended=_clock(ended))
        if self._record is not None:
            self._record.past_gap("slept", sentence, began, ended)
        self._outlet.add(Complaint(self._room, self._seconds, sentence))

    def _act_on_health(self, before: Health) -> None:
        """The health, or the reason of a fault, changed: end what cannot go on, keep the gap, and tell."""
        health, is_other = self.health, self.health is not before
        if is_other and before in WITHOUT_SOUND and not self.source.ends:
            self._loud.forget_background()
        self._loud.use_rules(health)
        if is_other and health in (Health.DEAF, Health.MODEL_FAILED):
            # Without sound or scores nothing would ever end it, and the fault would hide behind it.
            self._report([*self._policy.interrupt(), *self._loud.interrupt()])
        # Another microphone than the wanted one is no good news: that alarm sounds to its end.
        if Activity(before.value).is_fault and not self._health.is_fault and not self.source.is_substitute:
            self._waker.release(self._room)
        if is_other and self._record is not None:
            if self._health.is_fault:
                self._record.begin_gap(health.value, self._health.detail)
            else:
                self._record.end_gap()
        if not self._loud.can_wake:
            self._report(self._loud.interrupt())
        self._outlet.add(HealthChanged(self._room, self._seconds, health, self._health.detail))

    def _sound_health_alarm(self) -> None:
        is_first = self._health.is_first_alarm
        # A child who cries by the alarm must be heard: it sounds again only after a while of silence.
        is_loudness_alone = self.health is Health.MODEL_FAILED
        if is_loudness_alone and (not is_first or self._loud.is_active) and not self._loud.was_quiet:
            return
        if is_first:
            self._waker.silence()
        self._health.note_alarm()
        self._sound(lambda: self._waker.warn(self._room))

    # Alerts

    def _judge_loudness(self, stop: int) -> None:
        """Report what comes of the loudness of the sound up to sample `stop`."""
        holds_back = self._waker.holds_back(self._room, "loud", self._loud.is_active)
        for event in self._loud.judge(stop, self._policy.is_stirred, holds_back):
            self._report([event])

    def _with_loud_taken_over(self, events: list[AlertEvent]) -> list[AlertEvent]:
        """Let crying that is found in a loud alert end that one and go on in its place.

        Nobody is woken twice by the same alarm; someone who silenced it or slept through it is woken again.
        """
        if not any(event.change is Change.RAISED for event in events) or not self._loud.is_active:
            return events
        is_woken = self._waker.is_waking(self._room)
        return [*self._loud.interrupt(), *(replace(event, alarms=event.alarms and not is_woken) for event in events)]

    def _report(self, events: Iterable[AlertEvent]) -> None:
        """Keep each event, sound or end the alarm, and let it be told."""
        for event in events:
            if event.change is Change.RAISED:
                self._alert_since = self._wall(event.alert.began_seconds)
            if event.alarms:
                self._sound(lambda: self._waker.wake(self._room))
            has_ended = event.change is Change.ENDED and not self._alert_lasts
            if has_ended and not self._has_stopped and self.health is Health.LISTENING:
                self._waker.release(self._room)
            if self._record is not None:
                row = self._record.alert(event.alert, self._wall)
            else:
                row = AlertRow.of(event.alert, self._wall, self._room)
            self._outlet.add(AlertHappened(self._room, self._seconds, event, row))

    def _sound(self, sound: Callable[[], str]) -> None:
        """Sound an alarm; where it cannot be heard, have the loudspeakers looked for anew and try once more."""
        sentence = sound()
        if sentence and self._keeper.renew_devices():
            sentence = sound()
        self._own_sound.mark(self._ring)
        self._complain(sentence)

    def _complain(self, sentence: str) -> None:
        """Add a complaint, unless it is empty or was told before."""
        if sentence and sentence not in self._complaints:
            self._complaints.add(sentence)
            self._outlet.add(Complaint(self._room, self._seconds, sentence))


def _clock(unix_seconds: float) -> str:
    return datetime.fromtimestamp(unix_seconds).strftime("%H:%M")
