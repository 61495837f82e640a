"""Calm a painted video: blend each frame with the ones before it, along the motion of the source.

A generator paints every frame for itself, so noise that nobody sees in the source can flicker in
the anime, and fine lines can swim when the camera moves. Per block of the picture this filter asks:
does the source look like it did, in the same place or where its motion brought it from? Where yes,
the new anime is blended into the running average of the old ones; where not, the new anime is taken
as it is, so that nothing leaves a ghost.

The source is averaged with the same weights along the same motion, and the question is asked of
that average. An old anime therefore never outlives the source it was painted from, however slowly
that drifts away.

The motion is dense inverse search (Kroeger, Timofte, Dai and Van Gool 2016, "Fast Optical Flow
using Dense Inverse Search") by OpenCV, which `pip install 'sakuga[steady]'` brings, in its fastest
setting, which stops at a quarter of the size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sakuga.video.frames import Pixels

Planes = NDArray[np.float32]

BLOCK = 8  # pixels a side: smaller blocks mistake noise for change, larger ones blur the outlines
_STRONGEST = 0.8  # share of the past in a block that did not change: noise falls to a third
_NOISE_RANGE = (0.7, 4.0)  # grey levels a still block may differ; the actual noise is estimated
_MEAN_LEVELS = 1.5  # grey levels the mean of a still block may move; twice that is a change
_SLIP_PIXELS = 0.2  # how far a followed block may be off its true place: contours do not show it
_CLEARLY = 0.9  # a moved block must fit the new frame this much better than one left in place
_FOLLOWED_SIDE = 16  # pixels; in smaller pictures nothing is followed
_CUT_SHARE = 0.25  # if less of the picture than this looks as before, it is another scene


NOT_FOLLOWED = (
    "only what stands still was calmed; to follow what moves too, run  pip install 'sakuga[steady]'"
)


class Steady:
    """The filter and what it remembers of the frames before.

    Args:
        follow: blend along the motion of the source too, which needs OpenCV; by default if it is
            installed.
    """

    def __init__(self, *, follow: bool | None = None) -> None:
        self._follow = can_follow() if follow is None else follow
        # (2, H, W) average of the source's brightness and colour
        self._source: Planes | None = None
        self._anime: Planes | None = None  # (H, W, 3) average of the anime
        self._last: Pixels | None = None  # (H, W) brightness of the last frame

    def __call__(self, photo: Pixels, anime: Pixels) -> Pixels:
        """Blend one frame into the average and return it.

        Args:
            photo: uint8 (H, W, 3), the source.
            anime: uint8 (H, W, 3), what was painted from it.

        Returns:
            uint8 (H, W, 3).
        """
        image = Image.fromarray(photo)
        brightness = np.asarray(image.convert("L"))
        source = np.empty((2, *brightness.shape), np.float32)
        source[0], source[1] = brightness, _redness(image)
        new = anime.astype(np.float32)
        past_source, past_anime, last = self._source, self._anime, self._last
        self._source, self._anime, self._last = source, new, brightness
        if past_source is None or past_anime is None or last is None:
            return anime
        if past_anime.shape != anime.shape:
            raise ValueError(f"frames changed size: {past_anime.shape[:2]} to {anime.shape[:2]}")

        change = _block_change(source, past_source)
        slip = np.zeros_like(change[0])
        moved = _find_moved(last, brightness, source, past_source, change) if self._follow else None
        if moved is not None:
            change = np.where(moved.better, moved.change, change)
            detail = _block_detail(source[0])
            slip = np.where(moved.better, np.float32(_SLIP_PIXELS) * detail, slip)
        share = _enlarge(_share_of_past(change, slip), brightness.shape)
        if moved is not None:
            _fetch_moved(moved, share, past_source, past_anime)
        # new + share x (past - new), in the memory of the past.
        past_source -= source
        past_source *= share
        source += past_source
        past_anime -= new
        past_anime *= _thrice(share)
        past_anime += new
        np.clip(past_anime, 0, 255, out=past_anime)  # cubic fetching overshoots
        self._anime = past_anime
        return (past_anime + np.float32(0.5)).astype(np.uint8)

    def state(self) -> dict[str, NDArray[Any]]:
        """What to store so that a filter made by `restore` goes on exactly as this one would."""
        if self._source is None or self._anime is None or self._last is None:
            return {}
        return {
            "steady_source": self._source,
            "steady_anime": self._anime,
            "steady_last": self._last,
        }

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Take up the memory of another filter."""
        self._source = state.get("steady_source")
        self._anime = state.get("steady_anime")
        self._last = state.get("steady_last")


def can_follow() -> bool:
    """Return whether what following motion needs is installed."""
    return find_spec("cv2") is not None


def describe_steady() -> str:
    """What decides how frames are blended: with another answer they would be other frames."""
    if not can_follow():
        return "still"
    import cv2

    return f"followed by OpenCV {cv2.__version__}"


@dataclass(frozen=True)
class _Moved:
    """What the flow tells about a frame."""

    places: Planes  # (H, W, 2): (x, y) of where each pixel was
    source: list[Planes]  # two of (H, W): the past of the source, fetched from there
    change: Planes  # `_block_change` since then, (2, rows, columns)
    better: NDArray[np.bool_]  # (rows, columns): blocks which that suits better


def _find_moved(
    last: Pixels, now: Pixels, source: Planes, past_source: Planes, change: Planes
) -> _Moved | None:
    """Look where the source was; None if no block moved, or the picture is too small to tell."""
    if min(now.shape) < _FOLLOWED_SIDE:
        return None
    places = find_flow(last, now)
    places += _pixels(*now.shape)
    # One plane after the other: OpenCV fetches pairs at half the speed.
    fetched = [_fetch(plane, places) for plane in past_source]
    change_moved = _block_change(source, fetched)
    better = change_moved[0] < _CLEARLY * change[0]
    return _Moved(places, fetched, change_moved, better) if better.any() else None


