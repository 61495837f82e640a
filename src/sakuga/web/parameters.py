"""What a request asks of a painting: style, strength, keep_colour and more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from sakuga.errors import suggestion
from sakuga.images.formats import WRITABLE
from sakuga.painting.options import STROKES, PaintOptions, Stroke
from sakuga.video.options import VideoOptions
from sakuga.web.errors import Problem

_YES_NO = {"true": True, "1": True, "false": False, "0": False}
MEDIA_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "gif": "image/gif"}
PICTURE_NAMES = ("style", "strength", "keep_colour", "stroke", "format")
VIDEO_NAMES = ("style", "strength", "keep_colour", "stroke", "max_side", "start", "stop")
LONGEST_S = 360_000  # a hundred hours: no time of a video lies further in


@dataclass(frozen=True)
class Question:
    """How something is to be painted."""

    style: str | None  # None: the server's first
    painting: PaintOptions
    file_format: str | None  # of a picture; None: that of the photo
    video: VideoOptions  # the part of a video


def read_question(values: Iterable[tuple[str, str]], known: tuple[str, ...]) -> Question:
    """Read the pairs of a query or a form.

    Raises:
        Problem: 422, for an unknown name, a name given twice, or a value that makes no sense.
    """
    given: dict[str, str] = {}
    for name, value in values:
        if name not in known:
            raise Problem(422, f"unknown parameter {name[:40]!r}{suggestion(name, known)}")
        if name in given:
            raise Problem(422, f"{name} is given twice; give it once")
        given[name] = value
    file_format = given.get("format")
    if file_format is not None and file_format not in WRITABLE:
        raise Problem(422, f"format {file_format[:40]!r} is not one of {', '.join(WRITABLE)}")
    max_side = given.get("max_side")
    start, stop = (_seconds(name, given.get(name)) for name in ("start", "stop"))
    if stop is not None and stop <= (start or 0):
        raise Problem(422, f"stop {float(stop):g} is not after start {float(start or 0):g}")
    return Question(
        style=given.get("style"),
        painting=PaintOptions(
            _strength(given.get("strength", "1")),
            _yes_or_no(given.get("keep_colour", "false")),
            None if max_side is None else _side("max_side", max_side),
            _stroke(given.get("stroke", "auto")),
        ),
        file_format=file_format,
        video=VideoOptions(start=start, stop=stop),
    )


def _strength(text: str) -> float:
    try:
        strength = float(text)
    except ValueError:
        strength = float("nan")
    if not 0 <= strength <= 1:
        raise Problem(422, f"strength {text[:40]!r} is not a number from 0 (the photo) to 1")
    return strength


def _yes_or_no(text: str) -> bool:
    try:
        return _YES_NO[text]
    except KeyError:
        raise Problem(422, f"keep_colour {text[:40]!r} is not true or false") from None


def _stroke(text: str) -> Stroke:
    for name in STROKES:
        if text == name:
            return name
    return _side("stroke", text, "auto, fine, bold or ")


def _seconds(name: str, text: str | None) -> Fraction | None:
    """A time of a video, to the millisecond."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not 0 <= seconds <= LONGEST_S:
        raise Problem(422, f"{name} {text[:40]!r} is not a time in seconds from 0 to {LONGEST_S}")
    return Fraction(round(seconds * 1000), 1000)


def _side(name: str, text: str, instead: str = "") -> int:
    if not (text.isascii() and text.isdigit() and 16 <= int(text[:6]) <= 8192 and len(text) < 6):
        raise Problem(
            422, f"{name} {text[:40]!r} is not {instead}a number of pixels from 16 to 8192"
        )
    return int(text)
