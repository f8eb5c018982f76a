"""What a model is taught at home: a thin linear layer behind its answer, with the network itself left as it is.

The network's embedding e (what its last linear layer is given) moves the answer it had: whether it cries,
``logit P(crying) + e·u``, and within the crying labels, and within the others, ``softmax(log p + W·e)``. The three are
kept apart, so that to be taught why a child cries cannot change whether anybody is woken. All zero, it is the model as
it was. Fitting it is a convex problem (see `trainer.home.adapter_fit`).

In the file its nodes and weights are called ``taught/…``: taken off, the model it was made of is there again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
PREFIX = "taught/"
FAINTEST = 1e-7
"""No probability is taken for less: of nothing there is no logarithm."""
FURTHEST = 8.0
"""In log-odds: how far any sound, however strange to what was taught, can be moved."""
_GIVEN = f"{PREFIX}given"
_BATCH = 8


@dataclass(frozen=True, slots=True)
class Adapter:
    """weights (E, labels + 1), offset (labels + 1,): how far an embedding moves each label within its side, and, last,
    the log-odds of crying (zero for labels that have no two sides).
    """

    labels: tuple[str, ...]
    weights: Floats
    offset: Floats

    @classmethod
    def untaught(cls, labels: tuple[str, ...], embedding: int) -> Adapter:
        columns = len(labels) + 1
        return cls(labels, np.zeros((embedding, columns), np.float32), np.zeros(columns, np.float32))

    def __call__(self, given: Floats, embeddings: Floats) -> Floats:
        """Old answers (N, labels) and embeddings (N, E) → new answers (N, labels)."""
        moved = np.clip(embeddings @ self.weights + self.offset, -FURTHEST, FURTHEST)
        return moved_answers(self.labels, given, moved)


def moved_answers(labels: Sequence[str], given: Floats, moved: npt.NDArray[Any]) -> Floats:
    """Answers (N, labels), moved by (N, labels + 1), as `Adapter` says."""
    logs = np.log(np.maximum(given, FAINTEST)) + moved[:, :-1]
    sides = sides_of(labels)
    answer = np.zeros(given.shape, np.float64)
    for side in sides:
        raised = np.exp(logs[:, side] - logs[:, side].max(1, keepdims=True))
        answer[:, side] = raised / raised.sum(1, keepdims=True)
    if len(sides) == 2:
        cries = 1 / (1 + np.exp(-(evidence(labels, given) + moved[:, -1])))
        answer[:, sides[0]] *= cries[:, None]
        answer[:, sides[1]] *= 1 - cries[:, None]
    return answer.astype(np.float32)


def evidence(labels: Sequence[str], given: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """(N, labels) answers → (N,) log-odds of crying."""
    crying, others = sides_of(labels)
    shares = np.maximum(np.asarray(given, np.float64), FAINTEST)
    return np.asarray(np.log(shares[:, crying].sum(1)) - np.log(shares[:, others].sum(1)))


class Body:
    """The network of a model file, without what it was taught: windows in, its answers and embeddings out.

    DataError for a model that has no linear layer to be taught behind.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        classifier = Classifier(path)  # refuses what the app would refuse
        data = path.read_bytes()
        model = onnx.load_from_string(data)
        taught = classifier.card.training.get("taught")
        self.was_taught = isinstance(taught, dict)
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.card: ModelCard = classifier.card
        if isinstance(taught, dict):
            _take_off(model)
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

    def __call__(self, mels: Floats) -> tuple[Floats, Floats]:
        """(N, rows, window_frames) → answers (N, labels), embeddings (N, E). Safe to call from several threads."""
        parts = []
        for first in range(0, len(mels), _BATCH):
            given, *embeddings = self._session.run(
                ["probabilities", *self.inputs], {"features": np.ascontiguousarray(mels[first : first + _BATCH])}
            )
            parts.append((given, np.concatenate(embeddings, axis=1)))
        answers, embedded = (np.concatenate(column) for column in zip(*parts, strict=True))
        return answers, embedded

    def write(self, output: Path, adapter: Adapter, told: dict[str, Any]) -> ModelCard:
        """Write the model with what it was taught (temporary, then replace). told: of the card's ``taught``."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        _put_on(model, adapter, self.inputs)
        wave = decode_golden(self.card.golden["wave"])
        mel = fit_frames(front_end(wave, self.card.features), self.card.window_frames)
        answer = adapter(*self(mel[None]))[0]
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
                    **told,
                },
            },
            # They were measured before; of the taught model its comparison tells.
            metrics={"before_teaching": self.card.metrics} if self.card.metrics else {},
            golden={**self.card.golden, "probabilities": answer.tolist()},
        )
        write_sealed(output, model, card)
        return card


def in_threads(work: Any, items: Sequence[Any], threads: int) -> Any:
    """The results of `work` of each item, in order, as they come."""
    if threads < 2:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(work, items)


def _session(model: onnx.ModelProto, inputs: Sequence[str]) -> Any:
    """The graph with its heads' inputs as outputs beside the answer."""
    import onnxruntime

    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    shown.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in inputs)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(shown.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _rename(model: onnx.ModelProto, before: str, after: str) -> None:
    for node in model.graph.node:
        node.output[:] = [after if name == before else name for name in node.output]
        node.input[:] = [after if name == before else name for name in node.input]


def _put_on(model: onnx.ModelProto, adapter: Adapter, inputs: Sequence[str]) -> None:
    """Put the adapter's nodes behind the graph's answer, which keeps its name."""
    _rename(model, "probabilities", _GIVEN)
    nodes: list[onnx.NodeProto] = []
    weights: dict[str, npt.NDArray[Any]] = {
        "weight": adapter.weights.astype(np.float32),
        "offset": adapter.offset.astype(np.float32),
        "faintest": np.array(FAINTEST, np.float32),
        "lowest": np.array(-FURTHEST, np.float32),
        "highest": np.array(FURTHEST, np.float32),
        "labels": np.arange(len(adapter.labels)),
        "crying": np.array([len(adapter.labels)]),
    }

    def node(kind: str, given: Sequence[str], name: str, **attributes: Any) -> str:
        given = [PREFIX + one if one in weights or one in made else one for one in given]
        out = "probabilities" if name == "probabilities" else PREFIX + name
        nodes.append(helper.make_node(kind, given, [out], name=PREFIX + name, **attributes))
        made.add(name)
        return name

    made: set[str] = set()
    embedding = node("Concat", inputs, "embedding", axis=1) if len(inputs) > 1 else inputs[0]
    node("Gemm", [embedding, "weight", "offset"], "free")
    node("Clip", ["free", "lowest", "highest"], "moved")
    node("Clip", [_GIVEN, "faintest"], "shares")
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


def _take_off(model: onnx.ModelProto) -> None:
    kept = [node for node in model.graph.node if not node.name.startswith(PREFIX)]
    weights = [one for one in model.graph.initializer if not one.name.startswith(PREFIX)]
    del model.graph.node[:]
    del model.graph.initializer[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(weights)
    _rename(model, _GIVEN, "probabilities")
