"""Combine several model files with the same input into one that returns the mean of their probabilities.

Networks of different architectures make different errors, and their mean is right more often than the best of them.
Opitz, D. and Maclin, R. (1999), "Popular ensemble methods: an empirical study", Journal of Artificial Intelligence
Research 11.

In a cascade the first network runs on every window, and the rest only where the first suspects crying. That is rare
during a night, so several networks cost little more than a single one. Viola, P. and Jones, M. (2001), "Rapid object
detection using a boosted cascade of simple features", CVPR.
"""

from __future__ import annotations

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
from trainer.model_file.graph_surgery import EMBEDDING, cascade_embeddings, fold_constants, head_inputs
from trainer.model_file.narrow import narrow_weights
from trainer.model_file.sealed_file import golden_probabilities, write_sealed
from trainer.networks.graphs import IR_VERSION

FAMILY = "combined"


def combine(
    models: Sequence[Path], output: Path, name: str = "", suspect: float | None = None, bits: int | None = None
) -> ModelCard:
    """Write a model file that returns the mean of several models' probabilities. Returns its card.

    suspect: make a cascade: where the first model's P(crying) is below this, the first alone answers. With n models the
    mean could at most be (suspect + n - 1) / n there (0.7 for suspect 0.1 and three models), so no window is lost for a
    threshold at or above that. Windows below the threshold may end up further below it.
    bits: store weights in 8 bits (with a scale per slice of the first axis) or in 16; computation stays in 32.

    Raises DataError if the models differ in labels, front end, window or hop, and for one that names other sounds or
    weighs evidence over time, of which there is no mean. Metrics and the operating curve of the parts do not hold for
    the combination and are left out; `trainer evaluate` and `trainer nights` measure them anew.
    """
    if len(models) < 2:
        raise DataError("There is nothing to combine: name two model files or more.")
    classifiers = [Classifier(path) for path in models]
    cards = [classifier.card for classifier in classifiers]
    first = cards[0]
    for path, card in zip(models, cards, strict=True):
        if card.sounds or card.evidence:
            raise DataError(f"{path.name} weighs what it hears over seconds, and cannot be combined with other models.")
    for path, card in zip(models[1:], cards[1:], strict=True):
        for field in ("labels", "features", "window_frames", "hop_frames"):
            if getattr(card, field) != getattr(first, field):
                raise DataError(f"{path.name} cannot be combined with {models[0].name}: their {field} differ.")
    if any(card.golden["wave"] != first.golden["wave"] for card in cards):
        raise DataError("These model files have different golden sounds: train or export them again.")
    if suspect is not None and not two_sided(first.labels):
        raise DataError("Only models with labels of crying and labels of other sound can begin a cascade.")
    if suspect is not None and classifiers[0].crying(np.array(first.golden["probabilities"], np.float32)) < suspect:
        raise DataError(f"{models[0].name} does not suspect crying in the golden sound: name another first.")
    if bits == 8 and _any_fitted(cards):
        raise DataError("8 bits are too few for SVMs and trees: keep these in 16.")
    parts = [_prefixed(path, number, bits is not None) for number, path in enumerate(models)]
    graph = _averaged(parts, first) if suspect is None else _cascade(parts, first, suspect)
    probabilities = np.mean([card.golden["probabilities"] for card in cards], axis=0).tolist()
    if bits is not None:
        narrow_weights(graph, len(first.labels), bits)
        probabilities = golden_probabilities(graph, first)
    options = {"suspect": suspect, "bits": bits}
    tolerances = [card.golden["tolerance"] for card in cards if "tolerance" in card.golden]
    golden = {"wave": first.golden["wave"], "probabilities": probabilities}
    combined = replace(
        first,
        name=name or output.stem,
        family=FAMILY,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        thresholds={
            name: round(float(np.mean([card.thresholds[name] for card in cards])), 4) for name in first.thresholds
        },
        operating_curve=[],
        calibration={"combined": [card.calibration for card in cards]},
        training=_training(cards) | {name: value for name, value in options.items() if value is not None},
        metrics={},
        licence="; ".join(dict.fromkeys(card.licence for card in cards)),
        golden={**golden, "tolerance": max(tolerances)} if tolerances else golden,
    )
    write_sealed(output, graph, combined)
    return combined


def _any_fitted(cards: Sequence[ModelCard]) -> bool:
    """Whether any of the models is an SVM or consists of trees."""
    from trainer.model_file.torch_file import is_fitted

    return any(is_fitted(card.family, card.training) for card in cards)


def _averaged(parts: Sequence[onnx.ModelProto], card: ModelCard) -> onnx.ModelProto:
    """Join graphs that share an input, and average their outputs."""
    nodes = [node for part in parts for node in part.graph.node]
    nodes.append(helper.make_node("Mean", [part.graph.output[0].name for part in parts], ["probabilities"]))
    embeddings = [info for part in parts for info in cascade_embeddings(part.graph)]
    return _checked_model(
        parts, nodes, [weight for part in parts for weight in part.graph.initializer], card, embeddings
    )


