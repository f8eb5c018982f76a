"""Bad input is refused in one sentence, with status 2, before any time is spent."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from made_data import read_manifest, write_manifest

from trainer.__main__ import main
from trainer.data.decoded_audio import DecodedAudio, merge_duplicate_groups, trim_to_audio
from trainer.data.readers import load
from trainer.data.split import Division, split
from trainer.errors import DataError
from trainer.networks.heads import TwoLevel
from trainer.training.recipe import Recipe
from trainer.training.request import TrainingRequest
from trainer.training.train import train


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(words) == 2
    sentence = capsys.readouterr().err.strip()
    assert len(sentence.splitlines()) == 1, sentence
    assert sentence.endswith(".")
    return sentence


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--patience -1", "patience"),
        ("--batch 1", "batch"),
        ("--learning-rate -1", "learning rate"),
        ("--weight-decay -1", "weight_decay"),
        ("--mixup 2", "mixup"),
        ("--smoothing 5", "smoothing"),
        ("--average 2", "average"),
        ("--seed -1", "seed"),
        ("--augment loud", "loud"),
        ("--augment speech,room", "--augment: the share of 'room' must be between 0 and 1, as in room=0.5."),
        ("--device abacus", "abacus"),
        ("--folds 1", "two or more"),
        ("--folds 3 --fold 7", "no fold 7"),
        ("--folds 5", "5 folds need as many groups of each label, and 'sad' has 4: give fewer --folds"),
        ("--merge natural=sad --merge sadd=angry", "no label 'sadd' to merge; there is background, natural, sad."),
        ("--segments nowhere.csv", "There is no file nowhere.csv."),
        ("--fold 1", "--folds"),
        ("--weights cnn_tiny=random", "takes no weights"),
        ("--sides nowhere.csv", "There is no file nowhere.csv."),
        ("--from nowhere.onnx", "nowhere.onnx"),
        ("--output model.pt", "NAME.onnx"),
    ],
)
def test_impossible_options(
    words: str, sentence: str, data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = f"train --family cnn_tiny --data {data_set} --cache {tmp_path}/cache --no-codecs --output {tmp_path}/m.onnx"
    assert sentence in refused([*base.split(), *words.split()], capsys)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("train", "--data, --family"),
        ("tarin", "invalid choice: 'tarin'"),
        ("train --epochs two", "a whole number, 1 or more, not two"),
        ("train --epochs 0", "a whole number, 1 or more, not 0"),
        ("train --shares 70,a,15", "three numbers"),
        ("train --merge tired", "LABEL=AS, not tired"),
        ("train --weights hubert", "FAMILY=FROM, not hubert"),
        ("predict --model mine.pt night.wav", "trainer export mine.pt"),
        ("nights --hours nan", "a number above 0, not nan"),
    ],
)
def test_a_wrong_command_line_is_refused_without_the_usage(
    words: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit:
        main(words.split())
    printed = capsys.readouterr().err
    assert exit.value.code == 2
    assert sentence in printed
    assert len(printed.splitlines()) == 1


def test_folds_and_given_sides_together(data_set: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Either folds or given sides"):
        split(load(data_set), Division(folds=3, sides=tmp_path / "sides.csv"))


def test_a_search_over_a_family_that_is_fitted_at_once(
    data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"tune --family svm --data {data_set} --cache {tmp_path}/cache --no-codecs --study {tmp_path}/s.sqlite"
    assert "fitted at once" in refused(words.split(), capsys)


def test_a_file_that_is_no_study(data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.sqlite").write_text("not a database, but long enough to be looked at as one" * 20)
    words = f"tune --family cnn_tiny --data {data_set} --cache {tmp_path}/cache --no-codecs --study {tmp_path}/s.sqlite"
    assert "s.sqlite" in refused(words.split(), capsys)


def test_a_manifest_with_a_ragged_line(own_data_set: Path) -> None:
    with (own_data_set / "manifest.csv").open("a", encoding="utf-8") as file:
        file.write("crying/0-0.wav\n")
    with pytest.raises(DataError, match="Line 26"):
        load(own_data_set)


def test_a_diverged_training_ends_with_a_sentence(
    data_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(epochs=1, epoch_windows=16, batch=8)
    request = TrainingRequest(data_set, "cnn_tiny", tmp_path / "m.onnx", recipe, tmp_path / "cache", codecs=False)
    with monkeypatch.context() as patched:
        patched.setattr(TwoLevel, "loss", lambda *_: torch.full((), math.nan, requires_grad=True))
        with pytest.raises(DataError, match="not a number"):
            train(request)
    assert not request.output.exists()


def test_a_batch_is_at_most_an_epoch(data_set: Path, tmp_path: Path) -> None:
    """Otherwise a mistyped number would have a hundred thousand windows drawn for one step."""
    recipe = Recipe(epochs=1, epoch_windows=16, batch=100_000)
    output = tmp_path / "m.onnx"
    assert train(TrainingRequest(data_set, "cnn_tiny", output, recipe, tmp_path / "cache", codecs=False))


def test_a_folded_model_file_says_why_training_cannot_begin_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the exporter once wrote them: numbers in place of the layers' names."""
    from trainer.model_file import torch_file
    from trainer.networks import FAMILIES

    folded = {"head.weight": torch.zeros(2, 320), "head.bias": torch.zeros(2), "onnx::Conv_207": torch.zeros(24)}
    monkeypatch.setattr(torch_file, "_weights", lambda path: (("rain", "wind"), folded))
    network = FAMILIES["cnn_tiny"].network(("rain", "wind"))
    with pytest.raises(DataError, match="does not carry its weights by name"):
        torch_file.initialise_weights(tmp_path / "old.onnx", network, ("rain", "wind"))


