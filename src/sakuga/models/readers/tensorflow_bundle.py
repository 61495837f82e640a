"""TensorFlow checkpoints (version 2, "tensor bundle"), read without TensorFlow.

NAME.index is a table as LevelDB writes it: blocks of sorted keys, found through an index block that
a footer of 48 bytes points to. Its values are the messages BundleHeaderProto (under the empty key)
and BundleEntryProto: type, shape, and where in NAME.data-XXXXX-of-XXXXX the values lie. Every block
and every tensor carries a CRC-32C, and all of them are checked.
https://github.com/google/leveldb/blob/main/doc/table_format.md,
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/protobuf/tensor_bundle.proto
"""

from __future__ import annotations

import functools
import io
import math
import struct
from collections.abc import Iterator
from pathlib import Path

import google_crc32c
import numpy as np

from sakuga.errors import StyleError
from sakuga.models.readers.layers import Layer, Layers, Weights
from sakuga.styles.protobuf import MalformedError, read_fields, read_varint

MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_FOOTER_BYTES = 48
_TRAILER_BYTES = 5  # of a block: compression, CRC-32C
_MAX_INDEX_BYTES = 64_000_000
_MAX_SHARDS = 1000
_FLOAT = 1  # tensorflow.DataType
_MAX_DIMENSIONS = 8

Fields = dict[int, list[int | bytes]]


def is_index(path: Path) -> bool:
    """True for the .index file of a checkpoint, by its last eight bytes."""
    size = path.stat().st_size
    if size < _FOOTER_BYTES:
        return False
    with path.open("rb") as file:
        file.seek(size - len(MAGIC))
        return file.read() == MAGIC


def read_bundle(index: Path) -> Layers:
    """Read the names, shapes and places of all float32 tensors of a checkpoint.

    Args:
        index: its .index file; the data files lie beside it.

    Raises:
        StyleError: damaged, incomplete, big-endian or compressed.
    """
    if index.stat().st_size > _MAX_INDEX_BYTES:
        raise StyleError(f"{index}: is larger than the index of any checkpoint; it is not one")
    try:
        entries = dict(_table(index.read_bytes()))
        header = _message(entries.pop(b"", b""))
        shard_count = _whole(header, 1)
        if _whole(header, 2):
            raise MalformedError("its values are big-endian, which no published weights are")
        if not 1 <= shard_count <= _MAX_SHARDS:
            raise MalformedError(f"it names {shard_count} data files, more than any weights have")
        shards = [
            index.with_name(f"{index.stem}.data-{shard:05}-of-{shard_count:05}")
            for shard in range(shard_count)
        ]
        layers = {}
        for key, value in entries.items():
            layer = _layer(key.decode(), _message(value), shards)
            if layer is not None:
                layers[key.decode()] = layer
    except (MalformedError, UnicodeDecodeError) as error:
        raise StyleError(
            f"{index}: cannot be read as a TensorFlow checkpoint ({error}); get it again"
        ) from error
    return Layers(str(index), layers)


def _layer(name: str, entry: Fields, shards: list[Path]) -> Layer | None:
    """A tensor of float32, found but not read; None for any other type."""
    if _whole(entry, 1) != _FLOAT:
        return None
    if 7 in entry:
        raise MalformedError(f"the tensor {name} is cut into slices, which is not supported")
    dimensions = _message(_content(entry.get(2, [b""])[-1])).get(2, [])
    shape = tuple(_whole(_message(_content(dimension)), 1) for dimension in dimensions)
    if len(shape) > _MAX_DIMENSIONS:
        raise MalformedError(f"the tensor {name} has {len(shape)} dimensions")
    shard, offset, size = _whole(entry, 3), _whole(entry, 4), _whole(entry, 5)
    if size != 4 * math.prod(shape):
        raise MalformedError(f"the tensor {name} {shape} has {size} bytes")
    if shard >= len(shards):
        raise MalformedError(f"the tensor {name} lies in a data file that is not counted")
    if not shards[shard].is_file():
        raise StyleError(
            f"{shards[shard]}: is missing; a checkpoint is its .index and all its .data files"
        )
    if offset + size > shards[shard].stat().st_size:
        raise MalformedError(f"the tensor {name} lies past the end of {shards[shard].name}")
    read = functools.partial(_read, shards[shard], name, offset, shape, _whole(entry, 6))
    return Layer(shape, read)


def _read(path: Path, name: str, offset: int, shape: tuple[int, ...], checksum: int) -> Weights:
    size = 4 * math.prod(shape)
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read(size)
    if len(content) != size or _checksum(content) != checksum:
        raise StyleError(f"{path}: the tensor {name} is damaged (checksum); get the file again")
    return np.frombuffer(content, "<f4").astype(np.float32).reshape(shape)


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a LevelDB table, in order."""
    footer = content[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or footer[-len(MAGIC) :] != MAGIC:
        raise MalformedError("it does not end as a table does")
    file = io.BytesIO(footer)
    handles = [read_varint(file) for _ in range(4)]
    if any(footer[file.tell() : -len(MAGIC)]):
        raise MalformedError("its footer is not clean")
    for _ in _block(content, handles[0], handles[1]):
        pass  # the meta index: nothing in it is needed, but it must be whole
    for _, handle in _block(content, handles[2], handles[3]):
        file = io.BytesIO(handle)
        yield from _block(content, read_varint(file), read_varint(file))


def _block(content: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of one block; a key is stored as what differs from the one before."""
    end = offset + size
    if end + _TRAILER_BYTES > len(content) - _FOOTER_BYTES or size < 4:
        raise MalformedError("a block lies outside the file")
    if struct.unpack_from("<I", content, end + 1)[0] != _checksum(content[offset : end + 1]):
        raise MalformedError("a block's checksum is wrong")
    if content[end] != 0:
        raise MalformedError("its blocks are compressed, which TensorFlow does not do")
    (restarts,) = struct.unpack_from("<I", content, end - 4)
    stop = size - 4 * (restarts + 1)
    block, key = io.BytesIO(content[offset:end]), b""
    while block.tell() < stop:
        shared, fresh, length = (read_varint(block) for _ in range(3))
        if shared > len(key) or block.tell() + fresh + length > stop:
            raise MalformedError("an entry of a block is longer than the block")
        key = key[:shared] + block.read(fresh)
        yield key, block.read(length)


def _checksum(content: bytes) -> int:
    """A CRC-32C in the form in which LevelDB and TensorFlow store it."""
    crc = google_crc32c.value(content)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _message(content: bytes) -> Fields:
    fields: Fields = {}
    for number, value in read_fields(io.BytesIO(content), len(content)):
        fields.setdefault(number, []).append(value)
    return fields


def _whole(fields: Fields, number: int) -> int:
    """A number field, 0 if it is not there."""
    value = fields.get(number, [0])[-1]
    if not isinstance(value, int):
        raise MalformedError(f"field {number} of a message is not a number")
    return value


def _content(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise MalformedError("a message stands where a number was found")
    return value
