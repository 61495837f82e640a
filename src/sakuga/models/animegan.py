"""AnimeGANv2's generator (Chen, Liu, Chen 2020), "lite", 2.14 M values.

Takes and gives float (B, 3, H, W) RGB in [-1, 1]; H and W are multiples of its `size_multiple`. Its
layers have the names of the published PyTorch files.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def unit(
    inputs: int, outputs: int, side: int = 3, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Padding by reflection, convolution, layer norm over (C, H, W), LeakyReLU.

    A stride of 2 is padded at the right and the bottom only.
    """
    reach = side // 2
    return nn.Sequential(
        nn.ReflectionPad2d((reach,) * 4 if stride == 1 else (0, 1, 0, 1)),
        nn.Conv2d(inputs, outputs, side, stride, groups=groups, bias=groups > 1),
        nn.GroupNorm(1, outputs),  # one group: all channels together
        nn.LeakyReLU(0.2),
    )


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow to 256; added to what came in where the channels agree."""

    def __init__(self, inputs: int, middle: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            unit(inputs, middle, 1),
            unit(middle, middle, groups=middle),
            nn.Conv2d(middle, 256, 1, bias=False),
            nn.GroupNorm(1, 256),
        )
        self.adds = inputs == 256

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return x + y if self.adds else y


class AnimeGenerator(nn.Module):
    """Four inverted residual blocks at a quarter of the size, bilinear enlargement.

    Corners are aligned in the enlargement, as the published PyTorch module does unless told
    otherwise. Not local: its norms look at the whole picture.
    """

    size_multiple = 4
    minimum_side = 16
    receptive_radius = None

    def __init__(self) -> None:
        super().__init__()
        self.block_a = nn.Sequential(unit(3, 32, 7), unit(32, 64, stride=2), unit(64, 64))
        self.block_b = nn.Sequential(unit(64, 128, stride=2), unit(128, 128))
        self.block_c = nn.Sequential(
            unit(128, 128),
            InvertedResidual(128, 256),
            *(InvertedResidual(256, 512) for _ in range(3)),
            unit(256, 128),
        )
        self.block_d = nn.Sequential(unit(128, 128), unit(128, 128))
        self.block_e = nn.Sequential(unit(128, 64), unit(64, 64), unit(64, 32, 7))
        self.out_layer = nn.Sequential(nn.Conv2d(32, 3, 1, bias=False), nn.Tanh())

    def forward(self, photo: Tensor) -> Tensor:
        x = self.block_c(self.block_b(self.block_a(photo)))  # (B, 128, H/4, W/4)
        x = self.block_d(_double(x))
        return self.out_layer(self.block_e(_double(x)))


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
