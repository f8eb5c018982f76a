"""The model's guess about a clip, in words and as a label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from babymonitor.core.labels import UNCLEAR, label
from babymonitor.ui.parts.wording import label_title, percent_text, reason_hint, sure_reason

_CRYING_SHARE = 0.5
"""From here on a guess is called crying; the alarm's threshold is about waking people, not about words."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """label: what the model would call the clip. words: such as "crying 93 %, maybe hungry 41 %"."""

    label: str
    words: str


def suggestion(probabilities: Mapping[str, float]) -> Suggestion | None:
    """Return what a model makes of a sound; None if there are no probabilities."""
    if not probabilities:
        return None
    crying = {name: share for name, share in probabilities.items() if label(name).crying}
    total = sum(crying.values())
    if total < _CRYING_SHARE:
        no_crying = {name: share for name, share in probabilities.items() if name not in crying} or dict(probabilities)
        name = max(no_crying, key=lambda name: no_crying[name])
        return Suggestion(name, f"{label_title(name).lower()} {percent_text(no_crying[name])}")
    reasons = {name: share / total for name, share in crying.items()}
    word = QCoreApplication.translate("Wording", "Crying").lower()
    return Suggestion(_reason(reasons), f"{word} {percent_text(min(1.0, total))}, {reason_hint(reasons)}")


def _reason(reasons: Mapping[str, float]) -> str:
    """Return the reason if it is clear, otherwise the label for an unclear reason, if the model has that."""
    unclear = UNCLEAR if UNCLEAR in reasons else max(reasons, key=lambda name: reasons[name])
    return sure_reason(reasons) or unclear
