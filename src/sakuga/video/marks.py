"""What a painted video says of itself, among its tags; see `sakuga.images.marks`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error

from sakuga.images.marks import Mark, identity_of, parse_mark
from sakuga.painting.options import PaintOptions
from sakuga.painting.pictures import mark_of
from sakuga.video.options import VideoOptions, is_live

if TYPE_CHECKING:
    from sakuga.painting.stylizer import Stylizer

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
    return mark_of(stylizer, painting, source=name, digest=digest, more=options.decisive())


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
