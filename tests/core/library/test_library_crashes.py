"""The library through kills, lost and damaged databases, full disks and helping hands: nothing labelled is lost."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from babymonitor.core.library.library import Library, LibraryClip, LibraryError
from babymonitor.core.sound import flac_tag
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.wave import Wave

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def noise(seed: int, seconds: float = 0.5) -> Wave:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=int(seconds * 16000)) * 0.1).astype(np.float32)


def fill(folder: Path, count: int = 5) -> list[LibraryClip]:
    """A library of so many clips, and one in the trash."""
    library = Library(folder)
    for number in range(count + 1):
        library.add(
            noise(number),
            ("pain", "", "background")[number % 3],
            group=f"night-{number // 3}",
            baby="Žofie",
            recorded=1e9 + number,
            note=f"číslo {number} 👶",
            guess={"pain": 0.25, "müde": 0.75},
            origin=f"alert:{number}",
        )
    library.delete([library.clips()[0].id])
    clips = library.clips()
    library.close()
    return clips


def open_and_check(folder: Path) -> tuple[Library, list[LibraryClip], list[LibraryClip]]:
    """The library opened again, its clips and its trash: each has a file that can be read, no file has none."""
    library = Library(folder)
    clips, trashed = library.clips(), library.trashed()
    files = [path for path in library.folder.rglob("*") if path.is_file()]
    assert sorted(clip.path for clip in clips) == sorted(files)
    for clip in (*clips, *trashed):
        assert read_wave(clip.path).size == round(clip.seconds * 16000)
    assert all(any(path.iterdir()) for path in library.folder.rglob("*") if path.is_dir()), "no empty folder is left"
    return library, clips, trashed


def run(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code] if code else [sys.executable]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("action", ["add", "change", "delete", "undelete", "trim", "import", "purge", "export"])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="each step is taken by a fork")
def test_killed_at_any_step_nothing_is_lost(tmp_path: Path, action: str, measured: Callable[[str, str], None]) -> None:
    start = tmp_path / "start"
    before = {clip.id: clip for clip in fill(start / "library", 3)}
    for number in range(2):
        (start / "elsewhere" / "hungry").mkdir(parents=True, exist_ok=True)
        soundfile.write(start / "elsewhere" / "hungry" / f"{number}.wav", noise(100 + number), 16000)
    done = run(str(HERE / "killed_library.py"), str(tmp_path), action)
    assert done.stdout, done.stderr
    steps, status = map(int, done.stdout.split())
    assert status == 0, done.stderr
    assert steps >= 4
    reached: set[tuple[object, ...]] = set()
    for step in range(steps + 1):
        library, clips, trashed = open_and_check(tmp_path / str(step) / "library")
        assert library.complaints == []
        now = {clip.id: clip for clip in clips}
        kept = now.keys() | {clip.id for clip in trashed}
        assert before.keys() <= kept
        for id, old in before.items():
            if id in now:
                assert now[id].label in (old.label, "teething")
                assert now[id].note in (old.note, "changed")
                assert (now[id].group, now[id].guess, now[id].recorded) == (old.group, old.guess, old.recorded)
        reached.add((len(clips), len(trashed), sum(clip.label == "teething" for clip in clips)))
        assert library.advice()
        library.close()
        # Whatever the moment was: a list made anew of the folders names the same clips under the same labels.
        (tmp_path / str(step) / "library.sqlite").unlink()
        library, again, trash = open_and_check(tmp_path / str(step) / "library")
        assert [(clip.id, clip.label, clip.group) for clip in again] == [
            (clip.id, clip.label, clip.group) for clip in clips
        ]
        assert {clip.id for clip in trash} >= {clip.id for clip in trashed}
        library.close()
    measured(f"library killed at every step of {action}", f"{steps} steps, {len(reached)} different ends")


def test_killed_at_random_what_was_told_is_kept(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np\nfrom pathlib import Path\nfrom babymonitor.core.library.library import Library\n"
        "library, rng = Library(Path(sys.argv[1])), np.random.default_rng(1)\n"
        "while True:\n"
        "    clip = library.add(rng.uniform(-1, 1, 4000).astype(np.float32), '', group='night')\n"
        "    print(clip.id, 'none', flush=True)\n"
        "    library.change([clip.id], label='pain', note='x')\n"
        "    print(clip.id, 'pain', flush=True)\n"
    )
    folder = tmp_path / "library"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert writer.stdout is not None
    written = [writer.stdout.readline().split() for _ in range(60)]
    writer.send_signal(signal.SIGKILL)
    written += [line.split() for line in writer.stdout]
    writer.wait()
    writer.stdout.close()
    library, clips, _ = open_and_check(folder)
    assert library.complaints == []
    labels = {clip.id: clip.label for clip in clips}
    assert {id for id, _ in written} <= labels.keys()
    assert all(labels[id] == "pain" for id, label in written if label == "pain")
    library.close()


@pytest.mark.parametrize("damage", ["lost", "text", "cut", "middle", "another"])
def test_a_lost_or_damaged_list_is_made_anew_of_the_clips(tmp_path: Path, damage: str) -> None:
    clips = fill(tmp_path / "library", 40)
    database = tmp_path / "library.sqlite"
    data = database.read_bytes()
    if damage == "lost":
        database.unlink()
    elif damage == "text":
        database.write_text("this is no database\n" * 100)
    elif damage == "cut":
        database.write_bytes(data[: len(data) // 2])
    elif damage == "another":
        database.unlink()
        other = sqlite3.connect(database)
        other.executescript("CREATE TABLE clips (id TEXT); PRAGMA user_version = 1;")
        other.close()
    else:
        database.write_bytes(data[:4096] + os.urandom(4096) + data[8192:])
    library, again, trashed = open_and_check(tmp_path / "library")
    assert again == clips, "all that was known of them"
    assert len(trashed) == 1
    if damage == "lost":
        assert library.complaints == []
    else:
        (sentence,) = library.complaints
        (aside,) = tmp_path.glob("*.broken-*")
        assert aside.name in sentence
        assert "made anew from the clips" in sentence
    library.close()


def test_a_newer_versions_library_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "library.sqlite"
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    before = path.read_bytes()
    with pytest.raises(LibraryError, match="newer version"):
        Library(tmp_path / "library")
    assert path.read_bytes() == before


def test_what_cannot_be_opened_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(LibraryError, match=r"cannot be kept: .*\.$"):
        Library(tmp_path / "file" / "library")
    with pytest.raises(LibraryError, match="cannot be opened"):
        Library(tmp_path / "library", tmp_path / "no" / "such" / "library.sqlite")


FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from babymonitor.core.library.library import Library, LibraryError
from babymonitor.core.library.transfer import export_folder

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
library = Library(Path(sys.argv[1]))
before = library.clips()
ids = [clip.id for clip in before]
noise = np.random.default_rng(7).uniform(-0.5, 0.5, 8000).astype(np.float32)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
actions = {
    "add": lambda: library.add(noise, "pain", group="g"),
    "add quiet": lambda: library.add(np.zeros(8000, np.float32), "pain", group="g"),
    "note": lambda: library.change(ids, note="x"),
    "label": lambda: library.change(ids, label="tired"),
    "both": lambda: library.change(ids, label="tired", note="x"),
    "delete": lambda: library.delete(ids),
    "undelete": lambda: library.undelete([clip.id for clip in library.trashed()]),
    "trim": lambda: library.trim(ids[0], 0.1, 0.4),
    "export": lambda: export_folder(library, Path(sys.argv[1]).with_name("out")),
}
for name, action in actions.items():
    try:
        action()
        print(name, "| went well")
    except LibraryError as error:
        print(name, "|", error)
    now = library.clips()
    assert now == before, name
    assert sorted(clip.path for clip in now) == sorted(p for p in library.folder.rglob("*") if p.is_file()), name
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
library.add(noise, "pain", group="g")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a limit on files stands in for a full disk")
@pytest.mark.parametrize("limit", [0, 6000])
def test_a_full_disk_is_a_sentence_and_nothing_is_lost(tmp_path: Path, limit: int) -> None:
    """With 6000 bytes a quiet clip's file can be written, and no row."""
    clips = fill(tmp_path / "library")
    done = run(str(tmp_path / "library"), str(limit), code=FULL)
    assert done.returncode == 0, done.stderr
    answers = dict(line.split(" | ") for line in done.stdout.splitlines())
    assert len(answers) == 9
    for name, sentence in answers.items():
        assert sentence.endswith("."), (name, sentence)
        assert "could not" in sentence, (name, sentence)
    assert not (tmp_path / "out").exists()
    library, again, trashed = open_and_check(tmp_path / "library")
    assert len(again) == len(clips) + 1
    assert {clip.id: clip for clip in clips}.items() <= {clip.id: clip for clip in again}.items()
    assert len(trashed) == 1
    library.close()


