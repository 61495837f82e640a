"""Contact sheets: rows of pictures side by side, under titles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

MARGIN = 12  # pixels around and between pictures
TITLE_HEIGHT = 36  # pixels
PAPER = (250, 249, 246)
INK = (40, 40, 46)


def contact_sheet(
    rows: Sequence[Sequence[NDArray[np.uint8]]], titles: Sequence[str] | Sequence[Sequence[str]]
) -> NDArray[np.uint8]:
    """Lay pictures out in rows, unscaled, each column or each picture under its title.

    Args:
        rows: uint8 (H, W, 3) pictures; some rows may be shorter than others.
        titles: one a column, above the first row; or rows of them, one a picture.

    Returns:
        uint8 (H, W, 3).
    """
    by_row = [[title] if isinstance(title, str) else list(title) for title in titles]
    if all(isinstance(title, str) for title in titles):
        by_row = [[title for (title,) in by_row], *([] for _ in rows[1:])]
    columns = max(len(row) for row in rows)
    widths = [max(row[c].shape[1] for row in rows if c < len(row)) for c in range(columns)]
    heights = [max(picture.shape[0] for picture in row) for row in rows]
    width = sum(widths) + MARGIN * (columns + 1)
    height = sum(heights) + MARGIN * (len(rows) + 1) + TITLE_HEIGHT * sum(map(bool, by_row))
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=20)
    lefts = [MARGIN + sum(widths[:c]) + MARGIN * c for c in range(len(widths))]
    top = MARGIN
    for row, own, row_height in zip(rows, by_row, heights, strict=True):
        if own:
            for left, _, title in zip(lefts, row, own, strict=False):
                pen.text((left, top), title, fill=INK, font=font)
            top += TITLE_HEIGHT
        for left, picture in zip(lefts, row, strict=False):  # the last row may be shorter
            sheet.paste(Image.fromarray(picture), (left, top))
        top += row_height + MARGIN
    return np.asarray(sheet)
