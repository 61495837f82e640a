"""Picture files of unusual kinds, made byte by byte where Pillow cannot write them."""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction

import av
import numpy as np
from PIL import Image


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth picture with a few edges, uint8 (H, W, 3), without any symmetry."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    generator = np.random.default_rng(seed)
    planes = []
    for _ in range(3):
        a, b, c = generator.uniform(2, 7, 3)
        wave = np.sin(rows / a / 3 + columns / b / 4 + c) + 0.6 * (
            (columns * a + rows * b) % 61 > 30
        )
        planes.append(110 + 60 * wave)
    return np.clip(np.stack(planes, axis=-1), 0, 255).astype(np.uint8)


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    """A Pillow image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of a PNG file."""
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def png_header(width: int, height: int, bits: int = 8, colour_type: int = 2) -> bytes:
    """The beginning of a PNG file: signature and IHDR."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)


def png_16_bit_rgb(samples: np.ndarray) -> bytes:
    """A PNG of uint16 (H, W, 3), which Pillow does not write."""
    height, width, _ = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    data = png_chunk(b"IDAT", zlib.compress(rows))
    return png_header(width, height, bits=16) + data + png_chunk(b"IEND", b"")


def icc_profile(gamma: float, *, description: bytes = b"test") -> bytes:
    """An ICC version 2 display profile: the primaries of sRGB (Bradford-adapted), and a gamma.

    ICC.1:2001-04, section 6: a header of 128 bytes, a table of tags, and their contents.
    """

    def fixed(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + fixed(*values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    words = b"desc\0\0\0\0" + struct.pack(">I", len(description) + 1) + description + b"\0"
    words += bytes(4 + 4 + 2 + 1 + 67)
    words += bytes(-len(words) % 4)
    tags = {
        b"desc": words,
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.43607, 0.22249, 0.01392),
        b"gXYZ": xyz(0.38515, 0.71687, 0.09708),
        b"bXYZ": xyz(0.14307, 0.06061, 0.71410),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table = struct.pack(">I", len(tags))
    place = 128 + 4 + 12 * len(tags)
    content = b""
    for name, value in tags.items():
        table += name + struct.pack(">II", place + len(content), len(value))
        content += value
    header = struct.pack(
        ">I4sI4s4s4s", place + len(content), b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ "
    )
    header += bytes(12) + b"acsp" + bytes(28) + fixed(0.9642, 1.0, 0.8249)
    return header.ljust(128, b"\0") + table + content


def heic(pixels: np.ndarray, *, quarter_turns: int = 0) -> bytes:
    """A HEIC file of uint8 (H, W, 3), H and W even, that is to be shown turned anti-clockwise.

    One frame of HEVC from x265 in the boxes of ISO/IEC 23008-12.
    """
    height, width, _ = pixels.shape
    movie = io.BytesIO()
    with av.open(movie, "w", format="mp4") as container:
        # With B-frames x265 makes up the time of a lone frame from memory it never wrote.
        options = {"crf": "4", "x265-params": "log-level=none:bframes=0"}
        stream = container.add_stream("libx265", rate=1, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, 1)
        for packet in [*stream.encode(av.VideoFrame.from_ndarray(pixels)), *stream.encode()]:
            container.mux(packet)
    content = movie.getvalue()

    def taken(kind: bytes) -> bytes:
        """The content of the first box of a kind in the movie."""
        place = content.index(kind)
        (size,) = struct.unpack(">I", content[place - 4 : place])
        return content[place + 4 : place - 4 + size]

    def box(kind: bytes, *parts: bytes) -> bytes:
        body = b"".join(parts)
        return struct.pack(">I", 8 + len(body)) + kind + body

    def full(kind: bytes, version: int, *parts: bytes) -> bytes:
        return box(kind, struct.pack(">I", version << 24), *parts)

    sample = taken(b"mdat")
    properties = box(
        b"ipco",
        box(b"hvcC", taken(b"hvcC")),
        full(b"ispe", 0, struct.pack(">II", width, height)),
        box(b"irot", bytes([quarter_turns])),
    )
    # Item 1 has the properties 1, 2 and 3; the first is essential.
    associations = full(b"ipma", 0, struct.pack(">IHBBBB", 1, 1, 3, 0x81, 2, 0x83))
    kinds = box(b"ftyp", b"heic", bytes(4), b"mif1", b"heic")

    def meta(offset: int) -> bytes:
        place = struct.pack(">HHHHHII", 0x4400, 1, 1, 0, 1, offset, len(sample))
        return full(
            b"meta",
            0,
            full(b"hdlr", 0, bytes(4), b"pict", bytes(13)),
            full(b"pitm", 0, struct.pack(">H", 1)),
            full(b"iloc", 0, place),
            full(b"iinf", 0, struct.pack(">H", 1), full(b"infe", 2, b"\0\x01\0\0hvc1\0")),
            box(b"iprp", properties, associations),
        )

    start = len(kinds) + len(meta(0)) + 8
    return kinds + meta(start) + box(b"mdat", sample)
