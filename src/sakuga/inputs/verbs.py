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
    style: Annotated[str, Parameter(name=["--style", "-s"])] = "novel",
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
        A name (`sakuga styles`), a file, a training's folder; or a mixture, novel:0.6+mine.onnx:0.4
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
    from sakuga.convert.runs import style_of
    from sakuga.inputs.jobs import check_tile, paint_inputs
    from sakuga.painting.mixture import open_stylizer

    check_tile(tile)
    stylizer = open_stylizer(style_of(style), device=device, threads=threads, tile=tile)
    return paint_inputs(
        inputs,
        stylizer,
        options or PaintOptions(),
        out=out,
        file_format=format,
        overwrite=overwrite,
        quiet=quiet,
        as_json=json,
        video=video,
    )


def compare(
    *photos: str,
    styles: Annotated[list[str], Parameter(consume_multiple=True)],
    out: Annotated[Path, Parameter(name=["--out", "-o"])] = Path("comparison.png"),
    side: int = 512,
    quality: int | None = None,
    overwrite: bool = False,
) -> int:
    """Draw a sheet of photos, each beside itself in several styles, or a strip of each.

    Example:  sakuga compare cat.jpg street.jpg --styles novel storybook --out sheet.png

    Parameters
    ----------
    photos
        Pictures, folders, patterns or addresses; a row each.
    styles
        Names of styles or style files, a column each.
    out
        The sheet; PNG, JPEG or WebP by its suffix. A folder: in it a JPEG for each photo.
    side
        Longer side of a picture on the sheet, pixels. Photos are painted at that size.
    quality
        Of a JPEG or WebP, 1 to 100; otherwise so good that no loss is seen.
    overwrite
        Replace sheets that are there.
    """
    from sakuga.convert.runs import style_of
    from sakuga.inputs.compare import draw_comparison

    styles = [style_of(style) for style in styles]
    errors = draw_comparison(photos, styles, out, side=side, quality=quality, overwrite=overwrite)
    for error in errors:
        tell(f"sakuga: {one_line(error)}")
    return 1 if errors else 0
