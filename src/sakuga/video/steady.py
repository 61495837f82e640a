"""Calm a painted video: blend each frame with the ones before it, where the source did not change.

A generator paints every frame for itself, so noise that nobody sees in the source can flicker in
the anime. Per block of the picture this filter asks: does the source look like it did (or like it
did a little to the side, when the camera pans)? Where yes, the new anime is blended into the
running average of the old ones; where not, the new anime is taken as it is, so that nothing leaves
a ghost.

The source is averaged with the same weights, and the question is asked of that average. An old
anime therefore never outlives the source it was painted from, however slowly that drifts away.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sakuga.video.frames import Pixels

Planes = NDArray[np.float32]

_BLOCK = 8  # pixels a side: smaller blocks mistake noise for change, larger ones blur the outlines
_STRONGEST = 0.8  # share of the past in a block that did not change: noise falls to a third
_NOISE_RANGE = (0.7, 4.0)  # grey levels a still block may differ; the actual noise is estimated
_MEAN_LEVELS = 1.5  # grey levels the mean of a still block may move; twice that is a change
_PAN_REDUCTION = 4  # the camera's motion is sought in a picture this much smaller
_PAN_CLARITY = 3.0  # times the highest peak that noise alone makes: then the motion is real
_CLEARLY = 0.8  # a moved block must fit the new frame this much better than one left in place


class Steady:
    """The filter and what it remembers of the frames before."""

    def __init__(self) -> None:
        self._source: Planes | None = (
            None  # (2, H, W) average of the source's brightness and colour
        )
        self._anime: Planes | None = None  # (H, W, 3) average of the anime
        self._small: Planes | None = None  # (H/4, W/4) brightness of the last frame

    def __call__(self, photo: Pixels, anime: Pixels) -> Pixels:
        """Blend one frame into the average and return it.

        Args:
            photo: uint8 (H, W, 3), the source.
            anime: uint8 (H, W, 3), what was painted from it.

        Returns:
            uint8 (H, W, 3).
        """
        image = Image.fromarray(photo)
        source = np.stack([_brightness(image), _redness(image)])
        small = np.asarray(image.convert("L").reduce(_PAN_REDUCTION), np.float32)
        past_source, past_anime, past_small = self._source, self._anime, self._small
        self._source, self._small = source, small
        if past_source is None or past_anime is None or past_small is None:
            self._anime = anime.astype(np.float32)
            return anime
        if past_source.shape != source.shape:
            raise ValueError(f"frames changed size: {past_source.shape[1:]} to {source.shape[1:]}")

        change = _block_change(source, past_source)
        down, right = _find_pan(past_small, small)
        if down or right:
            moved = _shift(past_source, down, right, axes=(1, 2))
            change_moved = _block_change(source, moved)
            better = change_moved[0] < _CLEARLY * change[0]
            take = _enlarge(better.astype(np.float32), source.shape[1:]) > 0.5
            past_source = np.where(take, moved, past_source)
            past_anime = np.where(
                take[..., None], _shift(past_anime, down, right, axes=(0, 1)), past_anime
            )
            change = np.where(better, change_moved, change)

        share = _enlarge(_share_of_past(change), source.shape[1:])  # (H, W)
        # new + share x (past - new), in the memory of the past.
        past_source -= source
        past_source *= share
        source += past_source
        past_anime -= anime
        past_anime *= share[..., None]
        past_anime += anime
        self._anime = past_anime
        return (past_anime + np.float32(0.5)).astype(np.uint8)

    def state(self) -> dict[str, Planes]:
        """What to store so that a filter made by `restore` goes on exactly as this one would."""
        if self._source is None or self._anime is None or self._small is None:
            return {}
        return {
            "steady_source": self._source,
            "steady_anime": self._anime,
            "steady_small": self._small,
        }

    def restore(self, state: dict[str, Planes]) -> None:
        """Take up the memory of another filter."""
        self._source = state.get("steady_source")
        self._anime = state.get("steady_anime")
        self._small = state.get("steady_small")


def _brightness(image: Image.Image) -> Planes:
    return np.asarray(image.convert("L"), np.float32)


def _redness(image: Image.Image) -> Planes:
    """(R - B) / 2 + 127.5: tells apart colours of the same brightness."""
    return np.asarray(image.convert("L", (0.5, 0, -0.5, 127.5)), np.float32)


def _block_change(source: Planes, past: Planes) -> Planes:
    """How much each block changed, (2, ceil(H/8), ceil(W/8)) in grey levels.

    First the mean absolute difference, which noise raises; then the absolute mean difference, in
    which noise cancels out. Of both the larger of brightness and colour.
    """
    difference = source - past
    absolute = [_block_means(plane) for plane in np.abs(difference)]
    signed = [np.abs(_block_means(plane)) for plane in difference]
    return np.stack([np.maximum(*absolute), np.maximum(*signed)])


def _block_means(plane: Planes) -> Planes:
    return np.asarray(Image.fromarray(plane).reduce(_BLOCK), np.float32)


def _share_of_past(change: Planes) -> Planes:
    """How much of the past each block may keep, 0 to `_STRONGEST`.

    The noise of the source is what the calmer quarter of the blocks shows. Up to twice that a block
    counts as still, beyond four times as changed; and so it does if its mean moves by more than
    noise can. A block keeps no more than its neighbours.
    """
    absolute, signed = change
    noise = float(np.clip(np.quantile(absolute - signed, 0.25), *_NOISE_RANGE))
    stillness = np.clip(2 - np.maximum(absolute / (2 * noise), signed / _MEAN_LEVELS), 0, 1)
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


def _find_pan(past: Planes, present: Planes) -> tuple[int, int]:
    """Find the shift (down, right) in pixels that most of the picture made since the last frame.

    Phase correlation (Kuglin and Hines 1975), the peak's place refined by its neighbours. (0, 0) if
    there is no clear common motion.
    """
    height, width = past.shape
    if min(height, width) < 2 * _BLOCK:
        return 0, 0
    window = np.hanning(height)[:, None] * np.hanning(width)
    before = np.fft.rfft2((past - past.mean()) * window)
    after = np.fft.rfft2((present - present.mean()) * window)
    cross = after * before.conj()
    peaks = np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-6), s=(height, width))
    row, column = np.unravel_index(int(peaks.argmax()), peaks.shape)
    # Of N values of noise, each of variance 1 / N, the highest is about sqrt(2 ln N / N).
    if peaks[row, column] < _PAN_CLARITY * np.sqrt(2 * np.log(peaks.size) / peaks.size):
        return 0, 0
    down = _refine(peaks[:, column], int(row))
    right = _refine(peaks[row, :], int(column))
    if abs(down) > height / 4 or abs(right) > width / 4:  # too little in common to be sure
        return 0, 0
    return round(down * _PAN_REDUCTION), round(right * _PAN_REDUCTION)


def _refine(line: NDArray[np.float64], peak: int) -> float:
    """The peak's place between samples: the centre of mass with its two neighbours, signed."""
    size = len(line)
    weights = np.maximum(line[[(peak - 1) % size, peak, (peak + 1) % size]], 0)
    place = peak if peak <= size // 2 else peak - size
    return place + float((weights[2] - weights[0]) / max(weights.sum(), 1e-9))


def _shift(planes: Planes, down: int, right: int, axes: tuple[int, int]) -> Planes:
    """Move a picture; where nothing comes in, its old content stays and will not match."""
    moved = planes.copy()
    here: list[slice] = [slice(None)] * planes.ndim
    there: list[slice] = [slice(None)] * planes.ndim
    for axis, step in zip(axes, (down, right), strict=True):
        here[axis] = slice(max(step, 0), planes.shape[axis] + min(step, 0))
        there[axis] = slice(max(-step, 0), planes.shape[axis] + min(-step, 0))
    moved[tuple(here)] = planes[tuple(there)]
    return moved
