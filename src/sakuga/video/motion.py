"""Follow what moves in a video: where was each pixel of a frame in the frame before?

Dense inverse search (Kroeger, Timofte, Dai and Van Gool 2016, "Fast Optical Flow using Dense
Inverse Search") by OpenCV, which `pip install 'sakuga[steady]'` brings, in its fastest setting,
which stops at a quarter of the size. The flow says where to fetch from; whether what is found there
fits is for `steady` to judge.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.uint8]  # (H, W) brightness
Values = NDArray[np.float32]  # (H, W) or (H, W, C)
Mask = NDArray[np.uint8]  # (H, W), set where it is not 0
Flow = NDArray[np.float32]  # (H, W, 2): (right, down) in pixels, from a pixel to where it was

VERSION = str(cv2.__version__)
SMALLEST_SIDE = 16  # pixels; in smaller pictures nothing is followed


def find_flow(last: Plane, now: Plane) -> Flow | None:
    """Follow every pixel of `now` (H, W) back to `last`; None if the pictures are too small."""
    if min(now.shape) < SMALLEST_SIDE:
        return None
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    no_start: Any = None
    return np.asarray(search.calc(now, last, no_start), np.float32)


def find_places(flow: Flow) -> Flow:
    """(x, y) of where each pixel was, in the memory of the flow."""
    flow += _places(*flow.shape[:2])
    return flow


def fetch(values: Values, places: Flow) -> Values:
    """Read the last frame's values at the places (h, w, 2); beyond the border it is repeated.

    Cubic convolution (Keys 1981) keeps contours as sharp as they were, however many frames in a row
    they are fetched; bilinear fetching would blur them a little more each time.
    """
    no_second_map: Any = None
    moved = cv2.remap(
        values, places, no_second_map, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.float32)


def find_box(mask: Mask) -> tuple[slice, slice]:
    """The rows and columns that hold all of a mask (H, W): both empty if nothing is set."""
    left, top, width, height = cv2.boundingRect(mask)
    return slice(top, top + height), slice(left, left + width)


def paste(values: Values, mask: Mask, target: Values) -> None:
    """Copy values over the target where the mask is set."""
    cv2.copyTo(values, mask, target)


@lru_cache(maxsize=2)
def _places(height: int, width: int) -> Flow:
    """(x, y) of each pixel."""
    across, down = np.meshgrid(
        np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    )
    return np.stack([across, down], axis=-1)
