"""White-box Cartoonization (Wang and Yu, CVPR 2020): a U-Net without norms, then a guided filter.

Published as checkpoints of TensorFlow 1. Its "same" padding of a stride-2 convolution adds a row
and a column at the bottom and the right, and bilinear enlargement looks at i / 2 (TensorFlow 1's
`resize_bilinear`, ONNX's "asymmetric"). Colours are in the order BGR, which is turned round in the
first and last convolution.
"""

from __future__ import annotations

import numpy as np

from sakuga.convert.graph import Graph
from sakuga.convert.layers import Layers, Shape
from sakuga.convert.network import Network

NAME = "White-box Cartoonization"
PREFIX = "generator/"
SLOPE = 0.2  # of LeakyReLU
BLOCKS = 4
GUIDE_EPSILON = 5e-3
# In the order in which they are numbered: channels in and out, kernel. Blocks come after the fifth.
_CONVS = (
    (3, 32, 7),
    (32, 32, 3),  # to 1/2
    (32, 64, 3),
    (64, 64, 3),  # to 1/4
    (64, 128, 3),
    (128, 64, 3),
    (64, 64, 3),  # at 1/2 again
    (64, 32, 3),
    (32, 32, 3),  # at full size
    (32, 3, 7),
)
_SLOTS = ("/Adam", "/Adam_1", "/RMSProp", "/Momentum")  # what an optimiser keeps of each weight
# How far a result looks to the right and down, in pixels, from the end to the beginning: guided
# filter 2, 7x7 at full size 3, 3x3 1, enlargement 2, two 3x3 at 1/2: 4, enlargement 4, 3x3 at 1/4:
# 4, four blocks 32, 3x3 4, stride 2 at 1/2: 4, 3x3 at 1/2: 2, stride 2: 2, 7x7 3; and a result may
# lie 3 pixels into its cell of 4.
RECEPTIVE_RADIUS = 2 + 3 + 1 + 2 + 4 + 4 + 4 + 8 * BLOCKS + 4 + 4 + 2 + 2 + 3 + 3


def expected_layers() -> dict[str, Shape]:
    """Name and shape of each layer; weights are (K, K, in, out)."""
    shapes: dict[str, Shape] = {}
    for number, (inputs, outputs, side) in enumerate(_CONVS):
        shapes[f"{_conv_name(number)}/weights"] = (side, side, inputs, outputs)
        shapes[f"{_conv_name(number)}/biases"] = (outputs,)
    for block in range(BLOCKS):
        for half in (1, 2):
            shapes[f"generator/block_{block}/conv{half}/weights"] = (3, 3, 128, 128)
            shapes[f"generator/block_{block}/conv{half}/biases"] = (128,)
    return shapes


def build(layers: Layers) -> Network:
    """Write the generator and its guided filter as a graph; it is local, so it can be tiled.

    Raises:
        StyleError: a layer is missing, unknown or of a wrong shape.
    """
    own = {
        name: layer
        for name, layer in layers.within(PREFIX).layers.items()
        if not name.endswith(_SLOTS)
    }
    weights = Layers(layers.source, own).take(NAME, expected_layers())
    first, last = _conv_name(0), _conv_name(len(_CONVS) - 1)
    weights[f"{first}/weights"] = weights[f"{first}/weights"][:, :, ::-1]
    weights[f"{last}/weights"] = weights[f"{last}/weights"][..., ::-1]
    weights[f"{last}/biases"] = weights[f"{last}/biases"][::-1]
    graph = Graph()

    def conv(x: str, name: str, stride: int = 1) -> str:
        weight = weights[f"{name}/weights"].transpose(3, 2, 0, 1)
        side = weight.shape[2] // 2
        sides = (side, side, side, side) if stride == 1 else (0, 0, 1, 1)
        return graph.conv(x, name, weight, weights[f"{name}/biases"], stride=stride, sides=sides)

    def leaky(x: str) -> str:
        return graph.add("LeakyRelu", [x], alpha=SLOPE)

    full = leaky(conv(graph.photo, _conv_name(0)))
    half = leaky(conv(leaky(conv(full, _conv_name(1), 2)), _conv_name(2)))
    x = leaky(conv(leaky(conv(half, _conv_name(3), 2)), _conv_name(4)))
    for block in range(BLOCKS):
        y = conv(leaky(conv(x, f"generator/block_{block}/conv1")), f"generator/block_{block}/conv2")
        x = graph.add("Add", [y, x])
    x = graph.double(leaky(conv(x, _conv_name(5))), "asymmetric")
    x = leaky(conv(graph.add("Add", [x, half]), _conv_name(6)))
    x = graph.double(leaky(conv(x, _conv_name(7))), "asymmetric")
    x = leaky(conv(graph.add("Add", [x, full]), _conv_name(8)))
    x = _guided(graph, graph.photo, conv(x, last))
    return Network(
        name=NAME,
        model=graph.finish(x, "white-box", clip=True),
        size_multiple=4,
        minimum_side=16,
        receptive_radius=RECEPTIVE_RADIUS,
        attribution=("White-box Cartoonization, Wang and Yu, CVPR 2020",),
    )


def _guided(graph: Graph, guide: str, x: str) -> str:
    """Guided filter (He, Sun, Tang 2010) of radius 1, each channel guided by the photo's own."""

    def mean(value: str) -> str:
        """The mean over 3x3 pixels, of those that lie in the picture."""
        return graph.add(
            "AveragePool", [value], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=0
        )

    def product(a: str, b: str) -> str:
        return graph.add("Mul", [a, b])

    mean_guide, mean_x = mean(guide), mean(x)
    covariance = graph.add("Sub", [mean(product(guide, x)), product(mean_guide, mean_x)])
    variance = graph.add("Sub", [mean(product(guide, guide)), product(mean_guide, mean_guide)])
    steadied = graph.add("Add", [variance, graph.constant(np.array(GUIDE_EPSILON, np.float32))])
    slope = graph.add("Div", [covariance, steadied])
    offset = graph.add("Sub", [mean_x, product(slope, mean_guide)])
    return graph.add("Add", [product(mean(slope), guide), mean(offset)])


def _conv_name(number: int) -> str:
    """TF-slim's name of the n-th convolution: Conv, Conv_1, Conv_2, ..."""
    return f"generator/Conv_{number}" if number else "generator/Conv"