def _fetch_moved(moved: _Moved, share: Planes, past_source: Planes, past_anime: Planes) -> None:
    """Put what moved in its place in the past, wherever any of the past is kept."""
    import cv2

    nearer = _enlarge(moved.better.astype(np.float32), share.shape) > 0.5
    mask = (nearer & (share > 0)).view(np.uint8)
    left, top, width, height = cv2.boundingRect(mask)
    if not width:
        return
    box = slice(top, top + height), slice(left, left + width)
    for plane, target in zip(moved.source, past_source, strict=True):
        cv2.copyTo(plane[box], mask[box], target[box])
    cv2.copyTo(_fetch(past_anime, moved.places[box]), mask[box], past_anime[box])


def find_flow(last: Pixels, now: Pixels) -> Planes:
    """Where each pixel of `now` (H, W) was in `last`: (H, W, 2), (right, down) in pixels."""
    import cv2

    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    no_start: Any = None
    return np.asarray(search.calc(now, last, no_start), np.float32)


def _fetch(values: Planes, places: Planes) -> Planes:
    """Read the last frame's values at the places (h, w, 2); beyond the border it is repeated.

    Cubic convolution (Keys 1981) keeps contours as sharp as they were, however many frames in a row
    they are fetched; bilinear fetching would blur them a little more each time.
    """
    import cv2

    no_second_map: Any = None
    moved = cv2.remap(
        values, places, no_second_map, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.float32)


@lru_cache(maxsize=2)
def _pixels(height: int, width: int) -> Planes:
    """(x, y) of each pixel, (H, W, 2)."""
    return np.moveaxis(np.indices((height, width), np.float32)[::-1], 0, -1).copy()


def _redness(image: Image.Image) -> Pixels:
    """(R - B) / 2 + 127.5: tells apart colours of the same brightness."""
    return np.asarray(image.convert("L", (0.5, 0, -0.5, 127.5)))


def _block_change(source: Planes, past: Planes | list[Planes]) -> Planes:
    """How much each block changed, (2, rows, columns) in grey levels.

    First the mean absolute difference, which noise raises; then the absolute mean difference, in
    which noise cancels out. Of both the larger of brightness and colour.
    """
    difference = np.empty_like(source[0])
    absolute, signed = [], []
    for plane, past_plane in zip(source, past, strict=True):
        np.subtract(plane, past_plane, out=difference)
        signed.append(np.abs(block_means(difference)))
        absolute.append(block_means(np.abs(difference, out=difference)))
    return np.stack([np.maximum(*absolute), np.maximum(*signed)])


def block_means(plane: Planes) -> Planes:
    """(H, W) -> (rows, columns); blocks at the right and at the bottom may be smaller."""
    rows, columns = (np.minimum(BLOCK, side - np.arange(0, side, BLOCK)) for side in plane.shape)
    pixels: Planes = np.outer(rows, columns).astype(np.float32)
    return _sum_runs(_sum_runs(plane).T).T / pixels


def _sum_runs(plane: Planes) -> Planes:
    """Sum each `BLOCK` rows; whole rows at a time is what numpy is quick at."""
    sums = plane[::BLOCK].copy()
    for offset in range(1, BLOCK):
        rows = plane[offset::BLOCK]
        sums[: len(rows)] += rows
    return sums


def _block_detail(plane: Planes) -> Planes:
    """How much each block changes if it slips by a pixel: (rows, columns)."""
    steep = np.zeros_like(plane)
    np.abs(plane[1:] - plane[:-1], out=steep[:-1])
    steep[:, :-1] += np.abs(plane[:, 1:] - plane[:, :-1])
    return block_means(steep)


def _share_of_past(change: Planes, slip: Planes) -> Planes:
    """How much of the past each block may keep, 0 to `_STRONGEST`.

    The noise of the source is what the calmer quarter of the blocks shows. Up to twice that a block
    counts as still, beyond four times as changed; and so it does if its mean moves by more than
    noise can. Of either, `slip` levels are put down to imperfect following. A block keeps no more
    than its neighbours, and after a cut no block keeps anything.
    """
    absolute, signed = change
    noise = float(np.clip(np.quantile(absolute - signed, 0.25), *_NOISE_RANGE))
    unlike = np.maximum((absolute - slip) / (2 * noise), (signed - slip) / _MEAN_LEVELS)
    stillness = np.clip(2 - unlike, 0, 1)
    if np.mean(stillness > 0) < _CUT_SHARE:
        return np.zeros_like(stillness)
    padded = np.pad(stillness, 1, mode="edge")
    height, width = stillness.shape
    for row in range(3):
        for column in range(3):
            np.minimum(
                stillness, padded[row : row + height, column : column + width], out=stillness
            )
    share: Planes = np.float32(_STRONGEST) * stillness
    return share


def _enlarge(blocks: Planes, shape: tuple[int, ...]) -> Planes:
    """Spread one value a block over the pixels, bilinearly from middle to middle, to (H, W)."""
    rows, columns = blocks.shape
    size = (columns * BLOCK, rows * BLOCK)
    image = Image.fromarray(blocks).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(image)[: shape[0], : shape[1]]


def _thrice(plane: Planes) -> Planes:
    """(H, W) -> (H, W, 3); numpy is slow at multiplying by a plane as it is."""
    planes = np.empty((*plane.shape, 3), np.float32)
    for channel in range(3):
        planes[..., channel] = plane
    return planes
