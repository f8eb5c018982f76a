"""Families compared: one page, honest rows, and nothing trained twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from babymonitor.core.model.classifier import Classifier
from trainer.__main__ import main
from trainer.data.decoded_audio import DecodedAudio
from trainer.evaluation.judgements import training_overlap
from trainer.training import compare_families


@pytest.fixture
def words(data_set: Path, tmp_path: Path) -> list[str]:
    return [
        *f"compare --data {data_set} --cache {tmp_path}/cache --no-codecs --folds 2 --title Three".split(),
        *f"--families svm,cnn_tiny,hubert --report {tmp_path}/report --work {tmp_path}/work".split(),
        *f"--epochs 1 --epoch-windows 32 --batch 16 --weights hubert={tmp_path}/nowhere --json".split(),
    ]


def comparison_in(report: Path) -> dict[str, Any]:
    (comparison,) = json.loads((report / "report.json").read_text(encoding="utf-8"))["comparisons"]
    return dict(comparison)


def test_one_page_of_all_families_and_a_second_run_trains_nothing(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[DecodedAudio] = []
    prepare = DecodedAudio.__init__

    def count(self: DecodedAudio, *arguments: Any, **options: Any) -> None:
        prepared.append(self)
        prepare(self, *arguments, **options)

    monkeypatch.setattr(DecodedAudio, "__init__", count)
    assert main(words) == 0
    assert len(prepared) == 2, "once for each fold, whatever the number of families"
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["event"] == "finished"
    comparison = comparison_in(tmp_path / "report")
    rows = {row["family"]: row for row in comparison["rows"]}
    assert rows.keys() == {"svm", "cnn_tiny"}
    # A family whose weights cannot be fetched is not dropped silently.
    (missing,) = comparison["left_out"]
    assert missing["family"] == "hubert"
    assert "nowhere" in missing["why"]
    for row in rows.values():
        # Both folds together: every clip of the data set was judged by a model that did not learn from its group.
        assert row["clips"]["items"] == 24
        assert row["clips"]["groups"] == 12
        assert row["protocol"] == "grouped"
        entry = row["clips"]["balanced_accuracy"]
        assert entry["low"] <= entry["value"] <= entry["high"]
        assert row["parameters"] > 0 < row["file_bytes"]
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "svm" in page
    assert "cnn_tiny" in page

    models = sorted((tmp_path / "work").glob("*.onnx"))
    assert len(models) == 4
    before = [model.stat().st_mtime_ns for model in models]
    assert main(words) == 0
    capsys.readouterr()
    assert [model.stat().st_mtime_ns for model in models] == before
    assert comparison_in(tmp_path / "report")["rows"] == comparison["rows"]


def test_a_random_split_is_called_one(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = {"svm,cnn_tiny,hubert": "svm"}
    assert main([*(changes.get(word, word) for word in words), "--split-by-clip"]) == 0
    capsys.readouterr()
    (row,) = comparison_in(tmp_path / "report")["rows"]
    assert row["protocol"] == "random split"
    assert row["clips"]["groups"] == 24


def test_families_are_judged_together(
    data_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt_from: list[dict[str, int] | None] = []
    judge = compare_families.judge

    def watch(classifier: Classifier, clips: Any, *arguments: Any) -> Any:
        learnt_from.append(training_overlap(classifier.card, clips))
        return judge(classifier, clips, *arguments)

    monkeypatch.setattr(compare_families, "judge", watch)
    words = [
        *f"compare --data {data_set} --cache {tmp_path}/cache --no-codecs --folds 2 --report {tmp_path}/report".split(),
        *["--families", "lstm_mel+resnet_mel,svm+lstm_mel", "--epochs", "1", "--epoch-windows", "16", "--batch", "8"],
    ]
    assert main(words) == 0
    assert "lstm_mel + resnet_mel" in capsys.readouterr().out
    comparison = comparison_in(tmp_path / "report")
    rows = {row["family"]: row for row in comparison["rows"]}
    assert rows.keys() == {"lstm_mel", "resnet_mel", "svm", "lstm_mel + resnet_mel"}
    both = rows["lstm_mel + resnet_mel"]
    assert both["clips"]["items"] == rows["lstm_mel"]["clips"]["items"] == 24, "both folds"
    assert both["parameters"] > max(rows[name]["parameters"] for name in ("lstm_mel", "resnet_mel"))
    assert learnt_from == 8 * [{"train": 0, "validation": 0}], "on its own test side"
    (refused,) = comparison["left_out"]
    assert refused["family"] == "svm + lstm_mel"
    assert "features differ" in refused["why"]
