"""Pieces of ONNX graphs: traced from torch, taken from converters, and put one behind the other."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    import onnx

OPSET, OPSET_ML, IR_VERSION = 17, 3, 8
"""What every piece declares, for only like pieces can be joined."""


def traced(module: nn.Module, example: Tensor, given: str, answer: str) -> onnx.ModelProto:
    """A torch module of one input and one output as a graph: `given` (batch, …) → `answer` (batch, …)."""
    import onnx
    import torch

    memory = io.BytesIO()
    with warnings.catch_warnings():
        # torch's exporters warn about each other; the tests that compare the outputs are what counts.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            (example,),
            memory,  # type: ignore[arg-type] # its annotation forgets that files are taken
            input_names=[given],
            output_names=[answer],
            dynamic_axes={given: {0: "batch"}, answer: {0: "batch"}},
            opset_version=OPSET,
            # Every weight keeps its name, so that a later training can begin from the file. The runtime folds batch
            # norms into convolutions itself when it opens it: as quick, within a hundredth.
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            dynamo=False,
        )
    model = onnx.load_from_string(memory.getvalue())
    _name_twins(model, module)
    return model


def _name_twins(model: onnx.ModelProto, module: nn.Module) -> None:
    """Put back the weights that the exporter dropped because another has the very same values.

    The last biases of a residual block and of its shortcut are added up, so that they learn the same and stay the same.
    """
    from onnx import numpy_helper

    carried = {one.name: one for one in model.graph.initializer}
    by_values = {(tuple(one.dims), numpy_helper.to_array(one).tobytes()) for one in carried.values()}
    copied = {node.output[0]: node for node in model.graph.node if node.op_type == "Identity"}
    for name, values in module.state_dict().items():
        array = values.detach().cpu().numpy()
        if name not in carried and (array.shape, array.tobytes()) in by_values:
            if name in copied:
                model.graph.node.remove(copied[name])
            model.graph.initializer.append(numpy_helper.from_array(array, name))


def only(model: onnx.ModelProto, answer: str) -> onnx.ModelProto:
    """A converter's graph with one of its outputs, declaring what ours declare.

    Converters declare the oldest operators that do, some of them twice; the tree operators have kept their meaning.
    """
    import onnx

    model.ir_version = IR_VERSION
    del model.opset_import[:]
    model.opset_import.extend([onnx.helper.make_opsetid("", OPSET), onnx.helper.make_opsetid("ai.onnx.ml", OPSET_ML)])
    kept = [output for output in model.graph.output if output.name == answer]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    return model


def chained(first: onnx.ModelProto, *others: onnx.ModelProto) -> onnx.ModelProto:
    """One graph of several, each one's only output being the next one's only input; the ends keep their names."""
    import onnx
    from onnx import compose

    whole, prefix, answer = first, "", first.graph.output[0].name
    for part in others:
        whole.ir_version = part.ir_version = IR_VERSION
        joint = (whole.graph.output[0].name, part.graph.input[0].name)
        answer, prefix = part.graph.output[0].name, f"{len(whole.graph.node)}/"
        whole = compose.merge_models(whole, part, [joint], prefix2=prefix)
    # The last output is read by nobody else, so its name stands in two places only.
    for node in whole.graph.node:
        node.output[:] = [answer if name == prefix + answer else name for name in node.output]
    whole.graph.output[0].name = answer
    declared = {one.domain: one.version for one in whole.opset_import}  # merging declares the same operators twice
    del whole.opset_import[:]
    whole.opset_import.extend(onnx.helper.make_opsetid(domain, version) for domain, version in declared.items())
    return whole
