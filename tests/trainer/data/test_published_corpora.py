"""Importers: names are read as each corpus documents them, and a data set is complete or absent."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from made_data import SHARED_DATA, read_manifest

from babymonitor.core.labels import LABELS, canonical
from trainer.__main__ import main
from trainer.data.corpus_import import ImportResult, import_corpus
from trainer.data.dataset import SIDES
from trainer.data.decoded_audio import DecodedAudio
from trainer.data.published_corpora import CORPORA
from trainer.data.readers import load
from trainer.data.split import split
from trainer.errors import DataError

UUID = "0D1AD73E-4C5E-45F3-85C4-9A3CB71E8856"


def make_files(root: Path, *names: str) -> Path:
    """Write a tenth of a second of noise under each name, no two the same."""
    rng = np.random.default_rng(3)
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        kind = "OGG" if name.endswith(".ogg") else "WAV"
        soundfile.write(root / name, rng.uniform(-0.1, 0.1, 1600), 16000, format=kind)
    return root


def imported(corpus: str, source: Path, tmp_path: Path, keep_classes: bool = False) -> dict[str, dict[str, str]]:
    """Import a corpus and return the manifest's rows by path; nothing may be left out."""
    notices: list[str] = []
    import_corpus(corpus, source, tmp_path / "set", notices.append, keep_classes)
    assert notices == []
    return {row["path"]: row for row in read_manifest(tmp_path / "set")}


def sides_of_groups(root: Path) -> dict[str, set[str]]:
    sides: dict[str, set[str]] = {}
    for clip in split(load(root)).clips:
        sides.setdefault(clip.group, set()).add(clip.side)
    return sides


def shared(folder: str) -> Path:
    if not (SHARED_DATA / folder).is_dir():
        pytest.skip(f"the shared corpus is not at {SHARED_DATA.parent.name}/{SHARED_DATA.name}: did not run")
    return SHARED_DATA / folder


@pytest.mark.shared_data
def test_ravdess_as_it_is_published(tmp_path: Path) -> None:
    rows = imported("ravdess", shared("ravdess"), tmp_path)
    assert set(Counter(row["group"] for row in rows.values()).values()) == {60}
    assert {row["group"] for row in rows.values()} == {f"rav-{actor:02}" for actor in range(1, 19)}
    emotions = Counter(row["label"] for row in rows.values())
    assert emotions.pop("neutral") == 18 * 4
    assert emotions == dict.fromkeys(("calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"), 18 * 8)
    row = rows["actor_12/03-01-06-01-02-01-12.ogg"]
    assert row["label"] == "fearful"
    assert row["detail"] == "channel=speech;intensity=normal;statement=02;repetition=01;sex=f"
    sides = sides_of_groups(tmp_path / "set")
    assert all(len(group_sides) == 1 for group_sides in sides.values())
    assert {side for group_sides in sides.values() for side in group_sides} == set(SIDES)


@pytest.mark.shared_data
def test_emodb_as_it_is_published(tmp_path: Path) -> None:
    rows = imported("emodb", shared("emodb"), tmp_path)
    assert Counter(row["label"] for row in rows.values()) == {
        **{"angry": 100, "neutral": 63, "bored": 58, "happy": 54, "fearful": 54, "sad": 49, "disgust": 30}
    }
    assert {row["group"] for row in rows.values()} == {"emo-03"} | {f"emo-{n:02}" for n in (8, 9, 10, 11, 12, 13, 14)}
    assert rows["03a01Fa.ogg"]["detail"] == "text=a01;version=a;sex=m"
    assert all(len(group_sides) == 1 for group_sides in sides_of_groups(tmp_path / "set").values())


