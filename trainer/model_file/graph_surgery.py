"""Finding the parts of a model graph: its linear heads and the embeddings that they are given."""

from __future__ import annotations

import onnx

EMBEDDING = "cascade/embedding_"
"""So begins the name of what a head is given that is asked only now and then, see `trainer.model_file.ensemble`."""


def head_inputs(model: onnx.ModelProto, labels: int) -> dict[str, int]:
    """What the linear layers are given that know the labels, and how wide it is: their matrix is called a head's, or
    has so many rows; or a cascade tells it under `EMBEDDING`.
    """
    matrices = {one.name: tuple(one.dims) for one in model.graph.initializer}
    certain: dict[str, int] = {}
    likely: dict[str, int] = {}
    for node in model.graph.node:
        if node.op_type == "Gemm" and len(node.input) > 1:
            transposed = any(one.name == "transB" and one.i for one in node.attribute)
            shape = matrices.get(node.input[1], ())
            if len(shape) == 2 and shape[0 if transposed else 1] == labels:
                is_head = node.input[1].endswith("head.weight")
                (certain if is_head else likely)[node.input[0]] = shape[1 if transposed else 0]
    told = {one.name: one.type.tensor_type.shape.dim[1].dim_value for one in cascade_embeddings(model.graph)}
    return (certain or likely) | told


def cascade_embeddings(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """What a cascade tells of what the heads in its branch are given."""
    return [one for one in graph.value_info if EMBEDDING in one.name]
