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
from sakuga.painting.typed import TypedOptions
from sakuga.video.options import VideoOptions, parse_rate, parse_time

VIDEO = Group("Video", sort_key=100)
Source = str | Path  # is a str; the shell completes paths


def _style_names(_: object) -> list[str]:
    """What the shell completes behind --style."""
    from sakuga.styles import installed

    return [style.spec.name for style in installed()]


Styles = Annotated[
    list[str] | None,
    Parameter(name=["--style", "--styles", "-s"], consume_multiple=True, completer=_style_names),
]


def _time(_: object, tokens: Sequence[Token]) -> Fraction:
    return parse_time(tokens[0].value)


def _rate(_: object, tokens: Sequence[Token]) -> Fraction:
    return parse_rate(tokens[0].value)


@dataclass(frozen=True)
class ClipOptions(VideoOptions):
    start: Annotated[Fraction | None, Parameter(name="--from", converter=_time, metavar="TIME")] = (
        None
    )
    stop: Annotated[Fraction | None, Parameter(name="--to", converter=_time, metavar="TIME")] = None
    fps: Annotated[Fraction | None, Parameter(converter=_rate, metavar="RATE")] = None
    steady: Annotated[bool, Parameter(negative="--no-steady")] = True
    segment_frames: Annotated[int, Parameter(parse=False)] = 240
    fragmented: Annotated[bool, Parameter(parse=False)] = False


ClipOptions.__doc__ = VideoOptions.__doc__  # where the help of each is written


def paint(
    *inputs: Annotated[Source, Parameter(allow_leading_hyphen=True)],  # '-' is stdin
    out: Annotated[Path | None, Parameter(name=["--out", "-o"], allow_leading_hyphen=True)] = None,
    style: Styles = None,
    all_styles: bool = False,
    options: Annotated[TypedOptions | None, Parameter(name="*")] = None,
    format: Literal["png", "jpg", "jpeg", "webp", "gif", "mp4", "mov", "mkv", "webm"] | None = None,
    overwrite: bool = False,
    watch: bool = False,
    tile: int | Literal["auto", "none"] = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int | None = None,
    quiet: bool = False,
    verbose: bool = False,
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
    watch
        Go on with what arrives in a folder, as from a camera or scanner, until Ctrl-C.
    tile
        Side of the tiles that large pictures are painted in, pixels.
    device
        Where to compute.
    threads
        How many threads to compute with; otherwise one a core.
    quiet
        Show no progress and no summary.
    verbose
        Tell of each result as it is done.
    json
        Print what was done as JSON.
    """
    from sakuga.convert.runs import style_of
    from sakuga.inputs.jobs import Request, check_tile, paint_inputs
    from sakuga.inputs.several import choose_styles
    from sakuga.inputs.watch import watch_folders
    from sakuga.painting.stylizer import open_stylizer
    from sakuga.styles.spec import is_run

    check_tile(tile)
    given = [str(one) for one in inputs]
    styles, more = choose_styles(style, given, out, is_run, every=all_styles)
    stylizers = [
        open_stylizer(style_of(name), device=device, threads=threads, tile=tile) for name in styles
    ]
    requests = [
        Request(
            stylizer,
            options or PaintOptions(),
            video or VideoOptions(),
            out=out / stylizer.spec.name if out is not None and len(stylizers) > 1 else out,
            file_format="jpg" if format == "jpeg" else format,
            overwrite=overwrite,
            quiet=quiet,
            verbose=verbose,
            as_json=json,
        )
        for stylizer in stylizers
    ]
    if watch:
        return watch_folders([*given, *more], requests)
    return max([paint_inputs([*given, *more], request) for request in requests])


def compare(
    *photos: Source,
    styles: Styles = None,
    out: Annotated[Path, Parameter(name=["--out", "-o"])] = Path("comparison.png"),
    side: int = 512,
    quality: int | None = None,
    overwrite: bool = False,
    layout: Literal["row", "column", "grid"] = "row",
    photo: Literal["first", "last"] = "first",
) -> int:
    """Draw photos beside what several styles make of them.

    Example:  sakuga compare cat.jpg street.jpg --styles novel storybook --out sheet.png

    Parameters
    ----------
    photos
        Pictures, folders, patterns or addresses.
    styles
        Names of styles, style files or trainings' folders; otherwise all that a name finds.
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

    errors = draw_comparison(
        [str(one) for one in photos],
        None if styles is None else [style_of(style) for style in styles],
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
