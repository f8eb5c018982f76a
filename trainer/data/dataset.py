"""Data sets on disk: which clips, which labels, which group, which side of the split.

A data set is a folder with a `manifest.csv` (``path,label,group,…``), with a `train_metadata.json` and a
`val_metadata.json` (``{id: {path, emotion, …}}``), or with one subfolder per label. A separate file of segments
(``path,start_seconds,end_seconds,label,sound,confidence,teacher``) may say more exactly what is heard when; then it
alone decides about labels, and what it does not name is left out rather than guessed.

Several folders may be one data set. Their groups and paths then begin with the folder's name, so that nobody is taken
for somebody of another.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from babymonitor.core.group_split import covering, joined
from babymonitor.core.labels import LABELS, canonical
from babymonitor.core.library.clip import UNLABELLED, read_clip
from babymonitor.core.sound.files import sound_files

SIDES = ("train", "validation", "test")
FEWEST_GROUPS = 3
"""A label needs one group for each side; with fewer, nothing honest could be said about it."""

_SIDE_NAMES = {"train": "train", "training": "train", "val": "validation", "valid": "validation"}
_SIDE_NAMES |= {"validation": "validation", "dev": "validation", "test": "test", "testing": "test"}

Notice = Callable[[str], None]
"""Told in a sentence what was left out."""


class DataError(Exception):
    """A data set that cannot be used; the message is one sentence for a person."""


def existing(path: Path) -> Path:
    """The path itself; DataError where no file is there."""
    if not path.is_file():
        raise DataError(f"There is no file {path}.")
    return path


def counted(count: int, noun: str) -> str:
    """``1 group``, ``2 groups``."""
    return f"{count} {noun}{'s' * (count != 1)}"


@dataclass(frozen=True, slots=True)
class Span:
    """`label` is heard from `start` to `end` (seconds)."""

    start: float
    end: float
    label: str


@dataclass(frozen=True, slots=True)
class Clip:
    """One sound file of a data set, and what is known of it.

    path: relative to the data set. group: baby, speaker or recording; never on two sides. side: "" until split.
    spans: what is heard when; what no span covers is not known. usable: False for rows that must not be trained on.
    licence: of its sound, "" where nobody says. folder: with which name path and group begin, where the data set is
    several folders.
    """

    path: str
    group: str
    source: str = ""
    detail: str = ""
    side: str = ""
    spans: tuple[Span, ...] = ()
    usable: bool = True
    licence: str = ""
    folder: str = ""

    @property
    def own_group(self) -> str:
        """The group as its folder alone calls it."""
        return self.group.partition("/")[2] if self.folder else self.group

    def seconds(self, label: str | None = None) -> float:
        """How long `label` (or anything known) is heard."""
        return sum(span.end - span.start for span in self.spans if label in (None, span.label))


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


@dataclass(frozen=True, slots=True)
class DataSet:
    """The clips of one folder or of several. labels: all that occur, in the vocabulary's order, others behind in
    alphabetical one.
    """

    roots: tuple[Path, ...]
    clips: tuple[Clip, ...]

    def __str__(self) -> str:
        return " and ".join(map(str, self.roots))

    @property
    def title(self) -> str:
        """The folders' own names."""
        return ", ".join(root.resolve().name for root in self.roots)

    def file(self, path: str) -> Path:
        """Where the clip of a path lies."""
        if len(self.roots) == 1:
            return self.roots[0] / path
        folder, _, inside = path.partition("/")
        return next(root for root in self.roots if _folder(root) == folder) / inside

    def part(self, root: Path) -> dict[str, Clip]:
        """The clips of one of the folders, by their path in it."""
        if len(self.roots) == 1:
            return {clip.path: clip for clip in self.clips}
        folder = _folder(root)
        return {clip.path.removeprefix(f"{folder}/"): clip for clip in self.clips if clip.folder == folder}

    @property
    def labels(self) -> tuple[str, ...]:
        found = {span.label for clip in self.clips for span in clip.spans}
        known = [name for name in LABELS if name in found]
        return (*known, *sorted(found - set(known)))

    def side(self, side: str) -> tuple[Clip, ...]:
        return tuple(clip for clip in self.clips if clip.side == side)


