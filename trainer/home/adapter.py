"""What a home teaches a model: a thin linear layer behind its probabilities, with the network itself left as it is.

The network's embedding e (the input of its last linear layer) shifts what the model said before: whether the child is
crying, ``logit P(crying) + e·u``, and the labels within crying and within everything else, ``softmax(log p + W·e)``.
The three are kept apart, so that teaching a model why a child cries cannot change whether anybody is woken. With all
weights zero it is the model as it was. Fitting the layer is a convex problem (see `trainer.home.adapter_fit`).

In the file its nodes and weights are named ``taught/…``. Removing them gives back the model that was taught.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from babymonitor.core.labels import sides_of
from babymonitor.core.model.classifier import Classifier, ModelCard, decode_golden
from babymonitor.core.model.features import fit_frames, front_end
from trainer.errors import DataError
from trainer.model_file.graph_surgery import head_inputs
from trainer.model_file.sealed_file import write_sealed

Floats = npt.NDArray[np.float32]
Item = TypeVar("Item")
Result = TypeVar("Result")

PREFIX = "taught/"
LOWEST_PROBABILITY = 1e-7
"""Smaller probabilities are raised to this, since zero has no logarithm."""
LARGEST_SHIFT = 8.0
"""In log-odds: how far any sound, however unlike the taught ones, can be shifted."""
# The name is part of the file format: taught models are recognised and untaught by it.
_BASE_OUTPUT = f"{PREFIX}given"


@dataclass(frozen=True, slots=True)
class Adapter:
    """The layer's weights.

    weights (E, labels + 1), offset (labels + 1,): how far an embedding shifts each label within its side, and in the
    last column the log-odds of crying (zero for labels that have no two sides, see `core.labels.sides_of`).
    """

    labels: tuple[str, ...]
    weights: Floats
    offset: Floats

    @classmethod
    def untaught(cls, labels: tuple[str, ...], embedding_size: int) -> Adapter:
        """An adapter that changes nothing."""
        columns = len(labels) + 1
        return cls(labels, np.zeros((embedding_size, columns), np.float32), np.zeros(columns, np.float32))

    def __call__(self, probabilities: Floats, embeddings: Floats) -> Floats:
        """Old probabilities (N, labels) and embeddings (N, E) → new probabilities (N, labels)."""
        shifts = np.clip(embeddings @ self.weights + self.offset, -LARGEST_SHIFT, LARGEST_SHIFT)
        return shifted_probabilities(self.labels, probabilities, shifts)


def shifted_probabilities(labels: Sequence[str], probabilities: Floats, shifts: npt.NDArray[Any]) -> Floats:
    """Probabilities (N, labels) shifted by (N, labels + 1), columns as in `Adapter`."""
    logits = np.log(np.maximum(probabilities, LOWEST_PROBABILITY)) + shifts[:, :-1]
    sides = sides_of(labels)
    shifted = np.zeros(probabilities.shape, np.float64)
    for side in sides:
        exponentials = np.exp(logits[:, side] - logits[:, side].max(1, keepdims=True))
        shifted[:, side] = exponentials / exponentials.sum(1, keepdims=True)
    if len(sides) == 2:
        crying = 1 / (1 + np.exp(-(crying_logit(labels, probabilities) + shifts[:, -1])))
        shifted[:, sides[0]] *= crying[:, None]
        shifted[:, sides[1]] *= 1 - crying[:, None]
    return shifted.astype(np.float32)


def crying_logit(labels: Sequence[str], probabilities: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Probabilities (N, labels) → (N,) log-odds of crying."""
    crying, others = sides_of(labels)
    shares = np.maximum(np.asarray(probabilities, np.float64), LOWEST_PROBABILITY)
    return np.asarray(np.log(shares[:, crying].sum(1)) - np.log(shares[:, others].sum(1)))


