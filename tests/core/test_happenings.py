"""Happenings reach their listeners in order, whatever a listener does."""

from __future__ import annotations

import pytest

from babymonitor.core.happenings import Complaint, Happening, Outlet, to_all


def complaint(sentence: str) -> Complaint:
    return Complaint("", 0.0, sentence)


def test_what_a_listener_makes_happen_is_told_after_what_was_waiting() -> None:
    order: list[tuple[str, str]] = []

    def first(happening: Happening) -> None:
        assert isinstance(happening, Complaint)
        order.append(("first", happening.sentence))
        if happening.sentence == "one":
            outlet.add(complaint("three"))
            outlet.flush()

    def second(happening: Happening) -> None:
        assert isinstance(happening, Complaint)
        order.append(("second", happening.sentence))

    outlet = Outlet(to_all([first, second]))
    outlet.add(complaint("one"))
    outlet.add(complaint("two"))
    outlet.flush()
    sentences = ["one", "two", "three"]
    assert order == [(listener, sentence) for sentence in sentences for listener in ("first", "second")]


def test_a_listener_that_raises_loses_nothing_of_what_was_waiting() -> None:
    sentences: list[str] = []

    def raise_at_one(happening: Happening) -> None:
        assert isinstance(happening, Complaint)
        if happening.sentence == "one":
            raise RuntimeError("a listener failed")
        sentences.append(happening.sentence)

    outlet = Outlet(raise_at_one)
    outlet.add(complaint("one"))
    outlet.add(complaint("two"))
    with pytest.raises(RuntimeError):
        outlet.flush()
    outlet.flush()
    assert sentences == ["two"]
