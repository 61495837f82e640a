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
    rows: Sequence[Sequence[NDArray[np.uint8]]], titles: Sequence[str]
) -> NDArray[np.uint8]:
    """Lay pictures out in rows, unscaled, each column under its title.

    Args:
        rows: uint8 (H, W, 3) pictures; every row has as many as there are titles.
        titles: one a column.

    Returns:
        uint8 (H, W, 3).
    """
    widths = [max(row[c].shape[1] for row in rows) for c in range(len(titles))]
    heights = [max(picture.shape[0] for picture in row) for row in rows]
    width = sum(widths) + MARGIN * (len(widths) + 1)
    height = TITLE_HEIGHT + sum(heights) + MARGIN * (len(heights) + 1)
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=20)
    lefts = [MARGIN + sum(widths[:c]) + MARGIN * c for c in range(len(widths))]
    for left, title in zip(lefts, titles, strict=True):
        pen.text((left, MARGIN), title, fill=INK, font=font)
    top = TITLE_HEIGHT + MARGIN
    for row, row_height in zip(rows, heights, strict=True):
        for left, picture in zip(lefts, row, strict=True):
            sheet.paste(Image.fromarray(picture), (left, top))
        top += row_height + MARGIN
    return np.asarray(sheet)
