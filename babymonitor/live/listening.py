"""The whole monitor without Qt: what the window and the terminal both run.

`tick` moves sound and looks whether all is well; `take` turns a score into alerts. Both return what happened, in order.
Everything here runs on the main thread; only the detector and the clip writer have threads of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Protocol

from babymonitor.core.alerts.health import Health, HealthRules, HealthWatch
from babymonitor.core.alerts.loudness import LoudnessMeter
from babymonitor.core.alerts.policy import AlertEvent, AlertPolicy, AlertRules, Change
from babymonitor.core.model.detector import Score
from babymonitor.core.settings import (
    ALARM_SECONDS,
    COOL_DOWN_SECONDS,
    LOUD_ALERTS,
    LOUD_LEVEL_DB,
    LOUD_RISE_DB,
    LOUD_SECONDS,
    MINIMUM_SECONDS,
    REPEAT_SECONDS,
    Settings,
)
from babymonitor.core.sound.levels import is_digital_silence
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.core.sound.wave import AudioError
from babymonitor.core.state import Activity, MonitorState
from babymonitor.live.alarm import Alarm
from babymonitor.live.record.night_record import ALERT, NightRecord
from babymonitor.live.sound_card import SoundCardError

RING_SECONDS = 180.0
"""Enough for the longest clip with the longest time before it, and the disk being slow on top."""

_LOOK_SECONDS = 0.25
_SLEPT_SECONDS = 5.0
_ECHO_SECONDS = 2.5
_OWN_TAIL_SECONDS = 0.5
"""So long after its end our own alarm may still come in: through loudspeaker, room and microphone."""
_WINDOW_SECONDS = 2.0
"""A model looks back about so far: a score may still hold what has ended."""
_PAUSE_SECONDS = 5.0
"""Between two health alarms loudness is heard for so long at least: longer than a child draws breath."""
_RETURN_SECONDS = 120.0
_REPAIR_SECONDS = 60.0
_FIRST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 0.5, 8.0


class Source(Protocol):
    """Where sound comes from: the microphone, or files in its place.

    `open` and `reopen` raise SoundCardError or AudioError; `pump` moves what has come into the ring. ends: whether it
    can finish; one that can does not go deaf, and is not reopened. is_substitute: it is not the one that was wanted.
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


@dataclass(frozen=True, slots=True)
class HealthChanged:
    """The monitor's health is another; detail: one sentence for a person, empty when all is well."""

    health: Health
    detail: str


@dataclass(frozen=True, slots=True)
class AlertHappened:
    """An alert changed; row: its number in the history, None where none is kept."""

    event: AlertEvent
    row: int | None


@dataclass(frozen=True, slots=True)
class ClipSaved:
    """The sound of an alert lies on disk, at `name` in the clips folder."""

    row: int
    name: str


