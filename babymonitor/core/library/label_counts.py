"""What has been collected, against what training needs: per label, and as one sentence on what to record next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce

from babymonitor.core.labels import label as look_of
from babymonitor.core.messages import Code, Message, message

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


def advice(found: Sequence[LabelHealth], unlabelled: int) -> Message:
    """One plain sentence on what to record next. unlabelled: how many clips wait for their label."""
    have = [one for one in found if one.clips]
    if not have:
        if unlabelled:
            if unlabelled == 1:
                return message(Code.ADVICE_LABEL_ONE_CLIP)
            return message(Code.ADVICE_LABEL_CLIPS, count=unlabelled)
        return message(Code.ADVICE_BEGIN)
    cries = [one for one in have if look_of(one.label).crying]
    if not cries:
        return message(Code.ADVICE_RECORD_CRYING)
    if len(cries) == len(have):
        return message(Code.ADVICE_RECORD_THE_REST)
    short = sorted((one for one in have if one.state == "few"), key=_need)
    if short:
        named = reduce(_listed, map(_counted, short[:_NAMED]))
        if len(short) > _NAMED:
            named = message(Code.ADVICE_AND_MORE, labels=named, count=len(short) - _NAMED)
        if short[0].nights == 1:
            return message(Code.ADVICE_MORE_NIGHTS, labels=named)
        return message(Code.ADVICE_MORE_CLIPS, labels=named, clips=FEWEST_CLIPS)
    missing = [one for one in found if not one.clips]
    if missing:
        return message(Code.ADVICE_MISSING_LABELS, labels=", ".join(map(_title, missing)))
    better = sorted((one for one in have if one.state == "enough"), key=_need)
    if better:
        return message(Code.ADVICE_ENOUGH, clips=GOOD_CLIPS, label=_title(better[0]))
    return message(Code.ADVICE_DONE, clips=GOOD_CLIPS)


def _need(one: LabelHealth) -> tuple[int, str]:
    return one.clips, one.label


def _title(one: LabelHealth) -> str:
    return look_of(one.label).title.lower()


def _counted(health: LabelHealth) -> Message:
    """``hungry (3 clips from 1 night)``"""
    clips = message(Code.ONE_CLIP) if health.clips == 1 else message(Code.SEVERAL_CLIPS, count=health.clips)
    nights = message(Code.ONE_NIGHT) if health.nights == 1 else message(Code.SEVERAL_NIGHTS, count=health.nights)
    return message(Code.ADVICE_LABEL_COUNT, label=_title(health), clips=clips, nights=nights)


def _listed(before: Message, item: Message) -> Message:
    return message(Code.LIST_ITEM, before=before, item=item)