def test_a_fitted_model_is_neither_quantised_nor_exported_as_pt(
    data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import onnx

    output = tmp_path / "m.onnx"
    train(TrainingRequest(data_set, "svm", output, Recipe(epoch_windows=16), tmp_path / "cache", codecs=False))
    assert "8 bits are too few" in refused(["export", str(output), "--format", "onnx", "--int8"], capsys)
    assert "has no .pt: it is fitted" in refused(["export", str(output), "--format", "pt"], capsys)
    assert sorted(path.suffix for path in tmp_path.iterdir() if path.is_file()) == [".onnx"]
    declared = [operators.domain for operators in onnx.load(output).opset_import]
    assert len(declared) == len(set(declared))


def test_a_checkpoint_of_other_sides_is_refused(data_set: Path, tmp_path: Path) -> None:
    """Resuming from it would mean learning from the test side."""
    recipe = Recipe(epochs=1, epoch_windows=16, batch=8)
    first = TrainingRequest(
        data_set, "cnn_tiny", tmp_path / "m.onnx", recipe, tmp_path / "cache", division=Division(folds=2), codecs=False
    )
    train(first)
    with pytest.raises(DataError, match="another run"):
        train(replace(first, division=Division(folds=2, fold=1), resume=True))


def test_a_model_knows_the_groups_it_learnt_from(
    data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = Recipe(epochs=1, epoch_windows=16, batch=8)
    output = tmp_path / "m.onnx"
    train(
        TrainingRequest(
            data_set, "cnn_tiny", output, recipe, tmp_path / "cache", division=Division(folds=2), codecs=False
        )
    )
    words = ["evaluate", "--model", str(output), "--data", str(data_set), "--cache", str(tmp_path / "cache"), "--json"]
    capsys.readouterr()
    assert main([*words, "--robustness-clips", "0", "--folds", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["met"] == {"train": 0, "validation": 0}
    assert main([*words, "--robustness-clips", "0", "--folds", "2", "--fold", "1"]) == 0
    assert sum(json.loads(capsys.readouterr().out)["met"].values()) == 6


def test_copies_under_two_names_are_one_group(own_data_set: Path, tmp_path: Path) -> None:
    rows = read_manifest(own_data_set)
    copy = own_data_set / "crying" / "copy.wav"
    copy.write_bytes((own_data_set / rows[0]["path"]).read_bytes())
    write_manifest(own_data_set, [*rows, {**rows[0], "path": "crying/copy.wav", "group": "another"}])
    data = load(own_data_set)
    waves = DecodedAudio(data, tmp_path / "cache", codecs=False)
    groups = {clip.path: clip.group for clip in merge_duplicate_groups(trim_to_audio(data.clips, waves), waves)}
    assert groups["crying/copy.wav"] == groups[rows[0]["path"]] == groups[rows[1]["path"]]


def test_a_deleted_store_is_decoded_again(own_data_set: Path, tmp_path: Path) -> None:
    """Filled with zeros it would be silence, and nobody would notice."""
    cache = tmp_path / "cache"
    before = DecodedAudio(load(own_data_set), cache, codecs=False).read("crying/0-0.wav")
    (store,) = cache.glob("*.i16")
    store.unlink()
    again = DecodedAudio(load(own_data_set), cache, codecs=False).read("crying/0-0.wav")
    assert np.array_equal(again, before)
    assert float(np.abs(again).max()) > 0.01
    (index,) = cache.glob("*.json")
    index.write_text(index.read_text()[:50])
    assert np.array_equal(DecodedAudio(load(own_data_set), cache, codecs=False).read("crying/0-0.wav"), before)


def test_predict_prints_what_the_app_prints(data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from babymonitor.core import paths
    from babymonitor.terminal import predict

    sound = tmp_path / "sounds"
    sound.mkdir()
    soundfile.write(sound / "a.wav", np.zeros(32000, np.float32), 16000)
    (sound / "b.wav").write_text("no sound")
    output = tmp_path / "told.json"
    words = ["predict", str(sound), "--model", str(paths.default_model()), "--json", "--output", str(output)]
    assert main(words) == 0
    ours = json.loads(capsys.readouterr().out)
    assert [("error" in entry) for entry in ours["files"]] == [False, True]
    assert json.loads(output.read_text(encoding="utf-8")) == ours
    import argparse

    parser = argparse.ArgumentParser()
    predict.add_arguments(parser)
    assert predict.run(parser.parse_args([str(sound), "--json"])) == 0
    assert json.loads(capsys.readouterr().out) == ours
