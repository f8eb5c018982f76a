"""Data sets: splits that never leak, and one clear sentence for everything that can be wrong with them."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from made_data import REPOSITORY, SHARED_DATA, read_manifest, write_manifest

from babymonitor.core.labels import LABELS
from babymonitor.core.library.library import Library
from babymonitor.core.library.transfer import export_folder
from babymonitor.core.model.classifier import Classifier
from trainer.__main__ import main
from trainer.audio import synthetic
from trainer.audio.phone_codecs import available, codec_copy
from trainer.data.dataset import SIDES, Span
from trainer.data.decoded_audio import DecodedAudio, merge_duplicate_groups, trim_to_audio
from trainer.data.readers import load, read_segments
from trainer.data.split import Division, split
from trainer.errors import DataError

SEGMENTS = REPOSITORY / "trainer" / "labelling" / "segments.csv"


def test_no_group_is_on_two_sides_and_the_split_is_the_same_every_time(data_set: Path) -> None:
    data = split(load(data_set))
    sides: dict[str, set[str]] = {}
    for clip in data.clips:
        sides.setdefault(clip.group, set()).add(clip.side)
    assert all(len(group_sides) == 1 for group_sides in sides.values())
    assert {clip.side for clip in data.clips} == set(SIDES)
    for side in SIDES:
        assert {span.label for clip in data.side(side) for span in clip.spans} == set(data.labels)
    assert data == split(load(data_set))


def test_folders_are_labels(own_data_set: Path) -> None:
    (own_data_set / "manifest.csv").unlink()
    assert load(own_data_set).labels == ("sad", "natural", "background")


def test_sides_of_a_manifest_are_kept(own_data_set: Path) -> None:
    rows = read_manifest(own_data_set)
    splits = ("train", "val", "test", "train")
    for row in rows:
        row["split"] = splits[int(row["group"][-1])]
    write_manifest(own_data_set, rows)
    for clip in split(load(own_data_set)).clips:
        assert clip.side == {"val": "validation"}.get(splits[int(clip.group[-1])], splits[int(clip.group[-1])])


def refusal(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what `train` prints. It must refuse with status 2 and one sentence."""
    status = main(
        f"train --data {data} --family cnn_tiny --output {tmp_path}/m.onnx --cache {tmp_path}/cache --no-codecs".split()
    )
    message = capsys.readouterr().err.strip()
    assert status == 2
    assert len(message.splitlines()) == 1, message
    assert message.endswith(".")
    return message


def test_missing_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "does not exist" in refusal(tmp_path / "nowhere", tmp_path, capsys)


def test_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert "no labelled sound" in refusal(tmp_path / "empty", tmp_path, capsys)


