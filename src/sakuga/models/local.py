"""Sakuga's own generator: local, without normalisation.

Takes and gives float (B, 3, H, W) RGB in [-1, 1]; H and W are multiples of its `size_multiple`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(x))), 3x3. The second conv starts near zero: that replaces a norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, 1, 1)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.relu(self.first(x)))


class Painting(NamedTuple):
    """What a generator painted, and the parts it is made of; all (B, C, H, W)."""

    picture: Tensor
    base: Tensor  # colours as averaged
    tone: Tensor  # colours laid flat, without strokes
    strokes: Tensor | None = None  # logits


class LocalGenerator(nn.Module):
    """A U-Net of residual blocks that looks no further than `receptive_radius` pixels.

    Photo -> features at 1/2, 1/4 and 1/8 of the size -> back up by nearest
    neighbours with skips added -> depth-to-space to a gate and a residual. The result is

        blurred photo + gate * (photo - blurred photo) + residual,   gate in (0, 1):

    where the gate closes, texture is gone exactly, which a residual alone could only cancel; where
    it is open (eyes, letters, contours) detail passes untouched. Nothing is normalised at run time:
    a tile equals the same place of the whole picture, and brightness cannot pump between frames.

    Depth-to-space draws each pixel of a 2x2 cell with weights of its own, which left a checkerboard
    of single pixels along contours; the last step removes exactly that frequency (`drop_checkers`).

    A mean of what might be drawn is blurred, so what is crisp is decided, not averaged. With
    `decides`, a second last convolution gives three maps: where to lay colour flat and which
    colour nearby to lay (`lay_flat`), and where strokes are (`draw_strokes`).

    Args:
        width: channels at 1/2 of the size; twice and four times that at 1/4 and 1/8.
        blocks: residual blocks at 1/8.
        decides: whether it has the head that decides tones and strokes.
        gray: whether it paints without colour, whatever the photo has.
        stroke_colour, stroke_tone: of `draw_strokes`.
    """

    size_multiple = 8
    minimum_side = 8

    def __init__(
        self,
        width: int = 24,
        blocks: int = 5,
        *,
        decides: bool = False,
        gray: bool = False,
        stroke_colour: Sequence[float] = (0.0, 0.0, 0.0),
        stroke_tone: float = 0.3,
    ) -> None:
        super().__init__()
        self.gray = gray
        self.stroke_colour, self.stroke_tone = tuple(stroke_colour), stroke_tone
        half, quarter, eighth = width, 2 * width, 4 * width
        self.blocks = blocks
        self.stem = nn.Sequential(
            nn.Conv2d(3, half, 6, 2, 2), nn.ReLU(), nn.Conv2d(half, half, 3, 1, 1), nn.ReLU()
        )
        self.down_quarter = nn.Sequential(nn.Conv2d(half, quarter, 3, 2, 1), nn.ReLU())
        self.quarter_in = ResidualBlock(quarter)
        self.down_eighth = nn.Sequential(nn.Conv2d(quarter, eighth, 3, 2, 1), nn.ReLU())
        self.eighth = nn.Sequential(*(ResidualBlock(eighth) for _ in range(blocks)))
        self.up_quarter = nn.Conv2d(eighth, quarter, 1)
        self.quarter_out = ResidualBlock(quarter)
        self.up_half = nn.Conv2d(quarter, half, 1)
        last = nn.Conv2d(half, 16, 3, 1, 1)
        self.tail = nn.Sequential(nn.Conv2d(half, half, 3, 1, 1), nn.ReLU(), last)
        self.decisions = nn.Conv2d(half, 12, 3, 1, 1) if decides else None
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        assert last.bias is not None
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, ResidualBlock):
                    module.second.weight.mul_(0.1)
            last.weight.mul_(0.01)  # starts near the identity:
            last.bias[12:] = 2.0  # no residual, the gate 88 % open
            if self.decisions is not None:
                assert self.decisions.bias is not None
                self.decisions.weight.mul_(0.1)
                self.decisions.bias[:4] = -2.0  # hardly any strokes

    @property
    def receptive_radius(self) -> int:
        """Pixels an output pixel looks in each direction, at most.

        Each 3x3 conv adds its step (2, 4 or 8 pixels; a stride-2 conv that of its input); a
        pixel may sit at the far corner of a cell of 8, and space-to-depth, nearest neighbours
        and strides round to cells.
        """
        half = 2 * (2 + 2)  # stem and tail
        quarter = 2 + 4 * (2 + 2)  # stride-2 conv on halves, two residual blocks
        eighth = 4 + 8 * (2 * self.blocks)
        windows = 2 * sum(reach for reach, _ in FLAT_PASSES)  # and their windows
        flat = 0 if self.decisions is None else windows
        return half + quarter + eighth + 8 + 1 + flat  # and one of drop_checkers

    def forward(self, photo: Tensor, *, in_parts: bool = False) -> Tensor | Painting:
        """Paint a photo, (B, 3, H, W) in [-1, 1].

        Args:
            in_parts: give the `Painting` that is learned from, with soft decisions, rather than
                the picture.
        """
        base, decisions = self._paint(photo)
        if decisions is None:
            return Painting(base, base, base) if in_parts else base
        stroke, flat, calm = decisions.float().chunk(3, dim=1)
        if in_parts:
            tone = lay_flat(base, LEARNED_SLOPE * flat, calm, LEARNED_PASSES, LEARNED_LIMIT)
            picture = self._draw(tone, torch.sigmoid(LEARNED_SLOPE * stroke))
            return Painting(picture, base, tone, stroke)
        tone = lay_flat(base, FLAT_SLOPE * flat, calm, FLAT_PASSES, FLAT_LIMIT)
        return self._draw(tone, torch.sigmoid(STROKE_SLOPE * stroke + STROKE_BIAS))

    def _draw(self, tone: Tensor, share: Tensor) -> Tensor:
        return draw_strokes(tone, share, self.stroke_colour, self.stroke_tone)

    def _paint(self, photo: Tensor) -> tuple[Tensor, Tensor | None]:
        """The base, (B, 3, H, W), and the decisions, (B, 3, H, W) logits: stroke, flat, calm."""
        half = self.stem(photo)  # (B, C, H/2, W/2)
        quarter = self.quarter_in(self.down_quarter(half))  # (B, 2C, H/4, W/4)
        x = self.eighth(self.down_eighth(quarter))  # (B, 4C, H/8, W/8)
        x = quarter + F.interpolate(self.up_quarter(x), scale_factor=2, mode="nearest")
        x = F.relu(self.quarter_out(x))
        x = half + F.interpolate(self.up_half(x), scale_factor=2, mode="nearest")
        x = F.relu(x)
        x = self.tail[:2](x)  # (B, C, H/2, W/2)
        paint = F.pixel_shuffle(self.tail[2](x), 2)  # (B, 4, H, W)
        blurred = _window_mean(photo, 2)
        gated = torch.sigmoid(paint[:, 3:]) * (photo - blurred)
        base = blurred + gated + paint[:, :3]
        base = drop_checkers(luma(base).expand(-1, 3, -1, -1) if self.gray else base)
        return base, None if self.decisions is None else F.pixel_shuffle(self.decisions(x), 2)


FLAT_SLOPE = 4.0  # of the logits that say where to lay colour flat, at painting: higher is crisper
# Reach of the windows and what is added to the logits, each time that it is done: once more makes
# borders crisper still.
FLAT_PASSES = ((3, 0.8), (3, 0.0))
# Variance of a window's luma, in [-1, 1]: where the calmest nearby has more, less is laid flat.
# Leaves and print stay what they are, rather than become pebbles.
FLAT_LIMIT = 0.003
STROKE_SLOPE = 3.0  # the same of the strokes' logits
STROKE_BIAS = 5.0  # added to them: higher draws more
LEARNED_SLOPE = 2.0  # of all these logits while they are learned: soft, or no gradient is left
LEARNED_PASSES = ((3, 0.0), (2, 0.0))  # the passes meanwhile: tones are learned through both
LEARNED_LIMIT = 0.0045  # more is laid flat than at painting


def lay_flat(
    base: Tensor,
    flat: Tensor,
    calm: Tensor,
    passes: Sequence[tuple[int, float]] = ((3, 0.0),),
    limit: float | None = None,
) -> Tensor:
    """Replace soft borders by crisp ones: each pixel takes the tone of the calmest place nearby.

    A Kuwahara filter (1976) over all windows (7x7) that hold the pixel, in two means: with m and v
    mean and variance of a window,

        tone = sum w m / sum w,  w = exp(calm) / (v + 1e-4)^3.

    and the result is base + sigmoid(flat) (tone - base). Windows across a border are not calm, so
    a step stays a step, and a ramp becomes one. A mean over a square is one over its rows, then
    its columns.

    Args:
        base: (B, 3, H, W) in [-1, 1].
        flat: (B, 1, H, W) logits: where.
        calm: (B, 1, H, W), what the network adds to the preference for a place.
        passes: for each time it is done, pixels from the middle of a window to its border, and
            what is added to `flat`.
        limit: l; the share is sigmoid(flat) l / (l + sum w v / sum w), so that little is laid flat
            where no place nearby is calm. None: all of sigmoid(flat).
    """
    with torch.autocast(base.device.type, enabled=False):
        tone = base.float()
        flat, favour = flat.float(), torch.exp(calm.float().clamp(-8, 8))
        for reach, bias in passes:
            means = _window_mean(torch.cat([tone, luma(tone) ** 2], dim=1), reach)
            mean = means[:, :3]
            unrest = (means[:, 3:] - luma(mean) ** 2).clamp(min=0) + 1e-4
            weight = favour / (unrest * unrest * unrest)
            share, weighed = torch.sigmoid(flat + bias), [mean * weight, weight]
            if limit is not None:
                weighed.append(weight * unrest)
            sums = _window_mean(torch.cat(weighed, dim=1), reach)
            if limit is not None:
                share = share * limit / (limit + sums[:, 4:] / sums[:, 3:4])
            tone = tone + share * (sums[:, :3] / sums[:, 3:4] - tone)
        return tone


def _window_mean(maps: Tensor, reach: int) -> Tensor:
    """Mean over windows of 2 reach + 1 pixels, of what lies inside the picture."""
    side = 2 * reach + 1
    rows = F.avg_pool2d(maps, (1, side), 1, (0, reach), count_include_pad=False)
    return F.avg_pool2d(rows, (side, 1), 1, (reach, 0), count_include_pad=False)


def luma(pictures: Tensor) -> Tensor:
    """Weigh (B, 3, H, W) RGB into (B, 1, H, W) luma, same range (ITU-R BT.601)."""
    red, green, blue = pictures.chunk(3, dim=1)
    return 0.299 * red + 0.587 * green + 0.114 * blue


def draw_strokes(
    base: Tensor,
    share: Tensor,
    stroke_colour: Sequence[float] = (0.0, 0.0, 0.0),
    stroke_tone: float = 0.3,
) -> Tensor:
    """Ink strokes: c + .9 p (t c^2 + (1 - t) s - c), c the base in [0, 1].

    Args:
        base: (B, 3, H, W) in [-1, 1].
        share: (B, 1, H, W) in [0, 1], p: 1 is ink.
        stroke_colour: RGB in [0, 1], s.
        stroke_tone: 0 to 1, t: how much of the darkened local colour is in a stroke.
    """
    # The same in [-1, 1], whatever the ink: styles of two inks stay one graph, and can be blended.
    pure = base.new_tensor([2 * (1 - stroke_tone) * value - 1 for value in stroke_colour])
    bright = base + 1
    inked = stroke_tone / 2 * (bright * bright) + pure.view(1, 3, 1, 1)
    return base + 0.9 * share * (inked - base)


def drop_checkers(pictures: Tensor) -> Tensor:
    """Remove the checkerboard of single pixels from (B, C, H, W), and little else.

    x - d_y d_x x with the second difference d = [1, -2, 1] / 4: its frequency response is
    1 - sin^2(u / 2) sin^2(v / 2), which is 0 at the checkerboard (pi, pi) and 1 on every
    horizontal or vertical frequency. Borders are repeated.
    """
    channels = pictures.shape[1]
    second = pictures.new_tensor([1.0, -2.0, 1.0]) / 4
    kernel = -second.outer(second)
    kernel[1, 1] += 1
    with torch.autocast(pictures.device.type, enabled=False):  # eight bits would band a sky
        padded = F.pad(pictures.float(), (1, 1, 1, 1), mode="replicate")
        kernels = kernel.float().expand(channels, 1, 3, 3)
        return F.conv2d(padded, kernels, groups=channels)


def count_parameters(network: nn.Module) -> int:
    """Number of learned values, biases included."""
    return sum(parameter.numel() for parameter in network.parameters())
