"""Files and bytes <-> uint8 (H, W, 3) RGB upright, alpha apart; uint8 <-> the model's float.

Everything that reads a picture in Sakuga goes through here; `write` writes. Refused, never
repaired: a truncated file, and more pixels than `max_pixels`, counted before anything is decoded.
Metadata that cannot be read is left out, with a warning.
"""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, TiffImagePlugin, UnidentifiedImageError

from sakuga.errors import (
    InputError,
    MissingExtraError,
    NotAPictureError,
    TooLargeError,
    UnreadSamplesError,
)
from sakuga.files import reading
from sakuga.images import tiff
from sakuga.images.colour import (
    Mask,
    Pixels,
    profile_correction,
    swaps_sides,
    to_srgb,
)
from sakuga.images.exif import read_exif, stored_orientation
from sakuga.images.formats import HEAD_BYTES, PICTURE_SUFFIXES, describe, picture_kind
from sakuga.images.picture import Frame, Picture, fit_within, shrink
from sakuga.images.strip import Stripped, stripped

MAX_PIXELS = 400_000_000  # 20,000 x 20,000; 1.2 GB as uint8 RGB
_ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")  # in MPO and TIFF further frames are other pictures
_log = logging.getLogger("sakuga")
_pillow_lock = threading.Lock()


class PillowError(Exception):
    """Pillow raised its only argument; on a damaged file that is nearly anything."""


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

    What is not pixels never costs the picture: metadata that cannot be read is left out, and the
    log says so.

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
    content = source if isinstance(source, bytes) else _read(source, name, HEAD_BYTES)
    kind = picture_kind(content[:HEAD_BYTES])
    if kind == "HEIC":
        _register_heif()
    whole = Stripped(source) if isinstance(source, bytes) else source
    try:
        try:
            return _read_frames(whole, name, max_pixels, max_side)
        except PillowError as error:
            reason: Exception = error.args[0]
        if kind is not None and not isinstance(source, bytes):
            content = _read(source, name)
        picture = _without_metadata(content, name, max_pixels, max_side, reason)
    except MemoryError as error:
        raise TooLargeError(
            f"{name}: does not fit into the memory of this machine; "
            "shrink it with another program first"
        ) from error
    if picture is None:
        raise _refusal(name, content, reason) from reason
    return picture


def picture_of(image: Image.Image, name: str = "the picture") -> Picture:
    """Take the current frame of an open Pillow image as a still picture, upright and in sRGB.

    Raises:
        InputError: it is closed, truncated, without pixels, or of samples that are not read.
    """
    try:
        with pillow_errors():
            clear = _mend_key(image)
            image.load()
    except PillowError as error:
        reason: Exception = error.args[0]
        if (picture := _without_metadata(_file_of(image), name, MAX_PIXELS, None, reason)) is None:
            raise InputError(
                f"{name}: cannot be read, it is closed, damaged or truncated ({reason}); "
                "open a whole copy of it"
            ) from reason
        return picture
    orientation, kept = read_exif(image, name)
    correct = profile_correction(image, name)
    colour, alpha = to_srgb(image, name, orientation, correct=correct, clear=clear)
    return Picture((Frame(colour, alpha),), image.format, exif=kept, turned=orientation > 1)


def read_size(content: bytes, name: str) -> tuple[int, int]:
    """The (width, height) that a picture's header states, as stored; nothing is decoded.

    Raises:
        InputError: it is not a picture.
    """
    if picture_kind(content[:HEAD_BYTES]) == "HEIC":
        _register_heif()
    reason: Exception | None = None
    for less in (Stripped(content), *stripped(content)):
        try:
            with open_image(less) as image:
                return image.size
        except PillowError as error:
            reason = reason or error.args[0]
    assert reason is not None
    raise _refusal(name, content, reason) from reason


def _read(source: str | Path, name: str, size: int = -1) -> bytes:
    """The content of a file, or its first `size` bytes."""
    with reading(name, "picture"), Path(source).open("rb") as file:
        return file.read(size)


