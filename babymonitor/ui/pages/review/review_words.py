"""How the review words an episode, an answer, and the week when nothing is left to ask."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from babymonitor.core.history.history import RIGHT, UNSURE, WRONG
from babymonitor.core.history.review import LOUD, Episode, Mark
from babymonitor.ui.parts.theme import Tone
from babymonitor.ui.parts.wording import (
    StateWords,
    clock_text,
    day_text,
    duration_text,
    label_title,
    level_text,
    percent_text,
    reason_hint,
    translated,
)

_NEAR = 0.05
"""This close to the threshold the model might just as well have decided the other way."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("Review", text)


def episode_words(episode: Episode, threshold: float) -> StateWords:
    """Return what the monitor did and heard. threshold: the P(crying) from which it wakes somebody."""
    clock = clock_text(episode.began)
    if episode.is_near_miss:
        headline, symbol = _tr("Let you sleep at {time}"), "moon"
    elif episode.kind == LOUD:
        headline, symbol = _tr("Woke you at {time}: loud"), "bell"
    else:
        headline, symbol = _tr("Woke you at {time}: crying"), "crying"
    parts = [day_text(episode.began), duration_text((episode.ended or episode.began) - episode.began)]
    parts.append(level_text(episode.peak_db))
    if episode.kind != LOUD:
        parts.append(_certainty_text(episode, threshold))
    if not episode.is_near_miss:
        parts.append(reason_hint(episode.reasons))
    # Never in the colour of crying, which is for what happens now.
    return StateWords(headline.format(time=clock), " · ".join(part for part in parts if part), Tone.IDLE, symbol)


def _certainty_text(episode: Episode, threshold: float) -> str:
    share = percent_text(episode.peak_crying)
    if episode.certainty(threshold) <= _NEAR:
        return _tr("{share} crying, wakes you from {threshold}").format(share=share, threshold=percent_text(threshold))
    return _tr("{share} crying").format(share=share)


def answer_text(mark: Mark) -> str:
    """Return the answer that was just given, and what became of it."""
    sentences = {RIGHT: _tr("{time}: right."), WRONG: _tr("{time}: wrong."), UNSURE: _tr("{time}: not sure.")}
    words = sentences[mark.after.verdict or UNSURE].format(time=clock_text(mark.after.began))
    if mark.sentence:
        return f"{words} {translated(mark.sentence)}"
    if mark.clip_id and mark.after.label:
        return f"{words} " + _tr("In the library as: {label}.").format(label=label_title(mark.after.label))
    if mark.clip_id:
        return f"{words} " + _tr("In the library, without a label yet.")
    return words


def precision_text(right: int, wrong: int) -> str:
    """Return how many of the week's alerts for crying were right."""
    if right + wrong == 0:
        return _tr("No alert of this week has been said to be right or wrong yet.")
    if right + wrong == 1:
        return (
            _tr("This week the one reviewed alert was right.")
            if right
            else _tr("This week the one reviewed alert was wrong.")
        )
    return _tr("Precision this week: {right} of {all} alerts were right.").format(right=right, all=right + wrong)


def end_text(episodes: list[Episode], is_week: bool) -> str:
    """Return why there is nothing to ask: all is reviewed, or nothing happened."""
    if any(episode.verdict is not None for episode in episodes):
        return _tr("All of this week is reviewed.") if is_week else _tr("All of last night is reviewed.")
    if episodes:
        return _tr("An alert lasts still. It comes here when it is over.")
    if is_week:
        return _tr("Nothing to review: nothing woke you this week, and nothing came close.")
    return _tr("Nothing to review: nothing woke you last night, and nothing came close.")
