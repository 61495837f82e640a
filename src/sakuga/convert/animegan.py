"""AnimeGANv2 (Chen, Liu, Chen 2020, "lite" generator, 2.14 M values), as PyTorch files.

Convolutions padded by reflection, layer norm over (C, H, W) with a scale and a shift a channel,
LeakyReLU 0.2; four inverted residual blocks at a quarter of the size; bilinear enlargement with
aligned corners, as the published PyTorch module does unless told otherwise.
"""

from __future__ import annotations

from sakuga.convert.graph import Graph
from sakuga.convert.layers import Layers, Shape, Weights
from sakuga.convert.network import Network

NAME = "AnimeGANv2"
EPSILON = 1e-5  # of the layer norm
SLOPE = 0.2  # of LeakyReLU
# Convolutions before and after the residual blocks: name, channels in and out, kernel, stride.
_CONVS: tuple[tuple[str, int, int, int, int], ...] = (
    ("block_a.0", 3, 32, 7, 1),
    ("block_a.1", 32, 64, 3, 2),
    ("block_a.2", 64, 64, 3, 1),
    ("block_b.0", 64, 128, 3, 2),
    ("block_b.1", 128, 128, 3, 1),
    ("block_c.0", 128, 128, 3, 1),
    ("block_c.5", 256, 128, 3, 1),
    ("block_d.0", 128, 128, 3, 1),
    ("block_d.1", 128, 128, 3, 1),
    ("block_e.0", 128, 64, 3, 1),
    ("block_e.1", 64, 64, 3, 1),
    ("block_e.2", 64, 32, 7, 1),
)
# Inverted residual blocks: name, channels in, channels in the middle; all give 256.
_BLOCKS = (
    ("block_c.1", 128, 256),
    ("block_c.2", 256, 512),
    ("block_c.3", 256, 512),
    ("block_c.4", 256, 512),
)
_BLOCK_OUTPUTS = 256


def expected_layers() -> dict[str, Shape]:
    """Name and shape of each layer."""
    shapes: dict[str, Shape] = {}

    def norm(name: str, channels: int) -> None:
        shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (channels,)

    for name, inputs, outputs, side, _ in _CONVS:
        shapes[f"{name}.1.weight"] = (outputs, inputs, side, side)
        norm(f"{name}.2", outputs)
    for name, inputs, middle in _BLOCKS:
        shapes[f"{name}.layers.0.1.weight"] = (middle, inputs, 1, 1)
        norm(f"{name}.layers.0.2", middle)
        shapes[f"{name}.layers.1.1.weight"] = (middle, 1, 3, 3)
        shapes[f"{name}.layers.1.1.bias"] = (middle,)
        norm(f"{name}.layers.1.2", middle)
        shapes[f"{name}.layers.2.weight"] = (_BLOCK_OUTPUTS, middle, 1, 1)
        norm(f"{name}.layers.3", _BLOCK_OUTPUTS)
    shapes["out_layer.0.weight"] = (3, 32, 1, 1)
    return shapes


class _Writer:
    """Writes the units of the network, in order."""

    def __init__(self, weights: dict[str, Weights]) -> None:
        self.graph = Graph()
        self._weights = weights

    def conv(self, x: str, name: str, *, stride: int = 1, groups: int = 1) -> str:
        weight = self._weights[f"{name}.weight"]
        side = weight.shape[2] // 2
        # A stride of 2 is padded at the bottom and the right only.
        sides = (side, side, side, side) if stride == 1 else (0, 0, 1, 1)
        bias = self._weights.get(f"{name}.bias")
        return self.graph.conv(
            x, name, weight, bias, stride=stride, sides=sides, padding="reflect", groups=groups
        )

    def norm(self, x: str, name: str) -> str:
        scale, shift = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return self.graph.normalise_picture(x, name, scale, shift, epsilon=EPSILON, on_std=False)

    def unit(self, x: str, name: str, *, stride: int = 1, groups: int = 1) -> str:
        """Convolution, norm, LeakyReLU."""
        x = self.norm(self.conv(x, f"{name}.1", stride=stride, groups=groups), f"{name}.2")
        return self.graph.add("LeakyRelu", [x], alpha=SLOPE)

    def block(self, x: str, name: str, inputs: int, middle: int) -> str:
        """Widen, filter each channel, narrow; added to what came in where the channels agree."""
        y = self.unit(x, f"{name}.layers.0")
        y = self.unit(y, f"{name}.layers.1", groups=middle)
        y = self.norm(self.conv(y, f"{name}.layers.2"), f"{name}.layers.3")
        return self.graph.add("Add", [x, y]) if inputs == _BLOCK_OUTPUTS else y


def build(layers: Layers) -> Network:
    """Write the generator as a graph; it must see the whole picture, because of its norms.

    Raises:
        StyleError: a layer is missing, unknown or of a wrong shape.
    """
    write = _Writer(layers.take(NAME, expected_layers()))
    strides = {name: stride for name, _, _, _, stride in _CONVS}
    x = write.graph.photo
    for name in ("block_a.0", "block_a.1", "block_a.2", "block_b.0", "block_b.1", "block_c.0"):
        x = write.unit(x, name, stride=strides[name])
    for name, inputs, middle in _BLOCKS:
        x = write.block(x, name, inputs, middle)
    x = write.graph.double(write.unit(x, "block_c.5"), "align_corners")
    x = write.unit(write.unit(x, "block_d.0"), "block_d.1")
    x = write.graph.double(x, "align_corners")
    for name in ("block_e.0", "block_e.1", "block_e.2"):
        x = write.unit(x, name)
    x = write.graph.add("Tanh", [write.conv(x, "out_layer.0")])
    return Network(
        name=NAME,
        model=write.graph.finish(x, "animegan2", clip=False),
        size_multiple=4,
        minimum_side=16,
        receptive_radius=None,
        attribution=("AnimeGANv2, Chen, Liu and Chen, 2020",),
    )
