"""Is this file a picture to train on? Decided by decoding all of it, never by name or header."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sakuga.errors import InputError, NotAPictureError, TooLargeError, UnreadSamplesError
from sakuga.images.picture import Frame
from sakuga.images.read import read_picture

MAX_PIXELS = 100_000_000

# Pillow's name of the format -> the suffix that a set gives it.
_SUFFIXES = {
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "GIF": ".gif",
    "AVIF": ".avif",
    "HEIF": ".heic",
    "BMP": ".bmp",
    "TIFF": ".tif",
}


class UnusableError(Exception):
    """A file that is no picture to train on.

    Args:
        reason: a few words, the same for all files of a kind.
        detail: what exactly was found.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Still(Frame):
    """A picture that was decoded whole."""

    suffix: str = ""  # by its format, with the dot
    turned: bool = False  # the file stores it otherwise than upright


def read_still(path: Path, max_pixels: int = MAX_PIXELS) -> Still:
    """Decode a picture that does not move.

    Raises:
        UnusableError: "not a picture", "damaged", "unread samples", "too many pixels" or
            "animated".
    """
    try:
        picture = read_picture(path, name=path.name, max_pixels=max_pixels)
    except InputError as error:
        raise UnusableError(_reason(error), str(error)) from error
    if len(picture.frames) > 1:
        raise UnusableError("animated", f"{path.name}: has {len(picture.frames)} frames")
    suffix = _SUFFIXES.get(picture.file_format or "")
    if suffix is None:
        raise UnusableError("not a picture", f"{path.name}: is a {picture.file_format} file")
    return Still(**vars(picture.frames[0]), suffix=suffix, turned=picture.turned)


def _reason(error: InputError) -> str:
    """The few words for a file that `read_picture` refused."""
    reasons = {
        NotAPictureError: "not a picture",
        TooLargeError: "too many pixels",
        UnreadSamplesError: "unread samples",
    }
    return next((why for kind, why in reasons.items() if isinstance(error, kind)), "damaged")
