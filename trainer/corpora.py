"""Data sets on disk: which clips, which labels, which group, which side of the split; and their sound, decoded once.

A data set is a folder with a `manifest.csv` (``path,label,group,…``), with a `train_metadata.json` and a
`val_metadata.json` (``{id: {path, emotion, …}}``), or with one subfolder per label. A separate file of segments
(``path,start_seconds,end_seconds,label,confidence,teacher``) may say more exactly what is heard when; then it alone
decides about labels, and what it does not name is left out rather than guessed.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from babymonitor.core.audio import SAMPLE_RATE, AudioError, read_wave, sound_files
from babymonitor.core.features import Wave
from babymonitor.core.labels import LABELS, canonical
from trainer.codecs import codec_copy

SIDES = ("train", "validation", "test")
FEWEST_GROUPS = 3
"""A label needs one group for each side; with fewer, nothing honest could be said about it."""

_SIDE_NAMES = {"train": "train", "training": "train", "val": "validation", "valid": "validation"}
_SIDE_NAMES |= {"validation": "validation", "dev": "validation", "test": "test", "testing": "test"}


class DataError(Exception):
    """A data set that cannot be used; the message is one sentence for a person."""


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
    """

    path: str
    group: str
    source: str = ""
    detail: str = ""
    side: str = ""
    spans: tuple[Span, ...] = ()
    usable: bool = True

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
    """The clips of one folder. labels: all that occur, in the vocabulary's order, others behind in alphabetical one."""

    root: Path
    clips: tuple[Clip, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        found = {span.label for clip in self.clips for span in clip.spans}
        known = [name for name in LABELS if name in found]
        return (*known, *sorted(found - set(known)))

    def side(self, side: str) -> tuple[Clip, ...]:
        return tuple(clip for clip in self.clips if clip.side == side)


def load(root: Path, segments: Path | None = None, merged: Mapping[str, str] | None = None) -> DataSet:
    """Read a data set folder (no sound yet); DataError with one sentence for one that cannot be used.

    merged: labels that are to count as another, as in ``{"hungry": "sad", "tired": "sad"}``.
    """
    if not root.is_dir():
        raise DataError(f"The data set folder {root} does not exist.")
    manifest = root / "manifest.csv"
    if manifest.is_file():
        clips = _from_manifest(root, manifest)
    elif any((root / name).is_file() for name in _METADATA.values()):
        clips = _from_metadata(root)
    else:
        clips = _from_folders(root)
    if segments is not None:
        clips = _with_segments(clips, segments)
    if merged:
        clips = [_with_labels(clip, merged) for clip in clips]
    if not any(clip.spans for clip in clips):
        raise DataError(f"{root} holds no labelled sound: it needs a manifest.csv or one subfolder per label.")
    return DataSet(root, tuple(clips))


def _rows(path: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
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
            )
        )
    return clips


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
    for group in sorted(label_of, key=lambda group: _draw(group, "metadata")):
        held[label_of[group]].append(group)
    test = {group for groups in held.values() for group in groups[1::2]}
    return [replace(clip, side="test") if clip.side == "validation" and clip.group in test else clip for clip in clips]


def _metadata_rows(root: Path, file: Path) -> list[dict[str, str]]:
    """What a metadata file says, as the rows of a manifest would."""
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        named = [(str(entry["path"]), str(entry["emotion"]), entry.get("group")) for entry in entries.values()]
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise DataError(f"{file} is not as expected: {{id: {{path, emotion, duration, sample_rate}}}}.") from error
    rows = []
    top = Path(os.path.abspath(root))  # not resolved: sound files may be links to elsewhere
    for path, emotion, group in named:
        whole = Path(os.path.normpath(top / path))
        if not whole.is_relative_to(top):
            raise DataError(f"{file} names {path}, which lies outside {root}.")
        rows.append({"path": whole.relative_to(top).as_posix(), "label": emotion, "group": str(group or "")})
    return rows


def _from_folders(root: Path) -> list[Clip]:
    """One subfolder per label; the group is the folder between, if there is one, else the file."""
    clips = []
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        for file in sound_files(folder):
            path = file.relative_to(root)
            group = str(Path(*path.parts[1:-1])) if len(path.parts) > 2 else str(path)
            spans = (Span(0.0, float("inf"), canonical(folder.name)),)
            clips.append(Clip(path.as_posix(), group, source=root.name, spans=spans))
    return clips


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


def _with_segments(clips: list[Clip], path: Path) -> list[Clip]:
    spans = read_segments(path)
    if not spans.keys() & {clip.path for clip in clips}:
        raise DataError(f"{path} labels none of the data set's files.")
    return [replace(clip, spans=tuple(sorted(spans.get(clip.path, []), key=lambda span: span.start))) for clip in clips]


