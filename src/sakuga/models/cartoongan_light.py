"""CartoonGAN light: CartoonGAN's shape made of ShuffleNet V2 units (Ma et al., ECCV 2018).

Takes and gives float (B, 3, H, W) RGB in [-1, 1]; H and W are multiples of its `size_multiple`. Its
layers have the names of the published TensorFlow 2 checkpoints, as
`generator_layers` shortens them.
"""

from __future__ import annotations

import re
from collections import defaultdict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sakuga.models.readers.layers import Layers

_BASE = 96  # channels at full size
_BLOCKS = 8
_VARIABLE = "/.ATTRIBUTES/VARIABLE_VALUE"
_ROOTS = (
    *("flat_conv1", "down_conv1", "down_conv2", "residual_blocks"),
    *("up_conv1", "up_conv2", "final_conv"),
)


class PictureNorm(nn.Module):
    """Mean and deviation over the whole picture and all channels; one scale, one shift.

    The defaults of the Keras layer the network used. Epsilon is added to the deviation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(1))
        self.beta = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean((1, 2, 3), keepdim=True)
        deviation = (centred * centred).mean((1, 2, 3), keepdim=True).sqrt()
        return centred / (deviation + 1e-3) * self.gamma + self.beta


def point(inputs: int, outputs: int, *, bias: bool = False) -> nn.Conv2d:
    """A 1x1 convolution."""
    return nn.Conv2d(inputs, outputs, 1, bias=bias)


def depthwise(channels: int, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution of each channel by itself; before a stride of 2 its input is padded."""
    return nn.Conv2d(channels, channels, 3, stride, int(stride == 1), groups=channels, bias=False)


def shuffled(left: Tensor, right: Tensor) -> Tensor:
    """Join two halves and let their channels alternate."""
    return torch.stack([left, right], 2).flatten(1, 2)


class BasicUnit(nn.Module):
    """One half stays, the other passes pointwise, depthwise and pointwise convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.model = nn.ModuleList(
            [
                point(half, half), PictureNorm(),
                depthwise(half), PictureNorm(),
                point(half, half), PictureNorm(),
            ]
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        left, y = x.chunk(2, 1)
        first, first_norm, middle, middle_norm, last, last_norm = self.model
        y = F.relu(first_norm(first(y)))
        y = middle_norm(middle(y))
        return shuffled(left, F.relu(last_norm(last(y))))


class DownUnit(nn.Module):
    """Half the size, twice the channels: two ways through, joined, normalised and shuffled."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        half = inputs  # each way gives half of twice the channels
        self.r_model = nn.ModuleList(
            [
                point(inputs, half), PictureNorm(),
                depthwise(half, 2), PictureNorm(),
                point(half, half),
            ]
        )  # fmt: skip
        self.l_model = nn.ModuleList([depthwise(inputs, 2), PictureNorm(), point(inputs, half)])
        self.bn_act = nn.ModuleList([PictureNorm()])

    def forward(self, x: Tensor) -> Tensor:
        filtered, norm, last = self.l_model
        left = last(norm(filtered(_pad_end(x))))
        first, first_norm, filtered, norm, last = self.r_model
        right = F.relu(first_norm(first(x)))
        right = last(norm(filtered(_pad_end(right))))
        x = F.relu(self.bn_act[0](torch.cat([left, right], 1)))
        return shuffled(*x.chunk(2, 1))


class UpUnit(nn.Module):
    """Twice the size, half the channels."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.model = nn.ModuleList([point(2 * outputs, outputs, bias=True), BasicUnit(outputs)])

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        narrow, basic = self.model
        return basic(narrow(x))


class FlatUnit(nn.Module):
    """The first convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.ModuleList([nn.Conv2d(3, _BASE, 5, 1, 2), PictureNorm()])

    def forward(self, photo: Tensor) -> Tensor:
        conv, norm = self.model
        return F.relu(norm(conv(photo)))


class LightGenerator(nn.Module):
    """878,433 values. Not local: its norms look at the whole picture."""

    size_multiple = 4
    minimum_side = 16
    receptive_radius = None

    def __init__(self) -> None:
        super().__init__()
        self.flat_conv1 = FlatUnit()
        self.down_conv1 = DownUnit(_BASE)
        self.down_conv2 = DownUnit(2 * _BASE)
        self.residual_blocks = nn.Sequential(*(BasicUnit(4 * _BASE) for _ in range(_BLOCKS)))
        self.up_conv1 = UpUnit(2 * _BASE)
        self.up_conv2 = UpUnit(_BASE)
        self.final_conv = nn.Sequential(nn.Conv2d(_BASE, 3, 5, 1, 2), nn.Tanh())

    def forward(self, photo: Tensor) -> Tensor:
        x = self.down_conv2(self.down_conv1(self.flat_conv1(photo)))  # (B, 384, H/4, W/4)
        x = self.up_conv1(self.residual_blocks(x))
        return self.final_conv(self.up_conv2(x))


def _pad_end(x: Tensor) -> Tensor:
    """A row and a column of zeros, where TensorFlow's "same" puts them before a stride of 2."""
    return F.pad(x, (0, 1, 0, 1))


def generator_layers(layers: Layers) -> Layers:
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


def published_name(ours: str, shape: tuple[int, ...]) -> str:
    """The name of a layer after `generator_layers`: final_conv/0/kernel."""
    *places, value = ours.split(".")
    if value == "weight":
        value = "depthwise_kernel" if shape[1] == 1 else "kernel"
    return "/".join([*places, value])
