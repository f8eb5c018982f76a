"""The files in the library's folders: moved safely, and surveyed when the library is opened."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
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
class ClipFile:
    """The file of a clip: label and group according to its folders, and the metadata in it."""

    path: Path
    label: str
    group: str
    metadata: LibraryClip


@dataclass(slots=True)
class Survey:
    """The files of a library.

    in_place: ids of clips whose files are where their rows say. moved: the files of other clips, by id. duplicates:
    further files of either. foreign: sound files that are not clips.
    """

    in_place: set[str] = field(default_factory=set)
    moved: dict[str, ClipFile] = field(default_factory=dict)
    duplicates: list[tuple[str, ClipFile]] = field(default_factory=list)
    foreign: list[Path] = field(default_factory=list)


def survey(top: Path, rows: Mapping[str, tuple[str, str]]) -> Survey:
    """Survey `<label>/<group>/<id>.flac` under a folder. Raises OSError if it cannot be read.

    rows: label and group of each known clip; only the files of other clips are read. Leftovers of interrupted writes
    are deleted. Files and folders with not quite valid names (moved there by hand) are renamed. Of two files of the
    same clip, the one not in its row's place is the duplicate.
    """
    result = Survey()
    for text, name, parts in _files(str(top), ()):
        id = name.removesuffix(".flac")
        # The usual case, thousands of times: strings only, for speed.
        if id in rows and len(parts) == 2 and rows[id] == (_label(parts[0]), parts[1]) and id != name:
            result.in_place.add(id)
            continue
        path = Path(text)
        if name.endswith(TEMPORARY):
            path.unlink(missing_ok=True)
            remove_empty_folders(path, top)
            continue
        metadata = read_clip(path) if path.suffix.lower() == ".flac" and parts else None
        if metadata is None:
            result.foreign += [path] if path.suffix.lower() in AUDIO_SUFFIXES else []
            continue
        group = checked_group("-".join(parts[1:]) or metadata.group)
        file = ClipFile(path, label_of_folder(parts[0]), group, metadata)
        if result.moved.setdefault(metadata.id, file) is not file:
            result.duplicates.append((metadata.id, file))
    for id in result.in_place & result.moved.keys():
        result.duplicates.append((id, result.moved.pop(id)))
    for id, file in result.moved.items():
        place = top / (file.label or UNLABELLED) / file.group / f"{id}.flac"
        if place != file.path:
            move(file.path, place)
            remove_empty_folders(file.path, top)
            result.moved[id] = replace(file, path=place)
    return result


def _label(folder: str) -> str:
    return "" if folder == UNLABELLED else folder


def _files(folder: str, parts: tuple[str, ...]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Every file under a folder: path, name and the folders in between. Deletes empty folders."""
    files: list[tuple[str, str, tuple[str, ...]]] = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=_name):
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):  # links may be circular
                # Some file systems store names in another normal form.
                files += _files(entry.path, (*parts, unicodedata.normalize("NFC", entry.name)))
            else:
                files.append((entry.path, entry.name, parts))
    if parts and not files:
        with contextlib.suppress(OSError):  # it may contain hidden files
            os.rmdir(folder)
    return files


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def move(old: Path, new: Path) -> None:
    """Move a file atomically, creating folders; to another disk, copy it and then delete it. Raises OSError."""
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
    """Flush a folder's entries to the disk, on systems that can."""
    with contextlib.suppress(OSError, AttributeError):
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def remove_empty_folders(path: Path, top: Path) -> None:
    """Delete the folders above a file that was moved away, up to `top`, as far as they are empty."""
    for folder in path.parents:
        if folder == top or not folder.is_relative_to(top):
            return
        try:
            folder.rmdir()
        except OSError:
            return


@contextlib.contextmanager
def refusal_as(code: Code, **parameters: Path) -> Iterator[None]:
    """Turn OSError and ValueError inside into a LibraryError of this code, which has a further parameter `reason`."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise LibraryError(code, reason=reason, **parameters) from error
