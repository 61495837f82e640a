"""A look at ten moments of a clip, painted, before committing to the whole."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from sakuga.errors import InputError, OptionError, OutputError, told_in_python
from sakuga.images.formats import format_of
from sakuga.images.marks import Mark
from sakuga.images.picture import Frame, Picture, shrink_within
from sakuga.images.sheet import contact_sheet
from sakuga.images.write import write_picture
from sakuga.painting.options import PaintOptions, Stroke
from sakuga.painting.pictures import AnyStyle
from sakuga.styles import DEFAULT_STYLE
from sakuga.video.fast import FastPainter
from sakuga.video.frames import Pixels
from sakuga.video.options import VideoOptions, is_live, parse_aspect
from sakuga.video.painter import Paints, paint_frame
from sakuga.video.pipeline import default_target, load_painter, open_clip, style_name
from sakuga.video.recorder import crop_to

_MOMENTS = 10
_PAIRS_A_ROW = 2
_CELL_PIXELS = 320  # the longer side of a picture on the sheet


@told_in_python()
def preview_video(
    source: str | Path,
    out: str | Path | None = None,
    *,
    style: AnyStyle | Paints = DEFAULT_STYLE,
    strength: float = 1.0,
    keep_colour: bool = False,
    max_side: int | None = None,
    stroke: Stroke = "auto",
    overwrite: bool = False,
    options: VideoOptions | None = None,
) -> tuple[Path, float | None]:
    """Preview a video as `preview_clip` does, with the arguments of `paint_video`."""
    return preview_clip(
        source,
        out,
        style=style,
        painting=PaintOptions(strength, keep_colour, max_side, stroke),
        overwrite=overwrite,
        options=options,
    )


def preview_clip(
    source: str | Path,
    out: str | Path | None = None,
    *,
    style: AnyStyle | Paints = DEFAULT_STYLE,
    painting: PaintOptions,
    overwrite: bool = False,
    options: VideoOptions | None = None,
) -> tuple[Path, float | None]:
    """Paint ten frames, evenly spread, and lay them out beside their photos as one picture.

    Args:
        out: the sheet, its kind by its ending; by default NAME-STYLE-preview.png beside the
            source. The other arguments are those of `paint_clip`.

    Returns:
        The sheet's path, and about how many seconds painting the whole will take (None: not known).

    Raises:
        InputError: the source is not a video that can be read.
        OptionError: it is a live source, which has no moments to choose from.
        OutputError: the sheet exists or cannot be written.
    """
    options = options or VideoOptions()
    if is_live(source):
        raise OptionError(f"{source}: --preview needs a clip; record one with --seconds 5 first")
    if options.resume:
        raise OptionError("--preview and --resume cannot be had together; leave one out")
    stylizer = load_painter(style)
    painted = default_target(source, style_name(stylizer))
    target = painted.with_name(f"{painted.stem}-preview.png") if out is None else Path(out)
    if format_of(target) is None:
        raise OptionError(
            f"{target}: the sheet of --preview is a picture; end its name with .png, .jpg or .webp"
        )
    if target.exists() and not overwrite:
        raise OutputError(f"{target}: exists already; add --overwrite, or another name with --out")
    pairs: list[tuple[Pixels, Pixels]] = []
    painting_s = 0.0
    fast = FastPainter(stylizer, painting) if options.fast else None
    for moment in _moments(source, options):
        try:
            part = replace(options, start=moment, stop=None, fps=None)
            clip = open_clip(source, part, painting.max_side)
        except InputError:
            if not pairs:
                raise
            break  # the sound goes on after the last picture
        with closing(clip):
            photo = next(clip.frames()).picture
        assert photo is not None
        photo = crop_to(photo, parse_aspect(options.aspect), clip.pixel_aspect)
        began = time.monotonic()
        anime = (
            paint_frame(stylizer, photo, painting) if fast is None else fast(photo).anime.result()
        )
        painting_s += time.monotonic() - began
        pairs.append((shrink_within(photo, _CELL_PIXELS), shrink_within(anime, _CELL_PIXELS)))
    frame_s = painting_s / len(pairs)
    if fast is not None:
        fast.close()
        frame_s /= fast.at_once
    with closing(open_clip(source, options, painting.max_side)) as clip:
        total_frames = clip.total_frames
    pairs += [pairs[-1]] * (-len(pairs) % _PAIRS_A_ROW)
    rows = [
        [picture for pair in pairs[at : at + _PAIRS_A_ROW] for picture in pair]
        for at in range(0, len(pairs), _PAIRS_A_ROW)
    ]
    sheet = contact_sheet(rows, ["photo", style_name(stylizer)] * _PAIRS_A_ROW)
    write_picture(Picture((Frame(sheet),)), target, mark=Mark(style=style_name(stylizer)))
    left_s = None if total_frames is None else frame_s * total_frames
    return target, left_s


def _moments(source: str | Path, options: VideoOptions) -> list[Fraction]:
    """Ten times, in seconds: the middles of ten equal parts of what is to be painted."""
    with closing(open_clip(source, VideoOptions(), None)) as clip:
        end = Fraction(clip.seconds or 0).limit_denominator(1000)
    begin = options.start or Fraction(0)
    if options.stop is not None:
        end = min(end, options.stop)
    length = max(Fraction(0), end - begin)
    return [begin + length * (2 * part + 1) / (2 * _MOMENTS) for part in range(_MOMENTS)]
