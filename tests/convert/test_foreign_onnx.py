"""Foreign onnx files: fed as they want to be, or refused with what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from sakuga.convert.import_weights import import_weights
from sakuga.convert.verbs import Credits, Feeding
from sakuga.errors import OptionError, OutputError, StyleError
from sakuga.painting.stylizer import Stylizer

# What the foreign network does to the values it is fed: the first channel is scaled, so that a
# wrong order or range shows.
GAIN = np.array([0.5, 0.25, 1.0], np.float32)


def write_network(
    path: Path,
    *,
    layout: str = "nchw",
    shape: list[Any] | None = None,
    cell: int = 1,
    opset: int = 13,
    name: str = "input:0",
) -> Path:
    """A network that multiplies each channel by `GAIN`; sizes are cut to multiples of `cell`."""
    shape = shape or (["n", 3, "h", "w"] if layout == "nchw" else ["n", "h", "w", 3])
    channel = (1, 3, 1, 1) if layout == "nchw" else (1, 1, 1, 3)
    weights = [numpy_helper.from_array(GAIN.reshape(channel), "gain")]
    nodes = [helper.make_node("Mul", [name, "gain"], ["half"])]
    if cell > 1:  # down and up again loses the rest
        size = {"kernel_shape": [cell, cell], "strides": [cell, cell]}
        weights.append(numpy_helper.from_array(np.array([1, 1, cell, cell], np.float32), "up"))
        nodes.append(helper.make_node("AveragePool", ["half"], ["small"], **size))
        nodes.append(helper.make_node("Resize", ["small", "", "up"], ["out"], mode="nearest"))
    else:
        nodes.append(helper.make_node("Identity", ["half"], ["out"]))
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [None] * 4)],
        weights,
    )
    opsets = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def paint(style: Path, photo: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(style, providers=["CPUExecutionProvider"])
    (anime,) = session.run(["anime"], {"photo": photo})
    return anime


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("bgr", [False, True])
@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)])
def test_network_is_fed_its_range_layout_and_order(
    layout: str, bgr: bool, value_range: tuple[float, float], tmp_path: Path
) -> None:
    source = write_network(tmp_path / "a.bin", layout=layout)
    spec = import_weights(source, tmp_path / "New Style.onnx", Feeding(value_range, bgr=bgr))
    assert spec.name == "new-style"
    assert (spec.size_multiple, spec.receptive_radius) == (1, None)
    photo = np.random.default_rng(0).uniform(-1, 1, (1, 3, 5, 9)).astype(np.float32)
    low, high = value_range
    fed = (photo + 1) / 2 * (high - low) + low
    gain = (GAIN[::-1] if bgr else GAIN).reshape(3, 1, 1)
    expected = ((fed * gain) - low) / (high - low) * 2 - 1
    np.testing.assert_allclose(paint(tmp_path / "New Style.onnx", photo), expected, atol=1e-5)


def test_result_is_kept_within_the_range(tmp_path: Path) -> None:
    source = write_network(tmp_path / "a.bin")
    import_weights(source, tmp_path / "new.onnx", Feeding((0, 1)))
    anime = paint(tmp_path / "new.onnx", np.full((1, 3, 4, 4), 40, np.float32))
    assert anime.max() == 1


def test_animegan3_is_known_by_the_name_of_its_input(tmp_path: Path) -> None:
    source = write_network(
        tmp_path / "a.bin",
        layout="nhwc",
        name="AnimeGANv3_input:0",
        shape=["n", "h", "w", 3],
    )
    spec = import_weights(source, tmp_path / "new.onnx")
    assert spec.attribution[0].startswith("AnimeGANv3")
    assert spec.minimum_side == 256
    photo = np.random.default_rng(1).uniform(-1, 1, (1, 3, 4, 6)).astype(np.float32)
    expected = photo * GAIN.reshape(3, 1, 1)
    np.testing.assert_allclose(paint(tmp_path / "new.onnx", photo), expected, atol=1e-6)
    assert Stylizer(tmp_path / "new.onnx")(np.zeros((7, 300, 3), np.uint8)).shape == (7, 300, 3)


def test_multiple_of_sizes_is_found_or_checked(tmp_path: Path) -> None:
    source = write_network(tmp_path / "a.bin", cell=8)
    assert import_weights(source, tmp_path / "new.onnx", Feeding((0, 1))).size_multiple == 8
    feeding = Feeding((0, 1), multiple=4)
    with pytest.raises(StyleError, match=r"multiples of 4 \(of \(1, 3, .*--multiple"):
        import_weights(source, tmp_path / "b.onnx", feeding)
    assert not (tmp_path / "b.onnx").exists()
    photo = np.random.default_rng(5).integers(0, 256, (13, 30, 3), np.uint8)
    assert Stylizer(tmp_path / "new.onnx")(photo).shape == photo.shape


@pytest.mark.parametrize(
    ("options", "feeding", "error", "message"),
    [
        ({}, Feeding(), OptionError, "--range -1 1"),
        ({"shape": ["n", "c", "h", "w"]}, Feeding((0, 1)), OptionError, "--layout nchw or"),
        ({}, Feeding((0, 1), layout="nhwc"), StyleError, "one size only"),
        ({"shape": [1, 3, 256, 256]}, Feeding((0, 1)), StyleError, "1 x 3 x 256 x 256"),
        ({"shape": ["n", 4, "h", "w"]}, Feeding((0, 1), layout="nchw"), OptionError, "not RGB"),
        ({"opset": 7}, Feeding((0, 1)), StyleError, "operator set 7"),
    ],
)
def test_what_is_missing_is_said(
    options: dict[str, Any],
    feeding: Feeding,
    error: type[Exception],
    message: str,
    tmp_path: Path,
) -> None:
    source = write_network(tmp_path / "a.bin", **options)
    with pytest.raises(error, match=message):
        import_weights(source, tmp_path / "new.onnx", feeding)
    assert not (tmp_path / "new.onnx").exists()


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    model = onnx.load(write_network(tmp_path / "a.bin"))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../secret"
    (tmp_path / "b.bin").write_bytes(model.SerializeToString())
    with pytest.raises(StyleError, match="in another file"):
        import_weights(tmp_path / "b.bin", tmp_path / "new.onnx", Feeding((0, 1)))


def test_a_style_is_not_imported_again(tiny_style: Path, tmp_path: Path) -> None:
    with pytest.raises(StyleError, match="a style already"):
        import_weights(tiny_style, tmp_path / "new.onnx", Feeding((0, 1)))


def test_places_names_and_options_are_checked(tmp_path: Path) -> None:
    source = write_network(tmp_path / "a.bin")
    with pytest.raises(OptionError, match=r"ends in \.onnx"):
        import_weights(source, tmp_path / "new.pth", Feeding((0, 1)))
    (tmp_path / "new.onnx").write_bytes(b"mine")
    with pytest.raises(OutputError, match="there already"):
        import_weights(source, tmp_path / "new.onnx", Feeding((0, 1)))
    import_weights(source, tmp_path / "new.onnx", Feeding((0, 1)), overwrite=True)
    with pytest.raises(OptionError, match="give --name"):
        import_weights(source, tmp_path / "b.onnx", Feeding((0, 1)), Credits(name="Mein Stil"))
    with pytest.raises(OptionError, match="the smaller"):
        Feeding((1, 0))
    with pytest.raises(OptionError, match="multiple is 0"):
        Feeding(multiple=0)
    spec = import_weights(
        source, tmp_path / "c.onnx", Feeding((0, 1)), Credits("c", "CC0-1.0", ("Me",))
    )
    assert (spec.licence, spec.attribution) == ("CC0-1.0", ("Me",))
