"""A folder of .npy files, a layer each: "conv01_1.weight.npy". No pickles are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sakuga.errors import StyleError, one_line
from sakuga.models.readers.layers import Layer, Layers

_MAX_FILES = 10_000


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
    try:
        values = np.load(path, mmap_mode="r")
        if values.offset + values.nbytes != path.stat().st_size:
            raise ValueError("it goes on after its values")
    except Exception as error:  # a damaged header raises many kinds, SyntaxError among them
        reason = one_line(error)[:200] or error.__class__.__name__
        raise StyleError(
            f"{path}: is not a whole .npy file of numbers ({reason}); get it again"
        ) from error
    if values.dtype.kind != "f":
        raise StyleError(f"{path}: holds values of the type {values.dtype}, must be real numbers")
    return Layer(values.shape, lambda: np.ascontiguousarray(np.load(path), np.float32))
