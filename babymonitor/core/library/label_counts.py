"""What has been collected, against what training needs: per label, and as one sentence on what to record next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from babymonitor.core.labels import label as look_of

FEWEST_CLIPS, GOOD_CLIPS = 200, 500
"""Of each label: the least that training from the beginning wants, and what is good."""
FEWEST_GROUPS = 3
"""Recordings or nights of each label: training learns from some, and is judged by others."""
_NAMED = 3

Row = tuple[str, str, str, str, float, float]
"""Of a clip: label, group, baby, source, when it was recorded (Unix seconds), how long it is."""


@dataclass(frozen=True, slots=True)
class LabelHealth:
    """What there is of one label.

    nights: from noon to noon, in which any was recorded. groups: recordings or nights, which a split keeps whole.
    babies: different names. sources: clips by source. state: ``none``, ``few`` (below 200 clips, or from fewer than
    three groups, which cannot be trained with), ``enough``, ``good`` (500 and more).
    """

    label: str
    clips: int
    minutes: float
    nights: int
    babies: int
    sources: dict[str, int]
    state: str
    groups: int


def night_of(moment: float) -> str:
    """The evening's date of the night a moment (Unix seconds) falls into, local time: a night is not cut at twelve."""
    try:
        return f"{datetime.fromtimestamp(moment) - timedelta(hours=12):%Y-%m-%d}"
    except (OverflowError, OSError, ValueError):  # a file may bear any date
        return ""


def health(labels: Sequence[str], clips: Sequence[Row]) -> list[LabelHealth]:
    """One for each of the labels, in their order."""
    of_label: dict[str, list[Row]] = {name: [] for name in labels}
    for clip in clips:
        of_label.setdefault(clip[0], []).append(clip)
    return [_health(name, of_label[name]) for name in labels]


def _health(label: str, clips: Sequence[Row]) -> LabelHealth:
    groups = len({group for _, group, *_ in clips})
    quarters = {moment // 900.0 for *_, moment, _ in clips}  # all time zones differ by whole ones
    state = "none"
    if clips:
        is_enough = len(clips) >= FEWEST_CLIPS and groups >= FEWEST_GROUPS
        state = "good" if is_enough and len(clips) >= GOOD_CLIPS else "enough" if is_enough else "few"
    return LabelHealth(
        label=label,
        clips=len(clips),
        minutes=sum(seconds for *_, seconds in clips) / 60.0,
        nights=len({night_of(900.0 * quarter) for quarter in quarters}),
        babies=len({baby for _, _, baby, *_ in clips} - {""}),
        sources=dict(Counter(source for _, _, _, source, *_ in clips).most_common()),
        state=state,
        groups=groups,
    )


def advice(found: Sequence[LabelHealth], unlabelled: int) -> str:
    """One plain sentence on what to record next. unlabelled: how many clips wait for their label."""
    have = [one for one in found if one.clips]
    if not have:
        if unlabelled:
            return f"Give {_clips(unlabelled)} a label: nothing can be learnt from them yet."
        return "There is nothing yet: record your baby, import files, or take clips out of Nights."
    cries = [one for one in have if look_of(one.label).crying]
    if not cries:
        return "Record crying too: without any, a model cannot learn to tell it from the rest."
    if len(cries) == len(have):
        return "Record what is not crying too, such as babbling or the empty room: a model learns the difference."
    short = sorted((one for one in have if one.state == "few"), key=_need)
    if short:
        named = "; ".join(f"{_title(one)} ({_clips(one.clips)} from {_nights(one.nights)})" for one in short[:_NAMED])
        more = f" and {len(short) - _NAMED} more" if len(short) > _NAMED else ""
        if short[0].nights == 1:
            return (
                f"Record on other nights too: {named}{more}; what is known from one night only may hold for no other."
            )
        return f"Record more of: {named}{more}; training wants {FEWEST_CLIPS}, from several nights."
    missing = [one for one in found if not one.clips]
    if missing:
        return f"There is nothing yet of: {', '.join(map(_title, missing))}; of the others there is enough to train."
    better = sorted((one for one in have if one.state == "enough"), key=_need)
    if better:
        return f"There is enough to train; {GOOD_CLIPS} clips of each would be good, most of all {_title(better[0])}."
    return f"Nothing is wanting: there are {GOOD_CLIPS} clips of each label or more."


def _need(one: LabelHealth) -> tuple[int, str]:
    return one.clips, one.label


def _title(one: LabelHealth) -> str:
    return look_of(one.label).title.lower()


def _clips(count: int) -> str:
    return f"{count} clip{'s' * (count != 1)}"


def _nights(count: int) -> str:
    return f"{count} night{'s' * (count != 1)}"
