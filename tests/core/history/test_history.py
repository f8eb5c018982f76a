"""The history: kept through crashes, put aside when it is broken, never silently lost."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from babymonitor.core.history.history import History, HistoryError, Minute, NearMiss, Review

VERSION_1 = """
    CREATE TABLE alerts (
        id INTEGER PRIMARY KEY, kind TEXT NOT NULL, began REAL NOT NULL, raised REAL NOT NULL, ended REAL,
        peak_db REAL NOT NULL, peak_crying REAL NOT NULL, reasons TEXT NOT NULL, clip TEXT
    );
    CREATE INDEX alerts_by_time ON alerts (began);
    CREATE TABLE gaps (
        id INTEGER PRIMARY KEY, state TEXT NOT NULL, detail TEXT NOT NULL, began REAL NOT NULL, ended REAL
    );
    CREATE INDEX gaps_by_time ON gaps (began);
    CREATE TABLE minutes (
        began INTEGER PRIMARY KEY, level_db REAL NOT NULL, crying REAL NOT NULL, seconds TEXT NOT NULL
    );
    PRAGMA user_version = 1;
    INSERT INTO alerts VALUES (7, 'crying', 100.0, 101.5, 140.0, -12.0, 0.99, '{"hungry": 0.6}', '2026-11/x.flac');
    INSERT INTO alerts VALUES (8, 'loud', 200.0, 201.0, NULL, -20.0, 0.0, '{}', NULL);
    INSERT INTO gaps VALUES (3, 'deaf', 'unplugged', 300.0, 310.0);
    INSERT INTO minutes VALUES (60, -35.0, 0.2, '{"background": 60.0}');
