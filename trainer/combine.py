"""Several model files that see the same become one, which answers with the mean of their probabilities.

Networks that are built differently err differently; averaged they are right more often than the best of them. Opitz, D.
and Maclin, R. (1999), "Popular ensemble methods: an empirical study", Journal of Artificial Intelligence Research 11.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import compose, helper

from babymonitor.core.classifier import Classifier, ModelCard
from trainer.corpora import DataError
from trainer.export import publish
from trainer.networks.graphs import IR_VERSION

FAMILY = "combined"


def combine(models: Sequence[Path], output: Path, name: str = "") -> ModelCard:
    """Write the model file that answers with the mean of others' probabilities; → its card.

    DataError where they differ in labels, front end, window or hop. What was measured of the parts (metrics, operating
    curve) is not true of the whole and is left out: `trainer evaluate` and `trainer nights` measure it.
    """
    if len(models) < 2:
        raise DataError("There is nothing to combine: name two model files or more.")
    cards = [Classifier(path).card for path in models]
    first = cards[0]
    for path, card in zip(models[1:], cards[1:], strict=True):
        for what in ("labels", "features", "window_frames", "hop_frames"):
            if getattr(card, what) != getattr(first, what):
                raise DataError(f"{path.name} cannot be combined with {models[0].name}: their {what} differ.")
    if any(card.golden["wave"] != first.golden["wave"] for card in cards):
        raise DataError("These model files were checked with different sounds: train or export them again.")
    graph = _averaged([onnx.load_from_string(path.read_bytes()) for path in models], first)
    answer = np.mean([card.golden["probabilities"] for card in cards], axis=0)
    wider = [card.golden["tolerance"] for card in cards if "tolerance" in card.golden]
    golden = {"wave": first.golden["wave"], "probabilities": answer.tolist()}
    whole = replace(
        first,
        name=name or output.stem,
        family=FAMILY,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        thresholds={at: round(float(np.mean([card.thresholds[at] for card in cards])), 4) for at in first.thresholds},
        operating_curve=[],
        calibration={"combined": [card.calibration for card in cards]},
        training=_training(cards),
        metrics={},
        licence="; ".join(dict.fromkeys(card.licence for card in cards)),
        golden={**golden, "tolerance": max(wider)} if wider else golden,
    )
    publish(output, graph, whole)
    return whole


def _averaged(parts: list[onnx.ModelProto], card: ModelCard) -> onnx.ModelProto:
    """One graph of several with the same input: each under a prefix of its own, their outputs averaged."""
    nodes, initializers, answers = [], [], []
    opsets: dict[str, int] = {}
    for number, part in enumerate(parts):
        prefixed = compose.add_prefix(part, f"{number}/")
        graph = prefixed.graph
        nodes.append(helper.make_node("Identity", ["features"], [graph.input[0].name]))
        nodes.extend(graph.node)
        initializers.extend(graph.initializer)
        answers.append(graph.output[0].name)
        for one in prefixed.opset_import:
            if opsets.setdefault(one.domain, one.version) != one.version:
                raise DataError("These model files were written with different versions of their operators.")
    nodes.append(helper.make_node("Mean", answers, ["probabilities"]))
    sizes = {"features": [card.features.rows, card.window_frames], "probabilities": [len(card.labels)]}
    given, answer = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", *size]) for name, size in sizes.items()
    )
    graph = helper.make_graph(nodes, "combined", [given], [answer], initializers)
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    model = helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


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
