"""PNG, TIFF and GIF files of every kind of samples, byte by byte, and what they must look like.

Nothing of Pillow is used, so that what is read can be compared with what was meant.
PNG: https://www.w3.org/TR/png-3/. TIFF: revision 6.0.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from samples import png_chunk, png_header

Samples = NDArray[np.integer]

GRAY, COLOUR, PALETTE, GRAY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6  # PNG's types of colour
CHANNELS = {GRAY: 1, COLOUR: 3, PALETTE: 1, GRAY_ALPHA: 2, COLOUR_ALPHA: 4}


def packed(samples: Samples, bits: int, order: str = ">") -> bytes:
    """Samples (H, ...) as rows of bytes: 1, 2 and 4 bits packed from the left, 16 bits in order."""
    rows = samples.reshape(len(samples), -1)
    if bits == 8:
        return rows.astype(np.uint8).tobytes()
    if bits in (16, 32):
        return rows.astype(f"{order}u{bits // 8}").tobytes()
    flags = (rows[..., None].astype(np.uint16) >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(flags.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()


def png(
    samples: Samples,
    bits: int,
    colour_type: int,
    *,
    palette: Samples | None = None,
    transparency: bytes | None = None,
    before: Sequence[tuple[bytes, bytes]] = (),
    after: Sequence[tuple[bytes, bytes]] = (),
) -> bytes:
    """A PNG of samples (H, W) or (H, W, C).

    Args:
        palette: (N, 3).
        transparency: content of tRNS.
        before, after: more chunks, kind and content, before and after the samples.
    """
    height, width = samples.shape[:2]
    data = packed(samples, bits)
    row_bytes = len(data) // height
    rows = b"".join(b"\0" + data[i : i + row_bytes] for i in range(0, len(data), row_bytes))
    chunks = list(before)
    if palette is not None:
        chunks.append((b"PLTE", palette.astype(np.uint8).tobytes()))
    if transparency is not None:
        chunks.append((b"tRNS", transparency))
    chunks += [(b"IDAT", zlib.compress(rows)), *after, (b"IEND", b"")]
    return png_header(width, height, bits, colour_type) + b"".join(
        png_chunk(kind, content) for kind, content in chunks
    )


def tiff(
    samples: Samples,
    bits: int,
    photometric: int,
    *,
    order: str = "<",
    extra: Sequence[int] = (),
    sample_format: int = 1,
    compression: int = 1,
    planes: bool = False,
    width: int | None = None,
    stated_bits: int | None = None,
    tags: Sequence[tuple[int, int, int, bytes]] = (),
) -> bytes:
    """A TIFF of samples (H, W) or (H, W, C), in one strip, or one a plane.

    Args:
        bits: of each sample.
        photometric: 0 white is zero, 1 black is zero, 2 RGB, 3 palette, 5 CMYK, 6 YCbCr, 8 Lab.
        order: "<" for II, ">" for MM.
        extra: what the last channels are: 0 nobody says, 1 premultiplied alpha, 2 alpha.
        sample_format: 1 unsigned, 2 signed, 3 floating point.
        compression: 1 none, 8 deflate.
        planes: channel after channel instead of pixel after pixel.
        width, stated_bits: what the file says of them, if its samples are packed already.
        tags: more tags, as (tag, type, count, content).
    """
    height = len(samples)
    layers = samples.reshape(height, samples.shape[1], -1)
    channels = layers.shape[2]
    parts = [layers[..., c] for c in range(channels)] if planes else [layers]
    strips = [
        part.astype(f"{order}f{bits // 8}").tobytes()
        if sample_format == 3
        else packed(part, bits, order)
        for part in parts
    ]
    if compression == 8:
        strips = [zlib.compress(strip) for strip in strips]

    def shorts(*values: int) -> bytes:
        return struct.pack(f"{order}{len(values)}H", *values)

    def longs(*values: int) -> bytes:
        return struct.pack(f"{order}{len(values)}I", *values)

    starts = [8 + sum(map(len, strips[:i])) for i in range(len(strips))]
    entries = [
        (256, 4, 1, longs(width or samples.shape[1])),
        (257, 4, 1, longs(height)),
        (258, 3, channels, shorts(*[stated_bits or bits] * channels)),
        (259, 3, 1, shorts(compression)),
        (262, 3, 1, shorts(photometric)),
        (273, 4, len(strips), longs(*starts)),
        (277, 3, 1, shorts(channels)),
        (278, 4, 1, longs(height)),
        (279, 4, len(strips), longs(*map(len, strips))),
        (284, 3, 1, shorts(2 if planes else 1)),
        (339, 3, channels, shorts(*[sample_format] * channels)),
        *tags,
    ]
    if extra:
        entries.append((338, 3, len(extra), shorts(*extra)))
    entries.sort()
    body = b"".join(strips)
    body += bytes(len(body) % 2)
    directory = shorts(len(entries))
    place = 8 + len(body) + 2 + 12 * len(entries) + 4
    outside = b""
    for tag, kind, count, content in entries:
        directory += struct.pack(f"{order}HHI", tag, kind, count)
        if len(content) <= 4:
            directory += content.ljust(4, b"\0")
        else:
            directory += longs(place + len(outside))
            outside += content + bytes(len(content) % 2)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + longs(8 + len(body)) + body + directory + longs(0) + outside


def gif(samples: Samples, bits: int, palette: Samples, clear: int | None = None) -> bytes:
    """A GIF of one frame: samples (H, W), a palette (2**bits, 3), and perhaps a transparent entry.

    Its LZW codes never grow: the table is cleared before it would. https://www.w3.org/Graphics/GIF
    """
    height, width = samples.shape
    content = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80 | (bits - 1), 0, 0)
    content += palette.astype(np.uint8).tobytes()
    if clear is not None:
        content += b"!\xf9\x04" + struct.pack("<BHB", 1, 0, clear) + b"\0"
    content += b"," + struct.pack("<HHHHB", 0, 0, width, height, 0)
    first = max(2, bits)  # bits of a code that is a sample; the codes here have one more
    restart = 1 << first
    codes = [restart]
    for index, sample in enumerate(samples.ravel().tolist()):
        if index and index % (restart - 2) == 0:
            codes.append(restart)
        codes.append(sample)
    codes.append(restart + 1)
    number = sum(code << (first + 1) * place for place, code in enumerate(codes))
    data = number.to_bytes(((first + 1) * len(codes) + 7) // 8, "little")
    blocks = b"".join(
        bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255)
    )
    return content + bytes([first]) + blocks + b"\0;"


def levels(samples: Samples, bits: int) -> NDArray[np.uint8]:
    """Samples of 0 to 2**bits - 1 as the nearest of 0 to 255."""
    return np.rint(samples.astype(np.float64) * 255 / (2**bits - 1)).astype(np.uint8)
