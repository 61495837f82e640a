"""Andersson and Arvidsson's generator (arXiv:2005.07702, 2020): CartoonGAN with batch norm.

Takes and gives float (B, 3, H, W) RGB; H and W are multiples of its `size_multiple`. Its layers
have the names of the published PyTorch file, which was learned on colours normalised as ImageNet's.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from sakuga.models.vgg import IMAGENET

_BLOCKS = 8
_BRIGHTER = 0.1  # added to what is painted, as the authors' own program does


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3x3, padded by reflection, without bias."""
    return nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(inputs, outputs, 3, stride, bias=False))


def norm(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(channels), nn.ReLU()


class Residual(nn.Module):
    """relu(x + norm(conv(relu(norm(conv(x))))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            conv(channels, channels),
            *norm(channels),
            conv(channels, channels),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.block(x))


class Enlarged(nn.Module):
    """(B, C, H, W) to (B, C / 2, 2 H, 2 W): a transposed convolution, and the mean over 2x2."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.shuffle = nn.ConvTranspose2d(inputs, inputs // 2, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(self.shuffle(x), 2, 1)


class AnderssonGenerator(nn.Module):
    """11,124,547 parameters. Local once it is trained: its norms are then fixed factors."""

    size_multiple = 4
    minimum_side = 16
    # How far a result looks, in pixels, from the end to the beginning: 7x7 3, 3x3 1, enlargement 2,
    # 3x3 at 1/2: 2, enlargement 4, blocks and 3x3 at 1/4: 8 each and 4, stride 2 and 3x3 at 1/2: 4,
    # stride 2: 1, 7x7 3; and a result may lie 3 pixels into its cell of 4.
    receptive_radius = 3 + 1 + 2 + 2 + 4 + 8 * _BLOCKS + 4 + 4 + 1 + 3 + 3

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(3, 64, 7, 1, 3, bias=False),
            *norm(64),
            *(conv(64, 128, 2), conv(128, 128), *norm(128)),
            *(conv(128, 256, 2), conv(256, 256), *norm(256)),
        )
        self.res = nn.Sequential(nn.Sequential(*(Residual(256) for _ in range(_BLOCKS))))
        self.up = nn.Sequential(
            *(Enlarged(256), conv(128, 128), *norm(128)),
            *(Enlarged(128), conv(64, 64), *norm(64)),
            nn.Conv2d(64, 3, 7, 1, 3),
        )

    def forward(self, photo: Tensor) -> Tensor:
        mean = photo.new_tensor(IMAGENET.mean).view(1, 3, 1, 1)
        std = photo.new_tensor(IMAGENET.std).view(1, 3, 1, 1)
        x = ((photo + 1) / 2 - mean) / std
        x = self.res(self.down(x))  # (B, 256, H/4, W/4)
        return 2 * (self.up(x) * std + mean + _BRIGHTER) - 1
