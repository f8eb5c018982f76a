"""Sound from elsewhere into the library, and the library as a data set for elsewhere."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from babymonitor.core.library.library import AlreadyThereError, Library, LibraryClip, LibraryError
from babymonitor.core.library.transfer import export_clips, export_folder, import_file, import_folder, import_path
from babymonitor.core.messages import Code
from babymonitor.core.sound.wave import Wave


def noise(seed: int, seconds: float = 0.5, rate: int = 16000) -> Wave:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=int(seconds * rate)) * 0.1).astype(np.float32)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    opened = Library(tmp_path / "library")
    yield opened
    opened.close()


def written(path: Path, seed: int, seconds: float = 0.5) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise(seed, seconds), 16000)
    return path


def taken(library: Library, folder: Path, label: str = "") -> tuple[list[LibraryClip], list[str]]:
    """The clips that an import adds, and its sentences."""
    items = list(import_folder(library, folder, label))
    return [item for item in items if isinstance(item, LibraryClip)], [item for item in items if isinstance(item, str)]


def known(library: Library) -> list[tuple[object, ...]]:
    """All that is known of the clips, but when they came and where they lie."""
    return [
        (clip.id, clip.label, clip.group, clip.baby, clip.source, clip.recorded, clip.seconds, clip.level_db,
         clip.is_clipped, clip.note, clip.guess, clip.origin)
        for clip in library.clips()
    ]  # fmt: skip


def nights(library: Library, labels: tuple[str, ...] = ("pain", "hungry", "background"), count: int = 6) -> None:
    for night in range(count):
        for at, label in enumerate(labels):
            library.add(
                noise(100 * night + at),
                label,
                group=f"night-2026-11-{night + 1:02}",
                baby="Žofie",
                source="night",
                recorded=1e9 + 86400 * night + at,
                note=f"noc {night} 👶" if at else "",
                guess={label: 0.75},
                origin=f"alert:{night}",
            )


def test_a_file_of_any_format_becomes_a_clip(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "Žofie pláče 👶.wav"
    soundfile.write(path, np.stack((noise(1, 2.0, 44100), noise(2, 2.0, 44100)), 1), 44100)
    os.utime(path, (1e9, 1e9))
    (clip,) = import_file(library, path, "Crying", baby="Žofie")
    assert (clip.label, clip.group, clip.baby) == ("sad", "import-Žofie pláče 👶", "Žofie")
    assert (clip.source, clip.origin) == ("import", path.name)
    assert clip.recorded + clip.seconds == pytest.approx(1e9), "it was written when the recording ended"
    assert clip.seconds == pytest.approx(2.0, abs=0.01)
    with pytest.raises(AlreadyThereError, match="in the library already"):
        import_file(library, path, "pain")
    assert library.clips() == [clip]
    other = written(tmp_path / "Tired" / "x.ogg", 3)
    assert import_file(library, other, "", group="grandma", label_from_folder=True)[0].label == "tired"
    assert library.clips(group="grandma")[0].origin == "x.ogg"


def test_a_long_file_is_cut_in_pieces_of_one_group(library: Library, tmp_path: Path) -> None:
    path = written(tmp_path / "long.flac", 1, 150.0)
    clips = import_file(library, path, "background")
    assert [clip.seconds for clip in clips] == [50.0, 50.0, 50.0]
    assert {clip.group for clip in clips} == {"import-long"}
    assert [clip.recorded - clips[0].recorded for clip in clips] == pytest.approx([0.0, 50.0, 100.0])
    library.delete([clips[1].id])
    (again,) = import_file(library, path, "background")
    assert again.id == clips[1].id, "the others are there"


def test_a_window_can_be_looked_after_while_a_long_file_is_read(library: Library, tmp_path: Path) -> None:
    under_way = import_path(library, written(tmp_path / "long.flac", 1, 150.0), baby="Emil")
    steps = []
    with suppress(StopIteration):
        while True:
            steps.append(under_way.step())
    assert len([step for step in steps if step is None]) > 50
    clips = [step for step in steps if step is not None]
    assert library.clips() == clips[::-1]
    assert {(clip.label, clip.group, clip.baby) for clip in library.clips()} == {("", "import-long", "Emil")}
    assert (under_way.done, under_way.total) == (1, 1)
    assert list(import_path(library, tmp_path / "none.wav")) == [
        f"{tmp_path / 'none.wav'} cannot be read: No such file or directory."
    ]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("none.wav", None, "cannot be read"),
        ("empty.wav", b"", "is empty"),
        ("text.wav", b"no sound at all" * 100, "not a sound file"),
        ("short.wav", noise(0, 0.05), "too short"),
    ],
)
def test_a_file_that_cannot_be_imported(
    library: Library, tmp_path: Path, name: str, content: bytes | Wave | None, words: str
) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        soundfile.write(path, content, 16000)
    with pytest.raises(LibraryError, match=words):
        import_file(library, path, "pain")
    assert library.clips() == []


def test_folders_are_labels_and_those_between_are_groups(library: Library, tmp_path: Path) -> None:
    top = tmp_path / "phone"
    written(top / "Belly Pain" / "anna" / "1.wav", 1)
    written(top / "Belly Pain" / "anna" / "2.wav", 2)
    written(top / "laugh" / "1.wav", 3)
    written(top / "Müde!" / "anna" / "x" / "1.wav", 4)
    written(top / "loose.wav", 5)
    written(top / "..." / "1.wav", 6)
    (top / "laugh" / "broken.wav").write_bytes(b"RIFF" + bytes(100))
    (top / "laugh" / "readme.txt").write_text("x")
    written(top / "laugh" / "again.wav", 1)
    clips, sentences = taken(library, top)
    assert {(clip.label, clip.group) for clip in clips} == {
        ("pain", "import-phone-anna"),
        ("happy", "import-phone-laugh-1"),
        ("mude", "import-phone-anna-x"),
        ("", "import-phone-loose"),
        ("", "import-phone-...-1"),
    }
    assert len(clips) == 6
    broken, twice = sorted(sentences, key=lambda sentence: "already" in sentence)
    assert "broken.wav" in broken
    assert twice == "again.wav was skipped: this sound is in the library already (Pain, import-phone-anna)."


def test_one_label_for_a_whole_folder(library: Library, tmp_path: Path) -> None:
    written(tmp_path / "x" / "a" / "1.wav", 1)
    written(tmp_path / "x" / "2.wav", 2)
    clips, _ = taken(library, tmp_path / "x", "Teething")
    assert {clip.label for clip in clips} == {"teething"}
    written(tmp_path / "Crying" / "3.wav", 3)
    assert taken(library, tmp_path / "Crying")[0][0].label == "sad", "the folder is called as a label is"
    with pytest.raises(LibraryError, match="cannot be a label"):
        import_folder(library, tmp_path / "x", "../x")


def test_an_import_can_be_watched_and_left(library: Library, tmp_path: Path) -> None:
    for number in range(4):
        written(tmp_path / "x" / "pain" / f"{number}.wav", number)
    under_way = import_folder(library, tmp_path / "x")
    assert (under_way.total, under_way.done) == (4, 0)
    next(under_way)
    next(under_way)
    assert under_way.done == 1, "the second is being dealt with"
    under_way.close()
    assert list(under_way) == []
    assert len(library.clips()) == 2
    clips, sentences = taken(library, tmp_path / "x")
    assert (len(clips), len(sentences)) == (2, 2)


def test_a_folder_without_sound_is_refused(library: Library, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(LibraryError, match="holds no sound"):
        import_folder(library, tmp_path / "empty")
    with pytest.raises(LibraryError, match="is not a folder"):
        import_folder(library, tmp_path / "nowhere")


def test_a_folder_of_one_baby(library: Library, tmp_path: Path) -> None:
    written(tmp_path / "x" / "pain" / "1.wav", 1)
    assert [clip.baby for clip in import_folder(library, tmp_path / "x", baby="Emil")] == ["Emil"]  # type: ignore[union-attr]


def metadata(folder: Path, path: str, **more: object) -> None:
    entry = {"path": path, "emotion": "Pain", "duration": 0.5, "sample_rate": 16000, **more}
    (folder / "train_metadata.json").write_text(json.dumps({"one": entry}), encoding="utf-8")


def test_metadata_names_files_labels_and_groups(library: Library, tmp_path: Path) -> None:
    written(tmp_path / "set" / "clips" / "a.wav", 1)
    metadata(tmp_path / "set", "clips/a.wav", group="anna")
    clips, _ = taken(library, tmp_path / "set")
    assert [(clip.label, clip.group) for clip in clips] == [("pain", "import-set-anna")]
    metadata(tmp_path / "set", "clips/gone.wav")
    clips, sentences = taken(library, tmp_path / "set")
    assert clips == []
    assert "gone.wav cannot be read" in sentences[0]


@pytest.mark.parametrize("path", ["../out.wav", "/out.wav", "clips/../../out.wav", "x\0.wav", "clips/\0"])
def test_metadata_that_names_files_outside_is_refused(library: Library, tmp_path: Path, path: str) -> None:
    written(tmp_path / "out.wav", 1)
    written(tmp_path / "set" / "clips" / "a.wav", 2)
    metadata(tmp_path / "set", path)
    with pytest.raises(LibraryError, match=r"lies outside .*: nothing was imported"):
        import_folder(library, tmp_path / "set")
    assert library.clips() == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"one": 1}', '{"one": {"path": "a.wav"}}', "\xff\xfe", "[" * 100_000])
def test_metadata_that_is_none_is_refused(library: Library, tmp_path: Path, text: str) -> None:
    written(tmp_path / "set" / "a.wav", 1)
    (tmp_path / "set" / "train_metadata.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(LibraryError, match="is not as expected"):
        import_folder(library, tmp_path / "set")


def test_what_is_exported_comes_back_the_same(library: Library, tmp_path: Path) -> None:
    nights(library)
    library.add(noise(999), "", group="night-2026-11-01", note="?")
    library.change([library.clips(label="hungry")[0].id], label="teething")
    assert export_folder(library, tmp_path / "out") == 19
    other = Library(tmp_path / "other" / "library")
    _, sentences = taken(other, tmp_path / "out")
    assert sentences == []
    assert known(other) == known(library)
    clips, sentences = taken(other, tmp_path / "out")
    assert (len(clips), len(sentences)) == (0, 19)
    assert all("already" in sentence for sentence in sentences)
    other.close()


def test_an_export_is_divided_by_group(library: Library, tmp_path: Path) -> None:
    nights(library)
    for night in range(2):
        library.add(noise(900 + night), "tired", group=f"night-2026-11-{night + 1:02}")
    export_folder(library, tmp_path / "out")
    sides = [json.loads((tmp_path / "out" / f"{side}_metadata.json").read_text()) for side in ("train", "val")]
    groups = [{entry["group"] for entry in side.values()} for side in sides]
    assert not groups[0] & groups[1]
    assert [len(side) for side in groups] == [4, 2]
    for side in sides:
        assert {entry["emotion"] for entry in side.values()} == {"pain", "hungry", "background", "tired"}
        for id, entry in side.items():
            assert (tmp_path / "out" / entry["path"]).stem == id
            assert (entry["duration"], entry["sample_rate"]) == (0.5, 16000)


def test_an_export_goes_to_a_new_folder_only(library: Library, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="nothing to export"):
        export_folder(library, tmp_path / "out")
    nights(library, count=1)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "x").write_text("x")
    for target, words in (
        (tmp_path / "taken", "is there already"),
        (tmp_path / "taken" / "x", "is there already"),
        (library.folder, "elsewhere"),
        (library.folder / "pain", "elsewhere"),
        (tmp_path, "elsewhere"),
    ):
        with pytest.raises(LibraryError, match=words):
            export_folder(library, target)
    assert len(library.clips()) == 3
    (tmp_path / "out" / "export.part").mkdir(parents=True)
    assert export_folder(library, tmp_path / "out") == 3, "what an export left that was interrupted is in nobody's way"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "background", "hungry", "pain", "train_metadata.json", "val_metadata.json"
    ]  # fmt: skip


def test_an_export_can_be_watched_and_ended(library: Library, tmp_path: Path) -> None:
    nights(library, count=2)
    seen: list[int] = []
    assert export_clips(library.folder, library.clips(), tmp_path / "out", seen.append) == 6
    assert seen == [0, 1, 2, 3, 4, 5]

    def end(done: int) -> None:
        if done == 3:
            raise LibraryError(Code.EXPORT_ENDED_EARLY)

    with pytest.raises(LibraryError, match="ended early"):
        export_clips(library.folder, library.clips(), tmp_path / "again", end)
    assert not (tmp_path / "again").exists()


def test_a_strangers_tag_is_believed_no_further_than_it_is_sound(library: Library, tmp_path: Path) -> None:
    nights(library, ("pain",), 1)
    (clip,) = library.clips()
    samples = soundfile.read(clip.path)[0]
    honest = json.loads(soundfile.SoundFile(clip.path).comment)
    other = Library(tmp_path / "other" / "library")
    for number, lie in enumerate((
        {"id": "../../../x"}, {"group": "../../x"}, {"label": "../x"}, {"recorded": "NaN"}, {"recorded": 1e400},
        {"guess": {"a": "b"}}, {"guess": [1]}, {"source": "elsewhere"}, {"note": "x" * 100_000}, {"level_db": None},
    )):  # fmt: skip
        path = tmp_path / "x" / f"{number}.flac"
        path.parent.mkdir(exist_ok=True)
        with soundfile.SoundFile(path, "w", 16000, 1, "PCM_16", format="FLAC") as file:
            file.comment = json.dumps({**honest, **lie})
            file.write(samples)
        (back,) = import_file(other, path, "pain")
        assert back.path.is_relative_to(other.folder / "pain")
        assert back.path.parent.parent.parent == other.folder
        assert len(back.note) <= 4000
        other.delete([back.id])
    other.close()
