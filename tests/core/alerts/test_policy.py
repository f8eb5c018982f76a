"""The state machine: each number of the rules does what its wording says."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest

from babymonitor.core.alerts.policy import AlertEvent, AlertPolicy, AlertRules, Change
from babymonitor.core.model.scorer import Score
from babymonitor.core.settings import Settings

HOP = 0.25
RULES = AlertRules(
    start_threshold=0.6,
    end_threshold=0.3,
    minimum_seconds=0.5,
    end_seconds=4.0,
    cool_down_seconds=10.0,
    repeat_seconds=20.0,
    maximum_seconds=100.0,
)


class Night:
    """Feeds a policy with stretches of P(crying), and keeps what happened, with when."""

    def __init__(self, **changes: float) -> None:
        self.policy = AlertPolicy(dataclasses.replace(RULES, **changes))
        self.seconds = 0.0
        self.events: list[tuple[float, AlertEvent]] = []

    def hear(self, crying: float, seconds: float, level_db: float = -30.0, **reasons: float) -> Night:
        for _ in range(round(seconds / HOP)):
            self.seconds += HOP
            score = Score(int(self.seconds * 16000), self.seconds, crying, level_db, reasons=reasons)
            self.events += [(self.seconds, event) for event in self.policy.feed(score)]
        return self

    def story(self) -> list[tuple[str, float]]:
        return [(event.change.value, seconds) for seconds, event in self.events]


def test_a_cry_is_raised_after_the_minimum_and_ended_after_quiet() -> None:
    night = Night().hear(0.05, 5).hear(0.9, 6).hear(0.05, 10)
    assert night.story() == [("raised", 5.75), ("ended", 15.0)]
    alert = night.events[-1][1].alert
    assert (alert.id, alert.kind) == (1, "crying")
    assert alert.began_seconds == pytest.approx(5.0)
    assert alert.raised_seconds == 5.75
    assert alert.ended_seconds == 11.0
    assert alert.peak_crying == 0.9


def test_shorter_than_the_minimum_wakes_nobody() -> None:
    night = Night()
    for _ in range(10):
        night.hear(0.95, 0.5).hear(0.05, 2)
    assert night.story() == []


def test_between_the_thresholds_nothing_starts_and_nothing_ends() -> None:
    assert Night().hear(0.5, 60).story() == []
    assert Night().hear(0.9, 2).hear(0.4, 15).story() == [("raised", 0.75)]


def test_a_breath_does_not_end_it() -> None:
    night = Night()
    for _ in range(10):
        night.hear(0.9, 1.5).hear(0.05, 3.0)
    assert night.story() == [("raised", 0.75), ("repeated", 22.75)]


def test_cool_down_holds_the_next_one_back_but_does_not_forget_it() -> None:
    brief = Night().hear(0.9, 2).hear(0.0, 6).hear(0.9, 3).hear(0.0, 20)
    assert brief.story() == [("raised", 0.75), ("ended", 6.0)]
    long = Night().hear(0.9, 2).hear(0.0, 6).hear(0.9, 12)
    assert long.story() == [("raised", 0.75), ("ended", 6.0), ("raised", 16.0)]
    assert long.events[-1][1].alert.began_seconds == pytest.approx(8.0)
    assert long.events[-1][1].alert.id == 2


def test_a_long_minimum_forgives_breath_and_still_needs_crying() -> None:
    crying = Night(minimum_seconds=10.0)
    for _ in range(12):
        crying.hear(0.9, 1.0).hear(0.05, 0.75)
    assert [change for change, _ in crying.story()][:1] == ["raised"]
    shouts = Night(minimum_seconds=10.0)
    for _ in range(12):
        shouts.hear(0.9, 1.0).hear(0.05, 4.0)
    assert shouts.story() == []


def test_it_is_repeated_while_it_lasts() -> None:
    night = Night().hear(0.9, 65)
    assert night.story() == [("raised", 0.75), ("repeated", 20.75), ("repeated", 40.75), ("repeated", 60.75)]
    assert all(event.alarms for _, event in night.events)


def test_it_is_closed_at_its_maximum_and_the_next_begins_at_once() -> None:
    night = Night(repeat_seconds=1000.0).hear(0.9, 110)
    assert night.story() == [("raised", 0.75), ("ended", 100.75), ("raised", 101.25)]


def test_snoozed_alerts_are_kept_and_owed() -> None:
    night = Night()
    night.policy.snoozed = True
    night.hear(0.9, 5)
    assert night.story() == [("raised", 0.75)]
    assert not night.events[0][1].alarms
    night.policy.snoozed = False
    night.hear(0.9, 1)
    assert night.story()[1:] == [("repeated", 5.25)]
    assert night.events[1][1].alarms


def test_what_was_snoozed_through_is_not_owed_when_it_is_over() -> None:
    night = Night()
    night.policy.snoozed = True
    night.hear(0.9, 5).hear(0.0, 8)
    night.policy.snoozed = False
    night.hear(0.0, 20)
    assert [change for change, _ in night.story()] == ["raised", "ended"]


def test_lost_sound_ends_it_and_the_next_cry_is_not_held_back() -> None:
    night = Night().hear(0.9, 3)
    (ended,) = night.policy.interrupt()
    assert ended.change is Change.ENDED
    assert ended.alert.ended_seconds == 3.0
    assert night.policy.interrupt() == []
    night.hear(0.9, 1)
    assert night.story()[-1][0] == "raised"


def test_reasons_and_peak_are_of_the_episode() -> None:
    night = Night().hear(0.9, 1, -20, hungry=0.6, pain=0.4).hear(0.9, 1, -10, hungry=0.2, pain=0.8).hear(0.1, 10, -50)
    alert = night.events[-1][1].alert
    assert alert.reasons == pytest.approx({"hungry": 0.4, "pain": 0.6})
    assert alert.peak_db == -10


def test_an_earlier_candidate_leaves_no_trace() -> None:
    night = Night().hear(0.9, 0.25, -1.0, hungry=1.0).hear(0.0, 2).hear(0.9, 5, -30, pain=1.0).hear(0, 5)
    alert = night.events[-1][1].alert
    assert alert.reasons == {"pain": 1.0}
    assert alert.peak_db == -30


@pytest.mark.parametrize(("minimum", "windows"), [(0.0, 1), (0.2, 2), (HOP, 2), (0.5, 3), (0.6, 4)])
def test_as_many_windows_as_are_told_raise_an_alert(minimum: float, windows: int) -> None:
    assert dataclasses.replace(RULES, minimum_seconds=minimum).windows_up(HOP) == windows
    assert not Night(minimum_seconds=minimum).hear(0.9, (windows - 1) * HOP).events
    assert len(Night(minimum_seconds=minimum).hear(0.9, windows * HOP).events) == 1


def test_what_lasts_counts_and_not_the_highest_peak() -> None:
    rules = dataclasses.replace(RULES, minimum_seconds=HOP)
    assert rules.held_up([0.1, 0.9, 0.2, 0.6, 0.7], HOP) == 0.6
    assert rules.held_up([0.4], HOP) == 0.4, "of a sound that is over before"


def test_the_rules_of_a_replay_are_those_of_fresh_settings() -> None:
    """A model is judged by the rules with which the program is delivered; only thresholds come from its card."""
    settings = AlertRules.from_settings(Settings())
    rules = AlertRules()
    assert replace(settings, start_threshold=0.0, end_threshold=0.0) == replace(
        rules, start_threshold=0.0, end_threshold=0.0
    )
