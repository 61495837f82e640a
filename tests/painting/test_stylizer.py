"""A style paints any size, in tiles as whole, from any thread, and refuses what makes no sense."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from conftest import make_spec
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import photo

from sakuga.errors import DeviceError, InputError, OptionError, StyleError
from sakuga.painting.blending import keep_chroma
from sakuga.painting.stylizer import AUTO_TILE_PIXELS, Stylizer
from sakuga.styles import write_spec


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Noise shows every mistake of a pixel's place."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def stylizer(tiny_style: Path) -> Stylizer:
    return Stylizer(tiny_style, threads=1)


def test_a_picture_is_what_the_graph_says(tiny_style: Path, stylizer: Stylizer) -> None:
    picture = photo(48, 64)
    planes = (picture.astype(np.float64) / 127.5 - 1).transpose(2, 0, 1)[None]
    (anime,) = ort.InferenceSession(tiny_style).run(None, {"photo": planes.astype(np.float32)})
    expected = np.clip((anime[0].transpose(1, 2, 0) + 1) * 127.5, 0, 255)
    result = stylizer(picture)
    assert result.dtype == np.uint8 and result.shape == picture.shape
    assert np.abs(result - expected).max() <= 0.5 + 1e-3
    assert np.abs(result.astype(int) - picture).mean() > 5


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 160),
    st.integers(1, 160),
    st.integers(1, 100),
    st.booleans(),
    st.sampled_from([0.5, 1.0]),
)
def test_tiles_equal_the_whole(
    tiny_style: Path, height: int, width: int, tile: int, keep_colour: bool, strength: float
) -> None:
    picture = noise(height, width)
    options: dict[str, Any] = {"keep_colour": keep_colour, "strength": strength}
    whole = Stylizer(tiny_style, threads=1, tile="none")(picture, **options)
    tiled = Stylizer(tiny_style, threads=1, tile=tile)(picture, **options)
    difference = np.abs(whole.astype(int) - tiled)
    assert difference.max(initial=0) <= 1
    assert (difference == 0).mean() > 0.9999


def test_a_wrong_radius_would_show(tiny_style: Path, tmp_path: Path) -> None:
    model = onnx.load(tiny_style)
    write_spec(model, make_spec("short", 0))
    onnx.save(model, tmp_path / "short.onnx")
    picture = noise(100, 100)
    whole = Stylizer(tmp_path / "short.onnx", tile="none")(picture)
    tiled = Stylizer(tmp_path / "short.onnx", tile=32)(picture)
    assert np.abs(whole.astype(int) - tiled).max() > 1


def test_automatic_tiles_equal_the_whole(tiny_style: Path) -> None:
    picture = noise(40, 2 * AUTO_TILE_PIXELS + 333)
    shares: list[float] = []
    tiled = Stylizer(tiny_style)(picture, progress=shares.append)
    assert len(shares) == 3 and shares[-1] == 1
    assert (tiled == Stylizer(tiny_style, tile="none")(picture)).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 3), (7, 9), (17, 8)])
@pytest.mark.parametrize("keep_colour", [False, True])
def test_any_size(stylizer: Stylizer, shape: tuple[int, int], keep_colour: bool) -> None:
    picture = noise(*shape)
    assert stylizer(picture, keep_colour=keep_colour).shape == (*shape, 3)


def test_colours_are_kept_without_a_look_at_the_padding(stylizer: Stylizer) -> None:
    picture = photo(50, 70)  # sides that the style pads
    anime = stylizer(picture)
    assert (stylizer(picture, keep_colour=True) == keep_chroma(picture, anime)).all()


def test_many_threads_give_the_bytes_of_one(stylizer: Stylizer) -> None:
    pictures = [noise(90 + 7 * seed, 120, seed) for seed in range(6)] * 4
    alone = [stylizer(picture, keep_colour=True).tobytes() for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = pool.map(lambda p: stylizer(p, keep_colour=True).tobytes(), pictures)
    assert list(together) == alone


def test_calls_that_share_out_the_threads(tiny_style: Path) -> None:
    whole = Stylizer(tiny_style, threads=5, tile=32)
    shared = whole.for_calls(2)
    assert (whole.threads, shared.threads, whole.for_calls(8).threads) == (5, 2, 1)
    assert whole.for_calls(1) is whole
    picture = noise(90, 120)
    assert (shared(picture, strength=0.7) == whole(picture, strength=0.7)).all()


def test_strength(stylizer: Stylizer) -> None:
    picture = photo(50, 70)
    nothing = stylizer(picture, strength=0)
    assert (nothing == picture).all() and not np.shares_memory(nothing, picture)
    full = stylizer(picture).astype(float)
    half = stylizer(picture, strength=0.5)
    assert np.abs(half - (full + picture) / 2).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("strength", [2, -0.1, math.nan, math.inf])
def test_strength_out_of_range(stylizer: Stylizer, strength: float) -> None:
    with pytest.raises(OptionError, match=r"strength is .* from 0"):
        stylizer(photo(8, 8), strength=strength)


def test_the_photo_is_left_alone(stylizer: Stylizer) -> None:
    picture = photo(50, 70)
    picture.setflags(write=False)
    stylizer(picture, strength=0.5, keep_colour=True)
    view = photo(100, 70)[::2, ::-1]
    assert (stylizer(view) == stylizer(view.copy())).all()


@pytest.mark.parametrize(
    ("picture", "error"),
    [
        (np.zeros((8, 8, 3)), TypeError),
        ([[[1, 2, 3]]], TypeError),
        (np.zeros((8, 8), np.uint8), ValueError),
        (np.zeros((8, 8, 4), np.uint8), ValueError),
        (np.zeros((0, 8, 3), np.uint8), ValueError),
    ],
)
def test_arrays_of_another_kind(stylizer: Stylizer, picture: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        stylizer(picture)


def test_a_style_that_is_not_tileable(whole_style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = noise(60, 90)
    assert Stylizer(whole_style)(picture).shape == picture.shape
    with pytest.raises(OptionError, match="whole must see the whole picture"):
        Stylizer(whole_style, tile=64)
    monkeypatch.setattr("sakuga.painting.stylizer.WHOLE_LIMIT_PIXELS", 60 * 90 - 1)
    with pytest.raises(InputError, match=r"90 x 60 pixels are more than .* 2048 pixels"):
        Stylizer(whole_style)(picture)
    assert Stylizer(whole_style, tile="none")(picture).shape == picture.shape


@pytest.mark.parametrize(
    "options", [{"device": "tpu"}, {"threads": 0}, {"tile": 0}, {"tile": "some"}]
)
def test_options_out_of_range(tiny_style: Path, options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        Stylizer(tiny_style, **options)


def test_cuda_without_cuda(tiny_style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert Stylizer(tiny_style, device="auto").device == "cpu"
    with pytest.raises(DeviceError, match=r"offers only CPUExecutionProvider.*onnxruntime-gpu"):
        Stylizer(tiny_style, device="cuda")


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="has CUDA")
def test_cuda_that_does_not_start(tiny_style: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort, "get_available_providers", lambda: both)
    with (
        pytest.warns(UserWarning, match="CUDAExecutionProvider"),  # onnxruntime's only complaint
        pytest.raises(DeviceError, match="does not start"),
    ):
        Stylizer(tiny_style, device="cuda")


def test_a_graph_with_other_names_is_refused(tiny_style: Path, tmp_path: Path) -> None:
    model = onnx.load(tiny_style)
    model.graph.input[0].name = "x"
    for node in model.graph.node:
        node.input[:] = ["x" if name == "photo" else name for name in node.input]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(StyleError, match="its graph takes x and gives anime"):
        Stylizer(tmp_path / "other.onnx")


def test_a_graph_that_cannot_be_loaded_is_refused(tiny_style: Path, tmp_path: Path) -> None:
    model = onnx.load(tiny_style)
    model.graph.node[0].op_type = "Sorcery"
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(StyleError, match=r"odd.onnx: onnxruntime cannot load .*Sorcery"):
        Stylizer(tmp_path / "odd.onnx")


def test_its_threads_rest_between_two_pictures(tiny_style: Path) -> None:
    """They would go on waiting in a loop, for as long as a small picture takes."""
    two, picture = Stylizer(tiny_style, threads=2), photo(64, 64)

    def spent_after_s() -> float:
        two(picture)
        began_s = time.process_time()
        time.sleep(0.1)
        return time.process_time() - began_s

    assert min(spent_after_s() for _ in range(5)) < 5e-3
