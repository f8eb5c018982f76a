"""Methods from before deep learning: a window becomes a vector, and an SVM or trees classify it.

An `Estimator` is not trained step by step but fitted once, on vectors: statistics of the window, or the embedding of a
network trained before. Like a network it returns logits, so that calibration, evaluation and export treat both
the same.
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
"""3 s of cepstral coefficients and spectral statistics, see Davis and Mermelstein (1980) for the former."""
_ROWS = (*(f"mfcc {index}" for index in range(MFCC)), "spectral centroid", "spectral roll-off", "zero crossings", "rms")
_GRID, _FURTHEST = 1024.0, 4096.0
"""Vectors are fitted on multiples of 1 / 1024. The midpoint of two of them, where trees place their thresholds, is then
exact in single precision too, and the tree in the model file splits exactly as the fitted one."""
_FLOOR = 1e-5
"""Lowest probability: what no tree has seen is not impossible, and its logarithm stays finite."""


class Estimator(nn.Module):
    """(B, rows, frames) → (B, labels) logits, by way of a scaled vector. Not usable before `fit`.

    body: a frozen network, trained by the caller, whose embedding is the vector; None for the mean and standard
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
        """(B, rows, frames) → (B, D), not yet scaled."""
        if self.body is not None:
            self.body.eval()  # batch norms and dropout would make a vector depend on its neighbours
            return self.body.embed(features)
        middle = features.mean(dim=2)
        return torch.cat((middle, (features - middle[:, :, None]).square().mean(dim=2).sqrt()), dim=1)

    def describe_all(self, windows: npt.NDArray[np.floating[Any]], batch: int = 256) -> Vectors:
        """(N, rows, frames) in any precision → (N, D), the vectors for `fit`, computed in batches."""
        parts = (windows[index : index + batch].astype(np.float32) for index in range(0, len(windows), batch))
        return np.concatenate([self.describe(torch.from_numpy(part)).numpy() for part in parts])

    def fit(self, vectors: Vectors, labels: Labels, weights: Weights | None, seed: int) -> None:
        """Fit on vectors (N, D), label indices (N,) and sample weights (N,). All labels weigh the same, however rare.

        The same seed gives the same estimator. Raises DataError if a label has no vector.
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
        """(B, rows, frames) → (B, D), each value with mean 0 and standard deviation 1 over the fitted vectors."""
        return (self.describe(features) - self.centre) / self.spread

    def logits(self, scaled: Tensor) -> Tensor:
        """(B, D) → (B, labels)."""
        raise NotImplementedError

    def to_onnx(self) -> onnx.ModelProto:
        """Return the graph "features" (batch, rows, frames) → "logits" (batch, labels)."""
        raise NotImplementedError

    def importances(self) -> dict[str, float]:
        """Return the importance of each value of the vector by name, highest first, summing to one."""
        shares = np.maximum(self._importances(), 0.0)
        shares = shares / shares.sum() if shares.sum() > 0 else np.full(len(shares), 1 / len(shares))
        return {self.names[index]: float(shares[index]) for index in np.argsort(-shares, kind="stable")}

    def _fit(self, scaled: Vectors, labels: Labels, weights: Weights, seed: int) -> None:
        raise NotImplementedError

    def _importances(self) -> npt.NDArray[np.float64]:
        """(D,), not yet normalised."""
        raise NotImplementedError

    def _named(self, size: int) -> tuple[str, ...]:
        if self.body is not None:
            return tuple(f"embedding {index}" for index in range(size))
        rows = _ROWS if self.front.features.kind == "spectral" else [f"row {index}" for index in range(size // 2)]
        return tuple(f"{row} {statistic}" for statistic in ("mean", "deviation") for row in rows)

    def _example(self) -> Tensor:
        return torch.zeros(2, self.front.features.rows, self.front.window_frames)


def _balanced(labels: Labels, weights: Weights | None) -> Weights:
    """Scale sample weights, (N,), to a mean of one and to the same sum for every label."""
    weights = np.ones(len(labels)) if weights is None else np.asarray(weights, np.float64)
    sums = np.bincount(labels, weights)
    return weights * len(labels) / (np.count_nonzero(sums) * sums[labels])


class SupportVectorMachine(Estimator):
    """Support vector machine with a Gaussian kernel, one label against another; each label's margins are averaged.

    Cortes, C. and Vapnik, V. (1995), "Support-vector networks", Machine Learning 20. The average margin is smooth,
    where a count of won duels would jump. A fitted machine is two matrix products, so it is written in torch and
    exported as any network is. A test compares it with scikit-learn's own results.
    """

    support: Tensor
    coefficients: Tensor
    intercepts: Tensor
    _MOST_BYTES = 8_000_000
    """Of support vectors, which make up the model file. The cost of fitting is quadratic in their number."""
    _MOST = 12_000
    _COST = 4.0
    _GAIN = 4.0
    """Logits per margin: margins are about 1, and calibration's temperatures range from 0.5 to 10."""
    _SAMPLE = 128

    def __init__(self, labels: tuple[str, ...], front: Front, body: Network | None = None) -> None:
        super().__init__(labels, front, body)
        for name in ("support", "coefficients", "intercepts"):
            self.register_buffer(name, torch.zeros(0))
        self.width = 0.0

    def _fit(self, scaled: Vectors, labels: Labels, weights: Weights, seed: int) -> None:
        from sklearn.svm import SVC

        rng = np.random.default_rng(seed)
        subset = _few_of_each(labels, min(self._MOST, self._MOST_BYTES // (4 * scaled.shape[1])), rng)
        scaled, labels, weights = scaled[subset], labels[subset], weights[subset]
        self.width = float(1 / (scaled.shape[1] * max(float(scaled.var()), 1e-6)))
        machine = SVC(C=self._COST, gamma=self.width, cache_size=500, decision_function_shape="ovo")
        machine.fit(scaled, labels, _balanced(labels, weights))
        self.support = torch.from_numpy(machine.support_vectors_.astype(np.float32))
        coefficients, intercepts = _margins(machine, len(self.labels))
        self.coefficients = torch.from_numpy((self._GAIN * coefficients).astype(np.float32))
        self.intercepts = torch.from_numpy((self._GAIN * intercepts).astype(np.float32))
        sample = _few_of_each(labels, self._SAMPLE, rng)
        self._judged = torch.from_numpy(scaled[sample]), torch.from_numpy(labels[sample].astype(np.int64))
        self._seed = seed

    def logits(self, scaled: Tensor) -> Tensor:
        lengths = scaled.square().sum(1, keepdim=True) + self.support.square().sum(1)
        distances = (lengths - 2 * scaled @ self.support.T).clamp(min=0.0)
        return torch.exp(-self.width * distances) @ self.coefficients + self.intercepts

    def to_onnx(self) -> onnx.ModelProto:
        return graphs.trace(self, self._example(), "features", "logits")

    @torch.no_grad()
    def _importances(self) -> npt.NDArray[np.float64]:
        """The loss in log-probability of the true label when one value is shuffled among the fitted vectors.

        Breiman, L. (2001), "Random forests", Machine Learning 45.
        """
        vectors, truth = self._judged
        rng = np.random.default_rng(self._seed)
        unshuffled = nn.functional.cross_entropy(self.logits(vectors), truth)
        costs = []
        for column in range(vectors.shape[1]):
            shuffled = vectors.clone()
            shuffled[:, column] = vectors[rng.permutation(len(vectors)), column]
            costs.append(float(nn.functional.cross_entropy(self.logits(shuffled), truth) - unshuffled))
        return np.array(costs)


def _few_of_each(labels: Labels, most: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return at most `most` indices, ascending, taken from each label in turn, so that rare ones are kept entirely."""
    order = rng.permutation(len(labels))
    turn = np.empty(len(labels), np.intp)
    for label in np.unique(labels):
        mine = order[labels[order] == label]
        turn[mine] = np.arange(len(mine))
    return np.sort(order[np.argsort(turn[order], kind="stable")][:most])


def _margins(machine: Any, labels: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return each label's margin, averaged over duels: coefficients (support vectors, labels), intercepts (labels,).

    For a support vector of label i, scikit-learn stores the coefficient against label j in row j - 1 if j > i, else in
    row j. A positive margin is in favour of label i; with only two labels, of the second.
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
    """An estimator of scikit-learn's interface that predicts probabilities with trees."""

    model: Any

    def new(self, seed: int) -> Any:
        """Return a new estimator that is not fitted yet."""
        raise NotImplementedError

    def converted(self) -> onnx.ModelProto:
        """Convert the fitted estimator to a graph "vectors" (batch, D) → "probabilities" (batch, labels)."""
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
        probabilities = self.model.predict_proba(scaled.cpu().numpy()).astype(np.float32)
        return _logarithm(torch.from_numpy(probabilities).to(scaled.device))

    def to_onnx(self) -> onnx.ModelProto:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the converters warn about each other's versions
            trees = graphs.with_single_output(self.converted(), "probabilities")
        before = graphs.trace(_Scaled(self), self._example(), "features", "scaled")
        after = graphs.trace(_Logarithm(), torch.full((2, len(self.labels)), 0.5), "probabilities", "logits")
        return graphs.chain(before, trees, after)

    def _importances(self) -> npt.NDArray[np.float64]:
        return np.asarray(self.model.feature_importances_, np.float64)


class _Scaled(nn.Module):
    """The part of an estimator that is written in torch: "features" → "scaled"."""

    def __init__(self, estimator: Estimator) -> None:
        super().__init__()
        self.estimator = estimator

    def forward(self, features: Tensor) -> Tensor:
        return self.estimator.scaled(features)


class _Logarithm(nn.Module):
    """Probabilities (B, labels) → logits, whose softmax returns the probabilities."""

    def forward(self, probabilities: Tensor) -> Tensor:
        return _logarithm(probabilities)


def _logarithm(probabilities: Tensor) -> Tensor:
    return probabilities.clamp(min=_FLOOR).log()


class Forest(TreeEstimator):
    """Random forest: Breiman, L. (2001), "Random forests", Machine Learning 45. Importance is impurity."""

    def new(self, seed: int) -> Any:
        from sklearn.ensemble import RandomForestClassifier

        # A leaf takes 35 bytes in the file, and 15 more for each label. A fully grown forest would take a hundred
        # megabytes; with these limits, eight labels take 6 MB.
        return RandomForestClassifier(
            128, max_leaf_nodes=256, min_samples_leaf=2, n_jobs=torch.get_num_threads(), random_state=seed
        )


class GradientBoosting(TreeEstimator):
    """Stochastic gradient boosting: Friedman, J. (2002), Computational Statistics & Data Analysis 38.

    Importance is impurity. This is scikit-learn's older implementation; no converter writes the histogram-based one
    exactly. With half of the vectors and few of their values per tree it is as fast, and better. The number of trees is
    fixed, because early stopping would be judged on windows of the very recordings that were fitted.
    """

    def new(self, seed: int) -> Any:
        from sklearn.ensemble import GradientBoostingClassifier

        return GradientBoostingClassifier(
            n_estimators=200, learning_rate=0.1, max_depth=4, subsample=0.5, max_features="sqrt",
            min_samples_leaf=4, random_state=seed,
        )  # fmt: skip


class XGBoost(TreeEstimator):
    """Regularised boosting on histograms: Chen, T. and Guestrin, C. (2016), "XGBoost", KDD. Importance is gain."""

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

        types = [("vectors", FloatTensorType([None, len(self.names)]))]
        # The converter supports opsets up to 15.
        graph: onnx.ModelProto = convert_xgboost(self.model, initial_types=types, target_opset=15)
        return graph


BODY = resnet.resnet18.__name__
"""The family whose embedding `svm_embeddings` and `xgboost_embeddings` use."""
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
