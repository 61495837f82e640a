"""Photos into the flat, inked pictures a cel painter would start from: what structure aims at.

All functions take and give (B, C, H, W) float32 tensors with values in [0, 1] and run on the
tensor's device, without gradients, inside a training step.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sakuga.models.local import luma
from sakuga.train.config import TrainConfig


def gaussian_blur(pictures: Tensor, sigma: float) -> Tensor:
    """Blur (B, C, H, W) by a Gaussian of `sigma` pixels, cut at 3 sigma, borders reflected."""
    radius = min(max(1, round(3 * sigma)), min(pictures.shape[-2:]) - 1)
    offsets = torch.arange(-radius, radius + 1, device=pictures.device, dtype=pictures.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    planes = F.pad(pictures, (radius,) * 4, mode="reflect").flatten(0, 1).unsqueeze(1)
    # Eight bits of mantissa would band a gradient, and are slow here: never in bf16.
    with torch.autocast(pictures.device.type, enabled=False):
        planes = F.conv2d(planes.to(kernel.dtype), kernel)
        planes = F.conv2d(planes, kernel.transpose(2, 3))
    return planes.view(pictures.shape)


@torch.no_grad()
def l0_flatten(
    pictures: Tensor, strength: float | Tensor = 0.01, *, kappa: float = 2.0, iterations: int = 15
) -> Tensor:
    """Flatten by L0 gradient minimisation (Xu, Lu, Xu, Jia, SIGGRAPH Asia 2011).

    Minimises  sum (S - I)^2 + strength * #{pixels with a gradient}  by half-quadratic splitting:
    each round keeps the gradients (h, v) whose square exceeds strength / beta (algorithm 1, eq.
    12) and solves for S by FFT (eq. 8); beta starts at twice the mean strength and grows by
    `kappa`.

    Args:
        pictures: (B, C, H, W) in [0, 1]. Borders are mirrored, so that opposite sides do not meet.
        strength: lambda of the paper; a (B, 1, H, W) map flattens some places more than others.
        kappa: growth of beta a round.
        iterations: rounds; 15 from lambda 0.01 end near beta 650.

    Returns:
        (B, C, H, W) in [0, 1].
    """
    height, width = pictures.shape[-2:]
    margin = min(16, height - 1, width - 1)
    guide = F.pad(pictures.float(), (margin,) * 4, mode="reflect")
    beta: Tensor | float
    if isinstance(strength, Tensor):
        strength = F.pad(strength.float(), (margin,) * 4, mode="reflect")
        # Of each picture by itself: what a picture becomes must not depend on its batch.
        beta = 2.0 * strength.mean(dim=(1, 2, 3), keepdim=True)
    else:
        beta = 2.0 * strength
    tall, wide = guide.shape[-2:]
    angle_x = torch.fft.rfftfreq(wide, device=guide.device) * (2 * torch.pi)
    angle_y = torch.fft.fftfreq(tall, device=guide.device) * (2 * torch.pi)
    # |F(dx)|^2 + |F(dy)|^2 of forward differences: 4 - 2 cos - 2 cos, (H, W // 2 + 1).
    laplacian = 4 - 2 * torch.cos(angle_x)[None, :] - 2 * torch.cos(angle_y)[:, None]
    guide_spectrum = torch.fft.rfft2(guide)
    flat = guide
    for _ in range(iterations):
        across = torch.roll(flat, -1, dims=3) - flat
        down = torch.roll(flat, -1, dims=2) - flat
        energy = (across.square() + down.square()).sum(dim=1, keepdim=True)
        kept = energy > strength / beta
        across, down = across * kept, down * kept
        divergence = torch.roll(across, 1, 3) - across + torch.roll(down, 1, 2) - down
        spectrum = guide_spectrum + beta * torch.fft.rfft2(divergence)
        flat = torch.fft.irfft2(spectrum / (1 + beta * laplacian), s=(tall, wide))
        beta = beta * kappa
    return flat[..., margin : margin + height, margin : margin + width].clamp(0, 1)


@torch.no_grad()
def ink_lines(
    lightness: Tensor,
    *,
    sigma: float = 1.0,
    ratio: float = 1.6,
    tau: float = 0.985,
    slope: float = 80,
) -> Tensor:
    """Draw lines where lightness dips: XDoG (Winnemoeller, Kyprianidis, Olsen 2012, eq. 5 and 7).

    D = G(sigma) - tau G(ratio sigma); a line is 1 (paper) where D >= 0, else 1 + tanh(slope D).

    Args:
        lightness: (B, 1, H, W) in [0, 1].

    Returns:
        (B, 1, H, W) in [0, 1], to be multiplied in: 0 is ink, 1 is paper.
    """
    difference = gaussian_blur(lightness, sigma) - tau * gaussian_blur(lightness, sigma * ratio)
    return 1 + torch.tanh(slope * difference.clamp(max=0))


@torch.no_grad()
def kuwahara(pictures: Tensor, radius: int = 2, sharpness: float = 4.0) -> Tensor:
    """Paint over texture: each pixel takes the calmest of the four squares it is a corner of.

    The generalised filter of Kuwahara (1976; Papari et al. 2007): means weighted by
    variance^-sharpness, which keeps contours crisp where a blur would not.

    Args:
        pictures: (B, 3, H, W) in [0, 1].
        radius: pixels; the squares have radius + 1 pixels a side.
    """
    height, width = pictures.shape[-2:]
    lightness = luma(pictures)
    moments = torch.cat([pictures, lightness, lightness.square()], dim=1)
    moments = F.pad(moments, (radius,) * 4, mode="reflect")
    means = F.avg_pool2d(moments, radius + 1, stride=1)  # (B, 5, H + radius, W + radius)
    total = weights = torch.zeros_like(lightness)
    for top in (0, radius):
        for left in (0, radius):
            square = means[..., top : top + height, left : left + width]
            variance = (square[:, 4:5] - square[:, 3:4].square()).clamp(min=0)
            weight = (variance * 255**2 + 1) ** -sharpness
            total = total + square[:, :3] * weight
            weights = weights + weight
    return total / weights


@torch.no_grad()
def cel_target(photos: Tensor, config: TrainConfig) -> tuple[Tensor, Tensor]:
    """Paint photos as flat colour blocks with dark contours: what the structure terms aim at.

    Texture (foliage, fur, gravel: high local contrast everywhere) is painted over by `kuwahara` and
    flattened more; calm places (skies, skin) are only flattened, so that clouds and cheeks stay.
    Fine detail that stands out from either (eyes, letters) is kept, unless it crowds (leaves).
    Ink is drawn on the contours of a picture flattened four times as much, so that only salient
    ones get a line; it fades where lines crowd (foliage would turn to scribble) and on light
    ground (clouds).

    Args:
        photos: (B, 3, H, W) in [0, 1].
        config: its part "the cel target" has a line on each setting; at medium texture `flatten` is
            the lambda of `l0_flatten`, and calm places keep a brush of 2 pixels, or eyes would go.

    Returns:
        The picture, (B, 3, H, W) in [0, 1], and its lines, (B, 1, H, W): 0 paper, 1 ink.
    """
    lightness = luma(photos)
    contrast = gaussian_blur((lightness - gaussian_blur(lightness, 2)).abs(), 8)
    texture = ((contrast - 0.015) / 0.05).clamp(0, 1)  # 0: sky, skin; 1: foliage, fur
    painted = kuwahara(photos)
    if config.brush != 2:
        painted = torch.lerp(painted, kuwahara(photos, config.brush), texture)
    fine = photos - painted
    accents = (2 * gaussian_blur(luma(fine).abs(), 1) / config.accent - 1).clamp(0, 1)
    accents = accents * (1 - ((gaussian_blur(accents, 8) - 0.2) / 0.2).clamp(0, 0.7))
    common = 0.5 * (1 - texture) + config.detail * texture
    share = torch.lerp(common, torch.ones_like(texture), accents)
    base = painted + fine * share
    local_strength = config.flatten * (0.5 + 1.5 * texture) * (1 - 0.8 * accents)
    flat = l0_flatten(base, local_strength)
    contours = luma(l0_flatten(painted, 4 * local_strength))
    lines = 1 - ink_lines(contours, sigma=config.line_width, tau=0.98, slope=config.line_slope)
    crowding = gaussian_blur(lines, 8)
    lines = lines * (1 - ((crowding - 0.12) / 0.15).clamp(0, 0.9))
    lines = lines * (1 - ((contours - config.line_light) / 0.3).clamp(0, 1))
    inked = flat * (1 - config.ink * lines)
    gray = luma(inked)
    vivid = (gray + (inked - gray) * config.vividness).clamp(0, 1) ** config.gamma
    black, white = (
        vivid.new_tensor(colour).view(1, 3, 1, 1)
        for colour in (config.ink_colour, config.paper_colour)
    )
    return torch.lerp(black, white, vivid), lines
