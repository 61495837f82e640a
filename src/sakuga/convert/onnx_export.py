"""A trained generator -> ONE style file: float16 weights, float32 computation, any size."""

from __future__ import annotations

import copy
import datetime
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sakuga.convert.check import kept_quiet
from sakuga.errors import TrainingError
from sakuga.files import write_bytes
from sakuga.styles import GRAPH_INPUT, GRAPH_OUTPUT, StyleSpec, write_spec
from sakuga.styles.tensors import store_half
from sakuga.train.checkpoint import build_generator, load_checkpoint, load_weights, unlearned
from sakuga.train.config import TrainConfig

OPSET = 18
TOLERANCE = 2e-3  # on [-1, 1], a quarter of a grey level: ONNX Runtime against torch


class _Clamped(nn.Module):
    """A generator whose result keeps to the contract's range."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, photo: Tensor) -> Tensor:
        return self.generator(photo).clamp(-1, 1)


def export_checkpoint(source: str | Path, out: Path) -> StyleSpec:
    """Export the averaged generator of a run's folder or checkpoint to a style file, and check it.

    Raises:
        TrainingError: no checkpoint there, or the file's pictures differ from torch's.
        OutputError: `out` cannot be written.
    """
    config, state = load_checkpoint(source)
    generator = build_generator(config)
    load_weights(generator, state["ema"], source)
    spec = StyleSpec(
        name=config.name,
        version=config.version,
        description=config.description,
        size_multiple=generator.size_multiple,
        minimum_side=generator.minimum_side,
        receptive_radius=generator.receptive_radius,
        licence=config.licence,
        attribution=(*config.attribution, *state.get("credits", ())),
        training=training_summary(config, state),
    )
    export_onnx(generator, spec, out)
    return spec


def export_run(run: Path) -> Path:
    """Write a run's style into its own folder, RUN/NAME.onnx, and give its path.

    Raises:
        TrainingError, OutputError: as `export_checkpoint`.
    """
    config, _ = load_checkpoint(run)
    path = run / f"{config.name}.onnx"
    export_checkpoint(run, path)
    return path


def training_summary(config: TrainConfig, state: dict[str, object]) -> dict[str, str | int | float]:
    """What a style file says of its training."""
    return {
        "photos": int(state["photos"]),  # type: ignore[call-overload]
        "drawings": int(state["drawings"]),  # type: ignore[call-overload]
        "steps": int(state["step"]),  # type: ignore[call-overload]
        "crops": int(state["step"]) * config.batch,  # type: ignore[call-overload]
        "crop_pixels": config.crop,
        "seconds": round(float(state["elapsed_s"])),  # type: ignore[arg-type]
        "hardware": str(state["hardware"]),
        "exported": datetime.date.today().isoformat(),
        "generator": json.dumps(unlearned(config) if config.generator == "local" else {}),
    }


def export_onnx(
    generator: nn.Module, spec: StyleSpec, out: Path, *, half_weights: bool = True
) -> None:
    """Write a generator as a style file and compare it with torch on odd sizes.

    Args:
        generator: float (B, 3, H, W) in [-1, 1] to the same; its result is clamped to the range.
        spec: goes into the file's metadata.
        out: the file; written wholly or not at all.
        half_weights: store convolution weights as float16, cast to float32 when loaded: half the
            size.

    Raises:
        TrainingError: ONNX Runtime's pictures differ from torch's by more than `TOLERANCE`.
        OutputError: `out` cannot be written.
    """
    clamped = _Clamped(copy.deepcopy(generator)).eval().float().cpu()
    if half_weights:  # torch's own pictures are then those of the rounded weights, too
        with torch.no_grad():
            for parameter in clamped.parameters():
                if parameter.ndim > 1:
                    parameter.copy_(parameter.half().float())
    model = trace(clamped, spec)
    if half_weights:
        store_half(model)
    write_spec(model, spec)
    content = model.SerializeToString()
    difference = largest_difference(clamped, content, spec)
    if not difference <= TOLERANCE:  # NaN fails, too
        raise TrainingError(
            f"{out}: not written: ONNX Runtime and torch differ by {difference:.4f} "
            f"(at most {TOLERANCE}); please report this with your versions (sakuga doctor)"
        )
    write_bytes(out, content)


def dynamic_shapes(multiple: int) -> tuple[dict[int, Any]]:
    """That batch, height and width of pictures are free, as torch takes it."""
    rows, columns = (torch.export.Dim(name, min=2, max=1 << 16) for name in ("rows", "columns"))
    return ({0: torch.export.Dim("batch"), 2: multiple * rows, 3: multiple * columns},)


def trace(network: nn.Module, spec: StyleSpec) -> onnx.ModelProto:
    """Turn a network into a graph of dynamic batch, height and width, simplified."""
    import onnxslim

    side = max(spec.minimum_side, 8 * spec.size_multiple)
    example = torch.zeros(2, 3, side, side + 2 * spec.size_multiple)
    with warnings.catch_warnings(), kept_quiet():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            external_data=False,
            opset_version=OPSET,
            input_names=[GRAPH_INPUT],
            output_names=[GRAPH_OUTPUT],
            dynamic_shapes=dynamic_shapes(spec.size_multiple),
            verbose=False,
        )
        assert program is not None
        model: onnx.ModelProto = onnxslim.slim(program.model_proto)
    for axis, name in ((0, "batch"), (2, "height"), (3, "width")):
        for value in (model.graph.input[0], model.graph.output[0]):
            value.type.tensor_type.shape.dim[axis].dim_param = name
    del model.graph.value_info[:]
    return model


@torch.no_grad()
def largest_difference(network: nn.Module, content: bytes, spec: StyleSpec) -> float:
    """Largest |ONNX Runtime - torch| on [-1, 1] over pictures of several odd shapes.

    They are noise over squares of 16 pixels, whose borders ask for strokes.
    """
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    rng = torch.Generator().manual_seed(0)
    worst = 0.0
    for rows, columns in ((3, 5), (7, 4), (11, 13)):
        smallest = -(-spec.minimum_side // spec.size_multiple)
        shape = (
            max(rows, smallest) * spec.size_multiple,
            max(columns, smallest) * spec.size_multiple,
        )
        fine, squares = (
            torch.rand(1, 3, *(-(-side // pixels) for side in shape), generator=rng)
            for pixels in (1, 16)
        )
        squares = F.interpolate(squares, scale_factor=16)[..., : shape[0], : shape[1]]
        photo = 2 * (0.2 * fine + 0.8 * squares) - 1
        (found,) = session.run([GRAPH_OUTPUT], {GRAPH_INPUT: photo.numpy()})
        # np.maximum, unlike max, lets NaN win.
        worst = float(np.maximum(worst, np.abs(found - network(photo).numpy()).max()))
    return worst
