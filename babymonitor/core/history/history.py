"""The history of the nights in SQLite: alerts and near misses, a person's reviews of them, minutes and gaps.

Times are Unix seconds (UTC). Every call is one short transaction; a crash at any moment leaves the last good state.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from babymonitor.core.alerts.policy import Alert
from babymonitor.core.messages import Code, PersonError, message
from babymonitor.core.sqlite_file import opened

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
    """
    CREATE TABLE reviews (
        alert_id INTEGER PRIMARY KEY,
        verdict TEXT NOT NULL CHECK (verdict IN ('right', 'wrong', 'unsure')),
        label TEXT NOT NULL,
        reviewed REAL NOT NULL
    );
    CREATE TABLE near_misses (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        began REAL NOT NULL,
        ended REAL NOT NULL,
        peak_crying REAL NOT NULL,
        peak_db REAL NOT NULL,
        probabilities TEXT NOT NULL,
        clip TEXT,
        verdict TEXT CHECK (verdict IN ('right', 'wrong', 'unsure')),
        label TEXT NOT NULL DEFAULT '',
        reviewed REAL
    );
    CREATE INDEX near_misses_by_time ON near_misses (began);
    """,
    # Rooms: all earlier rows belong to the only room, whose name is empty.
    """
    ALTER TABLE alerts ADD COLUMN room TEXT NOT NULL DEFAULT '';
    ALTER TABLE gaps ADD COLUMN room TEXT NOT NULL DEFAULT '';
    ALTER TABLE near_misses ADD COLUMN room TEXT NOT NULL DEFAULT '';
    CREATE TABLE minutes_of_rooms (
        began INTEGER NOT NULL,
        level_db REAL NOT NULL,
        crying REAL NOT NULL,
        seconds TEXT NOT NULL,
        room TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (began, room)
    );
    INSERT INTO minutes_of_rooms (began, level_db, crying, seconds)
        SELECT began, level_db, crying, seconds FROM minutes;
    DROP TABLE minutes;
    ALTER TABLE minutes_of_rooms RENAME TO minutes;
    """,
    # Other sounds by name, and what a near miss would have had to reach: of earlier rows neither is known.
    """
    ALTER TABLE minutes ADD COLUMN sounds TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE near_misses ADD COLUMN sounds TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE near_misses ADD COLUMN threshold REAL;
    """,
)

RIGHT, WRONG, UNSURE = "right", "wrong", "unsure"
"""A person's verdict on what the monitor did: waking them for an alert, or not waking them for a near miss."""