Roots = Path | Sequence[Path]
"""A data set's folder, or those of several that are to be one."""


def roots_of(data: Roots) -> tuple[Path, ...]:
    return (data,) if isinstance(data, Path) else tuple(data)


def _to_stderr(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def load(
    data: Roots,
    segments: Path | None = None,
    merged: Mapping[str, str] | None = None,
    notice: Notice = _to_stderr,
) -> DataSet:
    """Read a data set (no sound yet); DataError with one sentence for one that cannot be used.

    A folder `unlabelled` among those of labels is left out, with a notice: a person has yet to say what is heard there.
    segments: of several folders it decides about those of whose files it names any; the others keep their labels.
    merged: labels that are to count as another, as in ``{"hungry": "sad", "tired": "sad"}``; in any word for them.
    """
    roots = roots_of(data)
    folders = [_folder(root) for root in roots]
    for root, folder in zip(roots, folders, strict=True):
        if folders.count(folder) > 1:
            raise DataError(
                f"Two data sets are called {folder}, by which they are told apart: rename the folder {root}."
            )
    parts = {root: _clips_of(root, notice) for root in roots}
    if segments is not None:
        parts = _with_segments(parts, segments)
    if merged:
        parts = _with_merged(parts, merged)
    whole: list[Clip] = []
    for root, clips in parts.items():
        if not any(clip.spans for clip in clips):
            raise DataError(f"{root} holds no labelled sound: it needs a manifest.csv or one subfolder per label.")
        whole += clips if len(roots) == 1 else [_told_apart(clip, _folder(root)) for clip in clips]
    return DataSet(roots, tuple(whole))


def _folder(root: Path) -> str:
    return Path(os.path.abspath(root)).name  # not resolved: it is called as it was named


def _told_apart(clip: Clip, folder: str) -> Clip:
    path, group = f"{folder}/{clip.path}", f"{folder}/{clip.group}"
    return replace(clip, path=path, group=group, source=clip.source or folder, folder=folder)


def _clips_of(root: Path, notice: Notice) -> list[Clip]:
    if not root.is_dir():
        raise DataError(f"The data set folder {root} does not exist.")
    manifest = root / _MANIFEST
    if manifest.is_file():
        return _from_manifest(root, manifest)
    if any((root / name).is_file() for name in _METADATA.values()):
        return _from_metadata(root)
    return _from_folders(root, notice)


def _rows(path: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    try:
        with existing(path).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    lacking = [name for name in needed if not rows or name not in rows[0]]
    if lacking:
        raise DataError(f"{path} lacks the column{'s' * (len(lacking) > 1)} {', '.join(lacking)}.")
    for line, row in enumerate(rows, start=2):
        if any(value is None for value in row.values()) or None in row:
            raise DataError(f"Line {line} of {path} has more or fewer fields than the first line names.")
    return rows


def _from_manifest(root: Path, manifest: Path) -> list[Clip]:
    return _from_rows(root, manifest, _rows(manifest, ("path", "label")))


def _from_rows(root: Path, manifest: Path, rows: Sequence[Mapping[str, str]]) -> list[Clip]:
    missing = [row["path"] for row in rows if not (root / row["path"]).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DataError(f"{manifest} names files that are not there: {missing[0]}{more}.")
    clips = []
    for row in rows:
        given = (row.get("split") or "").strip().lower()
        if given and given not in _SIDE_NAMES:
            raise DataError(f"{manifest} names an unknown split '{given}' for {row['path']}.")
        # Known to be whole: its length is only known once it is decoded, hence the open end.
        span = Span(0.0, float("inf"), canonical(row["label"]))
        clips.append(
            Clip(
                path=row["path"],
                group=row.get("group") or row["path"],
                source=row.get("source") or "",
                detail=row.get("detail") or "",
                side=_SIDE_NAMES.get(given, ""),
                spans=(span,),
                usable=(row.get("use") or "train") == "train",
                licence=(row.get("licence") or "").strip(),
            )
        )
    return clips


_MANIFEST = "manifest.csv"
_METADATA = {"train": "train_metadata.json", "validation": "val_metadata.json", "test": "test_metadata.json"}


def _from_metadata(root: Path) -> list[Clip]:
    """The clips that metadata files name, on the sides that the files stand for.

    Nothing in such files says who is heard: a clip is its own group unless its entry gives a `group`. Without a test
    file every second group of each label is taken from validation for it, not from training: whoever made the files
    may have kept the speakers of those two apart, but within a file one speaker has many clips. Training or validation
    alone is no split; then `split` makes one.
    """
    files = {side: root / name for side, name in _METADATA.items() if (root / name).is_file()}
    clips = []
    for side, file in files.items():
        clips += [replace(clip, side=side) for clip in _from_rows(root, file, _metadata_rows(root, file))]
    if not {"train", "validation"} <= files.keys():
        return [replace(clip, side="") for clip in clips]
    if "test" in files:
        return clips
    label_of = {clip.group: clip.spans[0].label for clip in clips if clip.side == "validation"}
    held: dict[str, list[str]] = defaultdict(list)
    for group in sorted(label_of, key=lambda group: draw(group, "metadata")):
        held[label_of[group]].append(group)
    test = {group for groups in held.values() for group in groups[1::2]}
    labels: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        if clip.side == "validation":
            labels[clip.group].add(clip.spans[0].label)
    if any(len(names) > 1 for names in labels.values()):
        sides = covering(labels, ("validation", "test"))
        test = {group for group in labels if sides.get(group, "test" if group in test else "") == "test"}
    return [replace(clip, side="test") if clip.side == "validation" and clip.group in test else clip for clip in clips]


def _metadata_rows(root: Path, file: Path) -> list[dict[str, str]]:
    """What a metadata file says, as the rows of a manifest would."""
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        named = [(str(entry["path"]), str(entry["emotion"]), entry.get("group")) for entry in entries.values()]
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{file} is not as expected: {{id: {{path, emotion, duration, sample_rate}}}}.") from error
    rows = []
    top = Path(os.path.abspath(root))  # not resolved: sound files may be links to elsewhere
    for path, emotion, group in named:
        whole = Path(os.path.normpath(top / path))
        if not whole.is_relative_to(top):
            raise DataError(f"{file} names {path}, which lies outside {root}.")
        rows.append({"path": whole.relative_to(top).as_posix(), "label": emotion, "group": str(group or "")})
    return rows


def _from_folders(root: Path, notice: Notice) -> list[Clip]:
    """One subfolder per label; the group is the folder between, if there is one, else the file."""
    clips = []
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    # Their names would else be taken for labels.
    own = [one.name for one in folders if any((one / name).is_file() for name in (_MANIFEST, *_METADATA.values()))]
    if own:
        raise DataError(f"{root} is no data set but holds some ({', '.join(own)}): give --data for each.")
    for folder in folders:
        if folder.name == UNLABELLED:
            if waiting := len(sound_files(folder)):
                notice(f"Left out {counted(waiting, 'clip')} in {folder}: no label was given yet.")
            continue
        for file in sound_files(folder):
            path = file.relative_to(root)
            group = str(Path(*path.parts[1:-1])) if len(path.parts) > 2 else str(path)
            spans = (Span(0.0, float("inf"), canonical(folder.name)),)
            clips.append(Clip(path.as_posix(), group, source=root.name, spans=spans))
    return _joined_if_enough(clips, {clip.path: root / clip.path for clip in clips})


def with_joined_groups(clips: Sequence[Clip], files: Mapping[str, Path]) -> list[Clip]:
    """The clips of a library, with one group for groups that were heard at the same time. files: by path."""
    said = [(clip, read_clip(files[clip.path])) for clip in clips if clip.path.endswith(".flac")]
    of = joined(
        (clip.group, one.recorded, one.recorded + one.seconds) for clip, one in said if one and one.source != "import"
    )
    return [replace(clip, group=of.get(clip.group, clip.group)) for clip in clips]


def _joined_if_enough(clips: list[Clip], files: Mapping[str, Path]) -> list[Clip]:
    """As `with_joined_groups`, but where it would leave a label too few groups for a split: there it stays as it is."""
    joint = with_joined_groups(clips, files)
    before, after = ({clip.spans[0].label: set[str]() for clip in clips} for _ in range(2))
    for groups, some in ((before, clips), (after, joint)):
        for clip in some:
            groups[clip.spans[0].label].add(clip.group)
    enough = all(len(after[label]) >= min(FEWEST_GROUPS, len(groups)) for label, groups in before.items())
    return joint if enough else clips


def read_segments(path: Path) -> dict[str, list[Span]]:
    """The spans of a segments file, by clip."""
    spans: dict[str, list[Span]] = defaultdict(list)
    for row in _rows(path, ("path", "start_seconds", "end_seconds", "label")):
        try:
            start, end = float(row["start_seconds"]), float(row["end_seconds"] or "inf")
        except ValueError as error:
            raise DataError(f"{path} holds a time that is no number for {row['path']}.") from error
        if not 0 <= start < end:
            raise DataError(f"{path} holds a segment that ends before it begins, of {row['path']}.")
        spans[row["path"]].append(Span(start, end, canonical(row["label"])))
    return spans


def _with_segments(parts: Mapping[Path, list[Clip]], path: Path) -> dict[Path, list[Clip]]:
    spans = read_segments(path)
    named = {root for root, clips in parts.items() if spans.keys() & {clip.path for clip in clips}}
    if not named:
        raise DataError(f"{path} labels none of the data set's files.")

    def labelled(clip: Clip) -> Clip:
        told: list[Span] = []
        for span in sorted(spans.get(clip.path, []), key=lambda span: span.start):
            if told and told[-1].label == span.label and span.start - told[-1].end < 0.01:
                # Segments tell more sounds apart than there are labels: speech, then silence, is one background.
                told[-1] = replace(told[-1], end=max(told[-1].end, span.end))
            else:
                told.append(span)
        return replace(clip, spans=tuple(told))

    return {root: [labelled(clip) for clip in clips] if root in named else clips for root, clips in parts.items()}


def _with_merged(parts: Mapping[Path, list[Clip]], merged: Mapping[str, str]) -> dict[Path, list[Clip]]:
    there = {span.label for clips in parts.values() for clip in clips for span in clip.spans}
    for name in merged:
        if there and canonical(name) not in there:
            raise DataError(f"There is no label '{name}' to merge; there is {', '.join(sorted(there))}.")
    other = {canonical(name): canonical(into) for name, into in merged.items()}

    def labelled(clip: Clip) -> Clip:
        return replace(clip, spans=tuple(replace(one, label=other.get(one.label, one.label)) for one in clip.spans))

    return {root: [labelled(clip) for clip in clips] for root, clips in parts.items()}


def draw(text: str, salt: str) -> int:
    """A number that looks drawn at random, of 64 bits, the same on every machine."""
    return int.from_bytes(hashlib.sha256(f"{salt}/{text}".encode()).digest()[:8], "big")


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
        some.sort(key=lambda group: draw(group, division.salt))
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
    for row in _rows(path, ("group", "split")):
        side = row["split"].strip().lower()
        if side not in _SIDE_NAMES:
            raise DataError(f"{path} names an unknown split '{side}' for the group {row['group']}.")
        if given.setdefault(row["group"], _SIDE_NAMES[side]) != _SIDE_NAMES[side]:
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
