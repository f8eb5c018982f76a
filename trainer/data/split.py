"""Splitting a data set into training, validation and test, by whole groups and the same on every machine."""

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
    """How a data set is split into sides.

    shares: of training, validation and test. sides: a file ``group,split`` that assigns groups; groups it does not name
    are split as usual. folds, fold: the number of folds without a common group, and the one that is the test side.
    by_clip: treat every clip as a group of its own. The same speakers are then on all sides, and the figures are too
    good; the option exists to show by how much. salt: varies the random order of groups.
    """

    shares: tuple[float, float, float] = (0.70, 0.15, 0.15)
    sides: Path | None = None
    folds: int = 0
    fold: int = 0
    by_clip: bool = False
    salt: str = "split-1"


def split(data: DataSet, division: Division | None = None, complete: DataSet | None = None) -> DataSet:
    """Assign every clip to a side, by whole groups and the same on every machine.

    Groups are dealt out within strata of the same source and rarest label, so that each side gets some of everything.
    Sides that the data set assigns itself are kept, unless folds are requested. complete: the data set of which `data`
    is a part, for files that assign groups which are missing from `data`. Raises DataError if a label cannot be on
    every side.
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
        data = _with_sides(data, division.sides, complete or data)
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

    assigned: dict[str, str] = {}
    strata: dict[tuple[str, str], list[str]] = defaultdict(list)
    for group, clips in groups.items():
        sides = {clip.side for clip in clips} - {""}
        if len(sides) > 1:
            raise DataError(f"The group '{group}' is on both sides of the given split ({', '.join(sorted(sides))}).")
        if sides:
            assigned[group] = sides.pop()
            continue
        rarest = min(_labels_of(clips), key=lambda name: (len(of_label[name]), name))
        strata[clips[0].source, rarest].append(group)
    # Strata too small to be dealt out are pooled by label. Otherwise all of a small source would be on one side.
    pooled: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (source, name), stratum in strata.items():
        pooled[source if len(stratum) >= 6 else "", name].extend(stratum)
    for stratum in pooled.values():
        stratum.sort(key=lambda group: stable_random(group, division.salt))
    side_of = dict(assigned)
    if division.folds:
        order = [group for stratum in pooled.values() for group in stratum]
        side_of.update(_fold(order, {group: _labels_of(groups[group]) for group in order}, division))
    else:
        for stratum in pooled.values():
            side_of.update(zip(stratum, _deal(len(stratum), division), strict=True))
    lacking = [name for name, members in of_label.items() if {side_of[group] for group in members} != set(SIDES)]
    if lacking and not division.folds:
        # A night with several labels was dealt out by only one of them. Nights with a single label stay as they are.
        side_of.update(covering({group: _labels_of(clips) for group, clips in groups.items()}, SIDES, assigned))
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
    """Return sides for `count` groups in order: at least one each for test and validation if there are three groups."""
    held, out = (
        max(1, round(count * share)) if count >= FEWEST_GROUPS else 0 for share in reversed(division.shares[1:])
    )
    return ["test"] * held + ["validation"] * out + ["train"] * (count - held - out)


def _labels_of(clips: Sequence[Clip]) -> set[str]:
    return {span.label for clip in clips for span in clip.spans}


def _fold(order: Sequence[str], labels: Mapping[str, set[str]], division: Division) -> dict[str, str]:
    """Assign groups to sides, in the order of their strata.

    Test groups are dealt out in turn, so that each fold has its part of every stratum and all folds have the same size.
    Of the rest, validation gets what it needs to hold every label, then its share; different groups in each fold.
    """
    sides = {group: "test" if index % division.folds == division.fold else "train" for index, group in enumerate(order)}
    rest = [group for group in order if sides[group] == "train"]
    turn = len(rest) * division.fold // division.folds
    rest = rest[turn:] + rest[:turn]
    held: list[str] = []
    for label in sorted(set().union(*labels.values())):
        if not any(label in labels[group] for group in held):
            held += [group for group in rest if label in labels[group] and group not in held][:1]
    wanted = round(len(rest) * division.shares[1])
    remaining = [group for group in rest if group not in held]
    # Spread over the strata.
    held += [remaining[place * len(remaining) // (wanted - len(held))] for place in range(wanted - len(held))]
    return {**sides, **dict.fromkeys(held, "validation")}


def read_sides(path: Path) -> dict[str, str]:
    """Read the side of each group from a file ``group,split``. Raises DataError for unknown or contradictory sides."""
    sides: dict[str, str] = {}
    for row in read_rows(path, ("group", "split")):
        side = row["split"].strip().lower()
        if side not in SIDE_NAMES:
            raise DataError(f"{path} names an unknown split '{side}' for the group {row['group']}.")
        if sides.setdefault(row["group"], SIDE_NAMES[side]) != SIDE_NAMES[side]:
            raise DataError(f"{path} puts the group '{row['group']}' on both sides of the split.")
    return sides


def _with_sides(data: DataSet, path: Path, complete: DataSet) -> DataSet:
    """Assign the sides in a file ``group,split``. Raises DataError for a group that the complete data set lacks."""
    sides = read_sides(path)
    unknown = sides.keys() - {clip.group for clip in (*complete.clips, *data.clips)}
    if unknown:
        form = "" if len(data.roots) == 1 else "; of several data sets a group is called FOLDER/GROUP"
        raise DataError(f"{path} names a group that {data} does not have: {min(unknown)}{form}.")
    return replace(data, clips=tuple(replace(clip, side=sides.get(clip.group, clip.side)) for clip in data.clips))


def group_hash(group: str) -> str:
    """Return a group's name in a model's card: it shows whether a known group was trained on, but not who it is."""
    return hashlib.sha256(group.encode()).hexdigest()[:10]
