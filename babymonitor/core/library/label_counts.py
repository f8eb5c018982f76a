"""Counts per label against what training needs, and a sentence on what to record next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce

from babymonitor.core.labels import label as look_of
from babymonitor.core.messages import Code, Message, message

FEWEST_CLIPS, GOOD_CLIPS = 200, 500
"""Per label: the minimum for training from scratch, and a good number."""
FEWEST_GROUPS = 3
"""The minimum of recordings or nights per label, as training and testing need different ones."""
_NAMED = 3

Row = tuple[str, str, str, str, float, float]
"""Of a clip: label, group, baby, source, time of recording (Unix seconds), duration (seconds)."""


@dataclass(frozen=True, slots=True)
class LabelHealth:
    """The counts of a label.

    nights: number of nights (noon to noon) with clips. groups: recordings or nights, which a split does not divide.
    babies: number of different names. sources: clips by source. state: ``none``, ``few`` (below 200 clips or three
    groups, too few to train with), ``enough``, ``good`` (500 and more).
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
    """The date of the evening of the night that contains a moment (Unix seconds), local time."""
    try:
        return f"{datetime.fromtimestamp(moment) - timedelta(hours=12):%Y-%m-%d}"
    except (OverflowError, OSError, ValueError):  # a file may have any date
        return ""


def health(labels: Sequence[str], clips: Sequence[Row]) -> list[LabelHealth]:
    """The counts of each label, in the order of `labels`."""
    of_label: dict[str, list[Row]] = {name: [] for name in labels}
    for clip in clips:
        of_label.setdefault(clip[0], []).append(clip)
    return [_health(name, of_label[name]) for name in labels]


def _health(label: str, clips: Sequence[Row]) -> LabelHealth:
    groups = len({group for _, group, *_ in clips})
    quarters = {moment // 900.0 for *_, moment, _ in clips}  # time zones differ by multiples of 15 minutes
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


def advice(healths: Sequence[LabelHealth], unlabelled: int) -> Message:
    """A sentence on what to record next. unlabelled: the number of clips without a label."""
    present = [health for health in healths if health.clips]
    if not present:
        if unlabelled:
            if unlabelled == 1:
                return message(Code.ADVICE_LABEL_ONE_CLIP)
            return message(Code.ADVICE_LABEL_CLIPS, count=unlabelled)
        return message(Code.ADVICE_BEGIN)
    cries = [health for health in present if look_of(health.label).crying]
    if not cries:
        return message(Code.ADVICE_RECORD_CRYING)
    if len(cries) == len(present):
        return message(Code.ADVICE_RECORD_THE_REST)
    few = sorted((health for health in present if health.state == "few"), key=_need)
    if few:
        named = reduce(_listed, map(_counted, few[:_NAMED]))
        if len(few) > _NAMED:
            named = message(Code.ADVICE_AND_MORE, labels=named, count=len(few) - _NAMED)
        if few[0].nights == 1:
            return message(Code.ADVICE_MORE_NIGHTS, labels=named)
        return message(Code.ADVICE_MORE_CLIPS, labels=named, clips=FEWEST_CLIPS)
    missing = [health for health in healths if not health.clips]
    if missing:
        return message(Code.ADVICE_MISSING_LABELS, labels=reduce(_enumerated, map(_title, missing)))
    enough = sorted((health for health in present if health.state == "enough"), key=_need)
    if enough:
        return message(Code.ADVICE_ENOUGH, clips=GOOD_CLIPS, label=_title(enough[0]))
    return message(Code.ADVICE_DONE, clips=GOOD_CLIPS)


def _need(health: LabelHealth) -> tuple[int, str]:
    return health.clips, health.label


def _title(health: LabelHealth) -> str:
    return look_of(health.label).title


def _counted(health: LabelHealth) -> Message:
    """``hungry (3 clips from 1 night)``"""
    clips = message(Code.ONE_CLIP) if health.clips == 1 else message(Code.SEVERAL_CLIPS, count=health.clips)
    nights = message(Code.ONE_NIGHT) if health.nights == 1 else message(Code.SEVERAL_NIGHTS, count=health.nights)
    return message(Code.ADVICE_LABEL_COUNT, label=_title(health), clips=clips, nights=nights)


def _enumerated(before: str, label: str) -> str:
    return message(Code.LIST_LABEL, before=before, label=label)


def _listed(before: Message, item: Message) -> Message:
    return message(Code.LIST_ITEM, before=before, item=item)
