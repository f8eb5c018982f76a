"""Whole groups on the sides of a split: each label on each side, wherever that is possible."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from babymonitor.core.group_split import covering, joined

SIDES = ("train", "validation", "test")
SHARES = {"sad": 0.5, "hungry": 0.4, "pain": 0.2, "tired": 0.3, "natural": 0.4, "background": 0.6}


def covers(groups: dict[str, set[str]], placed: dict[str, str], sides: tuple[str, ...]) -> bool:
    return all(
        {placed[group] for group, labels in groups.items() if label in labels and group in placed} == set(sides)
        for label in set().union(*groups.values())
    )


@given(
    st.dictionaries(st.text("abcdefgh", min_size=1), st.sets(st.sampled_from("vwxyz"), min_size=1), max_size=30),
    st.integers(1, 3),
)
@settings(max_examples=100, deadline=None)
def test_each_label_is_on_each_side_or_there_are_none(groups: dict[str, set[str]], count: int) -> None:
    placed = covering(groups, SIDES[:count])
    assert not placed or covers(groups, placed, SIDES[:count])
    assert placed == covering(dict(reversed(groups.items())), SIDES[:count]), "in whatever order they are told"


@pytest.mark.parametrize("nights", [5, 6, 20, 80])
def test_a_familys_nights_find_their_sides_wherever_there_are_any(nights: int) -> None:
    """Labels as frequent as in a library: the rare ones are of the same nights as the frequent ones."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        groups = {f"{at}": {label for label, share in SHARES.items() if rng.random() < share} for at in range(nights)}
        often = {label for label in SHARES if sum(label in labels for labels in groups.values()) >= 3}
        groups = {group: labels & often for group, labels in groups.items()}
        if often and not covering(groups, SIDES):
            assert nights < 10
            ways = product(SIDES, repeat=nights)
            assert not any(covers(groups, dict(zip(groups, way, strict=True)), SIDES) for way in ways)


def test_what_is_given_stays() -> None:
    groups = {"a": {"x"}, "b": {"x"}, "c": {"x"}}
    assert covering(groups, SIDES, {"b": "test"})["b"] == "test"
    assert covering(groups, SIDES, {"a": "test", "b": "test"}) == {}


def test_groups_with_sound_in_common_are_one() -> None:
    intervals = [
        ("recording-a", 0.0, 60.0),
        ("recording-a", 60.0, 90.0),
        ("night", 85.0, 100.0),
        ("recording-b", 99.0, 120.0),
        ("recording-c", 200.0, 210.0),
        ("long", 1000.0, 2000.0),
        ("inside", 1100.0, 1101.0),
        ("inside too", 1900.0, 1901.0),
    ]
    expected = {
        "recording-a": "night", "night": "night", "recording-b": "night", "recording-c": "recording-c",
        "long": "inside", "inside": "inside", "inside too": "inside",
    }  # fmt: skip
    assert joined(intervals) == joined(reversed(intervals)) == expected
    assert joined([]) == {}
