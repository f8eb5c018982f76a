"""From a folder of sound to a monitor that hears with what was made of it: a family of each kind, real recordings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_data import SHARED_DATA
from program import babymonitor

from trainer.__main__ import main

# A network of each input, a machine, a forest, boosted trees; and how many windows each needs to get somewhere.
FAMILIES = {
    "svm": 128,
    "random_forest": 128,
    "gradient_boosting": 64,
    "xgboost": 64,
    "base_cnn": 384,
    "simple_cnn_audio": 256,
    "hubert": 256,
}


def real(kind: str) -> Path:
    """A recording that no training here has met."""
    if not SHARED_DATA.is_dir():
        pytest.skip("shared/data is not here: nothing was heard on real recordings.")
    return sorted((SHARED_DATA / "esc10" / kind).iterdir())[1]


@pytest.mark.parametrize("family", FAMILIES)
def test_trained_exported_and_heard_through_the_monitor(family: str, data_set: Path, tmp_path: Path) -> None:
    model = tmp_path / f"{family}.onnx"
    words = [
        *f"train --family {family} --data {data_set} --output {model} --cache {tmp_path}/cache --no-codecs".split(),
        *f"--epochs 2 --epoch-windows {FAMILIES[family]} --batch 16 --reuse 1 --average 0.5".split(),
        *("--augment", "none,noise=0.5,volume=0.5", *(("--weights", "hubert=random") if family == "hubert" else ())),
    ]
    assert main(words) == 0
    crying: dict[str, float] = {}
    for kind in ("baby_cry", "rain"):
        done = babymonitor("watch", real(kind), "--fast", "--json", "--model", model)
        assert done.returncode == 0, done.stderr
        events = [json.loads(line) for line in done.stdout.splitlines()]
        started, ended = events[0], events[-1]
        assert (started["event"], ended["event"]) == ("started", "ended")
        assert started["labels"] == ["sad", "natural", "background"]
        scores = [event for event in events if event["event"] == "score"]
        expected = (ended["seconds"] - started["window_seconds"]) / started["hop_seconds"]
        assert len(scores) >= expected
        for score in scores:
            assert sum(score["probabilities"].values()) == pytest.approx(1, abs=1e-3)
            assert score["crying"] == pytest.approx(score["probabilities"]["sad"], abs=1e-3)
        crying[kind] = float(np.mean([score["crying"] for score in scores]))
    # It has met nothing but made sounds, and yet a real cry is more of a cry to it than rain.
    assert crying["baby_cry"] > crying["rain"], crying
