"""What the state line says of each activity, and how durations and reasons are put."""

from __future__ import annotations

import time

import pytest

from babymonitor.core.alerts.sensitivity import Rung
from babymonitor.core.model.scorer import Score
from babymonitor.core.state import Activity, MonitorState
from babymonitor.ui.parts.theme import Tone
from babymonitor.ui.parts.wording import duration_text, reason_hint, sensitivity_text, state_words

NOW = time.mktime((2026, 11, 21, 2, 30, 0, 0, 0, -1))


def score(level_db: float = -60.0, **shares: float) -> Score:
    probabilities = {"hungry": 0.0, "pain": 0.0, "tired": 0.0, "sad": 0.0, "happy": 0.0, "natural": 0.0}
    probabilities |= {"background": 0.0} | shares
    crying = sum(probabilities[name] for name in ("hungry", "pain", "tired", "sad"))
    reasons = {name: probabilities[name] / crying for name in ("hungry", "pain", "tired", "sad")} if crying else {}
    return Score(0, 0.0, crying, level_db, probabilities, reasons)


def words(activity: Activity, last_score: Score | None = None, **more: object) -> str:
    return state_words(MonitorState(activity, **more), last_score, NOW).text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("last_score", "sentence"),
    [
        (score(background=1.0), "Listening · quiet"),
        (score(background=1.0, level_db=-30.0), "Listening · some noise"),
        (score(natural=0.8, background=0.2), "Listening · babbling"),
        (score(happy=0.8, background=0.2), "Listening · laughing"),
        (None, "Listening"),
    ],
)
def test_listening_says_what_is_heard(last_score: Score | None, sentence: str) -> None:
    assert words(Activity.LISTENING, last_score) == sentence


def test_crying_says_how_long_and_perhaps_why() -> None:
    last_score = score(hungry=0.41, pain=0.2, tired=0.2, sad=0.19)
    assert words(Activity.CRYING, last_score, since=NOW - 24) == "Crying for 24 s — maybe hungry 41 %"
    unsure = score(hungry=0.36, pain=0.3, tired=0.34)
    assert words(Activity.CRYING, unsure, since=NOW - 84) == "Crying for 1 min 24 s — not sure why"


def test_faults_are_told_before_anything_else() -> None:
    unplugged = words(Activity.DEAF, detail="microphone unplugged, trying again", snoozed_until=NOW + 60)
    assert unplugged == "NOT LISTENING — microphone unplugged, trying again"
    assert words(Activity.MUTED).startswith("MUTED — ")
    assert words(Activity.MODEL_FAILED) == "The model has failed — loudness wakes you"
    for activity in Activity:
        tone = state_words(MonitorState(activity), None, NOW).tone
        assert (tone is Tone.FAULT) is activity.is_fault


def test_snooze_stop_start_and_loudness() -> None:
    assert words(Activity.LISTENING, snoozed_until=NOW + 600).startswith("Snoozed until 02:40")
    assert words(Activity.STOPPED).startswith("Stopped")
    assert words(Activity.STARTING).startswith("Starting…")
    assert words(Activity.LOUD, since=NOW - 12) == "Loud for 12 s — the model does not hear crying"
    failed = words(Activity.LOUD, since=NOW - 3, detail="The model x cannot be used.")
    assert failed == "Loud for 3 s — the model is silent"
    asleep = words(Activity.LOUD, since=NOW - 3, snoozed_until=NOW + 600)
    assert asleep == "Loud for 3 s — snoozed until 02:40 · the model does not hear crying"
    snoozed = words(Activity.CRYING, since=NOW - 3, snoozed_until=NOW + 600)
    assert snoozed == "Crying for 3 s — snoozed until 02:40"


def test_no_two_states_share_both_symbol_and_colour() -> None:
    looks = [state_words(MonitorState(activity), None, NOW) for activity in Activity]
    for look in looks:
        twins = [twin for twin in looks if twin.headline != look.headline and twin.symbol == look.symbol]
        assert all(twin.tone is look.tone for twin in twins)
    assert len({look.headline for look in looks}) == len(looks)


@pytest.mark.parametrize(
    ("reasons", "hint"),
    [
        ({}, ""),
        ({"hungry": 0.41, "pain": 0.2, "tired": 0.2, "sad": 0.19}, "maybe hungry 41 %"),
        ({"hungry": 0.39, "pain": 0.2, "tired": 0.2, "sad": 0.21}, "not sure why"),
        ({"hungry": 0.47, "pain": 0.4, "tired": 0.13}, "not sure why"),
        ({"sad": 0.8, "pain": 0.2}, "not sure why"),
    ],
)
def test_a_reason_is_a_hint_only_where_it_stands_out(reasons: dict[str, float], hint: str) -> None:
    assert reason_hint(reasons) == hint


@pytest.mark.parametrize(
    ("per_night", "hours", "caught", "delays", "sentence"),
    [
        (0.25, 400.0, 0.98, (1.2, 1.9),
         "About 1 false alarm in 4 nights, catches 98 of 100 cries, nearly always within 2 s."),
        (0.25, None, 0.98, (1.2, None),
         "About 1 false alarm in 4 nights, catches 98 of 100 cries, half of them within 2 s."),
        (0.0, 40.3, 0.9, (None, None), "No false alarm in the 40 hours it was tried on, catches 90 of 100 cries."),
        (0.0, None, 0.9, (None, None), "No false alarm in the nights it was tried on, catches 90 of 100 cries."),
        (0.0, 0.4, 0.004, (None, None), "No false alarm in the nights it was tried on, catches hardly any cry."),
        (0.6, 40.0, 1.0, (0.2, 0.6),
         "About 1 false alarm in 2 nights, caught every cry it was tried on, nearly always within 1 s."),
        (0.7, 40.0, 0.996, (None, None), "About 1 false alarm a night, catches more than 99 of 100 cries."),
        (1.4, 40.0, 0.5, (None, None), "About 1 false alarm a night, catches 50 of 100 cries."),
        (23.6, 40.0, 0.5, (None, None), "About 24 false alarms a night, catches 50 of 100 cries."),
    ],
)  # fmt: skip
def test_a_sensitivity_promises_no_more_than_was_measured(
    per_night: float, hours: float | None, caught: float, delays: tuple[float | None, float | None], sentence: str
) -> None:
    assert sensitivity_text(Rung(0.6, 0.3, True, per_night / 10, caught, *delays, hours)) == sentence


def test_what_was_not_measured_is_said_to_be_so() -> None:
    sentence = "Crying counts from 67 % on; how often that wakes you for nothing, and how many cries it misses, "
    assert sensitivity_text(Rung(0.67, 0.4)) == sentence + "was not measured for this model."


def test_durations() -> None:
    assert [duration_text(seconds) for seconds in (-1, 0, 59.9, 60, 185, 3600, 4805)] == [
        "0 s",
        "0 s",
        "59 s",
        "1 min 00 s",
        "3 min 05 s",
        "1 h 00 min",
        "1 h 20 min",
    ]
