"""Quantise a model file: its matrices in 8-bit integers, for a smaller and faster file.

Worthwhile where matrix products and 1-D convolutions take most of the time, as in HuBERT and wav2vec 2.0;
benchmarks/pretrained.py measures each step.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from babymonitor.core.model.classifier import Classifier, ModelCard
from trainer.errors import DataError
from trainer.model_file.graph_surgery import fold_constants
from trainer.model_file.sealed_file import golden_probabilities, write_sealed

GOLDEN_TOLERANCE = 0.03
"""Allowed deviation of a quantised file's golden probabilities on another machine. A rounding difference in the last
bit can move a number by a full 8-bit step. Measured deviations reach 0.003; in floating point they are 1e-7.
"""

_GREATEST = 63
"""Weights use 7 of the 8 bits. With all 8, processors without VNNI saturate the sums and give different results."""
_TO_THE_END = 2**62


def quantise_model(source: Path, output: Path) -> ModelCard:
    """Write `output` (to a temporary, then replace): `source` with 8-bit matrices and a new golden pair.

    Returns the new card. Raises DataError for a file that is quantised already, for a cascade, and for a model that
    names other sounds.
    """
    card = Classifier(source).card
    if "quantised" in card.training:
        raise DataError(f"{source} is quantised already.")
    if card.sounds or card.evidence:
        # Two-dimensional convolutions, which stay in 32 bits; unpacked for them, its weights would take four times as
        # much.
        raise DataError(f"{source} holds its weights in 8 bits already: quantised it would be larger, and no quicker.")
    data = source.read_bytes()
    if any(node.op_type == "If" for node in onnx.load_from_string(data).graph.node):
        raise DataError(f"{source} is a cascade, and 8 bits do not reach into its branch: quantise its parts instead.")
    model = quantise_graph(data)
    quantised_card = replace(
        card,
        golden={**card.golden, "probabilities": golden_probabilities(model, card), "tolerance": GOLDEN_TOLERANCE},
        training={**card.training, "quantised": "matrix products and 1-D convolutions in 8 bits"},
    )
    write_sealed(output, model, quantised_card)
    return quantised_card


def quantise_graph(model: bytes, convolutions: bool = True) -> onnx.ModelProto:
    """Return a model's graph with its products in 8 bits, without metadata.

    Weights have a scale per output channel; activations have a scale per window, computed as it is processed.
    """
    # Imported here because it takes a second, which no other command should wait for.
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder, _without_warnings():
        plain = fold_constants(model)
        if convolutions:
            _quantise_convolutions(plain.graph)
        result = Path(folder) / "quantised.onnx"
        quantize_dynamic(
            plain,
            result,
            op_types_to_quantize=["MatMul", "Gemm"],
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
        )
        return onnx.load(result)


def _quantise_convolutions(graph: onnx.GraphProto) -> None:
    """Replace 1-D convolutions by integer products: the k rows under a kernel are laid side by side, times one matrix.

    ONNX Runtime has integer products for matrices only. Activations are written in two bytes, the second for the
    remainder of the first: no normalisation precedes these layers, and next to a click the rest of a wave would vanish
    in a single byte. (Tried on a small trained HuBERT: with one byte some labels change, with two the probabilities
    differ by at most 0.001.) Rows are quantised before they are laid side by side, so that less memory is moved.
    """
    weights = {weight.name: weight for weight in graph.initializer}
    nodes: list[NodeProto] = []
    for node in graph.node:
        settings = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if _is_plain_convolution(node, settings, weights):
            kernel = numpy_helper.to_array(weights[node.input[1]])
            nodes += _product(graph, node, kernel, settings.get("strides", [1])[0])
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    used_weights = [weight for weight in graph.initializer if weight.name in used]
    for field, values in ((graph.node, nodes), (graph.initializer, used_weights)):
        del field[:]
        field.extend(values)
    del graph.value_info[:]


def _is_plain_convolution(node: NodeProto, settings: dict[str, object], weights: dict[str, TensorProto]) -> bool:
    """Whether a node is a 1-D convolution of several channels without groups, padding or dilation."""
    if node.op_type != "Conv" or node.input[1] not in weights:
        return False
    shape = weights[node.input[1]].dims
    padded = settings.get("pads", [0]), settings.get("auto_pad", b"NOTSET")
    return (
        len(shape) == 3
        and shape[1] > 1
        and settings.get("group", 1) == 1
        and settings.get("dilations", [1]) == [1]
        and padded in (([0], b"NOTSET"), ([0, 0], b"NOTSET"))
    )


def _product(graph: onnx.GraphProto, node: NodeProto, kernel: np.ndarray, stride: int) -> list[NodeProto]:
    """Return the nodes that replace a convolution. kernel: (outputs, channels, taps)."""
    name = node.output[0]
    outputs, channels, taps = kernel.shape
    matrix = kernel.transpose(2, 1, 0).reshape(taps * channels, outputs)
    scale = np.maximum(np.abs(matrix).max(axis=0), 1e-12).astype(np.float32) / _GREATEST

    def constant(part: str, value: np.ndarray) -> str:
        graph.initializer.append(numpy_helper.from_array(value, f"{name}.{part}"))
        return f"{name}.{part}"

    def integer(part: str, value: int) -> str:
        return constant(part, np.array([value], np.int64))

    axis, step = integer("axis", 1), integer("step", stride)
    ends = [integer(f"end{tap}", tap - taps + 1 if tap < taps - 1 else _TO_THE_END) for tap in range(taps)]
    cuts = [[integer(f"start{tap}", tap), end, axis, step] for tap, end in enumerate(ends)]
    weights = constant("weights", np.round(matrix / scale).astype(np.int8))
    scales = constant("scale", scale)
    nodes = [helper.make_node("Transpose", [node.input[0]], [f"{name}.rows"], perm=[0, 2, 1])]
    for byte, rows in (("high", f"{name}.rows"), ("low", f"{name}.rest")):
        integers, unit, zero = (f"{name}.{byte}.{part}" for part in ("whole", "unit", "zero"))
        pieces = [f"{name}.{byte}.tap{tap}" for tap in range(taps)]
        frames, sums, floats, factor = (f"{name}.{byte}.{part}" for part in ("frames", "sums", "floats", "factor"))
        nodes += [
            helper.make_node("DynamicQuantizeLinear", [rows], [integers, unit, zero]),
            *(helper.make_node("Slice", [integers, *cut], [piece]) for cut, piece in zip(cuts, pieces, strict=True)),
            helper.make_node("Concat", pieces, [frames], axis=2),
            helper.make_node("MatMulInteger", [frames, weights, zero], [sums]),
            helper.make_node("Cast", [sums], [floats], to=TensorProto.FLOAT),
            helper.make_node("Mul", [unit, scales], [factor]),
            helper.make_node("Mul", [floats, factor], [f"{name}.{byte}"]),
        ]
        if byte == "high":
            nodes += [
                helper.make_node("DequantizeLinear", [integers, unit, zero], [f"{name}.rounded"]),
                helper.make_node("Sub", [rows, f"{name}.rounded"], [f"{name}.rest"]),
            ]
    nodes.append(helper.make_node("Add", [f"{name}.high", f"{name}.low"], [f"{name}.product"]))
    last = f"{name}.product"
    if len(node.input) > 2:
        nodes.append(helper.make_node("Add", [last, node.input[2]], [f"{name}.biased"]))
        last = f"{name}.biased"
    return [*nodes, helper.make_node("Transpose", [last], [name], perm=[0, 2, 1])]


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence the quantiser, which recommends its own pre-processing through the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
