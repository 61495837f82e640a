"""A run's folder: config, log, sheets, and one checkpoint from which it goes on exactly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sakuga.errors import TrainingError
from sakuga.files import replacing
from sakuga.models.cartoongan import CartoonGenerator
from sakuga.models.cartoongan_light import LightGenerator
from sakuga.models.local import LocalGenerator
from sakuga.train.config import CHECKPOINT, TrainConfig, config_from, find_checkpoint

FORMAT = 1


Generator = LocalGenerator | CartoonGenerator | LightGenerator


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
    target = run / CHECKPOINT
    with replacing(target) as temporary:
        torch.save({"format": FORMAT, **state}, temporary)
    return target


def keep_checkpoint(run: Path, state: dict[str, Any], keep: int, *, best: bool) -> None:
    """Write `run`/checkpoints/STEP.pt, to make styles of, and remove all but the last `keep`.

    Args:
        state: as for `save_checkpoint`, without what only a resumed training needs.
        best: write checkpoints/best.pt too, which is never removed.
    """
    folder = run / "checkpoints"
    for name in (f"{state['step']:07d}", *(["best"] if best else [])):
        with replacing(folder / f"{name}.pt") as temporary:
            torch.save({"format": FORMAT, **state}, temporary)
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
            f"{path}: not a checkpoint ({error.__class__.__name__}: {error})"
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise TrainingError(f"{path}: not a checkpoint of this version of sakuga (format {FORMAT})")
    return config_from(json.loads(state["config"])), state


def load_weights(network: nn.Module, weights: dict[str, torch.Tensor], source: str | Path) -> None:
    """Fill a network, or say which layer does not fit or is broken. Raises TrainingError."""
    own = network.state_dict()
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
