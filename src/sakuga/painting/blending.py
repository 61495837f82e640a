"""How much of the style, and whose colours: both decided pixel by pixel or within a known radius.

Sums are of whole numbers, so that a strip gives the very numbers the whole picture gives.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sakuga.images.colour import LUMA, Pixels

_BOX_RADIUS = 8  # three boxes of 17 are nearly a Gaussian of sigma 8.5 pixels
_BOX_PASSES = 3
CHROMA_RADIUS = _BOX_RADIUS * _BOX_PASSES  # pixels `keep_chroma` looks in each direction
_FRACTION = 16  # chroma is kept in sixteenths of a grey level
_STRIP_PIXELS = 2_000_000  # bounds the memory of `blend`, which takes some 60 bytes a pixel


def blend(photo: Pixels, anime: Pixels, *, strength: float, keep_colour: bool) -> None:
    """Blend a whole picture, in place of `anime`, strip by strip.

    Args:
        photo, anime: uint8 (H, W, 3).
        strength: see `mix`.
        keep_colour: see `keep_chroma`.
    """
    if strength == 1 and not keep_colour:
        return
    height, width = photo.shape[:2]
    radius = CHROMA_RADIUS if keep_colour else 0
    strip_rows = max(CHROMA_RADIUS, _STRIP_PIXELS // width)
    above = anime[:0].copy()  # rows over the strip that it looks at, as they were painted
    for top in range(0, height, strip_rows):
        bottom = min(top + strip_rows, height)
        start, stop = top - len(above), min(bottom + radius, height)
        painted = np.concatenate([above, anime[top:stop]])
        above = painted[max(0, bottom - radius - start) : bottom - start].copy()
        seen = photo[start:stop]
        mixed = mix(seen, keep_chroma(seen, painted) if keep_colour else painted, strength)
        anime[top:bottom] = mixed[top - start : bottom - start]


def mix(photo: Pixels, anime: Pixels, strength: float) -> Pixels:
    """Go from the photo (strength 0) to the anime picture (strength 1), linearly, (H, W, 3)."""
    if strength == 1:
        return anime
    mixed = anime.astype(np.float32)
    mixed -= photo
    mixed *= np.float32(strength)
    mixed += photo
    return np.rint(mixed).astype(np.uint8)


def keep_chroma(photo: Pixels, anime: Pixels) -> Pixels:
    """Give the anime picture the photo's low-frequency chroma; lightness and lines stay its own.

    In Y'CbCr (ITU-R BT.601), Y' is the anime picture's, and Cb and Cr become
    anime + blur(photo - anime), the blur being near a Gaussian of sigma 8.5 pixels.
    """
    red, green, blue = (
        np.subtract(photo, anime, dtype=np.int16).transpose(2, 0, 1).astype(np.float32)
    )
    luma = np.float32(LUMA[0]) * red
    luma += np.float32(LUMA[1]) * green
    luma += np.float32(LUMA[2]) * blue
    cb = _blurred((blue - luma) / np.float32(1.772))
    cr = _blurred((red - luma) / np.float32(1.402))
    shifts = (
        np.float32(1.402) * cr,
        np.float32(-0.344136) * cb - np.float32(0.714136) * cr,
        np.float32(1.772) * cb,
    )
    result = np.empty_like(anime)
    for channel, shift in enumerate(shifts):
        shift += anime[..., channel]
        np.rint(shift, out=shift)
        result[..., channel] = np.clip(shift, 0, 255, out=shift)
    return result


def _blurred(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blur (H, W) by three box means along each axis, mirrored at the borders."""
    whole = np.rint(plane * np.float32(_FRACTION)).astype(np.int32)
    whole = _box_means(_box_means(whole, 0), 1)
    blurred: NDArray[np.float32] = whole.astype(np.float32)
    blurred /= np.float32(_FRACTION)
    return blurred


def _box_means(plane: NDArray[np.int32], axis: int) -> NDArray[np.int32]:
    """Three means over 2 * radius + 1 samples along an axis, as one rounded whole number."""
    width = 2 * _BOX_RADIUS + 1
    widths = [(0, 0), (0, 0)]
    widths[axis] = (CHROMA_RADIUS + _BOX_PASSES, CHROMA_RADIUS)  # a pass loses one more in front
    sums = np.pad(plane, widths, mode="symmetric")
    for _ in range(_BOX_PASSES):
        # A window's sum is a difference of running sums. These may pass 2**31 and wrap round, which
        # their difference does not notice.
        running = np.cumsum(sums, axis=axis, dtype=np.int32)
        sums = (
            running[width:] - running[:-width]
            if axis == 0
            else running[:, width:] - running[:, :-width]
        )
    weight = width**_BOX_PASSES
    means: NDArray[np.int32] = (sums + weight // 2) // weight
    return means
