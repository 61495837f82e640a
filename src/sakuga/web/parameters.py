"""What a request may ask of a painting: each parameter once, to be read and to be described."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sakuga.errors import suggestion
from sakuga.images.formats import WRITABLE
from sakuga.painting.options import STROKES, PaintOptions
from sakuga.video.options import VideoOptions
from sakuga.web.errors import Problem

Schema = dict[str, Any]

MEDIA_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "gif": "image/gif"}
PICTURE_NAMES = ("style", "strength", "keep_colour", "stroke", "format")
VIDEO_NAMES = ("style", "strength", "keep_colour", "stroke", "max_side", "start", "stop")
_OF_PAINTING = ("strength", "keep_colour", "stroke", "max_side")  # as `PaintOptions` calls them
_LONGEST_S = 360_000  # a hundred hours: no time of a video lies further in
_YES_NO = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class Question:
    """How something is to be painted."""

    style: str | None  # None: the server's first
    painting: PaintOptions
    file_format: str | None  # of a picture; None: that of the photo
    video: VideoOptions  # the part of a video


@dataclass(frozen=True)
class Parameter:
    """One thing that a request may ask for."""

    schema: Schema  # as OpenAPI describes its values
    about: str
    wanted: str = "text"  # what a value must be, in words
    read: Callable[[str], Any] = str  # raises ValueError or KeyError for anything else


def read_question(values: Iterable[tuple[str, str]], known: tuple[str, ...]) -> Question:
    """Read the pairs of a query or a form.

    Raises:
        Problem: 422, for an unknown name, a name given twice, or a value that makes no sense.
    """
    given: dict[str, Any] = {}
    for name, text in values:
        if name not in known:
            raise Problem(422, f"unknown parameter {name[:40]!r}{suggestion(name, known)}")
        if name in given:
            raise Problem(422, f"{name} is given twice; give it once")
        try:
            given[name] = PARAMETERS[name].read(text)
        except (ValueError, KeyError):
            wanted = PARAMETERS[name].wanted
            raise Problem(422, f"{name} {text[:40]!r} is not {wanted}") from None
    start, stop = given.get("start"), given.get("stop")
    if stop is not None and stop <= (start or 0):
        raise Problem(422, f"stop {float(stop):g} is not after start {float(start or 0):g}")
    return Question(
        style=given.get("style"),
        painting=PaintOptions(**{name: given[name] for name in _OF_PAINTING if name in given}),
        file_format=given.get("format"),
        video=VideoOptions(start=start, stop=stop),
    )


def _number(text: str, most: float) -> float:
    if not 0 <= float(text) <= most:  # as "nan" is not
        raise ValueError(text)
    return float(text)


def _time(text: str) -> Fraction:
    """A time of a video, to the millisecond."""
    return Fraction(round(_number(text, _LONGEST_S) * 1000), 1000)


def _side(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 16 <= int(text[:6]) <= 8192 and len(text) < 6):
        raise ValueError(text)
    return int(text)


_SIDE: Schema = {"type": "integer", "minimum": 16, "maximum": 8192}  # pixels
_PIXELS = "a number of pixels from 16 to 8192"
_TIME: Schema = {"type": "number", "minimum": 0, "maximum": _LONGEST_S}  # seconds
_SECONDS = f"a time in seconds from 0 to {_LONGEST_S}"
PARAMETERS = {
    "style": Parameter({"type": "string"}, "A name from /api/styles; otherwise the default one."),
    "strength": Parameter(
        {"type": "number", "minimum": 0, "maximum": 1, "default": 1},
        "From 0, the photo, to 1, the style.",
        "a number from 0 (the photo) to 1",
        lambda text: _number(text, 1),
    ),
    "keep_colour": Parameter(
        {"type": "boolean", "default": False},
        "Keep the photo's colours; lines and lightness are the style's.",
        "true or false",
        lambda text: _YES_NO[text],
    ),
    "stroke": Parameter(
        {"anyOf": [{"type": "string", "enum": list(STROKES)}, _SIDE], "default": "auto"},
        "Weight of strokes in large photos: auto, fine, bold, or the longer side to paint at.",
        f"auto, fine, bold or {_PIXELS}",
        lambda text: text if text in STROKES else _side(text),
    ),
    "format": Parameter(
        {"type": "string", "enum": list(WRITABLE)},
        "Otherwise that of the photo.",
        f"one of {', '.join(WRITABLE)}",
        {name: name for name in WRITABLE}.__getitem__,
    ),
    "max_side": Parameter(_SIDE, "Larger frames are shrunk to this many pixels.", _PIXELS, _side),
    "start": Parameter(_TIME, "Paint from this second of the video.", _SECONDS, _time),
    "stop": Parameter(_TIME, "Paint up to this second of the video.", _SECONDS, _time),
}
