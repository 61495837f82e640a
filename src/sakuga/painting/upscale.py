"""Bring a small painting to full size with the contours a brush would draw: smooth and crisp.

Enlarging alone gives soft contours with the steps of the small pixels. Here, at the small size, the
painting is smoothed along its contours, never across them, which takes the steps away (coherence
enhancing diffusion; Weickert 1999). Enlarged by a cubic spline, every pixel then goes towards the
darker or the lighter colour of its neighbourhood (the toggle mapping of Kramer and Bruckner 1975,
made continuous): a contour becomes as sharp as the large pixels allow, without ringing, while a
ramp, which lies midway everywhere, and low contrast stay as they are. The photo is not looked at,
so its texture cannot come back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sakuga.images.colour import LUMA, Pixels
from sakuga.painting.options import OnShare

Planes = NDArray[np.float32]  # (C, H, W), grey levels

BAND_ROWS = 256  # of the result at a time; the small painting is prepared anew for each band
_TILE_COLUMNS = 128  # enlarged at a time; about as much as a processor's cache holds
_STEPS = 4  # of diffusion: a Gaussian of sigma 1.3 small pixels along a contour; 5 blur letters
_STEP = np.float32(0.2)  # explicit diffusion is stable up to 0.25
_FLAT = np.float32(16)  # squared grey levels over two pixels; what is flatter has no direction
# Where colours within a small pixel differ by less, nothing is sharpened; from the second on, all.
_FAINT, _DISTINCT = np.float32(6), np.float32(24)
_RIM = np.float32(16)  # grey levels that a pixel is calmed by at most: thin lines have many more
_STEEPNESS = 1.3  # lets a contour rise from 10 % to 90 % over 1.5 to 2 pixels of the result
_HALF = np.float32(0.5)
# How many small pixels further the preparation looks: rims, diffusion, its direction, the range.
MARGIN = 1 + _STEPS + 3 + 1


@dataclass(frozen=True)
class _Sums:
    """Each of N pixels as a weighted sum of K small ones."""

    taps: NDArray[np.intp]  # (K, N): which
    weights: NDArray[np.float32]  # (K, N)


@dataclass(frozen=True)
class _Weights:
    """What pixels start..stop of a small axis give to one stretch of the large axis."""

    start: int
    stop: int
    spline: _Sums  # of the pixels from `start` on: cubic B-spline, for the picture itself
    linear: _Sums  # for the range of its colours


def redraw(
    painted: Pixels,
    size: tuple[int, int],
    progress: OnShare | None = None,
    *,
    band_rows: int = BAND_ROWS,
) -> Pixels:
    """Enlarge a painting (h, w, 3) to (width, height), at least its own; memory is that of a band.

    Args:
        painted: uint8 (h, w, 3), left alone.
        size: width and height of the result, pixels.
        progress: called with the share that is done, up to 1.0.
        band_rows: rows of the result at a time; changes nothing but time and memory.

    Returns:
        uint8 (height, width, 3).
    """
    width, height = size
    small_height, small_width = painted.shape[:2]
    zoom = np.sqrt(width / small_width * height / small_height)
    steepness = np.float32(_STEEPNESS * zoom)
    columns = [
        (start, _weights(start, min(start + _TILE_COLUMNS, width), width, small_width))
        for start in range(0, width, _TILE_COLUMNS)
    ]
    result = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, band_rows):
        bottom = min(top + band_rows, height)
        rows = _weights(top, bottom, height, small_height)
        first = max(0, rows.start - MARGIN)
        picture, ranges = _prepare(painted[first : rows.stop + MARGIN])
        used = slice(rows.start - first, rows.stop - first)
        for left, across in columns:
            part = slice(across.start, across.stop)
            enlarged = _enlarged(_enlarged(picture[:, used, part], rows.spline), across.spline)
            bounds = _enlarged(_enlarged(ranges[:, used, part], rows.linear), across.linear)
            tile = _sharpened(enlarged, bounds, steepness)
            result[top:bottom, left : left + tile.shape[1]] = tile
        if progress is not None:
            progress(bottom / height)
    return result


def _prepare(painted: Pixels) -> tuple[Planes, Planes]:
    """The picture smoothed along its contours (3, h, w), and its ranges.

    The ranges are (7, h, w): the least and the greatest of the 3 x 3 pixels around each, for every
    channel, and from 0 to 1 how much is to be sharpened.
    """
    picture = np.ascontiguousarray(painted.transpose(2, 0, 1), np.float32)
    picture = _along_contours(_without_rims(picture))
    least, greatest = _extreme(picture, np.minimum), _extreme(picture, np.maximum)
    contrast = (greatest - least).max(axis=0, keepdims=True)
    share = np.clip((contrast - _FAINT) / (_DISTINCT - _FAINT), 0, 1)
    return picture, np.concatenate([least, greatest, share])


def _without_rims(picture: Planes) -> Planes:
    """Calm what is one pixel wide and faint; edges and ramps stay.

    Networks leave pale and coloured rims beside contours, and some a checkerboard: diffusion along
    the contour would keep them, and sharpening bring them out. Along each axis a pixel is brought
    between its means with either neighbour, which lie on both sides of it on an edge or a ramp, and
    on one side where it sticks out.
    """
    for axis in (1, 2):
        before, here, behind = _three(picture, axis)
        before, behind = (before + here) * _HALF, (here + behind) * _HALF
        calm = np.clip(here, np.minimum(before, behind), np.maximum(before, behind))
        picture = np.clip(calm, here - _RIM, here + _RIM)
    return picture


def _along_contours(picture: Planes) -> Planes:
    """Diffuse (3, h, w) along the contours of its lightness.

    The directions are those of the structure tensor, the mean of gradient times gradient over 5 x 5
    pixels: at the middle of a thin line, where the gradient is zero, it still knows the line. The
    more the gradients there differ in direction, the less is diffused: corners, eyes and letters
    stay. What has hardly any gradient is diffused all round. No pixel leaves the range of the 3 x 3
    pixels it was among, so that nothing rings.
    """
    lowest, highest = _extreme(picture, np.minimum), _extreme(picture, np.maximum)
    lightness = (np.array(LUMA, np.float32)[:, None, None] * picture).sum(axis=0)
    framed = np.pad(lightness, 1, mode="edge")
    right = framed[1:-1, 2:] - framed[1:-1, :-2]
    down = framed[2:, 1:-1] - framed[:-2, 1:-1]
    tensor = np.stack([right * right, down * down, right * down])
    for axis in (1, 2):
        tensor = _means(_means(tensor, axis), axis)
    whole = tensor[0] + tensor[1]
    # The difference of the eigenvalues, then the smaller of them.
    coherent = np.hypot(tensor[0] - tensor[1], 2 * tensor[2])
    smaller = (whole - coherent) / 2
    whole = whole + 2 * _FLAT
    across = _STEP * (tensor[1] - smaller + _FLAT) / whole
    upright = _STEP * (tensor[0] - smaller + _FLAT) / whole
    slanted = _STEP * -tensor[2] / (2 * whole)
    for _ in range(_STEPS):
        framed = np.pad(picture, ((0, 0), (1, 1), (1, 1)), mode="edge")
        middle = 2 * picture
        picture = (
            picture
            + across * (framed[:, 1:-1, 2:] + framed[:, 1:-1, :-2] - middle)
            + upright * (framed[:, 2:, 1:-1] + framed[:, :-2, 1:-1] - middle)
            + slanted
            * (framed[:, 2:, 2:] + framed[:, :-2, :-2] - framed[:, 2:, :-2] - framed[:, :-2, 2:])
        )
    return np.clip(picture, lowest, highest)


def _enlarged(planes: Planes, sums: _Sums) -> Planes:
    """Enlarge the first axis of (C, n, m) and exchange both: (C, m, N). Twice enlarges both.

    So rows that lie together in memory are added up. Products of matrices are as fast where nothing
    else runs, but wake a pool of threads that spin, hundreds of times: on a busy machine that took
    minutes.
    """
    first, *others = zip(sums.taps, sums.weights, strict=True)
    total = planes.take(first[0], axis=1) * first[1][:, None]
    for tap, weight in others:
        part = planes.take(tap, axis=1)
        part *= weight[:, None]
        total += part
    return np.ascontiguousarray(total.transpose(0, 2, 1))


def _sharpened(picture: Planes, bounds: Planes, steepness: np.float32) -> Pixels:
    """Move (3, h, w) towards the nearer end of its range; gives uint8 (h, w, 3)."""
    least, greatest, share = bounds[:3], bounds[3:6], bounds[6:]
    extent = greatest - least
    place = (picture - least) / np.maximum(extent, 1)  # 0: the least, 1: the greatest
    place -= _HALF
    place *= steepness
    place += _HALF
    np.clip(place, 0, 1, out=place)
    place *= place * (3 - 2 * place)  # place^2 (3 - 2 place): no corners at the ends
    place *= extent
    place += least
    place -= picture
    place *= share
    place += picture
    np.clip(place + _HALF, 0, 255, out=place)
    tile: Pixels = place.astype(np.uint8).transpose(1, 2, 0)
    return tile


def _three(planes: Planes, axis: int) -> tuple[Planes, Planes, Planes]:
    """Each pixel's neighbour before, itself and the one behind along axis 1 or 2 of (C, h, w)."""
    widths = [(0, 0)] * 3
    widths[axis] = (1, 1)
    framed = np.pad(planes, widths, mode="edge")
    if axis == 1:
        return framed[:, :-2], planes, framed[:, 2:]
    return framed[:, :, :-2], planes, framed[:, :, 2:]