@pytest.mark.shared_data
def test_donateacry_as_it_was_uploaded(tmp_path: Path) -> None:
    """937 uploads of 321 installations; two of them have the unusual names of the app's first version."""
    rows = imported("donateacry", shared("donateacry"), tmp_path)
    assert len(rows) == 937
    assert len({row["group"] for row in rows.values()}) == 321
    assert {row["label"] for row in rows.values()} == {"hungry", "pain", "tired", "sad"}
    odd = [row for path, row in rows.items() if path.endswith(".caf.caf")]
    assert {row["group"] for row in odd} == {"don-cf7f6316-019b-4b3c-9ee1-a62eb5f1d0ee"}
    assert {row["label"] for row in odd} == {"tired"}
    assert all(len(group_sides) == 1 for group_sides in sides_of_groups(tmp_path / "set").values())


@pytest.mark.shared_data
def test_esc10_takes_its_classes_from_its_folders(tmp_path: Path) -> None:
    rows = imported("esc50", shared("esc10"), tmp_path)
    assert Counter(row["label"] for row in rows.values()) == {"background": 216, "sad": 24}
    assert "class=crackling_fire" in next(row["detail"] for path, row in rows.items() if "fire_crackling" in path)
    assert {row["licence"] for row in rows.values()} == {"CC BY 3.0 (ESC-10)"}


def test_ravdess_takes_speech_song_and_the_sound_of_films_only_once(tmp_path: Path) -> None:
    source = make_files(
        tmp_path / "ravdess",
        "Actor_01/03-01-05-02-01-02-01.wav",
        "Actor_01/01-01-05-02-01-02-01.wav",
        "Actor_24/03-02-04-01-01-01-24.wav",
        "audio_speech_actors_01-24/Actor_01/03-01-05-02-01-02-01.wav",
    )
    result = import_corpus("ravdess", source, tmp_path / "set", print)
    assert result.copies == 2
    assert result.labels == {"angry": 1, "sad": 1}
    assert [row.detail.split(";")[0] for row in result.rows] == ["channel=speech", "channel=song"]
    assert [row.detail.split(";")[-1] for row in result.rows] == ["sex=m", "sex=f"]


def test_cremad(tmp_path: Path) -> None:
    names = ("1001_DFA_ANG_XX", "1001_IEO_FEA_HI", "1002_IEO_HAP_LO", "1040_ITH_SAD_X", "1091_WSI_NEU_XX")
    source = make_files(
        tmp_path / "CREMA-D", *(f"AudioWAV/{name}.wav" for name in names), "AudioWAV/1003_TAI_DIS_MD.wav"
    )
    rows = imported("cremad", source, tmp_path)
    labels = {path[9:-4]: row["label"] for path, row in rows.items()}
    assert labels.pop("1003_TAI_DIS_MD") == "disgust"
    assert labels == dict(zip(names, ("angry", "fearful", "happy", "sad", "neutral"), strict=True))
    assert (
        rows["AudioWAV/1001_DFA_ANG_XX.wav"]["group"] == rows["AudioWAV/1001_IEO_FEA_HI.wav"]["group"] == "cremad-1001"
    )
    assert rows["AudioWAV/1040_ITH_SAD_X.wav"]["detail"] == "sentence=ITH;level=XX"


def test_tess_with_a_copy_of_itself_further_down(tmp_path: Path) -> None:
    names = [
        *(
            f"{who}_{emotion}/{who}_back_{emotion.lower()}.wav"
            for who in ("OAF", "YAF")
            for emotion in ("angry", "Fear")
        ),
        *("OAF_Pleasant_surprise/OAF_back_ps.wav", "YAF_pleasant_surprised/YAF_back_ps.wav"),
        *("OAF_neutral/OA_bite_neutral.wav", "YAF_disgust/YAF_back_disgust.wav", "OAF_Sad/OAF_back_sad.wav"),
    ]
    copies = [f"TESS Toronto emotional speech set data/{name}" for name in names]
    result = import_corpus("tess", make_files(tmp_path / "TESS", *names, *copies), tmp_path / "set", print)
    assert result.copies == len(names)
    assert result.labels == {"angry": 2, "fearful": 2, "surprised": 2, "neutral": 1, "disgust": 1, "sad": 1}
    assert {row.group for row in result.rows} == {"tess-OAF", "tess-YAF"}
    assert not any(row.path.startswith("TESS") for row in result.rows)


