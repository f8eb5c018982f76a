"""Reading a data set from disk: a manifest, metadata files, or one folder per label."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from babymonitor.core.group_split import covering, joined
from babymonitor.core.labels import canonical
from babymonitor.core.library.clip import UNLABELLED, read_clip
from babymonitor.core.sound.files import sound_files
from trainer.data.dataset import FEWEST_GROUPS, SIDE_NAMES, Clip, DataSet, Span, folder_name, stable_random
from trainer.errors import DataError, counted, existing

Notice = Callable[[str], None]
"""Called with a sentence for each thing that is left out."""
Roots = Path | Sequence[Path]
"""A data set's folder, or several folders that form one data set."""


def roots_of(data: Roots) -> tuple[Path, ...]:
    """Return the folders as a tuple, also for a single one."""
    return (data,) if isinstance(data, Path) else tuple(data)


def _to_stderr(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def load(
    data: Roots,
    segments: Path | None = None,
    merged: Mapping[str, str] | None = None,
    notice: Notice = _to_stderr,
) -> DataSet:
    """Read a data set, not yet its sound. Raises DataError, in one sentence, for one that cannot be used.

    A folder `unlabelled` among those of the labels is left out, with a notice, until a person has labelled its clips.
    segments: replaces the labels of those folders that have a file named in it; other folders keep their labels.
    merged: labels that count as another, such as ``{"hungry": "sad", "tired": "sad"}``; synonyms are accepted.
    """
    roots = roots_of(data)
    folders = [folder_name(root) for root in roots]
    for root, folder in zip(roots, folders, strict=True):
        if folders.count(folder) > 1:
            raise DataError(
                f"Two data sets are called {folder}, and names must tell them apart: rename the folder {root}."
            )
    parts = {root: _clips_of(root, notice) for root in roots}
    if segments is not None:
        parts = _with_segments(parts, segments)
    if merged:
        parts = _with_merged(parts, merged)
    united: list[Clip] = []
    for root, clips in parts.items():
        if not any(clip.spans for clip in clips):
            raise DataError(f"{root} holds no labelled sound: it needs a manifest.csv or one subfolder per label.")
        united += clips if len(roots) == 1 else [_in_folder(clip, folder_name(root)) for clip in clips]
    return DataSet(roots, tuple(united))


def _in_folder(clip: Clip, folder: str) -> Clip:
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


def read_rows(path: Path, needed: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV file with a header. Raises DataError if a needed column or a field is missing."""
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
    return _clips_from_rows(root, manifest, read_rows(manifest, ("path", "label")))


def _clips_from_rows(root: Path, manifest: Path, rows: Sequence[Mapping[str, str]]) -> list[Clip]:
    missing = [row["path"] for row in rows if not (root / row["path"]).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DataError(f"{manifest} names files that are not there: {missing[0]}{more}.")
    clips = []
    for row in rows:
        side = (row.get("split") or "").strip().lower()
        if side and side not in SIDE_NAMES:
            raise DataError(f"{manifest} names an unknown split '{side}' for {row['path']}.")
        # The label holds for the full clip, whose length is not known before it is decoded.
        span = Span(0.0, float("inf"), canonical(row["label"]))
        clips.append(
            Clip(
                path=row["path"],
                group=row.get("group") or row["path"],
                source=row.get("source") or "",
                detail=row.get("detail") or "",
                side=SIDE_NAMES.get(side, ""),
                spans=(span,),
                usable=(row.get("use") or "train") == "train",
                licence=(row.get("licence") or "").strip(),
            )
        )
    return clips


_MANIFEST = "manifest.csv"
_METADATA = {"train": "train_metadata.json", "validation": "val_metadata.json", "test": "test_metadata.json"}


def _from_metadata(root: Path) -> list[Clip]:
    """Read the clips that metadata files name, on the sides that the files stand for.

    The files do not name the speakers: a clip is its own group unless its entry gives a `group`. Without a test file,
    every second group of each label moves from validation to test. None moves from training, because whoever made the
    files may have separated the speakers of training and validation, while within a file a speaker has many clips.
    Training or validation alone is not a split; `split` then makes one.
    """
    files = {side: root / name for side, name in _METADATA.items() if (root / name).is_file()}
    clips = []
    for side, file in files.items():
        clips += [replace(clip, side=side) for clip in _clips_from_rows(root, file, _metadata_rows(root, file))]
    if not {"train", "validation"} <= files.keys():
        return [replace(clip, side="") for clip in clips]
    if "test" in files:
        return clips
    label_of = {clip.group: clip.spans[0].label for clip in clips if clip.side == "validation"}
    by_label: dict[str, list[str]] = defaultdict(list)
    for group in sorted(label_of, key=lambda group: stable_random(group, "metadata")):
        by_label[label_of[group]].append(group)
    test = {group for groups in by_label.values() for group in groups[1::2]}
    labels: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        if clip.side == "validation":
            labels[clip.group].add(clip.spans[0].label)
    if any(len(names) > 1 for names in labels.values()):
        sides = covering(labels, ("validation", "test"))
        test = {group for group in labels if sides.get(group, "test" if group in test else "") == "test"}
    return [replace(clip, side="test") if clip.side == "validation" and clip.group in test else clip for clip in clips]


def _metadata_rows(root: Path, file: Path) -> list[dict[str, str]]:
    """Read a metadata file as the rows of a manifest."""
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        named = [(str(entry["path"]), str(entry["emotion"]), entry.get("group")) for entry in entries.values()]
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{file} is not as expected: {{id: {{path, emotion, duration, sample_rate}}}}.") from error
    rows = []
    top = Path(os.path.abspath(root))  # not resolved: sound files may be links to elsewhere
    for path, emotion, group in named:
        absolute = Path(os.path.normpath(top / path))
        if not absolute.is_relative_to(top):
            raise DataError(f"{file} names {path}, which lies outside {root}.")
        rows.append({"path": absolute.relative_to(top).as_posix(), "label": emotion, "group": str(group or "")})
    return rows


def _from_folders(root: Path, notice: Notice) -> list[Clip]:
    """Read one subfolder per label. The group is the folder in between, if there is one, else the file."""
    clips = []
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    # A data set within this folder would have its name taken for a label.
    metadata = (_MANIFEST, *_METADATA.values())
    data_sets = [folder.name for folder in folders if any((folder / name).is_file() for name in metadata)]
    if data_sets:
        raise DataError(f"{root} is no data set but holds some ({', '.join(data_sets)}): give --data for each.")
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
    """Merge groups of a library that were recorded at the same time. files: by the clips' paths."""
    recorded = [(clip, read_clip(files[clip.path])) for clip in clips if clip.path.endswith(".flac")]
    group_of = joined(
        (clip.group, entry.recorded, entry.recorded + entry.seconds)
        for clip, entry in recorded
        if entry and entry.source != "import"
    )
    return [replace(clip, group=group_of.get(clip.group, clip.group)) for clip in clips]


def _joined_if_enough(clips: list[Clip], files: Mapping[str, Path]) -> list[Clip]:
    """Apply `with_joined_groups`, unless that would leave a label too few groups for a split."""
    joint = with_joined_groups(clips, files)
    before, after = ({clip.spans[0].label: set[str]() for clip in clips} for _ in range(2))
    for groups, members in ((before, clips), (after, joint)):
        for clip in members:
            groups[clip.spans[0].label].add(clip.group)
    enough = all(len(after[label]) >= min(FEWEST_GROUPS, len(groups)) for label, groups in before.items())
    return joint if enough else clips


def read_segments(path: Path) -> dict[str, list[Span]]:
    """Read the spans of a segments file, by clip path. Raises DataError for times that are not valid."""
    spans: dict[str, list[Span]] = defaultdict(list)
    for row in read_rows(path, ("path", "start_seconds", "end_seconds", "label")):
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
        merged: list[Span] = []
        for span in sorted(spans.get(clip.path, []), key=lambda span: span.start):
            if merged and merged[-1].label == span.label and span.start - merged[-1].end < 0.01:
                # Segments distinguish more sounds than there are labels: speech, then silence, is one background.
                merged[-1] = replace(merged[-1], end=max(merged[-1].end, span.end))
            else:
                merged.append(span)
        return replace(clip, spans=tuple(merged))

    return {root: [labelled(clip) for clip in clips] if root in named else clips for root, clips in parts.items()}


def _with_merged(parts: Mapping[Path, list[Clip]], merged: Mapping[str, str]) -> dict[Path, list[Clip]]:
    present = {span.label for clips in parts.values() for clip in clips for span in clip.spans}
    for name in merged:
        if present and canonical(name) not in present:
            raise DataError(f"There is no label '{name}' to merge; there is {', '.join(sorted(present))}.")
    new_name = {canonical(name): canonical(into) for name, into in merged.items()}

    def labelled(clip: Clip) -> Clip:
        spans = (replace(span, label=new_name.get(span.label, span.label)) for span in clip.spans)
        return replace(clip, spans=tuple(spans))

    return {root: [labelled(clip) for clip in clips] for root, clips in parts.items()}
