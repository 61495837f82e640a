"""Any Pillow picture's samples into upright sRGB and alpha, strip by strip.

Work goes by strips of rows, so that a picture of 100 megapixels never exists three times over.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from sakuga.errors import InputError, UnreadSamplesError
from sakuga.images import tiff

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Correction = Callable[[Image.Image], Image.Image]

LUMA = (0.299, 0.587, 0.114)  # shares of red, green and blue, ITU-R BT.601
# sRGB primaries to CIE XYZ (IEC 61966-2-1) under D65, and its white.
LINEAR_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
D65_WHITE = (0.95047, 1.0, 1.08883)

_STRIP_PIXELS = 4_000_000
_log = logging.getLogger("sakuga")

# EXIF orientation -> (rows and columns are swapped, step along stored rows, along stored columns).
# With these a view of the upright array is indexed like the stored one.
_ORIENTATIONS: dict[int, tuple[bool, int, int]] = {
    1: (False, 1, 1),
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, -1, 1),
    7: (True, -1, -1),
    8: (True, 1, -1),
}
_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
_ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")
_BASES = {"1": "L", "L": "L", "LA": "L", "La": "L", "CMYK": "CMYK"}  # all else is made RGB
_MODES = (
    *("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "I", "F"),
    *(*_SIXTEEN_BIT, *_ALPHA_MODES),
)
_WHITE_IS_ZERO = 0  # TIFF's PhotometricInterpretation
_APART = 2  # TIFF's PlanarConfiguration
_SIGNED = 2  # TIFF's SampleFormat
_PROFILE_SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def to_srgb(
    image: Image.Image,
    name: str,
    orientation: int = 1,
    *,
    correct: Correction,
    clear: Mask | None = None,
) -> tuple[Pixels, Pixels | None]:
    """Convert one decoded frame to upright sRGB.

    Args:
        image: of any mode; its palette and transparency are read from it.
        name: what to call the picture in an error.
        orientation: the EXIF orientation, 1 to 8; anything else counts as 1.
        correct: what `profile_correction` gave for the picture, once for all its frames.
        clear: bool (H, W) as stored, where that is known better than `image` says: true where
            nothing is to be seen.

    Returns:
        uint8 (H, W, 3), and the alpha as uint8 (H, W) or None if the picture has none.

    Raises:
        UnreadSamplesError: for samples whose range nobody states (32-bit integers, floats, signed
            numbers), or that Pillow mixes up.
        InputError: a picture without pixels.
    """
    width, height = image.size
    if width * height == 0:
        raise InputError(f"{name}: has no pixels, it is {width} x {height}; get a whole copy of it")
    _refuse_unread(image, name)
    swapped, row_step, column_step = _ORIENTATIONS.get(orientation, (False, 1, 1))
    upright = (width, height) if swapped else (height, width)
    colour = np.empty((*upright, 3), np.uint8)
    transparent = clear is not None or _has_alpha(image)
    alpha = np.empty(upright, np.uint8) if transparent else None

    def stored(array: Pixels) -> Pixels:
        """A view of the upright array in the order of the file."""
        return (array.swapaxes(0, 1) if swapped else array)[::row_step, ::column_step]

    to_eight_bit = _sixteen_bit_scale(image)
    strip_rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, strip_rows):
        bottom = min(top + strip_rows, height)
        strip = image.crop((0, top, width, bottom))
        if alpha is not None:
            seen = _alpha_of(strip) if clear is None else np.where(clear[top:bottom], 0, 255)
            stored(alpha)[top:bottom] = seen
        stored(colour)[top:bottom] = np.asarray(correct(_base(to_eight_bit(strip))))
    return colour, alpha


def swaps_sides(orientation: int) -> bool:
    """True if turning a picture of this EXIF orientation upright swaps its width and height."""
    return orientation in _ORIENTATIONS and _ORIENTATIONS[orientation][0]


def sample_bits(image: Image.Image) -> int:
    """How many bits the samples of a 16-bit picture have in its file: 16, or 12 in some TIFF."""
    tags = getattr(image, "tag_v2", {})
    return int(tags.get(tiff.BITS, (16,))[0])


def _refuse_unread(image: Image.Image, name: str) -> None:
    """Refuse samples whose black and white are not stated, or that Pillow mixes up.

    Mode I is 32 bits wide, but PNG and PGM files that come as I hold 16-bit samples.
    """
    tags = getattr(image, "tag_v2", {})
    if tags.get(tiff.PLANES) == _APART and image.mode in ("LA", "La", "PA"):
        raise UnreadSamplesError(
            f"{name}: has its levels and its alpha in planes apart, which is not read; "
            "convert it to PNG first"
        )
    if image.mode not in _MODES:
        raise UnreadSamplesError(f"{name}: is of mode {image.mode}; convert it to RGB first")
    kind = None
    if tags.get(tiff.SAMPLE_FORMAT, (1,))[0] == _SIGNED:
        kind = "signed"
    elif image.mode == "F":
        kind = "floating-point"
    elif image.mode == "I" and image.format not in ("PNG", "PPM"):
        kind = "32-bit integer"
    if kind is not None:
        raise UnreadSamplesError(
            f"{name}: has {kind} samples whose range is not stated; "
            "convert it to 8 or 16 bits first"
        )


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in _ALPHA_MODES or _key(image) is not None


def _key(image: Image.Image) -> int | tuple[int, ...] | bytes | None:
    """What of a picture without alpha is transparent: one level or colour, or palette entries."""
    key: object = image.info.get("transparency")
    if image.mode == "P" and isinstance(key, int | bytes):
        return key
    if image.mode in ("1", "L", "I", *_SIXTEEN_BIT) and isinstance(key, int):
        return key
    if image.mode == "RGB" and isinstance(key, tuple) and len(key) == 3:
        deep = max(key) > 255  # of a 16-bit PNG, of which Pillow gives the upper bytes
        return tuple(int(level) >> 8 if deep else int(level) for level in key)
    return None


def _alpha_of(strip: Image.Image) -> Pixels:
    """The alpha (H, W) of a strip that has alpha, or a transparent level, colour or entry."""
    if strip.mode in ("P", "PA", "RGBa"):
        strip = strip.convert("RGBA")
    if strip.mode in _ALPHA_MODES:
        return np.asarray(strip.getchannel(len(strip.getbands()) - 1))
    key = _key(strip)
    samples = np.asarray(strip)
    if strip.mode == "1":
        samples = samples * np.uint8(255)
    matches = samples == np.asarray(key)
    return np.where(matches.all(axis=-1) if matches.ndim == 3 else matches, 0, 255).astype(np.uint8)


def _base(strip: Image.Image) -> Image.Image:
    """The colours of a strip alone, in mode L, CMYK or RGB."""
    if strip.mode == "La":
        strip = strip.convert("LA")  # premultiplied, which Pillow undoes in this step only
    if strip.mode in ("RGBa", "PA") or (strip.mode == "P" and _key(strip) is not None):
        strip = strip.convert("RGBA")
    if strip.mode in ("LA", "RGBA"):
        channels = strip.split()[:-1]
        return channels[0] if len(channels) == 1 else Image.merge("RGB", channels)
    return strip.convert(_BASES.get(strip.mode, "RGB"))


def _sixteen_bit_scale(image: Image.Image) -> Correction:
    """A function from a strip of 16-bit gray to one of 8-bit gray, rounded; others are left alone.

    Pillow's own conversion clips everything above 255 to white, and forgets that TIFF has 12-bit
    gray, and gray of which zero is white.
    """
    if image.mode not in ("I", *_SIXTEEN_BIT):
        return lambda strip: strip
    white = 2 ** sample_bits(image) - 1
    inverted = getattr(image, "tag_v2", {}).get(tiff.PHOTOMETRIC) == _WHITE_IS_ZERO

    def scaled(strip: Image.Image) -> Image.Image:
        levels = np.minimum(np.asarray(strip).astype(np.uint32), white)
        if inverted:
            levels = white - levels
        return Image.fromarray(((levels * 255 + white // 2) // white).astype(np.uint8))

    return scaled


def profile_correction(image: Image.Image, name: str) -> Correction:
    """A function from a base picture (RGB, L or CMYK) to RGB in sRGB, by the ICC profile if any.

    A profile that is damaged or made for another kind of samples cannot be obeyed: it is left out,
    as viewers do, and the log says so.
    """

    def plain(base: Image.Image) -> Image.Image:
        return base.convert("RGB")

    content = image.info.get("icc_profile")
    if not content:
        return plain
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
        space = _PROFILE_SPACES.get(profile.profile.xcolor_space)
        if ImageCms.getProfileDescription(profile).strip().startswith("sRGB"):
            return plain
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError) as error:
        _log.warning("%s: its ICC profile cannot be read and is left out (%s)", name, error)
        return plain
    base_mode = _BASES.get(image.mode, "L" if image.mode in _SIXTEEN_BIT else "RGB")
    if space is None or (space != base_mode and (space, base_mode) != ("RGB", "L")):
        _log.warning("%s: its ICC profile is not for %s samples, left out", name, base_mode)
        return plain
    try:
        transform = ImageCms.buildTransform(
            profile, ImageCms.createProfile("sRGB"), space, "RGB", ImageCms.Intent.PERCEPTUAL
        )
    except ImageCms.PyCMSError as error:
        _log.warning("%s: its ICC profile cannot be applied and is left out (%s)", name, error)
        return plain

    def corrected(base: Image.Image) -> Image.Image:
        result = ImageCms.applyTransform(base.convert(space), transform)
        assert result is not None  # only an in-place transform returns nothing
        return result

    return corrected
