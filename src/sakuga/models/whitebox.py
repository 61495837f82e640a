"""White-box Cartoonization (Wang and Yu, CVPR 2020): a U-Net without norms, then a guided filter.

Takes and gives float (B, 3, H, W) RGB; H and W are multiples of its `size_multiple`. Published as
checkpoints of TensorFlow 1, whose "same" padding of a stride-2 convolution adds a row and a column
at the bottom and the right, and whose bilinear enlargement looks at i / 2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sakuga.models.readers.layers import Layers

_BLOCKS = 4
_GUIDE_EPSILON = 5e-3


class WhiteBoxGenerator(nn.Module):
    """1.47 M values. Its convolutions stand in the order in which the checkpoints number them."""

    size_multiple = 4
    minimum_side = 16
    # How far a result looks to the right and down, in pixels, from the end to the beginning: guided
    # filter 2, 7x7 at full size 3, 3x3 1, enlargement 2, two 3x3 at 1/2: 4, enlargement 4, 3x3 at
    # 1/4: 4, four blocks 32, 3x3 4, stride 2 at 1/2: 4, 3x3 at 1/2: 2, stride 2: 2, 7x7 3; and a
    # result may lie 3 pixels into its cell of 4.
    receptive_radius = 2 + 3 + 1 + 2 + 4 + 4 + 4 + 8 * _BLOCKS + 4 + 4 + 2 + 2 + 3 + 3

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(3, 32, 7, 1, 3),
                nn.Conv2d(32, 32, 3, 2),  # to 1/2
                nn.Conv2d(32, 64, 3, 1, 1),
                nn.Conv2d(64, 64, 3, 2),  # to 1/4
                nn.Conv2d(64, 128, 3, 1, 1),
                nn.Conv2d(128, 64, 3, 1, 1),
                nn.Conv2d(64, 64, 3, 1, 1),  # at 1/2 again
                nn.Conv2d(64, 32, 3, 1, 1),
                nn.Conv2d(32, 32, 3, 1, 1),  # at full size
                nn.Conv2d(32, 3, 7, 1, 3),
            ]
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(128, 128, 3, 1, 1), nn.LeakyReLU(0.2), nn.Conv2d(128, 128, 3, 1, 1)
            )
            for _ in range(_BLOCKS)
        )

    def forward(self, photo: Tensor) -> Tensor:
        full = self._leaky(0, photo)  # (B, 32, H, W)
        half = self._leaky(2, self._leaky(1, _pad_end(full)))  # (B, 64, H/2, W/2)
        x = self._leaky(4, self._leaky(3, _pad_end(half)))  # (B, 128, H/4, W/4)
        for block in self.blocks:
            x = x + block(x)
        x = self._leaky(6, _double(self._leaky(5, x)) + half)
        x = self._leaky(8, _double(self._leaky(7, x)) + full)
        return guided_filter(photo, self.convs[9](x))

    def _leaky(self, number: int, x: Tensor) -> Tensor:
        return F.leaky_relu(self.convs[number](x), 0.2)


def guided_filter(guide: Tensor, x: Tensor) -> Tensor:
    """Guided filter (He, Sun, Tang 2010) of radius 1, each channel guided by the photo's own."""

    def mean(value: Tensor) -> Tensor:
        """The mean over 3x3 pixels, of those that lie in the picture."""
        return F.avg_pool2d(value, 3, 1, 1, count_include_pad=False)

    mean_guide, mean_x = mean(guide), mean(x)
    covariance = mean(guide * x) - mean_guide * mean_x
    variance = mean(guide * guide) - mean_guide * mean_guide
    slope = covariance / (variance + _GUIDE_EPSILON)
    offset = mean_x - slope * mean_guide
    return mean(slope) * guide + mean(offset)


def generator_layers(layers: Layers) -> Layers:
    """Those of the generator, without what an optimiser keeps of each and the discriminators."""
    slots = ("/Adam", "/Adam_1", "/RMSProp", "/Momentum")
    own = {
        name: layer
        for name, layer in layers.layers.items()
        if name.startswith("generator/") and not name.endswith(slots)
    }
    return Layers(layers.source, own)


def published_name(ours: str, _: tuple[int, ...]) -> str:
    """TF-slim's name of a layer: generator/Conv, generator/Conv_1, generator/block_0/conv1."""
    kind, number, *half, value = ours.split(".")
    values = "weights" if value == "weight" else "biases"
    if kind == "blocks":
        return f"generator/block_{number}/conv{int(half[0]) // 2 + 1}/{values}"
    return f"generator/Conv_{number}/{values}" if number != "0" else f"generator/Conv/{values}"


def _pad_end(x: Tensor) -> Tensor:
    return F.pad(x, (0, 1, 0, 1))


def _double(x: Tensor) -> Tensor:
    """Bilinear at i / 2: even pixels are copies, odd ones the mean of two neighbours."""
    for axis in (2, 3):
        after = torch.cat([x.narrow(axis, 1, x.shape[axis] - 1), x.narrow(axis, -1, 1)], axis)
        x = torch.stack([x, (x + after) / 2], axis + 1).flatten(axis, axis + 1)
    return x
