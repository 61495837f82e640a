"""A photo of 96 megapixels is painted with less than 1.5 GB."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import make_spec
from onnx import TensorProto, helper
from PIL import Image
from samples import photo

from sakuga.styles import write_spec

pytest.importorskip("resource", reason="measures memory by POSIX means")

# Linux hands getrusage's number down from the process that started this one, so look elsewhere.
CODE = """
import pathlib, resource, sys
from sakuga.cli import run
status = run(sys.argv[1:])
facts = pathlib.Path("/proc/self/status")
if facts.exists():
    print([1024 * int(line.split()[1]) for line in facts.open() if line.startswith("VmHWM")][0])
else:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(status)
"""


def peak_bytes(*arguments: str | Path) -> int:
    """The greatest memory of a `sakuga` process that must succeed."""
    line = [sys.executable, "-c", CODE, *map(str, arguments)]
    run = subprocess.run(line, capture_output=True, text=True, check=True)
    return int(run.stdout.splitlines()[-1])


def write_photo(path: Path, width: int, height: int) -> None:
    """A JPEG of any size, made of repeated patterns of 1500 x 1000 pixels."""
    pattern = photo(1000, 1500)
    whole = np.tile(pattern, (height // 1000, width // 1500, 1))
    Image.fromarray(whole).save(path, quality=90)


@pytest.fixture
def negative(tmp_path: Path) -> Path:
    """A style that costs no time: the negative of the photo."""
    shape = ["batch", 3, "height", "width"]
    graph = helper.make_graph(
        [helper.make_node("Neg", ["photo"], ["anime"])],
        "negative",
        [helper.make_tensor_value_info("photo", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("anime", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    write_spec(model, make_spec("negative", 0))
    onnx.save(model, tmp_path / "negative.onnx")
    return tmp_path / "negative.onnx"


@pytest.mark.parametrize(("stroke", "error"), [("fine", 8), ("auto", 30)])  # grey levels
def test_a_photo_of_96_megapixels(
    stroke: str, error: int, tmp_path: Path, negative: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # Pillow's own limit, for the test's eyes
    write_photo(tmp_path / "large.jpg", 12_000, 8_000)
    line = ["paint", tmp_path / "large.jpg", "--style", negative, "--stroke", stroke]
    assert peak_bytes(*line) < 1.5e9
    with Image.open(tmp_path / "large-negative.jpg") as result:
        assert result.size == (12_000, 8_000)
        corner = np.asarray(result.crop((0, 0, 200, 200))).astype(int)
    expected = 255 - photo(1000, 1500)[:200, :200].astype(int)
    assert np.abs(corner - expected).mean() < error


@pytest.mark.parametrize("stroke", ["fine", "auto"])
def test_memory_beyond_the_pictures_is_that_of_a_tile(
    stroke: str, tmp_path: Path, tiny_style: Path
) -> None:
    peaks = []
    for rows in (2, 4):
        path = tmp_path / f"{rows}.jpg"
        write_photo(path, 3000, rows * 1000)
        options = ["--style", tiny_style, "--keep-colour", "--strength", "0.8", "--threads", "1"]
        peaks.append(peak_bytes("paint", path, "--stroke", stroke, *options))
    # 6 megapixels more: 3 bytes read, 3 painted, 3 blended, 4 in Pillow, 2 for the JPEG; nothing of
    # the model, which would be hundreds.
    assert peaks[1] - peaks[0] < 6e6 * 20
