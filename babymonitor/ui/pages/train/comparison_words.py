"""What a comparison of two models means, in words for tired people: the outcome first, then each figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QCoreApplication

from babymonitor.ui.parts.theme import Tone
from babymonitor.ui.parts.wording import label_title, percent_text

_SAME = 0.005
"""Balanced accuracies that differ by less count as the same."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("Comparison", text)


@dataclass(frozen=True, slots=True)
class ComparisonOutcome:
    """headline: one sentence. tone, symbol: its look. details: a sentence on each figure."""

    headline: str
    tone: Tone
    symbol: str
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """value: of the new model. before: of the present model. title: what it counts. words: a sentence on both."""

    value: str
    before: str
    title: str
    words: str


def outcome_of(comparison: dict[str, Any]) -> ComparisonOutcome:
    """Return the outcome of a comparison, as `core.training_runs.read_comparison` gives it."""
    cries, no_cries = comparison["cries"], comparison["others"]
    caught, woke = cries["new_caught"] - cries["old_caught"], no_cries["old_woke"] - no_cries["new_woke"]
    learnt = _accuracy_gain(comparison)
    parts = [_woke_words(woke)] if woke else []
    parts.append(_caught_words(caught) if cries["clips"] else _tr("there is no cry to judge it by"))
    if learnt >= _SAME:
        parts.append(_tr("it tells your sounds apart better"))
    elif learnt <= -_SAME:
        parts.append(_tr("it tells your sounds apart less well"))
    words = ", ".join(parts)
    gains, losses = max(caught, woke) > 0 or learnt >= _SAME, min(caught, woke) < 0 or learnt <= -_SAME
    sentences = [*(figure.words for figure in figures_of(comparison)), str(comparison.get("how", ""))]
    # A number and its unit stay on one line.
    details = tuple(sentence.replace(" %", "\u00a0%") for sentence in sentences if sentence)
    if comparison["refused"]:
        return ComparisonOutcome(
            _tr("Better not: {reason}").format(reason=comparison["refused"]), Tone.FAULT, "fault", details
        )
    if gains and losses:
        return ComparisonOutcome(_tr("Better in part: {words}.").format(words=words), Tone.IDLE, "starting", details)
    if losses:
        return ComparisonOutcome(_tr("Worse: {words}.").format(words=words), Tone.FAULT, "fault", details)
    if gains:
        return ComparisonOutcome(_tr("Better for your baby: {words}.").format(words=words), Tone.CALM, "check", details)
    return ComparisonOutcome(_tr("About the same: {words}.").format(words=words), Tone.IDLE, "check", details)


def _accuracy_gain(comparison: dict[str, Any]) -> float:
    both = comparison.get("balanced_accuracy") or {}
    old, new = (both.get(which, {}).get("value") for which in ("old", "new"))
    return 0.0 if old is None or new is None else float(new) - float(old)


def _caught_words(more: int) -> str:
    if more == 0:
        return _tr("no cry lost")
    if more > 0:
        return _tr("1 more cry caught") if more == 1 else _tr("{n} more cries caught").format(n=more)
    return _tr("1 cry lost") if more == -1 else _tr("{n} cries lost").format(n=-more)


def _woke_words(fewer: int) -> str:
    if fewer > 0:
        return _tr("1 false alarm less") if fewer == 1 else _tr("{n} fewer false alarms").format(n=fewer)
    return _tr("1 false alarm more") if fewer == -1 else _tr("{n} more false alarms").format(n=-fewer)


