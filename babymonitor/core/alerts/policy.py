"""From scores to alerts: an explicit state machine, the same for window, terminal and replayed nights."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import count

from babymonitor.core.model.classifier import ModelCard
from babymonitor.core.model.scorer import Score
from babymonitor.core.settings import (
    COOL_DOWN_SECONDS,
    END_SECONDS,
    END_THRESHOLD,
    MAXIMUM_SECONDS,
    MINIMUM_SECONDS,
    REPEAT_SECONDS,
    START_THRESHOLD,
    USE_MODEL_THRESHOLDS,
    Settings,
)
from babymonitor.core.sound.levels import SILENCE_DB


@dataclass(frozen=True, slots=True)
class AlertRules:
    """The parameters of the state machine; each is a setting (see `core.settings`).

    start_threshold, end_threshold: P(crying) at or above which crying starts, and below which it may end.
    minimum_seconds: how long P(crying) must stay up before an alert is raised.
    end_seconds: how long it must stay down before an alert ends; babies pause to breathe.
    cool_down_seconds: the shortest time between the end of an alert and the next one.
    repeat_seconds: the interval at which the alarm is repeated while crying lasts.
    maximum_seconds: the longest alert; if crying continues, the next one begins at once.
    """

    start_threshold: float = 0.6
    end_threshold: float = 0.3
    minimum_seconds: float = 0.2
    end_seconds: float = 8.0
    cool_down_seconds: float = 5.0
    repeat_seconds: float = 60.0
    maximum_seconds: float = 900.0

    @classmethod
    def of_card(cls, card: ModelCard) -> AlertRules:
        """Rules with the thresholds of a model's card and the program's defaults for everything else."""
        rules = cls(start_threshold=card.thresholds["start"], end_threshold=card.thresholds["end"])
        return replace(rules, minimum_seconds=card.thresholds.get("minimum_seconds", rules.minimum_seconds))

    @classmethod
    def from_settings(cls, settings: Settings, thresholds: Mapping[str, float] | None = None) -> AlertRules:
        """Rules from the person's settings.

        thresholds: ``start`` and ``end`` of the model, used if the setting `use_model_thresholds` is on; and the
        ``minimum_seconds`` of a model whose P(crying) is evidence over time, used unless the person set another.
        """
        start, end = settings[START_THRESHOLD], settings[END_THRESHOLD]
        minimum = settings[MINIMUM_SECONDS]
        if thresholds is not None:
            if settings[USE_MODEL_THRESHOLDS]:
                start, end = thresholds["start"], thresholds["end"]
            if minimum == MINIMUM_SECONDS.default:
                minimum = thresholds.get("minimum_seconds", minimum)
        return cls(
            start_threshold=start,
            # An end above the start would end every alert at once.
            end_threshold=min(end, start),
            minimum_seconds=minimum,
            end_seconds=settings[END_SECONDS],
            cool_down_seconds=settings[COOL_DOWN_SECONDS],
            repeat_seconds=settings[REPEAT_SECONDS],
            maximum_seconds=settings[MAXIMUM_SECONDS],
        )

    def windows_up(self, hop_seconds: float) -> int:
        """The number of consecutive windows above the threshold that raise an alert."""
        return 1 + math.ceil(self.minimum_seconds / hop_seconds - 1e-6)

    def held_up(self, crying: Sequence[float], hop_seconds: float) -> float:
        """The highest P(crying) sustained for as many windows as an alert needs, or for all if there are fewer."""
        width = min(self.windows_up(hop_seconds), len(crying))
        return max(min(crying[first : first + width]) for first in range(len(crying) - width + 1))


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert. Seconds are positions in the sound.

    kind: ``crying``, or ``loud`` if it was raised by loudness. ended_seconds: None while it lasts. reasons: the mean
    shares of the crying labels over the scores above the threshold.
    """

    id: int
    kind: str
    began_seconds: float
    raised_seconds: float
    ended_seconds: float | None = None
    peak_db: float = SILENCE_DB
    peak_crying: float = 0.0
    reasons: dict[str, float] = field(default_factory=dict)


class Change(Enum):
    """How an alert changed."""

    RAISED = "raised"
    REPEATED = "repeated"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """A change, and the alert after it. alarms: whether the alarm is to sound now."""

    change: Change
    alert: Alert
    alarms: bool = False


