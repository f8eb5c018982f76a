"""Write a graph and its card as a sealed model file. Does not import torch, so that rewriting a file starts quickly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import onnxruntime

from babymonitor.core.model.classifier import METADATA_KEY, Classifier, ModelCard, decode_golden, seal
from babymonitor.core.model.features import fit_frames, front_end
from babymonitor.core.whole_file import whole_file


def golden_probabilities(model: onnx.ModelProto, card: ModelCard) -> list[float]:
    """Return the probabilities, (labels,), that a graph gives for the golden sound of a card."""
    window = fit_frames(front_end(decode_golden(card.golden["wave"]), card.features), card.window_frames)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(["probabilities"], {"features": window[None]})
    return [float(probability) for probability in probabilities[0]]


def write_sealed(path: Path, model: onnx.ModelProto, card: ModelCard) -> None:
    """Write a sealed file from a graph and its card.

    The temporary file must open and reproduce its golden pair before it replaces `path`, so that a bad export never
    gets that name. Raises ModelError otherwise.
    """
    del model.metadata_props[:]
    model.metadata_props.add(key=METADATA_KEY, value=card.to_json())
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, suffix=".part.onnx") as partial:
        partial.write_bytes(seal(model.SerializeToString()))
        Classifier(partial)


def rewrite_card(path: Path, **changes: Any) -> ModelCard:
    """Change fields of a model's card, such as metrics measured later, and leave the network as it is."""
    card = replace(Classifier(path).card, **changes)
    write_sealed(path, onnx.load_from_string(path.read_bytes()), card)
    return card