def _extreme(planes: Planes, choose: Callable[[Planes, Planes], Planes]) -> Planes:
    """The least or greatest of the 3 x 3 pixels around each."""
    for axis in (1, 2):
        before, here, behind = _three(planes, axis)
        planes = choose(choose(before, here), behind)
    return planes


def _means(planes: Planes, axis: int) -> Planes:
    """A quarter of each neighbour and half of the pixel itself."""
    before, here, behind = _three(planes, axis)
    mean: Planes = before + behind + 2 * here
    mean /= 4
    return mean


def _weights(start: int, stop: int, large: int, small: int) -> _Weights:
    """How pixels start..stop of a large axis are made of a small axis; its border is repeated."""
    places = (np.arange(start, stop) + 0.5) * small / large - 0.5
    before = np.floor(places).astype(int)
    near = np.arange(-1, 3)  # the small pixels around a place
    taps = np.clip(before[:, None] + near, 0, small - 1)
    distance = np.abs(places[:, None] - (before[:, None] + near))
    spline = np.where(
        distance < 1,
        2 / 3 - distance**2 + distance**3 / 2,
        (2 - np.minimum(distance, 2)) ** 3 / 6,
    )
    linear = np.maximum(0, 1 - distance)
    first, last = int(taps.min()), int(taps.max()) + 1
    taps = np.ascontiguousarray((taps - first).T)
    return _Weights(
        first,
        last,
        _Sums(taps, np.ascontiguousarray(spline.T, np.float32)),
        _Sums(taps[1:3], np.ascontiguousarray(linear.T[1:3], np.float32)),  # others weigh nothing
    )