def _register_heif() -> None:
    try:
        import pi_heif
    except ImportError as error:
        raise MissingExtraError("reading a HEIC picture", "heic", "pi-heif") from error
    pi_heif.register_heif_opener()


@contextmanager
def open_image(source: str | Path | Stripped) -> Iterator[Image.Image]:
    """Open a picture with Pillow, and close it.

    Raises:
        PillowError: it cannot.
    """
    with pillow_errors(), pillow_globals():
        if isinstance(source, Stripped):
            image = Image.open(io.BytesIO(source.content))
            if source.profile is not None:
                image.info["icc_profile"] = source.profile
        else:
            image = Image.open(source)
    with image:
        yield image


@contextmanager
def pillow_errors() -> Iterator[None]:
    """Turn what Pillow raises into a PillowError; on a damaged file that is nearly anything."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise PillowError(error) from error


@contextmanager
def pillow_globals() -> Iterator[None]:
    """Set what of Pillow is global while a header is read.

    Its limit of 179 megapixels is lifted, ours follows. TIFF files are given to libtiff: Pillow's
    own reader takes planes of 16 bits for planes of 8, and gives noise.
    """
    with _pillow_lock:
        before = Image.MAX_IMAGE_PIXELS, TiffImagePlugin.READ_LIBTIFF
        Image.MAX_IMAGE_PIXELS, TiffImagePlugin.READ_LIBTIFF = None, True
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS, TiffImagePlugin.READ_LIBTIFF = before


def _without_metadata(
    content: bytes, name: str, max_pixels: int, max_side: int | None, reason: Exception
) -> Picture | None:
    """Read a file that could not be read, with less and less of what is not pixels in it.

    Args:
        reason: what Pillow raised; the log tells it if that was about what is left out.

    Returns:
        None if it is the pixels that cannot be read.
    """
    for less in stripped(content):
        with suppress(PillowError):
            picture = _read_frames(less, name, max_pixels, max_side)
            _log.warning("%s: its metadata cannot be read and is left out (%s)", name, reason)
            return picture
    return None


def _file_of(image: Image.Image) -> bytes:
    """The file of a still that is not loaded yet; b"" if there is none, or it is closed."""
    file = getattr(image, "fp", None)
    try:
        if file is None or getattr(image, "n_frames", 1) > 1:
            return b""
        file.seek(0)
        content: bytes = file.read()
    except (OSError, ValueError, EOFError):
        return b""
    return content


def _refusal(name: str, content: bytes, reason: Exception) -> InputError:
    """Say why a file cannot be read as a picture."""
    if isinstance(reason, UnidentifiedImageError):
        if content.startswith(tiff.MARKS) and (samples := tiff.describe_samples(content)):
            return UnreadSamplesError(
                f"{name}: is a TIFF file of {samples} samples stored in a way that is not read; "
                "convert it to 8 or 16 bits and RGB first"
            )
        kind = picture_kind(content[:HEAD_BYTES])
        if kind is None:
            held = describe(content[:HEAD_BYTES])
            remedy = "give a JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF or HEIC file"
            if held == "a video" and Path(name).suffix.lower() in PICTURE_SUFFIXES:
                remedy = "to paint that, end its name in .mp4, .mov, .mkv, .webm or .avi"
            return NotAPictureError(f"{name}: is not a picture, it holds {held}; {remedy}")
        return InputError(
            f"{name}: is damaged or truncated, or a {kind} file of a kind that is not read; "
            "get a whole copy of it, or convert it with another program"
        )
    return InputError(f"{name}: is damaged or truncated ({reason}); get a whole copy of it")


def _read_frames(
    source: str | Path | Stripped, name: str, max_pixels: int, max_side: int | None
) -> Picture:
    """Decode the frames of a file, after checking how many pixels they have.

    Raises:
        PillowError: Pillow cannot read it.
        InputError: it is too large, or of samples that are not read.
    """
    with open_image(source) as image:
        with pillow_errors():
            count = getattr(image, "n_frames", 1) if image.format in _ANIMATED else 1
        _refuse_if_huge(*image.size, count, name, max_pixels)
        if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.next:
            _log.warning("%s: holds more than one picture; the first is read", name)
        # The first frame of an animated PNG may be a stand-in for programs that show only stills.
        first = 1 if count > 1 and image.info.get("default_image") else 0
        loop = image.info.get("loop")
        stored = stored_orientation(image)
        size = image.size
        if max_side is not None and image.format == "JPEG":
            image.draft(None, (max_side, max_side))  # decodes at 1/2, 1/4 or 1/8, still >= max_side
        with pillow_errors():
            clear = _mend_key(image)

        frames = []
        for index in range(first, count):
            with pillow_errors():
                if count > 1:
                    image.seek(index)
                image.load()
                duration_ms = round(image.info.get("duration", 100)) if count > 1 else 0
            if index == first:
                orientation, kept = read_exif(image, name)
                correct = profile_correction(image, name)
                if image.format == "TIFF":  # which Pillow turned as it loaded it
                    size = image.size
            colour, alpha = to_srgb(image, name, orientation, correct=correct, clear=clear)
            upright = size[::-1] if swaps_sides(orientation) else size
            frames.append(shrink(Frame(colour, alpha, duration_ms), fit_within(upright, max_side)))
    # A GIF's number counts repetitions, and without it the GIF plays once; the others count plays.
    plays = (1 if loop is None else loop and loop + 1) if image.format == "GIF" else loop or 0
    return Picture(tuple(frames), image.format, plays, kept, max(stored, orientation) > 1)


def _refuse_if_huge(width: int, height: int, count: int, name: str, max_pixels: int) -> None:
    if width * height * count > max_pixels:
        frames = f"{count} frames of " if count > 1 else ""
        raise TooLargeError(
            f"{name}: has {frames}{width} x {height} pixels, more than the limit of "
            f"{max_pixels / 1e6:.0f} megapixels; shrink it with another program first"
        )


def _mend_key(image: Image.Image) -> Mask | None:
    """Put right what Pillow makes of the transparent level or colour of a PNG without alpha.

    Of gray with 2 and 4 bits it scales the samples and not the level: `image.info` gets the scaled
    one. Of colour with 16 bits it keeps the upper bytes, while the transparent colour has both.

    Returns:
        bool (H, W), true where a 16-bit picture has its transparent colour; None for all others.
    """
    key = image.info.get("transparency")
    if image.format != "PNG" or key is None or not isinstance(image, ImageFile.ImageFile):
        return None
    way = image.tile[0][3] if image.tile else None  # how samples are unpacked
    if image.mode == "L" and isinstance(key, int):
        image.info["transparency"] = key * _gray_step(image, way, key)
    if way != "RGB;16B" or getattr(image, "n_frames", 1) > 1:
        return None
    bytes_of = np.array(key, ">u2").view(np.uint8).reshape(3, 2)
    file = image.fp
    assert file is not None
    place = file.tell()
    file.seek(0)
    content = file.read()
    file.seek(place)
    clear = np.ones((image.height, image.width), np.bool_)
    for half, unpacked in enumerate(("RGB;16B", "RGB;16L")):  # the upper bytes, the lower ones
        with pillow_globals():
            other = Image.open(io.BytesIO(content))
        assert isinstance(other, ImageFile.ImageFile)
        with other:
            other.tile = [tile._replace(args=unpacked) for tile in other.tile]
            clear &= (np.asarray(other) == bytes_of[:, half]).all(axis=-1)
    return clear


def _gray_step(image: Image.Image, way: object, key: int) -> int:
    """What one level of a gray PNG was multiplied by: 85 for 2 bits, 17 for 4, else 1.

    An image that is loaded no longer says so, but its samples are multiples of that; if it had 8
    bits, few have a transparent level among the lowest and no samples between those.
    """
    if way is not None:
        return {"L;2": 85, "L;4": 17}.get(str(way), 1)
    for step in (85, 17):
        if 0 < key <= 255 // step and not (np.asarray(image) % step).any():
            return step
    return 1
