"""Correcting the library's rows when it is opened: whatever a crash, or a person with a file manager, left different.

The files are authoritative. Only files without a row are read; of the others, the names suffice.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

from babymonitor.core.library.clip import LibraryClip
from babymonitor.core.library.database import LibraryDatabase, Locate
from babymonitor.core.library.folders import ClipFile, move, refusal_as, remove_empty_folders, survey
from babymonitor.core.messages import Code, Message, message


def reconcile(database: LibraryDatabase, folder: Path, trash: Path, locate: Locate) -> list[Message]:
    """Update the rows to match the files; returns a sentence for each thing a person should know.

    Raises LibraryError if the folders cannot be read.
    """
    rows = database.places()
    listed = {id: (label, group) for id, (label, group, is_deleted) in rows.items() if not is_deleted}
    trashed = {id: (label, group) for id, (label, group, is_deleted) in rows.items() if is_deleted}
    with refusal_as(Code.LIBRARY_UNREADABLE, path=folder):
        alive, deleted = survey(folder, listed), survey(trash, trashed)
        sentences = [_trash_duplicate(id, file, folder, locate) for id, file in alive.duplicates]
    database.put(_row(file) for file in alive.moved.values())
    present = alive.in_place | alive.moved.keys()
    for id, file in deleted.moved.items():
        if id not in present:
            database.put([_row(file)], file.path.stat().st_mtime)
    gone = rows.keys() - present - deleted.in_place - deleted.moved.keys()
    database.remove(gone)
    if lost := len(gone & listed.keys()):
        code = Code.LIBRARY_CLIP_LOST if lost == 1 else Code.LIBRARY_CLIPS_LOST
        sentences.append(message(code, count=lost, path=folder))
    if alive.foreign:
        example = alive.foreign[0].relative_to(folder)
        sentences.append(message(Code.LIBRARY_FOREIGN_FILES, count=len(alive.foreign), path=example))
    return sentences


def _row(file: ClipFile) -> LibraryClip:
    """The row of a file: its metadata, with label and group from its path."""
    return replace(file.metadata, label=file.label, group=file.group, path=file.path)


def _trash_duplicate(id: str, duplicate: ClipFile, folder: Path, locate: Locate) -> Message:
    now = time.time()
    os.utime(duplicate.path, (now, now))
    move(duplicate.path, locate(id, duplicate.label, duplicate.group, True))
    remove_empty_folders(duplicate.path, folder)
    return message(Code.LIBRARY_DUPLICATE_MOVED, path=duplicate.path.relative_to(folder))
