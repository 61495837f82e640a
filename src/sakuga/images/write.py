"""A picture into bytes or a file: PNG, JPEG, WebP, GIF."""

from __future__ import annotations

import io
import logging
import struct
from numbers import Integral
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from sakuga.errors import OptionError, OutputError
from sakuga.files import write_bytes
from sakuga.images.formats import WRITABLE, need_format
from sakuga.images.marks import Mark, into_exif
from sakuga.images.picture import Frame, Picture

# Lines lie between flat colours: JPEG must not halve the resolution of its chroma.
_SAVE: dict[str, dict[str, Any]] = {
    "png": {},
    "jpg": {"quality": 94, "subsampling": "4:4:4"},
    "webp": {"quality": 92, "method": 4},
    "gif": {},
}
_MAX_JPEG_EXIF_BYTES = 65_533  # a segment's length has 16 bits, and counts itself
_ENCODER_ERRORS = (OSError, ValueError, OverflowError, RuntimeError, SystemError, struct.error)
_log = logging.getLogger("sakuga")


def write_picture(
    picture: Picture,
    target: Path,
    file_format: str | None = None,
    *,
    quality: int | None = None,
    mark: Mark | None = None,
) -> None:
    """Write a picture to `target`, wholly or not at all.

    It is encoded in memory first, so that a partial file exists for no longer than writing takes.

    Args:
        picture: its alpha is kept by PNG, WebP and GIF and laid on white by JPEG; its EXIF data is
            kept by all but GIF; an animation is kept by all but JPEG.
        file_format: "png", "jpg", "webp" or "gif"; by default what the suffix of `target` says.
        quality: of JPEG and WebP, 1 to 100; None: so good that no loss is seen.
        mark: what the file says of itself.

    Raises:
        OutputError: the place cannot be written, or the format cannot hold the picture's size.
        OptionError: the format is unknown, is jpg for an animation, or has no such quality.
    """
    file_format = file_format or need_format(target)
    buffer = io.BytesIO()
    encode_picture(picture, buffer, file_format, name=str(target), quality=quality, mark=mark)
    write_bytes(target, buffer.getvalue())


def encode_picture(
    picture: Picture,
    file: BinaryIO,
    file_format: str,
    *,
    name: str = "the picture",
    quality: int | None = None,
    mark: Mark | None = None,
) -> None:
    """Encode a picture into an open binary file; see `write_picture`."""
    if file_format not in WRITABLE:
        raise OptionError(f"format {file_format!r} is not one of {', '.join(WRITABLE)}")
    pillow_name, _ = WRITABLE[file_format]
    options = dict(_SAVE[file_format])
    if quality is not None:
        check_quality(quality, file_format)
        options["quality"] = quality
    if file_format == "gif":
        if mark is not None:
            options["comment"] = str(mark).encode()
    elif (exif := _exif(picture, mark, file_format, name)) is not None:
        options["exif"] = exif
    if len(picture.frames) > 1:
        check_holds(picture, file_format, name)
        options |= _animation(picture, file_format)
    transparent = any(frame.alpha is not None for frame in picture.frames)
    first, *rest = [to_image(frame, transparent) for frame in picture.frames]
    if transparent and file_format == "jpg":
        first = _on_white(first)
    if rest:
        options |= {"save_all": True, "append_images": rest}
    encoded = io.BytesIO()
    try:
        first.save(encoded, pillow_name, **options)
    except _ENCODER_ERRORS as error:  # a side over 16,383 in WebP or 65,535 in JPEG and GIF
        raise OutputError(
            f"{name}: {first.width} x {first.height} pixels cannot be written as {file_format} "
            f"({error}); png can hold them"
        ) from error
    file.write(encoded.getvalue())


def _exif(picture: Picture, mark: Mark | None, file_format: str, name: str) -> bytes | None:
    """The EXIF data to write, which are the mark alone if the picture's do not fit the format."""
    exif = picture.exif if mark is None else into_exif(picture.exif, mark)
    if exif is not None and file_format == "jpg" and len(exif) > _MAX_JPEG_EXIF_BYTES:
        _log.warning(
            "%s: its EXIF data has %d kB, and a JPEG holds 65; it is left out; png keeps it",
            name,
            len(exif) // 1000,
        )
        exif = None if mark is None else into_exif(None, mark)
    if exif is not None and file_format == "webp":
        exif = exif.removeprefix(b"Exif\0\0")  # which belongs to JPEG
    return exif


def check_holds(picture: Picture, file_format: str, name: str) -> None:
    """Raise OptionError unless the format can hold the picture's frames."""
    if len(picture.frames) > 1 and file_format == "jpg":
        raise OptionError(
            f"{name}: jpg holds no animation, and this has {len(picture.frames)} frames; "
            "write webp, png or gif"
        )


def check_quality(quality: int, file_format: str) -> None:
    """Raise OptionError unless the format has a quality, and this is one."""
    if "quality" not in _SAVE[file_format]:
        raise OptionError(f"{file_format} pictures have no quality to choose; leave --quality out")
    if not isinstance(quality, Integral) or not 1 <= quality <= 100:
        raise OptionError(f"quality is {quality}; it must be from 1 (small) to 100 (good)")


def to_image(frame: Frame, transparent: bool) -> Image.Image:
    """A frame as a Pillow image of mode RGB, or of mode RGBA if `transparent`."""
    image = Image.fromarray(frame.colour)
    if transparent:
        opaque = np.full(frame.colour.shape[:2], 255, np.uint8)
        image.putalpha(Image.fromarray(opaque if frame.alpha is None else frame.alpha))
    return image


def _animation(picture: Picture, file_format: str) -> dict[str, Any]:
    """Pillow's options for the times of an animation."""
    options: dict[str, Any] = {"duration": [frame.duration_ms for frame in picture.frames]}
    if file_format != "gif":
        return options | {"loop": picture.plays}
    if any(frame.alpha is not None for frame in picture.frames):
        options["disposal"] = 2  # each frame starts from an empty canvas
    if picture.plays != 1:  # a GIF counts repetitions; without the number it plays once
        options["loop"] = max(0, picture.plays - 1)
    return options


def _on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white
