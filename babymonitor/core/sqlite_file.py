"""One way to open a database of ours: checked, brought up to date, and put aside where it is damaged."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from babymonitor.core.messages import Code, PersonError


def opened(
    path: Path,
    migrations: Sequence[str],
    failure: type[PersonError],
    refused: Code,
    too_new: Code,
    check: Callable[[sqlite3.Connection], None] = lambda database: None,
) -> tuple[sqlite3.Connection, str]:
    """Open a database; returns it, and the name a damaged one was put aside under ("" if it was sound).

    migrations: for each version, the script that makes it of the version before. failure: what is raised, with the
    sentence `refused` (path, reason) where it cannot be opened, and `too_new` (path) where a newer version wrote it.
    check: may raise sqlite3.DatabaseError for a database that is not ours.
    """
    try:
        return _open(path, migrations, failure, too_new, check), ""
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise failure(refused, path=path, reason=str(error)) from error
        aside = _put_aside(path)
        return _open(path, migrations, failure, too_new, check), aside


def _open(
    path: Path,
    migrations: Sequence[str],
    failure: type[PersonError],
    too_new: Code,
    check: Callable[[sqlite3.Connection], None],
) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    try:
        if database.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("damaged")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > len(migrations):
            raise failure(too_new, path=path)
        # Write-ahead: a reader is never held up, and a crash loses nothing that was committed.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        for number in range(version, len(migrations)):
            try:
                database.executescript(f"BEGIN; {migrations[number]} PRAGMA user_version = {number + 1}; COMMIT;")
            except sqlite3.OperationalError:
                # Another program may have taken this step at the same time, as when both start after an update.
                database.rollback()
                if database.execute("PRAGMA user_version").fetchone()[0] <= number:
                    raise
        check(database)
    except BaseException:
        database.close()
        raise
    return database


def _put_aside(path: Path) -> str:
    aside = f"{path.name}.broken-{time.strftime('%Y%m%d-%H%M%S')}"
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(path.with_name(aside + suffix))
    return aside