class AlertPolicy:
    """Decides from the scores, fed in order, when to raise an alert, repeat the alarm and end the alert.

    snoozed: set by the owner of the wall clock. While it is set, alerts are recorded without an alarm; if crying lasts
    when it is cleared, the alarm is given at once.
    """

    def __init__(self, rules: AlertRules, kind: str = "crying", ids: Iterator[int] | None = None) -> None:
        self.rules = rules
        self.snoozed = False
        self._kind = kind
        # Two policies of the same night share a counter, so that ids are unique.
        self._ids = count(1) if ids is None else ids
        self._alert: Alert | None = None
        self._up_since: float | None = None
        self._is_up = False
        self._began = 0.0
        self._last_up = 0.0
        self._held_until = 0.0
        self._alarmed_seconds = float("-inf")
        self._owed = False
        self._quiet_until = float("-inf")
        self._reason_sums: dict[str, float] = {}
        self._scores_up = 0
        self._last_seconds = 0.0
        self._candidate_db = SILENCE_DB
        self._candidate_crying = 0.0

    @property
    def active(self) -> Alert | None:
        """The current alert, or None."""
        return self._alert

    @property
    def is_stirred(self) -> bool:
        """Whether there is an alert, or the last score may be the beginning of an alert."""
        return self._alert is not None or self._is_up

    def rest(self, until_seconds: float) -> None:
        """Raise nothing before this second of the sound, because an alert of another policy has just ended."""
        self._quiet_until = until_seconds

    def hold(self, until_seconds: float) -> None:
        """Extend the current alert, because nothing could be judged up to this second of the sound."""
        self._held_until = until_seconds

    def feed(self, score: Score) -> list[AlertEvent]:
        """Take the next score; returns what changed, mostly nothing."""
        hop = max(0.0, score.seconds - self._last_seconds) if self._last_seconds else 0.0
        self._last_seconds = score.seconds
        up = self._is_up = score.crying >= self.rules.start_threshold
        if up and self._up_since is None:
            self._up_since = self._last_up = score.seconds
            self._begin_candidate(max(0.0, score.seconds - hop))
        elif self._alert is None and self._up_since is not None:
            # A long minimum allows pauses: no baby cries for ten seconds without a breath.
            pause = min(self.rules.end_seconds, self.rules.minimum_seconds / 4)
            if score.crying >= self.rules.end_threshold:
                self._last_up = score.seconds
            elif score.seconds - self._last_up > pause:
                self._up_since = None
        if self._up_since is not None:
            self._note(score, up)
        if self._alert is None:
            return self._maybe_raise(score) if up else []
        return self._go_on(score, up)

    def interrupt(self) -> list[AlertEvent]:
        """End the current alert at the last score, because the sound stopped (microphone lost, monitor stopped)."""
        events = [self._end(self._last_seconds)] if self._alert is not None else []
        self._up_since = None
        self._is_up = False
        # After a gap there is no cool-down.
        self._quiet_until = float("-inf")
        return events

    def _begin_candidate(self, began: float) -> None:
        self._began = began
        self._reason_sums = {}
        self._scores_up = 0
        self._candidate_db = SILENCE_DB
        self._candidate_crying = 0.0

    def _note(self, score: Score, up: bool) -> None:
        self._candidate_db = max(self._candidate_db, score.level_db)
        self._candidate_crying = max(self._candidate_crying, score.crying)
        if up:
            self._scores_up += 1
            for name, share in score.reasons.items():
                self._reason_sums[name] = self._reason_sums.get(name, 0.0) + share

    def _current(self, alert: Alert) -> Alert:
        count = max(1, self._scores_up)
        reasons = {name: total / count for name, total in self._reason_sums.items()}
        # A loudness score of 1 does not mean crying.
        peak_crying = self._candidate_crying if self._kind == "crying" else 0.0
        return replace(alert, peak_db=self._candidate_db, peak_crying=peak_crying, reasons=reasons)

    def _maybe_raise(self, score: Score) -> list[AlertEvent]:
        assert self._up_since is not None
        # The tolerance allows for rounding in seconds computed from samples.
        long_enough = score.seconds - self._up_since >= self.rules.minimum_seconds - 1e-6
        if not long_enough or score.seconds < self._quiet_until:
            return []
        self._alert = self._current(Alert(next(self._ids), self._kind, self._began, score.seconds))
        self._last_up = score.seconds
        return [AlertEvent(Change.RAISED, self._alert, self._alarm(score.seconds))]

    def _go_on(self, score: Score, up: bool) -> list[AlertEvent]:
        assert self._alert is not None
        self._alert = self._current(self._alert)
        if score.crying >= self.rules.end_threshold:
            self._last_up = score.seconds
        elif score.seconds - max(self._last_up, self._held_until) >= self.rules.end_seconds:
            self._quiet_until = score.seconds + self.rules.cool_down_seconds
            self._up_since = None
            return [self._end(self._last_up)]
        if score.seconds - self._alert.raised_seconds >= self.rules.maximum_seconds:
            ended = self._end(score.seconds)
            self._up_since = score.seconds if up else None
            self._begin_candidate(score.seconds)
            return [ended]
        repeat_due = score.seconds - self._alarmed_seconds >= self.rules.repeat_seconds
        if up and not self.snoozed and (self._owed or repeat_due):
            return [AlertEvent(Change.REPEATED, self._alert, self._alarm(score.seconds))]
        return []

    def _alarm(self, seconds: float) -> bool:
        """Whether the alarm may sound now; during a snooze it is owed for later."""
        self._owed = self.snoozed
        if self.snoozed:
            return False
        self._alarmed_seconds = seconds
        return True

    def _end(self, seconds: float) -> AlertEvent:
        assert self._alert is not None
        ended = replace(self._current(self._alert), ended_seconds=seconds)
        self._alert = None
        self._owed = False
        return AlertEvent(Change.ENDED, ended)