def test_the_folders_win_where_a_person_has_moved_files(tmp_path: Path) -> None:
    clips = {clip.origin: clip for clip in fill(tmp_path / "library")}
    folder = tmp_path / "library"
    moved = clips["alert:0"]
    (folder / "Hungry" / "Night 7").mkdir(parents=True)
    moved.path.rename(folder / "Hungry" / "Night 7" / "the best one.FLAC")
    clips["alert:1"].path.rename(folder / "pain" / clips["alert:1"].path.name)
    clips["alert:2"].path.unlink()
    shutil.copy(clips["alert:3"].path, folder / "a copy.flac")
    shutil.copytree(clips["alert:4"].path.parent, folder / "tired" / "copied")
    (folder / "pain" / "unfinished.flac.part").write_bytes(b"x")
    library = Library(folder)
    now = {clip.origin: clip for clip in library.clips()}
    assert now.keys() == {"alert:0", "alert:1", "alert:3", "alert:4"}
    hungry = now["alert:0"]
    assert hungry == replace(
        moved, label="hungry", group="Night 7", path=folder / "hungry" / "Night 7" / moved.path.name
    )
    assert (now["alert:1"].label, now["alert:1"].group) == ("pain", "night-0"), "the group that it had"
    assert now["alert:3"] == clips["alert:3"]
    assert now["alert:4"] == clips["alert:4"], "the copy gives way"
    assert all(clip.path.is_file() for clip in now.values())
    lost, *twice = sorted(library.complaints)
    assert lost.startswith("1 clip of the library cannot be found")
    assert [sentence for sentence in twice if "copied" in sentence and "moved to the trash" in sentence]
    library.close()
    library = Library(folder)
    assert {clip.origin: clip for clip in library.clips()} == now
    library.close()


