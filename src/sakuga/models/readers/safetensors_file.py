"""A safetensors file, and the preprocessing of pictures that a network's file states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sakuga.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Preprocessing:
    """How a network wants its pixels: (pixels / 255 * scale - mean) / std, RGB."""

    scale: float  # value of white, 1 or 255
    mean: tuple[float, ...]  # three
    std: tuple[float, ...]  # three
    size_pixels: int = 0  # side of the squares that it takes; 0: pictures of any size

    def __call__(self, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (B, S, S, 3) to float32 (B, 3, S, S) as the network takes it."""
        values = squares.astype(np.float32) / 255 * self.scale
        normal = (values - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(normal.transpose(0, 3, 1, 2), np.float32)


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors, as float32, of a safetensors file. Raises DataError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            weights = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
            return file.metadata() or {}, weights
    except SafetensorError as error:
        raise DataError(f"Network {path}: not a whole safetensors file ({error}).") from error


def preprocessing_of(
    metadata: Mapping[str, str], path: Path, *, sized: bool = True
) -> Preprocessing:
    """Read the preprocessing that a file's metadata states.

    Args:
        sized: the network takes squares of one size, stated too.

    Raises:
        DataError: a key is missing or is not the numbers it should be.
    """
    needed = ("size", "scale", "mean", "std") if sized else ("scale", "mean", "std")
    if missing := [key for key in needed if key not in metadata]:
        size = "size='224', " if sized else ""
        raise DataError(
            f"Network {path}: its metadata does not state its preprocessing "
            f"({', '.join(missing)} missing), and results under a guess mean nothing: write them "
            f"into the file, for example {size}scale='255', mean='123.68,116.779,103.939', "
            "std='1,1,1'."
        )
    try:
        mean, std = (tuple(map(float, metadata[key].split(","))) for key in ("mean", "std"))
        scale = float(metadata["scale"].split()[0])  # a remark may follow the number
        size_pixels = int(metadata["size"]) if sized else 0
        sound = len(mean) == len(std) == 3 and scale > 0 and min(std) > 0 and size_pixels >= sized
    except (ValueError, IndexError):
        sound = False
    if not sound:
        stated = ", ".join(f"{key}={metadata[key]!r}" for key in needed)
        raise DataError(
            f"Network {path}: its preprocessing ({stated}) makes no sense: mean and std are three "
            "numbers, separated by commas, the others one; all but the mean above 0."
        )
    return Preprocessing(scale, mean, std, size_pixels)