def _with_labels(clip: Clip, merged: Mapping[str, str]) -> Clip:
    spans = tuple(replace(span, label=merged.get(span.label, span.label)) for span in clip.spans)
    return replace(clip, spans=spans)


def _draw(text: str, salt: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{salt}/{text}".encode()).digest()[:8], "big")


def split(data: DataSet, division: Division | None = None) -> DataSet:
    """Give every clip a side, whole groups at a time, the same on every machine.

    Groups are dealt out within strata of one source and one rarest label, so that each side gets some of everything.
    Sides that the data set gives itself are kept, except where folds are wanted. DataError when a label cannot stand
    on every side.
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
        data = _with_sides(data, division.sides)
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip in data.clips:
        groups[clip.group].append(clip)
    of_label: dict[str, set[str]] = defaultdict(set)
    for clip in data.clips:
        for span in clip.spans:
            of_label[span.label].add(clip.group)
    if len(of_label) < 2:
        raise DataError(f"{data.root} holds one label only ({next(iter(of_label))}): there is nothing to tell apart.")
    for label, members in of_label.items():
        if len(members) < FEWEST_GROUPS:
            raise DataError(
                f"The label '{label}' has {len(members)} group{'s' * (len(members) > 1)}; it needs at least "
                f"{FEWEST_GROUPS} (babies, speakers or recordings), one for each side of the split."
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
        some.sort(key=lambda group: _draw(group, division.salt))
    side_of = dict(given)
    if division.folds:
        order = [group for some in pooled.values() for group in some]
        side_of.update(_fold(order, {group: _labels_of(groups[group]) for group in order}, division))
    else:
        for some in pooled.values():
            side_of.update(zip(some, _deal(len(some), division), strict=True))
    placed = tuple(replace(clip, side=side_of[clip.group]) for clip in data.clips)
    for side in SIDES:
        for label in of_label:
            if not any(span.label == label for clip in placed if clip.side == side for span in clip.spans):
                raise DataError(
                    f"The {side} side of the split holds no '{label}': give more groups of it, or other splits."
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


def _with_sides(data: DataSet, path: Path) -> DataSet:
    """The sides that a file ``group,split`` gives; DataError for a group that the data set does not have."""
    given: dict[str, str] = {}
    for row in _rows(path, ("group", "split")):
        side = row["split"].strip().lower()
        if side not in _SIDE_NAMES:
            raise DataError(f"{path} names an unknown split '{side}' for the group {row['group']}.")
        if given.setdefault(row["group"], _SIDE_NAMES[side]) != _SIDE_NAMES[side]:
            raise DataError(f"{path} puts the group '{row['group']}' on both sides of the split.")
    unknown = given.keys() - {clip.group for clip in data.clips}
    if unknown:
        raise DataError(f"{path} names a group that {data.root} does not have: {min(unknown)}.")
    return replace(data, clips=tuple(replace(clip, side=given.get(clip.group, clip.side)) for clip in data.clips))


Notice = Callable[[str], None]


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr)


class Waves:
    """The decoded sound of a data set: 16-bit at 16 kHz in one file on disk, mapped, so that epochs cost no decoding.

    Beside each clip lies a copy that went through a phone's or recorder's codec, so that a codec never gives a label
    away. `skipped` lists the files that could not be decoded, with the reason.
    """

    def __init__(self, data: DataSet, cache: Path, codecs: bool = True, notice: Notice = _to_stderr) -> None:
        takes = self.kinds = ("plain", "codec") if codecs else ("plain",)
        key = hashlib.sha256(json.dumps([2, takes, str(data.root.resolve())]).encode()).hexdigest()[:16]
        store, index = cache / f"{key}.i16", cache / f"{key}.json"
        cache.mkdir(parents=True, exist_ok=True)
        self._at: dict[str, list[tuple[int, int]]] = {}
        self._contents: dict[str, str] = {}
        self.skipped: list[tuple[str, str]] = []
        self._decode(data, takes, store, index)
        self._samples = np.memmap(store, np.int16, "r") if store.stat().st_size else np.zeros(0, np.int16)
        for path, reason in self.skipped:
            notice(f"Skipped {path}: {reason}")

    def _decode(self, data: DataSet, takes: Sequence[str], store: Path, index: Path) -> None:
        """Append what is not in the store yet. What a file is called by is its content: a copy under another name, or
        the same file touched, costs nothing. The index is written last: it alone counts.
        """
        from filelock import FileLock
        from tqdm import tqdm

        with FileLock(index.with_suffix(".lock")):  # several trainings may begin at once
            known = _index(index, store)
            seen: dict[str, list[Any]] = known["seen"]  # path → size, time of change, content
            sounds: dict[str, list[Any]] = known["sounds"]  # content → places in the store, why it has none
            changed = False
            unread: dict[str, str] = {}
            for clip in data.clips:
                try:
                    stamp = _stamp(data.root / clip.path)
                    if seen.get(clip.path, [])[:2] != stamp:
                        seen[clip.path] = [*stamp, _content(data.root / clip.path)]
                        changed = True
                except OSError as error:
                    unread[clip.path] = f"it cannot be read: {error.strerror}."
            readable = [clip for clip in data.clips if clip.path not in unread]
            new = {seen[clip.path][2]: clip for clip in readable if seen[clip.path][2] not in sounds}
            position = _end(sounds)
            with store.open("r+b" if store.is_file() else "w+b") as file:
                file.truncate(2 * position)
                file.seek(2 * position)
                shown = None if new else True
                for content, clip in tqdm(new.items(), desc="decoding", unit="clip", file=sys.stderr, disable=shown):
                    places: list[tuple[int, int]] = []
                    reason = ""
                    try:
                        wave = read_wave(data.root / clip.path)
                    except AudioError as error:
                        wave, reason = np.zeros(0, np.float32), str(error)
                    for take in takes if not reason else ():
                        taken = wave if take == "plain" else codec_copy(wave, _draw(clip.path, "codec"))
                        samples = np.clip(np.round(taken * 32767.0), -32768, 32767).astype(np.int16)
                        file.write(samples.tobytes())
                        places.append((position, position + samples.size))
                        position += samples.size
                    sounds[content] = [places, reason]
            if changed or new:
                partial = index.with_suffix(".part")
                partial.write_text(json.dumps(known), encoding="utf-8")
                partial.replace(index)
        self.skipped += unread.items()
        for clip in readable:
            places, reason = sounds[seen[clip.path][2]]
            if reason:
                self.skipped.append((clip.path, reason))
            else:
                self._at[clip.path] = [(start, stop) for start, stop in places]
                self._contents[clip.path] = seen[clip.path][2]

    def __contains__(self, path: object) -> bool:
        return path in self._at

    def content(self, path: str) -> str:
        """The hash of the file's bytes."""
        return self._contents[path]

    def samples(self, path: str) -> int:
        start, stop = self._at[path][0]
        return stop - start

    def takes(self, path: str) -> int:
        return len(self._at[path])

    def read(self, path: str, start: int = 0, stop: int | None = None, take: int = 0) -> Wave:
        """Samples [start, stop) of a clip, (samples,) float32 in [-1, 1]; fewer where the clip ends."""
        first, last = self._at[path][take]
        stop = last if stop is None else min(last, first + stop)
        piece: npt.NDArray[np.int16] = self._samples[min(first + start, last) : stop]
        return piece.astype(np.float32) / np.float32(32767.0)


def _index(index: Path, store: Path) -> dict[str, Any]:
    """What the store holds; nothing, where the index is damaged or the store is shorter than it says: a store that
    somebody's clean-up took away would else be filled up with silence.
    """
    try:
        known: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))
        if store.stat().st_size >= 2 * _end(known["sounds"]):
            return known
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"seen": {}, "sounds": {}}


