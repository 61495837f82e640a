"""The directory of a TIFF file: what its samples are, and the file without all that is not pixels.

For what Pillow does not say, or gives up on. TIFF 6.0, section 2; BigTIFF has wider numbers.
https://www.itu.int/itudoc/itu-t/com16/tiff-fx/docs/tiff6.pdf
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
BITS, PHOTOMETRIC, ORIENTATION, PLANES, SAMPLE_FORMAT = 258, 262, 274, 284, 339
_CHANNELS = 277
# The tags that say how samples are stored, and which way up; the others describe the picture.
_OF_PIXELS = frozenset(
    [
        *(254, 255, 256, 257, BITS, 259, PHOTOMETRIC, 266, 273, ORIENTATION, _CHANNELS, 278, 279),
        *(PLANES, 290, 291, 292, 293, 317, 320, 322, 323, 324, 325, 332, 338, SAMPLE_FORMAT),
        *(347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532),
    ]
)
_WHOLE = {1: "B", 3: "H", 4: "I", 16: "Q"}  # types of unsigned numbers
_MOST_NUMBERS = 100  # of an entry that is looked at
_KINDS = {
    0: "gray",
    1: "gray",
    2: "RGB",
    3: "palette",
    4: "mask",
    5: "CMYK",
    6: "YCbCr",
    8: "Lab",
    9: "Lab",
    10: "Lab",
    32803: "camera raw",
    34892: "camera raw",
}
_FORMATS = {2: "signed", 3: "floating-point", 4: "undefined", 5: "complex", 6: "complex"}


class DamagedError(ValueError):
    """The file holds no whole directory."""


@dataclass(frozen=True)
class _Layout:
    """How the numbers of a file are written."""

    order: str  # "<" or ">"
    big: bool  # BigTIFF

    def unpack(self, kinds: str, content: bytes, place: int) -> tuple[int, ...]:
        try:
            return struct.unpack_from(self.order + kinds, content, place)
        except struct.error as error:
            raise DamagedError(str(error)) from error


def describe_samples(content: bytes) -> str | None:
    """Say what a TIFF file's samples are: "16-bit signed Lab"; None if its directory is damaged."""
    try:
        layout, entries = _directory(content)
        tags = {
            struct.unpack_from(layout.order + "H", entry)[0]: _numbers(content, layout, entry)
            for entry in entries
        }
    except DamagedError:
        return None
    bits = "/".join(str(number) for number in dict.fromkeys(tags.get(BITS) or [1]))
    form = _FORMATS.get((tags.get(SAMPLE_FORMAT) or [1])[0], "")
    kind = _KINDS.get((tags.get(PHOTOMETRIC) or [1])[0], "unknown")
    return " ".join(word for word in (f"{bits}-bit", form, kind) if word)


def only_pixels(content: bytes) -> bytes | None:
    """The file with a new first directory, of the tags that say how samples are stored and turned.

    Returns:
        The new file, which is the old one with a directory appended; None if there is no directory.
    """
    try:
        layout, entries = _directory(content)
    except DamagedError:
        return None
    kept = [
        entry for entry in entries if struct.unpack_from(layout.order + "H", entry)[0] in _OF_PIXELS
    ]
    padded = content + bytes(len(content) % 2)
    count = struct.pack(layout.order + ("Q" if layout.big else "H"), len(kept))
    after = bytes(8 if layout.big else 4)  # no further picture
    start = struct.pack(layout.order + ("Q" if layout.big else "I"), len(padded))
    place = 8 if layout.big else 4
    head = padded[:place] + start + padded[place + len(start) :]
    return head + count + b"".join(kept) + after


def _directory(content: bytes) -> tuple[_Layout, list[bytes]]:
    """The layout of a TIFF file, and the entries of its first directory."""
    layout = _Layout("<" if content[:2] == b"II" else ">", 43 in content[2:4])
    (place,) = layout.unpack("Q" if layout.big else "I", content, 8 if layout.big else 4)
    (count,) = layout.unpack("Q" if layout.big else "H", content, place)
    size = 20 if layout.big else 12
    start = place + (8 if layout.big else 2)
    if start + count * size > len(content):
        raise DamagedError("the directory is cut off")
    return layout, [content[start + i * size :][:size] for i in range(count)]


def _numbers(content: bytes, layout: _Layout, entry: bytes) -> list[int]:
    """The unsigned numbers of an entry; none if it holds something else."""
    kind, count = layout.unpack("HQ" if layout.big else "HI", entry, 2)
    if kind not in _WHOLE or count > _MOST_NUMBERS:
        return []
    inside = entry[12:] if layout.big else entry[8:]
    numbers = f"{count}{_WHOLE[kind]}"
    if struct.calcsize(layout.order + numbers) <= len(inside):
        return list(layout.unpack(numbers, inside, 0))
    (place,) = layout.unpack("Q" if layout.big else "I", inside, 0)
    return list(layout.unpack(numbers, content, place))
