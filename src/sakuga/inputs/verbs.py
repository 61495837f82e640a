"""`sakuga paint` and `sakuga compare`: each imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter, Token

from sakuga.console import tell
from sakuga.errors import one_line
from sakuga.painting.options import PaintOptions
from sakuga.video.options import VideoOptions, parse_rate, parse_time

VIDEO = Group("Video", sort_key=100)


def _time(_: object, tokens: Sequence[Token]) -> Fraction:
    return parse_time(tokens[0].value)


def _rate(_: object, tokens: Sequence[Token]) -> Fraction:
    return parse_rate(tokens[0].value)


@dataclass(frozen=True)
class ClipOptions(VideoOptions):
    start: Annotated[Fraction | None, Parameter(name="--from", converter=_time)] = None
    stop: Annotated[Fraction | None, Parameter(name="--to", converter=_time)] = None
    fps: Annotated[Fraction | None, Parameter(converter=_rate)] = None
    steady: Annotated[bool, Parameter(negative="--no-steady")] = True
    segment_frames: Annotated[int, Parameter(parse=False)] = 240
    fragmented: Annotated[bool, Parameter(parse=False)] = False


ClipOptions.__doc__ = VideoOptions.__doc__  # where the help of each is written


def paint(
    *inputs: Annotated[str, Parameter(allow_leading_hyphen=True)],  # '-' is stdin
    out: Annotated[Path | None, Parameter(name=["--out", "-o"], allow_leading_hyphen=True)] = None,
    style: Annotated[
        list[str] | None, Parameter(name=["--style", "-s"], consume_multiple=True)
    ] = None,
    all_styles: bool = False,
    options: Annotated[PaintOptions | None, Parameter(name="*")] = None,
    format: Literal["png", "jpg", "webp", "gif", "mp4", "mov", "mkv", "webm"] | None = None,
    overwrite: bool = False,
    tile: int | Literal["auto", "none"] = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int | None = None,
    quiet: bool = False,
    json: bool = False,
    video: Annotated[ClipOptions | None, Parameter(name="*", group=VIDEO)] = None,
) -> int:
    """Paint pictures, folders and videos.

    Example:  sakuga paint photo.jpg holiday/ --style novel

    Parameters
    ----------
    inputs
        Pictures, folders, patterns, videos, addresses (http, https), webcam, or - for stdin.
    out
        File, or folder in which they keep their names; otherwise PHOTO-STYLE.EXT, FOLDER-STYLE/.
    style
        Names (`sakuga styles`), files, trainings' folders; or a mixture, novel:0.6+mine.onnx:0.4.
        Of several, --out has a folder for each. Otherwise novel.
    all_styles
        Paint in every style that a name finds.
    format
        Format of the results; otherwise that of the photo.
    overwrite
        Paint again what is there already, instead of skipping it.
    tile
        Side of the tiles that large pictures are painted in, pixels.
    device
        Where to compute.
    threads
        How many threads to compute with; otherwise one a core.
    quiet
        Show no progress and no summary.
    json
        Print what was done as JSON.
    """
    from sakuga.convert.runs import is_run, style_of
    from sakuga.inputs.jobs import check_tile, paint_inputs
    from sakuga.inputs.several import choose_styles
    from sakuga.painting.mixture import open_stylizer

    check_tile(tile)
    styles, more = choose_styles(style, inputs, out, is_run, every=all_styles)
    stylizers = [
        open_stylizer(style_of(name), device=device, threads=threads, tile=tile) for name in styles
    ]
    status = 0
    for stylizer in stylizers:
        failed = paint_inputs(
            (*inputs, *more),
            stylizer,
            options or PaintOptions(),
            out=out / stylizer.spec.name if out is not None and len(stylizers) > 1 else out,
            file_format=format,
            overwrite=overwrite,
            quiet=quiet,
            as_json=json,
            video=video,
        )
        status = max(status, failed)
    return status


def compare(
    *photos: str,
    styles: Annotated[list[str], Parameter(consume_multiple=True)],
    out: Annotated[Path, Parameter(name=["--out", "-o"])] = Path("comparison.png"),
    side: int = 512,
    quality: int | None = None,
    overwrite: bool = False,
    layout: Literal["row", "column", "grid"] = "row",
    photo: Literal["first", "last"] = "first",
) -> int:
    """Draw a sheet of photos, each beside itself in several styles, or a strip of each.

    Example:  sakuga compare cat.jpg street.jpg --styles novel storybook --out sheet.png

    Parameters
    ----------
    photos
        Pictures, folders, patterns or addresses.
    styles
        Names of styles, style files or trainings' folders.
    out
        The sheet; PNG, JPEG or WebP by its suffix. A folder: in it a JPEG for each photo.
    side
        Longer side of a picture on the sheet, pixels. Photos are painted at that size.
    quality
        Of a JPEG or WebP, 1 to 100; otherwise so good that no loss is seen.
    overwrite
        Replace sheets that are there.
    layout
        A row for each photo, a column for each, or its pictures in a square.
    photo
        Where the photo stands among its pictures.
    """
    from sakuga.convert.runs import style_of
    from sakuga.inputs.compare import draw_comparison

    styles = [style_of(style) for style in styles]
    errors = draw_comparison(
        photos,
        styles,
        out,
        side=side,
        quality=quality,
        overwrite=overwrite,
        layout=layout,
        photo=photo,
    )
    for error in errors:
        tell(f"sakuga: {one_line(error)}")
    return 1 if errors else 0
