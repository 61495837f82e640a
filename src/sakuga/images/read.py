"""Files and bytes <-> uint8 (H, W, 3) RGB upright, alpha apart; uint8 <-> the model's float.

Everything that reads a picture in Sakuga goes through here; `encoding` writes. Refused, never
repaired: a truncated file, and more pixels than `max_pixels`, counted before anything is decoded.
"""

from __future__ import annotations

import io
import logging
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from sakuga.errors import InputError, MissingExtraError, TooLargeError
from sakuga.images.colour import Pixels, swaps_sides, to_srgb
from sakuga.images.formats import HEAD_BYTES, describe, is_heif

MAX_PIXELS = 400_000_000  # 20,000 x 20,000; 1.2 GB as uint8 RGB
_ORIENTATION_TAG = 0x0112
_ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")  # in MPO and TIFF further frames are other pictures
_SUB_FOLDERS = (0x8769, 0x8825)  # EXIF and GPS
# What a TIFF's own tags may pass on; the others describe how its samples are stored.
_DESCRIPTIVE_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
_PILLOW_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)
_log = logging.getLogger("sakuga")
_pillow_limit = threading.Lock()


@dataclass(frozen=True)
class Frame:
    """One picture of a still or an animation."""

    colour: Pixels  # (H, W, 3) sRGB, upright
    alpha: Pixels | None = None  # (H, W); None: opaque
    duration_ms: int = 0  # how long an animation shows it


@dataclass(frozen=True)
class Picture:
    """What a picture file holds, ready to paint."""

    frames: tuple[Frame, ...]  # at least one, all of one size
    file_format: str | None = None  # Pillow's name of the format it was read from: "JPEG", "PNG"
    plays: int = 0  # how often an animation plays; 0: for ever
    exif: bytes | None = None  # with the orientation already applied and set to 1


def to_float(pixels: Pixels) -> NDArray[np.float32]:
    """Turn uint8 (H, W, 3) or (B, H, W, 3) into float32 (B, 3, H, W) in [-1, 1]: x / 127.5 - 1."""
    batch = pixels[None] if pixels.ndim == 3 else pixels
    # The axes are moved while still bytes, which is four times less to move.
    planes = np.ascontiguousarray(batch.transpose(0, 3, 1, 2)).astype(np.float32)
    planes /= np.float32(127.5)
    planes -= np.float32(1)
    return planes


def to_pixels(planes: NDArray[np.float32]) -> Pixels:
    """Turn float32 (B, 3, H, W) into uint8 (B, H, W, 3): round((y + 1) * 127.5), clipped."""
    levels = planes * np.float32(127.5)
    levels += np.float32(128)  # 127.5, and 0.5 so that cutting the fraction off rounds
    np.clip(levels, 0, 255, out=levels)
    return np.ascontiguousarray(levels.astype(np.uint8).transpose(0, 2, 3, 1))


def read_picture(
    source: str | Path | bytes,
    *,
    name: str | None = None,
    max_pixels: int = MAX_PIXELS,
    max_side: int | None = None,
) -> Picture:
    """Read a picture file, or its bytes, with every frame upright and in sRGB.

    Args:
        source: a path, or the content of a file.
        name: what errors call it; by default the path, or "the picture".
        max_pixels: of all frames together, checked before decoding.
        max_side: pixels; a larger picture is shrunk so that its longer side is this.

    Raises:
        InputError: no such file, not a picture, truncated, or too large.
        MissingExtraError: a HEIC file, and pi-heif is not installed.
    """
    name = name or ("the picture" if isinstance(source, bytes) else str(source))
    head = source[:HEAD_BYTES] if isinstance(source, bytes) else _read_head(Path(source), name)
    if is_heif(head):
        _register_heif()
    try:
        with _decoding(name), without_pillow_limit():
            image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    except UnidentifiedImageError as error:
        raise InputError(
            f"{name}: is not a picture, it holds {describe(head)}; "
            "give a JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF or HEIC file"
        ) from error
    with image:
        return _read_frames(image, name, max_pixels, max_side)


def picture_of(image: Image.Image) -> Picture:
    """Take the current frame of an open Pillow image as a still picture, upright and in sRGB."""
    orientation, exif = _orientation_and_exif(image, "the picture")
    colour, alpha = to_srgb(image, "the picture", orientation)
    return Picture((Frame(colour, alpha),), image.format, exif=exif)


