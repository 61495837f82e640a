"""The learned tensors of a style: to start from, and as a safetensors file for what reads those."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from sakuga.errors import StyleError
from sakuga.files import replacing
from sakuga.styles.precision import store_full
from sakuga.styles.spec import SPEC_KEY, Style, spec_to_json

_WRAPPER = "generator."  # before the names of a network that Sakuga exported


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
    from safetensors.numpy import save_file

    tensors = read_tensors(style)
    with replacing(out) as temporary:
        save_file(tensors, temporary, {SPEC_KEY: spec_to_json(style.spec)})
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
