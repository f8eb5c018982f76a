"""A model file made smaller and quicker: its matrices in whole numbers of 8 bits.

Worth it where the time goes into matrix products and 1-D convolutions, as in HuBERT and wav2vec 2.0; benchmarks/
pretrained.py says what each step gives.
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
import onnxruntime
from onnx import NodeProto, TensorProto, helper, numpy_helper

from babymonitor.core.model.classifier import Classifier, ModelCard
from trainer.errors import DataError
from trainer.model_file.sealed_file import golden_answer, write_sealed

GOLDEN_TOLERANCE = 0.03
"""How far a quantised file's golden output may be off on another machine. A difference of rounding in the last bit can
move a number by a whole step of 8 bits: measured, answers then differ by up to 0.003, and by 1e-7 in floating point.
"""

_GREATEST = 63
"""Weights take 7 of the 8 bits. With all of them processors without VNNI clip the sums: other answers, same file."""
_TO_THE_END = 2**62


def quantise_model(source: Path, output: Path) -> ModelCard:
    """Write `output` (temporary, then replace): `source` with its matrices in 8 bits, its golden pair answered anew."""
    card = Classifier(source).card
    if "quantised" in card.training:
        raise DataError(f"{source} is quantised already.")
    data = source.read_bytes()
    if any(node.op_type == "If" for node in onnx.load_from_string(data).graph.node):
        raise DataError(f"{source} is a cascade, into whose branch 8 bits do not reach: quantise its parts.")
    model = quantised(data)
    told = replace(
        card,
        golden={**card.golden, "probabilities": golden_answer(model, card), "tolerance": GOLDEN_TOLERANCE},
        training={**card.training, "quantised": "matrix products and 1-D convolutions in 8 bits"},
    )
    write_sealed(output, model, told)
    return told


def quantised(model: bytes, convolutions: bool = True) -> onnx.ModelProto:
    """The graph of a model with its products in 8 bits, without metadata.

    Weights have a scale for each output, what they are multiplied with has one for each window, found as it comes.
    """
    # Imported here: it takes a second that no other command need wait for.
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder, _silence():
        plain = folded(model)
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


def folded(model: bytes) -> onnx.ModelProto:
    """The graph with whatever is the same for every input computed once, batch norms taken into their convolutions."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "folded.onnx"
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        simpler = onnx.load(path)
    del simpler.metadata_props[:]
    # The runtime declares all that it knows, in versions of its own.
    del simpler.opset_import[:]
    simpler.opset_import.extend(onnx.load_from_string(model).opset_import)
    return simpler


def _quantise_convolutions(graph: onnx.GraphProto) -> None:
    """Make 1-D convolutions products of whole numbers: frames of k rows laid side by side, times one matrix.

    ONNX Runtime has such a product for matrices alone. What is multiplied is written in two bytes, the second for what
    the first leaves over: nothing has levelled it yet, and beside one click of a wave the rest of it would be nothing
    in a single byte. (Tried on a small trained HuBERT: with one byte single answers turn over, with two they are off by
    0.001 at most.) The rows are quantised before they are laid side by side, so that less memory is moved.
    """
    weights = {one.name: one for one in graph.initializer}
    nodes: list[NodeProto] = []
    for node in graph.node:
        settings = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        if _is_plain_convolution(node, settings, weights):
            kernel = numpy_helper.to_array(weights[node.input[1]])
            nodes += _product(graph, node, kernel, settings.get("strides", [1])[0])
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    kept = [one for one in graph.initializer if one.name in used]
    for field, values in ((graph.node, nodes), (graph.initializer, kept)):
        del field[:]
        field.extend(values)
    del graph.value_info[:]


def _is_plain_convolution(node: NodeProto, settings: dict[str, object], weights: dict[str, TensorProto]) -> bool:
    """Whether a node is a 1-D convolution of several channels, without groups, padding or dilation."""
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
    """The nodes that take a convolution's place; kernel (outputs, channels, taps)."""
    name = node.output[0]
    outputs, channels, taps = kernel.shape
    matrix = kernel.transpose(2, 1, 0).reshape(taps * channels, outputs)
    scale = np.maximum(np.abs(matrix).max(axis=0), 1e-12).astype(np.float32) / _GREATEST

    def constant(part: str, value: np.ndarray) -> str:
        graph.initializer.append(numpy_helper.from_array(value, f"{name}.{part}"))
        return f"{name}.{part}"

    def whole(part: str, value: int) -> str:
        return constant(part, np.array([value], np.int64))

    axis, step = whole("axis", 1), whole("step", stride)
    ends = [whole(f"end{tap}", tap - taps + 1 if tap < taps - 1 else _TO_THE_END) for tap in range(taps)]
    cuts = [[whole(f"start{tap}", tap), end, axis, step] for tap, end in enumerate(ends)]
    weights = constant("weights", np.round(matrix / scale).astype(np.int8))
    scales = constant("scale", scale)
    nodes = [helper.make_node("Transpose", [node.input[0]], [f"{name}.rows"], perm=[0, 2, 1])]
    for byte, rows in (("high", f"{name}.rows"), ("low", f"{name}.rest")):
        whole_rows, unit, zero = (f"{name}.{byte}.{part}" for part in ("whole", "unit", "zero"))
        pieces = [f"{name}.{byte}.tap{tap}" for tap in range(taps)]
        frames, sums, floats, factor = (f"{name}.{byte}.{part}" for part in ("frames", "sums", "floats", "factor"))
        nodes += [
            helper.make_node("DynamicQuantizeLinear", [rows], [whole_rows, unit, zero]),
            *(helper.make_node("Slice", [whole_rows, *cut], [piece]) for cut, piece in zip(cuts, pieces, strict=True)),
            helper.make_node("Concat", pieces, [frames], axis=2),
            helper.make_node("MatMulInteger", [frames, weights, zero], [sums]),
            helper.make_node("Cast", [sums], [floats], to=TensorProto.FLOAT),
            helper.make_node("Mul", [unit, scales], [factor]),
            helper.make_node("Mul", [floats, factor], [f"{name}.{byte}"]),
        ]
        if byte == "high":
            nodes += [
                helper.make_node("DequantizeLinear", [whole_rows, unit, zero], [f"{name}.rounded"]),
                helper.make_node("Sub", [rows, f"{name}.rounded"], [f"{name}.rest"]),
            ]
    nodes.append(helper.make_node("Add", [f"{name}.high", f"{name}.low"], [f"{name}.product"]))
    last = f"{name}.product"
    if len(node.input) > 2:
        nodes.append(helper.make_node("Add", [last, node.input[2]], [f"{name}.biased"]))
        last = f"{name}.biased"
    return [*nodes, helper.make_node("Transpose", [last], [name], perm=[0, 2, 1])]


@contextmanager
def _silence() -> Iterator[None]:
    """It would advise to run its own preparation first, through the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
