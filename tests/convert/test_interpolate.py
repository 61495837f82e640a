"""Weights between two styles of one architecture; strips; refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from conftest import make_spec
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from sakuga.cli import run
from sakuga.convert.interpolate import STRIP_SHARES, interpolate, strip
from sakuga.errors import OptionError, StyleError
from sakuga.images.sheet import MARGIN
from sakuga.styles import find, read_spec, write_spec
from sakuga.styles.tensors import store_half


def write_gain(path: Path, gain: float, *, channels: int = 3, half: bool = False) -> Path:
    """A style that multiplies by `gain` and then by one half, through `channels` channels."""
    first = np.zeros((channels, 3, 1, 1), np.float32)
    second = np.zeros((3, channels, 1, 1), np.float32)
    first[[0, 1, 2], [0, 1, 2]] = gain
    second[[0, 1, 2], [0, 1, 2]] = 0.5
    nodes = [
        helper.make_node("Conv", ["photo", "a.weight"], ["x"]),
        helper.make_node("Conv", ["x", "b.weight"], ["anime"]),
    ]
    shape = ["batch", 3, "height", "width"]
    graph = helper.make_graph(
        nodes,
        "gain",
        [helper.make_tensor_value_info("photo", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("anime", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(first, "a.weight"), numpy_helper.from_array(second, "b.weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if half:
        store_half(model)
    write_spec(model, make_spec(path.stem, 0))
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_weights_are_the_mean(share: float, half: bool, tmp_path: Path) -> None:
    first = find(write_gain(tmp_path / "one.onnx", 1.0, half=half))
    second = find(write_gain(tmp_path / "two.onnx", -1.0, half=half))
    model = interpolate(first, second, share, "between")
    onnx.checker.check_model(model)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    photo = np.random.default_rng(0).uniform(-1, 1, (1, 3, 16, 16)).astype(np.float32)
    (anime,) = session.run(["anime"], {"photo": photo})
    np.testing.assert_allclose(anime, photo * (1 - 2 * share) / 2, atol=1e-6)
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    assert kinds == {TensorProto.FLOAT16 if half else TensorProto.FLOAT}


def test_other_architectures_are_refused(tmp_path: Path, tiny_style: Path) -> None:
    first = find(write_gain(tmp_path / "one.onnx", 1.0))
    wider = find(write_gain(tmp_path / "two.onnx", 1.0, channels=5))
    with pytest.raises(StyleError, match=r"one and two .*a\.weight is not the same.*two:0\.5"):
        interpolate(first, wider, 0.5, "between")
    with pytest.raises(StyleError, match="different architectures"):
        interpolate(first, find(tiny_style), 0.5, "between")
    with pytest.raises(OptionError, match=r"share is 1\.5"):
        interpolate(first, first, 1.5, "between")
    with pytest.raises(OptionError, match="name the file after a style"):
        interpolate(first, first, 0.5, "Not A Name")


def test_strip_goes_from_one_to_the_other(tmp_path: Path) -> None:
    first = find(write_gain(tmp_path / "one.onnx", 2.0))
    second = find(write_gain(tmp_path / "two.onnx", -2.0))
    photo = np.full((20, 30, 3), 255, np.uint8)
    sheet = strip(first, second, [photo])
    middle = sheet.shape[0] - MARGIN - 10
    lefts = [MARGIN + column * (30 + MARGIN) + 15 for column in range(len(STRIP_SHARES) + 1)]
    found = [int(sheet[middle, left, 0]) for left in lefts]
    np.testing.assert_allclose(found, [255, 255, 191, 128, 64, 0], atol=1)


def test_blend_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = str(write_gain(tmp_path / "one.onnx", 1.0))
    second = str(write_gain(tmp_path / "two.onnx", 2.0))
    Image.new("RGB", (40, 30), "red").save(tmp_path / "p.png")
    out = tmp_path / "between.onnx"
    arguments = ["blend", first, second, str(out), "--share", "0.4"]
    assert run([*arguments, "--strip", str(tmp_path / "p.png")]) == 0
    assert read_spec(out).name == "between"
    assert read_spec(out).training == {"share of two": 0.4}
    with Image.open(tmp_path / "between.png") as sheet:
        assert sheet.width == 6 * 40 + 7 * MARGIN
    assert run(["paint", str(tmp_path / "p.png"), "--style", str(out), "--quiet"]) == 0
    capsys.readouterr()
    assert run(["blend", first, second, str(tmp_path / "a.pt")]) == 2
    assert "ends in .onnx" in capsys.readouterr().err


def test_no_style_or_photo_is_replaced_by_what_is_made_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = (str(write_gain(tmp_path / f"{name}.onnx", 1.0)) for name in ("one", "two"))
    photo = tmp_path / "cat.png"
    Image.new("RGB", (40, 30), "red").save(photo)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for line in (
        ["export", one, one],
        ["blend", one, two, two],
        ["blend", one, two, str(tmp_path / "cat.onnx"), "--strip", str(photo)],
        ["import-weights", one, one, "--overwrite"],
    ):
        assert run(line) == 2
        assert "never replaced" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