def figures_of(comparison: dict[str, Any]) -> list[Figure]:
    """Return the figures that matter, the weightiest first."""
    figures = [_cries(comparison["cries"]), _alarms(comparison["others"], comparison.get("false_alarms_per_night"))]
    both = comparison.get("balanced_accuracy") or {}
    values = [both.get(which, {}).get("value") for which in ("old", "new")]
    if None not in values:
        old, new = (percent_text(value) for value in values)
        text = _tr("Of each of your labels it names {new} rightly; the present model {old}.").format(new=new, old=old)
        low, high = both["new"].get("low"), both["new"].get("high")
        if low is not None and high is not None and percent_text(low) != percent_text(high):
            span = (percent_text(low), percent_text(high))
            text += " " + _tr("With so few recordings that may be {low} to {high}.").format(low=span[0], high=span[1])
        figures.append(Figure(new, _was(old), _tr("labels named rightly"), text))
    everyone = comparison.get("everyone_else")
    if everyone and everyone.get("new_found") is not None:
        figures.append(_everyone(everyone))
    return figures


def _was(text: str) -> str:
    return _tr("was {value}").format(value=text)


def _cries(cries: dict[str, Any]) -> Figure:
    if not cries["clips"]:
        text = _tr("There is no clip of crying among yours, so whether it still catches your baby is not known.")
        return Figure("–", "", _tr("cries caught"), text)
    words = _tr("Of {clips} of crying it catches {new}; the present model catches {old}.")
    text = words.format(clips=_clips(cries["clips"]), new=cries["new_caught"], old=cries["old_caught"])
    value = _tr("{n} of {of}").format(n=cries["new_caught"], of=cries["clips"])
    return Figure(value, _was(str(cries["old_caught"])), _tr("cries caught"), text)


def _alarms(no_cries: dict[str, Any], nightly: dict[str, Any] | None) -> Figure:
    if not no_cries["clips"]:
        text = _tr("There is no clip without crying among yours, so false alarms could not be counted.")
        return Figure("–", "", _tr("false alarms"), text)
    words = _tr("Of {clips} without crying {new} would wake you; with the present model {old}.")
    text = words.format(clips=_clips(no_cries["clips"]), new=no_cries["new_woke"], old=no_cries["old_woke"])
    if nightly:
        more = _tr("In {nights} that is {new} false alarms a night; with the present model {old}.")
        text += " " + more.format(
            nights=_tr("1 night") if nightly["nights"] == 1 else _tr("{n} nights").format(n=nightly["nights"]),
            new=f"{nightly['new']:.2g}",
            old=f"{nightly['old']:.2g}",
        )
    value = _tr("{n} of {of}").format(n=no_cries["new_woke"], of=no_cries["clips"])
    return Figure(value, _was(str(no_cries["old_woke"])), _tr("false alarms"), text)


def _everyone(comparison: dict[str, Any]) -> Figure:
    new = percent_text(comparison["new_found"])
    if comparison.get("old_found") is None:
        return Figure(new, "", _tr("other babies’ cries"), _tr("Of other babies’ cries it finds {n}.").format(n=new))
    old = percent_text(comparison["old_found"])
    text = _tr("Of {n} cries of other babies it finds {new}; the present model {old}.").format(
        n=comparison["cries"], new=new, old=old
    )
    raised = comparison.get("others_raised_new")
    if raised is not None and comparison.get("others_raised_old") is not None:
        more = _tr("It takes {new} of other homes’ sounds for crying; the present model {old}.")
        text += " " + more.format(new=f"{100 * raised:.1f} %", old=f"{100 * comparison['others_raised_old']:.1f} %")
    return Figure(new, _was(old), _tr("other babies’ cries found"), text)


def _clips(count: int) -> str:
    return _tr("1 clip") if count == 1 else _tr("{n} clips").format(n=count)


def clip_words(clip: dict[str, Any]) -> str:
    """Return what both models say about one clip."""
    words = _tr("it is {truth}; the present model says {old}, the new one {new}")
    return words.format(truth=label_title(clip["label"]).lower(), old=_answer(clip["old"]), new=_answer(clip["new"]))


def _answer(answer: dict[str, Any]) -> str:
    title = label_title(answer["label"]).lower()
    text = f"{title} {percent_text(answer['probabilities'].get(answer['label'], 0.0))}"
    return _tr("{answer} and wakes you").format(answer=text) if answer["wakes"] else text
