"""Evidence over time: what speaks for crying and what against it, what is read from a card, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from plain_evidence import evidence

from babymonitor.core.model.evidence import BEFORE, LIMIT, WINDOWS, Evidence, crying_inputs, log_odds, sound_inputs


def history(*crying: float, sounds: tuple[float, ...] = ()) -> np.ndarray:
    return np.array([[value, *sounds] for value in crying], np.float32)


def test_crying_is_asked_of_now_of_some_of_the_last_windows_and_of_their_mean() -> None:
    inputs = crying_inputs(np.array([8, 4, 2, 0], np.float32))
    assert inputs[3].tolist() == [0, 4, 2, 0, 3.5, 3.5]
    assert inputs[0].tolist() == [8, BEFORE, BEFORE, BEFORE, 8, 8], "of the time before nothing is known"


def test_other_sounds_count_by_their_mean_and_not_where_they_are_inaudible() -> None:
    inputs = sound_inputs(np.array([[0, -9], [0, -9], [0, -9], [4, -9], [4, 0]], np.float32))
    assert inputs.shape == (5, 2, 2)
    assert inputs[4].tolist() == [[6.0, 0.0], [5.6, 0.0]], "over the last four, and over all there are"


def test_a_cry_that_goes_on_is_more_than_a_shriek() -> None:
    shriek = history(-6, -6, -6, -6, -6, -6, 5, 5)
    cry = history(-6, 5, 5, -1, -1, 5, 5, -1)
    assert evidence()(shriek) < 0.05
    assert evidence()(cry) > 0.9


def test_what_else_sounds_speaks_against_it() -> None:
    weighing = evidence(1, crying=(1, 0, 0, 0, 0, 0), against=0.5)
    alone, with_a_cat = (weighing(history(2, 2, sounds=(cat,))) for cat in (-9.0, 3.0))
    assert alone == pytest.approx(1 / (1 + np.exp(-2)))
    assert with_a_cat == pytest.approx(1 / (1 + np.exp(5)))


def test_it_survives_the_card_and_forgets_what_is_long_past() -> None:
    original = evidence(3, crying=(0.5, 0.1, 0.1, 0.2, 0.3, 0.2), against=0.1)
    read = Evidence.from_dict(original.to_dict(), 3)
    rows = np.random.default_rng(0).normal(0, 3, (40, 4)).astype(np.float32)
    assert read(rows) == original(rows) == original(rows[-WINDOWS:])
    assert [original(rows[: end + 1]) for end in range(40)] == pytest.approx(original.of_windows(rows), abs=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"crying": []},
        {"crying": [1.0] * 5},
        {"crying": [0.0] * 6},
        {"crying": [-1.0] * 6},
        {"crying": [float("inf")] * 6},
        {"crying": "text"},
        {"sounds": [[1.0]]},
        {"sounds": [[-1.0] * 2] * 2},
        {"offset": float("nan")},
    ],
)
def test_weights_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Evidence.from_dict({**evidence(2).to_dict(), **changes}, 2)
    with pytest.raises(ValueError, match="reshape"):
        Evidence.from_dict(evidence(2).to_dict(), 3)


def test_certainty_has_limits() -> None:
    assert log_odds(0.0) == pytest.approx(-LIMIT)
    assert log_odds(1.0) == pytest.approx(LIMIT)
    assert log_odds(0.5) == 0.0
