"""Read the metadata of an ONNX file without loading the graph, nor onnx, nor onnxruntime.

An ONNX file is one protobuf message, `ModelProto`; its metadata is the repeated field 14, each
entry a message with a key (field 1) and a value (field 2). Other fields, the weights too, are
skipped unread.
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_GRAPH_FIELD = 7
_METADATA_FIELD = 14
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types


class NotOnnxError(ValueError):
    """The bytes are not an ONNX model."""


def read_metadata(path: Path) -> dict[str, str]:
    """Read the metadata of an ONNX file.

    Raises:
        NotOnnxError: the file is not a whole protobuf message with a graph inside.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    metadata = {}
    has_graph = False
    with path.open("rb") as file:
        for field, content in _fields(file, size, {_METADATA_FIELD}):
            has_graph |= field == _GRAPH_FIELD
            if field == _METADATA_FIELD:
                entry = dict(_fields(io.BytesIO(content), len(content), {1, 2}))
                try:
                    metadata[entry.get(1, b"").decode()] = entry.get(2, b"").decode()
                except UnicodeDecodeError as error:
                    raise NotOnnxError("its metadata is not text") from error
    if not has_graph:
        raise NotOnnxError("it holds no graph")
    return metadata


def is_onnx(path: Path) -> bool:
    """True for a file that holds an ONNX graph."""
    if not path.is_file():
        return False
    try:
        read_metadata(path)
    except NotOnnxError:
        return False
    return True


def _fields(file: BinaryIO, size: int, wanted: set[int]) -> Iterator[tuple[int, bytes]]:
    """The fields of a message of `size` bytes; the content only of the wanted ones, else b""."""
    while file.tell() < size:
        key = _read_varint(file)
        field, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            _read_varint(file)
            yield field, b""
            continue
        lengths = {_FIXED64: 8, _FIXED32: 4}
        if wire_type != _BYTES and wire_type not in lengths:
            raise NotOnnxError("it is not a protobuf message")
        length = _read_varint(file) if wire_type == _BYTES else lengths[wire_type]
        if field == 0 or file.tell() + length > size:
            raise NotOnnxError("it is not a protobuf message, or is cut off")
        if field in wanted:
            yield field, file.read(length)
        else:
            file.seek(length, io.SEEK_CUR)
            yield field, b""


def _read_varint(file: BinaryIO) -> int:
    """A base-128 number, least significant seven bits first."""
    number = 0
    for shift in range(0, 64, 7):
        byte = file.read(1)
        if not byte:
            raise NotOnnxError("it is cut off")
        number |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return number
    raise NotOnnxError("it is not a protobuf message")
