"""Store a graph's large weights in fewer bits, for a smaller file; they are computed with in 32."""

from __future__ import annotations

import math

import numpy as np
import onnx
from onnx import helper, numpy_helper

from trainer.model_file.graph_surgery import subgraphs

NARROW_FROM = 1024
"""Smallest number of weights at which a tensor is narrowed. Heads never are: teaching finds them by their shape."""


def narrow_weights(model: onnx.ModelProto, labels: int, bits: int) -> None:
    """Store large weights in fewer bits, each with nodes that widen it to 32; the runtime folds them when it opens.

    DequantizeLinear would not do: the runtime does not fold it, and repeats the work for every window.
    """
    for graph in subgraphs(model.graph):
        for weight in list(graph.initializer):
            is_head = len(weight.dims) == 2 and labels in weight.dims
            is_large = len(weight.dims) > 1 and math.prod(weight.dims) >= NARROW_FROM
            if weight.data_type != onnx.TensorProto.FLOAT or not is_large or is_head:
                continue
            name, values = weight.name, numpy_helper.to_array(weight)
            narrow, widened = f"{name}/narrow", f"{name}/whole"
            if bits == 16:
                nodes = [helper.make_node("Cast", [narrow], [name], name=name, to=onnx.TensorProto.FLOAT)]
                values = values.astype(np.float16)
            else:
                peaks = np.abs(values).max(axis=tuple(range(1, values.ndim)), keepdims=True)
                scale = np.maximum(peaks, 1e-12).astype(np.float32) / 127
                graph.initializer.append(numpy_helper.from_array(scale, f"{name}/scale"))
                nodes = [
                    helper.make_node("Cast", [narrow], [widened], name=widened, to=onnx.TensorProto.FLOAT),
                    helper.make_node("Mul", [widened, f"{name}/scale"], [name], name=name),
                ]
                values = np.round(values / scale).astype(np.int8)
            weight.CopyFrom(numpy_helper.from_array(values, narrow))
            for index, node in enumerate(nodes):
                graph.node.insert(index, node)
