"""CartoonGAN light: CartoonGAN's shape made of ShuffleNet V2 units (Ma et al., ECCV 2018).

878,433 learned values, published as checkpoints of TensorFlow 2. Its norms take mean and deviation
over the whole picture and all channels, and have one scale and one shift each (the defaults of the
Keras layer it used). Colours are RGB; "same" padding of a stride-2 convolution adds a row and a
column at the bottom and the right.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sakuga.convert.graph import Graph
from sakuga.convert.layers import Layers, Shape, Weights
from sakuga.convert.network import Network

NAME = "CartoonGAN light"
EPSILON = 1e-3  # added to the standard deviation
BASE = 96  # channels at full size
BLOCKS = 8
_VARIABLE = "/.ATTRIBUTES/VARIABLE_VALUE"
_ROOTS = (
    *("flat_conv1", "down_conv1", "down_conv2", "residual_blocks"),
    *("up_conv1", "up_conv2", "final_conv"),
)


def shorten(layers: Layers) -> Layers:
    """Name the generator's layers by place: "final_conv/0/kernel".

    Keras names the parts of a sequence "layer_with_weights-N", N counting only those with weights,
    or "layer-N", N counting all. Optimiser slots and counters are left out.
    """
    names = [
        name.removesuffix(_VARIABLE)
        for name in layers.layers
        if name.endswith(_VARIABLE)
        and ".OPTIMIZER_SLOT" not in name
        and name.split("/")[0] in _ROOTS
    ]
    used: dict[str, set[int]] = defaultdict(set)  # numbers of "layer-N" below each part
    for name in names:
        for match in re.finditer(r"(?<=/)layer-(\d{1,4})/", name):
            used[name[: match.start()]].add(int(match[1]))
    short = {}
    for name in names:

        def place(match: re.Match[str], name: str = name) -> str:
            if match[1]:
                return match[2]
            return str(sorted(used[name[: match.start()]]).index(int(match[2])))

        key = re.sub(r"(?<=/)layer(_with_weights)?-(\d{1,4})(?=/)", place, name)
        short[key] = layers.layers[name + _VARIABLE]
    return Layers(layers.source, short)


def expected_layers() -> dict[str, Shape]:
    """Name (after `shorten`) and shape of each layer; kernels are (K, K, in, out)."""
    shapes: dict[str, Shape] = {}

    def part(prefix: str, *kinds: tuple[str, Shape]) -> None:
        for place, (kind, shape) in enumerate(kinds):
            if kind == "norm":
                shapes[f"{prefix}/{place}/gamma"] = shapes[f"{prefix}/{place}/beta"] = (1,)
                continue
            shapes[f"{prefix}/{place}/{kind.removesuffix('+bias')}"] = shape
            if kind.endswith("+bias"):
                shapes[f"{prefix}/{place}/bias"] = shape[-1:]

    def depthwise(channels: int) -> tuple[str, Shape]:
        return "depthwise_kernel", (3, 3, channels, 1)

    def point(inputs: int, outputs: int) -> tuple[str, Shape]:
        return "kernel", (1, 1, inputs, outputs)

    norm: tuple[str, Shape] = ("norm", ())

    def basic(prefix: str, channels: int) -> None:
        half = channels // 2
        unit = (point(half, half), norm, depthwise(half), norm, point(half, half), norm)
        part(prefix, *unit)

    part("flat_conv1/model", ("kernel+bias", (5, 5, 3, BASE)), norm)
    for number in (1, 2):
        inputs = BASE * number
        half = inputs  # each side gives half of twice the channels
        right = (point(inputs, half), norm, depthwise(half), norm, point(half, half))
        part(f"down_conv{number}/r_model", *right)
        part(f"down_conv{number}/l_model", depthwise(inputs), norm, point(inputs, half))
        part(f"down_conv{number}/bn_act", norm)
    for block in range(BLOCKS):
        basic(f"residual_blocks/{block}/model", 4 * BASE)
    for number, outputs in ((1, 2 * BASE), (2, BASE)):
        part(f"up_conv{number}/model", ("kernel+bias", (1, 1, 2 * outputs, outputs)))
        basic(f"up_conv{number}/model/1/model", outputs)
    part("final_conv", ("kernel+bias", (5, 5, BASE, 3)))
    return shapes


class _Writer:
    """Writes the units of the network, in order."""

    def __init__(self, weights: dict[str, Weights]) -> None:
        self.graph = Graph()
        self._weights = weights

    def conv(self, x: str, name: str, side: int = 0) -> str:
        weight = self._weights[f"{name}/kernel"].transpose(3, 2, 0, 1)
        bias = self._weights.get(f"{name}/bias")
        return self.graph.conv(x, name, weight, bias, sides=(side, side, side, side))

    def depthwise(self, x: str, name: str, stride: int = 1) -> str:
        weight = self._weights[f"{name}/depthwise_kernel"].transpose(2, 3, 0, 1)
        sides = (1, 1, 1, 1) if stride == 1 else (0, 0, 1, 1)
        return self.graph.conv(x, name, weight, stride=stride, sides=sides, groups=len(weight))

    def norm(self, x: str, name: str) -> str:
        gamma, beta = self._weights[f"{name}/gamma"], self._weights[f"{name}/beta"]
        return self.graph.normalise_picture(x, name, gamma, beta, epsilon=EPSILON, on_std=True)

    def relu(self, x: str) -> str:
        return self.graph.add("Relu", [x])

    def halves(self, x: str, channels: int) -> Iterator[str]:
        """The first and the second half of the channels."""
        axis = self.graph.constant(_whole(1))
        for start in (0, channels // 2):
            limits = [self.graph.constant(_whole(n)) for n in (start, start + channels // 2)]
            yield self.graph.add("Slice", [x, *limits, axis])

    def shuffled(self, left: str, right: str, channels: int) -> str:
        """Join two halves and let their channels alternate."""
        x = self.graph.add("Concat", [left, right], axis=1)
        order = np.arange(channels).reshape(2, -1).T.ravel()
        return self.graph.add("Gather", [x, self.graph.constant(order)], axis=1)

    def basic(self, x: str, name: str, channels: int) -> str:
        """One half stays, the other passes pointwise, depthwise and pointwise convolutions."""
        left, right = self.halves(x, channels)
        y = self.relu(self.norm(self.conv(right, f"{name}/0"), f"{name}/1"))
        y = self.norm(self.depthwise(y, f"{name}/2"), f"{name}/3")
        y = self.relu(self.norm(self.conv(y, f"{name}/4"), f"{name}/5"))
        return self.shuffled(left, y, channels)

    def down(self, x: str, name: str, channels: int) -> str:
        """Half the size, twice the channels: two ways through, joined, normalised and shuffled."""
        left = self.norm(self.depthwise(x, f"{name}/l_model/0", 2), f"{name}/l_model/1")
        left = self.conv(left, f"{name}/l_model/2")
        right = self.relu(self.norm(self.conv(x, f"{name}/r_model/0"), f"{name}/r_model/1"))
        right = self.norm(self.depthwise(right, f"{name}/r_model/2", 2), f"{name}/r_model/3")
        right = self.conv(right, f"{name}/r_model/4")
        x = self.graph.add("Concat", [left, right], axis=1)
        x = self.relu(self.norm(x, f"{name}/bn_act/0"))
        left, right = self.halves(x, channels)
        return self.shuffled(left, right, channels)

    def up(self, x: str, name: str, channels: int) -> str:
        """Twice the size, half the channels."""
        x = self.conv(self.graph.double(x, "half_pixel"), f"{name}/model/0")
        return self.basic(x, f"{name}/model/1/model", channels)


def build(layers: Layers) -> Network:
    """Write the generator as a graph; it must see the whole picture, because of its norms.

    Raises:
        StyleError: a layer is missing, unknown or of a wrong shape.
    """
    write = _Writer(shorten(layers).take(NAME, expected_layers()))
    x = write.conv(write.graph.photo, "flat_conv1/model/0", side=2)
    x = write.relu(write.norm(x, "flat_conv1/model/1"))
    x = write.down(x, "down_conv1", 2 * BASE)
    x = write.down(x, "down_conv2", 4 * BASE)
    for block in range(BLOCKS):
        x = write.basic(x, f"residual_blocks/{block}/model", 4 * BASE)
    x = write.up(x, "up_conv1", 2 * BASE)
    x = write.up(x, "up_conv2", BASE)
    x = write.graph.add("Tanh", [write.conv(x, "final_conv/0", side=2)])
    return Network(
        name=NAME,
        model=write.graph.finish(x, "cartoongan-light", clip=False),
        size_multiple=4,
        minimum_side=16,
        receptive_radius=None,
        attribution=(
            "CartoonGAN, Chen, Lai and Liu, CVPR 2018",
            "CartoonGAN light for TensorFlow 2, by its authors",
        ),
    )


def _whole(value: int) -> NDArray[np.int64]:
    return np.array([value], np.int64)
