"""The library as a person uses it: clips kept, named, found, changed and changed back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from babymonitor.core import paths
from babymonitor.core.library.library import AlreadyThereError, Library, LibraryClip, LibraryError
from babymonitor.core.sound.files import read_wave
from babymonitor.core.sound.wave import Wave

EVENING = 1_795_200_000.0  # 2026-11-20, 18:40 UTC
DAY = 86400.0


def noise(seed: int, seconds: float = 0.5) -> Wave:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=int(seconds * 16000)) * 0.1).astype(np.float32)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    opened = Library(tmp_path / "library")
    yield opened
    opened.close()


def some(library: Library, count: int = 6) -> list[LibraryClip]:
    """Clips of three labels from two nights, the oldest first."""
    return [
        library.add(
            noise(number),
            ("pain", "hungry", "background")[number % 3],
            group=f"night-2026-11-{20 + number // 3}",
            baby="Žofie",
            source="night",
            recorded=EVENING + DAY * (number // 3) + number,
            note=f"číslo {number} 👶",
            guess={"pain": 0.25, "hungry": 0.75},
            origin=f"alert:{number}",
        )
        for number in range(count)
    ]


def everything(library: Library) -> list[LibraryClip]:
    """All clips, and that each has its file and no file is without one."""
    clips = library.clips()
    assert {clip.path for clip in clips} == {path for path in library.folder.rglob("*") if path.is_file()}
    assert {clip.path for clip in library.trashed()} == {path for path in library.trash.rglob("*") if path.is_file()}
    return clips


def test_what_is_added_comes_back(library: Library, tmp_path: Path) -> None:
    clip = some(library, 1)[0]
    assert clip.path == tmp_path / "library" / "pain" / "night-2026-11-20" / f"{clip.id}.flac"
    assert (clip.seconds, clip.level_db, clip.is_clipped) == (0.5, pytest.approx(-20.0, abs=0.2), False)
    assert np.abs(read_wave(clip.path) - noise(0)).max() < 2**-15
    assert library.clip(clip.id) == clip
    assert library.clip("0" * 16) is None
    library.close()
    again = Library(tmp_path / "library")
    assert everything(again) == [clip]
    assert again.complaints == []
    again.close()


def test_it_lies_in_the_persons_own_folders() -> None:
    library = Library()
    clip = library.add(noise(1), "baby cry", group="g")
    assert clip.path.parent == paths.library_folder() / "sad" / "g"
    library.delete([clip.id])
    assert library.trashed()[0].path.is_relative_to(paths.trash_folder())
    assert paths.library_file().is_file()
    library.close()


def test_sound_at_full_scale_is_told(library: Library) -> None:
    assert library.add(noise(0) * 30, "pain", group="g").is_clipped
    quiet = library.add(np.zeros(16000, np.float32), "background", group="g")
    assert (quiet.level_db, quiet.is_clipped) == (-120.0, False)


@pytest.mark.parametrize(
    ("wave", "words"),
    [
        (noise(0, 0.1), "too short"),
        (noise(0, 121.0), "too long"),
        (np.array([0.0] * 8000 + [np.nan], np.float32), "no numbers"),
        (np.zeros(0, np.float32), "too short"),
    ],
)
def test_what_can_be_no_clip_is_refused(library: Library, wave: Wave, words: str) -> None:
    with pytest.raises(LibraryError, match=words):
        library.add(wave, "pain", group="g")
    assert everything(library) == []


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "a\\b", "C:", "müde", "con", "x" * 100, "a.b", "\0"])
def test_a_label_is_a_plain_word(library: Library, name: str) -> None:
    clip = some(library, 1)[0]
    with pytest.raises(LibraryError, match="cannot be a label"):
        library.add(noise(9), name, group="g")
    with pytest.raises(LibraryError, match="cannot be a label"):
        library.change([clip.id], label=name)
    assert everything(library) == [clip]


def test_labels_in_another_case_or_by_another_word_are_one(library: Library) -> None:
    words = ["Pain", " pain ", "PAIN", "belly pain"]
    assert {library.add(noise(at), word, group="g").label for at, word in enumerate(words)} == {"pain"}
    assert library.add(noise(9), "Teething-2", group="g").label == "teething_2"
    assert library.add(noise(10), "unlabelled", group="g").label == ""
    assert library.labels()[-1] == "teething_2"
    assert library.labels()[:-1] == ["hungry", "pain", "tired", "sad", "happy", "natural", "background"]
    assert [path.name for path in sorted(library.folder.iterdir())] == ["pain", "teething_2", "unlabelled"]


def test_the_longest_path_is_one_that_windows_takes(library: Library) -> None:
    clip = library.add(noise(1), "x" * 60, group="a" * 500)
    home = r"C:\Users\Maximiliana.Mustermann\AppData\Local\babymonitor\library"
    assert len(home) + 1 + len(str(clip.path.relative_to(library.folder))) + len(".part") < 260


@pytest.mark.parametrize("name", ["../../x", "night 20/21", "", ". .", "a" * 500, "CON", "Ночь 👶", "x\0y", "\ud800"])
def test_any_group_becomes_a_folder_inside(library: Library, name: str) -> None:
    clip = library.add(noise(0), "pain", group=name)
    assert clip.path.parent.parent == library.folder / "pain"
    assert clip.path.parent.name == clip.group
    assert everything(library) == [clip]


def test_the_same_sound_is_there_once(library: Library) -> None:
    clip = some(library, 1)[0]
    with pytest.raises(AlreadyThereError, match=r"already \(Pain, night-2026-11-20\)") as error:
        library.add(noise(0), "hungry", group="another")
    assert error.value.clip == clip
    library.delete([clip.id])
    back = library.add(noise(0), "hungry", group="another", note="again")
    assert everything(library) == [back]
    assert library.trashed() == []
    assert (back.id, back.label, back.note) == (clip.id, "hungry", "again")


def test_clips_are_found_by_what_is_known_of_them(library: Library) -> None:
    clips = some(library)
    library.change([clips[5].id], label="", baby="Emil")
    assert [clip.origin for clip in library.clips()] == [f"alert:{at}" for at in (5, 4, 3, 2, 1, 0)]
    assert [clip.origin for clip in library.clips(label="pain")] == ["alert:3", "alert:0"]
    assert [clip.origin for clip in library.clips(label="")] == ["alert:5"]
    assert [clip.origin for clip in library.clips(baby="Emil")] == ["alert:5"]
    assert len(library.clips(group="night-2026-11-21", baby="Žofie")) == 2
    assert [clip.origin for clip in library.clips(text="ČÍSLO 4")] == ["alert:4"]
    assert len(library.clips(text="no baby")) == 1, "by what a label is called on the screen, too"
    assert [clip.origin for clip in library.clips(since=EVENING + DAY, label="pain")] == ["alert:3"]
    assert library.clips(text="%") == []


def test_a_change_can_be_undone(library: Library) -> None:
    clips = some(library)
    ids = [clip.id for clip in clips[:4]]
    before = library.change([*ids, "0" * 16], label="teething", note="Zahn", baby=" Emil ")
    assert before == clips[:4]
    for clip in library.clips(label="teething"):
        assert (clip.note, clip.baby) == ("Zahn", "Emil")
        assert clip.path.parent.parent.name == "teething"
        assert np.abs(read_wave(clip.path) - noise(clips.index(before[ids.index(clip.id)]))).max() < 2**-15
    assert len(everything(library)) == 6
    assert not (library.folder / "pain" / "night-2026-11-20").exists(), "nothing is in it any more"
    library.restore_rows(before)
    assert everything(library) == clips[::-1]
    library.delete(ids)
    library.restore_rows(before)
    assert everything(library) == clips[::-1]


def test_a_note_alone_changes_nothing_else(library: Library) -> None:
    clip = some(library, 1)[0]
    library.change([clip.id], note='"\n\0{}👶' + "\ud800")
    (changed,) = everything(library)
    assert changed == replace(clip, note='"\n\0{}👶?')
    with pytest.raises(LibraryError, match="at most"):
        library.change([clip.id], note="x" * 5000)


def test_deleted_clips_come_back_until_they_are_purged(library: Library) -> None:
    clips = some(library)
    ids = [clip.id for clip in clips]
    library.delete(ids[:3])
    assert everything(library) == clips[:2:-1]
    assert {clip.id for clip in library.trashed()} == set(ids[:3])
    assert library.clip(ids[0]) is None
    library.undelete([ids[0], ids[4], "0" * 16])
    assert library.clip(ids[0]) == clips[0]
    assert library.purge(EVENING) == 0
    now = library.trashed()[0].path.stat().st_mtime
    assert library.purge(now + 29 * DAY) == 0
    assert library.purge(now + 31 * DAY) == 2
    assert library.trashed() == []
    assert not list(library.trash.iterdir())
    assert len(everything(library)) == 4


def test_a_trimmed_clip_is_a_new_one(library: Library) -> None:
    clip = some(library, 1)[0]
    part = library.trim(clip.id, 0.1, 0.4)
    assert np.abs(read_wave(part.path) - noise(0)[1600:6400]).max() < 2**-15
    assert (part.label, part.group, part.baby, part.note) == (clip.label, clip.group, clip.baby, clip.note)
    assert (part.recorded, part.seconds, part.guess) == (clip.recorded + 0.1, 0.3, {})
    assert everything(library) == [part]
    assert [clip_in_trash.id for clip_in_trash in library.trashed()] == [clip.id]
    assert library.trim(part.id, 0.0, 9.0) == part, "all of it"
    for start, end in ((0.1, 0.15), (0.2, 0.1), (7.0, 9.0)):
        with pytest.raises(LibraryError, match="too short"):
            library.trim(part.id, start, end)
    with pytest.raises(LibraryError, match="not in the library"):
        library.trim(clip.id, 0.1, 0.4)
    assert everything(library) == [part]


def filled(library: Library, counts: dict[str, tuple[int, int]]) -> None:
    """For each label so many clips, from so many nights."""
    for label, (clips, nights) in counts.items():
        rng = np.random.default_rng(list(label.encode()))
        for number in range(clips):
            wave = (rng.normal(size=3200) * 0.1).astype(np.float32)
            night = number % nights
            library.add(wave, label, group=f"night-{night}", recorded=EVENING + night * DAY + number)


def test_the_next_recording_is_advised(library: Library) -> None:
    assert library.advice().startswith("There is nothing yet: record your baby")
    library.add(noise(1), "", group="g")
    assert library.advice() == "Give 1 clip a label: nothing can be learnt from them yet."
    filled(library, {"pain": (12, 2)})
    assert "what is not crying too" in library.advice()
    filled(library, {"background": (30, 3)})
    advice = (
        "Record more of: pain (12 clips from 2 nights); no baby (30 clips from 3 nights); training wants 200, from "
    )
    assert library.advice() == advice + "several nights."
    filled(library, {"tired": (5, 1)})
    assert library.advice().startswith("Record on other nights too: tired (5 clips from 1 night); pain")
    health = {label_health.label: label_health for label_health in library.health()}
    assert (health["pain"].clips, health["pain"].nights, health["pain"].groups) == (12, 2, 2)
    assert health["pain"].minutes == pytest.approx(12 * 0.2 / 60)
    assert health["pain"].sources == {"microphone": 12}
    assert {name: label_health.state for name, label_health in health.items()} == {
        **dict.fromkeys(("hungry", "sad", "happy", "natural"), "none"),
        **dict.fromkeys(("pain", "tired", "background"), "few"),
    }


def test_crying_is_advised_where_there_is_none(library: Library) -> None:
    library.add(noise(1), "background", group="g")
    assert library.advice().startswith("Record crying too")


def test_each_change_is_announced_once(library: Library) -> None:
    announced: list[list[str]] = []
    library.on_change(announced.append)
    first, second = (clip.id for clip in some(library, 2))
    assert announced == [[first], [second]]
    announced.clear()
    before = library.change([first, second], label="tired")
    library.restore_rows(before)
    library.delete([first])
    library.undelete([first])
    part = library.trim(second, 0.0, 0.3)
    assert announced == [[first, second], [first, second], [first], [first], [part.id, second]]


def test_changes_made_together_are_announced_as_one_even_where_one_fails(library: Library) -> None:
    first, second = (clip.id for clip in some(library, 2))
    announced: list[list[str]] = []
    library.on_change(announced.append)

    def change_and_fail() -> None:
        with library.together():
            library.delete([first])
            library.change([second], note="x")
            library.change([second], label="../x")

    with pytest.raises(LibraryError):
        change_and_fail()
    assert announced == [[first, second]]


def test_what_changed_nothing_is_not_announced(library: Library) -> None:
    clip = some(library, 1)[0]
    announced: list[list[str]] = []
    library.on_change(announced.append)
    with pytest.raises(AlreadyThereError):
        library.add(noise(0), "pain", group="again")
    library.change(["0" * 16], label="pain")
    assert library.trim(clip.id, 0.0, 10.0) == clip
    assert announced == []