@dataclass(frozen=True, slots=True)
class NearMissSaved:
    """The sound of what was nearly an alert lies on disk, at `name` in the clips folder."""

    row: int
    name: str


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something did not go well, and listening goes on: one sentence for a person."""

    sentence: str


Happening = HealthChanged | AlertHappened | ClipSaved | NearMissSaved | Complaint


class Listening:
    """One stretch of listening to one source, from `start` to `stop`.

    ring: written by the source alone. record, alarm: None where nothing is to be kept or heard (files).
    clock: monotonic seconds; for files read faster than time, the position in the sound.
    """

    def __init__(
        self,
        ring: RingBuffer,
        source: Source,
        settings: Settings,
        record: NightRecord | None = None,
        alarm: Alarm | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.source = source
        self.health = Health.STARTING
        self.detail = ""
        self.snoozed_until: float | None = None
        self.is_playing = False
        """Whoever plays something through the loudspeakers says so: what is heard of it was no near miss."""
        self.is_recording = False
        """While a recording lasts, a better microphone is not looked for: that would be a gap in it."""
        self._ring = ring
        self._settings = settings
        self._record = record
        self._alarm = alarm
        self._clock = clock
        ids = count(1)
        self._policy = AlertPolicy(AlertRules.from_settings(settings), ids=ids)
        self._loud_policy = AlertPolicy(AlertRules.from_settings(settings), kind="loud", ids=ids)
        self._loudness = LoudnessMeter(ring, settings[LOUD_RISE_DB], None)
        self._scores = 0
        self._alert_since: float | None = None
        self._woken_seconds: float | None = None
        self._sounded = False
        self._played_until = 0
        self._fault_since: float | None = None
        self._open_error = ""
        self._model_error = ""
        self._said: set[str] = set()
        self._news: list[Happening] = []
        self._repaired_at = float("-inf")
        self.use_rules(None)

    def start(self) -> None:
        """Open the source. A microphone that does not open is tried again for as long as it takes."""
        now = self._clock()
        self._watch = HealthWatch(HealthRules(), now)
        self._wall_ahead = time.time() - now
        self._look_at = now
        self._retry_at, self._retry_seconds = now, _FIRST_RETRY_SECONDS
        self._return_at = now + _RETURN_SECONDS
        self._health_alarm_at = float("-inf")
        self._believed_at = float("-inf")
        self._open(self.source.open)

    def stop(self) -> list[Happening]:
        """Close the source, end what lasts and hand over what is to be kept."""
        self.source.close()
        happenings = self._alert_events([*self._policy.interrupt(), *self._loud_policy.interrupt()])
        if self._record is not None:
            self._record.close(self._wall)
        if self._alarm is not None:
            self._alarm.stop()
        return happenings + self.kept()

    def use_rules(self, thresholds: dict[str, float] | None) -> None:
        """Take the numbers from the settings anew; `thresholds` are the model's own."""
        self._policy.rules = AlertRules.from_settings(self._settings, thresholds)
        if self._record is not None:
            self._record.use_rules(self._policy.rules)
        self._use_loud_rules()

    def _use_loud_rules(self) -> None:
        """Beside the model only what rises above the background and lasts counts.

        Where the model has failed loudness stands in for it: as quick as the model, and by a fixed level too.
        """
        alone = self.health is Health.MODEL_FAILED
        rules = AlertRules.from_settings(self._settings)
        if not alone:
            rules = replace(rules, minimum_seconds=self._settings[LOUD_SECONDS])
        # Loudness is all or nothing: thresholds that suit a probability do not matter to it.
        self._loud_policy.rules = replace(rules, start_threshold=0.5, end_threshold=0.5)
        self._loudness.rise_db = self._settings[LOUD_RISE_DB]
        self._loudness.level_db = self._settings[LOUD_LEVEL_DB] if alone else None

    def model_failed(self, sentence: str) -> None:
        """The detector's word on why there are no scores; said when the watch finds that there are none."""
        self._model_error = sentence

    def take(self, score: Score) -> list[Happening]:
        """A score of the detector."""
        self._scores += 1
        self._model_error = ""
        self._policy.snoozed = self._is_snoozed()
        events = self._policy.feed(score)
        happenings = self._alert_events(self._with_loud_taken_over(events, score.seconds))
        if any(event.change is Change.ENDED for event in events):
            self._loud_policy.rest(score.seconds + self._settings[COOL_DOWN_SECONDS])
        # After the model has spoken on the same moment, so that it does not matter which of the two is quicker.
        happenings += self._loudness_alerts(score.end_sample)
        if self._record is not None:
            heard_from = max(0, score.end_sample - int(_WINDOW_SECONDS * self._ring.sample_rate))
            self._record.score(score, self._wall, heard_from < max(self._loudness.own_until, self._played_until))
        return happenings

    def tick(self) -> list[Happening]:
        """Move sound, and a few times a second look whether all is well."""
        happenings, self._news = self._news, []
        self._pump()
        self._mind_own_alarm()
        now = self._clock()
        if now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            happenings += self._look_whether_it_slept(now)
            happenings += self._look(now)
        return happenings + self.kept()

    def kept(self) -> list[Happening]:
        """What has reached the disk since the last call, and what could not. Goes on after `stop`: a disk is slow."""
        if self._record is None:
            return []
        saved: list[Happening] = [
            ClipSaved(row, name) if kind == ALERT else NearMissSaved(row, name)
            for (kind, row), name in self._record.save_clips()
        ]
        complaints, self._record.complaints = self._record.complaints, []
        return [*saved, *map(Complaint, complaints)]

    def snooze(self, minutes: int) -> None:
        """Wake nobody for so long; what happens is kept all the same. Faults sound nevertheless."""
        self.snoozed_until = time.time() + 60 * minutes
        if self.health is Health.LISTENING:
            self.acknowledge()

    def end_snooze(self) -> None:
        self.snoozed_until = None

    def acknowledge(self) -> None:
        """Silence the alarm that sounds now."""
        self._woken_seconds = None
        if self._alarm is not None:
            self._alarm.stop()

    @property
    def state(self) -> MonitorState:
        """Everything the state line has to know."""
        activity, since = self._activity()
        return MonitorState(
            activity=activity,
            source=self.source.name,
            detail=self.detail,
            since=since,
            snoozed_until=self.snoozed_until if self._is_snoozed() else None,
            alarm_sounding=self._alarm is not None and self._alarm.sounding,
        )

    def _activity(self) -> tuple[Activity, float | None]:
        if self.health in (Health.DEAF, Health.MUTED):
            return Activity(self.health.value), self._fault_since
        for policy, activity in ((self._policy, Activity.CRYING), (self._loud_policy, Activity.LOUD)):
            if policy.active is not None:
                return activity, self._alert_since
        return Activity(self.health.value), self._fault_since

    def _is_snoozed(self) -> bool:
        return self.snoozed_until is not None and time.time() < self.snoozed_until

    def _wall(self, seconds: float) -> float:
        """Unix seconds of a position in the sound."""
        return time.time() - (self._ring.written / self._ring.sample_rate - seconds)

    def _pump(self) -> None:
        try:
            self.source.pump()
        except AudioError:
            raise
        except Exception as error:  # the watch must go on looking whatever the sound does: no samples are noticed
            self._open_error = f"The microphone's sound cannot be used ({error})."

    # Health

    def _look_whether_it_slept(self, now: float) -> list[Happening]:
        """The wall clock runs on while the computer sleeps; the monotonic one does not."""
        slept_seconds = time.time() - now - self._wall_ahead
        self._wall_ahead = time.time() - now
        if slept_seconds < -_SLEPT_SECONDS and self.snoozed_until is not None:
            # The clock was set back: the snooze is not to grow by it.
            self.snoozed_until += slept_seconds
        if self.source.ends or slept_seconds < _SLEPT_SECONDS:
            return []
        began, ended = time.time() - slept_seconds, time.time()
        sentence = f"The computer slept from {_clock(began)} to {_clock(ended)}: nothing was heard."
        if self._record is not None:
            self._record.past_gap("slept", sentence, began, ended)
        return [Complaint(sentence)]

    def _look(self, now: float) -> list[Happening]:
        silent = is_digital_silence(self._ring.latest(self._ring.sample_rate // 2))
        health = self._watch.look(now, self._ring.written, self._scores, silent or self._hears_itself(now, silent))
        # The reason may become another while the fault lasts: silent at first, then known to be unplugged.
        changed = health is not self.health or self._explain(health) != self.detail
        happenings = self._health_changed(health) if changed else []
        if health in (Health.DEAF, Health.MUTED) and not self.source.ends:
            self._try_again(now)
        elif health is Health.LISTENING:
            self._retry_seconds = _FIRST_RETRY_SECONDS
            self._look_for_the_wanted(now)
        if health is Health.MODEL_FAILED:
            # Before the health alarm begins: what came in until now is the room.
            happenings += self._loudness_alerts(self._ring.written)
        if Activity(health.value).is_fault and now >= self._believed_at:
            happenings += self._sound_health_alarm(now)
        return happenings

    def _hears_itself(self, now: float, silent: bool) -> bool:
        """Whether the sound that seems to be back may be our own alarm; the alarm pauses to find out.

        Where the microphone was the only input, a sound server may offer a loopback of the loudspeakers in its place.
        """
        if self._alarm is None or silent or self.health not in (Health.DEAF, Health.MUTED):
            return False
        if self._alarm.sounding:
            self._alarm.stop()
            self._health_alarm_at = float("-inf")
            self._believed_at = now + _ECHO_SECONDS
        return now < self._believed_at

    def _mind_own_alarm(self) -> None:
        """Tell the meter how far the sound may hold our own alarm; one that ended since the last look counts too."""
        sounding = self._alarm is not None and self._alarm.sounding
        if sounding or self._sounded:
            self._loudness.own_until = self._ring.written + int(_OWN_TAIL_SECONDS * self._ring.sample_rate)
        self._sounded = sounding
        if self.is_playing:
            self._played_until = self._ring.written + int(_OWN_TAIL_SECONDS * self._ring.sample_rate)

    def _health_changed(self, health: Health) -> list[Happening]:
        was_fault, is_fault = Activity(self.health.value).is_fault, Activity(health.value).is_fault
        changed = health is not self.health
        if changed and self.health in (Health.DEAF, Health.MUTED) and not self.source.ends:
            self._loudness.forget()
        self.health, self.detail = health, self._explain(health)
        self._use_loud_rules()
        happenings: list[Happening] = []
        if changed and health in (Health.DEAF, Health.MODEL_FAILED):
            # Without sound or scores nothing would ever end it, and the fault would hide behind it.
            happenings += self._alert_events([*self._policy.interrupt(), *self._loud_policy.interrupt()])
        if is_fault and not was_fault:
            self._fault_since = time.time()
        elif not is_fault:
            self._fault_since = None
            self._health_alarm_at = float("-inf")
            # Another microphone than the wanted one is no good news: that alarm sounds to its end.
            if was_fault and self._alarm is not None and not self.source.is_substitute:
                self._alarm.stop()
        if changed and self._record is not None:
            if is_fault:
                self._record.begin_gap(health.value, self.detail)
            else:
                self._record.end_gap()
        if not self._loudness_wakes:
            happenings += self._alert_events(self._loud_policy.interrupt())
        return [*happenings, HealthChanged(health, self.detail)]

    def _explain(self, health: Health) -> str:
        if health is Health.DEAF:
            return self._open_error or f"The microphone '{self.source.name}' gives no sound; it is tried again."
        if health is Health.MUTED:
            return f"The microphone '{self.source.name}' gives only digital silence: it is muted or broken."
        if health is Health.MODEL_FAILED:
            reason = self._model_error or "The model gives no answer."
            return f"{reason} Until it does, any loud sound gives the alarm."
        return ""

    def _try_again(self, now: float) -> None:
        if now < self._retry_at:
            return
        self._open(self.source.reopen)
        # Counted from the end of the attempt: opening can itself take seconds.
        self._retry_at = self._clock() + self._retry_seconds
        self._retry_seconds = min(2 * self._retry_seconds, _LONGEST_RETRY_SECONDS)

    def _look_for_the_wanted(self, now: float) -> None:
        """While another microphone is heard, see now and then whether the wanted one is back."""
        lasts = self._policy.active is not None or self._loud_policy.active is not None
        if self.source.is_substitute and now >= self._return_at and not lasts and not self.is_recording:
            self._return_at = now + _RETURN_SECONDS
            self._open(self.source.reopen)

    def _open(self, how: Callable[[], None]) -> None:
        try:
            how()
            self._open_error = ""
        except (SoundCardError, AudioError) as error:
            self._open_error = str(error)
            return
        if self.source.is_substitute:
            self._news += self._complain(f"The wanted microphone is not there; '{self.source.name}' is heard instead.")

    def _sound_health_alarm(self, now: float) -> list[Happening]:
        if self._alarm is None or now < self._health_alarm_at + self._settings[REPEAT_SECONDS]:
            return []
        is_first = self._health_alarm_at == float("-inf")
        wakes_already = self._loud_policy.active is not None
        if self.health is Health.MODEL_FAILED and (not is_first or wakes_already) and not self._has_paused():
            return []
        if self._alarm.sounding and is_first:
            self._alarm.stop()
        self._health_alarm_at = now
        return self._sound(self._alarm.health)

    def _has_paused(self) -> bool:
        """Whether our own alarm was silent for long enough that a child who cries by it would have been heard."""
        heard_seconds = (self._ring.written - self._loudness.own_until) / self._ring.sample_rate
        return heard_seconds >= _PAUSE_SECONDS + self._settings[MINIMUM_SECONDS]

    def _sound(self, alarm: Callable[[], str]) -> list[Happening]:
        """Sound an alarm; where it cannot be heard, look for loudspeakers anew (PortAudio may know only ones that are
        gone) and try again, at most once a minute, for the microphone is away for a moment by it.
        """
        sentence = alarm()
        now = self._clock()
        if sentence and not self.source.ends and now >= self._repaired_at + _REPAIR_SECONDS:
            self._repaired_at = now
            self._open(self.source.reopen)
            sentence = alarm()
        self._mind_own_alarm()
        return self._complain(sentence)

    # Alerts

    @property
    def _loudness_wakes(self) -> bool:
        beside = self.health is Health.LISTENING and self._settings[LOUD_ALERTS]
        return beside or self.health is Health.MODEL_FAILED

    def _loudness_alerts(self, stop: int) -> list[Happening]:
        """What comes of the loudness of the sound up to sample `stop`.

        Beside the model it stays out of the model's way: what may be crying is for the model to tell, and to forgive.
        """
        self._loud_policy.snoozed = self._is_snoozed()
        # It may have been switched off while one lasts.
        happenings = [] if self._loudness_wakes else self._alert_events(self._loud_policy.interrupt())
        for score in self._loudness.poll(stop):
            lasts = self._loud_policy.active is not None
            hears_itself = self._loudness.is_own(score)
            if hears_itself and lasts:
                # The alarm says nothing of the room: whether it is still loud is seen when it is over.
                self._loud_policy.hold(score.seconds)
                continue
            is_heard = self._loudness_wakes and (lasts or not (self._policy.is_stirred or hears_itself))
            heard = score if is_heard else replace(score, crying=0.0)
            happenings += self._alert_events(self._loud_policy.feed(heard))
        return happenings

    def _with_loud_taken_over(self, events: list[AlertEvent], seconds: float) -> list[AlertEvent]:
        """Crying that is found in what is already an alert for loudness ends that one and goes on in its place.

        Whoever is being woken by it just now is not woken twice; who has silenced it, or slept through it, is.
        """
        if not any(event.change is Change.RAISED for event in events) or self._loud_policy.active is None:
            return events
        being_woken = self._woken_seconds is not None and seconds - self._woken_seconds < self._settings[ALARM_SECONDS]
        taken = [replace(event, alarms=event.alarms and not being_woken) for event in events]
        return [*self._loud_policy.interrupt(), *taken]

    def _alert_events(self, events: Iterable[AlertEvent]) -> list[Happening]:
        happenings: list[Happening] = []
        for event in events:
            if event.change is Change.RAISED:
                self._alert_since = self._wall(event.alert.began_seconds)
            if event.alarms:
                self._woken_seconds = self._ring.written / self._ring.sample_rate
            if event.alarms and self._alarm is not None:
                happenings += self._sound(self._alarm.crying)
            lasts = self._policy.active is not None or self._loud_policy.active is not None
            ended = event.change is Change.ENDED and not lasts
            if ended and self._alarm is not None and self.health is Health.LISTENING:
                self._alarm.stop()
            row = self._record.alert(event.alert, self._wall) if self._record is not None else None
            happenings.append(AlertHappened(event, row))
        return happenings

    def _complain(self, sentence: str) -> list[Happening]:
        """The sentence as a complaint, unless it is empty or was said before."""
        if not sentence or sentence in self._said:
            return []
        self._said.add(sentence)
        return [Complaint(sentence)]


def _clock(unix_seconds: float) -> str:
    return datetime.fromtimestamp(unix_seconds).strftime("%H:%M")
