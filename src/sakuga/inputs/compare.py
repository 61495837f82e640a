"""Photos beside themselves in several styles: on one sheet, or a strip each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sakuga.console import ProgressBar
from sakuga.errors import InputError, OptionError, OutputError, SakugaError
from sakuga.images.formats import format_of
from sakuga.images.marks import Mark
from sakuga.images.picture import Frame, Picture
from sakuga.images.read import read_picture
from sakuga.images.sheet import contact_sheet
from sakuga.images.urls import fetch, file_name, is_url
from sakuga.images.write import check_quality, write_picture
from sakuga.inputs.plan import find_pictures
from sakuga.painting.mixture import open_stylizer
from sakuga.painting.options import check_whole
from sakuga.painting.stylizer import Stylizer
from sakuga.paths import kind_of

Row = list[NDArray[np.uint8]]  # (H, W, 3) each: a photo and what each style makes of it
Layout = Literal["row", "column", "grid"]


def draw_comparison(
    photos: Sequence[str] | str | Path,
    styles: Sequence[str | Path] | str | Path,
    out: str | Path,
    *,
    side: int = 512,
    quality: int | None = None,
    overwrite: bool = False,
    layout: Layout = "row",
    photo: Literal["first", "last"] = "first",
) -> list[SakugaError]:
    """Write pictures beside each other, a photo and each style's of it, going on past bad photos.

    Args:
        photos: pictures, folders, patterns or addresses; of an animation the first frame is taken.
        styles: names, style files or mixtures.
        out: a path whose suffix says PNG, JPEG or WebP, for one sheet of all photos; a folder, or a
            path without a suffix, for a JPEG named after each photo, with it alone.
        side: pixels; longer side of a picture on the sheet, at which it is also painted.
        quality: of a JPEG or WebP, 1 to 100; None: that of painted pictures.
        layout: a row for each photo, a column for each, or its pictures in a square, squares below
            each other.
        photo: where it stands among its pictures.

    Returns:
        What was wrong with photos that are left out, of several.

    Raises:
        SakugaError: the only photo, a style or the place cannot be used.
    """
    photos = [str(photos)] if isinstance(photos, str | Path) else [str(photo) for photo in photos]
    styles = [styles] if isinstance(styles, str | Path) else styles
    out = Path(out)
    if not photos:
        raise InputError("nothing to compare was given; name a picture, a folder or more")
    check_whole("side", side, " pixels")
    sources, unread = find_pictures(photos)
    strips = kind_of(out) == "folder" or not out.suffix
    targets = _strips_in(out, sources) if strips else [out]
    file_format = format_of(targets[0])
    if file_format is None:
        raise OptionError(
            f"{out}: the suffix {out.suffix} is not one Sakuga writes; use .png, .jpg or .webp"
        )
    if quality is not None:
        check_quality(quality, file_format)  # before painting, not after
    for target in targets:
        if kind_of(target) != "nothing" and not overwrite:
            raise OutputError(f"{target}: is there already; use --overwrite, or another --out")
    stylizers = [open_stylizer(style) for style in styles]
    mark = Mark(style=", ".join(stylizer.spec.name for stylizer in stylizers))
    titles = ["photo", *(stylizer.spec.name for stylizer in stylizers)]

    def write(rows: Sequence[Row], target: Path) -> None:
        sheet = lay_out(rows, titles, layout, photo)
        write_picture(Picture((Frame(sheet),)), target, quality=quality, mark=mark)

    errors: list[SakugaError] = [*unread]
    rows = []
    for row, target in zip(_painted_rows(sources, stylizers, side), cycle(targets)):
        if isinstance(row, SakugaError):
            errors.append(row)
        elif strips:
            write([row], target)
        else:
            rows.append(row)
    if len(sources) == 1 and errors:
        raise errors[-1]
    if rows:
        write(rows, out)
    if len(errors) < len(sources) + len(unread):
        print(out)
    return errors


def lay_out(
    rows: Sequence[Row], titles: Sequence[str], layout: Layout, photo: Literal["first", "last"]
) -> NDArray[np.uint8]:
    """A sheet of photos beside what styles make of them, uint8 (H, W, 3).

    Args:
        rows: the photo first, of as many pictures as there are titles.
    """
    if photo == "last":
        rows = [[*row[1:], row[0]] for row in rows]
        titles = [*titles[1:], titles[0]]
    if layout == "row":
        return contact_sheet(rows, titles)
    if layout == "column":
        return contact_sheet(
            [list(pictures) for pictures in zip(*rows, strict=True)],
            [[title] * len(rows) for title in titles],
        )
    across = math.ceil(math.sqrt(len(titles)))
    starts = range(0, len(titles), across)
    return contact_sheet(
        [row[start : start + across] for row in rows for start in starts],
        [titles[start : start + across] for _ in rows for start in starts],
    )


def _strips_in(folder: Path, sources: Sequence[str]) -> list[Path]:
    """A place for each photo's strip: its name in `folder`, as a JPEG."""
    places: dict[Path, str] = {}
    for source in sources:
        name = file_name(source) if is_url(source) else source
        target = folder / f"{Path(name).stem}.jpg"
        if target in places:
            raise OptionError(
                f"{source} and {places[target]} would both become {target}; rename one, or leave "
                "it out"
            )
        if _is_same_file(target, source):
            raise OutputError(
                f"{target}: is a photo to be compared, which is never replaced; choose another "
                "folder with --out"
            )
        places[target] = source
    return list(places)


def _is_same_file(target: Path, source: str) -> bool:
    try:
        return target.samefile(source)
    except (OSError, ValueError):  # one of them is not there, or cannot be looked at
        return False


def _painted_rows(
    sources: Sequence[str], stylizers: Sequence[Stylizer], side: int
) -> Iterator[Row | SakugaError]:
    """Each photo, of at most `side` pixels, and what every style makes of it; or why it cannot."""
    with ProgressBar("Painting", total=len(sources)) as bar:
        for done, source in enumerate(sources):
            bar.update(done, source)
            try:
                content = fetch(source) if is_url(source) else Path(source)
                photo = read_picture(content, name=source, max_side=side).frames[0].colour
                yield [photo, *(stylizer(photo) for stylizer in stylizers)]
            except SakugaError as error:
                yield error
