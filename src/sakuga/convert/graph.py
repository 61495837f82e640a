"""A small writer of onnx graphs under the style contract: a call adds a step, names its result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from sakuga.convert.layers import Weights
from sakuga.styles import GRAPH_INPUT, GRAPH_OUTPUT

OPSET = 18
IR_VERSION = 9
Padding = Literal["constant", "reflect"]
Sides = tuple[int, int, int, int]  # pixels at the top, left, bottom, right
Resizing = Literal["half_pixel", "align_corners", "asymmetric"]  # ONNX's names


class Graph:
    """A graph that begins with `photo`; values are known by name, feature maps are (B, C, H, W)."""

    def __init__(self) -> None:
        self.photo = GRAPH_INPUT
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def add(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a step of ONNX's own operators and return the name of its one result."""
        result = f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [result], **attributes))
        return result

    def constant(self, values: NDArray[np.generic], name: str | None = None) -> str:
        """Keep an array in the file and return its name."""
        name = name or f"constant_{len(self._constants)}"
        assert name not in self._constants, name
        array = np.array(values, order="C")  # (C, K, K) weights may be views with negative strides
        self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def pad(self, x: str, sides: Sides, mode: Padding) -> str:
        """Add rows and columns around a feature map."""
        top, left, bottom, right = sides
        pads = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
        return self.add("Pad", [x, self.constant(pads)], mode=mode)

    def conv(
        self,
        x: str,
        name: str,
        weight: Weights,
        bias: Weights | None = None,
        *,
        stride: int = 1,
        sides: Sides = (0, 0, 0, 0),
        padding: Padding = "constant",
        groups: int = 1,
    ) -> str:
        """Convolve with a weight (out, in / groups, K, K)."""
        if padding == "reflect" and any(sides):
            x = self.pad(x, sides, padding)
            sides = (0, 0, 0, 0)
        inputs = [x, self.constant(weight, f"{name}.weight")]
        if bias is not None:
            inputs.append(self.constant(bias, f"{name}.bias"))
        return self.add("Conv", inputs, strides=[stride] * 2, pads=sides, group=groups)

    def double(self, x: str, how: Resizing) -> str:
        """Enlarge a feature map to twice its height and width, bilinearly."""
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        return self.add(
            "Resize", [x, "", scales], mode="linear", coordinate_transformation_mode=how
        )

    def normalise_picture(
        self, x: str, name: str, scale: Weights, shift: Weights, *, epsilon: float, on_std: bool
    ) -> str:
        """Subtract the mean and divide by the deviation of all of (C, H, W); then scale and shift.

        Args:
            scale, shift: (C,) a channel each, or (1,) for all.
            epsilon: added to the variance, or to the standard deviation with `on_std`.
        """
        axes = self.constant(np.array([1, 2, 3], np.int64))
        mean = self.add("ReduceMean", [x, axes], keepdims=1)
        centred = self.add("Sub", [x, mean])
        variance = self.add("ReduceMean", [self.add("Mul", [centred, centred]), axes], keepdims=1)
        small = self.constant(np.array(epsilon, np.float32))
        if on_std:
            deviation = self.add("Add", [self.add("Sqrt", [variance]), small])
        else:
            deviation = self.add("Sqrt", [self.add("Add", [variance, small])])
        normal = self.add("Div", [centred, deviation])
        scaled = self.add(
            "Mul", [normal, self.constant(scale.reshape(1, -1, 1, 1), f"{name}.scale")]
        )
        return self.add("Add", [scaled, self.constant(shift.reshape(1, -1, 1, 1), f"{name}.shift")])

    def finish(self, x: str, name: str, *, clip: bool) -> onnx.ModelProto:
        """Close the graph at its result.

        Args:
            name: of the graph.
            clip: keep the result to [-1, 1]; not needed after tanh.
        """
        if clip:
            limits = [self.constant(np.array(limit, np.float32)) for limit in (-1, 1)]
            x = self.add("Clip", [x, *limits])
        assert self._nodes[-1].output[0] == x
        self._nodes[-1].output[0] = GRAPH_OUTPUT
        shape: list[int | str | None] = ["batch", 3, "height", "width"]
        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info(GRAPH_INPUT, TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(GRAPH_OUTPUT, TensorProto.FLOAT, shape)],
            list(self._constants.values()),
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
        )
        onnx.checker.check_model(model)
        return model
