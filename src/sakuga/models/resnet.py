"""ResNet-50 (He et al. 2015, arXiv:1512.03385) as far as its average pool, in plain PyTorch."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STAGES = ((3, 64), (4, 128), (6, 256), (3, 512))  # blocks and inner channels of layer1 .. layer4
EXPANSION = 4  # a block gives four times its inner channels
FEATURES = STAGES[-1][1] * EXPANSION  # 2048

# Two networks go by this name, with the same parameters: that of the paper (version 1), here as
# Keras has it, and torchvision's (1.5). Weights of the one in the other give plausible nonsense.
Version = Literal["1", "1.5"]
BATCH_NORM_EPSILON: dict[Version, float] = {"1": 1e-3, "1.5": 1e-5}


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions and a shortcut; the stride is in the first, or in the second."""

    def __init__(self, inputs: int, inner: int, stride: int, version: Version = "1") -> None:
        super().__init__()
        outputs = inner * EXPANSION
        epsilon = BATCH_NORM_EPSILON[version]
        first, second = (stride, 1) if version == "1" else (1, stride)
        self.conv1 = nn.Conv2d(inputs, inner, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(inner, epsilon)
        self.conv2 = nn.Conv2d(inner, inner, 3, second, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner, epsilon)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs, epsilon)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                nn.BatchNorm2d(outputs, epsilon),
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, 4 inner, H / stride, W / stride)."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class ResNet50(nn.Module):
    """Pictures (B, 3, H, W), already normalised, to features (B, 2048).

    Parameters carry torchvision's names. The classifier is left out.
    """

    def __init__(self, version: Version = "1") -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64, BATCH_NORM_EPSILON[version])
        channels = 64
        for number, (blocks, inner) in enumerate(STAGES, start=1):
            stage = nn.Sequential()
            for block in range(blocks):
                stride = 2 if block == 0 and number > 1 else 1
                stage.append(Bottleneck(channels, inner, stride, version))
                channels = inner * EXPANSION
            self.add_module(f"layer{number}", stage)

    def forward(self, pictures: Tensor) -> Tensor:
        """Features (B, 2048): the average over all places of the last stage."""
        x = F.relu(self.bn1(self.conv1(pictures)))
        x = F.max_pool2d(x, 3, 2, 1)
        for number in range(1, len(STAGES) + 1):
            x = self.get_submodule(f"layer{number}")(x)
        return torch.flatten(F.adaptive_avg_pool2d(x, 1), 1)
