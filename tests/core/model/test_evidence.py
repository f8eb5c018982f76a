"""Evidence over time: what is summarised, what is read from a card, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from plain_evidence import SPANS, evidence

from babymonitor.core.model.evidence import LIMIT, Evidence, log_odds, summary


def test_a_summary_holds_the_newest_window_and_the_mean_and_highest_of_each_span() -> None:
    history = np.array([[8.0, 0.0], [4.0, 1.0], [2.0, 2.0], [0.0, 3.0]], np.float32)
    assert summary(history, SPANS).tolist() == [0, 3, 1, 2.5, 2, 3, 3.5, 1.5, 8, 3]


def test_at_the_beginning_a_span_is_as_long_as_the_sound() -> None:
    assert summary(np.array([[3.0]], np.float32), SPANS).tolist() == [3, 3, 3, 3, 3]


def test_a_cry_that_goes_on_is_more_than_a_shriek() -> None:
    shriek = np.array([[-6.0], [-6.0], [-6.0], [4.0]], np.float32)
    cry = np.array([[4.0], [4.0], [-1.0], [4.0]], np.float32)
    assert evidence()(shriek) < 0.05
    assert evidence()(cry) > 0.9


def test_it_survives_the_card() -> None:
    original = evidence(3)
    read = Evidence.from_dict(original.to_dict(), 3)
    history = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    assert read(history) == original(history)
    assert read.windows == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"spans": []},
        {"spans": [2, 4]},
        {"spans": [1, 10**9]},
        {"output": [1.0, 2.0]},
        {"centre": [0.0]},
        {"offset": float("nan")},
        {"scale": [0.0] * 5},
        {"hidden": [[float("inf")]] * 5},
        {"hidden": "text"},
    ],
)
def test_weights_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Evidence.from_dict({**evidence().to_dict(), **changes}, 1)
    with pytest.raises(ValueError, match="evidence"):
        Evidence.from_dict(evidence().to_dict(), 2)


def test_certainty_has_limits() -> None:
    assert log_odds(0.0) == pytest.approx(-LIMIT)
    assert log_odds(1.0) == pytest.approx(LIMIT)
    assert log_odds(0.5) == 0.0