def _read_head(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(32)
    except FileNotFoundError as error:
        raise InputError(f"{name}: there is no such file; check the spelling") from error
    except IsADirectoryError as error:
        raise InputError(f"{name}: is a folder, not a picture") from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror})") from error


def _register_heif() -> None:
    try:
        import pi_heif
    except ImportError as error:
        raise MissingExtraError("reading a HEIC picture", "heic", "pi-heif") from error
    pi_heif.register_heif_opener()


@contextmanager
def without_pillow_limit() -> Iterator[None]:
    """Lift Pillow's own limit (179 megapixels, a global) while a header is read; ours follows."""
    with _pillow_limit:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def fit_within(size: tuple[int, int], max_side: int | None) -> tuple[int, int]:
    """Scale (width, height) down, never up, so that the longer side is at most `max_side`."""
    width, height = size
    if max_side is None or max(size) <= max_side:
        return size
    scale = max_side / max(size)
    return max(1, round(width * scale)), max(1, round(height * scale))


def shrink(frame: Frame, size: tuple[int, int]) -> Frame:
    """Resize a frame down to (width, height); one that is smaller is left alone."""
    if size[0] >= frame.colour.shape[1] and size[1] >= frame.colour.shape[0]:
        return frame

    def resize(pixels: Pixels) -> Pixels:
        return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))

    alpha = None if frame.alpha is None else resize(frame.alpha)
    return Frame(resize(frame.colour), alpha, frame.duration_ms)


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Turn what Pillow raises on a damaged file into an InputError."""
    try:
        yield
    except UnidentifiedImageError:
        raise
    except _PILLOW_ERRORS as error:
        raise InputError(
            f"{name}: is damaged or truncated ({error}); get a whole copy of it"
        ) from error


def _read_frames(image: Image.Image, name: str, max_pixels: int, max_side: int | None) -> Picture:
    """Decode the frames of an opened file, after checking how many pixels they have."""
    width, height = image.size
    with _decoding(name):
        count = getattr(image, "n_frames", 1) if image.format in _ANIMATED else 1
        _refuse_if_huge(width, height, count, name, max_pixels)
        orientation, exif = _orientation_and_exif(image, name)
    # The first frame of an animated PNG may be a stand-in for programs that show only stills.
    first = 1 if count > 1 and image.info.get("default_image") else 0
    loop = image.info.get("loop")
    if max_side is not None and image.format == "JPEG":
        image.draft(None, (max_side, max_side))  # decodes at 1/2, 1/4 or 1/8, still >= max_side

    frames = []
    for index in range(first, count):
        with _decoding(name):
            if count > 1:
                image.seek(index)
            image.load()
        colour, alpha = to_srgb(image, name, orientation)
        duration_ms = round(image.info.get("duration", 100)) if count > 1 else 0
        upright = (height, width) if swaps_sides(orientation) else (width, height)
        frames.append(shrink(Frame(colour, alpha, duration_ms), fit_within(upright, max_side)))
    # A GIF's number counts repetitions, and without it the GIF plays once; the others count plays.
    plays = (1 if loop is None else loop and loop + 1) if image.format == "GIF" else loop or 0
    return Picture(tuple(frames), image.format, plays, exif)


def _refuse_if_huge(width: int, height: int, count: int, name: str, max_pixels: int) -> None:
    if width * height * count > max_pixels:
        frames = f"{count} frames of " if count > 1 else ""
        raise TooLargeError(
            f"{name}: has {frames}{width} x {height} pixels, more than the limit of "
            f"{max_pixels / 1e6:.0f} megapixels; shrink it with another program first"
        )


def _orientation_and_exif(image: Image.Image, name: str) -> tuple[int, bytes | None]:
    """The orientation, 1 to 8, and the EXIF data to pass on, in which the orientation is 1."""
    exif = image.getexif()
    orientation = exif.get(_ORIENTATION_TAG, 1)
    if image.format == "TIFF":
        kept = Image.Exif()
        for tag in _DESCRIPTIVE_TAGS:
            if tag in exif:
                kept[tag] = exif[tag]
        for tag in _SUB_FOLDERS:
            if folder := exif.get_ifd(tag):
                kept.get_ifd(tag).update(folder)
        exif = kept
    elif _ORIENTATION_TAG in exif:
        exif[_ORIENTATION_TAG] = 1
    if not exif:
        return orientation, None
    try:
        return orientation, exif.tobytes()
    except (*_PILLOW_ERRORS, TypeError, AttributeError, KeyError) as error:
        _log.warning("%s: its EXIF data is damaged and is left out (%s)", name, error)
        return orientation, None