def test_the_cleaned_donateacry_goes_by_its_folders(tmp_path: Path) -> None:
    source = make_files(
        tmp_path / "donateacry_corpus_cleaned_and_updated_data",
        f"belly_pain/{UUID}-1430742197-1.0-m-04-bp.wav",
        f"burping/{UUID}-1430742198-1.0-m-04-bu.wav",
        f"discomfort/{UUID}-1430742199-1.0-m-04-ch.wav",
        f"hungry/{UUID.lower()}-1430742200123-1.7-f-72-hu.wav",
        f"tired/{UUID}-1430742201-1.0-f-22-dk.wav",
    )
    rows = imported("donateacry", source, tmp_path)
    assert [row["label"] for row in rows.values()] == ["pain", "pain", "sad", "hungry", "tired"]
    assert {row["group"] for row in rows.values()} == {f"don-{UUID.lower()}"}
    assert rows[f"tired/{UUID}-1430742201-1.0-f-22-dk.wav"]["detail"] == "reason=dk;age=22;sex=f;version=1.0"


def make_esc50(root: Path, meta: str = "") -> Path:
    names = ("1-100032-A-0", "1-17124-A-43", "2-60791-A-26", "2-60791-B-26", "5-151085-A-20")
    make_files(root, *(f"audio/{name}.wav" for name in names))
    if meta:
        (root / "meta").mkdir()
        (root / "meta" / "esc50.csv").write_text(meta, encoding="utf-8")
    return root


META = """filename,fold,target,category,esc10,src_file,take
1-100032-A-0.wav,1,0,dog,True,100032,A
1-17124-A-43.wav,1,43,hooting,False,17124,A
"""


def test_esc50_is_babies_and_background(tmp_path: Path) -> None:
    """Laughing adults must not become `happy`, which is a laughing baby."""
    rows = imported("esc50", make_esc50(tmp_path / "ESC-50-master"), tmp_path)
    assert {path[6:-4]: row["label"] for path, row in rows.items() if row["label"] != "background"} == {
        "5-151085-A-20": "sad"
    }
    laughing = rows["audio/2-60791-A-26.wav"]
    assert laughing["detail"] == "class=laughing;fold=2;take=A"
    assert laughing["group"] == rows["audio/2-60791-B-26.wav"]["group"] == "esc-60791"
    assert "split" not in laughing
    assert (laughing["licence"], rows["audio/1-100032-A-0.wav"]["licence"]) == ("CC BY-NC 3.0", "CC BY 3.0 (ESC-10)")
    assert load(tmp_path / "set").labels == ("sad", "background")


def test_esc50_can_keep_its_classes_and_goes_by_its_table(tmp_path: Path) -> None:
    imported("esc50", make_esc50(tmp_path / "ESC-50-master", META), tmp_path, keep_classes=True)
    assert load(tmp_path / "set").labels == ("sad", "dog", "hooting", "laughing_people")


def test_esc50_with_an_invalid_table(tmp_path: Path) -> None:
    source = make_esc50(tmp_path / "ESC-50-master", "name,class\na,b\n")
    with pytest.raises(DataError, match="filename and category"):
        import_corpus("esc50", source, tmp_path / "set", print)


def test_folders_with_and_without_groups(tmp_path: Path) -> None:
    source = make_files(
        tmp_path / "own",
        "crying/anna/one.wav",
        "crying/anna/night 2/one.wav",
        "laughing/anna/one.ogg",
        "dog/one.wav",
    )
    rows = imported("folders", source, tmp_path)
    assert {path: (row["label"], row["group"]) for path, row in rows.items()} == {
        "crying/anna/one.wav": ("sad", "anna"),
        "crying/anna/night 2/one.wav": ("sad", "anna"),
        "laughing/anna/one.ogg": ("happy", "anna"),
        "dog/one.wav": ("dog", "dog/one.wav"),
    }


