"""What the tests of training share: small pictures, a random VGG19, a config of seconds."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from PIL import Image
from safetensors.torch import save_file

from sakuga.convert.onnx_export import export_onnx, trace
from sakuga.models.local import LocalGenerator
from sakuga.models.vgg import PLAN
from sakuga.styles import StyleSpec
from sakuga.train import batches
from sakuga.train.config import TrainConfig, config_from
from sakuga.train.loop import train

CAFFE_METADATA = {
    "scale": "255 (pixels 0..255)",
    "mean": "123.68,116.779,103.939",
    "std": "1,1,1",
}


def draw_pictures(folder: Path, count: int, *, seed: int, side: int = 80) -> Path:
    """Write PNG pictures of coloured rectangles on noise."""
    dice = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        picture = dice.integers(90, 160, (side, side + 16, 3))
        for _ in range(6):
            top, left = dice.integers(0, side - 20, 2)
            picture[top : top + 30, left : left + 24] = dice.integers(0, 256, 3)
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{index:03d}.png")
    return folder


def random_vgg_weights(seed: int = 0) -> dict[str, torch.Tensor]:
    """VGG19 up to conv4_4 with He-scaled random weights, torchvision's names."""
    dice = torch.Generator().manual_seed(seed)
    weights, channels = {}, 3
    for name, index, outputs in PLAN:
        if name == "pool":
            continue
        scale = (2 / (9 * channels)) ** 0.5
        kernel = torch.randn(outputs, channels, 3, 3, generator=dice) * scale
        weights[f"features.{index}.weight"] = kernel
        weights[f"features.{index}.bias"] = torch.randn(outputs, generator=dice) * 0.1
        channels = outputs
    return weights


def write_vgg(path: Path, metadata: dict[str, str] | None = None) -> Path:
    """Write a VGG19 of random weights as a safetensors file."""
    halves = {name: value.half() for name, value in random_vgg_weights().items()}
    save_file(halves, path, CAFFE_METADATA if metadata is None else metadata)
    return path


def lively_generator() -> LocalGenerator:
    """A small generator with biases, that does something, unlike a fresh one."""
    torch.manual_seed(0)
    network = LocalGenerator(8, 1)
    with torch.no_grad():
        network.tail[-1].weight.mul_(20)
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0, 0.05)
    return network


def export_as(generator: LocalGenerator, name: str, folder: Path) -> Path:
    """Write a generator as a style file of that name."""
    out = folder / f"{name}.onnx"
    radius = generator.receptive_radius
    spec = StyleSpec(name, "1.0.0", "A test.", 8, 8, radius, "CC0-1.0", ("nobody",), {})
    export_onnx(generator, spec, out)
    return out


_GRAPHS: dict[str, bytes] = {}  # of networks that were traced, by what decides them


def trace_once(network: Any, spec: StyleSpec) -> onnx.ModelProto:
    """As `trace`, which takes seconds; a network like an earlier one gets its graph, with weights.

    An export compares what its graph paints with the network: one that does not fit would be seen.
    """
    own = {name: value for name, value in vars(network.generator).items() if name[0] != "_"}
    kind = f"{network} {own} {spec.size_multiple} {spec.minimum_side}"
    if kind not in _GRAPHS:
        spare, random = copy.deepcopy(network), torch.Generator().manual_seed(0)
        for tensor in spare.state_dict().values():  # of equal ones the graph would keep one
            tensor.copy_(torch.rand(tensor.shape, generator=random))
        _GRAPHS[kind] = trace(spare, spec).SerializeToString()
    model = onnx.load_from_string(_GRAPHS[kind])
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    weights = network.state_dict()
    if not weights.keys() <= tensors.keys():  # some were merged with others
        return trace(network, spec)
    for name, values in weights.items():
        tensors[name].CopyFrom(numpy_helper.from_array(values.numpy(), name))
    return model


# Of a config: without the terms that look through VGG, which take longer than all others.
NO_VGG = {"feature_layers": (), "structure_weights": (), "gram_weights": (), "content_weight": 0.0}


def tiny_config(
    photos: Path, anime: Path, vgg: Path | None = None, **changes: object
) -> TrainConfig:
    """A training of a second that uses every term; without `vgg`, all but those that need it."""
    return config_from(
        {
            "photos": [str(photos)],
            "anime": [str(anime)],
            "vgg": str(vgg or ""),
            "sheet_photos": str(photos),
            "crop": 32,
            "batch": 2,
            "photo_sides": [48, 80],
            "anime_sides": [48, 80],
            "width": 8,
            "blocks": 1,
            "discriminator_width": 8,
            "feature_layers": ["conv1_2", "conv2_2"],
            "structure_weights": [1.0, 1.0],
            "gram_weights": [0.1, 0.1],
            "content_weight": 0.1,
            "texture_weight": 1.0,
            "surface_weight": 0.1,
            "flat_weight": 4.0,
            "colour_weight": 0.5,
            "noise_weight": 3.0,
            "variation_weight": 0.1,
            "picture_weight": 0.1,
            "steps": 4,
            "init_steps": 1,
            "warmup_steps": 1,
            "log_every": 1,
            "guard_every": 2,
            "sheet_every": 4,
            "save_every": 2,
            "precision": "32-true",
            **({} if vgg else NO_VGG),
            **changes,
        }
    )


def train_here(config: TrainConfig, run: Path, **options: Any) -> Path:
    """Train on the CPU; checkpoints are compared on few crops, lest that take longest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "TRIAL_CROPS", 2)
        return train(config, run, accelerator="cpu", devices=1, **options)
