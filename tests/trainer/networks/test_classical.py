"""Estimators: fitted, exported and opened, they agree with the libraries that fitted them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch

from babymonitor.core.model.classifier import GOLDEN_TOLERANCE, Classifier, decode_golden, encode_golden
from babymonitor.core.model.features import front_end
from trainer.audio import synthetic
from trainer.errors import DataError
from trainer.model_file.export import calibrated_graph, golden_pair, golden_wave, write_model
from trainer.networks import FAMILIES
from trainer.networks.classical import Estimator, SupportVectorMachine, XGBoost
from trainer.networks.heads import Calibrated, Calibration
from trainer.networks.network import Network

STATISTICAL = ("svm", "random_forest", "gradient_boosting", "xgboost")
EMBEDDED = ("svm_embeddings", "xgboost_embeddings")
TWO = ("sad", "background")
FIVE = ("hungry", "sad", "natural", "happy", "background")


def fresh(name: str, labels: tuple[str, ...]) -> Estimator:
    torch.manual_seed(0)
    estimator = FAMILIES[name].network(labels)
    assert isinstance(estimator, Estimator)
    return estimator


def with_small_body(name: str, labels: tuple[str, ...]) -> Estimator:
    """Build an estimator of a family that embeds, but with a smaller and faster body."""
    torch.manual_seed(0)
    front, body = FAMILIES[name].front, FAMILIES["resnet_mel"].network(labels)
    assert isinstance(body, Network)
    return (SupportVectorMachine if name == "svm_embeddings" else XGBoost)(labels, front, body)


def windows_of(estimator: Estimator, count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.intp]]:
    """(count, rows, frames) windows of noise in which each label raises rows of its own, and the labels."""
    rng = np.random.default_rng(1)
    front, amount = estimator.front, len(estimator.labels)
    labels = np.arange(count) % amount
    rows = np.arange(front.features.rows)
    raised = 3.0 * (rows[None] % amount == labels[:, None])
    windows = rng.normal(-6, 2, (count, front.features.rows, front.window_frames)) + raised[:, :, None]
    windows += rng.normal(0, 2, (count, front.features.rows, 1))
    return windows.astype(np.float32), labels


@pytest.fixture(scope="module")
def fitted() -> dict[tuple[str, int], Estimator]:
    estimators = {}
    for name in (*STATISTICAL, *EMBEDDED):
        for labels in (TWO, FIVE) if name in STATISTICAL else (FIVE,):
            estimator = fresh(name, labels) if name in STATISTICAL else with_small_body(name, labels)
            windows, truth = windows_of(estimator, 200 if name in STATISTICAL else 50)
            estimator.fit(estimator.describe_all(windows), truth, None, seed=3)
            estimators[name, len(labels)] = estimator
    return estimators


def cases() -> list[tuple[str, int]]:
    return [*((name, count) for name in STATISTICAL for count in (2, 5)), *((name, 5) for name in EMBEDDED)]


def card_for(labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "name": "test", "family": "test", "created": "now", "labels": labels, "licence": "none",
        "thresholds": {"start": 0.6, "end": 0.4}, "operating_curve": [], "calibration": {}, "training": {},
        "metrics": {},
    }  # fmt: skip


@pytest.mark.parametrize(("name", "count"), cases())
def test_graph_answers_as_the_estimator_does(fitted: dict[tuple[str, int], Estimator], name: str, count: int) -> None:
    estimator = fitted[name, count]
    windows, truth = windows_of(estimator, 40 if name in STATISTICAL else 5)
    calibration = Calibration(1.3, -0.4, 1.7, 0.8)
    with torch.no_grad():
        expected = Calibrated(estimator, estimator.labels, calibration).eval()(torch.from_numpy(windows)).numpy()
    assert np.allclose(expected.sum(1), 1, atol=1e-5)
    if name in STATISTICAL:
        assert (expected.argmax(1) == truth).mean() > 0.8
    session = onnxruntime.InferenceSession(calibrated_graph(estimator, estimator.labels, estimator.front, calibration))
    for size in (1, 3, len(windows)):
        (actual,) = session.run(None, {"features": windows[:size]})
        assert actual.shape == (size, count)
        assert np.allclose(actual, expected[:size], atol=1e-4)


@pytest.mark.parametrize(("name", "count"), [(name, count) for name, count in cases() if count == 5])
def test_model_file_opens_and_judges_a_wave(
    fitted: dict[tuple[str, int], Estimator], name: str, count: int, tmp_path: Path
) -> None:
    estimator = fitted[name, count]
    path = tmp_path / f"{name}.onnx"
    write_model(path, estimator, estimator.front, Calibration(), card_for(estimator.labels))
    classifier = Classifier(path)
    assert classifier.card.features == estimator.front.features
    wave = synthetic.cry(np.random.default_rng(5), classifier.card.window_samples)
    answer = classifier.probabilities_of_wave(wave)
    assert answer.shape == (count,)
    assert answer.sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("name", "count"), cases())
def test_importances_are_named_and_sum_to_one(fitted: dict[tuple[str, int], Estimator], name: str, count: int) -> None:
    shares = fitted[name, count].importances()
    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    if name in STATISTICAL:
        assert len(shares) == 88
        assert {"mfcc 0 mean", "mfcc 39 deviation", "spectral roll-off mean", "rms deviation"} <= shares.keys()
        # Only the means distinguish these labels.
        assert sum(share for value, share in shares.items() if value.endswith("mean")) > 0.7
    else:
        assert {"embedding 0", "embedding 383"} <= shares.keys()


@pytest.mark.parametrize("name", STATISTICAL)
def test_same_seed_gives_the_same_estimator(name: str) -> None:
    answers = []
    for seed in (4, 4):
        estimator = fresh(name, ("sad", "natural", "background"))
        windows, truth = windows_of(estimator, 60)
        estimator.fit(estimator.describe_all(windows), truth, np.linspace(1, 2, 60), seed)
        with torch.no_grad():
            answers.append(estimator(torch.from_numpy(windows)))
    assert torch.equal(*answers)


@pytest.mark.parametrize("name", EMBEDDED)
def test_embeddings_are_of_a_fresh_resnet18(name: str) -> None:
    estimator = fresh(name, TWO)
    assert isinstance(estimator.body, Network)
    assert estimator.front == FAMILIES["resnet18"].front
    assert estimator.body.head.out_features == len(TWO)
    assert estimator.describe(torch.zeros(1, 64, 92)).shape == (1, 512)


def test_label_without_windows_is_refused() -> None:
    estimator = fresh("svm", FIVE)
    windows, _ = windows_of(estimator, 20)
    with pytest.raises(DataError, match="natural, background"):
        estimator.fit(estimator.describe_all(windows), np.array([0, 1, 3, 0] * 5), None, seed=1)


def test_a_rare_label_counts_as_much_as_a_common_one() -> None:
    estimator = fresh("random_forest", TWO)
    rng = np.random.default_rng(0)
    labels = (np.arange(400) % 20 == 0).astype(np.intp)
    vectors = rng.normal(0, 1, (400, 88)).astype(np.float32)
    vectors[:, 0] += 1.5 * labels
    estimator.fit(vectors, labels, None, seed=1)
    middle = torch.full((1, 88), 0.0)
    middle[0, 0] = 2.0
    assert estimator.logits(middle).argmax() == 1


@pytest.mark.parametrize("labels", [TWO, ("sad", "happy", "background"), FIVE])
def test_the_machine_in_torch_agrees_with_scikit_learn(labels: tuple[str, ...]) -> None:
    """Its logits are the average margins of scikit-learn's duels."""
    from sklearn.svm import SVC

    rng = np.random.default_rng(2)
    truth = np.arange(150) % len(labels)
    vectors = (rng.normal(0, 1, (150, 88)) + 0.3 * rng.normal(0, 1, (len(labels), 88))[truth]).astype(np.float32)
    estimator = fresh("svm", labels)
    assert isinstance(estimator, SupportVectorMachine)
    estimator.fit(vectors, truth, None, seed=1)
    scaled = (torch.from_numpy(vectors) - estimator.centre) / estimator.spread
    own = SVC(C=4.0, gamma=estimator.width, class_weight="balanced", decision_function_shape="ovo")
    own.fit(np.round(scaled.numpy() * 1024) / 1024, truth)
    unseen = rng.normal(0, 1, (20, 88)).astype(np.float32)
    duels = own.decision_function(unseen).reshape(20, -1)
    if len(labels) == 2:
        duels = -duels
    margins = np.zeros((20, len(labels)))
    pairs = [(a, b) for a in range(len(labels)) for b in range(a + 1, len(labels))]
    for (first, second), duel in zip(pairs, duels.T, strict=True):
        margins[:, first] += duel / (len(labels) - 1)
        margins[:, second] -= duel / (len(labels) - 1)
    assert np.allclose(estimator.logits(torch.from_numpy(unseen)).numpy(), 4 * margins, atol=1e-3)


