"""What was done before networks: a window becomes a few numbers, and a machine or trees tell them apart.

An `Estimator` is not trained step by step but fitted, once, on vectors. Those come from the window's statistics or from
the embedding of a network trained before. What it answers are logits like any network's, so that calibration,
evaluation and export need not know the difference.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from babymonitor.core.model.features import MFCC, FeatureSpec
from trainer.errors import DataError
from trainer.networks import graphs, resnet
from trainer.networks.network import Network
from trainer.networks.registry import FAMILIES, Front, family

if TYPE_CHECKING:
    import onnx

Vectors = npt.NDArray[np.float32]
Labels = npt.NDArray[np.integer[Any]]
Weights = npt.NDArray[np.floating[Any]]

STATISTICS = Front(
    FeatureSpec(kind="spectral", n_fft=1024, hop_length=512, n_mels=128, fmin_hz=50.0, fmax_hz=8000.0),
    window_frames=92,
    hop_frames=8,
)
"""3 s of cepstral coefficients and spectral statistics."""
_ROWS = (*(f"mfcc {at}" for at in range(MFCC)), "spectral centroid", "spectral roll-off", "zero crossings", "rms")
_GRID, _FURTHEST = 1024.0, 4096.0
"""Vectors are fitted on multiples of 1 / 1024, so that what lies midway between two of them, which is where trees put
their thresholds, is a number of single precision too: the tree in the file then parts exactly as the fitted one."""
_FLOOR = 1e-5
"""Least probability: what no tree has seen is not impossible, and its logarithm is finite."""


class Estimator(nn.Module):
    """(B, rows, frames) → (B, labels) logits by way of a scaled vector; useless until `fit`.

    body: a network whose embedding is the vector (trained by the caller, here frozen), or None for mean and standard
    deviation of each row over the window.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, labels: tuple[str, ...], front: Front, body: Network | None = None) -> None:
        super().__init__()
        self.labels, self.front, self.body = labels, front, body
        self.names: tuple[str, ...] = ()
        self.register_buffer("centre", torch.zeros(0))
        self.register_buffer("spread", torch.ones(0))

    @torch.no_grad()
    def describe(self, features: Tensor) -> Tensor:
        """(B, rows, frames) → (B, D), not scaled yet."""
        if self.body is not None:
            self.body.eval()  # batch norms and dropout would make a vector depend on its neighbours
            return self.body.embed(features)
        middle = features.mean(dim=2)
        return torch.cat((middle, (features - middle[:, :, None]).square().mean(dim=2).sqrt()), dim=1)

    def describe_all(self, windows: npt.NDArray[np.floating[Any]], batch: int = 256) -> Vectors:
        """(N, rows, frames) in any precision → (N, D): what `fit` takes, a batch at a time."""
        parts = (windows[at : at + batch].astype(np.float32) for at in range(0, len(windows), batch))
        return np.concatenate([self.describe(torch.from_numpy(part)).numpy() for part in parts])

    def fit(self, vectors: Vectors, labels: Labels, weights: Weights | None, seed: int) -> None:
        """Fit on vectors (N, D), label indices (N,) and what each counts (N,); labels count alike, however rare.

        The same seed gives the same estimator. DataError where a label has nothing to fit on.
        """
        counts = np.bincount(labels, minlength=len(self.labels))
        lacking = [name for name, count in zip(self.labels, counts, strict=True) if not count]
        if lacking:
            raise DataError(f"There is nothing to fit on for {', '.join(lacking)}.")
        self.names = self._named(vectors.shape[1])
        spread = vectors.std(axis=0, dtype=np.float64)
        self.centre = torch.from_numpy(vectors.mean(axis=0, dtype=np.float64).astype(np.float32))
        self.spread = torch.from_numpy(np.where(spread > 1e-6, spread, 1.0).astype(np.float32))
        scaled = (torch.from_numpy(vectors) - self.centre) / self.spread
        fitted = np.round(np.clip(scaled.numpy(), -_FURTHEST, _FURTHEST) * _GRID) / np.float32(_GRID)
        self._fit(fitted, labels, _balanced(labels, weights), seed)

    def forward(self, features: Tensor) -> Tensor:
        return self.logits(self.scaled(features))

    def scaled(self, features: Tensor) -> Tensor:
        """(B, rows, frames) → (B, D), each value of mean zero and deviation one over what was fitted on."""
        return (self.describe(features) - self.centre) / self.spread

    def logits(self, scaled: Tensor) -> Tensor:
        """(B, D) → (B, labels)."""
        raise NotImplementedError

    def to_onnx(self) -> onnx.ModelProto:
        """The graph "features" (batch, rows, frames) → "logits" (batch, labels)."""
        raise NotImplementedError

    def importances(self) -> dict[str, float]:
        """How much each value of the vector counts, by name, most important first; together one."""
        shares = np.maximum(self._importances(), 0.0)
        shares = shares / shares.sum() if shares.sum() > 0 else np.full(len(shares), 1 / len(shares))
        return {self.names[at]: float(shares[at]) for at in np.argsort(-shares, kind="stable")}

    def _fit(self, scaled: Vectors, labels: Labels, weights: Weights, seed: int) -> None:
        raise NotImplementedError

    def _importances(self) -> npt.NDArray[np.float64]:
        """(D,), to be divided by their sum."""
        raise NotImplementedError

    def _named(self, size: int) -> tuple[str, ...]:
        if self.body is not None:
            return tuple(f"embedding {at}" for at in range(size))
        rows = _ROWS if self.front.features.kind == "spectral" else [f"row {at}" for at in range(size // 2)]
        return tuple(f"{row} {what}" for what in ("mean", "deviation") for row in rows)

    def _example(self) -> Tensor:
        return torch.zeros(2, self.front.features.rows, self.front.window_frames)


def _balanced(labels: Labels, weights: Weights | None) -> Weights:
    """(N,) weights of mean one, of which every label has the same sum."""
    given = np.ones(len(labels)) if weights is None else np.asarray(weights, np.float64)
    sums = np.bincount(labels, given)
    return given * len(labels) / (np.count_nonzero(sums) * sums[labels])


class SupportVectorMachine(Estimator):
    """Support vector machine with a Gaussian kernel, one label against another, each label's margins averaged.

    The average margin is smooth where a count of won duels would jump. Once fitted it is two products of matrices, so
    it is written in torch and exported as any network is; a test holds it against scikit-learn's own answer.
    """

    support: Tensor
    coefficients: Tensor
    intercepts: Tensor
    _MOST_BYTES = 8_000_000
    """Of support vectors: they are the model file. Fitting, too, takes the square of their number."""
    _MOST = 12_000
    _COST = 4.0
    _GAIN = 4.0
    """Logits to a margin: margins are about one, and calibration's temperatures span 0.5 to 10."""
    _SAMPLE = 128

    def __init__(self, labels: tuple[str, ...], front: Front, body: Network | None = None) -> None:
        super().__init__(labels, front, body)
        for name in ("support", "coefficients", "intercepts"):
            self.register_buffer(name, torch.zeros(0))
        self.width = 0.0

    def _fit(self, scaled: Vectors, labels: Labels, weights: Weights, seed: int) -> None:
        from sklearn.svm import SVC

        rng = np.random.default_rng(seed)
        few = _few_of_each(labels, min(self._MOST, self._MOST_BYTES // (4 * scaled.shape[1])), rng)
        scaled, labels, weights = scaled[few], labels[few], weights[few]
        self.width = float(1 / (scaled.shape[1] * max(float(scaled.var()), 1e-6)))
        machine = SVC(C=self._COST, gamma=self.width, cache_size=500, decision_function_shape="ovo")
        machine.fit(scaled, labels, _balanced(labels, weights))
        self.support = torch.from_numpy(machine.support_vectors_.astype(np.float32))
        coefficients, intercepts = _margins(machine, len(self.labels))
        self.coefficients = torch.from_numpy((self._GAIN * coefficients).astype(np.float32))
        self.intercepts = torch.from_numpy((self._GAIN * intercepts).astype(np.float32))
        judged = _few_of_each(labels, self._SAMPLE, rng)
        self._judged = torch.from_numpy(scaled[judged]), torch.from_numpy(labels[judged].astype(np.int64))
        self._seed = seed

    def logits(self, scaled: Tensor) -> Tensor:
        lengths = scaled.square().sum(1, keepdim=True) + self.support.square().sum(1)
        distances = (lengths - 2 * scaled @ self.support.T).clamp(min=0.0)
        return torch.exp(-self.width * distances) @ self.coefficients + self.intercepts

    def to_onnx(self) -> onnx.ModelProto:
        return graphs.traced(self, self._example(), "features", "logits")

    @torch.no_grad()
    def _importances(self) -> npt.NDArray[np.float64]:
        """What shuffling one value among vectors fitted on costs in log-probability of the truth."""
        vectors, truth = self._judged
        rng = np.random.default_rng(self._seed)
        whole = nn.functional.cross_entropy(self.logits(vectors), truth)
        costs = []
        for column in range(vectors.shape[1]):
            shuffled = vectors.clone()
            shuffled[:, column] = vectors[rng.permutation(len(vectors)), column]
            costs.append(float(nn.functional.cross_entropy(self.logits(shuffled), truth) - whole))
        return np.array(costs)


def _few_of_each(labels: Labels, most: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """At most `most` indices, drawn in turn from every label, so that the rare ones stay whole; ascending."""
    order = rng.permutation(len(labels))
    turn = np.empty(len(labels), np.intp)
    for label in np.unique(labels):
        mine = order[labels[order] == label]
        turn[mine] = np.arange(len(mine))
    return np.sort(order[np.argsort(turn[order], kind="stable")][:most])


def _margins(machine: Any, labels: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """→ (support vectors, labels) coefficients and (labels,) intercepts of each label's margin, averaged over duels.

    scikit-learn keeps, of a support vector of label i, the coefficient against label j in row j - 1 where j > i, else
    in row j; a positive margin is label i's, except that with two labels it is the second one's.
    """
    ends = np.cumsum(machine.n_support_)
    coefficients = np.zeros((len(machine.support_), labels))
    intercepts = np.zeros(labels)
    sign = -1.0 if labels == 2 else 1.0
    duels = [(first, second) for first in range(labels) for second in range(first + 1, labels)]
    for (first, second), intercept in zip(duels, machine.intercept_, strict=True):
        duel = np.zeros(len(machine.support_))
        for label, row in ((first, second - 1), (second, first)):
            mine = slice(ends[label] - machine.n_support_[label], ends[label])
            duel[mine] = machine.dual_coef_[row, mine]
        for label, side in ((first, sign), (second, -sign)):
            coefficients[:, label] += side * duel
            intercepts[label] += side * intercept
    return coefficients / (labels - 1), intercepts / (labels - 1)


class TreeEstimator(Estimator):
    """Anything of scikit-learn's kind that tells probabilities from vectors by trees."""

    model: Any

    def new(self, seed: int) -> Any:
        """The estimator before it is fitted."""
        raise NotImplementedError

    def converted(self) -> onnx.ModelProto:
        """The fitted estimator as its converter writes it: "vectors" (batch, D) → "probabilities" (batch, labels)."""
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType

        graph: onnx.ModelProto = convert_sklearn(
            self.model,
            initial_types=[("vectors", FloatTensorType([None, len(self.names)]))],
            options={"zipmap": False},
            target_opset={"": graphs.OPSET, "ai.onnx.ml": graphs.OPSET_ML},
        )
        return graph

    def _fit(self, scaled: Vectors, labels: Labels, weights: Weights, seed: int) -> None:
        self.model = self.new(seed).fit(scaled, labels, sample_weight=weights)

    def logits(self, scaled: Tensor) -> Tensor:
        answer = self.model.predict_proba(scaled.cpu().numpy()).astype(np.float32)
        return _logarithm(torch.from_numpy(answer).to(scaled.device))

    def to_onnx(self) -> onnx.ModelProto:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the converters', of each other's versions
            trees = graphs.only(self.converted(), "probabilities")
        before = graphs.traced(_Scaled(self), self._example(), "features", "scaled")
        after = graphs.traced(_Logarithm(), torch.full((2, len(self.labels)), 0.5), "probabilities", "logits")
        return graphs.chained(before, trees, after)

    def _importances(self) -> npt.NDArray[np.float64]:
        return np.asarray(self.model.feature_importances_, np.float64)


class _Scaled(nn.Module):
    """What of an estimator is torch's."""

    def __init__(self, estimator: Estimator) -> None:
        super().__init__()
        self.estimator = estimator

    def forward(self, features: Tensor) -> Tensor:
        return self.estimator.scaled(features)


class _Logarithm(nn.Module):
    """Probabilities (B, labels) → logits: a softmax of them gives the probabilities back."""

    def forward(self, probabilities: Tensor) -> Tensor:
        return _logarithm(probabilities)


def _logarithm(probabilities: Tensor) -> Tensor:
    return probabilities.clamp(min=_FLOOR).log()


class Forest(TreeEstimator):
    """Random forest: Breiman, L. (2001), SupportVectorMachine Learning 45. Importance is impurity."""

    def new(self, seed: int) -> Any:
        from sklearn.ensemble import RandomForestClassifier

        # A leaf costs 35 bytes in the file and 15 for each label: grown to the end, the forest would be a hundred
        # megabytes. These bounds keep eight labels at 6 MB.
        return RandomForestClassifier(
            128, max_leaf_nodes=256, min_samples_leaf=2, n_jobs=torch.get_num_threads(), random_state=seed
        )


class GradientBoosting(TreeEstimator):
    """Stochastic gradient boosting: Friedman, J. (2002), Computational Statistics 38. Importance is impurity.

    scikit-learn's older kind, not the one on histograms, which no converter writes exactly. Half of the vectors and a
    few of their values for each tree make it as quick, and better. The number of trees is fixed: stopping early would
    judge by windows of recordings that were fitted on.
    """

    def new(self, seed: int) -> Any:
        from sklearn.ensemble import GradientBoostingClassifier

        return GradientBoostingClassifier(
            n_estimators=200, learning_rate=0.1, max_depth=4, subsample=0.5, max_features="sqrt",
            min_samples_leaf=4, random_state=seed,
        )  # fmt: skip


class XGBoost(TreeEstimator):
    """Regularised boosting on histograms: Chen, T. and Guestrin, C. (2016), KDD. Importance is gain."""

    def new(self, seed: int) -> Any:
        from xgboost import XGBClassifier

        return XGBClassifier(
            n_estimators=200, learning_rate=0.1, max_depth=4, subsample=0.7, colsample_bytree=0.5, min_child_weight=2,
            base_score=0.5, tree_method="hist", importance_type="total_gain",
            n_jobs=torch.get_num_threads(), random_state=seed,
        )  # fmt: skip

    def converted(self) -> onnx.ModelProto:
        from onnxmltools import convert_xgboost
        from onnxmltools.convert.common.data_types import FloatTensorType

        kinds = [("vectors", FloatTensorType([None, len(self.names)]))]
        # 15 is the newest that it knows.
        graph: onnx.ModelProto = convert_xgboost(self.model, initial_types=kinds, target_opset=15)
        return graph


BODY = resnet.resnet18.__name__
"""The family whose embedding is used."""
_EMBEDDED = FAMILIES[BODY]


def _body(labels: tuple[str, ...], front: Front) -> Network:
    body = _EMBEDDED.build(labels, front)
    assert isinstance(body, Network)
    return body


@family(STATISTICS, needs="scikit-learn")
def svm(labels: tuple[str, ...], front: Front) -> nn.Module:
    """Support vector machine on mean and deviation of 44 spectral quantities over 3 s."""
    return SupportVectorMachine(labels, front)


@family(STATISTICS, needs="scikit-learn, skl2onnx")
def random_forest(labels: tuple[str, ...], front: Front) -> nn.Module:
    """Random forest on mean and deviation of 44 spectral quantities over 3 s."""
    return Forest(labels, front)


@family(STATISTICS, needs="scikit-learn, skl2onnx")
def gradient_boosting(labels: tuple[str, ...], front: Front) -> nn.Module:
    """Gradient-boosted trees on mean and deviation of 44 spectral quantities over 3 s."""
    return GradientBoosting(labels, front)


@family(STATISTICS, needs="xgboost, onnxmltools")
def xgboost(labels: tuple[str, ...], front: Front) -> nn.Module:
    """XGBoost on mean and deviation of 44 spectral quantities over 3 s."""
    return XGBoost(labels, front)


@family(_EMBEDDED.front, needs=f"scikit-learn, {_EMBEDDED.needs}", recipe=_EMBEDDED.recipe)
def svm_embeddings(labels: tuple[str, ...], front: Front) -> nn.Module:
    """Support vector machine on the embedding of a ResNet-18 that is trained first."""
    return SupportVectorMachine(labels, front, _body(labels, front))


@family(_EMBEDDED.front, needs=f"xgboost, onnxmltools, {_EMBEDDED.needs}", recipe=_EMBEDDED.recipe)
def xgboost_embeddings(labels: tuple[str, ...], front: Front) -> nn.Module:
    """XGBoost on the embedding of a ResNet-18 that is trained first."""
    return XGBoost(labels, front, _body(labels, front))
