"""Dividing a data set into sides, whole groups at a time, the same on every machine."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from babymonitor.core.group_split import covering
from trainer.data.dataset import FEWEST_GROUPS, SIDE_NAMES, SIDES, Clip, DataSet, stable_random
from trainer.data.readers import read_rows
from trainer.errors import DataError, counted


@dataclass(frozen=True, slots=True)
class Division:
    """How a data set is divided into sides, whole groups at a time.

    shares: of training, validation and test. sides: a file ``group,split`` that says where groups stand; those it does
    not name are divided by the rest. folds, fold: of so many parts with no group in common, this one is the test side.
    by_clip: every clip is its own group: one speaker then stands on all sides, and the figures are too good. It is
    there to show by how much.
    """

    shares: tuple[float, float, float] = (0.70, 0.15, 0.15)
    sides: Path | None = None
    folds: int = 0
    fold: int = 0
    by_clip: bool = False
    salt: str = "split-1"


def split(data: DataSet, division: Division | None = None, whole: DataSet | None = None) -> DataSet:
    """Give every clip a side, whole groups at a time, the same on every machine.

    Groups are dealt out within strata of one source and one rarest label, so that each side gets some of everything.
    Sides that the data set gives itself are kept, except where folds are wanted. DataError when a label cannot stand
    on every side. whole: what `data` is a part of; sides may be given for groups of which nothing is left.
    """
    division = division or Division()
    if division.folds and not (division.folds >= 2 and 0 <= division.fold < division.folds):
        raise DataError(f"There is no fold {division.fold} of {division.folds}: folds are two or more, counted from 0.")
    if division.folds and division.sides is not None:
        raise DataError("Either folds or given sides: a group with a given side would be tested in every fold.")
    if division.by_clip:
        data = replace(data, clips=tuple(replace(clip, group=clip.path) for clip in data.clips))
    if division.folds or division.by_clip:
        data = replace(data, clips=tuple(replace(clip, side="") for clip in data.clips))
    if division.sides is not None:
        data = _with_sides(data, division.sides, whole or data)
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip in data.clips:
        groups[clip.group].append(clip)
    of_label: dict[str, set[str]] = defaultdict(set)
    for clip in data.clips:
        for span in clip.spans:
            of_label[span.label].add(clip.group)
    if len(of_label) < 2:
        raise DataError(f"{data} holds one label only ({next(iter(of_label))}): there is nothing to tell apart.")
    for label, members in of_label.items():
        if len(members) < FEWEST_GROUPS:
            raise DataError(
                f"The label '{label}' has {counted(len(members), 'group')}; it needs at least {FEWEST_GROUPS} (babies, "
                "speakers, nights or recordings), one for each side of the split: give more, or let it count as "
                f"another label (--merge {label}=OTHER)."
            )
        if division.folds > len(members):
            raise DataError(
                f"{division.folds} folds need as many groups of each label, and '{label}' has {len(members)}: give "
                f"fewer --folds, more groups, or let it count as another label (--merge {label}=OTHER)."
            )

    given: dict[str, str] = {}
    strata: dict[tuple[str, str], list[str]] = defaultdict(list)
    for group, clips in groups.items():
        sides = {clip.side for clip in clips} - {""}
        if len(sides) > 1:
            raise DataError(f"The group '{group}' is on both sides of the given split ({', '.join(sorted(sides))}).")
        if sides:
            given[group] = sides.pop()
            continue
        rarest = min(_labels_of(clips), key=lambda name: (len(of_label[name]), name))
        strata[clips[0].source, rarest].append(group)
    # Strata too small to be dealt out are pooled by label, else all of a small source would land on one side.
    pooled: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (source, name), some in strata.items():
        pooled[source if len(some) >= 6 else "", name].extend(some)
    for some in pooled.values():
        some.sort(key=lambda group: stable_random(group, division.salt))
    side_of = dict(given)
    if division.folds:
        order = [group for some in pooled.values() for group in some]
        side_of.update(_fold(order, {group: _labels_of(groups[group]) for group in order}, division))
    else:
        for some in pooled.values():
            side_of.update(zip(some, _deal(len(some), division), strict=True))
    lacking = [name for name, members in of_label.items() if {side_of[group] for group in members} != set(SIDES)]
    if lacking and not division.folds:
        # A night with several labels was dealt out by one of them. What can be dealt out by that alone stays as it is.
        side_of.update(covering({group: _labels_of(some) for group, some in groups.items()}, SIDES, given))
    placed = tuple(replace(clip, side=side_of[clip.group]) for clip in data.clips)
    for side in SIDES:
        for label in of_label:
            if not any(span.label == label for clip in placed if clip.side == side for span in clip.spans):
                raise DataError(
                    f"The {side} side of the split holds no '{label}': give more groups of it, let it count as another "
                    f"label (--merge {label}=OTHER), or divide otherwise{' (fewer --folds)' * bool(division.folds)}."
                )
    return replace(data, clips=placed)


def _deal(count: int, division: Division) -> list[str]:
    """Sides for `count` groups in order: one for validation and test first if there are three, then by share."""
    held, out = (
        max(1, round(count * share)) if count >= FEWEST_GROUPS else 0 for share in reversed(division.shares[1:])
    )
    return ["test"] * held + ["validation"] * out + ["train"] * (count - held - out)


def _labels_of(clips: Sequence[Clip]) -> set[str]:
    return {span.label for clip in clips for span in clip.spans}


def _fold(order: Sequence[str], labels: Mapping[str, set[str]], division: Division) -> dict[str, str]:
    """Sides for groups in the order of their strata: dealt round and round, so that each fold gets its part of every
    stratum and all have as many groups. Of the others, validation gets what it needs to hold every label, then its
    share; in each fold others.
    """
    sides = {group: "test" if at % division.folds == division.fold else "train" for at, group in enumerate(order)}
    rest = [group for group in order if sides[group] == "train"]
    turn = len(rest) * division.fold // division.folds
    rest = rest[turn:] + rest[:turn]
    held: list[str] = []
    for label in sorted(set().union(*labels.values())):
        if not any(label in labels[group] for group in held):
            held += [group for group in rest if label in labels[group] and group not in held][:1]
    wanted = round(len(rest) * division.shares[1])
    others = [group for group in rest if group not in held]
    # Spread over the strata.
    held += [others[place * len(others) // (wanted - len(held))] for place in range(wanted - len(held))]
    return {**sides, **dict.fromkeys(held, "validation")}


def read_sides(path: Path) -> dict[str, str]:
    """The side of each group that a file ``group,split`` names."""
    given: dict[str, str] = {}
    for row in read_rows(path, ("group", "split")):
        side = row["split"].strip().lower()
        if side not in SIDE_NAMES:
            raise DataError(f"{path} names an unknown split '{side}' for the group {row['group']}.")
        if given.setdefault(row["group"], SIDE_NAMES[side]) != SIDE_NAMES[side]:
            raise DataError(f"{path} puts the group '{row['group']}' on both sides of the split.")
    return given


def _with_sides(data: DataSet, path: Path, whole: DataSet) -> DataSet:
    """The sides that a file ``group,split`` gives; DataError for a group that the whole data set does not have."""
    given = read_sides(path)
    unknown = given.keys() - {clip.group for clip in (*whole.clips, *data.clips)}
    if unknown:
        form = "" if len(data.roots) == 1 else "; of several data sets a group is called FOLDER/GROUP"
        raise DataError(f"{path} names a group that {data} does not have: {min(unknown)}{form}.")
    return replace(data, clips=tuple(replace(clip, side=given.get(clip.group, clip.side)) for clip in data.clips))


def group_hash(group: str) -> str:
    """A group as a model's card names it: whether it was learnt from can be asked, who it is cannot be read."""
    return hashlib.sha256(group.encode()).hexdigest()[:10]