def test_the_golden_cry_is_not_at_the_edge_of_a_tree() -> None:
    """If a rounding error moves a cry over an edge, the next cry is taken."""

    class Step(torch.nn.Module):
        def __init__(self, edge: float) -> None:
            super().__init__()
            self.edge = edge

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            first = (features[:, :1, 0] > self.edge).float()
            return torch.cat((first, 1 - first), 1)

    front = FAMILIES["svm"].front
    first, second = (golden_wave(front.features.samples(92), seed) for seed in (7, 8))
    edge = float(front_end(first, front.features)[0, 0])
    assert np.array_equal(golden_pair(Step(edge), front, cries=5)[0], second)
    assert np.array_equal(golden_pair(Step(edge + 50), front, cries=5)[0], first)
    assert np.array_equal(golden_pair(Step(edge), front)[0], first)


def test_the_golden_wave_survives_the_file_exactly() -> None:
    """Including the sign of zeros, on which the count of zero crossings depends."""
    for seed in range(7, 12):
        wave = golden_wave(48000, seed)
        assert decode_golden(encode_golden(wave)).tobytes() == wave.tobytes()


def test_forest_stays_small_on_hard_data(tmp_path: Path) -> None:
    """Random labels make the largest trees possible."""
    labels = (*FIVE, "tired", "discomfort", "pain")
    estimator = fresh("random_forest", labels)
    rng = np.random.default_rng(0)
    estimator.fit(rng.normal(0, 1, (1500, 88)).astype(np.float32), np.arange(1500) % 8, None, seed=1)
    path = tmp_path / "forest.onnx"
    card = write_model(path, estimator, estimator.front, Calibration(), card_for(labels))
    assert path.stat().st_size < 10_000_000
    assert sum(card.golden["probabilities"]) == pytest.approx(1, abs=GOLDEN_TOLERANCE)
