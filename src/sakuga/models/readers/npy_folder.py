"""A folder of .npy files, a layer each: "conv01_1.weight.npy". No pickles are read."""

from __future__ import annotations

import functools
import io
import math
from pathlib import Path

import numpy as np

from sakuga.errors import StyleError, one_line
from sakuga.models.readers.layers import Layer, Layers, Weights

_TYPES = ("<f2", "<f4", "<f8")
_MAX_FILES = 10_000
_MAX_HEADER_BYTES = 10_000


def read_npy_folder(folder: Path) -> Layers:
    """Read the headers of all .npy files of a folder; the values are read when they are taken.

    Raises:
        StyleError: a file is not .npy, holds other than real numbers, or is shorter than it says.
    """
    paths = sorted(folder.glob("*.npy"))
    if len(paths) > _MAX_FILES:
        raise StyleError(f"{folder}: holds {len(paths)} .npy files; no generator has so many")
    return Layers(str(folder), {path.stem: _layer(path) for path in paths})


def _layer(path: Path) -> Layer:
    with path.open("rb") as file:
        start = file.read(_MAX_HEADER_BYTES)
    header = io.BytesIO(start)
    try:
        version = np.lib.format.read_magic(header)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran_order, dtype = read(header, max_header_size=_MAX_HEADER_BYTES)
    except Exception as error:  # a damaged header raises many kinds, SyntaxError among them
        reason = one_line(error)[:200] or error.__class__.__name__
        raise StyleError(f"{path}: is not a .npy file ({reason}); get it again") from error
    if dtype.str not in _TYPES:
        raise StyleError(f"{path}: holds values of the type {dtype}, must be real numbers")
    expected = header.tell() + dtype.itemsize * math.prod(shape)
    if any(extent < 0 for extent in shape) or path.stat().st_size != expected:
        raise StyleError(
            f"{path}: has {path.stat().st_size} bytes, its header {shape} announces {expected}; "
            "get it again"
        )
    read_values = functools.partial(
        _values, path, header.tell(), shape, dtype.str, "F" if fortran_order else "C"
    )
    return Layer(shape, read_values)


def _values(path: Path, start: int, shape: tuple[int, ...], kind: str, order: str) -> Weights:
    values = np.frombuffer(path.read_bytes()[start:], kind).reshape(shape, order=order)  # type: ignore[call-overload]
    return np.ascontiguousarray(values, np.float32)
