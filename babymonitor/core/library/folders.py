"""What lies in the library's folders: files moved safely, and all of them looked over when the library is opened."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from babymonitor.core.library.clip import (
    UNLABELLED,
    LibraryClip,
    LibraryError,
    checked_group,
    label_of_folder,
    read_clip,
)
from babymonitor.core.messages import Code
from babymonitor.core.sound.files import AUDIO_SUFFIXES
from babymonitor.core.whole_file import TEMPORARY, whole_file


@dataclass(frozen=True, slots=True)
class Found:
    """The file of a clip, what its folders call it, and what it says of itself."""

    path: Path
    label: str
    group: str
    said: LibraryClip


@dataclass(slots=True)
class Survey:
    """known: clips whose files are where their rows say. found: the files of others, by id. spare: further files of
    either. foreign: sound files that are no clips.
    """

    known: set[str] = field(default_factory=set)
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
    for text, name, parts in _files(str(top), ()):
        id = name.removesuffix(".flac")
        # Thousands of times where nothing is amiss: with strings alone.
        if id in rows and len(parts) == 2 and rows[id] == (_label(parts[0]), parts[1]) and id != name:
            seen.known.add(id)
            continue
        path = Path(text)
        if name.endswith(TEMPORARY):
            path.unlink(missing_ok=True)
            tidy(path, top)
            continue
        said = read_clip(path) if path.suffix.lower() == ".flac" and parts else None
        if said is None:
            seen.foreign += [path] if path.suffix.lower() in AUDIO_SUFFIXES else []
            continue
        group = checked_group("-".join(parts[1:]) or said.group)
        one = Found(path, label_of_folder(parts[0]), group, said)
        if seen.found.setdefault(said.id, one) is not one:
            seen.spare.append((said.id, one))
    for id in seen.known & seen.found.keys():
        seen.spare.append((id, seen.found.pop(id)))
    for id, one in seen.found.items():
        place = top / (one.label or UNLABELLED) / one.group / f"{id}.flac"
        if place != one.path:
            move(one.path, place)
            tidy(one.path, top)
            seen.found[id] = Found(place, one.label, one.group, one.said)
    return seen


def _label(folder: str) -> str:
    return "" if folder == UNLABELLED else folder


def _files(folder: str, parts: tuple[str, ...]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Every file under a folder: path, name, the folders between. Folders that hold nothing are taken away."""
    files: list[tuple[str, str, tuple[str, ...]]] = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=_name):
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):  # a link may lead in a circle
                # Some file systems spell names in another way than they were given; for ASCII there is but one.
                files += _files(entry.path, (*parts, unicodedata.normalize("NFC", entry.name)))
            else:
                files.append((entry.path, entry.name, parts))
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
        with whole_file(new) as temporary:
            shutil.copy2(old, temporary)
        old.unlink()


def sync_folder(folder: Path) -> None:
    """Wait until the disk knows the folder's names, where a system can be asked to."""
    with contextlib.suppress(OSError, AttributeError):
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


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
def refusal_as(code: Code, **parameters: Path) -> Iterator[None]:
    """Turn what the disk refuses (OSError, ValueError) into a LibraryError of this code, which takes a `reason` too."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise LibraryError(code, reason=reason, **parameters) from error