def added(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    """The sum of two tables of seconds, name by name."""
    return {name: first.get(name, 0.0) + second.get(name, 0.0) for name in {**first, **second}}


def longer(seconds: Mapping[str, float], name: str, by: float) -> dict[str, float]:
    """A table of seconds with so many more of one name, to the millisecond."""
    return {**seconds, name: round(seconds.get(name, 0.0) + by, 3)}


class HistoryError(PersonError):
    """The history cannot be read or written."""


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert of the history; id -1 if it could not be kept. Times in Unix seconds; ended: None while it lasts.

    clip: the sound's path relative to the clips folder, None where none was kept. room: empty for the only one.
    """

    id: int
    kind: str
    began: float
    raised: float
    ended: float | None
    peak_db: float
    peak_crying: float
    reasons: dict[str, float] = field(default_factory=dict)
    clip: str | None = None
    room: str = ""

    @classmethod
    def of(cls, alert: Alert, wall: Callable[[float], float], room: str = "") -> AlertRow:
        """Return the row of an alert that is not kept yet. wall: from seconds of the sound to Unix seconds."""
        ended = None if alert.ended_seconds is None else wall(alert.ended_seconds)
        began, raised = wall(alert.began_seconds), wall(alert.raised_seconds)
        return cls(-1, alert.kind, began, raised, ended, alert.peak_db, alert.peak_crying, alert.reasons, room=room)


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of not listening. state: a value of `core.alerts.health.Health`, ``stopped`` or ``slept``.

    ended: None while it lasts.
    """

    id: int
    state: str
    detail: str
    began: float
    ended: float | None
    room: str = ""


@dataclass(frozen=True, slots=True)
class Minute:
    """What one minute sounded like. began: its first second. level_db: the loudest. crying: the highest P(crying).

    seconds: per kind of sound (crying, happy, natural, background) how long it was the likeliest. sounds: the same for
    the sounds that the model names beside its labels, such as ``dog`` (`core.model.sounds`), with "" for the seconds in
    which none was likely enough; {} where it names none.
    """

    began: int
    level_db: float
    crying: float
    seconds: dict[str, float] = field(default_factory=dict)
    room: str = ""
    sounds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Review:
    """A person's review of an alert. label: what it was, a name of the vocabulary; empty if they did not say.

    reviewed: when they said so.
    """

    alert_id: int
    verdict: str
    label: str
    reviewed: float


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A sound that nearly raised an alert. probabilities: the mean per label while it lasted.

    clip: as of an alert. verdict, label, reviewed: as of a `Review`; None, "" and None until there is one.
    ``wrong``: it should have been an alert. sounds: as of a `Minute`. threshold: the P(crying) from which it would have
    been an alert, had it lasted; None where that was not kept.
    """

    id: int
    began: float
    ended: float
    peak_crying: float
    peak_db: float
    probabilities: dict[str, float] = field(default_factory=dict)
    clip: str | None = None
    verdict: str | None = None
    label: str = ""
    reviewed: float | None = None
    room: str = ""
    sounds: dict[str, float] = field(default_factory=dict)
    threshold: float | None = None


class History:
    """The open database, for one thread. A damaged file is put aside and a new one started; `complaints` says so."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.complaints: list[str] = []
        self._database, aside = opened(
            path, _MIGRATIONS, HistoryError, Code.HISTORY_CANNOT_BE_OPENED, Code.HISTORY_TOO_NEW
        )
        if aside:
            self.complaints.append(message(Code.HISTORY_PUT_ASIDE, name=aside))

    def close(self) -> None:
        self._database.close()

    def add_alert(
        self, kind: str, began: float, raised: float, peak_db: float, peak_crying: float, room: str = ""
    ) -> int:
        """Add an ongoing alert. Returns its id."""
        return self._insert(
            "INSERT INTO alerts (kind, began, raised, peak_db, peak_crying, reasons, room)"
            " VALUES (?, ?, ?, ?, ?, '{}', ?)",
            (kind, began, raised, peak_db, peak_crying, room),
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
        """Return an alert by its id, None if there is none."""
        return next(iter(self._alerts("WHERE id = ?", (id,))), None)

    def alerts(self, since: float = 0.0, until: float = 1e12, limit: int = 10_000) -> list[AlertRow]:
        """Return the alerts that began in [since, until), newest first."""
        return self._alerts(
            "WHERE began >= ? AND began < ? ORDER BY began DESC, id DESC LIMIT ?", (since, until, limit)
        )

    def _alerts(self, condition: str, values: tuple[object, ...]) -> list[AlertRow]:
        rows = self._run(
            "SELECT id, kind, began, raised, ended, peak_db, peak_crying, reasons, clip, room FROM alerts " + condition,
            values,
        )
        return [
            AlertRow(id, kind, began, raised, ended, peak_db, peak_crying, json.loads(reasons), clip, room)
            for id, kind, began, raised, ended, peak_db, peak_crying, reasons, clip, room in rows
        ]

    def put_review(self, alert_id: int, verdict: str, label: str, now: float) -> None:
        """Store a person's review of an alert, replacing an earlier one. Raises HistoryError for an unknown verdict."""
        self._run(
            "INSERT OR REPLACE INTO reviews (alert_id, verdict, label, reviewed) VALUES (?, ?, ?, ?)",
            (alert_id, verdict, label, now),
        )

    def review(self, alert_id: int) -> Review | None:
        """Return the review of an alert, None if there is none."""
        rows = self._run("SELECT alert_id, verdict, label, reviewed FROM reviews WHERE alert_id = ?", (alert_id,))
        return next((Review(*row) for row in rows), None)

    def reviews(self, since: float = 0.0, until: float = 1e12) -> dict[int, Review]:
        """Return the reviews of alerts that began in [since, until), by the alert's id."""
        rows = self._run(
            "SELECT alert_id, verdict, label, reviewed FROM reviews JOIN alerts ON alerts.id = alert_id"
            " WHERE began >= ? AND began < ?",
            (since, until),
        )
        return {row[0]: Review(*row) for row in rows}

    def remove_review(self, alert_id: int) -> None:
        """Delete the review of an alert."""
        self._run("DELETE FROM reviews WHERE alert_id = ?", (alert_id,))

    def precision(self, since: float = 0.0, until: float = 1e12) -> tuple[int, int]:
        """Count the crying alerts that began in [since, until) and were reviewed as right, and as wrong.

        Those of which nothing was said, or ``unsure``, are in neither.
        """
        verdicts = self._run(
            "SELECT verdict, count(*) FROM reviews JOIN alerts ON alerts.id = alert_id"
            " WHERE kind = 'crying' AND began >= ? AND began < ? GROUP BY verdict",
            (since, until),
        )
        counts: dict[str, int] = dict(verdicts)
        return counts.get(RIGHT, 0), counts.get(WRONG, 0)

    def add_near_miss(
        self,
        began: float,
        ended: float,
        peak_crying: float,
        peak_db: float,
        probabilities: dict[str, float],
        clip: str | None = None,
        room: str = "",
        sounds: Mapping[str, float] | None = None,
        threshold: float | None = None,
    ) -> int:
        """Add a sound that was nearly an alert, when it is over. Returns its id."""
        shares, seconds = json.dumps(probabilities), json.dumps(dict(sounds or {}))
        return self._insert(
            "INSERT INTO near_misses (began, ended, peak_crying, peak_db, probabilities, clip, room, sounds, threshold)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (began, ended, peak_crying, peak_db, shares, clip, room, seconds, threshold),
        )

    def set_near_miss_clip(self, id: int, clip: str) -> None:
        self._run("UPDATE near_misses SET clip = ? WHERE id = ?", (clip, id))

    def remove_near_miss(self, id: int) -> None:
        """Delete a near miss, unless somebody has reviewed it."""
        self._run("DELETE FROM near_misses WHERE id = ? AND reviewed IS NULL", (id,))

    def near_miss(self, id: int) -> NearMiss | None:
        """Return a near miss by its id, None if there is none."""
        return next(iter(self._near_misses("WHERE id = ?", (id,))), None)

    def near_misses(self, since: float = 0.0, until: float = 1e12, limit: int = 10_000) -> list[NearMiss]:
        """Return the near misses that began in [since, until), newest first."""
        return self._near_misses(
            "WHERE began >= ? AND began < ? ORDER BY began DESC, id DESC LIMIT ?", (since, until, limit)
        )

    def review_near_miss(self, id: int, verdict: str | None, label: str, now: float) -> None:
        """Store a person's review of a near miss; None deletes it. Raises HistoryError for an unknown verdict."""
        review = (None, "", None) if verdict is None else (verdict, label, now)
        self._run("UPDATE near_misses SET verdict = ?, label = ?, reviewed = ? WHERE id = ?", (*review, id))

    def _near_misses(self, condition: str, values: tuple[object, ...]) -> list[NearMiss]:
        rows = self._run(
            "SELECT id, began, ended, peak_crying, peak_db, probabilities, clip, verdict, label, reviewed, room,"
            " sounds, threshold FROM near_misses " + condition,
            values,
        )
        return [
            NearMiss(
                id,
                began,
                ended,
                crying,
                level,
                json.loads(shares),
                clip,
                verdict,
                label,
                reviewed,
                room,
                json.loads(sounds),
                threshold,
            )
            for id, began, ended, crying, level, shares, clip, verdict, label, reviewed, room, sounds, threshold in rows
        ]

    def add_gap(self, state: str, detail: str, began: float, room: str = "") -> int:
        """Add a gap that begins. Returns its id."""
        return self._insert(
            "INSERT INTO gaps (state, detail, began, room) VALUES (?, ?, ?, ?)", (state, detail, began, room)
        )

    def end_gap(self, id: int, ended: float) -> None:
        self._run("UPDATE gaps SET ended = ? WHERE id = ?", (ended, id))

    def gaps(self, since: float = 0.0, until: float = 1e12) -> list[Gap]:
        """Return the gaps that overlap [since, until), oldest first."""
        rows = self._run(
            "SELECT id, state, detail, began, ended, room FROM gaps"
            " WHERE began < ? AND coalesce(ended, ?) >= ? ORDER BY began",
            (until, until, since),
        )
        return [Gap(*row) for row in rows]

    def put_minute(self, minute: Minute) -> None:
        """Store a minute of a room. If part of it is stored already (listening was stopped within it), add to that."""
        same_minute = self.minutes(minute.began, minute.began + 1)
        for earlier in (row for row in same_minute if row.room == minute.room):
            minute = Minute(
                minute.began,
                max(earlier.level_db, minute.level_db),
                max(earlier.crying, minute.crying),
                added(earlier.seconds, minute.seconds),
                minute.room,
                added(earlier.sounds, minute.sounds),
            )
        seconds, sounds = json.dumps(minute.seconds), json.dumps(minute.sounds)
        self._run(
            "INSERT OR REPLACE INTO minutes (began, level_db, crying, seconds, room, sounds) VALUES (?, ?, ?, ?, ?, ?)",
            (minute.began, minute.level_db, minute.crying, seconds, minute.room, sounds),
        )

    def minutes(self, since: float, until: float) -> list[Minute]:
        """Return the minutes of all rooms in [since, until), oldest first."""
        rows = self._run(
            "SELECT began, level_db, crying, seconds, room, sounds FROM minutes WHERE began >= ? AND began < ?"
            " ORDER BY began, room",
            (since, until),
        )
        return [
            Minute(began, level, crying, json.loads(seconds), room, json.loads(sounds))
            for began, level, crying, seconds, room, sounds in rows
        ]

    def close_open_rows(self, now: float) -> None:
        """After a crash, end alerts and gaps that never ended, at the last minute that was stored."""
        ((known,),) = self._run("SELECT coalesce(max(began) + 60, 0) FROM minutes", ())
        last = min(now, known)
        self._run("UPDATE alerts SET ended = max(raised, ?) WHERE ended IS NULL", (last,))
        self._run("UPDATE gaps SET ended = max(began, ?) WHERE ended IS NULL", (last,))

    def _insert(self, statement: str, values: tuple[object, ...]) -> int:
        try:
            return int(self._database.execute(statement, values).lastrowid or 0)
        except sqlite3.Error as error:
            raise HistoryError(Code.HISTORY_NOT_WRITTEN, reason=str(error)) from error

    def _run(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise HistoryError(Code.HISTORY_REFUSED, reason=str(error)) from error
