"""From a folder of sound to a monitor that runs the trained model: a family of each kind, real recordings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_data import SHARED_DATA, write_manifest
from program import babymonitor

from trainer.__main__ import main

# A network of each input, a support vector machine, a forest, boosted trees; and how many windows each needs to learn.
FAMILIES = {
    "svm": 128,
    "random_forest": 128,
    "gradient_boosting": 64,
    "xgboost": 64,
    "base_cnn": 256,
    "simple_cnn_audio": 128,
    "hubert": 256,
}


KINDS = {"baby_cry": "crying", "rain": "background", "clock_tick": "background", "chainsaw": "background"}


def real(kind: str) -> list[Path]:
    """Recordings of one kind; the first two are never learnt from."""
    if not SHARED_DATA.is_dir():
        pytest.skip("shared/data is missing: nothing was tested on real recordings.")
    return sorted((SHARED_DATA / "esc10" / kind).iterdir())


@pytest.fixture(scope="module")
def real_data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen real cries, sixteen clips of rain, clocks and chainsaws; grouped by the recording they were cut from."""
    root = tmp_path_factory.mktemp("real")
    rows = []
    for kind, label in KINDS.items():
        held_out = {path.name.split("-")[1] for path in real(kind)[:2]}
        learnt = [path for path in real(kind) if path.name.split("-")[1] not in held_out]
        for path in learnt[: 16 if label == "crying" else 6]:
            (root / kind).mkdir(exist_ok=True)
            (root / kind / path.name).symlink_to(path)
            rows.append({"path": f"{kind}/{path.name}", "label": label, "group": path.name.split("-")[1]})
    write_manifest(root, rows)
    return root


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_trained_exported_and_run_in_the_monitor(family: str, real_data_set: Path, tmp_path: Path) -> None:
    model = tmp_path / f"{family}.onnx"
    small = ("--weights", "hubert=random", "--learning-rate", "1e-3") if family == "hubert" else ()
    words = [
        *f"train --family {family} --data {real_data_set} --output {model}".split(),
        *f"--cache {tmp_path}/cache --no-codecs".split(),
        *f"--epochs 2 --epoch-windows {FAMILIES[family]} --batch 16 --reuse 1 --average 0.5".split(),
        *("--augment", "none,noise=0.25,volume=0.5", *small),
    ]
    assert main(words) == 0
    crying: dict[str, float] = {}
    for kind in ("baby_cry", "rain"):
        done = babymonitor("watch", real(kind)[0], "--fast", "--json", "--model", model)
        assert done.returncode == 0, done.stderr
        events = [json.loads(line) for line in done.stdout.splitlines()]
        started, ended = events[0], events[-1]
        assert (started["event"], ended["event"]) == ("started", "ended")
        assert started["labels"] == ["sad", "background"]
        scores = [event for event in events if event["event"] == "score"]
        expected = (ended["seconds"] - started["window_seconds"]) / started["hop_seconds"]
        assert len(scores) >= expected
        for score in scores:
            assert sum(score["probabilities"].values()) == pytest.approx(1, abs=1e-3)
            assert score["crying"] == pytest.approx(score["probabilities"]["sad"], abs=1e-3)
        crying[kind] = float(np.mean([score["crying"] for score in scores]))
    # Two held-out recordings, after seconds of training.
    assert crying["baby_cry"] > 1.5 * crying["rain"], crying
