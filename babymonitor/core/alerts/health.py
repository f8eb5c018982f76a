"""Whether the monitor is really listening, judged by two counters. Needs no thread and no clock of its own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Health(Enum):
    """The states that a person sees, and that the `health` events of `watch --json` name."""

    STARTING = "starting"
    LISTENING = "listening"
    DEAF = "deaf"
    MUTED = "muted"
    MODEL_FAILED = "model_failed"


@dataclass(frozen=True, slots=True)
class HealthRules:
    """deaf_seconds: no new samples for this long. muted_seconds: the very same sample for this long.

    model_seconds: samples, but no score for this long.
    """

    deaf_seconds: float = 2.0
    muted_seconds: float = 3.0
    model_seconds: float = 5.0


class HealthWatch:
    """Watches two counters, samples written and scores given. It trusts no API's own report.

    A stream that died without an error looks exactly like a quiet baby; a counter that stands still does not.
    All times are seconds of one monotonic clock, which the caller reads.
    """

    def __init__(self, rules: HealthRules, now: float) -> None:
        self._rules = rules
        self._samples = 0
        self._samples_at = now
        self._scores = 0
        self._scores_at = now
        self._sounding_at = now
        self._has_sound = False

    def look(self, now: float, samples: int, scores: int, silent: bool) -> Health:
        """Return the state at `now`.

        samples, scores: how many there were so far. silent: the newest samples are all the same.
        """
        if samples != self._samples:
            if now - self._samples_at >= self._rules.deaf_seconds:
                # Sound is back after a gap: give the model its full time again, and ask for sound that is not silent.
                self._scores_at = now
                self._sounding_at = float("-inf")
            self._samples, self._samples_at, self._has_sound = samples, now, True
        if scores != self._scores:
            self._scores, self._scores_at = scores, now
        if not silent or samples == 0:
            self._sounding_at = now
        if now - self._samples_at >= self._rules.deaf_seconds:
            return Health.DEAF
        if now - self._sounding_at >= self._rules.muted_seconds:
            return Health.MUTED
        if now - self._scores_at >= self._rules.model_seconds:
            return Health.MODEL_FAILED
        if not self._has_sound or not self._scores:
            return Health.STARTING
        return Health.LISTENING