def _end(sounds: Mapping[str, list[Any]]) -> int:
    """Where the last sound in the store ends, in samples."""
    return max((stop for places, _ in sounds.values() for _, stop in places), default=0)


def _stamp(path: Path) -> list[int]:
    """Size and time of change: while they stay, the content is not read again."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _content(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def group_hash(group: str) -> str:
    """A group as a model's card names it: whether it was learnt from can be asked, who it is cannot be read."""
    return hashlib.sha256(group.encode()).hexdigest()[:10]


def united(clips: Sequence[Clip], waves: Waves) -> list[Clip]:
    """The clips, groups that share a file of the same content made one: a copy must not stand on another side."""
    name: dict[str, str] = {}

    def found(group: str) -> str:
        while name.get(group, group) != group:
            group = name[group]
        return group

    first: dict[str, str] = {}
    for clip in clips:
        one, other = found(clip.group), found(first.setdefault(waves.content(clip.path), clip.group))
        name[max(one, other)] = min(one, other)
    return [replace(clip, group=found(clip.group)) for clip in clips]


def closed(clips: Iterable[Clip], waves: Waves) -> list[Clip]:
    """The clips that could be decoded, their spans cut to the sound's true length and empty ones dropped."""
    kept = []
    for clip in clips:
        if clip.path not in waves:
            continue
        length = waves.samples(clip.path) / SAMPLE_RATE
        cut = (replace(span, end=min(span.end, length)) for span in clip.spans)
        spans = tuple(span for span in cut if span.end > span.start)
        if spans:
            kept.append(replace(clip, spans=spans))
    return kept
