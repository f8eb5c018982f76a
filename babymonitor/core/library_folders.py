"""What lies in the library's folders: files moved safely, and all of them looked over when the library is opened."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from babymonitor.core.audio import AUDIO_SUFFIXES
from babymonitor.core.library_clip import (
    TEMPORARY,
    UNLABELLED,
    LibraryClip,
    LibraryError,
    checked_group,
    label_of_folder,
    read_clip,
)


@dataclass(frozen=True, slots=True)
class Found:
    """The file of a clip, and what its folders call it. said: what it says of itself, None where it was not read."""

    path: Path
    label: str
    group: str
    said: LibraryClip | None


@dataclass(slots=True)
class Survey:
    """found: the clips' files, by id. spare: further files of those. foreign: sound files that are no clips."""

    found: dict[str, Found] = field(default_factory=dict)
    spare: list[tuple[str, Found]] = field(default_factory=list)
    foreign: list[Path] = field(default_factory=list)


def survey(top: Path, rows: Mapping[str, tuple[str, str]]) -> Survey:
    """Look over `<label>/<group>/<id>.flac` under a folder; OSError where it cannot be read.

    rows: label and group of the clips that are known; only the files of others are read. What interrupted writing left
    is taken away. Files and folders under names that are not quite theirs (moved there by hand) get those. Of two files
    of one clip, the one that its row speaks of is found and the other spare.
    """
    seen = Survey()
    for text, parts in _files(str(top), ()):
        path = Path(text)
        if path.name.endswith(TEMPORARY):
            path.unlink(missing_ok=True)
            tidy(path, top)
            continue
        id, label, group = path.stem, "", ""
        is_known = len(parts) == 2 and path.suffix == ".flac" and rows.get(id) == (_label(parts[0]), parts[1])
        said = None if is_known else read_clip(path) if path.suffix.lower() == ".flac" and parts else None
        if is_known:
            label, group = rows[id]
        elif said is None:
            seen.foreign += [path] if path.suffix.lower() in AUDIO_SUFFIXES else []
            continue
        else:
            id, label = said.id, label_of_folder(parts[0])
            group = checked_group("-".join(parts[1:]) or said.group)
        one = Found(path, label, group, said)
        other = seen.found.setdefault(id, one)
        if other is not one:
            if is_known:
                seen.found[id], one = one, other
            seen.spare.append((id, one))
    for id, one in seen.found.items():
        place = top / (one.label or UNLABELLED) / one.group / f"{id}.flac"
        if one.said and place != one.path:
            move(one.path, place)
            tidy(one.path, top)
            seen.found[id] = Found(place, one.label, one.group, one.said)
    return seen


def _label(folder: str) -> str:
    return "" if folder == UNLABELLED else folder


def _files(folder: str, parts: tuple[str, ...]) -> list[tuple[str, tuple[str, ...]]]:
    """Every file under a folder, with the names of the folders between. Folders that hold nothing are taken away."""
    files: list[tuple[str, tuple[str, ...]]] = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=_name):
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                files += _files(entry.path, (*parts, entry.name))
            else:
                files.append((entry.path, parts))
    if parts and not files:
        with contextlib.suppress(OSError):  # it may hold hidden ones
            os.rmdir(folder)
    return files


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def move(old: Path, new: Path) -> None:
    """Move a file in one step, to folders that are made; OSError. To another disk it is copied first, then removed."""
    new.parent.mkdir(parents=True, exist_ok=True)
    try:
        old.replace(new)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        temporary = new.with_name(new.name + TEMPORARY)
        try:
            shutil.copy2(old, temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(new)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        old.unlink()


def tidy(path: Path, top: Path) -> None:
    """Take away the folders of a file that left, where they are empty now."""
    for folder in path.parents:
        if folder == top or not folder.is_relative_to(top):
            return
        try:
            folder.rmdir()
        except OSError:
            return


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    """What a disk refuses is a LibraryError, beginning with `what`."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise LibraryError(f"{what}: {reason}.") from error
