"""Read the metadata of an ONNX file without loading the graph, nor onnx, nor onnxruntime.

An ONNX file is one protobuf message, `ModelProto`; its metadata is the repeated field 14, each
entry a message with a key (field 1) and a value (field 2). The weights are skipped unread.
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import io
from pathlib import Path

from sakuga.styles.protobuf import MalformedError, read_fields

_GRAPH_FIELD = 7
_METADATA_FIELD = 14


def read_metadata(path: Path) -> dict[str, str]:
    """Read the metadata of an ONNX file.

    Raises:
        MalformedError: the file is not a whole protobuf message with a graph inside.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    metadata = {}
    has_graph = False
    with path.open("rb") as file:
        for field, content in read_fields(file, size, {_METADATA_FIELD}):
            has_graph |= field == _GRAPH_FIELD
            if field == _METADATA_FIELD:
                key, value = _entry(content)
                metadata[key] = value
    if not has_graph:
        raise MalformedError("it holds no graph")
    return metadata


def _entry(content: int | bytes) -> tuple[str, str]:
    """Key and value of an entry of the metadata."""
    if isinstance(content, bytes):
        entry = dict(read_fields(io.BytesIO(content), len(content)))
        key, value = entry.get(1, b""), entry.get(2, b"")
        if isinstance(key, bytes) and isinstance(value, bytes):
            try:
                return key.decode(), value.decode()
            except UnicodeDecodeError as error:
                raise MalformedError("its metadata is not text") from error
    raise MalformedError("its metadata is not text")


def is_onnx(path: Path) -> bool:
    """True for a file that holds an ONNX graph."""
    if not path.is_file():
        return False
    try:
        read_metadata(path)
    except MalformedError:
        return False
    return True
