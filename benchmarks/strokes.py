"""What --stroke auto does to large photos: seen fit to a screen, at 100 %, and in time.

    python benchmarks/strokes.py photo.jpg holiday.jpg
    python benchmarks/strokes.py photo.jpg --style my.onnx --strip strip.jpg --at 1200 900

Prints a Markdown table, a row a photo: texture and edges (docs/evaluation.md) of the photo painted
with one megapixel, and at full size with --stroke auto and fine; the width of contours at 100 % of
both, beside enlarging the small painting bicubically; and seconds. --strip draws, of the first
photo, the whole in fine and auto, and under each a part of it at 100 %.

Needs the extra `eval`.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
from PIL import Image

from sakuga.doctor import processor
from sakuga.evaluate.statistics import contour_width, picture_statistics
from sakuga.images.colour import Pixels
from sakuga.images.picture import Frame, fit_within, shrink
from sakuga.images.read import read_picture
from sakuga.images.sheet import contact_sheet
from sakuga.painting.options import Stroke
from sakuga.painting.stylizer import Stylizer, working_size

CELL_PIXELS = 640  # side of a picture on the strip


def main() -> None:
    """Read the arguments, paint and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--style", default="novel")
    parser.add_argument("--strip", type=Path, help="a picture to draw")
    parser.add_argument("--at", nargs=2, type=int, default=[0, 0], help="corner of the part")
    arguments = parser.parse_args()
    stylizer = Stylizer(arguments.style, device="cpu")
    print(f"{processor()}, {os.cpu_count()} cores\n")
    print("| photo | megapixels | texture 1 MP / auto / fine | edges 1 MP / auto / fine |", end="")
    print(" contours auto / bicubic / fine, pixels | seconds auto / fine |")
    print("|---|--:|--:|--:|--:|--:|")
    for index, path in enumerate(arguments.photos):
        photo = read_picture(path).frames[0].colour
        auto, auto_s = paint(stylizer, photo, "auto")
        fine, fine_s = paint(stylizer, photo, "fine")
        print_row(path.stem, stylizer, photo, auto, fine, f"{auto_s:.1f} / {fine_s:.1f}")
        if index == 0 and arguments.strip is not None:
            draw_strip(arguments.strip, photo, auto, fine, *arguments.at)


def paint(stylizer: Stylizer, photo: Pixels, stroke: Stroke) -> tuple[Pixels, float]:
    """The anime picture, and the seconds it took."""
    start_s = time.perf_counter()
    anime = stylizer(photo, stroke=stroke)
    return anime, time.perf_counter() - start_s


def print_row(
    name: str, stylizer: Stylizer, photo: Pixels, auto: Pixels, fine: Pixels, seconds: str
) -> None:
    """One row of the table."""
    height, width = photo.shape[:2]
    small = shrink(Frame(photo), working_size((width, height), "auto")).colour
    at_one = stylizer(small, stroke="fine")
    enlarged = Image.fromarray(at_one).resize((width, height), Image.Resampling.BICUBIC)
    pairs = [(small, at_one), (photo, auto), (photo, fine)]
    found = [picture_statistics(before, after) for before, after in pairs]
    cells = [name, f"{height * width / 1e6:.1f}"]
    cells += [" / ".join(f"{row[key]:.2f}" for row in found) for key in ("texture", "edges")]
    pictures = (auto, np.asarray(enlarged), fine)
    cells.append(" / ".join(f"{contour_width(picture):.1f}" for picture in pictures))
    print("| " + " | ".join([*cells, seconds]) + " |", flush=True)


def draw_strip(out: Path, photo: Pixels, auto: Pixels, fine: Pixels, left: int, top: int) -> None:
    """Photo, fine and auto: the whole fit to a cell, and a part of it at 100 %."""
    height, width = photo.shape[:2]
    size = fit_within((width, height), CELL_PIXELS)
    pictures = (photo, fine, auto)
    part = (slice(top, top + size[1]), slice(left, left + size[0]))
    rows = [
        [shrink(Frame(picture), size).colour for picture in pictures],
        [np.ascontiguousarray(picture[part]) for picture in pictures],
    ]
    sheet = contact_sheet(rows, ["photo", "--stroke fine", "--stroke auto"])
    Image.fromarray(sheet).save(out, quality=80)


if __name__ == "__main__":
    main()
