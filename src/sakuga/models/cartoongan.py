"""CartoonGAN's generator (Chen, Lai, Liu, CVPR 2018, section 3 and figure 2).

Takes and gives float (B, 3, H, W) RGB in [-1, 1]; H and W are multiples of its `size_multiple`.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn


def conv_norm(
    inputs: int, outputs: int, *, padding: Literal["zeros", "reflect"] = "zeros"
) -> nn.Sequential:
    """3x3 convolution and instance norm with affine parameters, as in the published weights."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, 1, 1, padding_mode=padding),
        nn.InstanceNorm2d(outputs, affine=True),
    )


class CartoonResidualBlock(nn.Module):
    """x + norm(conv(relu(norm(conv(x))))), 256 channels; no ReLU after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            conv_norm(channels, channels, padding="reflect"),
            nn.ReLU(),
            conv_norm(channels, channels, padding="reflect"),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class CartoonGenerator(nn.Module):
    """The generator of CartoonGAN: 11,129,667 parameters, eight residual blocks, instance norm.

    7x7 conv 64; two (stride-2, 3x3) stages to 128 and 256; eight residual blocks of 256; two
    (stride-1/2, 3x3) stages back to 128 and 64; 7x7 conv to 3; tanh. Padded by reflection at the
    ends and in the blocks, by zeros in the stages, like the published weights. Not local: instance
    norm looks at the whole picture, so tiles would differ from it.

    Args:
        epsilon: added to the variance in the norms; torch's own, or 1e-9 of the published network.
    """

    size_multiple = 4
    minimum_side = 16
    receptive_radius = None

    def __init__(self, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.head = nn.Sequential(
            nn.Conv2d(3, 64, 7, 1, 3, padding_mode="reflect"),
            nn.InstanceNorm2d(64, affine=True),
            nn.ReLU(),
        )
        self.down = nn.ModuleList(self._down(n, 2 * n) for n in (64, 128))
        self.blocks = nn.Sequential(*(CartoonResidualBlock(256) for _ in range(8)))
        self.up = nn.ModuleList(self._up(2 * n, n) for n in (128, 64))
        self.tail = nn.Conv2d(64, 3, 7, 1, 3, padding_mode="reflect")
        for module in self.modules():
            if isinstance(module, nn.InstanceNorm2d):
                module.eps = epsilon

    @staticmethod
    def _down(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, 2, 1), *conv_norm(outputs, outputs), nn.ReLU()
        )

    @staticmethod
    def _up(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(
            nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1),
            *conv_norm(outputs, outputs),
            nn.ReLU(),
        )

    def forward(self, photo: Tensor) -> Tensor:
        x = self.head(photo)  # (B, 64, H, W)
        for stage in self.down:
            x = stage(x)  # (B, 128, H/2, W/2), (B, 256, H/4, W/4)
        x = self.blocks(x)
        for stage in self.up:
            x = stage(x)  # (B, 128, H/2, W/2), (B, 64, H, W)
        return torch.tanh(self.tail(x))


def published_name(ours: str, _: tuple[int, ...]) -> str:
    """The authors' name of a layer: conv01_1.weight, in01_1.scale, deconv03_1.bias."""
    part, *places, value = ours.split(".")
    match part, [int(place) for place in places if place != "body"]:
        case "head", [place]:
            layer = ("conv01_1", "in01_1")[place]
        case "down", [stage, place]:
            layer = f"{('conv', 'conv', 'in')[place]}{stage + 2:02}_{place % 2 + 1}"
        case "blocks", [block, half, place]:
            layer = f"{('conv', 'in')[place]}{block + 4:02}_{half // 2 + 1}"
        case "up", [stage, 2]:
            layer = f"in{stage + 12}_1"
        case "up", [stage, place]:
            layer = f"deconv{stage + 1:02}_{place + 1}"
        case _:
            layer = "deconv03_1"
    if layer.startswith("in"):
        value = {"weight": "scale", "bias": "shift"}[value]
    return f"{layer}.{value}"
