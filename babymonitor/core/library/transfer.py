"""Importing sound files into the library, and exporting the library as a data set."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from babymonitor.core.group_split import covering
from babymonitor.core.labels import LABELS
from babymonitor.core.library.clip import (
    LONGEST_SECONDS,
    UNLABELLED,
    AlreadyThereError,
    LibraryClip,
    LibraryError,
    checked_label,
    label_of_folder,
    read_clip,
    relative_path,
)
from babymonitor.core.library.folders import refusal_as
from babymonitor.core.library.library import Library
from babymonitor.core.messages import Code, message
from babymonitor.core.sound.files import reading_wave, sound_files
from babymonitor.core.sound.wave import SAMPLE_RATE, AudioError, Wave

_SHAPE = "{id: {path, emotion, duration, sample_rate}}"
METADATA = ("train_metadata.json", "val_metadata.json", "test_metadata.json")
_PIECE_SECONDS = 60.0
_HELD_BACK = 0.3
_SIDES = ("train", "validation", "test")
_STAGING = "export.part"


@dataclass(frozen=True, slots=True)
class _Planned:
    """A file to import. group: "" if unknown. prefix: put before the group. name: stands in for a missing group."""

    path: Path
    label: str
    group: str
    prefix: str
    name: str


class FolderImport(Iterator[LibraryClip | str]):
    """An import under way: each item is a clip that was added, or a sentence about a file that was skipped.

    total: number of files. done: files dealt with so far. It may be abandoned at any moment; what was added stays.
    The library does not announce the clips one by one: whoever runs the import calls `Library.announce` at its end.
    """

    def __init__(self, library: Library, folder: Path, label: str, baby: str = "") -> None:
        """folder: or a single file. LibraryError for a folder without sound, or one that names files outside it."""
        planned = _plan(folder, label) if folder.is_dir() else [_alone(folder, label)]
        self.total = len(planned)
        self.done = 0
        self._items = self._run(library, planned, baby)

    def __next__(self) -> LibraryClip | str:
        while (item := self.step()) is None:
            pass
        return item

    def step(self) -> LibraryClip | str | None:
        """The next item, or None while reading a long file, so that a window can respond. StopIteration at the end."""
        return next(self._items)

    def close(self) -> None:
        """Stop the import."""
        self._items.close()

    def _run(self, library: Library, planned: Sequence[_Planned], baby: str) -> Generator[LibraryClip | str | None]:
        for plan in planned:
            try:
                yield from _import(library, plan, baby)
            except LibraryError as error:
                yield _skipped(plan.path, error)
            self.done += 1


def _skipped(path: Path, error: LibraryError) -> str:
    sentence = error.message
    return sentence if str(path) in sentence else message(Code.IMPORT_SKIPPED, name=path.name, reason=sentence)


def _plan(folder: Path, label: str) -> list[_Planned]:
    name = Path(os.path.abspath(folder)).name
    metadata = [folder / file for file in METADATA if (folder / file).is_file()]
    if metadata:
        planned = [plan for file in metadata for plan in _plan_of_metadata(folder, file, label)]
        waiting = folder / UNLABELLED
        planned += [_planned(file, folder, "", label, name) for file in sound_files(waiting) if waiting.is_dir()]
    else:
        flat = label_of_folder(name)
        flat = flat if flat in LABELS else ""
        planned = [_planned(file, folder, flat, label, name) for file in sound_files(folder)]
    if not planned:
        raise LibraryError(Code.IMPORT_NO_SOUND, path=folder)
    return list({plan.path: plan for plan in planned}.values())


def _planned(file: Path, folder: Path, flat: str, label: str, name: str) -> _Planned:
    parts = file.relative_to(folder).parts
    own = label_of_folder(parts[0]) if len(parts) > 1 else flat
    return _Planned(file, label or own, "-".join(parts[1:-1]), f"import-{name}", "-".join((*parts[:-1], file.stem)))


def _plan_of_metadata(folder: Path, file: Path, label: str) -> list[_Planned]:
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        named = [
            (str(entry["path"]), str(entry["emotion"]), str(entry.get("group") or "")) for entry in entries.values()
        ]
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise LibraryError(Code.IMPORT_METADATA_WRONG, path=file, shape=_SHAPE) from error
    top = Path(os.path.abspath(folder))  # not resolved, because sound files may be symbolic links
    planned = []
    for path, emotion, group in named:
        absolute = Path(os.path.normpath(top / path))
        if not absolute.is_relative_to(top) or "\0" in path:
            raise LibraryError(Code.IMPORT_OUTSIDE, file=file, path=path, folder=folder)
        inside = "-".join(absolute.relative_to(top).with_suffix("").parts)
        planned.append(_Planned(absolute, label or label_of_folder(emotion), group, f"import-{top.name}", inside))
    return planned


def import_file(
    library: Library, path: Path, label: str, *, group: str = "", baby: str = "", label_from_folder: bool = False
) -> list[LibraryClip]:
    """Add a sound file of any common format; if it is longer than a minute, in equal pieces of the same group.

    group: ``import-<file>`` if empty. label_from_folder: take the label from the folder's name. A clip of another
    library keeps what its file says. Pieces that are in the library already are left out; AlreadyThereError where all
    of them are.
    """
    if label_from_folder:
        label = label_of_folder(path.resolve().parent.name)
    plan = replace(_alone(path, label), group=group)
    return [clip for clip in _import(library, plan, baby) if clip is not None]


def import_folder(library: Library, folder: Path, label: str = "", *, baby: str = "") -> FolderImport:
    """Add a folder's sound as the result is iterated over: each item is a clip, or a sentence on a skipped file.

    The folder is ``<label>/<group>/<file>``, ``<label>/<file>``, or has a `train_metadata.json` and the like.
    label: of all its files, whatever their folders are called. baby: of the files that name none.
    """
    if not folder.is_dir():
        raise LibraryError(Code.IMPORT_NOT_A_FOLDER, path=folder)
    return FolderImport(library, folder, checked_label(label), baby)


def import_path(library: Library, path: Path, *, baby: str = "") -> FolderImport:
    """Add a folder as `import_folder` does, or a single file without a label, as the result is iterated over."""
    return FolderImport(library, path, "", baby)


def _alone(path: Path, label: str) -> _Planned:
    return _Planned(path, label, "", "", f"import-{path.stem}")


def _import(library: Library, plan: _Planned, baby: str) -> Iterator[LibraryClip | None]:
    """Add a file; yields each clip, and None now and then while the file is being read."""
    try:
        wave = yield from reading_wave(plan.path)
    except AudioError as error:
        raise LibraryError(error.message) from error
    own = read_clip(plan.path)
    if own and own.seconds <= LONGEST_SECONDS:
        # A clip of another library keeps its metadata.
        yield library.add(
            wave,
            plan.label,
            group=plan.group or own.group,
            baby=own.baby or baby,
            source=own.source,
            recorded=own.recorded,
            note=own.note,
            guess=own.guess,
            origin=own.origin,
            is_announced=False,
        )
        return
    group = "-".join(filter(None, (plan.prefix, plan.group or plan.name)))
    with refusal_as(Code.IMPORT_FAILED, path=plan.path):
        # The time of the last change is when the recording ended.
        recorded = plan.path.stat().st_mtime - wave.size / SAMPLE_RATE
    count = 0
    duplicate: AlreadyThereError | None = None
    for start, piece in _pieces(wave):
        try:
            clip = library.add(
                piece,
                plan.label,
                group=group,
                baby=baby,
                source="import",
                recorded=recorded + start,
                origin=plan.path.name,
                is_announced=False,
            )
        except AlreadyThereError as error:
            duplicate = error
            continue
        count += 1
        yield clip
    if duplicate and not count:
        raise duplicate


def _pieces(wave: Wave) -> list[tuple[float, Wave]]:
    """Split a wave into equal pieces of at most a minute: (start in seconds, samples)."""
    count = max(1, math.ceil(wave.size / (_PIECE_SECONDS * SAMPLE_RATE)))
    edges = [wave.size * index // count for index in range(count + 1)]
    return [(start / SAMPLE_RATE, wave[start:stop]) for start, stop in pairwise(edges)]


def export_clips(
    folder: Path, clips: Sequence[LibraryClip], target: Path, progress: Callable[[int], None] | None = None
) -> int:
    """Copy clips of the library in `folder` into a new or empty folder, all or none; returns how many.

    `target` gets the folders of the library, and `train_metadata.json` and `val_metadata.json`, which divide it by
    group; it can be imported and trained with. The library itself is not asked, so any thread may do this. progress:
    called with the number of clips copied so far; an error it raises ends the export, and nothing is left behind.
    """
    target = Path(os.path.abspath(target))
    if target.is_relative_to(folder) or folder.is_relative_to(target):
        raise LibraryError(Code.EXPORT_NESTED, path=target)
    staging = target / _STAGING
    with refusal_as(Code.EXPORT_FAILED, path=target):
        if target.exists() and not (target.is_dir() and all(path == staging for path in target.iterdir())):
            raise LibraryError(Code.EXPORT_TARGET_TAKEN, path=target)
        if not clips:
            raise LibraryError(Code.EXPORT_EMPTY)
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        try:
            for done, clip in enumerate(clips):
                if progress:
                    progress(done)
                copy = staging / relative_path(clip)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(clip.path, copy)
            held = _held_back(clips)
            for file, side in zip(METADATA, (False, True), strict=False):
                entries = {clip.id: _entry(clip) for clip in clips if clip.label and (clip.group in held) is side}
                (staging / file).write_text(json.dumps(entries, indent=1), encoding="utf-8")
            # The folders first: the files that list them complete the export.
            for path in sorted(staging.iterdir(), key=Path.is_file):
                path.replace(target / path.name)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            with suppress(OSError):
                target.rmdir()  # it is empty only if the export failed
    return len(clips)


def export_folder(library: Library, target: Path) -> int:
    """Copy all clips of the library into a new or empty folder; see `export_clips`."""
    return export_clips(library.folder, library.clips(), target)


def _entry(clip: LibraryClip) -> dict[str, object]:
    return {
        "path": relative_path(clip).as_posix(),
        "emotion": clip.label,
        "duration": round(clip.seconds, 4),
        "sample_rate": SAMPLE_RATE,
        "group": clip.group,
    }


def _held_back(clips: Sequence[LibraryClip]) -> set[str]:
    """The groups of the validation side; deterministic.

    Per label two groups if there are three or more (one for validation, one for testing), one of two, then further
    groups up to their share; never all groups of a label.
    """
    labels: dict[str, set[str]] = defaultdict(set)
    groups: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        if clip.label:
            labels[clip.group].add(clip.label)
            groups[clip.label].add(clip.group)
    order = sorted(labels, key=_drawn)
    trained = {label for label, members in groups.items() if len(members) >= len(_SIDES)}
    sides = covering({group: names & trained for group, names in labels.items()}, _SIDES)
    held = {group for group, side in sides.items() if side != "train"}

    def can_go(group: str) -> bool:
        return group not in held and all(groups[label] - held - {group} for label in labels[group])

    for label in sorted(groups, key=lambda label: (len(groups[label]), label)):
        for group in order:
            if len(groups[label] & held) < min(2, len(groups[label]) - 1) and label in labels[group] and can_go(group):
                held.add(group)
    for group in order:
        if len(held) < round(_HELD_BACK * len(order)) and can_go(group):
            held.add(group)
    return held


def _drawn(group: str) -> bytes:
    return hashlib.sha256(group.encode()).digest()
