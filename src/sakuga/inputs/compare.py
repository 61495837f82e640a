"""Photos beside themselves in several styles: on one sheet, or a strip each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sakuga.console import ProgressBar
from sakuga.errors import InputError, OptionError, OutputError, SakugaError, told_in_python
from sakuga.images.formats import need_format
from sakuga.images.marks import Mark
from sakuga.images.picture import Frame, Picture, fit_within, shrink
from sakuga.images.sheet import contact_sheet
from sakuga.images.urls import file_name, is_url
from sakuga.images.write import check_quality, write_picture
from sakuga.inputs.plan import find_pictures
from sakuga.painting.options import check_whole
from sakuga.painting.pictures import AnyPhoto, AnyStyle, check_target, open_photo
from sakuga.painting.stylizer import Stylizer, open_stylizer
from sakuga.paths import is_same_file, kind_of
from sakuga.styles import installed

Row = list[NDArray[np.uint8]]  # (H, W, 3) each: a photo and what each style makes of it
Layout = Literal["row", "column", "grid"]


@told_in_python()
def compare(
    photos: AnyPhoto | Sequence[AnyPhoto],
    styles: AnyStyle | Sequence[AnyStyle] | None = None,
    *,
    side: int = 512,
    layout: Layout = "row",
    photo: Literal["first", "last"] = "first",
    out: str | Path | None = None,
    overwrite: bool = False,
) -> Image.Image:
    """Draw photos beside what several styles make of them.

    Args:
        photos: one or a list of what `paint` takes, or of folders and patterns; of an animation the
            first frame is taken.
        styles: one or a list of what `paint` takes; None: all that a name finds.
        side: pixels; longer side of a picture on the sheet, at which it is also painted.
        layout: "row", a row for each photo; "column", a column for each; "grid", its pictures in a
            square, squares below each other.
        photo: where it stands among its pictures.
        out: a file to write as well, PNG, JPEG or WebP by its suffix.
        overwrite: replace `out` if it is there.

    Returns:
        The sheet, of mode RGB.

    Raises:
        SakugaError: one of its branches, for the first photo, style, option or place that cannot be
            used.
    """
    check_whole("side", side, " pixels")
    if layout not in get_args(Layout) or photo not in ("first", "last"):
        raise OptionError(f"layout is {layout!r} and photo {photo!r}; see the help of compare")
    target = None if out is None else check_target(Path(out), "", overwrite=overwrite)
    sources: list[AnyPhoto] = []
    for given in _listed(photos):
        if isinstance(given, str | Path):
            found, unread = find_pictures([str(given)])
            if unread:
                raise unread[0]
            sources += found
        else:
            sources.append(given)
    if not sources:
        raise InputError("nothing to compare was given; give a photo or more")
    stylizers = _opened(styles)
    rows = [_row(source, stylizers, side) for source in sources]
    sheet = lay_out(rows, _titles(stylizers), layout, photo)
    if target is not None:
        write_picture(Picture((Frame(sheet),)), target, mark=_mark(stylizers))
    return Image.fromarray(sheet)


def draw_comparison(
    photos: Sequence[str] | str | Path,
    styles: Sequence[str | Path] | str | Path | None,
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
        styles: names, style files or mixtures; None: all that a name finds.
        out: a path whose suffix says PNG, JPEG or WebP, for one sheet of all photos; a folder, or a
            path without a suffix, for a JPEG named after each photo, with it alone.
        quality: of a JPEG or WebP, 1 to 100; None: that of painted pictures.
        side, overwrite, layout, photo: as for `compare`.

    Returns:
        What was wrong with photos that are left out, of several.

    Raises:
        SakugaError: the only photo, a style or the place cannot be used.
    """
    photos = [str(photos)] if isinstance(photos, str | Path) else [str(photo) for photo in photos]
    out = Path(out)
    if not photos:
        raise InputError("nothing to compare was given; name a picture, a folder or more")
    check_whole("side", side, " pixels")
    sources, unread = find_pictures(photos)
    strips = kind_of(out) == "folder" or not out.suffix
    targets = _strips_in(out, sources) if strips else [out]
    file_format = need_format(targets[0], ".png, .jpg or .webp")
    if quality is not None:
        check_quality(quality, file_format)  # before painting, not after
    for target in targets:
        if kind_of(target) != "nothing" and not overwrite:
            raise OutputError(f"{target}: is there already; use --overwrite, or another --out")
    stylizers = _opened(styles)

    def write(rows: Sequence[Row], target: Path) -> None:
        sheet = lay_out(rows, _titles(stylizers), layout, photo)
        picture = Picture((Frame(sheet),))
        write_picture(picture, target, quality=quality, mark=_mark(stylizers))

    errors: list[SakugaError] = [*unread]
    rows = []
    with ProgressBar("Painting", total=len(sources)) as bar:
        for done, (source, target) in enumerate(zip(sources, cycle(targets))):
            bar.update(done, source)
            try:
                row = _row(source, stylizers, side)
            except SakugaError as error:
                errors.append(error)
                continue
            if strips:
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
        if is_same_file(target, Path(source)):
            raise OutputError(
                f"{target}: is a photo to be compared, which is never replaced; choose another "
                "folder with --out"
            )
        places[target] = source
    return list(places)


def _opened(styles: AnyStyle | Sequence[AnyStyle] | None) -> list[Stylizer]:
    given = installed() if styles is None else _listed(styles)
    return [style if isinstance(style, Stylizer) else open_stylizer(style) for style in given]


def _listed(given: Any) -> list[Any]:
    """One thing, or some, as a list."""
    return [*given] if isinstance(given, list | tuple) else [given]


def _titles(stylizers: Sequence[Stylizer]) -> list[str]:
    return ["photo", *(stylizer.spec.name for stylizer in stylizers)]


def _mark(stylizers: Sequence[Stylizer]) -> Mark:
    return Mark(style=", ".join(_titles(stylizers)[1:]))


def _row(source: AnyPhoto, stylizers: Sequence[Stylizer], side: int) -> Row:
    """A photo, of at most `side` pixels, and what every style makes of it."""
    frame = open_photo(source, side).frames[0]
    photo = shrink(frame, fit_within(frame.size, side)).colour
    return [photo, *(stylizer(photo) for stylizer in stylizers)]
