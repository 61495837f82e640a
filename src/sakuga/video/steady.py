"""Calm a painted video: blend each frame with the ones before it, along the motion of the source.

A generator paints every frame for itself, so noise that nobody sees in the source can flicker in
the anime, and fine lines can swim when the camera moves. Per block of the picture this filter asks:
does the source look like it did, in the same place or where its motion brought it from? Where yes,
the new anime is blended into the running average of the old ones; where not, the new anime is taken
as it is, so that nothing leaves a ghost.

The source is averaged with the same weights along the same motion, and the question is asked of
that average. An old anime therefore never outlives the source it was painted from, however slowly
that drifts away.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sakuga.video.frames import Pixels

Planes = NDArray[np.float32]

_BLOCK = 8  # pixels a side: smaller blocks mistake noise for change, larger ones blur the outlines
_STRONGEST = 0.8  # share of the past in a block that did not change: noise falls to a third
_NOISE_RANGE = (0.7, 4.0)  # grey levels a still block may differ; the actual noise is estimated
_MEAN_LEVELS = 1.5  # grey levels the mean of a still block may move; twice that is a change
_SLIP_PIXELS = 0.2  # how far a followed block may be off its true place: contours do not show it
_CLEARLY = 0.9  # a moved block must fit the new frame this much better than one left in place
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
        if self._follow:
            past_source, past_anime, change, slip = _followed(
                last, brightness, source, past_source, past_anime, change
            )
        share = _enlarge(_share_of_past(change, slip), brightness.shape)
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
    from sakuga.video import motion

    return f"followed by OpenCV {motion.VERSION}"


def _followed(
    last: Pixels,
    now: Pixels,
    source: Planes,
    past_source: Planes,
    past_anime: Planes,
    change: Planes,
) -> tuple[Planes, Planes, Planes, Planes]:
    """Fetch the past from where the source was, in the blocks which that suits better.

    Returns:
        past_source, past_anime and change anew, and the levels that a block may differ because it
        was not followed exactly.
    """
    from sakuga.video import motion

    slip = np.zeros_like(change[0])
    flow = motion.find_flow(last, now)
    if flow is None:
        return past_source, past_anime, change, slip
    moved = np.stack([motion.fetch(plane, flow) for plane in past_source])
    change_moved = _block_change(source, moved)
    better = change_moved[0] < _CLEARLY * change[0]
    if not better.any():
        return past_source, past_anime, change, slip
    take = _enlarge(better.astype(np.float32), now.shape) > 0.5
    flow *= take[..., None]  # where nothing moved, cubic fetching gives what is there
    return (
        np.where(take, moved, past_source),
        motion.fetch(past_anime, flow),
        np.where(better, change_moved, change),
        np.where(better, np.float32(_SLIP_PIXELS) * _block_detail(source[0]), slip),
    )


def _redness(image: Image.Image) -> Pixels:
    """(R - B) / 2 + 127.5: tells apart colours of the same brightness."""
    return np.asarray(image.convert("L", (0.5, 0, -0.5, 127.5)))


def _block_change(source: Planes, past: Planes) -> Planes:
    """How much each block changed, (2, rows, columns) in grey levels.

    First the mean absolute difference, which noise raises; then the absolute mean difference, in
    which noise cancels out. Of both the larger of brightness and colour.
    """
    difference = source - past
    absolute = [_block_means(plane) for plane in np.abs(difference)]
    signed = [np.abs(_block_means(plane)) for plane in difference]
    return np.stack([np.maximum(*absolute), np.maximum(*signed)])


def _block_means(plane: Planes) -> Planes:
    return np.asarray(Image.fromarray(plane).reduce(_BLOCK), np.float32)


def _block_detail(plane: Planes) -> Planes:
    """How much each block changes if it slips by a pixel: (rows, columns)."""
    steep = np.zeros_like(plane)
    steep[:-1] += np.abs(np.diff(plane, axis=0))
    steep[:, :-1] += np.abs(np.diff(plane, axis=1))
    return _block_means(steep)


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
    """Spread one value a block over the pixels, bilinearly, to (H, W)."""
    rows, columns = blocks.shape
    smooth = Image.fromarray(blocks.astype(np.float32)).resize(
        (columns * _BLOCK, rows * _BLOCK), Image.Resampling.BILINEAR
    )
    return np.asarray(smooth)[: shape[0], : shape[1]]


def _thrice(plane: Planes) -> Planes:
    """(H, W) -> (H, W, 3); numpy is slow at multiplying by a plane as it is."""
    planes = np.empty((*plane.shape, 3), np.float32)
    for channel in range(3):
        planes[..., channel] = plane
    return planes
