"""Look into ONNX graphs and simplify them: branches, linear heads and their inputs, constant folding."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import onnx
import onnxruntime

EMBEDDING = "cascade/embedding_"
"""Prefix of the names under which a cascade exposes the inputs of the heads in its branch, see `ensemble`."""


def subgraphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Yield a graph and all branches within it, at any depth."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from subgraphs(attribute.g)


def head_inputs(model: onnx.ModelProto, labels: int) -> dict[str, int]:
    """Map the name of each linear head's input to its width.

    A head is a linear layer with one output per label whose matrix is named as a head's; without such a name, any layer
    of that size counts. The heads in a cascade's branch are found by what the cascade exposes under `EMBEDDING`.
    """
    shapes = {weight.name: tuple(weight.dims) for weight in model.graph.initializer}
    certain: dict[str, int] = {}
    likely: dict[str, int] = {}
    for node in model.graph.node:
        if node.op_type == "Gemm" and len(node.input) > 1:
            transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
            shape = shapes.get(node.input[1], ())
            if len(shape) == 2 and shape[0 if transposed else 1] == labels:
                is_head = node.input[1].endswith("head.weight")
                (certain if is_head else likely)[node.input[0]] = shape[1 if transposed else 0]
    in_branch = {info.name: info.type.tensor_type.shape.dim[1].dim_value for info in cascade_embeddings(model.graph)}
    return (certain or likely) | in_branch


def cascade_embeddings(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Return the declared inputs of the heads in a cascade's branch; empty for other graphs."""
    return [info for info in graph.value_info if EMBEDDING in info.name]


def fold_constants(model: bytes) -> onnx.ModelProto:
    """Compute once whatever does not depend on the input, and fold batch norms into their convolutions."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "folded.onnx"
        options.optimized_model_filepath = str(path)
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        simpler = onnx.load(path)
    del simpler.metadata_props[:]
    # The runtime declares every operator set it knows, in its own versions.
    del simpler.opset_import[:]
    simpler.opset_import.extend(onnx.load_from_string(model).opset_import)
    return simpler
