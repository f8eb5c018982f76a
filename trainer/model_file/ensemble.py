"""Several model files that see the same become one, which answers with the mean of their probabilities.

Networks that are built differently err differently; averaged they are right more often than the best of them. Opitz, D.
and Maclin, R. (1999), "Popular ensemble methods: an empirical study", Journal of Artificial Intelligence Research 11.

As a cascade the first is asked of everything and the others only where it suspects crying, which in a night is seldom:
several then cost little more than one. Viola, P. and Jones, M. (2001), "Rapid object detection using a boosted cascade
of simple features", CVPR.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import compose, helper, numpy_helper

from babymonitor.core.labels import sides_of, two_sided
from babymonitor.core.model.classifier import Classifier, ModelCard
from trainer.errors import DataError
from trainer.model_file.graph_surgery import EMBEDDING, cascade_embeddings, head_inputs
from trainer.model_file.quantise import folded
from trainer.model_file.sealed_file import golden_answer, graphs_of, write_sealed
from trainer.networks.graphs import IR_VERSION

FAMILY = "combined"
NARROW_FROM = 1024
"""Matrices and kernels of so many numbers are narrowed, but for a head's, which teaching looks for by its shape."""


def combine(
    models: Sequence[Path], output: Path, name: str = "", suspect: float | None = None, bits: int | None = None
) -> ModelCard:
    """Write the model file that answers with the mean of others' probabilities; → its card.

    suspect: the P(crying) from which on the first asks the others; below it the first alone answers. There the mean of
    n would be less than (suspect + n - 1) / n: a window that reaches a threshold from that up (0.7 for 0.1 and three)
    still does. One that is below it may be farther below.
    bits: keep weights in 8 (with a scale for each slice of their first axis) or in 16; they are computed with in 32.

    DataError where they differ in labels, front end, window or hop. What was measured of the parts (metrics, operating
    curve) is not true of the whole and is left out: `trainer evaluate` and `trainer nights` measure it.
    """
    if len(models) < 2:
        raise DataError("There is nothing to combine: name two model files or more.")
    opened = [Classifier(path) for path in models]
    cards = [one.card for one in opened]
    first = cards[0]
    for path, card in zip(models[1:], cards[1:], strict=True):
        for what in ("labels", "features", "window_frames", "hop_frames"):
            if getattr(card, what) != getattr(first, what):
                raise DataError(f"{path.name} cannot be combined with {models[0].name}: their {what} differ.")
    if any(card.golden["wave"] != first.golden["wave"] for card in cards):
        raise DataError("These model files were checked with different sounds: train or export them again.")
    if suspect is not None and not two_sided(first.labels):
        raise DataError("Only models of labels of crying, and of background, can tell when to ask another.")
    if suspect is not None and opened[0].crying(np.array(first.golden["probabilities"], np.float32)) < suspect:
        raise DataError(
            f"{models[0].name} does not suspect the cry by which model files are checked: name another first."
        )
    if bits == 8 and _any_fitted(cards):
        raise DataError("8 bits are too few for SVMs and trees: keep these in 16.")
    parts = [_prefixed(path, number, bits is not None) for number, path in enumerate(models)]
    graph = _averaged(parts, first) if suspect is None else _cascade(parts, first, suspect)
    answer = np.mean([card.golden["probabilities"] for card in cards], axis=0).tolist()
    if bits is not None:
        _narrow(graph, len(first.labels), bits)
        answer = golden_answer(graph, first)
    told = {"suspect": suspect, "bits": bits}
    wider = [card.golden["tolerance"] for card in cards if "tolerance" in card.golden]
    golden = {"wave": first.golden["wave"], "probabilities": answer}
    whole = replace(
        first,
        name=name or output.stem,
        family=FAMILY,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        thresholds={at: round(float(np.mean([card.thresholds[at] for card in cards])), 4) for at in first.thresholds},
        operating_curve=[],
        calibration={"combined": [card.calibration for card in cards]},
        training=_training(cards) | {name: one for name, one in told.items() if one is not None},
        metrics={},
        licence="; ".join(dict.fromkeys(card.licence for card in cards)),
        golden={**golden, "tolerance": max(wider)} if wider else golden,
    )
    write_sealed(output, graph, whole)
    return whole


def _any_fitted(cards: Sequence[ModelCard]) -> bool:
    """Whether any part is an SVM or trees."""
    from trainer.model_file.torch_file import is_fitted

    return any(is_fitted(card.family, card.training) for card in cards)


def _averaged(parts: Sequence[onnx.ModelProto], card: ModelCard) -> onnx.ModelProto:
    """One graph of several with the same input, their outputs averaged."""
    nodes = [node for part in parts for node in part.graph.node]
    nodes.append(helper.make_node("Mean", [part.graph.output[0].name for part in parts], ["probabilities"]))
    told = [one for part in parts for one in cascade_embeddings(part.graph)]
    return _whole(parts, nodes, [one for part in parts for one in part.graph.initializer], card, told)


