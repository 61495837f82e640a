"""A picture file without what is not pixels, for when that keeps the picture from being read.

Pillow gives up on a whole PNG for a text of over a megabyte, on an AVIF for bad EXIF data, on a
TIFF for a resolution of the wrong type. These functions leave such parts out, and copy the pixels
as they are: what is truncated stays so.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from sakuga.images import tiff

PNG_MARK = b"\x89PNG\r\n\x1a\n"
_MAX_PROFILE_BYTES = 64_000_000  # unpacked; the largest in use, for printers, have some 4 MB
_MAX_TEXT_BYTES = 1 << 20  # unpacked; Pillow takes no more

# PNG: chunks of lower-case first letter may be left out, but these say how pixels look.
_PNG_OF_PIXELS = (b"tRNS", b"acTL", b"fcTL", b"fdAT")
_PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_PNG_KEYS = (b"Raw profile type exif", b"XML:com.adobe.xmp")  # may say which way is up
# WebP: what describes the picture, and the flags in VP8X that announce it.
_WEBP_FLAGS = {b"ICCP": 0x20, b"EXIF": 0x08, b"XMP ": 0x04}


@dataclass(frozen=True)
class Stripped:
    """A file with parts left out."""

    content: bytes
    profile: bytes | None = None  # the ICC profile that was taken out of it and is to be obeyed


def stripped(content: bytes) -> Iterator[Stripped]:
    """Give the file with less and less of what is not pixels; nothing if its kind is unknown.

    What says how to show the pixels (orientation, profile) is left in at first, if it is whole.
    """
    if content.startswith(PNG_MARK):
        yield _stripped_png(content, with_orientation=True)
        yield _stripped_png(content, with_orientation=False)
    elif content.startswith(b"\xff\xd8"):
        yield Stripped(_stripped_jpeg(content, kept=(b"Exif\0\0", b"ICC_PROFILE\0")))
        yield Stripped(_stripped_jpeg(content, kept=()))
    elif content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        yield Stripped(_stripped_webp(content))
    elif content.startswith(tiff.MARKS):
        if (less := tiff.only_pixels(content)) is not None:
            yield Stripped(less)
    elif content[4:8] == b"ftyp":
        yield Stripped(_stripped_heif(content))


def _stripped_png(content: bytes, *, with_orientation: bool) -> Stripped:
    """Leave out all chunks but those of pixels. https://www.w3.org/TR/png-3/#5Chunk-layout"""
    kept = [PNG_MARK]
    profile = None
    place = len(PNG_MARK)
    while place + 12 <= len(content):
        (size,) = struct.unpack_from(">I", content, place)
        kind = content[place + 4 : place + 8]
        chunk = content[place : place + 12 + size]
        place += len(chunk)
        data = chunk[8:-4]
        if kind[:1].isupper() or kind in _PNG_OF_PIXELS or len(chunk) < 12 + size:
            kept.append(chunk)
        elif zlib.crc32(chunk[4:-4]) != struct.unpack(">I", chunk[-4:])[0]:
            continue
        elif kind == b"iCCP":
            profile = _unpacked(data.partition(b"\0")[2], _MAX_PROFILE_BYTES)
        elif with_orientation and (kind == b"eXIf" or _is_small_text(kind, data)):
            kept.append(chunk)
    return Stripped(b"".join(kept) + content[place:], profile)


def _is_small_text(kind: bytes, data: bytes) -> bool:
    """True for a text chunk that may say which way is up, and that Pillow reads."""
    key, _, rest = data.partition(b"\0")
    if kind not in _PNG_TEXTS or key not in _PNG_KEYS:
        return False
    if kind == b"zTXt":
        return _unpacked(rest, _MAX_TEXT_BYTES) is not None
    if kind == b"iTXt" and rest[:1] == b"\1":
        text = rest[2:].split(b"\0", 2)
        return len(text) == 3 and _unpacked(b"\0" + text[2], _MAX_TEXT_BYTES) is not None
    return True


def _unpacked(data: bytes, most: int) -> bytes | None:
    """A method (0: deflate) and packed bytes, unpacked; None if damaged or longer than `most`."""
    if data[:1] != b"\0":
        return None
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(data[1:], most)
    except zlib.error:
        return None
    return None if unpacker.unconsumed_tail else unpacked


def _stripped_jpeg(content: bytes, kept: tuple[bytes, ...]) -> bytes:
    """Leave out comments and application segments, but for `kept` and Adobe's, of the colours.

    ITU-T T.81, B.1.1: a marker, the length of what follows with its own two bytes, and that.
    """
    parts = [content[:2]]
    place = 2
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker == 0xFF:  # a byte that fills
            place += 1
            continue
        (size,) = struct.unpack_from(">H", content, place + 2)
        segment = content[place : place + 2 + size]
        if marker == 0xDA or size < 2:  # the pixels begin
            break
        place += len(segment)
        body = segment[4:]
        adobe = marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12
        described = 0xE0 <= marker <= 0xEF or marker == 0xFE
        whole = body.startswith(kept) and len(body) > 14 if kept else False
        if adobe or not described or whole:
            parts.append(segment)
    return b"".join(parts) + content[place:]


def _stripped_webp(content: bytes) -> bytes:
    """Leave out EXIF data, XMP and the profile.

    https://developers.google.com/speed/webp/docs/riff_container
    """
    parts = []
    place = 12
    while place + 8 <= len(content):
        kind = content[place : place + 4]
        (size,) = struct.unpack_from("<I", content, place + 4)
        chunk = content[place : place + 8 + size + size % 2]
        place += len(chunk)
        if kind == b"VP8X" and len(chunk) > 8:
            chunk = chunk[:8] + bytes([chunk[8] & ~sum(_WEBP_FLAGS.values())]) + chunk[9:]
        if kind not in _WEBP_FLAGS:
            parts.append(chunk)
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _stripped_heif(content: bytes) -> bytes:
    """Give the items of EXIF data and XMP in an AVIF or HEIC file a type that nobody reads.

    They are announced by boxes `infe`: version and flags, a number, a protection, the type.
    ISO/IEC 14496-12, 8.11.6.
    """
    bare = bytearray(content)
    place = content.find(b"infe")
    while place >= 0:
        number_bytes = 4 if content[place + 4 : place + 5] == b"\3" else 2
        start = place + 4 + 4 + number_bytes + 2
        if content[start : start + 4] in (b"Exif", b"mime"):
            bare[start : start + 4] = b"skip"
        place = content.find(b"infe", place + 4)
    return bytes(bare)
