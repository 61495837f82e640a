"""Where a fine-tuning begins: a training, a style, or the published weights of CartoonGAN."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from sakuga.errors import TrainingError
from sakuga.models.readers.source import read_layers
from sakuga.models.readers.torch_file import is_torch_file
from sakuga.models.recognise import CARTOONGAN
from sakuga.styles import find
from sakuga.styles.metadata import is_onnx
from sakuga.styles.tensors import read_tensors
from sakuga.train.checkpoint import load_checkpoint
from sakuga.train.config import CHECKPOINT, TrainConfig

_THEIR_FIRST, _OUR_FIRST = "conv01_1.weight", "head.0.weight"  # CartoonGAN's first layer


def starting_weights(source: str | Path, config: TrainConfig) -> dict[str, Tensor]:
    """The weights a generator begins with, by the names of its own layers.

    Args:
        source: a run's folder or checkpoint; a style's name or file; or, for a config whose
            generator is "cartoongan", a CartoonGAN as .pth or folder of .npy. What `import-weights`
            made of others' weights is a style.

    Raises:
        TrainingError: no checkpoint, or a published network that the config's generator is not.
        StyleError: no such style, one in int8, or published weights that are damaged or of another
            network.
    """
    path = Path(source)
    if _is_style(path):
        tensors = read_tensors(find(path if path.exists() else source))
        weights = {name: torch.from_numpy(values) for name, values in tensors.items()}
        if _THEIR_FIRST in weights:  # imported by an earlier version
            names = CARTOONGAN.names()
            weights = {
                names[theirs][0]: value for theirs, value in weights.items() if theirs in names
            }
    elif _is_published(path):
        weights = CARTOONGAN.read(read_layers(path))
    else:
        _, origin = load_checkpoint(path)
        weights = origin["ema"]
    if _OUR_FIRST in weights and config.generator != "cartoongan":
        raise TrainingError(
            f"{source}: holds CartoonGAN weights, the config's generator is {config.generator}; "
            'set generator = "cartoongan"'
        )
    return weights


STARTED = "Started from "  # how a credit begins that a start has brought


def starting_credits(source: str | Path) -> tuple[str, ...]:
    """Lines that a style owes to what it started from, first of all that it did.

    Args:
        source: as `starting_weights` takes it.

    Raises:
        TrainingError, StyleError: as `starting_weights`.
    """
    path = Path(source)
    if _is_style(path):
        spec = find(path if path.exists() else source).spec
        return _credits(spec.name, spec.version, spec.licence, spec.attribution)
    if _is_published(path):
        return (f"{STARTED}the published weights {path.name} (CartoonGAN: Chen, Lai, Liu 2018)",)
    config, state = load_checkpoint(path)
    attribution = (*config.attribution, *state.get("credits", ()))
    return _credits(config.name, config.version, config.licence, attribution)


def _credits(
    name: str, version: str, licence: str, attribution: tuple[str, ...]
) -> tuple[str, ...]:
    own = "; ".join(line for line in attribution if not line.startswith(STARTED))
    first = f"{STARTED}{name} {version} ({licence or 'no licence stated'})"
    older = (line for line in attribution if line.startswith(STARTED))
    return (f"{first}: {own}" if own else first, *older)


def _is_style(source: Path) -> bool:
    """True for a style file, and for a word that is no file: a style's name."""
    if source.exists():
        return is_onnx(source)
    return source.suffix == ".onnx" or len(source.parts) == 1


def _is_published(source: Path) -> bool:
    """True for a file or folder that may hold published weights, not a checkpoint of ours."""
    if source.is_dir():
        return not (source / CHECKPOINT).exists() and any(source.glob("*.npy"))
    if not source.is_file() or not is_torch_file(source):
        return False
    return _THEIR_FIRST.encode() in source.read_bytes()  # names stand in a torch file as they are
