"""EXIF data of a picture that Pillow opened: how it lies, and what is passed on."""

from __future__ import annotations

import logging
from typing import Any

from PIL import Image

from sakuga.images import tiff

_ORIENTATION_TAG = 0x0112
_SUB_FOLDERS = (0x8769, 0x8825)  # EXIF and GPS
# What a TIFF's own tags may pass on; the others describe how its samples are stored.
_DESCRIPTIVE_TAGS = (0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x8298)
_log = logging.getLogger("sakuga")


def stored_orientation(image: Image.Image) -> int:
    """The orientation of a TIFF that is not loaded yet; for others 1."""
    return _orientation(getattr(image, "tag_v2", {}).get(tiff.ORIENTATION, 1))


def read_exif(image: Image.Image, name: str) -> tuple[int, bytes | None]:
    """The orientation, 1 to 8, that a loaded image has, and the EXIF data to pass on.

    In those the orientation is 1. Damaged data is left out, and the log says so. Pillow turns a
    TIFF when it loads it, and then its EXIF data have no orientation any more.
    """
    exif, kept = Image.Exif(), None
    try:  # damaged data makes Pillow raise nearly anything, but only the first time it is asked for
        found = image.getexif()
        if not found and (content := image.info.get("exif")):
            Image.Exif().load(content)  # raises what Pillow swallowed as it opened a JPEG
        exif = found
        kept = _kept(exif, image.format)
    except Exception as error:
        _log.warning("%s: its EXIF data is damaged and is left out (%s)", name, error)
    return _orientation(exif.get(_ORIENTATION_TAG, 1)), kept


def _orientation(found: Any) -> int:
    return int(found) if found in range(1, 9) else 1


def _kept(exif: Image.Exif, file_format: str | None) -> bytes | None:
    """The data to pass on; `exif` itself is left as it is, its image may be painted again."""
    if file_format == "TIFF":
        return _described(exif)
    if not exif:
        return None
    turned = exif.get(_ORIENTATION_TAG)
    try:
        if turned is not None:
            exif[_ORIENTATION_TAG] = 1
        return exif.tobytes()
    finally:
        if turned is not None:
            exif[_ORIENTATION_TAG] = turned


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
