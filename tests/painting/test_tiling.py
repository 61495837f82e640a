"""Tiles cover the picture once, see enough, and give what the whole gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakuga.painting.tiling import paint_tiles, spans

extents = st.integers(1, 400)
tiles = st.integers(1, 200)
margins = st.integers(0, 70)
multiples = st.sampled_from([1, 2, 8, 32])
minimums = st.integers(1, 100)


@given(extents, tiles | st.none(), margins, multiples, minimums)
def test_spans_cover_once_and_see_enough(
    extent: int, tile: int | None, margin: int, multiple: int, minimum: int
) -> None:
    result = spans(extent, tile, margin, multiple, minimum)
    covered = [place for span in result for place in range(span.start, span.stop)]
    assert covered == list(range(extent))
    padded = max(span.window_stop for span in result)
    assert padded >= extent and padded >= minimum and padded % multiple == 0
    assert padded - extent < multiple or padded - minimum < multiple
    for span in result:
        assert span.window_start % multiple == 0 and span.window_stop % multiple == 0
        assert span.window_stop - span.window_start >= minimum
        assert span.window_start == 0 or span.window_start <= span.start - margin
        assert span.window_stop == padded or span.window_stop >= span.stop + margin


@given(extents, tiles, margins, multiples)
def test_windows_are_bounded_whatever_the_picture(
    extent: int, tile: int, margin: int, multiple: int
) -> None:
    bound = tile + 2 * margin + 3 * (multiple - 1)
    for span in spans(extent, tile, margin, multiple, 1):
        assert span.window_stop - span.window_start <= bound


def local(radius: int, cell: int):  # type: ignore[no-untyped-def]
    """A filter that looks `radius` pixels in each direction and knows its place in a grid of cells.

    Outside of what it is given it sees zeros, as a padding convolution does.
    """

    def apply(window: np.ndarray) -> np.ndarray:
        height, width, _ = window.shape
        assert height % cell == 0 and width % cell == 0
        padded = np.pad(window.astype(np.int64), ((radius, radius), (radius, radius), (0, 0)))
        total = np.zeros(window.shape, np.int64)
        for place, (row, column) in enumerate([(0, 0), (2 * radius, radius), (radius, 2 * radius)]):
            total += (place + 1) * padded[row : row + height, column : column + width]
        grid = np.add.outer(np.arange(height) % cell, 3 * (np.arange(width) % cell))
        return ((total + 5 * grid[..., None]) % 256).astype(np.uint8)

    return apply


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(1, 64),
    st.integers(0, 20),
    st.sampled_from([1, 4, 8]),
    st.integers(1, 40),
)
def test_tiles_equal_the_whole(
    height: int, width: int, tile: int, radius: int, cell: int, minimum: int
) -> None:
    photo = np.random.default_rng(height * 91 + width).integers(
        0, 256, (height, width, 3), np.uint8
    )
    options = {"margin": radius, "multiple": cell, "minimum": minimum}
    whole = paint_tiles(photo, local(radius, cell), tile=None, **options)
    tiled = paint_tiles(photo, local(radius, cell), tile=tile, **options)
    assert whole.shape == photo.shape and whole.flags.c_contiguous
    assert (tiled == whole).all()


def test_too_small_a_margin_shows() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    options = {"multiple": 8, "minimum": 8}
    whole = paint_tiles(photo, local(16, 8), tile=None, margin=16, **options)
    tiled = paint_tiles(photo, local(16, 8), tile=16, margin=8, **options)
    assert (tiled != whole).any()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 7), (3, 2), (20, 5)])
def test_the_picture_is_padded_by_reflection(height: int, width: int) -> None:
    photo = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    seen = []

    def look(window: np.ndarray) -> np.ndarray:
        seen.append(window.copy())
        return window

    painted = paint_tiles(photo, look, tile=None, margin=0, multiple=8, minimum=24)
    assert (painted == photo).all()
    rows, columns = 24 - height, 24 - width
    mode = "reflect" if min(height, width) > 1 else None
    if mode:
        expected = np.pad(photo, ((0, rows), (0, columns), (0, 0)), mode="reflect")
    else:  # numpy reflects one sample into itself as well, axis by axis
        expected = photo
        for axis, extra in ((0, rows), (1, columns)):
            widths = [(0, 0)] * 3
            widths[axis] = (0, extra)
            kind = "edge" if expected.shape[axis] == 1 else "reflect"
            expected = np.pad(expected, widths, mode=kind)
    assert (seen[0] == expected).all()


def test_progress_ends_at_one() -> None:
    shares: list[float] = []
    photo = np.zeros((40, 60, 3), np.uint8)
    paint_tiles(
        photo,
        lambda window: window,
        tile=20,
        margin=0,
        multiple=1,
        minimum=1,
        progress=shares.append,
    )
    assert shares == pytest.approx([place / 6 for place in range(1, 7)])
