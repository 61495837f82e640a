"""Networks small enough to know what they give."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper


def save_grid_network(path: Path) -> Path:
    """A feature network that averages over a 4 x 4 grid: (B, 48)."""
    nodes = [
        helper.make_node("AveragePool", ["x"], ["grid"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Flatten", ["grid"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "grid",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", 48])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(
        model, {"size": "32", "scale": "1", "mean": "0.5,0.5,0.5", "std": "0.5,0.5,0.5"}
    )
    onnx.save(model, path)
    return path
