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

from sakuga.errors import InputError

Pixels = NDArray[np.uint8]

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
_BASES = {"1": "L", "L": "L", "LA": "L", "La": "L", "CMYK": "CMYK"}  # all else is made RGB
_PROFILE_SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def to_srgb(image: Image.Image, name: str, orientation: int = 1) -> tuple[Pixels, Pixels | None]:
    """Convert one decoded frame to upright sRGB.

    Args:
        image: of any mode; its ICC profile, palette and transparency are read from `image.info`.
        name: what to call the picture in an error.
        orientation: the EXIF orientation, 1 to 8; anything else counts as 1.

    Returns:
        uint8 (H, W, 3), and the alpha as uint8 (H, W) or None if the picture has none.

    Raises:
        InputError: for samples whose range nobody states (32-bit integers, floats).
    """
    image.load()
    width, height = image.size
    swapped, row_step, column_step = _ORIENTATIONS.get(orientation, (False, 1, 1))
    upright = (width, height) if swapped else (height, width)
    transparent = _has_alpha(image)
    colour = np.empty((*upright, 3), np.uint8)
    alpha = np.empty(upright, np.uint8) if transparent else None

    def stored(array: Pixels) -> Pixels:
        """A view of the upright array in the order of the file."""
        return (array.swapaxes(0, 1) if swapped else array)[::row_step, ::column_step]

    correct = _profile_transform(image, name)
    strip_rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, strip_rows):
        bottom = min(top + strip_rows, height)
        strip = _to_eight_bit(image.crop((0, top, width, bottom)), image.format, name)
        if alpha is not None:
            strip = strip.convert("RGBA")
            stored(alpha)[top:bottom] = np.asarray(strip.getchannel("A"))
            base = Image.merge("RGB", strip.split()[:3])
            if image.mode in ("LA", "La"):
                base = base.getchannel(0)
        else:
            base = strip.convert(_BASES.get(strip.mode, "RGB"))
        stored(colour)[top:bottom] = np.asarray(correct(base))
    return colour, alpha


def swaps_sides(orientation: int) -> bool:
    """True if turning a picture of this EXIF orientation upright swaps its width and height."""
    return orientation in _ORIENTATIONS and _ORIENTATIONS[orientation][0]


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def _to_eight_bit(strip: Image.Image, file_format: str | None, name: str) -> Image.Image:
    """16-bit gray to 8-bit gray, rounded; other modes are left alone.

    Pillow's own conversion clips everything above 255 to white. Mode I is 32 bits wide, but PNG and
    PGM files that come as I hold 16-bit samples; for other formats the range is unknown.
    """
    sixteen = strip.mode in _SIXTEEN_BIT
    if not sixteen and not (strip.mode == "I" and file_format in ("PNG", "PPM")):
        if strip.mode in ("I", "F"):
            raise InputError(
                f"{name}: has {'32-bit integer' if strip.mode == 'I' else 'floating-point'} "
                "samples whose range is not stated; convert it to 8 or 16 bits first"
            )
        return strip
    samples = np.asarray(strip).astype(np.uint32)
    # 65535 / 255 = 257. A single transparent value of 16-bit gray is scaled like the samples.
    scaled = Image.fromarray(((samples + 128) // 257).astype(np.uint8))
    transparency = strip.info.get("transparency")
    if isinstance(transparency, int):
        scaled.info["transparency"] = (transparency + 128) // 257
    return scaled


def _profile_transform(image: Image.Image, name: str) -> Callable[[Image.Image], Image.Image]:
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
    except (OSError, ImageCms.PyCMSError) as error:
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
