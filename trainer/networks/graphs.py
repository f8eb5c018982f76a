"""Parts of ONNX graphs: traced from torch, taken from converters, and chained one after the other."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    import onnx

OPSET, OPSET_ML, IR_VERSION = 17, 3, 8
"""Versions that every part declares; only parts with the same versions can be joined."""


def trace(module: nn.Module, example: Tensor, input_name: str, *output_names: str) -> onnx.ModelProto:
    """Trace a torch module with one input: `input_name` (batch, …) → `output_names`, each (batch, …)."""
    import onnx
    import torch

    memory = io.BytesIO()
    with warnings.catch_warnings():
        # torch's exporters warn about each other. Tests compare the outputs instead.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            (example,),
            memory,  # type: ignore[arg-type] # the annotation lacks file objects, which are accepted
            input_names=[input_name],
            output_names=list(output_names),
            dynamic_axes={name: {0: "batch"} for name in (input_name, *output_names)},
            opset_version=OPSET,
            # Every weight keeps its name, so that a later training can start from the file. The runtime folds batch
            # norms into convolutions itself when it opens the file; the speed is the same within one percent.
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            dynamo=False,
        )
    model = onnx.load_from_string(memory.getvalue())
    _restore_duplicates(model, module)
    return model


def _restore_duplicates(model: onnx.ModelProto, module: nn.Module) -> None:
    """Restore weights that the exporter dropped because another weight has the same values.

    The last biases of a residual block and of its shortcut are summed, so they get the same gradients and stay equal.
    """
    from onnx import numpy_helper

    weights = {weight.name: weight for weight in model.graph.initializer}
    by_values = {(tuple(weight.dims), numpy_helper.to_array(weight).tobytes()) for weight in weights.values()}
    copies = {node.output[0]: node for node in model.graph.node if node.op_type == "Identity"}
    for name, values in module.state_dict().items():
        array = values.detach().cpu().numpy()
        if name not in weights and (array.shape, array.tobytes()) in by_values:
            if name in copies:
                model.graph.node.remove(copies[name])
            model.graph.initializer.append(numpy_helper.from_array(array, name))


def with_single_output(model: onnx.ModelProto, output_name: str) -> onnx.ModelProto:
    """Reduce a converter's graph to one output, and declare the versions that our graphs declare.

    Converters declare the oldest operator sets that suffice, some of them twice. The tree operators have not changed.
    """
    import onnx

    model.ir_version = IR_VERSION
    del model.opset_import[:]
    model.opset_import.extend([onnx.helper.make_opsetid("", OPSET), onnx.helper.make_opsetid("ai.onnx.ml", OPSET_ML)])
    outputs = [output for output in model.graph.output if output.name == output_name]
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    return model


def chain(first: onnx.ModelProto, *parts: onnx.ModelProto) -> onnx.ModelProto:
    """Join graphs, each one's only output being the next one's only input. The outermost names are kept."""
    import onnx
    from onnx import compose

    joined, prefix, output_name = first, "", first.graph.output[0].name
    for part in parts:
        joined.ir_version = part.ir_version = IR_VERSION
        joint = (joined.graph.output[0].name, part.graph.input[0].name)
        output_name, prefix = part.graph.output[0].name, f"{len(joined.graph.node)}/"
        joined = compose.merge_models(joined, part, [joint], prefix2=prefix)
    # No other node reads the last output, so its name stands in two places only.
    for node in joined.graph.node:
        node.output[:] = [output_name if name == prefix + output_name else name for name in node.output]
    joined.graph.output[0].name = output_name
    versions = {opset.domain: opset.version for opset in joined.opset_import}  # merging may declare a domain twice
    del joined.opset_import[:]
    joined.opset_import.extend(onnx.helper.make_opsetid(domain, version) for domain, version in versions.items())
    return joined
