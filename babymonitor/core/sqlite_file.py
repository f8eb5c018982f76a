"""One way to open a database of ours: checked, brought up to date, and put aside where it is damaged."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def opened(
    path: Path,
    migrations: Sequence[str],
    what: str,
    failure: type[Exception],
    check: Callable[[sqlite3.Connection], None] = lambda database: None,
) -> tuple[sqlite3.Connection, str]:
    """→ the database, and under which name a damaged one was put aside for an empty one; "" where it was whole.

    migrations: of each version the script that makes it of the one before. what: it is, for sentences. failure: raised,
    with a sentence, where it cannot be opened or is of a newer version. check: may raise sqlite3.DatabaseError for one
    that is not ours.
    """
    try:
        return _open(path, migrations, what, failure, check), ""
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise failure(f"The {what} {path} cannot be opened: {error}.") from error
        aside = _put_aside(path)
        return _open(path, migrations, what, failure, check), aside


def _open(
    path: Path,
    migrations: Sequence[str],
    what: str,
    failure: type[Exception],
    check: Callable[[sqlite3.Connection], None],
) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    try:
        if database.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("damaged")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version > len(migrations):
            raise failure(f"The {what} {path} was written by a newer version of this program.")
        # Write-ahead: a reader is never held up, and a crash loses nothing that was committed.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        for number in range(version, len(migrations)):
            database.executescript(f"BEGIN; {migrations[number]} PRAGMA user_version = {number + 1}; COMMIT;")
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
