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
    sides: Tensor | None = None  # logits: which of two tones
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
    `decides`, a second last convolution gives three maps: where to lay colour flat (`lay_flat`),
    which of two tones a pixel has (`two_tones`), and where strokes are (`draw_strokes`).

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
        self.choices = nn.Conv2d(half, 12, 3, 1, 1) if decides else None
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
            if self.choices is not None:
                assert self.choices.bias is not None
                self.choices.weight.mul_(0.1)
                self.choices.bias[:4] = -2.0  # hardly any strokes

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
        passes = (*PAINTED.broad, *PAINTED.fine)
        laid = sum(scale * (2 * reach + 1) - 1 for scale, reach, _ in passes)
        windows = laid + 2 * (2 * 2 + 1) - 1
        chosen = 0 if self.choices is None else windows  # of two tones, and of laying flat
        return half + quarter + eighth + 8 + 1 + chosen  # and one of drop_checkers

    def forward(self, photo: Tensor, *, in_parts: bool = False) -> Tensor | Painting:
        """Paint a photo, (B, 3, H, W) in [-1, 1].

        Args:
            in_parts: give the `Painting` that is learned from, with soft decisions, rather than
                the picture.
        """
        base, choices = self._paint(photo)
        if choices is None:
            return Painting(base, base, base) if in_parts else base
        stroke, flat, side = choices.float().chunk(3, dim=1)
        how = LEARNED if in_parts else PAINTED
        flat = how.flat * flat
        tone = lay_flat(base, flat, how.broad, how.limit)
        share = torch.sigmoid(flat + how.more_tones)
        tone = two_tones(tone, how.side * side, share, photo, how.contrast)
        tone = lay_flat(tone, flat, how.fine, how.limit)
        inked = torch.sigmoid(how.stroke * stroke + how.more_strokes)
        picture = draw_strokes(tone, inked, self.stroke_colour, self.stroke_tone)
        return Painting(picture, base, tone, side, stroke) if in_parts else picture

    def _paint(self, photo: Tensor) -> tuple[Tensor, Tensor | None]:
        """The base, (B, 3, H, W), and the choices, (B, 3, H, W) logits: stroke, flat, side."""
        half = self.stem(photo)  # (B, C, H/2, W/2)
        quarter = self.quarter_in(self.down_quarter(half))  # (B, 2C, H/4, W/4)
        x = self.eighth(self.down_eighth(quarter))  # (B, 4C, H/8, W/8)
        x = quarter + F.interpolate(self.up_quarter(x), scale_factor=2, mode="nearest")
        x = F.relu(self.quarter_out(x))
        x = half + F.interpolate(self.up_half(x), scale_factor=2, mode="nearest")
        x = F.relu(x)
        x = self.tail[:2](x)  # (B, C, H/2, W/2)
        paint = F.pixel_shuffle(self.tail[2](x), 2)  # (B, 4, H, W)
        blurred = _square_mean(photo, 2)
        gated = torch.sigmoid(paint[:, 3:]) * (photo - blurred)
        base = blurred + gated + paint[:, :3]
        base = drop_checkers(luma(base).expand(-1, 3, -1, -1) if self.gray else base)
        return base, None if self.choices is None else F.pixel_shuffle(self.choices(x), 2)


class Choosing(NamedTuple):
    """How the logits are taken: a higher slope is crisper."""

    flat: float  # slope: where to lay colour flat
    broad: Sequence[tuple[int, int, float]]  # passes of `lay_flat` before two tones are taken
    fine: Sequence[tuple[int, int, float]]  # and after it, for crisp borders
    limit: float  # of both: what is nowhere calm, like print, stays what it is
    more_tones: float  # added to the logits of `flat`, where two tones are taken
    side: float  # slope: which of them
    contrast: float  # of `two_tones`
    stroke: float  # slope: where strokes are
    more_strokes: float  # added to them


PAINTED = Choosing(
    flat=6.0,
    broad=((2, 3, 1.0),),
    fine=((1, 3, 1.0),),
    limit=0.0045,
    more_tones=2.0,
    side=5.0,
    contrast=0.75,
    stroke=3.0,
    more_strokes=7.0,
)
# Soft, or no gradient is left: tones are learned through what is done to them at painting.
LEARNED = Choosing(
    flat=2.0,
    broad=((1, 3, 0.0),),
    fine=(),
    limit=0.0045,
    more_tones=0.0,
    side=2.0,
    contrast=0.0,
    stroke=2.0,
    more_strokes=0.0,
)
PALE = 0.3  # luma in [-1, 1]: two tones further apart are a contour's two sides


