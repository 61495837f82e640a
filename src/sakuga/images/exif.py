"""EXIF data of a picture that Pillow opened: how it lies, and what is passed on."""

from __future__ import annotations

import logging

from PIL import Image

from sakuga.images import tiff

_ORIENTATION_TAG = 0x0112
_SUB_FOLDERS = (0x8769, 0x8825)  # EXIF and GPS
# What a TIFF's own tags may pass on; the others describe how its samples are stored.
_DESCRIPTIVE_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
_log = logging.getLogger("sakuga")


def stored_orientation(image: Image.Image) -> int:
    """The orientation of a TIFF that is not loaded yet; for others 1."""
    found = getattr(image, "tag_v2", {}).get(tiff.ORIENTATION, 1)
    return int(found) if found in range(1, 9) else 1


def exif_of(image: Image.Image) -> tuple[Image.Exif, Exception | None]:
    """The EXIF data of a loaded image, and what was raised if they are damaged.

    Damaged data makes Pillow raise nearly anything, but only the first time they are asked for.
    """
    try:
        exif = image.getexif()
        if not exif and (content := image.info.get("exif")):
            Image.Exif().load(content)  # raises what Pillow swallowed as it opened a JPEG
        return exif, None
    except Exception as error:
        return Image.Exif(), error


def orientation_of(exif: Image.Exif) -> int:
    """The orientation, 1 to 8, that the loaded image has; 1 if that makes no sense.

    Pillow turns a TIFF when it loads it, and then its EXIF data have no orientation any more.
    """
    found = exif.get(_ORIENTATION_TAG, 1)
    return int(found) if found in range(1, 9) else 1


def exif_to_keep(
    exif: Image.Exif, file_format: str | None
) -> tuple[bytes | None, Exception | None]:
    """The EXIF data to pass on, in which the orientation is 1, and why they could not be written.

    `exif` is left as it is: it belongs to an image that may be painted again.
    """
    try:
        if file_format == "TIFF":
            return _described(exif), None
        if not exif:
            return None, None
        turned = exif.get(_ORIENTATION_TAG)
        try:
            if turned is not None:
                exif[_ORIENTATION_TAG] = 1
            return exif.tobytes(), None
        finally:
            if turned is not None:
                exif[_ORIENTATION_TAG] = turned
    except Exception as error:
        return None, error


def _described(exif: Image.Exif) -> bytes | None:
    """Of a TIFF's tags those that describe the picture, with its EXIF and GPS folders."""
    kept = Image.Exif()
    for tag in _DESCRIPTIVE_TAGS:
        if tag in exif:
            kept[tag] = exif[tag]
    folders = {tag: folder for tag in _SUB_FOLDERS if (folder := exif.get_ifd(tag))}
    for tag, folder in folders.items():
        kept.get_ifd(tag).update(folder)
    return kept.tobytes() if kept or folders else None


def warn_of_exif(name: str, damage: Exception | None) -> None:
    if damage is not None:
        _log.warning("%s: its EXIF data is damaged and is left out (%s)", name, damage)
