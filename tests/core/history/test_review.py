"""What a person says of the nights: the order of the queue, and marks that leave history and library of one mind."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from babymonitor.core.history.history import RIGHT, UNSURE, WRONG, History, HistoryError
from babymonitor.core.history.review import NEAR_MISS, Episode, Reviewer, ReviewError, night_date
from babymonitor.core.library.library import Library
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.wave import SAMPLE_RATE

DEMO = Path(__file__).parents[3] / "resources" / "demo.flac"
NIGHT = time.mktime((2026, 11, 20, 23, 30, 0, 0, 0, -1))
GROUP = "night-2026-11-20"


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = History(tmp_path / "history.sqlite")
    yield history
    history.close()


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "library", tmp_path / "library.sqlite")
    yield library
    library.close()


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    return folder


@pytest.fixture
def reviewer(history: History, library: Library, clips: Path) -> Reviewer:
    return Reviewer(history, library, clips)


def keep_sound(clips: Path, name: str, start: float) -> str:
    """Three seconds of the demo as a clip of a night; its name."""
    wave = read_wave(DEMO)
    at = int(start * SAMPLE_RATE)
    soundfile.write(clips / name, wave[at : at + 3 * SAMPLE_RATE], SAMPLE_RATE, subtype="PCM_16")
    return name


def add_alert(history: History, began: float, crying: float = 0.9, clip: str = "", kind: str = "crying") -> int:
    id = history.add_alert(kind, began, began + 1.0, -20.0, crying)
    history.update_alert(id, began + 30.0, -20.0, crying, {"hungry": 0.5, "tired": 0.5})
    if clip:
        history.set_clip(id, clip)
    return id


def in_library(library: Library) -> list[tuple[str, str, str]]:
    return sorted((clip.origin, clip.label, clip.group) for clip in library.clips())


def test_the_least_certain_comes_first_and_loudness_last(history: History, reviewer: Reviewer) -> None:
    sure = add_alert(history, NIGHT, 0.99)
    doubtful = add_alert(history, NIGHT + 100, 0.65)
    loud = add_alert(history, NIGHT + 200, 0.0, kind="loud")
    reviewed = add_alert(history, NIGHT + 300, 0.61)
    history.put_review(reviewed, RIGHT, "", 1.0)
    history.add_alert("crying", NIGHT + 400, NIGHT + 401, -20.0, 0.6)  # lasts still
    near = history.add_near_miss(NIGHT + 500, NIGHT + 503, 0.58, -40.0, {"sad": 0.4, "background": 0.6})
    add_alert(history, NIGHT - 86400, 0.6)
    queue = reviewer.queue(NIGHT - 3600, NIGHT + 3600, threshold=0.6)
    assert [episode.key for episode in queue] == [
        f"near-miss:{near}",
        f"alert:{doubtful}",
        f"alert:{sure}",
        f"alert:{loud}",
    ]
    assert len(reviewer.queue(0.0, 1e12, threshold=0.6)) == 5


def test_a_label_says_whether_the_monitor_was_right() -> None:
    alert = Episode(1, "crying", 0.0, 1.0, 2.0, -20.0, 0.9, {"hungry": 0.5})
    near = Episode(1, NEAR_MISS, 0.0, None, 2.0, -20.0, 0.5, {"background": 0.7})
    assert alert.key != near.key
    assert [alert.verdict_for(name) for name in ("pain", "background", "cat")] == [RIGHT, WRONG, WRONG]
    assert [near.verdict_for(name) for name in ("pain", "background", "cat")] == [WRONG, RIGHT, RIGHT]
    assert alert.guess == {"hungry": 0.45}
    assert near.guess == {"background": 0.7}


def test_marks_feed_history_and_library_and_are_undone_one_by_one(
    history: History, library: Library, reviewer: Reviewer, clips: Path
) -> None:
    id = add_alert(history, NIGHT, clip=keep_sound(clips, "1.flac", 0.0))
    episode = reviewer.episodes()[0]
    marks = []
    for verdict, label, expected in (
        (RIGHT, "", "sad"),
        (RIGHT, "hungry", "hungry"),
        (WRONG, "cat", "cat"),
        (UNSURE, "", None),
        (WRONG, "background", "background"),
    ):
        marks.append(reviewer.mark(episode, verdict, label, 1000.0, baby="Ada"))
        assert marks[-1].sentence == ""
        review = history.review(id)
        assert review is not None
        assert (review.verdict, review.label) == (verdict, expected or "")
        assert in_library(library) == ([] if expected is None else [(f"alert:{id}", expected, GROUP)])
    (clip,) = library.clips()
    assert (clip.baby, clip.source, clip.recorded) == ("Ada", "night", NIGHT)
    assert clip.guess == pytest.approx({"hungry": 0.45, "tired": 0.45})
    assert clip.seconds == 3.0
    for expected in (None, "cat", "hungry", "sad"):
        assert reviewer.undo(marks.pop()) == ""
        assert in_library(library) == ([] if expected is None else [(f"alert:{id}", expected, GROUP)])
    reviewer.undo(marks.pop())
    assert history.review(id) is None
    assert in_library(library) == []
    assert len(library.trashed()) == 1


def test_a_part_of_the_sound_takes_the_place_of_the_whole(
    history: History, library: Library, reviewer: Reviewer, clips: Path
) -> None:
    add_alert(history, NIGHT, clip=keep_sound(clips, "1.flac", 0.0))
    episode = reviewer.episodes()[0]
    reviewer.mark(episode, RIGHT, "hungry", 1000.0)
    mark = reviewer.mark(episode, RIGHT, "tired", 1001.0, wave=reviewer.wave(episode)[:SAMPLE_RATE])
    assert [(clip.label, clip.seconds) for clip in library.clips()] == [("tired", 1.0)]
    reviewer.undo(mark)
    assert [(clip.label, clip.seconds) for clip in library.clips()] == [("hungry", 3.0)]


def test_near_misses_are_marked_too(history: History, library: Library, reviewer: Reviewer, clips: Path) -> None:
    first = history.add_near_miss(NIGHT, NIGHT + 3, 0.5, -40.0, {"sad": 0.5}, keep_sound(clips, "1.flac", 0.0))
    second = history.add_near_miss(NIGHT + 60, NIGHT + 63, 0.4, -40.0, {}, keep_sound(clips, "2.flac", 4.0))
    for episode in reviewer.episodes():
        if episode.id == first:
            reviewer.mark(episode, WRONG, "hungry", 1000.0)
        else:
            undone = reviewer.mark(episode, RIGHT, "", 1001.0)
    assert in_library(library) == [(f"near-miss:{first}", "hungry", GROUP), (f"near-miss:{second}", "", GROUP)]
    assert {row.id: row.verdict for row in history.near_misses()} == {first: WRONG, second: RIGHT}
    reviewer.undo(undone)
    assert {row.id: row.verdict for row in history.near_misses()} == {first: WRONG, second: None}
    assert in_library(library) == [(f"near-miss:{first}", "hungry", GROUP)]


def test_a_clip_that_is_gone_is_told_and_the_mark_is_kept(history: History, reviewer: Reviewer, clips: Path) -> None:
    never = add_alert(history, NIGHT)
    deleted = add_alert(history, NIGHT + 60, clip="deleted.flac")
    broken = add_alert(history, NIGHT + 120, clip="broken.flac")
    (clips / "broken.flac").write_bytes(b"no sound")
    sentences = {}
    for episode in reviewer.episodes():
        with pytest.raises(ReviewError):
            reviewer.wave(episode)
        sentences[episode.id] = reviewer.mark(episode, RIGHT, "", 1000.0).sentence
    assert sentences[never] == "No sound was kept of this one."
    assert sentences[deleted] == "The sound of this one is no longer on the disk."
    assert "cannot be read" in sentences[broken]
    assert set(history.reviews()) == {never, deleted, broken}


def test_without_a_library_marks_are_kept(history: History, clips: Path) -> None:
    reviewer = Reviewer(history, None, clips)
    id = add_alert(history, NIGHT, clip=keep_sound(clips, "1.flac", 0.0))
    mark = reviewer.mark(reviewer.episodes()[0], RIGHT, "", 1000.0)
    assert "library cannot be opened" in mark.sentence
    assert set(history.reviews()) == {id}
    reviewer.undo(mark)
    assert history.reviews() == {}


def test_what_the_history_refuses_is_not_in_the_library(
    tmp_path: Path, history: History, library: Library, reviewer: Reviewer, clips: Path
) -> None:
    add_alert(history, NIGHT, clip=keep_sound(clips, "1.flac", 0.0))
    episode = reviewer.episodes()[0]
    history._database.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(tmp_path / "history.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # as if a slow disk or another program held it
    with pytest.raises(HistoryError):
        reviewer.mark(episode, RIGHT, "", 1000.0)
    other.execute("ROLLBACK")
    other.close()
    assert in_library(library) == []
    assert history.reviews() == {}


def test_a_mark_made_twice_after_a_crash_between_leaves_one_clip(
    history: History, library: Library, reviewer: Reviewer, clips: Path
) -> None:
    id = add_alert(history, NIGHT, clip=keep_sound(clips, "1.flac", 0.0))
    episode = reviewer.episodes()[0]
    # Killed after the library had it, and before the history.
    wave = reviewer.wave(episode)
    library.add(wave, "sad", group=GROUP, source="night", recorded=NIGHT, origin=episode.key)
    assert reviewer.queue(0.0, 1e12, 0.6) == [episode]
    reviewer.mark(episode, WRONG, "natural", 1000.0)
    assert in_library(library) == [(f"alert:{id}", "natural", GROUP)]


def test_nights_go_from_noon_to_noon() -> None:
    noon = time.mktime((2026, 11, 20, 12, 0, 0, 0, 0, -1))
    assert night_date(noon) == night_date(noon + 86399) == "2026-11-20"
    assert night_date(noon - 1) == "2026-11-19"


def test_a_mark_and_its_undoing_are_announced_by_the_library_once_each(
    history: History, library: Library, reviewer: Reviewer, clips: Path
) -> None:
    add_alert(history, NIGHT, clip=keep_sound(clips, "a.flac", 20.0))
    (episode,) = reviewer.episodes()
    announced: list[list[str]] = []
    library.on_change(announced.append)
    mark = reviewer.mark(episode, RIGHT, "pain", NIGHT + 60)
    assert announced == [[mark.clip_id]]
    reviewer.undo(mark)
    assert announced == [[mark.clip_id], [mark.clip_id]]
