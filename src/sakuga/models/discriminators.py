"""The two discriminators: pictures (B, C, H, W) in [-1, 1] to a map of logits, one a patch."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from sakuga.models.cartoongan import conv_norm


class CartoonDiscriminator(nn.Module):
    """CartoonGAN's discriminator: LeakyReLU 0.2, instance norm, logits (B, 1, H/4, W/4)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 32, 3, 1, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 64, 3, 2, 1),
            nn.LeakyReLU(0.2),
            *conv_norm(64, 128),
            nn.LeakyReLU(0.2),
            nn.Conv2d(128, 128, 3, 2, 1),
            nn.LeakyReLU(0.2),
            *conv_norm(128, 256),
            nn.LeakyReLU(0.2),
            *conv_norm(256, 256),
            nn.LeakyReLU(0.2),
            nn.Conv2d(256, 1, 3, 1, 1),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        return self.body(pictures)


class PatchDiscriminator(nn.Module):
    """Spectral-norm patches (Miyato et al. 2018), LeakyReLU 0.2, logits (B, 1, H/4, W/4).

    Sees patches of 25 pixels: lines and shading, not the picture's content.

    Args:
        channels: 1 for gray texture, 3 for blurred colour.
        width: channels of the first layer.
    """

    def __init__(self, channels: Literal[1, 3], width: int = 32) -> None:
        super().__init__()
        plan = [(channels, width, 1), (width, 2 * width, 2), (2 * width, 4 * width, 2)]
        plan += [(4 * width, 4 * width, 1)]
        layers: list[nn.Module] = []
        for inputs, outputs, stride in plan:
            conv = nn.Conv2d(inputs, outputs, 3, stride, 1)
            layers += [spectral_norm(conv), nn.LeakyReLU(0.2)]
        layers.append(spectral_norm(nn.Conv2d(4 * width, 1, 3, 1, 1)))
        self.body = nn.Sequential(*layers)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.body(pictures)
