"""What a source of weights is, by its content: the names of files and folders decide nothing."""

from __future__ import annotations

from pathlib import Path

from sakuga.errors import StyleError
from sakuga.models.readers.layers import Layers
from sakuga.models.readers.npy_folder import read_npy_folder
from sakuga.models.readers.tensorflow_bundle import is_index, read_bundle
from sakuga.models.readers.torch_file import is_torch_file, read_torch_file

KNOWN = (
    "CartoonGAN (.pth, folder of .npy), Andersson and Arvidsson's (.pth), CartoonGAN light and "
    "White-box Cartoonization (TensorFlow checkpoints), AnimeGANv2 (.pt), AnimeGANv3 and other "
    "networks as .onnx"
)


def read_layers(source: Path) -> Layers:
    """Find the weights in a file or folder and read their names and shapes.

    Args:
        source: a PyTorch file; a folder of .npy files; a TensorFlow checkpoint by its folder, its
            .index file, a .data file or the name they share.

    Raises:
        StyleError: nothing there, nothing known, or damaged.
    """
    try:
        return _read_layers(source)
    except OSError as error:
        raise StyleError(f"{source}: cannot be read ({error.strerror})") from error


def _read_layers(source: Path) -> Layers:
    if source.is_dir():
        if any(source.glob("*.npy")):
            return read_npy_folder(source)
        indices = [path for path in sorted(source.rglob("*.index")) if is_index(path)]
        if len(indices) > 1:
            names = ", ".join(path.name for path in indices[:4])
            raise StyleError(f"{source}: holds several checkpoints ({names}); name one of them")
        if indices:
            return read_bundle(indices[0])
        raise StyleError(f"{source}: holds neither .npy files nor a checkpoint; known are {KNOWN}")
    index = source.with_name(f"{source.name.split('.data-')[0]}.index")
    if source.is_file():
        if is_torch_file(source):
            return read_torch_file(source)
        if is_index(source):
            return read_bundle(source)
    if index != source and index.is_file() and is_index(index):
        return read_bundle(index)
    if not source.exists():
        raise StyleError(f"{source}: is not there; check the spelling")
    raise StyleError(f"{source}: is not a file of weights that is known here; known are {KNOWN}")