def test_folders_without_names_of_people_give_a_notice(tmp_path: Path) -> None:
    source = make_files(tmp_path / "own", "crying/one.wav", "crying/two.wav", "dog/one.wav")
    notices: list[str] = []
    import_corpus("folders", source, tmp_path / "set", notices.append)
    assert [notice for notice in notices if "LABEL/WHO/FILE" in notice] == notices != []
    (source / "crying" / "anna").mkdir()
    for name in ("one.wav", "two.wav"):
        (source / "crying" / name).rename(source / "crying" / "anna" / name)
    notices.clear()
    import_corpus("folders", source, tmp_path / "named", notices.append)
    assert notices == []


def test_imported_sound_can_be_read_and_takes_no_space(tmp_path: Path) -> None:
    source = make_files(
        tmp_path / "corpus", *(f"{who}a01{letter}a.wav" for who in ("03", "08", "09") for letter in "WN")
    )
    (source / "linked").mkdir()
    (source / "linked" / "10a01Wa.wav").symlink_to("../03a01Wa.wav")
    imported("emodb", source, tmp_path)
    copy = tmp_path / "set" / "03a01Wa.wav"
    assert copy.samefile(source / "03a01Wa.wav")
    data = split(load(tmp_path / "set"))
    audio = DecodedAudio(data, tmp_path / "cache", codecs=False)
    assert audio.skipped == []
    assert {audio.samples(clip.path) for clip in data.clips} == {1600}


def test_files_are_copied_where_they_cannot_be_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    source = make_files(tmp_path / "corpus", "03a01Wa.wav")
    imported("emodb", source, tmp_path)
    copy = tmp_path / "set" / "03a01Wa.wav"
    assert not copy.samefile(source / "03a01Wa.wav")
    assert copy.read_bytes() == (source / "03a01Wa.wav").read_bytes()


def test_names_that_do_not_fit_are_listed_and_skipped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = ["03a01Xa.wav", "99a01Wa.wav", "readme.wav"]
    source = make_files(tmp_path / "corpus", "03a01Wa.wav", *wrong)
    (source / "._03a01Wa.wav").write_bytes(b"what macOS leaves in archives")
    assert main(["import", "emodb", str(source), str(tmp_path / "set"), "--json"]) == 0
    output = capsys.readouterr()
    assert [line.split()[1] for line in output.err.splitlines() if line.startswith("Skipped")] == [
        f"{n}:" for n in wrong
    ]
    event = json.loads(output.out)
    assert (event["event"], event["clips"], event["labels"], event["skipped"]) == ("imported", 1, {"angry": 1}, wrong)
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == ["03a01Wa.wav", "manifest.csv"]


def test_a_name_that_is_not_valid_text_is_skipped(tmp_path: Path) -> None:
    source = make_files(tmp_path / "own", "crying/one.wav", "crying/two.wav")
    try:
        (source / "crying" / "two.wav").rename(source / "crying" / os.fsdecode(b"m\xfcde.wav"))
    except OSError:
        pytest.skip("this file system only allows names that are valid text: did not run")
    notices: list[str] = []
    result = import_corpus("folders", source, tmp_path / "set", notices.append)
    assert [row.path for row in result.rows] == ["crying/one.wav"]
    assert [notice.split()[1] for notice in notices] == ["crying/m?de.wav:"]


def test_the_working_folder_may_be_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_files(tmp_path / "corpus", "03a01Wa.wav")
    (tmp_path / "set").mkdir()
    monkeypatch.chdir(tmp_path / "set")
    import_corpus("emodb", source, Path(), print)
    assert len(read_manifest(tmp_path / "set")) == 1


