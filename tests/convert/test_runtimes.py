"""Each runtime's file paints an example photo as ONNX Runtime does, to half a grey level."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from training import export_as, lively_generator

from sakuga.convert import runtimes
from sakuga.convert.export import export
from sakuga.errors import MissingExtraError, OptionError, OutputError, StyleError
from sakuga.images.read import to_float
from sakuga.styles import GRAPH_INPUT, Style, find, write_spec

pytestmark = pytest.mark.usefixtures("traced_once")
PHOTO = Path(__file__).parents[2] / "examples" / "portrait_astronaut.jpg"
Paint = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def _openvino(path: Path) -> Paint:
    openvino = pytest.importorskip("openvino", reason="openvino is not installed")
    compiled = openvino.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda photo: compiled(photo)[compiled.output(0)]


def _torch(path: Path) -> Paint:
    module = torch.export.load(path).module()
    return lambda photo: module(torch.from_numpy(photo)).detach().numpy()


def _litert(path: Path) -> Paint:
    from ai_edge_litert.interpreter import Interpreter

    interpreter: Any = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    (given,), (got,) = interpreter.get_input_details(), interpreter.get_output_details()

    def paint(photo: NDArray[np.float32]) -> NDArray[np.float32]:
        interpreter.set_tensor(given["index"], photo)
        interpreter.invoke()
        return interpreter.get_tensor(got["index"])

    return paint


def _ncnn(path: Path) -> Paint:
    ncnn = pytest.importorskip("ncnn", reason="ncnn is not installed")
    network = ncnn.Net()
    for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(network.opt, name, False)  # as the style's JSON says: compute in float32
    network.opt.num_threads = 1
    assert network.load_param(str(path)) == 0
    assert network.load_model(str(path.with_suffix(".bin"))) == 0

    def paint(photo: NDArray[np.float32]) -> NDArray[np.float32]:
        run = network.create_extractor()
        run.input("in0", ncnn.Mat(np.ascontiguousarray(photo[0])).clone())
        return np.array(run.extract("out0")[1])[None]

    return paint


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("ending", "package", "load"),
    [
        (".xml", "openvino", _openvino),
        (".pt2", "torch", _torch),
        (".tflite", "litert_torch", _litert),
        (".param", "pnnx", _ncnn),
    ],
)
def test_paints_as_onnxruntime_does(
    ending: str, package: str, load: Callable[[Path], Paint], tmp_path: Path
) -> None:
    pytest.importorskip(package, reason=f"{package} is not installed", exc_type=ImportError)
    out = tmp_path / f"novel{ending}"
    print(export("novel", out, "fp16", None))
    with Image.open(PHOTO) as opened:
        photo = to_float(np.asarray(opened.convert("RGB").resize((512, 512))))
    session = onnxruntime.InferenceSession(find("novel").path)
    took = {}
    pictures = []
    for name, paint in (
        ("onnxruntime", lambda photo: session.run(None, {GRAPH_INPUT: photo})[0]),
        (ending, load(out)),
    ):
        paint(photo)  # the first is slower
        start_s = time.perf_counter()
        pictures.append(paint(photo))
        took[name] = time.perf_counter() - start_s
    grey_levels = np.abs(pictures[0] - pictures[1]) * 127.5
    print(f"{ending}: max {grey_levels.max():.4f}, mean {grey_levels.mean():.5f} grey levels;")
    print(f"{took[ending] / took['onnxruntime']:.2f} times the time of onnxruntime")
    assert grey_levels.max() < 0.5  # rounding, where a stroke is decided
    assert np.abs(pictures[0] - photo).mean() * 127.5 > 2  # it painted something
    facts = json.loads((tmp_path / f"novel{ending}.json").read_text())
    assert facts["size_multiple"] == 8
    assert facts["receptive_radius"] == find("novel").spec.receptive_radius
    assert facts["value_range"] == [-1.0, 1.0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_core_ml_is_written_whole(tmp_path: Path) -> None:
    pytest.importorskip("coremltools", reason="coremltools is not installed")
    out = tmp_path / "novel.mlpackage"
    export("novel", out, "fp16", None)
    assert (out / "Manifest.json").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {out.name, f"{out.name}.json"}


def test_a_missing_converter_is_named_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sakuga.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'sakuga\[openvino\]'"):
        export("novel", tmp_path / "novel.xml", "fp16", None)
    assert not list(tmp_path.iterdir())


def test_a_converter_that_gives_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converter = ModuleType("pnnx")
    converter.__spec__ = ModuleSpec("pnnx", None)
    converter.EXEC_PATH = "false"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pnnx", converter)
    with pytest.raises(StyleError, match="pnnx cannot convert it"):
        export("novel", tmp_path / "novel.param", "fp16", None)
    assert not list(tmp_path.iterdir())


def test_weights_of_another_runtime_are_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(runtimes.RUNTIMES, ".param", ("ncnn", (), write_two, "any"))
    monkeypatch.setitem(runtimes.RUNTIMES, ".xml", ("openvino", (), write_two, "any"))
    export("novel", tmp_path / "a.xml", "fp16", None)
    export("novel", tmp_path / "a.xml", "fp16", None)  # its own may be
    with pytest.raises(OutputError, match=r"would replace a\.bin, which belongs to .*a\.xml"):
        export("novel", tmp_path / "a.param", "fp16", None)
    export("novel", tmp_path / "b.param", "fp16", None)
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".bin") == [
        "a.bin",
        "b.bin",
    ]


def write_two(style: Style, out: Path, half_weights: bool) -> None:
    out.write_text("graph")
    out.with_suffix(".bin").write_text("weights")


def test_an_unknown_ending_is_told_all_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"\.onnx.*\.xml, \.pt2, \.tflite, \.param, \.mlpackage"):
        export("novel", tmp_path / "novel.caffe", "fp16", None)


def test_int8_is_for_style_files(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="int8"):
        export("novel", tmp_path / "novel.xml", "int8", tmp_path)


def test_a_file_that_is_not_what_its_tensors_say_is_refused(tmp_path: Path) -> None:
    """Here the graph doubles its strokes; the rebuilt network would not."""
    path = export_as(lively_generator(), "mine", tmp_path)
    model = onnx.load(path)
    (clip,) = (node for node in model.graph.node if "anime" in node.output)
    model.graph.node.append(onnx.helper.make_node("Neg", ["before"], ["anime"]))
    clip.output[0] = "before"
    onnx.save(model, path)
    with pytest.raises(StyleError, match="rebuilt, differs"):
        export(str(path), tmp_path / "mine.pt2", "fp16", None)
    assert not (tmp_path / "mine.pt2").exists()


@pytest.mark.parametrize("name", ["storybook", "manga"])
def test_ink_and_paper_go_along(name: str, tmp_path: Path) -> None:
    """Strokes in sepia, or a picture without colour, are not to be told from the weights."""
    export(name, tmp_path / f"{name}.pt2", "fp16", None)
    paint = _torch(tmp_path / f"{name}.pt2")
    with Image.open(PHOTO) as opened:
        photo = to_float(np.asarray(opened.convert("RGB").resize((128, 128))))
    wanted = onnxruntime.InferenceSession(find(name).path).run(None, {GRAPH_INPUT: photo})[0]
    assert np.abs(paint(photo) - wanted).max() * 127.5 < 0.5


def test_a_file_that_does_not_tell_its_ink_is_refused(tmp_path: Path) -> None:
    style = find("storybook")
    told = {k: v for k, v in style.spec.training.items() if k != "generator"}
    model = onnx.load(style.path)
    write_spec(model, dataclasses.replace(style.spec, training=told))
    onnx.save(model, tmp_path / "mine.onnx")
    with pytest.raises(StyleError, match="rebuilt, differs"):
        export(str(tmp_path / "mine.onnx"), tmp_path / "mine.pt2", "fp16", None)
