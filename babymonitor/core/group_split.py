"""Whole groups on the sides of a split, so that each label is heard on each side."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set

_ATTEMPTS = 60
_SLACK_SECONDS = 5.0
"""When a clip of a night began is known less exactly: by what was kept of the time before."""


def joined(heard: Iterable[tuple[str, float, float]]) -> dict[str, str]:
    """Groups that have sound in common are one: each with the name that it then has, the first in the alphabet.

    An alert of the night and a recording that was made meanwhile hold the same cry. heard: the group of a clip, and
    from when to when it was heard (Unix seconds, by the same monitor).
    """
    name: dict[str, str] = {}

    def of(group: str) -> str:
        while name.setdefault(group, group) != group:
            group = name[group]
        return group

    last, until = "", float("-inf")
    for group, start, stop in sorted(heard, key=_start):
        if start < until + _SLACK_SECONDS:
            one, other = sorted((of(group), of(last)))
            name[other] = one
        of(group)
        last, until = group, max(until, stop)
    return {group: of(group) for group in tuple(name)}


def _start(clip: tuple[str, float, float]) -> float:
    return clip[1]


def covering(
    labels_of: Mapping[str, Set[str]], sides: Sequence[str], given: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Sides for as many groups as it takes to have each label on each side; {} where no such sides were found.

    A night has several labels, so that what is dealt out by one of them may leave a side without another. The rarest
    label chooses first. labels_of: by group. given: groups that have their side. The same on every machine.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for group, own in labels_of.items():
        for label in own:
            groups[label].append(group)
    labels = sorted(groups, key=lambda label: (len(groups[label]), label))
    for attempt in range(_ATTEMPTS):
        order = sorted(labels_of, key=lambda group: hashlib.sha256(f"{attempt}/{group}".encode()).digest())
        placed = dict(given or {})
        if all(_cover(groups[label], sides, placed, order, attempt) for label in labels):
            return placed
    return {}


def _cover(
    groups: Sequence[str], sides: Sequence[str], placed: dict[str, str], order: Sequence[str], attempt: int
) -> bool:
    """Place groups of one label where a side has none yet; whether there were enough."""
    there = {placed[group] for group in groups if group in placed}
    lacking = [side for side in (*sides[attempt % len(sides) :], *sides[: attempt % len(sides)]) if side not in there]
    if not lacking:
        return True
    members = set(groups)
    free = [group for group in order if group in members and group not in placed]
    placed.update(zip(free, lacking, strict=False))
    return len(free) >= len(lacking)
