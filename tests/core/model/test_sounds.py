"""What else a model hears: what is named, what no baby is called, and what is worth telling of a night."""

from __future__ import annotations

from babymonitor.core.model.scorer import Score
from babymonitor.core.model.sounds import background_title, likeliest, likely, other_sound, title, worth_telling


def a_score(sounds: dict[str, float], **shares: float) -> Score:
    return Score(16000, 1.0, 0.0, -30.0, shares, sounds=sounds)


def test_the_likeliest_sound_is_named_where_it_is_likely_enough() -> None:
    sounds = {"whimper": 0.9, "music": 0.4, "dog": 0.7, "cat": 0.1}
    assert likeliest(sounds) == "dog"
    assert list(likely(sounds).items()) == [("dog", 0.7), ("music", 0.4)], "a whimper is evidence and no other sound"
    assert likeliest({"dog": 0.2, "whimper": 0.9}) == ""
    assert likely({}) == {}
    assert likely({"animal": 0.87, "dog": 0.86}) == {"dog": 0.86}, "that it is an animal, too, says less"
    assert likely({"animal": 0.87, "dog": 0.2}) == {"animal": 0.87}


def test_what_is_no_baby_is_named_only_where_no_baby_is_heard() -> None:
    assert other_sound(a_score({"dog": 0.8}, background=0.9, natural=0.1)) == "dog"
    assert other_sound(a_score({"dog": 0.1}, background=0.9, natural=0.1)) == ""
    assert other_sound(a_score({"dog": 0.8}, background=0.1, natural=0.9)) is None
    assert other_sound(a_score({"babbling": 0.8}, background=0.9, natural=0.1)) is None
    assert other_sound(a_score({}, background=0.9, natural=0.1)) is None, "the model names no sounds"
    assert other_sound(a_score({"dog": 0.8})) is None, "no model was asked"


def test_titles() -> None:
    assert background_title("dog") == "No baby: a dog"
    assert background_title("quiet") == "Quiet"
    assert background_title("") == "Other sounds"
    assert title("music") == "Music"
    assert title("something new") == "Other sounds"


def test_worth_telling_is_what_lasted_and_has_a_name() -> None:
    seconds = {"": 900.0, "quiet": 9000.0, "dog": 30.0, "music": 300.0, "cat": 3.0, "wail": 50.0}
    assert list(worth_telling(seconds, 5.0).items()) == [("music", 300.0), ("dog", 30.0)]
    assert list(worth_telling(seconds)) == ["music", "dog", "cat"]
