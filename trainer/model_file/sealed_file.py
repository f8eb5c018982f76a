"""A graph and its card become a sealed model file. No torch here: what only rewrites a file starts the quicker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import onnxruntime

from babymonitor.core.model.classifier import METADATA_KEY, Classifier, ModelCard, decode_golden, seal
from babymonitor.core.model.features import fit_frames, front_end
from babymonitor.core.whole_file import whole_file


def graphs_of(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph, and the branches within it, however deep."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs_of(attribute.g)


def golden_answer(model: onnx.ModelProto, card: ModelCard) -> list[float]:
    """What a graph answers to the golden sound of a card: a probability for each label."""
    window = fit_frames(front_end(decode_golden(card.golden["wave"]), card.features), card.window_frames)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (answer,) = session.run(["probabilities"], {"features": window[None]})
    return [float(share) for share in answer[0]]


def publish(path: Path, model: onnx.ModelProto, card: ModelCard) -> None:
    """Write a graph with its card, sealed: to a temporary that has to open and to reproduce its golden pair, then
    replace. A bad export never gets its name.
    """
    del model.metadata_props[:]
    model.metadata_props.add(key=METADATA_KEY, value=card.to_json())
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, suffix=".part.onnx") as partial:
        partial.write_bytes(seal(model.SerializeToString()))
        Classifier(partial)


def rewrite_card(path: Path, **changes: Any) -> ModelCard:
    """Put other words into a model's card (figures measured later, say), the network left as it is."""
    card = replace(Classifier(path).card, **changes)
    publish(path, onnx.load_from_string(path.read_bytes()), card)
    return card