class BaseModel:
    """The network of a model file without anything it was taught at home: its answers to windows, and embeddings.

    card, sha256: of the model that was taught, where the file is a taught one. Raises ModelError for a file that the
    app would refuse, DataError for a model without a linear layer that an adapter could be put behind.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        classifier = Classifier(path)
        data = path.read_bytes()
        model = onnx.load_from_string(data)
        taught = classifier.card.training.get("taught")
        self.was_taught = isinstance(taught, dict)
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.card: ModelCard = classifier.card
        if isinstance(taught, dict):
            _remove_adapter(model)
            self.sha256 = str(taught["base_sha256"])
            training = {name: value for name, value in classifier.card.training.items() if name != "taught"}
            metrics = classifier.card.metrics.get("before_teaching", {})
            self.card = replace(classifier.card, name=str(taught["base_name"]), training=training, metrics=metrics)
        self.model = model
        self.inputs = list(head_inputs(model, len(self.card.labels)))
        if not self.inputs:
            raise DataError(
                f"{path.name} has no linear layer to teach it by (family {self.card.family}): train a model of another "
                "family, or this one anew with your clips."
            )
        self._session = _session(model, self.inputs)

    def __call__(self, windows: Floats) -> tuple[Floats, Floats, Floats]:
        """Windows (N, rows, window_frames) → probabilities (N, labels), embeddings (N, E), log-odds of the other sounds
        that the model names (N, sounds). Safe to call from threads.

        Windows are run one at a time, as the monitor runs them: a batch may round differently, and is no faster.
        """
        probabilities, embeddings, sounds = [], [], []
        names = ["probabilities", *self.inputs, *(["sounds"] if self.card.sounds else [])]
        for window in windows:
            row, *others = self._session.run(names, {"features": np.ascontiguousarray(window[None])})
            probabilities.append(row)
            embeddings.append(np.concatenate(others[: len(self.inputs)], axis=1))
            sounds.append(others[-1] if self.card.sounds else np.zeros((1, 0), np.float32))
        return np.concatenate(probabilities), np.concatenate(embeddings), np.concatenate(sounds)

    def write(
        self, output: Path, adapter: Adapter, details: dict[str, Any], reasons: dict[str, Any] | None = None
    ) -> ModelCard:
        """Write the model with an adapter of its full embeddings, in one piece; returns its card.

        details: what the card's ``taught`` says beside the base model, such as counts of clips. reasons: how well the
        taught model tells the home's crying labels apart, where that was measured; it decides whether a model may name
        them that could not before (see `ModelCard.tells_reasons`).
        """
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        _add_adapter(model, adapter, self.inputs)
        wave = decode_golden(self.card.golden["wave"])
        window = fit_frames(front_end(wave, self.card.features), self.card.window_frames)
        probabilities, embeddings, _ = self(window[None])
        golden = adapter(probabilities, embeddings)[0]
        card = replace(
            self.card,
            name=f"{self.card.name}, taught",
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            training={
                **self.card.training,
                "taught": {
                    "base_sha256": self.sha256,
                    "base_name": self.card.name,
                    "thresholds_and_operating_curve": "of the model before it was taught",
                    **details,
                },
            },
            metrics=self._metrics(reasons),
            golden={**self.card.golden, "probabilities": golden.tolist()},
        )
        write_sealed(output, model, card)
        return card

    def _metrics(self, reasons: dict[str, Any] | None) -> dict[str, Any]:
        """The base model's figures under a name that says so. The taught model's are in its comparison."""
        before = self.card.metrics
        metrics = {"before_teaching": before} if before else {}
        if "reasons" in before:
            metrics["reasons"] = before["reasons"] if reasons is None or self.card.tells_reasons else reasons
        return metrics


def in_threads(work: Callable[[Item], Result], items: Sequence[Item], threads: int) -> Iterator[Result]:
    """Yield the results of `work` for each item, in order, as they become available."""
    if threads < 2:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(work, items)


def _session(model: onnx.ModelProto, inputs: Sequence[str]) -> Any:
    """The graph with the inputs of its linear heads as outputs, beside the probabilities."""
    import onnxruntime

    extended = onnx.ModelProto()
    extended.CopyFrom(model)
    extended.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in inputs)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(extended.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _rename_tensor(model: onnx.ModelProto, before: str, after: str) -> None:
    for node in model.graph.node:
        node.output[:] = [after if name == before else name for name in node.output]
        node.input[:] = [after if name == before else name for name in node.input]


def _add_adapter(model: onnx.ModelProto, adapter: Adapter, inputs: Sequence[str]) -> None:
    """Put the adapter's nodes behind the graph's output, which keeps its name."""
    _rename_tensor(model, "probabilities", _BASE_OUTPUT)
    nodes: list[onnx.NodeProto] = []
    # The names of nodes and weights are part of the file format.
    weights: dict[str, npt.NDArray[Any]] = {
        "weight": adapter.weights.astype(np.float32),
        "offset": adapter.offset.astype(np.float32),
        "faintest": np.array(LOWEST_PROBABILITY, np.float32),
        "lowest": np.array(-LARGEST_SHIFT, np.float32),
        "highest": np.array(LARGEST_SHIFT, np.float32),
        "labels": np.arange(len(adapter.labels)),
        "crying": np.array([len(adapter.labels)]),
    }
    added: set[str] = set()

    def node(kind: str, node_inputs: Sequence[str], name: str, **attributes: Any) -> str:
        node_inputs = [PREFIX + tensor if tensor in weights or tensor in added else tensor for tensor in node_inputs]
        output = "probabilities" if name == "probabilities" else PREFIX + name
        nodes.append(helper.make_node(kind, node_inputs, [output], name=PREFIX + name, **attributes))
        added.add(name)
        return name

    embedding = node("Concat", inputs, "embedding", axis=1) if len(inputs) > 1 else inputs[0]
    node("Gemm", [embedding, "weight", "offset"], "free")
    node("Clip", ["free", "lowest", "highest"], "moved")
    node("Clip", [_BASE_OUTPUT, "faintest"], "shares")
    node("Log", ["shares"], "logs")
    node("Gather", ["moved", "labels"], "moved_labels", axis=1)
    node("Add", ["logs", "moved_labels"], "raised")
    sides = sides_of(adapter.labels)
    if len(sides) == 1:
        node("Softmax", ["raised"], "probabilities", axis=1)
    else:
        for number, side in enumerate(sides):
            weights[f"side_{number}"] = np.array(side)
            node("Gather", ["raised", f"side_{number}"], f"raised_{number}", axis=1)
            node("Softmax", [f"raised_{number}"], f"within_{number}", axis=1)
            node("Gather", ["logs", f"side_{number}"], f"logs_{number}", axis=1)
            node("ReduceLogSumExp", [f"logs_{number}"], f"total_{number}", axes=[1], keepdims=1)
        node("Sub", ["total_0", "total_1"], "evidence")
        node("Gather", ["moved", "crying"], "moved_evidence", axis=1)
        node("Add", ["evidence", "moved_evidence"], "new_evidence")
        node("Sigmoid", ["new_evidence"], "share_0")
        node("Neg", ["new_evidence"], "against")
        node("Sigmoid", ["against"], "share_1")
        for number in (0, 1):
            node("Mul", [f"within_{number}", f"share_{number}"], f"answer_{number}")
        node("Concat", ["answer_0", "answer_1"], "answer", axis=1)
        weights["order"] = np.argsort(np.concatenate(sides))
        node("Gather", ["answer", "order"], "probabilities", axis=1)
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(values), PREFIX + name) for name, values in weights.items()
    )
    onnx.checker.check_model(model)


def _remove_adapter(model: onnx.ModelProto) -> None:
    nodes = [node for node in model.graph.node if not node.name.startswith(PREFIX)]
    weights = [tensor for tensor in model.graph.initializer if not tensor.name.startswith(PREFIX)]
    del model.graph.node[:]
    del model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(weights)
    _rename_tensor(model, _BASE_OUTPUT, "probabilities")
