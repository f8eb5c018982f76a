"""The history of the nights in SQLite: alerts, what each minute sounded like, and when the monitor was not listening.

Times are Unix seconds (UTC). Every call is one short transaction; a crash at any moment leaves the last good state.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_MIGRATIONS = (
    """
    CREATE TABLE alerts (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        began REAL NOT NULL,
        raised REAL NOT NULL,
        ended REAL,
        peak_db REAL NOT NULL,
        peak_crying REAL NOT NULL,
        reasons TEXT NOT NULL,
        clip TEXT
    );
    CREATE INDEX alerts_by_time ON alerts (began);
    CREATE TABLE gaps (
        id INTEGER PRIMARY KEY,
        state TEXT NOT NULL,
        detail TEXT NOT NULL,
        began REAL NOT NULL,
        ended REAL
    );
    CREATE INDEX gaps_by_time ON gaps (began);
    CREATE TABLE minutes (
        began INTEGER PRIMARY KEY,
        level_db REAL NOT NULL,
        crying REAL NOT NULL,
        seconds TEXT NOT NULL
    );
    """,
)


class HistoryError(Exception):
    """The history cannot be kept; the message is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One kept alert. clip: the sound's path relative to the clips folder, None where none was kept."""

    id: int
    kind: str
    began: float
    raised: float
    ended: float | None
    peak_db: float
    peak_crying: float
    reasons: dict[str, float] = field(default_factory=dict)
    clip: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of not listening. state: as in `core.health`, or ``stopped``. ended: None while it lasts."""

    id: int
    state: str
    detail: str
    began: float
    ended: float | None


@dataclass(frozen=True, slots=True)
class Minute:
    """What one minute sounded like. began: its first second. level_db: the loudest. crying: the highest P(crying).

    seconds: per kind of sound (crying, happy, natural, background) how long it was the likeliest.
    """

    began: int
    level_db: float
    crying: float
    seconds: dict[str, float] = field(default_factory=dict)


class History:
    """The database, opened. One thread uses it. A broken one is put aside and a new one begun; `complaints` says so."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.complaints: list[str] = []
        try:
            self._database = self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise HistoryError(f"The history {path} cannot be opened: {error}.") from error
            aside = self._put_aside()
            self._database = self._open()
            self.complaints.append(f"The history was damaged; a new one was begun, and the old one is kept as {aside}.")

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, isolation_level=None)
        try:
            if database.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("damaged")
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version > len(_MIGRATIONS):
                raise HistoryError(f"The history {self.path} was written by a newer version of this program.")
            # Write-ahead: a reader is never held up, and a crash loses nothing that was committed.
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            for number in range(version, len(_MIGRATIONS)):
                database.executescript(f"BEGIN; {_MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;")
        except BaseException:
            database.close()
            raise
        return database

    def _put_aside(self) -> str:
        aside = f"{self.path.name}.broken-{time.strftime('%Y%m%d-%H%M%S')}"
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self.path.with_name(self.path.name + suffix).rename(self.path.with_name(aside + suffix))
        return aside

    def close(self) -> None:
        self._database.close()

    def add_alert(self, kind: str, began: float, raised: float, peak_db: float, peak_crying: float) -> int:
        """A new alert that lasts; its id."""
        row = (kind, began, raised, peak_db, peak_crying)
        return self._insert(
            "INSERT INTO alerts (kind, began, raised, peak_db, peak_crying, reasons) VALUES (?, ?, ?, ?, ?, '{}')", row
        )

    def update_alert(
        self, id: int, ended: float | None, peak_db: float, peak_crying: float, reasons: dict[str, float]
    ) -> None:
        self._run(
            "UPDATE alerts SET ended = ?, peak_db = ?, peak_crying = ?, reasons = ? WHERE id = ?",
            (ended, peak_db, peak_crying, json.dumps(reasons), id),
        )

    def set_clip(self, id: int, clip: str) -> None:
        self._run("UPDATE alerts SET clip = ? WHERE id = ?", (clip, id))

    def alert(self, id: int) -> AlertRow | None:
        """One alert, None where there is none with this id."""
        return next(iter(self._alerts("WHERE id = ?", (id,))), None)

    def alerts(self, since: float = 0.0, until: float = 1e12, limit: int = 10_000) -> list[AlertRow]:
        """Alerts that began in [since, until), the newest first."""
        return self._alerts(
            "WHERE began >= ? AND began < ? ORDER BY began DESC, id DESC LIMIT ?", (since, until, limit)
        )

    def _alerts(self, condition: str, values: tuple[object, ...]) -> list[AlertRow]:
        rows = self._run(
            "SELECT id, kind, began, raised, ended, peak_db, peak_crying, reasons, clip FROM alerts " + condition,
            values,
        )
        return [
            AlertRow(id, kind, began, raised, ended, peak_db, peak_crying, json.loads(reasons), clip)
            for id, kind, began, raised, ended, peak_db, peak_crying, reasons, clip in rows
        ]

    def add_gap(self, state: str, detail: str, began: float) -> int:
        """The monitor stopped listening; the gap's id."""
        return self._insert("INSERT INTO gaps (state, detail, began) VALUES (?, ?, ?)", (state, detail, began))

    def end_gap(self, id: int, ended: float) -> None:
        self._run("UPDATE gaps SET ended = ? WHERE id = ?", (ended, id))

    def gaps(self, since: float = 0.0, until: float = 1e12) -> list[Gap]:
        """Gaps that touch [since, until), the oldest first."""
        rows = self._run(
            "SELECT id, state, detail, began, ended FROM gaps"
            " WHERE began < ? AND coalesce(ended, ?) >= ? ORDER BY began",
            (until, until, since),
        )
        return [Gap(*row) for row in rows]

    def put_minute(self, minute: Minute) -> None:
        """Keep a minute; one that is there already (listening was stopped within it) is added to."""
        for earlier in self.minutes(minute.began, minute.began + 1):
            names = {**earlier.seconds, **minute.seconds}
            minute = Minute(
                minute.began,
                max(earlier.level_db, minute.level_db),
                max(earlier.crying, minute.crying),
                {name: earlier.seconds.get(name, 0.0) + minute.seconds.get(name, 0.0) for name in names},
            )
        self._run(
            "INSERT OR REPLACE INTO minutes (began, level_db, crying, seconds) VALUES (?, ?, ?, ?)",
            (minute.began, minute.level_db, minute.crying, json.dumps(minute.seconds)),
        )

    def minutes(self, since: float, until: float) -> list[Minute]:
        """Minutes in [since, until), the oldest first."""
        rows = self._run(
            "SELECT began, level_db, crying, seconds FROM minutes WHERE began >= ? AND began < ? ORDER BY began",
            (since, until),
        )
        return [Minute(began, level, crying, json.loads(seconds)) for began, level, crying, seconds in rows]

    def close_what_was_left_open(self, now: float) -> None:
        """After a crash: an alert or a gap that never ended, ends with the last minute that was kept."""
        ((known,),) = self._run("SELECT coalesce(max(began) + 60, 0) FROM minutes", ())
        last = min(now, known)
        self._run("UPDATE alerts SET ended = max(raised, ?) WHERE ended IS NULL", (last,))
        self._run("UPDATE gaps SET ended = max(began, ?) WHERE ended IS NULL", (last,))

    def _insert(self, statement: str, values: tuple[object, ...]) -> int:
        try:
            return int(self._database.execute(statement, values).lastrowid or 0)
        except sqlite3.Error as error:
            raise HistoryError(f"The history could not be written: {error}.") from error

    def _run(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise HistoryError(f"The history could not be written or read: {error}.") from error