"""
"""As the first version wrote it, word for word: what people have on their disks."""


def version_1(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.executescript(VERSION_1)
    database.close()


def expect_what_version_1_held(history: History) -> None:
    assert history.complaints == []
    loud, crying = history.alerts()
    assert (crying.id, crying.clip, crying.reasons) == (7, "2026-11/x.flac", {"hungry": 0.6})
    assert (loud.id, loud.kind, loud.ended) == (8, "loud", None)
    assert [(gap.id, gap.ended) for gap in history.gaps()] == [(3, 310.0)]
    assert [minute.began for minute in history.minutes(0, 1000)] == [60]


def test_alerts_gaps_and_minutes_come_back(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    history = History(path)
    first = history.add_alert("crying", 100.0, 101.5, -30.0, 0.8)
    history.update_alert(first, 140.0, -12.0, 0.99, {"hungry": 0.6, "tired": 0.4})
    history.set_clip(first, "2026-11/x.flac")
    second = history.add_alert("loud", 200.0, 201.0, -20.0, 1.0)
    gap = history.add_gap("deaf", "unplugged", 300.0)
    history.end_gap(gap, 310.0)
    history.put_minute(Minute(60, -40.0, 0.1, {"background": 60.0}))
    history.put_minute(Minute(60, -35.0, 0.2, {"background": 50.0, "crying": 10.0}))
    history.close()
    history = History(path)
    newest, oldest = history.alerts()
    assert (newest.id, newest.kind, newest.ended, newest.clip) == (second, "loud", None, None)
    assert (oldest.ended, oldest.peak_db, oldest.clip) == (140.0, -12.0, "2026-11/x.flac")
    assert oldest.reasons == {"hungry": 0.6, "tired": 0.4}
    assert history.alert(first) == oldest
    assert history.alert(99) is None
    assert [row.id for row in history.alerts(150, 250)] == [second]
    assert [(row.state, row.ended) for row in history.gaps(305, 400)] == [("deaf", 310.0)]
    assert history.gaps(311, 400) == []
    (minute,) = history.minutes(0, 1000)
    assert (minute.level_db, minute.crying) == (-35.0, 0.2)
    assert minute.seconds == {"background": 110.0, "crying": 10.0}
    history.close()


@pytest.mark.parametrize("damage", ["text", "cut", "middle"])
def test_a_damaged_history_is_kept_aside_and_a_new_one_begun(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "history.sqlite"
    history = History(path)
    for number in range(500):
        history.add_alert("crying", float(number), float(number), -30.0, 0.9)
    history.close()
    data = path.read_bytes()
    if damage == "text":
        data = b"this is no database\n" * 100
    elif damage == "cut":
        data = data[: len(data) // 2]
    else:
        data = data[:4096] + os.urandom(8192) + data[4096 + 8192 :]
    path.write_bytes(data)
    history = History(path)
    (sentence,) = history.complaints
    (aside,) = tmp_path.glob("*.broken-*")
    assert aside.name in sentence
    assert aside.read_bytes() == data
    history.add_alert("crying", 1.0, 2.0, -30.0, 0.9)
    assert len(history.alerts()) == 1
    history.close()


def test_a_newer_versions_history_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="newer version"):
        History(path)
    assert path.read_bytes() == before


def test_what_cannot_be_opened_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="cannot be opened"):
        History(tmp_path / "no" / "such" / "folder" / "history.sqlite")


def test_killed_in_the_middle_nothing_that_was_written_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    code = (
        "import sys; from pathlib import Path; from babymonitor.core.history.history import History\n"
        "history = History(Path(sys.argv[1]))\n"
        "for number in range(100000):\n"
        "    print(history.add_alert('crying', number, number, -30.0, 0.9), flush=True)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    written_ids = [int(writer.stdout.readline()) for _ in range(50)]
    writer.send_signal(signal.SIGKILL)
    written_ids += [int(line) for line in writer.stdout.read().split()]
    writer.wait()
    writer.stdout.close()
    history = History(path)
    assert history.complaints == []
    kept = {row.id for row in history.alerts(limit=1_000_000)}
    assert set(written_ids) <= kept
    history.put_minute(Minute(0, -40.0, 0.1, {}))
    history.close_open_rows(50.0)
    assert history.alerts(0, 1)[0].ended == 50.0
    assert all(row.ended is not None for row in history.alerts(limit=1_000_000))
    history.close()


def test_a_history_of_the_first_version_is_taken_over_whole(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    version_1(path)
    history = History(path)
    expect_what_version_1_held(history)
    assert history.reviews() == {}
    assert history.near_misses() == []
    history.put_review(7, "right", "sad", 500.0)
    history.close()
    history = History(path)
    expect_what_version_1_held(history)
    assert history.review(7) == Review(7, "right", "sad", 500.0)
    history.close()


VERSION_2 = Path(__file__).parents[2] / "fixtures" / "history-version-2.sqlite"
"""Written by the last version that knew no rooms."""


def expect_what_version_2_held(history: History) -> None:
    crying, loud = reversed(history.alerts())
    assert (crying.kind, crying.began, crying.ended) == ("crying", 1_790_000_000, 1_790_000_030)
    assert crying.reasons == {"hungry": 0.4, "sad": 0.6}
    assert crying.clip == "2026-09/2026-09-21_10-13-20_1.flac"
    assert (loud.kind, loud.ended) == ("loud", None)
    assert history.review(crying.id) == Review(crying.id, "right", "hungry", 1_790_004_000)
    (near_miss,) = history.near_misses()
    assert (near_miss.verdict, near_miss.label, near_miss.clip) == ("wrong", "pain", "2026-09/near-miss_1.flac")
    deaf, muted = history.gaps()
    assert (deaf.state, deaf.ended, muted.state, muted.ended) == ("deaf", 1_790_000_160, "muted", None)
    minutes = history.minutes(0, 1e12)
    assert [minute.level_db for minute in minutes] == [-40.0 + number for number in range(20)]
    assert all(minute.seconds == {"background": 50.0, "crying": 10.0} for minute in minutes)
    rows = [crying, loud, near_miss, deaf, muted, *minutes]
    assert {row.room for row in rows} == {""}, "it all belongs to the only room"


VERSION_3 = Path(__file__).parents[2] / "fixtures" / "history-version-3.sqlite"
"""Written by the last version that kept no other sounds."""


def expect_what_version_3_held(history: History) -> None:
    crying, loud = reversed(history.alerts())
    assert (crying.kind, crying.reasons, crying.room) == ("crying", {"hungry": 0.4, "sad": 0.6}, "Nursery")
    assert (loud.kind, loud.ended, loud.room) == ("loud", None, "Nursery")
    assert history.review(crying.id) == Review(crying.id, "right", "hungry", 1_790_004_000)
    attic, nursery = history.near_misses()
    assert (nursery.verdict, nursery.label, nursery.clip) == ("wrong", "pain", "2026-09/near-miss_1.flac")
    assert (attic.peak_crying, attic.verdict, attic.room) == (0.45, None, "Attic")
    assert [(gap.state, gap.ended, gap.room) for gap in history.gaps()] == [
        ("deaf", 1_790_000_160, "Nursery"),
        ("muted", None, "Attic"),
    ]
    minutes = history.minutes(0, 1e12)
    assert [(minute.room, minute.level_db) for minute in minutes] == [
        (room, -40.0 + number) for number in range(20) for room in ("Attic", "Nursery")
    ]
    assert all(minute.seconds == {"background": 50.0, "crying": 10.0} for minute in minutes)
    assert all(row.sounds == {} for row in [attic, nursery, *minutes]), "nothing is known of them"
    assert (attic.threshold, nursery.threshold) == (None, None)


HELD = {1: expect_what_version_1_held, 2: expect_what_version_2_held, 3: expect_what_version_3_held}


def lay_down(version: int, path: Path) -> None:
    """Put a history there as a version before wrote it."""
    if version == 1:
        version_1(path)
    else:
        shutil.copy({2: VERSION_2, 3: VERSION_3}[version], path)


def test_a_history_without_other_sounds_is_taken_over_whole_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    shutil.copy(VERSION_3, path)
    for _ in range(2):
        history = History(path)
        assert history.complaints == []
        expect_what_version_3_held(history)
        history.close()
    history = History(path)
    began = history.minutes(0, 1e12)[0].began
    history.put_minute(Minute(began, -50.0, 0.0, {"background": 5.0}, "Attic", {"dog": 4.0, "": 1.0}))
    assert history.minutes(began, began + 1)[0].sounds == {"dog": 4.0, "": 1.0}
    history.close()


def test_the_version_before_may_go_on_writing_what_this_one_has_taken_over(tmp_path: Path) -> None:
    """As when `watch` was started before an update and the window after it."""
    path = tmp_path / "history.sqlite"
    shutil.copy(VERSION_3, path)
    before = sqlite3.connect(path, isolation_level=None)
    assert before.execute("SELECT count(*) FROM minutes").fetchone() == (40,)
    history = History(path)
    before.execute(
        "INSERT OR REPLACE INTO minutes (began, level_db, crying, seconds, room) VALUES (0, -40.0, 0.1, '{}', 'Attic')"
    )
    before.execute(
        "INSERT INTO near_misses (began, ended, peak_crying, peak_db, probabilities, clip, room)"
        " VALUES (0, 1, 0.4, -30.0, '{}', NULL, 'Attic')"
    )
    before.close()
    (minute,), (near_miss,) = history.minutes(0, 1), history.near_misses(0, 1)
    assert (minute.sounds, near_miss.sounds, near_miss.threshold) == ({}, {}, None)
    history.close()


def test_other_sounds_are_kept_added_up_and_can_be_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    history = History(path)
    history.put_minute(Minute(60, -40.0, 0.1, {"background": 60.0}, sounds={"dog": 2.0, "": 8.0}))
    history.put_minute(Minute(60, -35.0, 0.2, {"background": 10.0}, sounds={"dog": 3.0, "music": 7.0}))
    history.put_minute(Minute(120, -35.0, 0.2, {"background": 10.0}, sounds={"music": 1.0}))
    history.add_near_miss(100.0, 104.0, 0.45, -31.0, {}, sounds={"dog": 4.0}, threshold=0.6)
    history.close()
    history = History(path)
    first, second = history.minutes(0, 1000)
    assert (first.sounds, second.sounds) == ({"dog": 5.0, "": 8.0, "music": 7.0}, {"music": 1.0})
    (near_miss,) = history.near_misses()
    assert (near_miss.sounds, near_miss.threshold) == ({"dog": 4.0}, 0.6)
    history.close()
    database = sqlite3.connect(path)
    longest = "SELECT key, sum(value) FROM minutes, json_each(sounds) WHERE key <> '' GROUP BY key ORDER BY 2 DESC"
    assert database.execute(longest).fetchall() == [("music", 8.0), ("dog", 5.0)]
    database.close()


def test_a_history_without_rooms_is_taken_over_whole(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    shutil.copy(VERSION_2, path)
    for _ in range(2):
        history = History(path)
        assert history.complaints == []
        expect_what_version_2_held(history)
        history.close()


@pytest.mark.parametrize("version", [2, 3])
def test_two_programs_that_take_a_history_over_at_once(tmp_path: Path, version: int) -> None:
    """As when the window and `watch` both start after an update."""
    for attempt in range(5):
        path = tmp_path / f"{attempt}.sqlite"
        lay_down(version, path)
        with ThreadPoolExecutor(4) as programs:

            def open_and_read(path: Path = path) -> int:
                history = History(path)
                HELD[version](history)
                history.close()
                return len(history.complaints)

            assert [program.result() for program in [programs.submit(open_and_read) for _ in range(4)]] == [0] * 4


def test_rooms_are_kept_apart(tmp_path: Path) -> None:
    history = History(tmp_path / "history.sqlite")
    alert = history.add_alert("crying", 100.0, 101.0, -30.0, 0.8, "Attic")
    history.add_gap("deaf", "", 100.0, "Attic")
    near_miss = history.add_near_miss(1.0, 2.0, 0.5, -30.0, {}, room="Attic")
    history.put_minute(Minute(60, -40.0, 0.1, {"background": 10.0}, "Attic"))
    history.put_minute(Minute(60, -30.0, 0.2, {"crying": 20.0}, "Nursery"))
    history.put_minute(Minute(60, -50.0, 0.3, {"background": 5.0}, "Attic"))
    assert history.minutes(0, 100) == [
        Minute(60, -40.0, 0.3, {"background": 15.0}, "Attic"),
        Minute(60, -30.0, 0.2, {"crying": 20.0}, "Nursery"),
    ]
    row, kept = history.alert(alert), history.near_miss(near_miss)
    assert row is not None
    assert kept is not None
    assert (row.room, kept.room, history.gaps()[0].room) == ("Attic", "Attic", "Attic")
    history.close()


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("where", ["before", "middle", "end"])
def test_killed_while_it_is_taken_over_it_is_taken_over_the_next_time(tmp_path: Path, where: str, version: int) -> None:
    path = tmp_path / "history.sqlite"
    lay_down(version, path)
    code = (
        "import os, signal, sqlite3, sys\n"
        "from pathlib import Path\n"
        "from babymonitor.core.history import history\n"
        "class Dying(sqlite3.Connection):\n"
        "    def executescript(self, script):\n"
        "        self.create_function('die', 0, lambda: os.kill(os.getpid(), signal.SIGKILL))\n"
        "        return super().executescript(script)\n"
        "connect = sqlite3.connect\n"
        "sqlite3.connect = lambda *args, **more: connect(*args, factory=Dying, **more)\n"
        "version = int(sys.argv[3])\n"
        "first, *parts = history._MIGRATIONS[version].split(';')\n"
        "at = {'before': 0, 'middle': 1, 'end': len(parts)}[sys.argv[2]]\n"
        "parts = [first, *parts]\n"
        "parts.insert(at, ' SELECT die()')\n"
        "history._MIGRATIONS = (*history._MIGRATIONS[:version], ';'.join(parts) + ';')\n"
        "history.History(Path(sys.argv[1]))\n"
    )
    command = [sys.executable, "-c", code, str(path), where, str(version)]
    killed = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    history = History(path)
    HELD[version](history)
    if version == 1:
        history.put_review(7, "wrong", "background", 500.0)
        assert history.add_near_miss(1.0, 2.0, 0.5, -30.0, {}) == 1
    history.close()


def test_what_is_said_of_an_alert_is_kept_changed_and_taken_back(tmp_path: Path) -> None:
    history = History(tmp_path / "history.sqlite")
    first, second = (history.add_alert("crying", began, began + 1, -30.0, 0.8) for began in (100.0, 200.0))
    assert history.review(first) is None
    history.put_review(first, "right", "", 1000.0)
    history.put_review(first, "wrong", "background", 1001.0)
    history.put_review(second, "unsure", "", 1002.0)
    assert history.review(first) == Review(first, "wrong", "background", 1001.0)
    assert set(history.reviews()) == {first, second}
    assert set(history.reviews(150.0)) == {second}
    history.remove_review(first)
    assert history.review(first) is None
    with pytest.raises(HistoryError):
        history.put_review(first, "perhaps", "", 1.0)
    assert history.review(first) is None
    history.close()


def test_precision_counts_the_crying_alerts_that_somebody_was_sure_of(tmp_path: Path) -> None:
    history = History(tmp_path / "history.sqlite")
    verdicts = ["right"] * 9 + ["wrong"] * 2 + ["unsure", None]
    for number, verdict in enumerate(verdicts):
        id = history.add_alert("crying", 100.0 + number, 101.0 + number, -30.0, 0.8)
        if verdict is not None:
            history.put_review(id, verdict, "", 1000.0)
    history.put_review(history.add_alert("loud", 105.0, 106.0, -20.0, 0.0), "wrong", "background", 1000.0)
    history.put_review(history.add_alert("crying", 5.0, 6.0, -20.0, 0.9), "wrong", "background", 1000.0)
    history.review_near_miss(history.add_near_miss(105.0, 106.0, 0.5, -30.0, {}), "wrong", "hungry", 1000.0)
    assert history.precision(100.0, 200.0) == (9, 2)
    assert history.precision() == (9, 3)
    assert history.precision(500.0) == (0, 0)
    history.close()


def test_the_number_of_a_near_miss_that_went_is_never_anothers(tmp_path: Path) -> None:
    """Somebody may be looking at it while a nearer one takes its place."""
    history = History(tmp_path / "history.sqlite")
    first = history.add_near_miss(100.0, 101.0, 0.4, -30.0, {})
    history.remove_near_miss(first)
    assert history.add_near_miss(200.0, 201.0, 0.5, -30.0, {}) != first
    history.close()


def test_near_misses_come_back_with_what_was_said_of_them(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    history = History(path)
    first = history.add_near_miss(100.0, 104.0, 0.55, -31.0, {"hungry": 0.5, "background": 0.5})
    second = history.add_near_miss(200.0, 203.0, 0.45, -35.0, {})
    history.set_near_miss_clip(first, "2026-11/near.flac")
    history.review_near_miss(first, "wrong", "hungry", 1000.0)
    with pytest.raises(HistoryError):
        history.review_near_miss(first, "perhaps", "", 1001.0)
    history.close()
    history = History(path)
    shares = {"hungry": 0.5, "background": 0.5}
    expected = NearMiss(first, 100.0, 104.0, 0.55, -31.0, shares, "2026-11/near.flac", "wrong", "hungry", 1000.0)
    assert history.near_miss(first) == expected
    assert [row.id for row in history.near_misses()] == [second, first]
    assert [row.id for row in history.near_misses(150.0, 250.0)] == [second]
    assert history.near_miss(99) is None
    history.review_near_miss(first, None, "", 1002.0)
    again = history.near_miss(first)
    assert again is not None
    assert (again.verdict, again.label, again.reviewed) == (None, "", None)
    history.close()
