"""What a user may ask of a video, and which inputs are videos. Imports nothing heavy."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from sakuga.errors import OptionError
from sakuga.images.formats import HEAD_BYTES, PICTURE_SUFFIXES, begins_like_video
from sakuga.painting.options import USUAL
from sakuga.paths import fitted

VIDEO_SUFFIXES = frozenset(
    [
        *(".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".m2ts", ".m4v", ".mkv"),
        *(".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogm", ".ogv", ".qt"),
        *(".ts", ".vob", ".webm", ".wmv", ".y4m"),
    ]
)
VIDEO_FORMATS = ("mp4", "mov", "mkv", "webm")  # that `--format` takes
ANIMATED_SUFFIXES = frozenset((".gif", ".webp", ".png", ".apng", ".avif"))  # pictures that may move
LIVE_SCHEMES = ("rtsp://", "rtsps://", "rtmp://", "rtp://", "udp://", "srt://")
Time = Fraction | float | str
Rate = Fraction | float | str

_UNIT_SECONDS = {"h": Fraction(3600), "m": Fraction(60), "s": Fraction(1), "ms": Fraction(1, 1000)}
_TIME_WITH_UNITS = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|s))+")
_TIME_WITH_COLONS = re.compile(r"(?:(?:\d+:)?[0-5])?\d:[0-5]?\d(?:\.\d+)?|\d+(?:\.\d+)?")


def parse_time(time: Time) -> Fraction:
    """Read a time as seconds: "90", "90s", "1m30s", "1500ms", "1:30", "00:01:30.5" or 90.5.

    A float means what it is printed as.

    Raises:
        OptionError: for anything else, negative times included.
    """
    if isinstance(time, Fraction):
        return time
    text = str(time)
    cleaned = text.strip().lower()
    if _TIME_WITH_COLONS.fullmatch(cleaned):
        seconds = Fraction(0)
        for part in cleaned.split(":"):
            seconds = seconds * 60 + Fraction(part)
        return seconds
    if _TIME_WITH_UNITS.fullmatch(cleaned):
        parts = re.findall(r"(\d+(?:\.\d+)?)(h|ms|m|s)", cleaned)
        return Fraction(sum(Fraction(number) * _UNIT_SECONDS[unit] for number, unit in parts))
    raise OptionError(f"{text!r} is not a time: write 90s, 1m30s or 00:01:30.5")


def parse_rate(rate: Rate) -> Fraction:
    """Read frames per second: 24, "23.976" (meaning 24000/1001) or "30000/1001"."""
    if isinstance(rate, Fraction):
        return rate
    text = str(rate)
    try:
        number = Fraction(text.strip())
    except (ValueError, ZeroDivisionError) as error:
        raise OptionError(
            f"{text!r} is not a frame rate: write 24, 23.976 or 30000/1001"
        ) from error
    if "/" in text or number.denominator == 1:
        return number
    film = Fraction(round(number * 1001 / 1000) * 1000, 1001)  # 23.976, 29.97, 59.94
    return film if abs(film - number) < Fraction(1, 100) else number


def parse_aspect(text: str | None) -> Fraction | None:
    """Read width:height, as "4:5".

    Raises:
        OptionError: it is something else, or thinner than 1:10.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,4}):(\d{1,4})", text.strip())
    if match is None or not all(int(side) for side in match.groups()):
        raise OptionError(f"aspect {text} is not width:height; write 1:1, 4:5 or 9:16")
    aspect = Fraction(int(match[1]), int(match[2]))
    if not Fraction(1, 10) <= aspect <= 10:
        raise OptionError(f"aspect {text} is too thin; from 1:10 to 10:1 can be cut out")
    return aspect


