"""The history: kept through crashes, put aside when it is broken, never silently lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from babymonitor.core.history import History, HistoryError, Minute


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
        "import sys; from pathlib import Path; from babymonitor.core.history import History\n"
        "history = History(Path(sys.argv[1]))\n"
        "for number in range(100000):\n"
        "    print(history.add_alert('crying', number, number, -30.0, 0.9), flush=True)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    told = [int(writer.stdout.readline()) for _ in range(50)]
    writer.send_signal(signal.SIGKILL)
    told += [int(line) for line in writer.stdout.read().split()]
    writer.wait()
    writer.stdout.close()
    history = History(path)
    assert history.complaints == []
    kept = {row.id for row in history.alerts(limit=1_000_000)}
    assert set(told) <= kept
    history.put_minute(Minute(0, -40.0, 0.1, {}))
    history.close_what_was_left_open(50.0)
    assert history.alerts(0, 1)[0].ended == 50.0
    assert all(row.ended is not None for row in history.alerts(limit=1_000_000))
    history.close()
