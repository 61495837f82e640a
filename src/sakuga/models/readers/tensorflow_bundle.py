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
import itertools
import math
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sakuga.errors import StyleError
from sakuga.models.readers.crc32c import crc32c, masked
from sakuga.models.readers.layers import Layer, Layers, Weights

MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_FOOTER_BYTES = 48
_TRAILER_BYTES = 5  # of a block: compression, CRC-32C
_MAX_INDEX_BYTES = 64_000_000
_MAX_SHARDS = 1000
_FLOAT = 1  # tensorflow.DataType
_MAX_DIMENSIONS = 8

Fields = dict[int, list[int | bytes]]


class _DamagedError(ValueError):
    """The bytes break the format; the message says how."""


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
            raise _DamagedError("its values are big-endian, which no published weights are")
        if not 1 <= shard_count <= _MAX_SHARDS:
            raise _DamagedError(f"it names {shard_count} data files, which no published weights do")
        shards = [
            index.with_name(f"{index.stem}.data-{shard:05}-of-{shard_count:05}")
            for shard in range(shard_count)
        ]
        layers = {}
        for key, value in entries.items():
            layer = _layer(key.decode(), _message(value), shards)
            if layer is not None:
                layers[key.decode()] = layer
    except (_DamagedError, UnicodeDecodeError) as error:
        raise StyleError(
            f"{index}: cannot be read as a TensorFlow checkpoint ({error}); get it again"
        ) from error
    return Layers(str(index), layers)


def _layer(name: str, entry: Fields, shards: list[Path]) -> Layer | None:
    """A tensor of float32, found but not read; None for any other type."""
    if _whole(entry, 1) != _FLOAT:
        return None
    if 7 in entry:
        raise _DamagedError(f"the tensor {name} is cut into slices, which is not supported")
    dimensions = [_message(_content(item)) for item in _message(_last(entry, 2)).get(2, [])]
    shape = tuple(_whole(dimension, 1) for dimension in dimensions)
    if len(shape) > _MAX_DIMENSIONS:
        raise _DamagedError(f"the tensor {name} has {len(shape)} dimensions")
    shard, offset, size = _whole(entry, 3), _whole(entry, 4), _whole(entry, 5)
    if size != 4 * math.prod(shape):
        raise _DamagedError(f"the tensor {name} {shape} has {size} bytes")
    if shard >= len(shards):
        raise _DamagedError(f"the tensor {name} lies in a data file that is not counted")
    if not shards[shard].is_file():
        raise StyleError(
            f"{shards[shard]}: is missing; a checkpoint is its .index and all its .data files"
        )
    if offset + size > shards[shard].stat().st_size:
        raise _DamagedError(f"the tensor {name} lies past the end of {shards[shard].name}")
    read = functools.partial(_read, shards[shard], name, offset, shape, _whole(entry, 6))
    return Layer(shape, read)


def _read(path: Path, name: str, offset: int, shape: tuple[int, ...], checksum: int) -> Weights:
    size = 4 * math.prod(shape)
    with path.open("rb") as file:
        file.seek(offset)
        content = file.read(size)
    if len(content) != size or masked(crc32c(content)) != checksum:
        raise StyleError(f"{path}: the tensor {name} is damaged (checksum); get the file again")
    return np.frombuffer(content, "<f4").astype(np.float32).reshape(shape)


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of a LevelDB table, in order."""
    footer = content[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or footer[-len(MAGIC) :] != MAGIC:
        raise _DamagedError("it does not end as a table does")
    position = 0
    handles = []
    for _ in range(4):
        value, position = _varint(footer, position)
        handles.append(value)
    if any(footer[position : -len(MAGIC)]):
        raise _DamagedError("its footer is not clean")
    for _ in _block(content, handles[0], handles[1]):
        pass  # the meta index: nothing in it is needed, but it must be whole
    for _, handle in _block(content, handles[2], handles[3]):
        offset, position = _varint(handle, 0)
        size, _ = _varint(handle, position)
        yield from _block(content, offset, size)


def _block(content: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of one block; a key is stored as what differs from the one before."""
    end = offset + size
    if end + _TRAILER_BYTES > len(content) - _FOOTER_BYTES or size < 4:
        raise _DamagedError("a block lies outside the file")
    if struct.unpack_from("<I", content, end + 1)[0] != masked(crc32c(content[offset : end + 1])):
        raise _DamagedError("a block's checksum is wrong")
    if content[end] != 0:
        raise _DamagedError("its blocks are compressed, which TensorFlow does not do")
    block = content[offset:end]
    (restarts,) = struct.unpack_from("<I", block, size - 4)
    stop = size - 4 * (restarts + 1)
    position, key = 0, b""
    while position < stop:
        shared, position = _varint(block, position)
        fresh, position = _varint(block, position)
        length, position = _varint(block, position)
        if shared > len(key) or position + fresh + length > stop:
            raise _DamagedError("an entry of a block is longer than the block")
        key = key[:shared] + block[position : position + fresh]
        position += fresh
        yield key, block[position : position + length]
        position += length


def _message(content: bytes) -> Fields:
    """The fields of a protobuf message: numbers for varint and fixed, bytes for the rest."""
    fields: Fields = {}
    position = 0
    while position < len(content):
        key, position = _varint(content, position)
        value: int | bytes
        match key & 7:
            case 0:
                value, position = _varint(content, position)
            case 1 | 5 as wire:
                width = 8 if wire == 1 else 4
                value = int.from_bytes(content[position : position + width], "little")
                position += width
            case 2:
                length, position = _varint(content, position)
                value = content[position : position + length]
                position += length
            case wire:
                raise _DamagedError(f"a message has a field of the wire type {wire}")
        if position > len(content):
            raise _DamagedError("a message is cut off")
        fields.setdefault(key >> 3, []).append(value)
    return fields


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """A number, and the position after it."""
    value = 0
    for shift in itertools.count(0, 7):
        if position >= len(content) or shift > 63:
            raise _DamagedError("a number is cut off")
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise AssertionError


def _whole(fields: Fields, number: int) -> int:
    """A number field, 0 if it is not there."""
    value = fields.get(number, [0])[-1]
    if not isinstance(value, int):
        raise _DamagedError(f"field {number} of a message is not a number")
    return value


def _last(fields: Fields, number: int) -> bytes:
    return _content(fields.get(number, [b""])[-1])


def _content(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise _DamagedError("a message stands where a number was found")
    return value
