"""A style in other precisions and as tensors: the same pictures, or measured differences."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from training import export_as, lively_generator

from sakuga.cli import run
from sakuga.convert import quantize
from sakuga.convert.export import export
from sakuga.convert.quantize import KEPT_FIRST, KEPT_LAST, compare, quantise, read_photos
from sakuga.errors import DataError, OptionError, OutputError, StyleError
from sakuga.images.read import to_float, to_pixels
from sakuga.models.local import LocalGenerator
from sakuga.painting.stylizer import Stylizer
from sakuga.styles import SPEC_KEY, Style, find, read_spec, spec_from_json

pytestmark = pytest.mark.usefixtures("traced_once")
GUIDE = Path(__file__).parents[2] / "docs" / "weights.md"


@pytest.fixture(autouse=True)
def timed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantize, "TIMED_RUNS", 1)


@pytest.fixture(scope="module")
def generator() -> LocalGenerator:
    return lively_generator()


@pytest.fixture(scope="module")
def style(generator: LocalGenerator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_as(generator, "mine", tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    dice = np.random.default_rng(0)
    for index in range(6):
        coarse = dice.integers(0, 256, (6, 8, 3)).astype(np.uint8)
        picture = Image.fromarray(coarse).resize((101, 75), Image.Resampling.BICUBIC)
        picture.save(folder / f"{index}.png")
    return folder


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_precision_of_weights_changes_the_file_not_the_picture(
    precision: str, style: Path, tmp_path: Path
) -> None:
    out = tmp_path / "other.onnx"
    export(str(style), out, precision, None)  # type: ignore[arg-type]
    assert read_spec(out) == read_spec(style)
    onnx.checker.check_model(onnx.load(out))
    kinds = {t.data_type for t in onnx.load(out).graph.initializer if len(t.dims) == 4}
    wanted = {"fp32": onnx.TensorProto.FLOAT, "fp16": onnx.TensorProto.FLOAT16}
    assert kinds == {wanted[precision]}
    photo = np.random.default_rng(1).integers(0, 256, (40, 31, 3), np.uint8)
    np.testing.assert_array_equal(
        Stylizer(out, threads=1)(photo), Stylizer(style, threads=1)(photo)
    )


def test_tensors_load_into_the_generator(
    generator: LocalGenerator, style: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mine.safetensors"
    export(str(style), out, "fp16", None)
    fresh = LocalGenerator(8, 1)
    fresh.load_state_dict(load_file(out))  # strict: each by its name, and no others
    photo = np.random.default_rng(1).integers(0, 256, (40, 24, 3), np.uint8)
    with torch.no_grad():
        painted = to_pixels(fresh(torch.from_numpy(to_float(photo))).clamp(-1, 1).numpy())[0]
    difference = painted.astype(int) - Stylizer(style, threads=1)(photo)
    assert np.abs(difference).max() <= 1
    with safe_open(out, "np") as file:
        assert spec_from_json(file.metadata()[SPEC_KEY]) == read_spec(style)


def test_the_guides_lines_give_the_network_of_a_style_in_the_box(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    (lines,) = [block for block in blocks if "load_state_dict" in block]
    monkeypatch.chdir(tmp_path)
    export("novel", Path("novel.safetensors"), "fp16", None)
    photo = np.random.default_rng(1).integers(0, 256, (40, 24, 3), np.uint8)
    names = {"photo": torch.from_numpy(to_float(photo))}
    with torch.no_grad():
        exec(lines, names)
    difference = to_pixels(names["anime"].numpy())[0].astype(int) - Stylizer("novel")(photo)
    assert np.abs(difference).max() <= 1


def test_a_full_disk_is_told(
    tiny_style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        export(str(tiny_style), tmp_path / "mine.safetensors", "fp16", None)
    assert not (tmp_path / "mine.safetensors").exists()


def test_int8_keeps_the_picture_and_says_what_it_costs(
    style: Path, photos: Path, tmp_path: Path
) -> None:
    pictures = read_photos(photos)
    assert [picture.shape for picture in pictures] == [(75, 101, 3)] * 6
    model = quantise(find(style), pictures[:3])
    kinds = [node.op_type for node in model.graph.node]
    whole = [
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 4
    ]
    assert len(whole) == kinds.count("Conv") - KEPT_FIRST - KEPT_LAST
    onnx.save(model, tmp_path / "int8.onnx")
    small = find(tmp_path / "int8.onnx")
    assert small.spec == replace(read_spec(style), name="mine-int8")
    comparison = compare(find(style), small, pictures[3:])
    assert 0 < comparison.difference < 3
    full, quantised = comparison.statistics["texture"]
    assert abs(quantised / full - 1) < 0.1
    text = str(comparison)
    assert "noise gain" in text
    assert "on 3 photos" in text


def test_comparison_of_a_style_with_itself_finds_no_difference(style: Path, photos: Path) -> None:
    same = compare(find(style), Style(read_spec(style), style, "file"), read_photos(photos)[:2])
    assert same.difference == 0
    assert all(first == second for first, second in same.statistics.values())


def test_export_verb(
    style: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small.onnx"
    arguments = ["export", str(style), str(out), "--precision", "int8"]
    assert run([*arguments, "--calibrate", str(photos)]) == 0
    printed = capsys.readouterr().out
    assert "change" in printed
    assert "on 3 photos that were not used for calibration" in printed
    assert run(["paint", str(photos / "0.png"), "--style", str(out), "--quiet"]) == 0
    assert run(arguments) == 2
    assert "go together" in capsys.readouterr().err


def test_what_cannot_be_exported_is_refused(
    style: Path, tiny_style: Path, photos: Path, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=r"ends in none of \.onnx, \.safetensors, \.xml"):
        export(str(style), tmp_path / "a.pt", "fp16", None)
    with pytest.raises(OptionError, match="int8 is a form of style files"):
        export(str(style), tmp_path / "a.safetensors", "int8", photos)
    with pytest.raises(StyleError, match="has 2 convolutions"):
        export(str(tiny_style), tmp_path / "a.onnx", "int8", photos)
    one = tmp_path / "one"
    one.mkdir()
    (one / "0.png").write_bytes((photos / "0.png").read_bytes())
    with pytest.raises(DataError, match="holds one photo"):
        export(str(style), tmp_path / "a.onnx", "int8", one)
    assert not (tmp_path / "a.onnx").exists()
