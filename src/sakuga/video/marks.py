"""What a painted video says of itself, among its tags; see `sakuga.images.marks`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error

from sakuga.images.marks import Mark, Option, identity_of, parse_mark
from sakuga.painting.options import USUAL, PaintOptions
from sakuga.painting.pictures import mark_of
from sakuga.video.options import VideoOptions, is_live

if TYPE_CHECKING:
    from sakuga.painting.stylizer import Stylizer

# The options that decide what a video looks like -> what the command line calls them.
_CALLED = {
    **{"start": "from", "stop": "to", "seconds": "seconds", "fps": "fps", "codec": "codec"},
    **{"crf": "crf", "side_by_side": "side-by-side", "steady": "steady", "fast": "fast"},
    **{"wipe": "wipe", "aspect": "aspect"},
}
_AS_USUAL = VideoOptions()
USUAL_VIDEO: dict[str, Option] = dict(USUAL) | {
    called: getattr(_AS_USUAL, name) for name, called in _CALLED.items()
}
# Where a mark lies in each kind of file: these tags survive the writing and are read again.
_TAGS = {"mp4": "encoding_tool", "mov": "comment", "matroska": "SAKUGA", "webm": "SAKUGA"}
_OLD_MARK = re.compile(r"\n?Sakuga \S+ \{.*\}")


def video_mark(
    source: str, stylizer: Stylizer, painting: PaintOptions, options: VideoOptions
) -> Mark:
    """The mark of a painted video.

    Raises:
        InputError: the source cannot be read.
    """
    name, digest = (source.partition(":")[0], "") if is_live(source) else identity_of(source)
    chosen: dict[str, Option] = {}
    for field, called in _CALLED.items():
        value = getattr(options, field)
        if value != getattr(_AS_USUAL, field):
            plain = value is None or isinstance(value, str | int | float)
            chosen[called] = value if plain else f"{float(value):g}"
    return mark_of(stylizer, painting, source=name, digest=digest, more=chosen)


def read_video_mark(path: Path) -> Mark | None:
    """What a video file says of itself; None: it is no result, or no video."""
    try:
        with av.open(str(path.absolute()), metadata_errors="replace") as clip:
            texts = list(clip.metadata.values())
    except (av.error.FFmpegError, OSError, ValueError):
        return None  # what is wrong with it is reported when it is painted
    return next((mark for mark in map(parse_mark, texts) if mark is not None), None)


def tag(metadata: dict[str, str], file_format: str, mark: Mark) -> None:
    """Put a mark among the tags of a file that is about to be written."""
    name = _TAGS[file_format]
    before = metadata.get(name, "") if file_format == "mov" else ""
    metadata[name] = f"{_OLD_MARK.sub('', before)}\n{mark}".strip()