def test_the_library_may_be_a_link_to_another_disk(tmp_path: Path) -> None:
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == tmp_path.stat().st_dev:
        pytest.skip("There is one disk here: moving to another was not tested.")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        (tmp_path / "library").symlink_to(elsewhere)
        clips = fill(tmp_path / "library")
        library = Library(tmp_path / "library")
        library.change([clips[0].id], label="tired", note="x")
        library.delete([clips[1].id])
        library.undelete([clips[1].id])
        library.delete([clips[2].id])
        library.close()
        library, now, trashed = open_and_check(tmp_path / "library")
        assert [clip.id for clip in now] == [clip.id for clip in clips if clip != clips[2]]
        assert len(trashed) == 2
        assert not list(tmp_path.rglob("*.part"))
        library.close()


def test_links_in_a_circle_are_no_end(tmp_path: Path) -> None:
    clips = fill(tmp_path / "library")
    (tmp_path / "library" / "pain" / "circle").symlink_to(tmp_path / "library")
    (tmp_path / "library" / "circle").symlink_to(tmp_path / "library")
    library = Library(tmp_path / "library")
    assert library.clips() == clips
    assert all(clip.path.is_file() for clip in clips)
    library.close()


def test_strangers_files_are_named_and_left(tmp_path: Path) -> None:
    clips = fill(tmp_path / "library")
    folder = tmp_path / "library"
    soundfile.write(folder / "pain" / "night-0" / "mine.wav", noise(50), 16000)
    soundfile.write(folder / "pain" / "night-0" / f"{'a' * 16}.flac", noise(51), 16000)
    (folder / "pain" / "night-0" / f"{'b' * 16}.flac").write_bytes(b"fLaC\x00\x00\xff")
    (folder / "notes.txt").write_text("x")
    library = Library(folder)
    assert library.clips() == clips
    (sentence,) = library.complaints
    assert "did not write: 3, such as" in sentence
    assert (folder / "pain" / "night-0" / "mine.wav").is_file()
    library.close()


def test_a_comment_that_never_stops_opening_brackets_is_no_clips(tmp_path: Path) -> None:
    (clip, *_) = fill(tmp_path / "library")
    flac_tag.copy_with_comment(clip.path, clip.path.with_name("strange.flac"), "[" * 100_000)
    library = Library(tmp_path / "library")
    assert "strange.flac" in " ".join(library.complaints)
    library.close()


def test_a_file_that_went_away_meanwhile_is_a_sentence(tmp_path: Path) -> None:
    clips = fill(tmp_path / "library")
    library = Library(tmp_path / "library")
    clips[2].path.unlink()
    ids = [clip.id for clip in clips]
    for change in ({"label": "tired"}, {"note": "x"}, {"label": "tired", "note": "x"}):
        with pytest.raises(LibraryError, match=r"could not be changed: .*No such file"):
            library.change(ids, **change)  # type: ignore[arg-type]
        assert [clip.path.is_file() for clip in clips] == [True, True, False, True, True]
        assert library.clips() == clips
    library.delete(ids)
    assert library.clips() == []
    assert len(library.trashed()) == 5
    library.close()


def test_a_comment_is_replaced_and_the_sound_stays(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.flac", tmp_path / "b.flac"
    with soundfile.SoundFile(path, "w", 16000, 1, "PCM_16", format="FLAC") as file:
        file.title, file.comment = "kept", "before"
        file.write(noise(1))
    text = "žluťoučký 👶 = \n" * 20_000
    flac_tag.copy_with_comment(path, copy, text)
    head = flac_tag.read_head(copy)
    assert (head.comment, head.sample_rate, head.seconds) == (text, 16000, 0.5)
    with soundfile.SoundFile(copy) as file:
        assert (file.comment, file.title) == (text, "kept")
    assert np.array_equal(soundfile.read(copy)[0], soundfile.read(path)[0])
    flac_tag.copy_with_comment(copy, path, "")
    assert flac_tag.read_head(path).comment == ""
    with pytest.raises(ValueError, match="too long"):
        flac_tag.copy_with_comment(copy, path, "x" * 2**24)


@pytest.mark.parametrize("size", [0, 3, 4, 8, 30, 60, 100])
def test_a_cut_off_file_is_no_clip(tmp_path: Path, size: int) -> None:
    (clip, *_) = fill(tmp_path / "library", 1)
    path = tmp_path / "cut.flac"
    path.write_bytes(clip.path.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"no FLAC|cut off"):
        flac_tag.read_head(path)
