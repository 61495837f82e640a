"""A style in the files of other runtimes, each with a JSON that says how to run it."""

from __future__ import annotations

import json
import logging
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from sakuga.errors import OutputError, StyleError
from sakuga.extras import need
from sakuga.files import make_folder_of
from sakuga.styles import GRAPH_INPUT, GRAPH_OUTPUT, Style

FIXED_SIDE = 512  # pixels: of pictures in a .tflite and for ncnn, whose size is fixed
MOST_SIDE = 2048  # pixels: of pictures in an .mlpackage


def export_runtime(style: Style, out: Path, half_weights: bool) -> str:
    """Write a style as OUT for the runtime that its ending names, and OUT.json beside it.

    Args:
        style: for all but .xml, one that Sakuga trained: the others are made from torch.
        out: ends in one of `RUNTIMES`.
        half_weights: store weights as float16 where the form can; all compute in float32.

    Returns:
        What was written, in a line.

    Raises:
        MissingExtraError: the converter is not installed.
        StyleError: the form needs a network of ours, and the style is not one.
        OutputError: `out` cannot be written.
    """
    extra, modules, convert, sides = RUNTIMES[out.suffix]
    need(f"sakuga export {out.name}", extra, *modules)
    facts = {
        **asdict(style.spec),
        "input": GRAPH_INPUT,
        "output": GRAPH_OUTPUT,
        "layout": "NCHW, RGB, float32",
        "sides": sides,
        "compute": "float32",  # lay_flat reaches 1e12: float16 overflows
    }
    try:
        make_folder_of(out)
        if out.is_dir():
            raise OutputError(f"{out}: is there already; remove it or choose another name")
        other = out.with_suffix(_SHARE_BIN.get(out.suffix, out.suffix))
        if other != out and other.exists():
            raise OutputError(
                f"{out}: would replace {out.stem}.bin, which belongs to {other}; choose another"
            )
        with tempfile.TemporaryDirectory(prefix=".sakuga-", dir=out.parent) as folder:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the converters' own
                convert(style, Path(folder) / out.name, half_weights)
            (Path(folder) / f"{out.name}.json").write_text(
                json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
            )
            made = sorted(Path(folder).iterdir())
            size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
            for path in made:
                path.replace(out.parent / path.name)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be written ({error.strerror}); choose another place"
        ) from error
    return f"{', '.join(path.name for path in made)}: {style.spec.name}, {size / 1e6:.1f} MB"


def _openvino(style: Style, out: Path, half_weights: bool) -> None:
    import openvino

    model = openvino.convert_model(style.path)
    openvino.save_model(model, out, compress_to_fp16=half_weights)


def _torch_export(style: Style, out: Path, half_weights: bool) -> None:
    import torch

    from sakuga.convert.onnx_export import dynamic_shapes

    multiple = style.spec.size_multiple
    example = torch.zeros(2, 3, 8 * multiple, 10 * multiple)
    program = torch.export.export(
        _network(style), (example,), dynamic_shapes=dynamic_shapes(multiple)
    )
    torch.export.save(program, out)


def _litert(style: Style, out: Path, half_weights: bool) -> None:
    import litert_torch
    import torch

    example = torch.zeros(1, 3, FIXED_SIDE, FIXED_SIDE)
    litert_torch.convert(_network(style), (example,)).export(str(out))


def _core_ml(style: Style, out: Path, half_weights: bool) -> None:
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    import coremltools
    import torch

    side = coremltools.RangeDim(8 * style.spec.size_multiple, MOST_SIDE, default=FIXED_SIDE)
    shape = coremltools.Shape((1, 3, side, side))
    example = torch.zeros(1, 3, 128, 144)
    traced = torch.jit.trace(_network(style), example)  # type: ignore[no-untyped-call]
    coremltools.convert(
        traced,
        inputs=[coremltools.TensorType(GRAPH_INPUT, shape=shape)],
        outputs=[coremltools.TensorType(GRAPH_OUTPUT)],
        minimum_deployment_target=coremltools.target.iOS16,
        convert_to="mlprogram",
        compute_precision=coremltools.precision.FLOAT32,
    ).save(str(out))