@pytest.mark.parametrize("corpus", CORPORA)
def test_an_unrelated_folder_is_refused_with_an_example_of_a_name(
    corpus: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = make_files(tmp_path / "corpus", "holiday.wav")
    assert CORPORA[corpus].example in refusal(corpus, source, tmp_path / "set", capsys)
    assert not (tmp_path / "set").exists()
    shutil.rmtree(source)
    make_files(source, CORPORA[corpus].example.replace(".caf", ".wav"))
    assert len(imported(corpus, source, tmp_path)) == 1


def refusal(corpus: str, source: Path, target: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """Return what `import` prints. It must refuse with status 2 and one sentence."""
    assert main(["import", corpus, str(source), str(target), *options]) == 2
    message = capsys.readouterr().err.strip()
    assert len(message.splitlines()) == 1, message
    assert message.endswith(".")
    return message


def test_invalid_sources_and_targets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make_files(tmp_path / "corpus", "03a01Wa.wav")
    (tmp_path / "empty").mkdir()
    (tmp_path / "corpus.zip").write_bytes(b"")
    taken = make_files(tmp_path / "taken", "mine.wav")
    new = tmp_path / "set"
    assert "does not exist" in refusal("emodb", tmp_path / "nowhere", new, capsys)
    assert "unpack it" in refusal("emodb", tmp_path / "corpus.zip", new, capsys)
    assert "holds no sound file" in refusal("emodb", tmp_path / "empty", new, capsys)
    assert "ravdess, cremad, tess" in refusal("savee", source, new, capsys)
    assert "is there already" in refusal("emodb", source, taken, capsys)
    assert "is there already" in refusal("emodb", source, tmp_path / "corpus.zip", capsys)
    assert "lies inside" in refusal("emodb", source, source / "set", capsys)
    assert "Only esc50" in refusal("emodb", source, new, capsys, "--keep-classes")
    assert [path.name for path in taken.iterdir()] == ["mine.wav"]
    assert not new.exists()
    assert main(["import", "emodb", str(source), str(tmp_path / "empty")]) == 0


def interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> Path:
    """A corpus of three files, the second of which cannot be linked."""
    source = make_files(tmp_path / "corpus", "03a01Wa.wav", "08a01Wa.wav", "09a01Wa.wav")
    link = os.link

    def link_except_second(path: Path, target: Path) -> None:
        if target.name.startswith("08"):
            raise error
        link(path, target)

    monkeypatch.setattr(os, "link", link_except_second)
    return source


def test_an_interrupted_import_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = interrupted(tmp_path, monkeypatch, KeyboardInterrupt())
    assert main(["import", "emodb", str(source), str(tmp_path / "set")]) == 130
    assert "nothing was imported" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_the_remains_of_a_killed_import_are_replaced_but_not_somebody_elses_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    source = interrupted(tmp_path, monkeypatch, Killed())
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # a killed process does not clean up
    with pytest.raises(Killed):
        import_corpus("emodb", source, tmp_path / "set", print)
    assert not (tmp_path / "set").exists()
    assert (tmp_path / "set.part" / "03a01Wa.wav").exists()
    monkeypatch.undo()
    assert len(imported("emodb", source, tmp_path)) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "set"]

    mine = make_files(tmp_path / "other.part", "mine.wav")
    with pytest.raises(DataError, match="in the way"):
        import_corpus("emodb", source, tmp_path / "other", print)
    assert (mine / "mine.wav").exists()


def test_spellings_of_emotions_are_unified_and_the_vocabulary_is_unchanged() -> None:
    assert {canonical(name) for name in ("anger", "Angry")} == {"angry"}
    assert {canonical(name) for name in ("fear", "fearful")} == {"fearful"}
    assert {canonical(name) for name in ("surprise", "ps", "Pleasant-Surprise", "surprised")} == {"surprised"}
    assert {name: canonical(name) for name in LABELS} == {name: name for name in LABELS}
    for label, names in {"happy": ("happiness", "laugh"), "sad": ("sadness", "crying_baby")}.items():
        assert {canonical(name) for name in names} == {label}


def test_labels_of_an_import_are_read_back_unchanged(tmp_path: Path) -> None:
    result: ImportResult = import_corpus(
        "esc50", make_esc50(tmp_path / "esc"), tmp_path / "set", print, keep_classes=True
    )
    assert {clip.path: clip.spans[0].label for clip in load(tmp_path / "set").clips} == {
        row.path: row.label for row in result.rows
    }


def make_metadata(root: Path, **sides: dict[str, dict[str, Any]]) -> Path:
    for side, entries in sides.items():
        make_files(root, *(entry["path"] for entry in entries.values() if not Path(entry["path"]).is_absolute()))
        (root / f"{side}_metadata.json").write_text(json.dumps(entries), encoding="utf-8")
    return root


def entries(side: str, count: int) -> dict[str, dict[str, Any]]:
    """`count` clips of each of two emotions."""
    return {
        f"{side}_{emotion}_{index}": {
            "path": f"{side}/{emotion}_{index}.wav",
            "emotion": emotion,
            "duration": 0.1,
            "sample_rate": 16000,
        }
        for emotion in ("anger", "sadness")
        for index in range(count)
    }


def test_metadata_files_give_the_sides_and_half_of_validation_becomes_the_test(tmp_path: Path) -> None:
    root = make_metadata(tmp_path / "data", train=entries("train", 4), val=entries("val", 4))
    data = split(load(root))
    assert data.labels == ("sad", "angry")
    for clip in data.clips:
        assert (clip.side == "train") == clip.path.startswith("train/")
    for side in ("validation", "test"):
        assert Counter(clip.spans[0].label for clip in data.side(side)) == {"sad": 2, "angry": 2}
    assert data == split(load(root))


def test_a_test_file_and_groups_are_respected(tmp_path: Path) -> None:
    sides = {side: entries(side, 2) for side in ("train", "val", "test")}
    for entry in sides["train"].values():
        entry["group"] = "anna"
    data = split(load(make_metadata(tmp_path / "data", **sides)))
    assert {clip.group for clip in data.side("train")} == {"anna"}
    assert all(clip.path.startswith("test/") for clip in data.side("test"))
    for entry in sides["val"].values():
        entry["group"] = "anna"
    with pytest.raises(DataError, match="both sides"):
        split(load(make_metadata(tmp_path / "data", **sides)))


def test_metadata_of_training_alone_is_split_like_any_other(tmp_path: Path) -> None:
    data = split(load(make_metadata(tmp_path / "data", train=entries("train", 4))))
    assert {clip.side for clip in data.clips} == set(SIDES)


def test_absolute_paths_within_the_folder(tmp_path: Path) -> None:
    root = make_metadata(tmp_path / "data", train=entries("train", 4), val=entries("val", 4))
    moved = {name: {**entry, "path": str(root / entry["path"])} for name, entry in entries("val", 4).items()}
    make_metadata(root, val=moved)
    assert sum(clip.path.startswith("val/") for clip in load(root).clips) == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not as expected"),
        ("[]", "not as expected"),
        ("[" * 100_000, "not as expected"),
        ('{"a": {"path": "a.wav"}}', "not as expected"),
        ('{"a": "a.wav"}', "not as expected"),
        ('{"a": {"path": "a.wav", "emotion": "sad"}}', "not there: a.wav"),
        ('{"a": {"path": "../a.wav", "emotion": "sad"}}', "outside"),
        ('{"a": {"path": "/a.wav", "emotion": "sad"}}', "outside"),
        ("{}", "no labelled sound"),
    ],
)
def test_bad_metadata(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "train_metadata.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load(tmp_path)
