"""Where a fine-tuning begins: a training, a style, or the published weights of CartoonGAN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sakuga.convert import cartoongan
from sakuga.convert.read_torch import is_torch_file
from sakuga.convert.recognise import is_onnx, read_layers
from sakuga.convert.tensors import read_tensors
from sakuga.errors import TrainingError
from sakuga.styles import find
from sakuga.train.checkpoint import load_checkpoint
from sakuga.train.config import CHECKPOINT, TrainConfig

_MARKER = "conv01_1.weight"  # a layer that no network of ours has


def starting_weights(source: str | Path, config: TrainConfig) -> dict[str, Tensor]:
    """The weights a generator begins with, by the names of its own layers.

    Args:
        source: a run's folder or checkpoint; a style's name or file; or, for a config whose
            generator is "cartoongan", a CartoonGAN as .pth, folder of .npy or imported style.

    Raises:
        TrainingError: no checkpoint, or a published network that the config's generator is not.
        StyleError: no such style, one in int8, or published weights that are damaged or of another
            network.
    """
    path = Path(source)
    if _is_style(path):
        tensors = read_tensors(find(path if path.exists() else source))
        if _MARKER not in tensors:
            return {name: torch.from_numpy(values) for name, values in tensors.items()}
    elif _is_published(path):
        tensors = cartoongan.read_weights(read_layers(path))
    else:
        _, origin = load_checkpoint(path)
        weights: dict[str, Tensor] = origin["ema"]
        return weights
    return _in_our_names(tensors, source, config)


def _in_our_names(
    published: dict[str, NDArray[np.float32]], source: str | Path, config: TrainConfig
) -> dict[str, Tensor]:
    """Published weights by the names of `CartoonGenerator`, if that is what the config asks for."""
    if config.generator != "cartoongan":
        raise TrainingError(
            f"{source}: holds published CartoonGAN weights, the config's generator is "
            f'{config.generator}; set generator = "cartoongan"'
        )
    return {ours: torch.from_numpy(published[theirs].copy()) for theirs, ours in published_names()}


def published_names() -> list[tuple[str, str]]:
    """The name of each layer in the published files, and in `CartoonGenerator`."""
    parts = [("conv01_1", "head.0"), ("in01_1", "head.1"), ("deconv03_1", "tail")]
    for stage, number in enumerate(("02", "03")):
        parts += [(f"conv{number}_{half}", f"down.{stage}.{half - 1}") for half in (1, 2)]
        parts.append((f"in{number}_1", f"down.{stage}.2"))
    for place, block in enumerate(cartoongan.BLOCKS):
        for half, body in ((1, 0), (2, 2)):
            parts.append((f"conv{block:02}_{half}", f"blocks.{place}.body.{body}.0"))
            parts.append((f"in{block:02}_{half}", f"blocks.{place}.body.{body}.1"))
    for stage, (number, norm) in enumerate((("01", "12"), ("02", "13"))):
        parts += [(f"deconv{number}_{half}", f"up.{stage}.{half - 1}") for half in (1, 2)]
        parts.append((f"in{norm}_1", f"up.{stage}.2"))
    names = []
    for theirs, ours in parts:
        kinds = ("scale", "shift") if theirs.startswith("in") else ("weight", "bias")
        names.append((f"{theirs}.{kinds[0]}", f"{ours}.weight"))
        names.append((f"{theirs}.{kinds[1]}", f"{ours}.bias"))
    return names


def _is_style(source: Path) -> bool:
    """True for a style file, and for a word that is no file: a style's name."""
    if source.exists():
        return is_onnx(source)
    return source.suffix == ".onnx" or len(source.parts) == 1


def _is_published(source: Path) -> bool:
    """True for what is no checkpoint of ours, but may be somebody's weights."""
    if source.is_dir():
        return not (source / CHECKPOINT).exists() and any(source.glob("*.npy"))
    if not source.is_file() or not is_torch_file(source):
        return False
    return _MARKER.encode() in source.read_bytes()  # names stand in a torch file as they are
