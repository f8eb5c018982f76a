"""The model's guess about a clip, in words and as a label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from babymonitor.core.labels import label
from babymonitor.ui.parts.wording import SURE_MARGIN, SURE_SHARE, label_title, percent_text, reason_hint

_CRYING_SHARE = 0.5
"""From here on a guess is called crying; the alarm's threshold is about waking people, not about words."""
_UNCLEAR = "sad"


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
    """Return the likeliest reason if `reason_hint` would name it, otherwise the label for an unclear reason."""
    ranked = sorted(reasons.items(), key=lambda item: item[1], reverse=True)
    name, share = ranked[0]
    margin = share - (ranked[1][1] if len(ranked) > 1 else 0.0)
    is_sure = share >= SURE_SHARE and margin >= SURE_MARGIN
    return name if is_sure or _UNCLEAR not in reasons else _UNCLEAR
