"""What a source of weights is, by its content: the names of files and folders decide nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sakuga.convert import animegan, cartoongan, cartoongan_light, whitebox
from sakuga.convert.layers import Layers
from sakuga.convert.network import Network
from sakuga.convert.read_npy import read_npy_folder
from sakuga.convert.read_tf import is_index, read_bundle
from sakuga.convert.read_torch import is_torch_file, read_torch_file
from sakuga.errors import StyleError
from sakuga.styles.metadata import NotOnnxError, read_metadata

KNOWN = (
    "CartoonGAN (.pth, folder of .npy), CartoonGAN light and White-box Cartoonization (TensorFlow "
    "checkpoints), AnimeGANv2 (.pt), AnimeGANv3 and other networks as .onnx"
)


def is_onnx(source: Path) -> bool:
    """True for a file that holds an onnx graph."""
    if not source.is_file():
        return False
    try:
        read_metadata(source)
    except NotOnnxError:
        return False
    return True


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
    raise StyleError(f"{source}: is no file of weights known here; known are {KNOWN}")


def build_network(layers: Layers) -> Network:
    """Write the graph of the network whose layers these are.

    Raises:
        StyleError: of no network known here, or a layer is missing, unknown or of a wrong shape.
    """
    for build, belongs in _NETWORKS:
        if belongs(layers):
            return build(layers)
    names = ", ".join(sorted(layers.layers)[:4]) or "none"
    raise StyleError(
        f"{layers.source}: its layers ({names}, ...) are of no network known; known are {KNOWN}"
    )


# A network is known by any of its layers, so that one that lacks some is told which.
_NETWORKS: tuple[tuple[Callable[[Layers], Network], Callable[[Layers], bool]], ...] = (
    (cartoongan.build, lambda layers: _shares(layers, cartoongan.expected_layers())),
    (animegan.build, lambda layers: _shares(layers, animegan.expected_layers())),
    (whitebox.build, lambda layers: _shares(layers, whitebox.expected_layers())),
    (
        cartoongan_light.build,
        lambda layers: _shares(
            cartoongan_light.shorten(layers), cartoongan_light.expected_layers()
        ),
    ),
)


def _shares(layers: Layers, expected: dict[str, tuple[int, ...]]) -> bool:
    return bool(layers.layers.keys() & expected.keys())
