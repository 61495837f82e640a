"""A contact sheet shows each picture once, unscaled, under its title."""

from __future__ import annotations

import numpy as np
from samples import photo

from sakuga.images.sheet import MARGIN, PAPER, TITLE_HEIGHT, contact_sheet


def test_pictures_of_several_sizes_stand_in_columns() -> None:
    rows = [[photo(40, 60, 1), photo(30, 50, 2)], [photo(20, 80, 3), photo(60, 10, 4)]]
    sheet = contact_sheet(rows, ["photo", "novel"])
    assert sheet.dtype == np.uint8
    assert sheet.shape == (TITLE_HEIGHT + 40 + 60 + 3 * MARGIN, 80 + 50 + 3 * MARGIN, 3)
    tops = (TITLE_HEIGHT + MARGIN, TITLE_HEIGHT + 40 + 2 * MARGIN)
    lefts = (MARGIN, 80 + 2 * MARGIN)
    for top, row in zip(tops, rows, strict=True):
        for left, picture in zip(lefts, row, strict=True):
            height, width, _ = picture.shape
            assert (sheet[top : top + height, left : left + width] == picture).all()
    titles = (sheet[:TITLE_HEIGHT] != np.array(PAPER, np.uint8)).any(axis=(0, 2))
    for left in lefts:
        assert titles[left : left + 40].any()