def two_tones(
    base: Tensor, side: Tensor, share: Tensor, photo: Tensor, contrast: float = 0.0
) -> Tensor:
    """Make shapes of texture: of a dark and a bright tone nearby, each pixel takes one.

    With p = sigmoid(side) and E a mean over the pixels around (a round window of 10), the tones
    are bright = E[p c] / E[p] and dark = E[(1 - p) c] / E[1 - p], as in block truncation coding
    (Delp, Mitchell 1979), but the borders are learned. What is undecided stays as it is, and so do
    contours, which would be jagged and jump from frame to frame: with d the luma of bright - dark,

        c + share (2 p - 1)^2 (dark + p (bright - dark) - c) / (1 + (d / .3)^2)^2.

    Texture is doubtful, and a mean of all that may be is pale: with e what d is in the photo, d
    becomes d + contrast max(e - d, 0) / (1 + (d / .3)^2)^2, and E[c] stays.

    Args:
        base: (B, 3, H, W) in [-1, 1], c; H and W even.
        side: (B, 1, H, W) logits.
        share: (B, 1, H, W) in [0, 1].
        photo: (B, 3, H, W) in [-1, 1].
        contrast: how much of the photo's own comes back; 0 is none.
    """
    with torch.autocast(base.device.type, enabled=False):
        base, p = base.float(), torch.sigmoid(side.float())
        maps = [base, luma(photo.float())] if contrast else [base]
        halves = [F.avg_pool2d(m, 2) for m in (p, *maps, *(p * m for m in maps))]
        means = _square_mean(_square_mean(torch.cat(halves, dim=1), 1), 1)  # tones are broad
        part, (mean, lit) = means[:, :1], means[:, 1:].chunk(2, dim=1)
        apart = (lit + 0.01 * mean) / (part + 0.01) - (1.01 * mean - lit) / (1.01 - part)
        colours = apart[:, :3]
        ours = luma(colours)
        doubt = 1 / (1 + (ours / PALE).square()).square()
        if contrast:
            colours = colours + contrast * doubt * (apart[:, 3:] - ours).clamp(min=0)
        tones = _larger(torch.cat([mean[:, :3] - part * colours, colours, doubt], dim=1), 2)
        two = tones[:, :3] + p * tones[:, 3:6]
        return base + share * tones[:, 6:] * (2 * p - 1).square() * (two - base)


def lay_flat(
    base: Tensor,
    flat: Tensor,
    passes: Sequence[tuple[int, int, float]] = ((1, 3, 0.0),),
    limit: float | None = None,
) -> Tensor:
    """Replace soft borders by crisp ones: each pixel takes the tone of the calmest place nearby.

    A Kuwahara filter (1976) over all windows (7x7) that hold the pixel, in two means: with m and v
    mean and variance of a window,

        tone = sum w m / sum w,  w = 1 / (v + 1e-4)^3,

    and the result is base + sigmoid(flat) (tone - base). Windows across a border are not calm, so
    a step stays a step, and a ramp becomes one.

    Args:
        base: (B, 3, H, W) in [-1, 1].
        flat: (B, 1, H, W) logits: where.
        passes: for each time it is done, how many times smaller the picture is meanwhile (a
            divisor of H and W), pixels of that from the middle of a window to its border, and
            what is added to `flat`.
        limit: l; the share is sigmoid(flat) l / (l + sum w v / sum w), so that little is laid flat
            where no place nearby is calm. None: all of sigmoid(flat).
    """
    with torch.autocast(base.device.type, enabled=False):
        tone, flat = base.float(), flat.float()
        for scale, reach, bias in passes:
            small, where = _smaller(tone, scale), _smaller(flat, scale)
            mean = _square_mean(small, reach)
            unrest = _square_mean(luma(small) ** 2, reach) - luma(mean) ** 2
            unrest = unrest.clamp(min=0) + 1e-4
            weight = 1 / (unrest * unrest * unrest)
            share, weights = torch.sigmoid(where + bias), _square_mean(weight, reach)
            if limit is not None:
                calmest = _square_mean(weight * unrest, reach) / weights
                share = share * limit / (limit + calmest)
            laid = _square_mean(mean * weight, reach) / weights
            tone = tone + _larger(share, scale) * (_larger(laid, scale) - tone)
        return tone


def _smaller(maps: Tensor, scale: int) -> Tensor:
    return maps if scale == 1 else F.avg_pool2d(maps, scale)


def _larger(maps: Tensor, scale: int) -> Tensor:
    return maps if scale == 1 else F.interpolate(maps, scale_factor=scale, mode="nearest")


def _square_mean(maps: Tensor, reach: int) -> Tensor:
    """Mean over 2 reach + 1 pixels of rows, then of columns, of what lies inside the picture."""
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
