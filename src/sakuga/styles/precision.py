"""Weights of a style's graph as float32, or as float16 that is cast to float32 when loaded."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_HALF_SUFFIX = ".half"


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
