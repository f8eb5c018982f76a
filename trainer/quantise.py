"""A model file made smaller and quicker: its matrices in whole numbers of 8 bits."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from babymonitor.core.classifier import METADATA_KEY, Classifier, ModelCard, decode_golden, seal
from babymonitor.core.features import fit_frames, front_end


def quantise_model(source: Path, output: Path) -> ModelCard:
    """Write `output` (temporary, then replace): `source` with its matrices in 8 bits, its golden pair answered anew.

    Only matrix products are quantised, their inputs by their own range each time; the rest stays in floating point.
    """
    card = Classifier(source).card
    model = quantised(source.read_bytes())
    window = fit_frames(front_end(decode_golden(card.golden["wave"]), card.features), card.window_frames)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (answer,) = session.run(["probabilities"], {"features": window[None]})
    told = replace(
        card,
        golden={**card.golden, "probabilities": np.asarray(answer[0]).tolist()},
        training={**card.training, "quantised": "matrix products in 8 bits"},
    )
    model.metadata_props.add(key=METADATA_KEY, value=told.to_json())
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_suffix(".part.onnx")
    try:
        partial.write_bytes(seal(model.SerializeToString()))
        Classifier(partial)
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)
    return told


def quantised(model: bytes) -> onnx.ModelProto:
    """The graph of a model with its matrix products in 8 bits, without metadata."""
    # Imported here: it takes a second that no other command need wait for.
    from onnxruntime.quantization import QuantType, quantize_dynamic

    plain = onnx.load_from_string(model)
    del plain.metadata_props[:]
    with tempfile.TemporaryDirectory() as folder, _silence():
        result = Path(folder) / "quantised.onnx"
        # Weights of 7 bits: with 8, processors without VNNI clip the sums, and the same file gives other answers there.
        quantize_dynamic(
            plain, result, op_types_to_quantize=["MatMul", "Gemm"], weight_type=QuantType.QInt8, reduce_range=True
        )
        return onnx.load(result)


@contextmanager
def _silence() -> Iterator[None]:
    """It would advise to run its own preparation first, through the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