def _cascade(parts: Sequence[onnx.ModelProto], card: ModelCard, suspect: float) -> onnx.ModelProto:
    """The first of several, and the others in a branch that is taken where it suspects crying.

    Of a batch the others hear all or nothing; whoever was not suspected keeps the first's answer, so that a window's
    answer does not hang on its company. What the others' heads are given is told under `EMBEDDING`, zero where they
    were not asked, so that a cascade can be taught as well.
    """
    first, *others = (part.graph for part in parts)
    alone, size = first.output[0].name, len(card.labels)
    heads = {name: width for part in parts[1:] for name, width in head_inputs(part, size).items()}
    told = [_told(f"{EMBEDDING}{at}", width) for at, width in enumerate(heads.values())]
    weights = {
        "cascade/labels": np.array(sides_of(card.labels)[0]),
        "cascade/suspect": np.array(suspect, np.float32),
        "cascade/last": np.array([1]),
        "cascade/zero": np.array(0, np.float32),
    }
    asked = helper.make_graph(
        [
            *(node for part in others for node in part.node),
            _node("Mean", [alone, *(part.output[0].name for part in others)], "cascade/mean"),
        ],
        "asked",
        [],
        [_told("cascade/mean", size), *(_told(name, width) for name, width in heads.items())],
        [one for part in others for one in part.initializer],
    )
    nothing = [
        numpy_helper.from_array(np.zeros((1, width), np.float32), f"cascade/none_{at}")
        for at, width in enumerate(heads.values())
    ]
    unasked = helper.make_graph(
        [
            _node("Identity", [alone], "cascade/alone"),
            *(_node("Constant", [], one.name, value=one) for one in nothing),
        ],
        "unasked",
        [],
        [_told("cascade/alone", size)]
        + [helper.make_tensor_value_info(one.name, onnx.TensorProto.FLOAT, list(one.dims)) for one in nothing],
    )
    either = ["cascade/either", *(f"cascade/either_{at}" for at in range(len(heads)))]
    nodes = [
        *first.node,
        _node("Gather", [alone, "cascade/labels"], "cascade/cries", axis=1),
        _node("ReduceSum", ["cascade/cries", "cascade/last"], "cascade/crying"),
        _node("GreaterOrEqual", ["cascade/crying", "cascade/suspect"], "cascade/suspected"),
        _node("Cast", ["cascade/suspected"], "cascade/each", to=onnx.TensorProto.FLOAT),
        _node("ReduceMax", ["cascade/each"], "cascade/one", keepdims=0),
        _node("Cast", ["cascade/one"], "cascade/any", to=onnx.TensorProto.BOOL),
        _node("If", ["cascade/any"], *either, then_branch=asked, else_branch=unasked),
        *(
            _node("Where", ["cascade/suspected", given, "cascade/zero"], info.name)
            for given, info in zip(either[1:], told, strict=True)
        ),
        _node("Where", ["cascade/suspected", "cascade/either", alone], "probabilities"),
    ]
    constants = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    return _whole(parts, nodes, [*first.initializer, *constants], card, [*cascade_embeddings(first), *told])


def _node(kind: str, inputs: Sequence[str], *outputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, list(inputs), list(outputs), name=outputs[0], **attributes)


def _told(name: str, *sizes: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", *sizes])


def _prefixed(path: Path, number: int, simplified: bool) -> onnx.ModelProto:
    """A model's graph under a prefix of its own, with the whole's input for its own. simplified: so that no batch norm
    is kept beside its convolution, nor a weight that is kept in fewer bits already.
    """
    data = path.read_bytes()
    part = compose.add_prefix(folded(data) if simplified else onnx.load_from_string(data), f"{number}/")
    part.graph.node.insert(0, helper.make_node("Identity", ["features"], [part.graph.input[0].name]))
    return part


def _whole(
    parts: Sequence[onnx.ModelProto],
    nodes: Sequence[onnx.NodeProto],
    weights: Sequence[onnx.TensorProto],
    card: ModelCard,
    told: Sequence[onnx.ValueInfoProto] = (),
) -> onnx.ModelProto:
    opsets = {(one.domain, one.version) for part in parts for one in part.opset_import}
    if len({domain for domain, _ in opsets}) < len(opsets):
        raise DataError("These model files were written with different versions of their operators.")
    given = _told("features", card.features.rows, card.window_frames)
    answer = _told("probabilities", len(card.labels))
    graph = helper.make_graph(nodes, "combined", [given], [answer], weights, value_info=told)
    imports = [helper.make_opsetid(*one) for one in sorted(opsets)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


def _narrow(model: onnx.ModelProto, labels: int, bits: int) -> None:
    """Large weights in fewer bits, each with nodes that give it back in 32; the runtime does that once, on opening.

    Not by DequantizeLinear: that the runtime leaves to be done anew for every window.
    """
    for graph in graphs_of(model.graph):
        for one in list(graph.initializer):
            is_head = len(one.dims) == 2 and labels in one.dims
            is_large = len(one.dims) > 1 and math.prod(one.dims) >= NARROW_FROM
            if one.data_type != onnx.TensorProto.FLOAT or not is_large or is_head:
                continue
            name, values = one.name, numpy_helper.to_array(one)
            short, whole = f"{name}/narrow", f"{name}/whole"
            if bits == 16:
                nodes = [_node("Cast", [short], name, to=onnx.TensorProto.FLOAT)]
                values = values.astype(np.float16)
            else:
                each = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
                scale = np.maximum(each, 1e-12).astype(np.float32) / 127
                graph.initializer.append(numpy_helper.from_array(scale, f"{name}/scale"))
                nodes = [
                    _node("Cast", [short], whole, to=onnx.TensorProto.FLOAT),
                    _node("Mul", [whole, f"{name}/scale"], name),
                ]
                values = np.round(values / scale).astype(np.int8)
            one.CopyFrom(numpy_helper.from_array(values, short))
            for at, node in enumerate(nodes):
                graph.node.insert(at, node)


def _training(cards: Sequence[ModelCard]) -> dict[str, Any]:
    """What each part says of how it came about, and whom any of them met."""
    met: dict[str, set[str]] = {}
    for card in cards:
        for side, groups in card.training.get("groups", {}).items():
            met.setdefault(side, set()).update(groups)
    parts = [
        {"name": card.name, "family": card.family, **{k: v for k, v in card.training.items() if k != "groups"}}
        for card in cards
    ]
    return {"parts": parts, "groups": {side: sorted(groups) for side, groups in met.items()}}
