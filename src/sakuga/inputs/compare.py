"""Photos beside themselves in several styles: on one sheet, or a strip each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sakuga.console import ProgressBar
from sakuga.errors import InputError, OptionError, OutputError
from sakuga.images.formats import format_of
from sakuga.images.marks import Mark
from sakuga.images.read import Frame, Picture, read_picture
from sakuga.images.sheet import contact_sheet
from sakuga.images.write import check_quality, write_picture
from sakuga.inputs.plan import find_pictures
from sakuga.painting.mixture import open_stylizer
from sakuga.painting.stylizer import Stylizer
from sakuga.paths import kind_of


def draw_comparison(
    photos: Sequence[str],
    styles: Sequence[str],
    out: Path,
    *,
    side: int = 512,
    quality: int | None = None,
    overwrite: bool = False,
) -> None:
    """Write rows of pictures, the photo first and then a column a style.

    Args:
        photos: pictures, folders or patterns; of an animation the first frame is taken.
        styles: names, style files or mixtures.
        out: a path whose suffix says PNG, JPEG or WebP, for one sheet with a row a photo; a folder,
            or a path without a suffix, for a JPEG named after each photo, with its row alone.
        side: pixels; longer side of a picture on the sheet, at which it is also painted.
        quality: of a JPEG or WebP, 1 to 100; None: that of painted pictures.

    Raises:
        SakugaError: a photo, a style or the place cannot be used.
    """
    if not photos:
        raise InputError("nothing to compare was given; name a picture, a folder or more")
    if side < 1:
        raise OptionError(f"side is {side} pixels; it must be 1 or more")
    sources = find_pictures(photos)
    strips = kind_of(out) == "folder" or not out.suffix
    targets = _strips_in(out, sources) if strips else [out]
    file_format = format_of(targets[0])
    if quality is not None and file_format is not None:
        check_quality(quality, file_format)  # before painting, not after
    for target in targets:
        if kind_of(target) != "nothing" and not overwrite:
            raise OutputError(f"{target}: is there already; use --overwrite, or another --out")
    stylizers = [open_stylizer(style) for style in styles]
    mark = Mark(style=", ".join(stylizer.spec.name for stylizer in stylizers))
    titles = ["photo", *(stylizer.spec.name for stylizer in stylizers)]

    def write(rows: Sequence[Sequence[NDArray[np.uint8]]], target: Path) -> None:
        sheet = contact_sheet(rows, titles)
        write_picture(Picture((Frame(sheet),)), target, quality=quality, mark=mark)

    rows = _painted_rows(sources, stylizers, side)
    if strips:
        for row, target in zip(rows, targets, strict=True):
            write([row], target)
    else:
        write(list(rows), out)
    print(out)


def _strips_in(folder: Path, sources: Sequence[Path]) -> list[Path]:
    """A place for each photo's strip: its name in `folder`, as a JPEG."""
    places: dict[Path, Path] = {}
    for source in sources:
        target = folder / f"{source.stem}.jpg"
        if target in places:
            raise OptionError(
                f"{source} and {places[target]} would both become {target}; rename one, or leave "
                "it out"
            )
        if kind_of(target) != "nothing" and target.samefile(source):
            raise OutputError(
                f"{target}: is a photo to be compared, which is never replaced; choose another "
                "folder with --out"
            )
        places[target] = source
    return list(places)


def _painted_rows(
    sources: Sequence[Path], stylizers: Sequence[Stylizer], side: int
) -> Iterator[list[NDArray[np.uint8]]]:
    """Each photo, uint8 (H, W, 3) of at most `side` pixels, and what every style makes of it."""
    with ProgressBar("Painting", total=len(sources)) as bar:
        for done, path in enumerate(sources):
            bar.update(done, str(path))
            photo = read_picture(path, max_side=side).frames[0].colour
            yield [photo, *(stylizer(photo) for stylizer in stylizers)]
