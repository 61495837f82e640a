"""A run's checkpoint, from which it goes on exactly; and what else a training may begin with."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sakuga.errors import OptionError, TrainingError
from sakuga.files import write_bytes
from sakuga.models.cartoongan import CartoonGenerator
from sakuga.models.cartoongan_light import LightGenerator
from sakuga.models.local import LocalGenerator
from sakuga.models.readers.source import read_layers
from sakuga.models.readers.torch_file import is_torch_file
from sakuga.models.recognise import CARTOONGAN
from sakuga.styles import find
from sakuga.styles.metadata import is_onnx
from sakuga.styles.tensors import read_tensors
from sakuga.train.config import CHECKPOINT, TrainConfig, config_from, find_checkpoint

FORMAT = 1


Generator = LocalGenerator | CartoonGenerator | LightGenerator
_FIRST = "stem.0.weight"  # of the local generator
_THEIR_FIRST, _OUR_FIRST = "conv01_1.weight", "head.0.weight"  # CartoonGAN's first layer


def build_generator(config: TrainConfig) -> Generator:
    """The generator a config asks for, freshly initialised from torch's global random state."""
    if config.generator == "cartoongan":
        return CartoonGenerator()
    if config.generator == "cartoongan-light":
        return LightGenerator()
    return LocalGenerator(config.width, config.blocks, decides=config.decides, **unlearned(config))


def unlearned(config: TrainConfig) -> dict[str, Any]:
    """What a local generator's weights do not show, by the names of its arguments."""
    names = ("gray", "stroke_colour", "stroke_tone")
    return {name: getattr(config, name) for name in names}


def save_checkpoint(run: Path, state: dict[str, Any]) -> Path:
    """Write `run`/checkpoint.pt, wholly or not at all.

    Args:
        state: step, elapsed_s, hardware, config (as JSON), and the state dicts of all networks
            and optimisers.
    """
    _write(run / CHECKPOINT, state)
    return run / CHECKPOINT


def _write(target: Path, state: dict[str, Any]) -> None:
    """Through memory: writing to a full disk, torch raises riddles of its own."""
    content = io.BytesIO()
    torch.save({"format": FORMAT, **state}, content)
    write_bytes(target, content.getbuffer())


def keep_checkpoint(run: Path, state: dict[str, Any], keep: int, *, best: bool) -> None:
    """Write `run`/checkpoints/STEP.pt, to make styles of, and remove all but the last `keep`.

    Args:
        state: as for `save_checkpoint`, without what only a resumed training needs.
        best: write checkpoints/best.pt too, which is never removed.
    """
    folder = run / "checkpoints"
    for name in (f"{state['step']:07d}", *(["best"] if best else [])):
        _write(folder / f"{name}.pt", state)
    for old in sorted(folder.glob("[0-9]*.pt"))[:-keep]:
        old.unlink()


def load_checkpoint(source: str | Path) -> tuple[TrainConfig, dict[str, Any]]:
    """Read a run's folder or a checkpoint file.

    Raises:
        TrainingError: nothing there, not a checkpoint of this program, or of a later version of it.
    """
    path = find_checkpoint(source)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (
        Exception
    ) as error:  # torch raises many kinds on a foreign file; each means the same here
        raise TrainingError(
            f"{path}: not a checkpoint, or a damaged one; a run keeps older ones in its folder "
            "checkpoints, for --start-from and sakuga export"
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise TrainingError(f"{path}: not a checkpoint of this version of sakuga (format {FORMAT})")
    try:
        if missing := {"config", "ema", "step"} - state.keys():
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        return config_from(json.loads(state["config"])), state
    except (OptionError, TypeError, ValueError) as error:
        raise TrainingError(
            f"{path}: is of another version of sakuga, or damaged ({error})"
        ) from error


def load_weights(network: nn.Module, weights: dict[str, torch.Tensor], source: str | Path) -> None:
    """Fill a network, or say which layer does not fit or is broken. Raises TrainingError."""
    own = network.state_dict()
    if isinstance(network, LocalGenerator):
        weights = dict(in_todays_form(name, value) for name, value in weights.items())
    for name, value in own.items():
        if name not in weights:
            raise TrainingError(
                f"{source}: lacks the layer {name} {tuple(value.shape)}: it is of another "
                "generator, or has fewer blocks than this config"
            )
        if weights[name].shape != value.shape:
            raise TrainingError(
                f"{source}: {name} has shape {tuple(weights[name].shape)}, this config needs "
                f"{tuple(value.shape)}: set width and blocks as they were in that training"
            )
        if not torch.isfinite(weights[name]).all():
            raise TrainingError(
                f"{source}: {name} is not finite: that training broke down; begin from another"
            )
    extra = sorted(set(weights) - set(own))
    if extra:
        raise TrainingError(
            f"{source}: has the layer {extra[0]} {tuple(weights[extra[0]].shape)}, which this "
            "config's generator lacks: set generator and blocks as they were in that training"
        )
    network.load_state_dict(weights)


def in_todays_form(name: str, values: Tensor) -> tuple[str, Tensor]:
    """A layer of the local generator, or an optimiser's moment of it, that earlier versions wrote.

    The first conv was (C, 12, 3, 3) on cells of 2x2 pixels until 2026; (C, 3, 6, 6) with stride 2
    on the pixels is the same, and faster. The choices were decisions, and had a preference where
    now is the side of two tones: it begins undecided. Others are given back as they are.
    """
    if name == _FIRST and values.shape[1:] == (12, 3, 3):
        cells = values.reshape(-1, 3, 2, 2, 3, 3)
        return name, cells.permute(0, 1, 4, 2, 5, 3).reshape(-1, 3, 6, 6)
    if name.startswith("decisions."):
        kept = values if values.ndim == 0 else torch.cat([values[:8], torch.zeros_like(values[8:])])
        return name.replace("decisions", "choices"), kept
    return name, values


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
    lines = (f"{first}: {own}" if own else first, *older)
    return tuple(dict.fromkeys(lines))  # a run that was begun anew from itself says so once


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
