"""Export: one file with its spec, the same pictures as torch, tiles that equal the whole."""

import numpy as np
import onnx
import pytest
import torch

from sakuga.convert import onnx_export as export
from sakuga.errors import TrainingError
from sakuga.images.read import to_float, to_pixels
from sakuga.models.cartoongan import CartoonGenerator
from sakuga.models.local import LocalGenerator
from sakuga.painting.stylizer import Stylizer
from sakuga.styles import StyleSpec, read_spec


def spec_of(network, name="test"):
    return StyleSpec(
        name=name,
        version="1.0.0",
        description="A test.",
        size_multiple=network.size_multiple,
        minimum_side=network.minimum_side,
        receptive_radius=network.receptive_radius,
        licence="CC0-1.0",
        attribution=("nobody",),
        training={"steps": 3},
    )


@pytest.fixture(scope="module")
def generator():
    """A generator that does something, unlike a fresh one."""
    torch.manual_seed(0)
    network = LocalGenerator(8, 2)
    with torch.no_grad():
        network.tail[-1].weight.mul_(30)
    return network


@pytest.fixture(scope="module")
def style(generator, tmp_path_factory):
    out = tmp_path_factory.mktemp("export") / "test.onnx"
    export.export_onnx(generator, spec_of(generator), out)
    return out


def test_the_file_holds_its_spec_and_half_weights(style, generator):
    assert read_spec(style) == spec_of(generator)
    model = onnx.load(style)
    onnx.checker.check_model(model)
    assert model.opset_import[0].version == 18
    kinds = {t.data_type for t in model.graph.initializer if len(t.dims) == 4}
    assert kinds == {onnx.TensorProto.FLOAT16}
    assert not list(style.parent.glob("*.data"))


@pytest.mark.parametrize("size", [(8, 8), (41, 67), (96, 40)])
def test_painting_equals_torch(style, generator, size):
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    rows, columns = (-side % 8 for side in size)
    padded = np.pad(photo, ((0, rows), (0, columns), (0, 0)), mode="reflect")
    with torch.no_grad():
        expected = generator(torch.from_numpy(to_float(padded))).clamp(-1, 1)
    expected = to_pixels(expected.numpy())[0][: size[0], : size[1]]
    found = Stylizer(style, device="cpu")(photo)
    difference = np.abs(found.astype(int) - expected)
    assert np.abs(photo.astype(int) - expected).mean() > 3  # it paints
    # Half-precision weights move a value by up to 1e-3, which rounds to another level now and then.
    assert difference.max() <= 1 and (difference > 0).mean() < 0.06


def test_tiles_equal_the_whole(style):
    photo = np.random.default_rng(1).integers(0, 256, (203, 331, 3), np.uint8)
    whole = Stylizer(style, device="cpu", tile="none")(photo)
    tiled = Stylizer(style, device="cpu", tile=64)(photo)
    difference = np.abs(whole.astype(int) - tiled)
    assert difference.max() <= 1 and (difference > 0).mean() < 1e-4


def test_exporting_leaves_the_network_as_it_was(generator, tmp_path):
    before = [parameter.clone() for parameter in generator.parameters()]
    export.export_onnx(generator, spec_of(generator), tmp_path / "a.onnx")
    assert all(map(torch.equal, before, generator.parameters()))


def test_the_papers_generator_exports_and_is_not_tileable(tmp_path):
    class Small(CartoonGenerator):
        """The same graph with two blocks, for speed."""

        def __init__(self):
            super().__init__()
            self.blocks = self.blocks[:2]

    network = Small()
    export.export_onnx(network, spec_of(network), tmp_path / "paper.onnx")
    assert read_spec(tmp_path / "paper.onnx").receptive_radius is None


def test_a_file_that_differs_from_torch_is_not_written(generator, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(TrainingError, match="not written"):
        export.export_onnx(generator, spec_of(generator), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())
