"""What is measured: a style that paints, or a folder of pictures that another has painted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from sakuga.errors import DataError
from sakuga.evaluate.sources import Item, list_pictures, match_results
from sakuga.evaluate.statistics import Picture
from sakuga.painting.mixture import open_stylizer

ASPECT_TOLERANCE = 0.02  # systems that paint multiples of 8 or 32 pixels cut a few off


@dataclass(frozen=True)
class System:
    """Something that turns photos into drawings."""

    name: str
    about: str  # for the report: what it is, with its version
    result: Callable[[Item, Picture], Picture]  # of a photo, as listed and as read; of its shape
    stylize: Callable[[Picture], Picture] | None  # any picture; None: only finished results exist


def style_system(style: str | Path, *, device: Literal["auto", "cpu", "cuda"]) -> System:
    """A style, painting as `sakuga paint` does."""
    stylizer = open_stylizer(style, device=device)
    spec = stylizer.spec
    return System(
        f"{spec.name} {spec.version}",
        spec.description,
        lambda item, photo: stylizer(photo),
        lambda picture: stylizer(picture),
    )


def results_system(folder: Path, photos: Sequence[Item]) -> System:
    """Finished pictures of any system, named like their photos.

    Raises:
        DataError: no pictures there, or photos without one; later, when a result is read, one whose
            shape is not its photo's.
    """
    found = match_results(list(photos), list_pictures(folder, "results"), folder)
    by_photo = {photo.name: result for photo, result in zip(photos, found, strict=True)}

    def result(item: Item, photo: Picture) -> Picture:
        painted, origin = by_photo[item.name].read(), by_photo[item.name].origin
        height, width = photo.shape[:2]
        stretch = (painted.shape[1] / painted.shape[0]) / (width / height)
        if abs(stretch - 1) > ASPECT_TOLERANCE:
            raise DataError(
                f"{origin}: is {painted.shape[1]} x {painted.shape[0]} pixels, another format than "
                f"its photo's {width} x {height}: a result must show the whole photo."
            )
        if painted.shape == photo.shape:
            return painted
        shrinks = painted.shape[0] > height
        way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(painted, (width, height), interpolation=way), np.uint8)

    return System(folder.name, f"finished pictures in {folder.name}", result, None)
