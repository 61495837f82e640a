"""A sheet of photos, each beside itself in several styles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sakuga.encoding import write_picture
from sakuga.errors import InputError, OptionError, OutputError
from sakuga.mixture import open_stylizer
from sakuga.pixels import Frame, Picture, read_picture
from sakuga.progress import ProgressBar
from sakuga.sheets import contact_sheet


def draw_comparison(
    photos: Sequence[Path],
    styles: Sequence[str],
    out: Path,
    *,
    side: int = 512,
    overwrite: bool = False,
) -> None:
    """Write a contact sheet: a row a photo, the photo first and then a column a style.

    Args:
        photos: pictures; of an animation the first frame is taken.
        styles: names, style files or mixtures.
        out: a path whose suffix says PNG, JPEG or WebP.
        side: pixels; longer side of a picture on the sheet, at which it is also painted.

    Raises:
        SakugaError: a photo, a style or the place cannot be used.
    """
    if not photos:
        raise InputError("nothing to compare was given; name a picture or more")
    if side < 1:
        raise OptionError(f"side is {side} pixels; it must be 1 or more")
    if out.exists() and not overwrite:
        raise OutputError(f"{out}: is there already; use --overwrite, or another --out")
    stylizers = [open_stylizer(style) for style in styles]
    rows = []
    with ProgressBar("Painting", total=len(photos)) as bar:
        for done, path in enumerate(photos):
            bar.update(done, str(path))
            photo = read_picture(path, max_side=side).frames[0].colour
            rows.append([photo, *(stylizer(photo) for stylizer in stylizers)])
    titles = ["photo", *(stylizer.spec.name for stylizer in stylizers)]
    write_picture(Picture((Frame(contact_sheet(rows, titles)),)), out)
    print(out)
