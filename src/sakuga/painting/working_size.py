"""How heavy strokes are to be: the size at which a photo is painted.

A style draws strokes of a few pixels. Painted with all its 12 megapixels, a photo that is then seen
on a screen has strokes too fine to see; painted with one megapixel, it looks drawn.
"""

from __future__ import annotations

import math

from sakuga.images.picture import fit_within
from sakuga.painting.options import Stroke, check_stroke

# 1182 x 887 fills most of a screen or a page as it is, and styles are trained on pictures of
# 0.1 to 0.4 megapixels, shown at that size.
_AREAS = {"auto": 2**20, "bold": 2**18}  # pixels
# Up to here strokes are at most a fifth finer, and texture seen at 768 pixels stays within 10 %.
_TOLERANCE = 1.5  # times the area


def working_size(size: tuple[int, int], stroke: Stroke) -> tuple[int, int]:
    """The (width, height) at which a photo of this (width, height) is painted, never larger.

    Args:
        size: of the photo.
        stroke: "auto": one megapixel (2^20), if the photo has more than one and a half; "bold": a
            quarter of that, for strokes twice as wide; "fine": the photo's own size; a number: the
            longer side, pixels.

    Raises:
        OptionError: stroke is none of these.
    """
    check_stroke(stroke)
    width, height = size
    if stroke == "fine":
        return size
    if not isinstance(stroke, str):
        return fit_within(size, stroke)
    area = _AREAS[stroke]
    if width * height <= _TOLERANCE * area:
        return size
    scale = math.sqrt(area / (width * height))
    return max(1, round(width * scale)), max(1, round(height * scale))