@dataclass(frozen=True)
class VideoOptions:
    """The choices that only videos have.

    Times may be given as "1m30s", "00:01:30.5", seconds or a Fraction, rates as "23.976", a number
    or a Fraction; both are kept as Fractions.

    Parameters
    ----------
    start
        Begin at this time of the clip: 90s, 1m30s or 00:01:30.5.
    stop
        End at this time of the clip.
    seconds
        How long to record a camera, screen or live stream.
    fps
        Frames per second of the result; otherwise the times of the source.
    side_by_side
        Show the photo beside the anime.
    wipe
        Show before and after: a line that wipes from the photo to the anime in three seconds.
    aspect
        Cut the middle out: 1:1, 4:5, 9:16 or another width:height.
    preview
        Only paint a sheet of ten moments.
    fast
        Paint at half the size, where frames changed, and redraw: bolder strokes, half the time.
    steady
        Calm the flicker between frames, along the motion if OpenCV is installed.
    codec
        h264, hevc, av1, vp9 or prores; otherwise what suits the file's ending.
    crf
        Quality; lower is better and larger.
    discard
        On Ctrl-C keep nothing, instead of a playable file of what is painted.
    resume
        Go on with a job that was stopped.
    segment_frames
        Frames a segment: what a crash can lose.
    fragmented
        MP4 and MOV in pieces, for readers that cannot seek.
    """

    start: Fraction | None = None
    stop: Fraction | None = None
    seconds: float | None = None
    fps: Fraction | None = None
    side_by_side: bool = False
    wipe: bool = False
    aspect: str | None = None
    preview: bool = False
    fast: bool = False
    steady: bool = True
    codec: str | None = None
    crf: int | None = None
    discard: bool = False
    resume: bool = False
    segment_frames: int = 240
    fragmented: bool = False

    @property
    def shows_otherwise(self) -> bool:
        """True if an animation is to be shown as pictures never are."""
        return self.preview or self.wipe or self.aspect is not None

    def unusual(self) -> dict[str, Any]:
        """The options that were given, by name."""
        return {name: value for name, value in vars(self).items() if value != _USUAL[name]}

    def decisive(self) -> dict[str, str | int | float | bool | None]:
        """The given options that decide how the result looks, as its mark holds them."""
        return {
            _DECISIVE[name]: f"{float(value):g}" if isinstance(value, Fraction) else value
            for name, value in self.unusual().items()
            if name in _DECISIVE
        }

    def __post_init__(self) -> None:
        for name, parse in (("start", parse_time), ("stop", parse_time), ("fps", parse_rate)):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, parse(value))
        for what, time in (("beginning", self.start), ("end", self.stop)):
            if time is not None and time < 0:
                raise OptionError(f"the {what} must not be before 0, found {float(time):g}s")
        if self.start is not None and self.stop is not None and self.stop <= self.start:
            raise OptionError(
                f"the end, {float(self.stop):g}s, is not after the beginning, "
                f"{float(self.start):g}s: give the end of the part as a time in the clip"
            )
        if self.seconds is not None and self.seconds <= 0:
            raise OptionError(f"seconds must be above 0, found {self.seconds:g}")
        if self.fps is not None and not 0 < self.fps <= 1000:
            raise OptionError(f"fps must be above 0 and at most 1000, found {float(self.fps):g}")
        if self.wipe and self.side_by_side:
            raise OptionError("wipe and side-by-side cannot be had together; leave one out")
        parse_aspect(self.aspect)
        if self.segment_frames < 1:
            raise ValueError(f"segment_frames must be at least 1, found {self.segment_frames}")


_USUAL = vars(VideoOptions())
# The options that decide what a video looks like -> what the command line calls them.
_DECISIVE = {
    **{"start": "from", "stop": "to", "seconds": "seconds", "fps": "fps", "codec": "codec"},
    **{"crf": "crf", "side_by_side": "side-by-side", "steady": "steady", "fast": "fast"},
    **{"wipe": "wipe", "aspect": "aspect"},
}
USUAL_MOVING = dict(USUAL) | {called: _USUAL[name] for name, called in _DECISIVE.items()}


def parts_folder(target: Path) -> Path:
    """Where the segments of a job for `target` are kept until it is finished."""
    return target.with_name(fitted(target.name, ".parts", longest=255))


def check_source(source: str | Path, options: VideoOptions) -> None:
    """Refuse the options of a clip for a live source, and the other way round.

    Raises:
        OptionError: with the options to use.
    """
    if is_live(source):
        if options.start is not None or options.stop is not None:
            raise OptionError(
                f"{source}: --from and --to need a clip; give a live source --seconds"
            )
    elif options.seconds is not None:
        raise OptionError(f"{source}: --seconds is for live sources; use --from and --to")


def is_address(source: str | Path) -> bool:
    """True for http://..., rtsp://... and the like; a file of such a name is a file."""
    return "://" in str(source) and not os.path.exists(source)  # noqa: PTH110 - never raises


def is_live(source: str | Path) -> bool:
    """True for a camera, the screen or a stream that has no end: it is recorded, not read.

    Where there is a file or folder named `webcam` or `screen`, that is meant and not the device.
    """
    text = str(source)
    device = text.partition(":")[0] in ("webcam", "screen")
    return text.startswith(LIVE_SCHEMES) or (device and not os.path.lexists(text))


def may_move(source: str | Path) -> bool:
    """True for a picture that may be an animation, by its name or address."""
    return _suffix_of(source) in ANIMATED_SUFFIXES


def is_video(source: str | Path) -> bool:
    """True for a video, by its name or, where that says nothing, its content, and what is live."""
    return is_live(source) or has_video_suffix(source) or _holds_video(Path(source))


def has_video_suffix(name: str | Path) -> bool:
    """True if a path or address ends like a video. Animated pictures count as pictures."""
    return _suffix_of(name) in VIDEO_SUFFIXES


def _holds_video(path: Path) -> bool:
    """True for a file that begins like a video, and is not called a picture."""
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return False
    try:
        if not path.is_file():  # nothing is taken out of pipes
            return False
        with path.open("rb") as file:
            return begins_like_video(file.read(HEAD_BYTES))
    except (OSError, ValueError):  # who paints it says why
        return False


def _suffix_of(name: str | Path) -> str:
    """The ending of a path, or of an address without what is asked of it."""
    text = str(name)
    return Path(text.split("?")[0].split("#")[0] if is_address(text) else text).suffix.lower()
