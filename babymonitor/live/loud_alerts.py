"""Alerts for any loud sound: beside the model where the person wants them, in its place where it has failed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from babymonitor.core.alerts.health import Health
from babymonitor.core.alerts.loudness import LoudnessMeter
from babymonitor.core.alerts.policy import AlertEvent, AlertPolicy, AlertRules
from babymonitor.core.settings import (
    COOL_DOWN_SECONDS,
    LOUD_ALERTS,
    LOUD_LEVEL_DB,
    LOUD_RISE_DB,
    LOUD_SECONDS,
    MINIMUM_SECONDS,
    Settings,
)
from babymonitor.core.sound.ring import RingBuffer
from babymonitor.live.own_sound import OwnSound

_PAUSE_SECONDS = 5.0
"""Between two health alarms the room is heard for at least this long: longer than a child draws breath."""


class LoudAlerts:
    """The loudness of one room, its own alert policy, and what keeps both out of the model's way.

    ids: shared with the model's policy, so that an id names one alert of the night.
    """

    def __init__(self, ring: RingBuffer, settings: Settings, own_sound: OwnSound, ids: Iterator[int]) -> None:
        self._ring = ring
        self._settings = settings
        self._own_sound = own_sound
        self._policy = AlertPolicy(AlertRules.from_settings(settings), kind="loud", ids=ids)
        self._meter = LoudnessMeter(ring, settings[LOUD_RISE_DB], None)
        self._health = Health.STARTING
        self.use_rules(self._health)

    @property
    def is_active(self) -> bool:
        """A loud alert lasts."""
        return self._policy.active is not None

    @property
    def can_wake(self) -> bool:
        """Whether a loud sound is to wake anyone, as things stand."""
        beside_model = self._health is Health.LISTENING and self._settings[LOUD_ALERTS]
        return beside_model or self._health is Health.MODEL_FAILED

    @property
    def was_quiet(self) -> bool:
        """Our own alarm was silent for so long that a child who cries by it would have been heard."""
        heard_samples = self._ring.written - self._own_sound.alarm_until(self._ring)
        return heard_samples / self._ring.sample_rate >= _PAUSE_SECONDS + self._settings[MINIMUM_SECONDS]

    def use_rules(self, health: Health) -> None:
        """Take the numbers from the settings anew, as the monitor's health demands.

        Beside the model only what rises above the background and lasts counts. Where the model has failed loudness
        stands in for it: as quick as the model, and by a fixed level too.
        """
        self._health = health
        is_alone = health is Health.MODEL_FAILED
        rules = AlertRules.from_settings(self._settings)
        if not is_alone:
            rules = replace(rules, minimum_seconds=self._settings[LOUD_SECONDS])
        # Loudness is all or nothing: thresholds that suit a probability do not matter to it.
        self._policy.rules = replace(rules, start_threshold=0.5, end_threshold=0.5)
        self._meter.rise_db = self._settings[LOUD_RISE_DB]
        self._meter.level_db = self._settings[LOUD_LEVEL_DB] if is_alone else None

    def judge(self, stop: int, may_be_crying: bool, holds_back: bool) -> Iterator[AlertEvent]:
        """Yield what comes of the loudness up to sample `stop`, one event at a time.

        The next hop is judged after the event before has been acted on: an alarm that it gave is then known to be ours.

        may_be_crying: then the model decides. holds_back: nobody is to be woken now.
        """
        self._policy.snoozed = holds_back
        if not self.can_wake:  # it may have been switched off while an alert lasts
            yield from self._policy.interrupt()
        self._meter.own_until = self._own_sound.alarm_until(self._ring)
        for score in self._meter.poll(stop):
            self._meter.own_until = self._own_sound.alarm_until(self._ring)
            is_own = self._meter.is_own(score)
            if is_own and self.is_active:
                # The alarm says nothing of the room: whether it is still loud is seen when the alarm is over.
                self._policy.hold(score.seconds)
                continue
            counts = self.can_wake and (self.is_active or not (may_be_crying or is_own))
            yield from self._policy.feed(score if counts else replace(score, crying=0.0))

    def interrupt(self) -> list[AlertEvent]:
        """End an alert that lasts."""
        return self._policy.interrupt()

    def rest_after_crying(self, seconds: float) -> None:
        """Crying ended at this second of the sound: what is still loud becomes an alert after the usual rest."""
        self._policy.rest(seconds + self._settings[COOL_DOWN_SECONDS])

    def forget_background(self) -> None:
        """What was heard so far says nothing of the room: the microphone was muted, or is another."""
        self._meter.forget()
