"""Run a local model over a picture of any size, window by window, so that tiles equal the whole.

A picture is padded by reflection, on the right and at the bottom, up to the model's size multiple.
A tile's window reaches `margin` pixels further than the tile wherever the padded picture does, and
lies on the grid of the multiple: a model that looks no further cannot tell the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sakuga.images.colour import Pixels
from sakuga.painting.options import OnShare


@dataclass(frozen=True)
class Span:
    """One tile along one axis, pixels; its window is what the model sees of the padded picture."""

    start: int
    stop: int
    window_start: int
    window_stop: int


def spans(extent: int, tile: int | None, margin: int, multiple: int, minimum: int) -> list[Span]:
    """Cut one axis of a picture into tiles.

    Args:
        extent: length of the picture, pixels, at least 1.
        tile: greatest length of a tile, rounded up to the multiple; None: one tile.
        margin: how far the model looks, pixels.
        multiple: windows start and stop at multiples of this.
        minimum: windows are at least this long.
    """
    shortest = _round_up(minimum, multiple)
    padded = max(_round_up(extent, multiple), shortest)
    if tile is None:
        return [Span(0, extent, 0, padded)]
    halo = _round_up(margin, multiple)
    tile = _round_up(tile, multiple)
    # A whole no larger than the window of an inner tile costs no more memory and less time.
    count = 1 if padded <= tile + 2 * halo else -(-extent // tile)
    step = _round_up(-(-extent // count), multiple)
    result = []
    for start in range(0, extent, step):
        stop = min(start + step, extent)
        window_stop = min(_round_up(stop, multiple) + halo, padded)
        window_start = max(0, min(start - halo, window_stop - shortest))
        window_stop = max(window_stop, window_start + shortest)
        result.append(Span(start, stop, window_start, window_stop))
    return result


def paint_tiles(
    photo: Pixels,
    paint_window: Callable[[Pixels], Pixels],
    *,
    tile: int | None,
    margin: int,
    multiple: int,
    minimum: int,
    progress: OnShare | None = None,
) -> Pixels:
    """Paint a picture (H, W, 3) window by window; memory beyond the result's is that of one window.

    Args:
        photo: uint8 (H, W, 3), left alone.
        paint_window: takes a window uint8 (h, w, 3), h and w multiples of `multiple` and at least
            `minimum`, and gives the same shape; local within `margin` unless `tile` is None.
        tile, margin, multiple, minimum: see `spans`.
        progress: called with the share that is done, up to 1.0.
    """
    height, width = photo.shape[:2]
    rows = spans(height, tile, margin, multiple, minimum)
    columns = spans(width, tile, margin, multiple, minimum)
    anime = np.empty_like(photo, order="C")
    done = 0
    for row in rows:
        for column in columns:
            painted = paint_window(_window(photo, row, column))
            anime[row.start : row.stop, column.start : column.stop] = painted[
                row.start - row.window_start : row.stop - row.window_start,
                column.start - column.window_start : column.stop - column.window_start,
            ]
            done += 1
            if progress is not None:
                progress(done / (len(rows) * len(columns)))
    return anime


def _window(photo: Pixels, row: Span, column: Span) -> Pixels:
    """The part of the reflected picture that a window sees; a view when no reflection is needed."""
    height, width = photo.shape[:2]
    if row.window_stop <= height and column.window_stop <= width:
        return photo[row.window_start : row.window_stop, column.window_start : column.window_stop]
    return photo[
        _reflected(row.window_start, row.window_stop, height)[:, None],
        _reflected(column.window_start, column.window_stop, width)[None, :],
    ]


def _reflected(start: int, stop: int, extent: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Indices start..stop of an endlessly reflected axis: extent 3 gives 0 1 2 1 0 1 2 1 ..."""
    if extent == 1:
        return np.zeros(stop - start, np.intp)
    period = 2 * extent - 2
    indices = np.arange(start, stop, dtype=np.intp) % period
    return np.minimum(indices, period - indices)


def _round_up(length: int, multiple: int) -> int:
    return -(-length // multiple) * multiple
