"""Paint a video: what is asked for becomes a job, and its result a file beside the source."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import av
import av.error

from sakuga.errors import OutputError, as_arguments, told_in_python
from sakuga.images.urls import fetch
from sakuga.painting.options import PaintOptions, Stroke
from sakuga.painting.pictures import AnyStyle
from sakuga.painting.stylizer import Stylizer
from sakuga.paths import is_same_file, kind_of
from sakuga.styles import DEFAULT_STYLE
from sakuga.video.animated import AnimatedClip
from sakuga.video.containers import choose_codec
from sakuga.video.decode import Clip
from sakuga.video.deflicker import describe_steady
from sakuga.video.fast import FastPainter
from sakuga.video.job import Progress, VideoResult, VideoRun
from sakuga.video.marks import video_mark
from sakuga.video.options import (
    Rate,
    Time,
    VideoOptions,
    is_address,
    is_live,
    may_move,
)
from sakuga.video.painter import HasWeights, Painter, Paints


@told_in_python()
def paint_video(
    source: str | Path,
    out: str | Path | None = None,
    *,
    style: AnyStyle | Paints = DEFAULT_STYLE,
    strength: float = 1.0,
    keep_colour: bool = False,
    max_side: int | None = None,
    stroke: Stroke = "auto",
    overwrite: bool = False,
    start: Time | None = None,
    stop: Time | None = None,
    fps: Rate | None = None,
    options: VideoOptions | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> VideoResult:
    """Paint a video, keeping its times, sound, subtitles and chapters.

    Args:
        source: a path, an address, `webcam[:N]`, `screen`, or an animated picture.
        out: the file to make, its kind by its ending; by default NAME-STYLE.mp4 beside the source.
        style: a style's name or path, or a `Stylizer` that is loaded already.
        strength, keep_colour, max_side, stroke: of every frame, as for `sakuga.paint`.
        start, stop: the part to paint, as times of the clip: "1m30s", "00:01:30.5", 90, 90.5 or a
            Fraction of seconds.
        fps: frames per second of the result, as "23.976", 24 or a Fraction; None: the times of the
            source.
        overwrite: replace `out` if it exists.
        options: what else can be chosen. `start`, `stop` and `fps` go before those in it.
        on_progress: called after every frame, from the calling thread.

    Returns:
        What was made. After Ctrl-C (a first one, in the main thread) it holds what was painted, and
        `interrupted` is true.

    Raises:
        InputError: the source is not a video that can be read.
        OutputError: the file cannot be written, exists, or is the source.
        OptionError: options that contradict each other or the file's kind.
    """
    times = {"start": start, "stop": stop, "fps": fps}
    given: dict[str, Any] = {name: value for name, value in times.items() if value is not None}
    result = paint_clip(
        source,
        out,
        style=style,
        painting=PaintOptions(strength, keep_colour, max_side, stroke),
        overwrite=overwrite,
        options=replace(options or VideoOptions(), **given),
        on_progress=on_progress,
    )
    return replace(result, notes=[*map(as_arguments, result.notes)])


def paint_clip(
    source: str | Path,
    out: str | Path | None = None,
    *,
    style: AnyStyle | Paints = DEFAULT_STYLE,
    painting: PaintOptions,
    overwrite: bool = False,
    options: VideoOptions | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> VideoResult:
    """Paint a video as `paint_video` does, with options of painting that are made already.

    Args:
        painting: how every frame is to be painted.
        source, out, style, overwrite, options, on_progress: as for `paint_video`, which says also
            what is returned and raised.
    """
    options = options or VideoOptions()
    stylizer = load_painter(style)
    target = Path(out) if out is not None else default_target(source, style_name(stylizer))
    codec = choose_codec(target, options.codec, options.crf)
    _refuse_target(source, target, overwrite=overwrite or options.resume)
    with closing(open_clip(source, options, painting.max_side)) as clip:
        painter = (FastPainter if options.fast else Painter)(stylizer, painting)
        job = VideoRun(clip, target, codec, options, painter)
        if isinstance(stylizer, Stylizer):
            mark = video_mark(str(source), stylizer, painting, options)
            job.encoding = replace(job.encoding, mark=mark)
        described = {
            "sakuga.video": 6,  # raised when the same job would give other frames
            "source": _identity(source),
            "style": _style_identity(stylizer),
            **asdict(painting),
            "part": [str(options.start), str(options.stop), str(options.fps)],
            **{name: getattr(options, name) for name in ("side_by_side", "wipe", "aspect", "fast")},
            "steady": describe_steady() if options.steady else "no",
            "segment_frames": options.segment_frames,
            "encoding": {key: str(value) for key, value in asdict(job.encoding).items()},
            "ffmpeg": [list(version) for version in av.library_versions.values()],
        }
        return job.run(described, overwrite=overwrite, on_progress=on_progress)


def default_target(source: str | Path, style: str) -> Path:
    """NAME-STYLE.EXT beside the source: its own kind of file if that is written here, else MP4."""
    if is_live(source):
        return Path(f"{str(source).split(':')[0]}-{style}.mp4")
    text = str(source)
    path = Path(text.split("?")[0].rsplit("/", 1)[-1]) if is_address(text) else Path(text)
    suffix = path.suffix.lower()
    ending = suffix if suffix in (".mp4", ".mov", ".mkv", ".webm", ".m4v") else ".mp4"
    return path.parent / f"{path.stem}-{style}{ending}"


def open_clip(
    source: str | Path, options: VideoOptions, max_side: int | None
) -> Clip | AnimatedClip:
    """Open a video, a live source or an animated picture.

    Raises:
        InputError: it cannot be read, or no frame of it is in the part asked for.
        OptionError: options that make no sense for it.
    """
    if not may_move(source):
        return Clip(source, options, max_side)
    content = fetch(str(source)) if is_address(source) else Path(source)
    return AnimatedClip(content, options, name=str(source), max_side=max_side)


def _refuse_target(source: str | Path, target: Path, *, overwrite: bool) -> None:
    found = kind_of(target)
    if not is_address(source) and is_same_file(target, Path(source)):
        raise OutputError(f"{target}: is the source itself; choose another name with --out")
    if found == "folder":
        raise OutputError(f"{target}: is a folder; choose another name with --out")
    if found == "file" and not overwrite:
        raise OutputError(f"{target}: exists already; add --overwrite, or another name with --out")


def load_painter(style: AnyStyle | Paints) -> Paints:
    """Return `style` if it can paint already, else the `Stylizer` of that name, path or mixture."""
    if callable(style):
        return style
    from sakuga.painting.stylizer import open_stylizer

    return open_stylizer(style)


def style_name(stylizer: Paints) -> str:
    """What files painted by it are called after."""
    spec = getattr(stylizer, "spec", None)
    return spec.name if spec is not None else "anime"


def _style_identity(stylizer: Paints) -> str:
    """What tells that a style is still the same."""
    if isinstance(stylizer, HasWeights):
        return f"{style_name(stylizer)}, file {stylizer.weights}"
    return f"{style_name(stylizer)}, {type(stylizer)!r}"


def _identity(source: str | Path) -> list[str | int]:
    """What tells that a source is still the same."""
    path = Path(source)
    if is_address(source) or not path.exists():
        return [str(source)]
    facts = path.stat()
    return [str(path.resolve()), facts.st_size, facts.st_mtime_ns]
