"""The library's index in SQLite: fast to list and filter, and without information that is not in the files."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from babymonitor.core.library.clip import LibraryClip, LibraryError
from babymonitor.core.messages import Code
from babymonitor.core.sqlite_file import opened

_MIGRATIONS = (
    """
    CREATE TABLE clips (
        id TEXT PRIMARY KEY,
        label TEXT NOT NULL,
        "group" TEXT NOT NULL,
        baby TEXT NOT NULL,
        source TEXT NOT NULL,
        recorded REAL NOT NULL,
        seconds REAL NOT NULL,
        level_db REAL NOT NULL,
        is_clipped INTEGER NOT NULL,
        note TEXT NOT NULL,
        guess TEXT NOT NULL,
        origin TEXT NOT NULL,
        added REAL NOT NULL,
        deleted REAL
    ) WITHOUT ROWID;
    CREATE INDEX clips_by_time ON clips (recorded);
    """,
)
_COLUMNS = 'id, label, "group", baby, source, recorded, seconds, level_db, is_clipped, note, guess, origin, added'
_GUESS = 10

Locate = Callable[[str, str, str, bool], Path]
"""(id, label, group, is deleted) → the path of the clip's file."""


class LibraryDatabase:
    """The opened database, used by one thread. Every method raises LibraryError where SQLite fails.

    A damaged database is renamed to `put_aside` and an empty one is created.
    """

    def __init__(self, path: Path, locate: Locate) -> None:
        self.path = path
        self._locate = locate
        self._database, self.put_aside = opened(
            path, _MIGRATIONS, LibraryError, Code.LIBRARY_CANNOT_BE_OPENED, Code.LIBRARY_TOO_NEW, _check_columns
        )

    def close(self) -> None:
        self._database.close()

    def places(self) -> dict[str, tuple[str, str, bool]]:
        """Label, group and whether it is deleted, of every clip by id."""
        rows = self._run('SELECT id, label, "group", deleted IS NOT NULL FROM clips', ())
        return {id: (label, group, bool(deleted)) for id, label, group, deleted in rows}

    def select(self, condition: str = "deleted IS NULL", values: Sequence[object] = ()) -> list[LibraryClip]:
        """The clips that satisfy an SQL condition, newest first."""
        rows = self._run(
            f"SELECT {_COLUMNS}, deleted FROM clips WHERE {condition} ORDER BY recorded DESC, id DESC", tuple(values)
        )
        # In one call: starting the parser ten thousand times would cost more than parsing.
        guesses = json.loads(f"[{','.join([row[_GUESS] for row in rows])}]")
        folders: dict[tuple[str, str, bool], Path] = {}
        clips = []
        for row, guess in zip(rows, guesses, strict=True):
            id, label, group, baby, source, recorded, seconds, level, clipped, note, _, origin, added, deleted = row
            place = (label, group, deleted is not None)
            folder = folders.get(place)
            if folder is None:
                folder = folders[place] = self._locate(id, *place).parent
            path = folder / f"{id}.flac"
            columns = (id, label, group, baby, source, recorded, seconds, level, bool(clipped), note, guess, origin)
            clips.append(LibraryClip(*columns, path, added))
        return clips

    def table(self, statement: str) -> list[Any]:
        """The rows of a reading statement."""
        return self._run(statement, ())

    def put(self, clips: Iterable[LibraryClip], deleted: float | None = None) -> None:
        """Insert or replace the rows of clips, all or none. deleted: Unix seconds at which they went to the trash."""
        rows = [
            (clip.id, clip.label, clip.group, clip.baby, clip.source, clip.recorded, clip.seconds, clip.level_db,
             clip.is_clipped, clip.note, json.dumps(clip.guess), clip.origin, clip.added, deleted)
            for clip in clips
        ]  # fmt: skip
        marks = ", ".join("?" * 14)
        self._all_or_none(f"INSERT OR REPLACE INTO clips ({_COLUMNS}, deleted) VALUES ({marks})", rows)

    def remove(self, ids: Iterable[str]) -> None:
        self._all_or_none("DELETE FROM clips WHERE id = ?", [(id,) for id in ids])

    def _all_or_none(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        if not rows:
            return
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.executemany(statement, rows)
                self._database.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._database.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise LibraryError(Code.LIBRARY_ROWS_NOT_WRITTEN, reason=str(error)) from error

    def _run(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise LibraryError(Code.LIBRARY_ROWS_NOT_READ, reason=str(error)) from error


def _check_columns(database: sqlite3.Connection) -> None:
    with contextlib.closing(database.execute("SELECT name FROM pragma_table_info('clips')")) as names:
        if not {name for (name,) in names} >= {name.strip(' "') for name in _COLUMNS.split(",")}:
            raise sqlite3.DatabaseError("another program's")
