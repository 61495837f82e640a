"""Protobuf messages, field by field, without a library; what is not wanted is skipped unread.

https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

import io
from collections.abc import Container, Iterator
from typing import BinaryIO

_WIDTHS = {1: 8, 5: 4}  # bytes of the wire types of fixed width


class MalformedError(ValueError):
    """The bytes are no message; the text says how."""


def read_fields(
    file: BinaryIO, size: int, wanted: Container[int] | None = None
) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message of `size` bytes: numbers for varint and fixed, else bytes.

    Args:
        file: at the message's beginning, and able to seek.
        wanted: fields whose bytes are read, b"" for the others; None: all.
    """
    while file.tell() < size:
        key = read_varint(file)
        field, wire_type = key >> 3, key & 7
        if wire_type == 0:
            yield field, read_varint(file)
            continue
        if wire_type != 2 and wire_type not in _WIDTHS:
            raise MalformedError("it is not a protobuf message")
        length = _WIDTHS.get(wire_type) or read_varint(file)
        if field == 0 or file.tell() + length > size:
            raise MalformedError("it is not a protobuf message, or is cut off")
        if wire_type != 2:
            yield field, int.from_bytes(file.read(length), "little")
        elif wanted is None or field in wanted:
            yield field, file.read(length)
        else:
            file.seek(length, io.SEEK_CUR)
            yield field, b""


def read_varint(file: BinaryIO) -> int:
    """A base-128 number, least significant seven bits first."""
    number = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            raise MalformedError("it is cut off")
        number |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return number
    raise MalformedError("it is not a protobuf message")
