"""The learned tensors of a style: read, stored as float32 or float16, written as safetensors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from sakuga.errors import StyleError
from sakuga.files import write_bytes
from sakuga.styles.spec import SPEC_KEY, Style, spec_to_json

_WRAPPER = "generator."  # before the names of a network that Sakuga exported
_HALF_SUFFIX = ".half"


def write_tensors(style: Style, out: Path) -> int:
    """Write the tensors of `read_tensors` to a file.

    For a style of ours these are the generator's `state_dict`. The style's spec goes into the
    file's metadata, under the same key as in the style.

    Returns:
        How many tensors were written.

    Raises:
        StyleError: it is int8.
        OutputError: `out` cannot be written.
    """
    from safetensors.numpy import save

    tensors = read_tensors(style)
    write_bytes(out, save(tensors, {SPEC_KEY: spec_to_json(style.spec)}))
    return len(tensors)


def read_tensors(style: Style) -> dict[str, NDArray[np.float32]]:
    """Every learned float tensor of a style, by its name in the network.

    Weights that the file holds as float16 come as the float32 numbers they stand for.

    Raises:
        StyleError: it is int8, whose numbers are no longer those that were learned.
    """
    model = onnx.load(style.path)
    if any(tensor.data_type == TensorProto.INT8 for tensor in model.graph.initializer):
        raise StyleError(
            f"{style.path}: its weights are int8, not those that were learned; give the style it "
            "was made of"
        )
    store_full(model)
    learned = {
        tensor.name: numpy_helper.to_array(tensor).copy()
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.FLOAT and _is_learned(tensor, model.graph)
    }
    ours = {name: values for name, values in learned.items() if name.startswith(_WRAPPER)}
    # In a file of ours the rest are fixed kernels.
    return {name.removeprefix(_WRAPPER): values for name, values in (ours or learned).items()}


def _is_learned(tensor: onnx.TensorProto, graph: onnx.GraphProto) -> bool:
    """True for weights and biases; false for the scales of Resize and single numbers."""
    if not tensor.dims:
        return False
    return not any(
        tensor.name in node.input for node in graph.node if node.op_type in ("Resize", "Clip")
    )


def store_half(model: onnx.ModelProto) -> None:
    """Store every float32 weight of two or more dimensions as float16 behind a Cast."""
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        name = tensor.name
        half = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}{_HALF_SUFFIX}"))
        cast = helper.make_node("Cast", [f"{name}{_HALF_SUFFIX}"], [name], to=TensorProto.FLOAT)
        casts.append(cast)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(casts + nodes)


def store_full(model: onnx.ModelProto) -> None:
    """Store every weight that is float16 behind a Cast as float32; the inverse of `store_half`."""
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        tensor = tensors.get(node.input[0]) if node.op_type == "Cast" else None
        if tensor is None or tensor.data_type != TensorProto.FLOAT16:
            nodes.append(node)
            continue
        full = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(full, node.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