def _cascade(parts: Sequence[onnx.ModelProto], card: ModelCard, suspect: float) -> onnx.ModelProto:
    """Join the first graph and, in a branch taken where the first suspects crying, the remaining ones.

    The branch runs on a full batch or not at all. Windows below the suspicion keep the first graph's probabilities
    either way, so that a result does not depend on the rest of the batch. The inputs of the branch's heads are exposed
    as value infos named `EMBEDDING`…, zero where the branch did not run, so that a cascade can be taught as well.
    """
    first, *branch = (part.graph for part in parts)
    first_output, size = first.output[0].name, len(card.labels)
    heads = {name: width for part in parts[1:] for name, width in head_inputs(part, size).items()}
    embeddings = [_float_info(f"{EMBEDDING}{index}", width) for index, width in enumerate(heads.values())]
    weights = {
        "cascade/labels": np.array(sides_of(card.labels)[0]),
        "cascade/suspect": np.array(suspect, np.float32),
        "cascade/last": np.array([1]),
        "cascade/zero": np.array(0, np.float32),
    }
    then_branch = helper.make_graph(
        [
            *(node for part in branch for node in part.node),
            _node("Mean", [first_output, *(part.output[0].name for part in branch)], "cascade/mean"),
        ],
        "asked",
        [],
        [_float_info("cascade/mean", size), *(_float_info(name, width) for name, width in heads.items())],
        [weight for part in branch for weight in part.initializer],
    )
    zeros = [
        numpy_helper.from_array(np.zeros((1, width), np.float32), f"cascade/none_{index}")
        for index, width in enumerate(heads.values())
    ]
    else_branch = helper.make_graph(
        [
            _node("Identity", [first_output], "cascade/alone"),
            *(_node("Constant", [], zero.name, value=zero) for zero in zeros),
        ],
        "unasked",
        [],
        [_float_info("cascade/alone", size)]
        + [helper.make_tensor_value_info(zero.name, onnx.TensorProto.FLOAT, list(zero.dims)) for zero in zeros],
    )
    either = ["cascade/either", *(f"cascade/either_{index}" for index in range(len(heads)))]
    nodes = [
        *first.node,
        _node("Gather", [first_output, "cascade/labels"], "cascade/cries", axis=1),
        _node("ReduceSum", ["cascade/cries", "cascade/last"], "cascade/crying"),
        _node("GreaterOrEqual", ["cascade/crying", "cascade/suspect"], "cascade/suspected"),
        _node("Cast", ["cascade/suspected"], "cascade/each", to=onnx.TensorProto.FLOAT),
        _node("ReduceMax", ["cascade/each"], "cascade/one", keepdims=0),
        _node("Cast", ["cascade/one"], "cascade/any", to=onnx.TensorProto.BOOL),
        _node("If", ["cascade/any"], *either, then_branch=then_branch, else_branch=else_branch),
        *(
            _node("Where", ["cascade/suspected", head_input, "cascade/zero"], info.name)
            for head_input, info in zip(either[1:], embeddings, strict=True)
        ),
        _node("Where", ["cascade/suspected", "cascade/either", first_output], "probabilities"),
    ]
    constants = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    return _checked_model(
        parts, nodes, [*first.initializer, *constants], card, [*cascade_embeddings(first), *embeddings]
    )


def _node(kind: str, inputs: Sequence[str], *outputs: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, list(inputs), list(outputs), name=outputs[0], **attributes)


def _float_info(name: str, *sizes: int) -> onnx.ValueInfoProto:
    """Declare a tensor of shape (batch, *sizes)."""
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", *sizes])


def _prefixed(path: Path, number: int, simplified: bool) -> onnx.ModelProto:
    """Read a model's graph, prefix its names with its number, and connect it to the shared input "features".

    simplified: fold batch norms into their convolutions, and unpack weights that are already stored in fewer bits.
    """
    data = path.read_bytes()
    part = compose.add_prefix(fold_constants(data) if simplified else onnx.load_from_string(data), f"{number}/")
    part.graph.node.insert(0, helper.make_node("Identity", ["features"], [part.graph.input[0].name]))
    return part


def _checked_model(
    parts: Sequence[onnx.ModelProto],
    nodes: Sequence[onnx.NodeProto],
    weights: Sequence[onnx.TensorProto],
    card: ModelCard,
    embeddings: Sequence[onnx.ValueInfoProto] = (),
) -> onnx.ModelProto:
    """Build and check a model "features" → "probabilities". Raises DataError if the parts' operator sets differ."""
    opsets = {(opset.domain, opset.version) for part in parts for opset in part.opset_import}
    if len({domain for domain, _ in opsets}) < len(opsets):
        raise DataError("These model files use different versions of the ONNX operators.")
    features = _float_info("features", card.features.rows, card.window_frames)
    probabilities = _float_info("probabilities", len(card.labels))
    graph = helper.make_graph(nodes, "combined", [features], [probabilities], weights, value_info=embeddings)
    imports = [helper.make_opsetid(*opset) for opset in sorted(opsets)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


def _training(cards: Sequence[ModelCard]) -> dict[str, Any]:
    """Merge the cards' training records: one entry per part, and the groups that any of them was trained on."""
    groups_of: dict[str, set[str]] = {}
    for card in cards:
        for side, groups in card.training.get("groups", {}).items():
            groups_of.setdefault(side, set()).update(groups)
    parts = [
        {"name": card.name, "family": card.family, **{k: v for k, v in card.training.items() if k != "groups"}}
        for card in cards
    ]
    return {"parts": parts, "groups": {side: sorted(groups) for side, groups in groups_of.items()}}