def _ncnn(style: Style, out: Path, half_weights: bool) -> None:
    import pnnx
    import torch

    example = torch.zeros(1, 3, FIXED_SIDE, FIXED_SIDE)
    with tempfile.TemporaryDirectory() as folder:
        traced = torch.jit.trace(_network(style), example)  # type: ignore[no-untyped-call]
        traced.save(f"{folder}/style.pt")
        # Beside the two files wanted, pnnx writes several for its own use.
        asked = (f"inputshape=[1,3,{FIXED_SIDE},{FIXED_SIDE}]", "fp16=0")
        files = (f"ncnnparam={out}", f"ncnnbin={out.with_suffix('.bin')}")
        command = [pnnx.EXEC_PATH, "style.pt", *asked, *files]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if not out.is_file():
        told = (done.stderr or done.stdout).strip()
        raise StyleError(f"{style.path}: pnnx cannot convert it ({told[-200:]}); write .tflite")


# By ending: the extra, its modules, what writes the file, and sides in pixels that the file takes.
_Convert = Callable[[Style, Path, bool], None]
RUNTIMES: dict[str, tuple[str, tuple[str, ...], _Convert, str]] = {
    ".xml": ("openvino", ("openvino",), _openvino, "multiples of size_multiple"),
    ".pt2": ("train", ("torch",), _torch_export, "multiples of size_multiple, two of them or more"),
    ".tflite": ("litert", ("litert_torch",), _litert, f"{FIXED_SIDE} x {FIXED_SIDE}"),
    ".param": ("ncnn", ("pnnx", "torch"), _ncnn, f"{FIXED_SIDE} x {FIXED_SIDE}"),
    ".mlpackage": (
        "coreml",
        ("coremltools", "torch"),
        _core_ml,
        f"multiples of size_multiple, at least eight of them, at most {MOST_SIDE}",
    ),
}


_SHARE_BIN = {".xml": ".param", ".param": ".xml"}  # their weights lie in NAME.bin


def _network(style: Style):  # type: ignore[no-untyped-def]  # torch stays out of the imports
    """The network of a style, rebuilt from its tensors; it must paint as the style does.

    Raises:
        StyleError: it is not Sakuga's own generator, or its pictures differ from the style's.
    """
    import torch

    from sakuga.convert.onnx_export import TOLERANCE, _Clamped, largest_difference
    from sakuga.styles.tensors import read_tensors
    from sakuga.train.checkpoint import build_generator, in_todays_form, load_weights
    from sakuga.train.config import config_from

    stored = read_tensors(style).items()
    tensors = dict(in_todays_form(name, torch.from_numpy(values)) for name, values in stored)
    if "stem.0.weight" not in tensors:
        raise StyleError(
            f"{style.path}: is not of Sakuga's own generator, which this form is made from; "
            "write .xml (OpenVINO), which takes any style"
        )
    blocks = len({name.split(".")[1] for name in tensors if name.startswith("eighth.")})
    shown = {"width": tensors["stem.0.weight"].shape[0], "blocks": blocks}
    told = json.loads(str(style.spec.training.get("generator", "{}")))
    network = build_generator(
        config_from({**shown, "decides": "choices.weight" in tensors, **told})
    )
    load_weights(network, tensors, style.path)
    clamped = _Clamped(network).eval()
    difference = largest_difference(clamped, style.path.read_bytes(), style.spec)
    if not difference <= TOLERANCE:
        raise StyleError(
            f"{style.path}: its network, rebuilt, differs by {difference:.4f} from the file (at "
            f"most {TOLERANCE}); it was made by another version: export it from its training"
        )
    return clamped