def test_one_label_only(own_data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_manifest(own_data_set, [row for row in read_manifest(own_data_set) if row["label"] == "crying"])
    assert "one label only" in refusal(own_data_set, tmp_path, capsys)


def test_too_few_groups(own_data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = read_manifest(own_data_set)
    for row in rows:
        if row["label"] == "crying":
            row["group"] = "the only baby"
    write_manifest(own_data_set, rows)
    message = refusal(own_data_set, tmp_path, capsys)
    assert "'sad' has 1 group;" in message
    assert "at least 3" in message
    assert "--merge sad=OTHER" in message


def test_missing_file(own_data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_data_set / "crying" / "0-0.wav").unlink()
    assert "crying/0-0.wav" in refusal(own_data_set, tmp_path, capsys)


def test_group_on_both_sides(own_data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = read_manifest(own_data_set)
    for index, row in enumerate(rows):
        row["split"] = SIDES[index % 3]
    write_manifest(own_data_set, rows)
    assert "both sides" in refusal(own_data_set, tmp_path, capsys)


def test_missing_column(own_data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_manifest(own_data_set, [{"path": row["path"]} for row in read_manifest(own_data_set)])
    assert "column label" in refusal(own_data_set, tmp_path, capsys)


def test_a_folder_of_data_sets(own_data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The data sets' names would be taken for labels."""
    second = own_data_set.with_name("other")
    second.mkdir()
    (second / "train_metadata.json").write_text("{}", encoding="utf-8")
    message = refusal(tmp_path, tmp_path, capsys)
    assert f"holds some ({own_data_set.name}, other): give --data for each." in message


def test_unknown_family(own_data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["train", "--data", str(own_data_set), "--family", "resnet_99", "--output", str(tmp_path / "m.onnx")])
    assert status == 2
    assert "resnet_99" in capsys.readouterr().err


def test_unreadable_files_are_listed_and_skipped(own_data_set: Path, tmp_path: Path) -> None:
    (own_data_set / "crying" / "0-0.wav").write_bytes(b"no sound at all")
    (own_data_set / "crying" / "0-1.wav").write_bytes(b"")
    notices: list[str] = []
    data = load(own_data_set)
    audio = DecodedAudio(data, tmp_path / "cache", codecs=False, notice=notices.append)
    assert {path for path, _ in audio.skipped} == {"crying/0-0.wav", "crying/0-1.wav"}
    assert len(notices) == 2
    clips = trim_to_audio(data.clips, audio)
    assert len(clips) == len(data.clips) - 2
    assert all(np.isfinite(span.end) for clip in clips for span in clip.spans)


def test_cache_notices_a_changed_file(own_data_set: Path, tmp_path: Path) -> None:
    data = load(own_data_set)
    first = DecodedAudio(data, tmp_path / "cache", codecs=False)
    path = data.clips[0].path
    assert first.samples(path) == int(0.8 * 16000)
    soundfile.write(own_data_set / path, np.zeros(4000, np.float32), 16000)
    second = DecodedAudio(load(own_data_set), tmp_path / "cache", codecs=False)
    assert second.samples(path) == 4000
    assert np.abs(second.read(data.clips[1].path)).max() > 0.1


def test_committed_segments_are_well_formed() -> None:
    spans = read_segments(SEGMENTS)
    for path, clip_spans in spans.items():
        assert all(span.label in LABELS for span in clip_spans), path
        ordered = sorted(clip_spans, key=lambda span: span.start)
        for before, after in pairwise(ordered):
            assert before.end <= after.start + 1e-6, path
    with SEGMENTS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(0 <= float(row["confidence"]) <= 1 and row["teacher"] for row in rows)
    labels = {row["label"] for row in rows}
    assert labels == set(LABELS)


@pytest.mark.shared_data
def test_committed_segments_fit_the_shared_corpus() -> None:
    if not SHARED_DATA.is_dir():
        pytest.skip(f"the shared corpus is not at {SHARED_DATA.parent.name}/{SHARED_DATA.name}: did not run")
    data = load(SHARED_DATA, SEGMENTS)
    usable = replace(data, clips=tuple(clip for clip in data.clips if clip.usable and clip.spans))
    placed = split(usable)
    sides: dict[str, set[str]] = {}
    for clip in placed.clips:
        sides.setdefault(clip.group, set()).add(clip.side)
    assert all(len(group_sides) == 1 for group_sides in sides.values())
    assert not any(clip.usable for clip in data.clips if clip.source in ("deeply_nonverbal", "animal_yashnita"))


def test_segments_that_end_before_they_begin_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "segments.csv"
    path.write_text("path,start_seconds,end_seconds,label\na.wav,2,1,crying\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.wav"):
        read_segments(path)


def test_folds_test_every_group_once_and_never_put_it_on_two_sides(data_set: Path) -> None:
    data, tested = load(data_set), []
    for fold in range(3):
        placed = split(data, Division(folds=3, fold=fold))
        sides = {side: {clip.group for clip in placed.side(side)} for side in SIDES}
        assert not sides["train"] & sides["validation"] | sides["train"] & sides["test"]
        assert not sides["validation"] & sides["test"]
        tested += sorted(sides["test"])
    assert sorted(tested) == sorted({clip.group for clip in data.clips})


def test_a_random_split_puts_a_group_on_several_sides(data_set: Path) -> None:
    """The option exists to show the effect, so it must really do it."""
    groups = {clip.path: clip.group for clip in load(data_set).clips}
    placed = split(load(data_set), Division(by_clip=True))
    sides: dict[str, set[str]] = {}
    for clip in placed.clips:
        sides.setdefault(groups[clip.path], set()).add(clip.side)
    assert any(len(group_sides) > 1 for group_sides in sides.values())


def sides_file(path: Path, rows: dict[str, str]) -> Path:
    path.write_text("group,split\n" + "".join(f"{group},{side}\n" for group, side in rows.items()), encoding="utf-8")
    return path


def test_sides_from_a_file(data_set: Path, tmp_path: Path) -> None:
    sides = ("test", "val", "train", "train")
    labels = ("crying", "babbling", "background")
    assigned = {f"{label}-{group}": sides[group] for label in labels for group in range(4)}
    placed = split(load(data_set), Division(sides=sides_file(tmp_path / "sides.csv", assigned)))
    for clip in placed.clips:
        assert clip.side == {"val": "validation"}.get(assigned[clip.group], assigned[clip.group])


def test_sides_stay_while_labels_change(data_set: Path, tmp_path: Path) -> None:
    """Better labels may leave a group without clips; all other groups keep their sides."""
    complete = load(data_set)
    first = split(complete)
    sides_path = sides_file(tmp_path / "sides.csv", {clip.group: clip.side for clip in first.clips})
    remaining = replace(
        complete, clips=tuple(clip for clip in complete.clips if clip.group != first.side("train")[0].group)
    )
    with pytest.raises(DataError, match="does not have"):
        split(remaining, Division(sides=sides_path))
    sides = {clip.path: clip.side for clip in first.clips}
    placed = split(remaining, Division(sides=sides_path), complete)
    assert {clip.path: clip.side for clip in placed.clips} == {clip.path: sides[clip.path] for clip in remaining.clips}


def test_a_sides_file_that_does_not_fit_is_refused(data_set: Path, tmp_path: Path) -> None:
    for rows, message in (({"nobody": "test"}, "nobody"), ({"crying-0": "elsewhere"}, "elsewhere")):
        with pytest.raises(DataError, match=message):
            split(load(data_set), Division(sides=sides_file(tmp_path / "sides.csv", rows)))


def test_labels_that_count_as_another(data_set: Path) -> None:
    for words in ({"natural": "background"}, {"babbling": "noise"}):
        assert load(data_set, merged=words).labels == ("sad", "background")


def test_a_copy_of_a_file_is_not_decoded_again(own_data_set: Path, tmp_path: Path) -> None:
    """Sound is cached by content: a copy under another name is known, a changed file is not."""
    first = DecodedAudio(load(own_data_set), tmp_path / "cache", codecs=False)
    (store,) = (tmp_path / "cache").glob("*.i16")
    size = store.stat().st_size
    rows = read_manifest(own_data_set)
    copy = own_data_set / "crying" / "copy.wav"
    copy.write_bytes((own_data_set / rows[0]["path"]).read_bytes())
    write_manifest(own_data_set, [*rows, {**rows[0], "path": "crying/copy.wav"}])
    again = DecodedAudio(load(own_data_set), tmp_path / "cache", codecs=False)
    assert store.stat().st_size == size
    assert np.array_equal(again.read("crying/copy.wav"), first.read(rows[0]["path"]))
    soundfile.write(copy, np.zeros(8000, np.float32), 16000)
    assert DecodedAudio(load(own_data_set), tmp_path / "cache", codecs=False).samples("crying/copy.wav") == 8000


FEW = "--family cnn_tiny --no-codecs --epochs 1 --epoch-windows 16 --batch 8"


@pytest.fixture
def two_sets(data_set: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The usual data set, and a small one of different clips and the same group names; it laughs, and never babbles."""
    second = tmp_path / "other"
    rng = np.random.default_rng(8)
    rows = []
    for label in ("baby_cry", "laughter", "silence"):
        for group in range(4):
            path = f"{label}-{group}.wav"
            second.mkdir(exist_ok=True)
            soundfile.write(second / path, rng.uniform(-0.3, 0.3, 16000), 16000)
            rows.append(
                {"path": path, "label": label, "group": f"{'crying' if label == 'baby_cry' else label}-{group}"}
            )
    write_manifest(second, rows)
    return data_set, second


def test_several_data_sets_are_one_with_distinct_groups(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    alone, both = [load(root) for root in two_sets], load(two_sets)
    assert both.labels == ("sad", "happy", "natural", "background")
    assert len({clip.group for clip in both.clips}) == sum(len({clip.group for clip in data.clips}) for data in alone)
    assert {f"{two_sets[0].name}/crying-0", "other/crying-0"} <= {clip.group for clip in both.clips}
    assert all(both.file(clip.path).is_file() for clip in both.clips)
    for side in SIDES:
        assert {span.label for clip in split(both).side(side) for span in clip.spans} == set(both.labels)
    # What was decoded for a single data set is not decoded again, and sounds the same.
    audio = [DecodedAudio(data, tmp_path / "cache") for data in alone]
    sizes = {path: path.stat().st_size for path in (tmp_path / "cache").glob("*.i16")}
    together = DecodedAudio(both, tmp_path / "cache")
    assert {path: path.stat().st_size for path in (tmp_path / "cache").glob("*.i16")} == sizes
    for take in range(2):
        expected = audio[1].read("silence-3.wav", 10, 500, take)
        assert np.array_equal(together.read("other/silence-3.wav", 10, 500, take), expected)
    assert {clip.own_group for clip in both.clips} == {clip.group for data in alone for clip in data.clips}


def test_a_copy_in_another_data_set_joins_its_group(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = two_sets
    (second / "silence-0.wav").write_bytes((first / "background" / "0-0.wav").read_bytes())
    both = load(two_sets)
    audio = DecodedAudio(both, tmp_path / "cache", codecs=False)
    group = {clip.path: clip.group for clip in merge_duplicate_groups(trim_to_audio(both.clips, audio), audio)}
    assert group["other/silence-0.wav"] == group[f"{first.name}/background/0-0.wav"]
    assert group["other/silence-1.wav"] == "other/silence-1"


def test_sides_and_segments_of_several_data_sets(two_sets: tuple[Path, Path], tmp_path: Path) -> None:
    sides = sides_file(tmp_path / "sides.csv", {"other/crying-0": "test"})
    placed = split(load(two_sets), Division(sides=sides))
    assert {clip.side for clip in placed.clips if clip.group == "other/crying-0"} == {"test"}
    with pytest.raises(DataError, match=r"crying-0; of several data sets a group is called FOLDER/GROUP\."):
        split(load(two_sets), Division(sides=sides_file(tmp_path / "sides.csv", {"crying-0": "test"})))
    segments = tmp_path / "segments.csv"
    segments.write_text("path,start_seconds,end_seconds,label\nbaby_cry-0.wav,0.1,0.6,hungry\n", encoding="utf-8")
    spans = {clip.path: clip.spans for clip in load(two_sets, segments).clips}
    assert spans["other/baby_cry-0.wav"] == (Span(0.1, 0.6, "hungry"),)
    assert spans["other/silence-0.wav"] == (), "not in the segments, so unknown"
    assert spans[f"{two_sets[0].name}/background/0-0.wav"], "the segments do not name this data set at all"


def test_data_sets_with_the_same_name_are_refused(two_sets: tuple[Path, Path]) -> None:
    with pytest.raises(DataError, match=f"Two data sets are called {two_sets[0].name}"):
        load([two_sets[0], two_sets[1], two_sets[0] / ".." / two_sets[0].name])


def test_commands_take_several_data_sets(
    two_sets: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A data set is recognised on its own after a training on several."""
    first, second = two_sets
    model = tmp_path / "both.onnx"
    cache = f"--cache {tmp_path / 'cache'}"
    data = f"--data {first} --data {second} {cache}"
    assert main(f"train {data} {FEW} --output {model}".split()) == 0
    assert Classifier(model).card.training["sources"] == sorted([first.name, "other"])
    capsys.readouterr()
    words = f"evaluate --model {model} --robustness-clips 0 --json"
    assert main(f"{words} {data} --report {tmp_path / 'report'}".split()) == 0
    assert main(f"{words} {cache} --split all --data {second}".split()) == 0
    both, alone = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert both["data_name"] == f"{first.name}, other"
    assert all(Path(clip["file"]).is_file() for clip in both["worst"])
    assert both["met"] == {"train": 0, "validation": 0}
    placed = split(load(two_sets))
    for side in ("train", "validation"):
        # The name "crying-0" alone may mean either of the two.
        learnt = {clip.own_group for clip in placed.side(side)}
        assert alone["met"][side] == len(learnt & {clip.group for clip in load(second).clips})
    words = f"nights --model {model} {data} --hours 0.05 --backgrounds other --split all --json"
    assert main(words.split()) == 0
    assert json.loads(capsys.readouterr().out)["all"]["episodes"] == 1


@pytest.mark.parametrize("chosen", ["", "MIT"])
def test_a_models_card_names_the_licences_of_its_training_data(
    two_sets: tuple[Path, Path], own_data_set: Path, tmp_path: Path, chosen: str
) -> None:
    second, model = two_sets[1], tmp_path / "model.onnx"
    write_manifest(own_data_set, [
        {**row, "source": "actors", "licence": "CC BY-NC-SA 4.0"} for row in read_manifest(own_data_set)
    ])  # fmt: skip
    write_manifest(second, [
        {**row, "licence": ("CC0", "CC BY-NC-ND 4.0")[index % 2]} for index, row in enumerate(read_manifest(second))
    ])  # fmt: skip
    words = f"train --data {own_data_set} --data {second} --cache {tmp_path / 'cache'} {FEW} --output {model}".split()
    assert main([*words, "--licence", chosen] if chosen else words) == 0
    card = Classifier(model).card
    assert card.training["licences"] == {"actors": ["CC BY-NC-SA 4.0"], "other": ["CC BY-NC-ND 4.0", "CC0"]}
    sources = "actors: CC BY-NC-SA 4.0; other: CC BY-NC-ND 4.0, CC0"
    licence = (
        f"as the data it was trained on ({sources}); part of it permits no derivatives, so the model is not to be "
    )
    licence += "passed on"
    assert card.licence == (chosen or licence)


def test_no_shipped_model_was_trained_on_data_that_permits_no_derivatives() -> None:
    for model in sorted((REPOSITORY / "models").glob("*.onnx")):
        card = Classifier(model).card
        assert not re.search(r"\bND\b", f"{card.licence} {card.training.get('licences')}"), model.name


def test_a_persons_library_is_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nights with several labels each, some of them rare, one of the person's own, and clips without a label yet."""
    rng = np.random.default_rng(4)
    library = Library(tmp_path / "library")
    for night in range(8):
        for label in ("baby cry", "background", *(["teething"] * (night < 3)), *(["tired"] * (night in (0, 3, 5))), ""):
            library.add(rng.uniform(-0.3, 0.3, 8000).astype(np.float32), label, group=f"night-2026-11-{night + 1:02}")
    exported = tmp_path / "exported"
    assert export_folder(library, exported) == 30
    library.close()
    for folder in (tmp_path / "library", exported):
        data = load(folder)
        assert data.labels == ("tired", "sad", "background", "teething")
        assert len(data.clips) == 22
        placed = split(data)
        sides: dict[str, set[str]] = {}
        for clip in placed.clips:
            sides.setdefault(clip.group, set()).add(clip.side)
        assert len(sides) == 8
        assert all(len(group_sides) == 1 for group_sides in sides.values())
        for side in SIDES:
            assert {span.label for clip in placed.side(side) for span in clip.spans} == set(data.labels)
        assert placed == split(load(folder))
    messages = capsys.readouterr().err
    assert set(messages.splitlines()) == {
        f"Left out 8 clips in {tmp_path / 'library' / 'unlabelled'}: no label was given yet."
    }


def test_unlabelled_clips_alone_are_no_data_set(tmp_path: Path) -> None:
    library = Library(tmp_path / "library")
    library.add(np.zeros(8000, np.float32), "", group="night")
    library.close()
    notices: list[str] = []
    with pytest.raises(DataError, match="no labelled sound"):
        load(tmp_path / "library", notice=notices.append)
    assert notices == [f"Left out 1 clip in {tmp_path / 'library' / 'unlabelled'}: no label was given yet."]


def test_a_label_with_too_few_nights_is_refused_in_a_sentence(tmp_path: Path) -> None:
    library = Library(tmp_path / "library")
    rng = np.random.default_rng(4)
    for night in range(3):
        for label in ("sad", "background", *(["pain"] * (night < 2))):
            library.add(rng.uniform(-0.3, 0.3, 8000).astype(np.float32), label, group=f"night-{night}")
    library.close()
    with pytest.raises(DataError, match=r"'pain' has 2 groups; it needs at least 3 \(babies, speakers, nights or"):
        split(load(tmp_path / "library"))
    assert split(load(tmp_path / "library", merged={"pain": "sad"})).labels == ("sad", "background")


def test_simultaneous_recordings_share_a_side_while_enough_groups_remain(tmp_path: Path) -> None:
    """For example the monitor's clip of a cry and a recording made meanwhile. Nothing is refused because of it."""
    rng = np.random.default_rng(0)
    library = Library(tmp_path / "library")

    def add(group: str, recorded: float, source: str = "microphone") -> None:
        wave = np.asarray(0.1 * rng.standard_normal(16000), np.float32)
        library.add(wave, "hungry", group=group, recorded=recorded, source=source)

    add("night-2026-11-20", 1000.0, "night")
    add("recording-1", 1000.5)
    add("recording-2", 2000.0)
    assert {clip.group for clip in load(library.folder).clips} == {"night-2026-11-20", "recording-1", "recording-2"}
    add("recording-3", 3000.0)
    add("import-1", 3000.0, "import")
    known = {Path(clip.path).parent.name: clip.group for clip in load(library.folder).clips}
    library.close()
    assert known.pop("recording-1") == known["night-2026-11-20"] == "night-2026-11-20"
    assert all(folder == group for folder, group in known.items())


def test_sound_from_a_phones_codec_is_not_encoded_again(own_data_set: Path, tmp_path: Path) -> None:
    """Otherwise a second codec would identify phones' sound, and the lack of one all other sound."""
    for name in ("memo.caf", "memo.wav"):
        noise = 0.2 * np.random.default_rng(len(name) + ord(name[-1])).standard_normal(16000)
        soundfile.write(own_data_set / "background" / name, noise, 16000)
    (own_data_set / "manifest.csv").unlink()
    audio = DecodedAudio(load(own_data_set), tmp_path / "cache")
    assert audio.takes("background/memo.caf") == 1
    assert audio.takes("background/memo.wav") == 2
    plain, coded = (audio.read("background/memo.wav", take=take) for take in (0, 1))
    assert plain.size == coded.size
    assert np.abs(plain - coded).max() > 0.01


def test_a_codec_whose_decoder_diverges_is_skipped() -> None:
    """FFmpeg's AMR decoder turns this siren into 10^11 times full scale, which once ruined a training."""
    siren = synthetic.siren(np.random.default_rng([1, 1_000_000, *b"siren", 6]), 64000)
    assert np.abs(codec_copy(siren, available().index(("3gp", "libopencore_amrnb", 8000, 12200)))).max() < 4
