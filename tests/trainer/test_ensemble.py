"""Several networks that answer together: each trained on its own, one model file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from babymonitor.core.model.classifier import Classifier
from trainer.errors import DataError
from trainer.networks import FAMILIES
from trainer.networks.heads import Calibrated, Calibration
from trainer.networks.network import Ensemble
from trainer.training.loop import Recipe
from trainer.training.train import Request, train


def request_for(data: Path, folder: Path, **changes: Any) -> Request:
    recipe = Recipe(epochs=1, epoch_windows=32, batch=8, seed=3)
    values = {"data": data, "family": "cnn_tiny", "output": folder / "model.onnx", "recipe": recipe, "members": 2}
    return Request(**{**values, "cache": folder / "cache", "codecs": False, **changes})


def weights_of(request: Request) -> list[dict[str, torch.Tensor]]:
    return [torch.load(path, weights_only=True)["best"] for path in request.checkpoints]


def test_the_file_answers_with_the_mean_of_its_members(data_set: Path, tmp_path: Path) -> None:
    request = request_for(data_set, tmp_path)
    told: list[dict[str, Any]] = []
    train(request, told.append)
    assert [one["member"] for one in told if one["event"] == "epoch"] == [1, 2]
    classifier = Classifier(request.output)
    members = []
    for weights in weights_of(request):
        member = FAMILIES["cnn_tiny"].network(classifier.labels)
        member.load_state_dict(weights)
        members.append(member.eval())
    mels = np.random.default_rng(0).normal(-8, 3, (3, 64, 124)).astype(np.float32)
    with torch.no_grad():
        first, second = (member(torch.from_numpy(mels)) for member in members)
        assert not torch.allclose(first, second, atol=1e-3), "another seed, another network"
        assert torch.allclose(Ensemble(members)(torch.from_numpy(mels)), (first + second) / 2)
        names = ("slope", "offset", "reason_temperature", "other_temperature")
        calibration = Calibration(**{name: classifier.card.calibration[name] for name in names})
        expected = Calibrated(Ensemble(members), classifier.labels, calibration)(torch.from_numpy(mels)).numpy()
    assert np.allclose(np.stack([classifier.probabilities(mel) for mel in mels]), expected, atol=1e-4)
    assert classifier.card.training["members"] == 2
    assert not request.pools.exists(), "the windows drawn for both are cleared away"


def test_killed_between_two_members_it_goes_on_with_the_second(data_set: Path, tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    def die(values: dict[str, Any]) -> None:
        if values.get("member") == 1:
            raise KilledError

    whole = request_for(data_set, tmp_path / "whole")
    train(whole)
    broken = request_for(data_set, tmp_path / "broken")
    with pytest.raises(KilledError):
        train(broken, die)
    assert not broken.checkpoints[1].exists()
    first = broken.checkpoints[0].read_bytes()
    train(request_for(data_set, tmp_path / "broken", resume=True))
    assert broken.checkpoints[0].read_bytes() == first, "the first member is not trained again"
    for resumed, expected in zip(weights_of(broken), weights_of(whole), strict=True):
        assert all(torch.equal(resumed[name], values) for name, values in expected.items())


def test_what_is_fitted_has_no_members(data_set: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--members is for networks"):
        train(request_for(data_set, tmp_path, family="svm"))
