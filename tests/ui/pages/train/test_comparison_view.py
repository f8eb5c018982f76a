"""Old against new: what is shown first, what a refusal asks, and what is played."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from babymonitor.live.monitor import Monitor
from babymonitor.ui.pages.train.comparison_view import ComparisonView
from babymonitor.ui.pages.train.comparison_words import figures_of, outcome_of
from babymonitor.ui.parts.theme import THEMES, Tone, apply_theme

LABELS = ["hungry", "pain", "background"]


def clip(name: str, label: str, old: str, new: str, old_wakes: bool, new_wakes: bool) -> dict[str, Any]:
    def answer_of(answer: str, wakes: bool) -> dict[str, Any]:
        shares = {label: 0.8 if label == answer else 0.1 for label in LABELS}
        return {"label": answer, "crying": 1 - shares["background"], "wakes": wakes, "probabilities": shares}

    both = {"old": answer_of(old, old_wakes), "new": answer_of(new, new_wakes)}
    return {"path": f"/clips/{name}.flac", "group": "night-1", "label": label, "seconds": 4.0, **both}


def comparison(**changes: Any) -> dict[str, Any]:
    """Return a comparison in which two clips of the cat wake nobody any more."""
    row = {"precision": 1.0, "recall": 0.5, "f1": 0.667, "items": 2}
    values: dict[str, Any] = {
        "format": 1,
        "old": {"name": "Default", "path": "a"},
        "new": {"name": "Default, taught", "path": "b"},
        "how": "Each clip was judged by a model taught without its recording.",
        "labels": LABELS,
        "clips": [
            clip("cry", "hungry", "hungry", "hungry", True, True),
            clip("cat", "background", "pain", "background", True, False),
            clip("cats", "background", "pain", "background", True, False),
        ],
        "confusion": {"old": [[1, 0, 0], [0, 0, 0], [0, 2, 0]], "new": [[1, 0, 0], [0, 0, 0], [0, 0, 2]]},
        "per_label": {
            "old": [{"label": label, **row, "items": n} for label, n in zip(LABELS, (1, 0, 2), strict=True)],
            "new": [
                {"label": label, **row, "f1": None, "items": n} for label, n in zip(LABELS, (1, 0, 2), strict=True)
            ],
        },
        "balanced_accuracy": {
            "old": {"value": 0.5, "low": None, "high": None},
            "new": {"value": 1.0, "low": None, "high": None},
        },
        "cries": {"clips": 1, "groups": 1, "old_caught": 1, "new_caught": 1},
        "others": {"clips": 2, "groups": 1, "old_woke": 2, "new_woke": 0},
        "false_alarms_per_night": {"nights": 1, "old": 2.0, "new": 0.0},
        "everyone_else": {
            "cries": 68, "groups": 10, "old_found": 0.87, "new_found": 0.87, "low": 0.0, "high": 0.0,
            "others_raised_old": 0.0, "others_raised_new": 0.005,
        },
        "roc": {"old": [[0, 0], [1, 1]], "new": [[0, 0], [0, 1], [1, 1]]},
        "worst": [2, 1, 0],
        "refused": "",
    }  # fmt: skip
    values = copy.deepcopy(values)
    for name, value in changes.items():
        is_merged = isinstance(value, dict) and isinstance(values[name], dict)
        values[name] = {**values[name], **value} if is_merged else value
    return values


@pytest.mark.parametrize(
    ("changes", "headline", "tone"),
    [
        ({}, "Better for your baby: 2 fewer false alarms, no cry lost, it tells your sounds apart better.", Tone.CALM),
        (
            {
                "others": {"new_woke": 1},
                "cries": {"clips": 3, "new_caught": 2},
                "balanced_accuracy": {"old": {"value": 1}},
            },
            "Better for your baby: 1 false alarm less, 1 more cry caught.",
            Tone.CALM,
        ),
        (
            {"others": {"new_woke": 2}, "balanced_accuracy": {"old": {"value": 1.0}}},
            "About the same: no cry lost.",
            Tone.IDLE,
        ),
        (
            {"others": {"new_woke": 5}, "balanced_accuracy": {"old": {"value": 1.0}}},
            "Worse: 3 more false alarms, no cry lost.",
            Tone.FAULT,
        ),
        (
            {"others": {"new_woke": 3}},
            "Better in part: 1 false alarm more, no cry lost, it tells your sounds apart better.",
            Tone.IDLE,
        ),
        (
            {"cries": {"clips": 0, "old_caught": 0, "new_caught": 0}},
            "Better for your baby: 2 fewer false alarms, there is no cry to judge it by, it tells your sounds apart "
            "better.",
            Tone.CALM,
        ),
        ({"refused": "It loses cries."}, "Better not: It loses cries.", Tone.FAULT),
    ],
)
def test_the_verdict_is_one_sentence(changes: dict[str, Any], headline: str, tone: Tone) -> None:
    outcome = outcome_of(comparison(**changes))
    assert (outcome.headline, outcome.tone) == (headline, tone)


def test_each_number_is_said_in_words() -> None:
    figures = figures_of(comparison())
    assert [figure.value for figure in figures] == ["1 of 1", "0 of 2", "100 %", "87 %"]
    words = [figure.words for figure in figures]
    assert words[0] == "Of 1 clip of crying it catches 1; the present model catches 1."
    assert words[1].endswith("In 1 night that is 0 false alarms a night; with the present model 2.")
    assert words[3].endswith("It takes 0.5 % of other homes’ sounds for crying; the present model 0.0 %.")
    bare = comparison(everyone_else=None, false_alarms_per_night=None, others={"clips": 0})
    assert [figure.value for figure in figures_of(bare)] == ["1 of 1", "–", "100 %"]


@pytest.fixture
def view(monitor: Monitor, qtbot: QtBot) -> ComparisonView:
    view = ComparisonView(monitor)
    qtbot.addWidget(view)
    view.resize(900, 600)
    view.show()
    view.show_comparison(comparison())
    view.show_use(False, False)
    return view


def test_it_is_shown_whole_in_every_theme(view: ComparisonView, qapp: QApplication) -> None:
    for theme in THEMES.values():
        apply_theme(qapp, theme)
        assert not view.grab().isNull()
    assert view.outcome_view.accessibleName().startswith("Better for your baby")
    assert view.old_matrix.accessible_text() == "Hungry was taken for: Hungry 1; No baby was taken for: Pain 2"
    assert view.new_matrix.accessible_text() == "Hungry was taken for: Hungry 1; No baby was taken for: No baby 2"


def test_a_clip_is_played_and_stopped(view: ComparisonView, monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    played: list[Path] = []
    monkeypatch.setattr(monitor, "play", played.append)
    first = next(iter(view._play_buttons))
    first.click()
    assert played == [Path("/clips/cats.flac")]
    monitor.playback_changed.emit("/clips/cats.flac")
    assert [button.text() for button in view._play_buttons] == ["Stop", "Play", "Play"]
    monitor.playback_changed.emit("")
    assert first.text() == "Play"


def test_a_good_model_is_used_at_one_press(view: ComparisonView, qtbot: QtBot) -> None:
    with qtbot.waitSignal(view.use_requested):
        view.use_button.click()


@pytest.mark.parametrize("answer", ["Keep the present model", "Use it all the same"])
def test_a_refused_one_only_on_insisting(view: ComparisonView, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    view.show_comparison(comparison(refused="It would catch 1 of your 2 clips of crying; the present model 2."))
    asked: list[str] = []
    wanted: list[bool] = []

    def press(box: QMessageBox) -> None:
        asked.append(box.text())
        assert box.defaultButton().text() == "Keep the present model"
        next(button for button in box.buttons() if button.text() == answer).click()

    monkeypatch.setattr(QMessageBox, "exec", press)
    view.use_requested.connect(lambda: wanted.append(True))
    assert view.use_button.text() == "Use it all the same…"
    view.use_button.click()
    assert asked[0].startswith("It would catch 1 of your 2")
    assert wanted == ([True] if answer == "Use it all the same" else [])
