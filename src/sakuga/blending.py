"""How much of the style, and whose colours: both decided pixel by pixel or within a known radius.

Sums are of whole numbers, so that a tile gives the very numbers the whole picture gives.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sakuga.colours import Pixels

_BOX_RADIUS = 8  # three boxes of 17 are nearly a Gaussian of sigma 8.5 pixels
_BOX_PASSES = 3
CHROMA_RADIUS = _BOX_RADIUS * _BOX_PASSES  # pixels `keep_chroma` looks in each direction
_FRACTION = 16  # chroma is kept in sixteenths of a grey level


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
    difference = photo.astype(np.float32) - anime
    red, green, blue = difference[..., 0], difference[..., 1], difference[..., 2]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    cb = _blurred((blue - luma) / np.float32(1.772))
    cr = _blurred((red - luma) / np.float32(1.402))
    result = anime.astype(np.float32)
    result[..., 0] += np.float32(1.402) * cr
    result[..., 1] -= np.float32(0.344136) * cb + np.float32(0.714136) * cr
    result[..., 2] += np.float32(1.772) * cb
    np.rint(result, out=result)
    return np.clip(result, 0, 255, out=result).astype(np.uint8)


def _blurred(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blur (H, W) by three box means along each axis, mirrored at the borders."""
    whole = np.rint(plane * np.float32(_FRACTION)).astype(np.int32)
    for _ in range(_BOX_PASSES):
        whole = _box_mean(_box_mean(whole).T).T
    blurred: NDArray[np.float32] = whole.astype(np.float32)
    blurred /= np.float32(_FRACTION)
    return blurred


def _box_mean(plane: NDArray[np.int32]) -> NDArray[np.int32]:
    """Mean along the last axis over 2 * radius + 1 samples, rounded to a whole number."""
    width = 2 * _BOX_RADIUS + 1
    padded = np.pad(plane, ((0, 0), (_BOX_RADIUS + 1, _BOX_RADIUS)), mode="symmetric")
    # The window sum is a difference of running sums. These stay below 2**31 up to 500,000 columns.
    running = np.cumsum(padded, axis=1, dtype=np.int32)
    sums = running[:, width:] - running[:, :-width]
    means: NDArray[np.int32] = (sums + width // 2) // width
    return means
