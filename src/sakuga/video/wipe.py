"""Before and after in one picture: a line that wipes the photo away, and back."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from sakuga.video.frames import Pixels

SWEEP_S = Fraction(3)  # from one side to the other
_LINE_SHARE = 1 / 240  # of the width


def wipe(photo: Pixels, anime: Pixels, seconds: Fraction, sweep_s: Fraction = SWEEP_S) -> Pixels:
    """Show the anime at the left of a white line and the photo at its right.

    The line starts at the left, slows down at the sides, and comes back.

    Args:
        photo, anime: (H, W, 3) of one size.
        seconds: since the beginning.
        sweep_s: how long the line takes from one side to the other.

    Returns:
        uint8 (H, W, 3), a new array.
    """
    width = photo.shape[1]
    place = (1 - math.cos(math.pi * float(seconds / sweep_s))) / 2  # 0 left, 1 right
    edge = round(place * width)
    shown = np.concatenate([anime[:, :edge], photo[:, edge:]], axis=1)
    line = max(1, round(width * _LINE_SHARE))
    if 0 < edge < width:
        shown[:, max(0, edge - line) : edge + line] = 255
    return shown


def crop_to(picture: Pixels, aspect: Fraction | None, pixel_aspect: Fraction) -> Pixels:
    """Cut the middle out of (H, W, 3) so that it is shown `aspect` times as wide as high.

    Sides are cut to even numbers, which video wants.
    """
    if aspect is None:
        return picture
    height, width = picture.shape[:2]
    ratio = aspect / pixel_aspect  # of pixels
    wide, high = min(width, round(height * ratio)), min(height, round(width / ratio))
    wide, high = max(wide - wide % 2, 1), max(high - high % 2, 1)
    left, top = (width - wide) // 2, (height - high) // 2
    return picture[top : top + high, left : left + wide]
