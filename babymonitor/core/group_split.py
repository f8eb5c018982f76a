"""Assigning complete groups to the sides of a split, so that each label occurs on each side."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set

_ATTEMPTS = 60
_SLACK_SECONDS = 5.0
"""Tolerance for overlap: the start of a night's clip is less exact, because it includes some time before."""


def joined(spans: Iterable[tuple[str, float, float]]) -> dict[str, str]:
    """Merge groups that share sound; returns the new name of each, the alphabetically first of those merged.

    An alert at night and a recording made at the same time contain the same cry. spans: a clip's group, start and end
    (Unix seconds, from the same monitor).
    """
    name: dict[str, str] = {}

    def of(group: str) -> str:
        while name.setdefault(group, group) != group:
            group = name[group]
        return group

    last, until = "", float("-inf")
    for group, start, stop in sorted(spans, key=_start):
        if start < until + _SLACK_SECONDS:
            first, second = sorted((of(group), of(last)))
            name[second] = first
        of(group)
        last, until = group, max(until, stop)
    return {group: of(group) for group in tuple(name)}


def _start(clip: tuple[str, float, float]) -> float:
    return clip[1]


def covering(
    labels_of: Mapping[str, Set[str]], sides: Sequence[str], fixed: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Assign sides to as many groups as needed for each label to be on each side; {} if that was not possible.

    A night has several labels, so assigning by one label may leave a side without another: the rarest label goes
    first, and several orders are tried. labels_of: the labels of each group. fixed: sides that are assigned already.
    The result is the same on every machine.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for group, own in labels_of.items():
        for label in own:
            groups[label].append(group)
    labels = sorted(groups, key=lambda label: (len(groups[label]), label))
    for attempt in range(_ATTEMPTS):
        order = sorted(labels_of, key=lambda group: hashlib.sha256(f"{attempt}/{group}".encode()).digest())
        placed = dict(fixed or {})
        if all(_cover(groups[label], sides, placed, order, attempt) for label in labels):
            return placed
    return {}


def _cover(
    groups: Sequence[str], sides: Sequence[str], placed: dict[str, str], order: Sequence[str], attempt: int
) -> bool:
    """Place groups of a label on sides that lack it; returns whether there were enough."""
    covered = {placed[group] for group in groups if group in placed}
    lacking = [side for side in (*sides[attempt % len(sides) :], *sides[: attempt % len(sides)]) if side not in covered]
    if not lacking:
        return True
    members = set(groups)
    free = [group for group in order if group in members and group not in placed]
    placed.update(zip(free, lacking, strict=False))
    return len(free) >= len(lacking)
