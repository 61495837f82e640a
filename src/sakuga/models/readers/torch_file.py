"""PyTorch files (.pth, .pt) of weights alone, zip or older; nothing in them is ever executed.

`torch.load(weights_only=True)` does the reading. Before it, a zip is checked for whole,
uncompressed parts, and the pickle is looked through, not run, for numbers larger than the
file: torch would allocate a tensor of such a size before it finds that its values are not there.
"""

from __future__ import annotations

import functools
import io
import pickletools
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from sakuga.errors import StyleError, one_line
from sakuga.models.readers.layers import Layer, Layers, Weights

if TYPE_CHECKING:
    import torch

MAX_BYTES = 1_000_000_000
_ZIP_START = b"PK\x03\x04"
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # the first value of a file of torch before 1.6
_LEGACY_PICKLES = 5  # magic, protocol, byte order, the object, names of its storages
_LEGACY_START = b"\x80\x02\x8a\x0a" + _LEGACY_MAGIC.to_bytes(10, "little")


class _DamagedError(ValueError):
    """The file cannot be what it begins like; the message says how."""


def is_torch_file(path: Path) -> bool:
    """True for what begins like a file written by `torch.save`."""
    with path.open("rb") as file:
        start = file.read(len(_LEGACY_START))
    return start.startswith((_ZIP_START, _LEGACY_START))


def read_torch_file(path: Path) -> Layers:
    """Read the tensors of a state dict.

    Raises:
        StyleError: damaged, too large, or anything but a dict of tensors of real numbers.
    """
    import torch

    if path.stat().st_size > MAX_BYTES:
        raise StyleError(f"{path}: is larger than {MAX_BYTES / 1e9:g} GB; no generator is")
    content = path.read_bytes()
    try:
        _look_through(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old files make torch warn of its own old classes
            state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds on a damaged file; each means the same
        reason = one_line(error)[:200] or error.__class__.__name__
        raise StyleError(
            f"{path}: cannot be read as a PyTorch file of weights ({reason}); get it again, and "
            "save the state dict alone"
        ) from error
    if not isinstance(state, dict) or not state:
        raise StyleError(f"{path}: holds a {type(state).__name__}, not a state dict")
    layers = {}
    for name, value in state.items():
        if str(name).endswith(".num_batches_tracked"):
            continue  # batch norm's count of its training; nothing is painted with it
        is_real = isinstance(value, torch.Tensor) and value.is_floating_point()
        if not isinstance(name, str) or not is_real:
            raise StyleError(
                f"{path}: holds {type(value).__name__} under {str(name)[:60]!r}, where a state "
                "dict has tensors of real numbers; save the generator's state dict alone"
            )
        layers[name] = Layer(tuple(value.shape), functools.partial(_values, value))
    return Layers(str(path), layers)


def _values(tensor: torch.Tensor) -> Weights:
    values: Weights = tensor.detach().float().contiguous().numpy()
    return values


def _look_through(content: bytes) -> None:
    """Refuse what would cost memory or time before torch finds that it is damaged."""
    if content.startswith(_ZIP_START):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise _DamagedError("its parts are compressed, which torch does not do")
            if sum(entry.file_size for entry in entries) > len(content):
                raise _DamagedError("its parts are larger than the file")
            damaged = archive.testzip()
            if damaged is not None:
                raise _DamagedError(f"its part {damaged} is damaged")
            for entry in entries:
                if entry.filename.endswith("data.pkl"):
                    _check_numbers(io.BytesIO(archive.read(entry)), len(content))
        return
    stream = io.BytesIO(content)
    for _ in range(_LEGACY_PICKLES):
        _check_numbers(stream, len(content))


def _check_numbers(stream: io.BytesIO, limit: int) -> None:
    """Walk over one pickle, without running it, to its end."""
    for _, argument, _ in pickletools.genops(stream):
        if isinstance(argument, int) and argument > limit and argument != _LEGACY_MAGIC:
            raise _DamagedError(f"it announces {argument} values, more than the file has bytes")
