"""Feature networks: what a file must state, and that it is obeyed."""

import functools
import hashlib
import http.server
import os
import threading
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

torch = pytest.importorskip("torch")
safetensors_torch = pytest.importorskip("safetensors.torch")

from sakuga.errors import DataError, DeviceError  # noqa: E402
from sakuga.evaluate import features  # noqa: E402
from sakuga.evaluate.features import load_feature_network  # noqa: E402
from sakuga.models.readers.safetensors_file import preprocessing_of  # noqa: E402
from sakuga.models.resnet import FEATURES, ResNet50  # noqa: E402

METADATA = {"size": "32", "scale": "255", "mean": "10,20,30", "std": "2,4,5"}


def squares(count=3, side=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def save_onnx(path, metadata, *, operator="GlobalAveragePool"):
    """A network whose features are the channel means of its input."""
    node = helper.make_node(operator, ["x"], ["y"])
    graph = helper.make_graph(
        [node],
        "means",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", 3, "h", "w"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def resnet_file(tmp_path_factory):
    torch.manual_seed(0)
    network = ResNet50()
    weights = {key: value for key, value in network.state_dict().items() if "tracked" not in key}
    path = tmp_path_factory.mktemp("network") / "random-resnet50.safetensors"
    safetensors_torch.save_file(weights, path, METADATA)
    return path, network.eval()


def test_resnet50_has_the_published_number_of_parameters():
    # 25,557,032 with the classifier of 2048 x 1000 + 1000.
    assert sum(p.numel() for p in ResNet50().parameters()) == 25_557_032 - 2_049_000


def test_resnet50_is_version_one_and_its_stages_halve():
    """Table 1 of the paper: 56, 28, 14 and 7 pixels at 224; in version 1 the first 1x1 strides."""
    network = ResNet50().eval()
    sides = {}
    for name in ("layer1", "layer2", "layer3", "layer4", "layer3.0.conv1", "layer3.0.conv2"):
        network.get_submodule(name).register_forward_hook(
            lambda _, __, output, name=name: sides.update({name: tuple(output.shape[1:])})
        )
    with torch.no_grad():
        network(torch.zeros(1, 3, 224, 224))
    assert sides == {
        "layer1": (256, 56, 56),
        "layer2": (512, 28, 28),
        "layer3.0.conv1": (256, 14, 14),
        "layer3.0.conv2": (256, 14, 14),
        "layer3": (1024, 14, 14),
        "layer4": (2048, 7, 7),
    }


def test_a_safetensors_network_sees_pixels_as_its_metadata_says(resnet_file):
    path, module = resnet_file
    network = load_feature_network(path, device="cpu")
    batch = squares()
    # Written out from the definition, value by value.
    mean, std = np.array([10, 20, 30]), np.array([2, 4, 5])
    wanted = torch.from_numpy(((batch.astype(np.float64) - mean) / std).transpose(0, 3, 1, 2))
    with torch.no_grad():
        expected = module(wanted.float()).numpy()
    found = network.extract(batch)
    assert found.shape == (3, FEATURES)
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert network.name == "random-resnet50"
    assert network.size_pixels == 32
    assert network.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_onnx_network_sees_pixels_as_its_metadata_says(tmp_path):
    path = save_onnx(tmp_path / "means.onnx", {**METADATA, "scale": "1 (0..1)", "name": "means-v2"})
    network = load_feature_network(path)
    batch = squares()
    expected = (batch.mean(axis=(1, 2)) / 255 - [10, 20, 30]) / [2, 4, 5]
    assert network.extract(batch) == pytest.approx(expected, rel=1e-4)
    assert network.name == "means-v2"


@pytest.mark.parametrize("key", ["size", "scale", "mean", "std"])
def test_a_file_that_does_not_state_its_preprocessing_is_refused(tmp_path, key):
    metadata = {name: value for name, value in METADATA.items() if name != key}
    path = save_onnx(tmp_path / "silent.onnx", metadata)
    with pytest.raises(DataError, match=rf"silent.*{key} missing.*mean nothing"):
        load_feature_network(path)


def test_a_safetensors_file_without_metadata_is_refused(tmp_path):
    path = tmp_path / "bare.safetensors"
    safetensors_torch.save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(DataError, match="size, scale, mean, std missing"):
        load_feature_network(path)


@pytest.mark.parametrize(
    "change",
    [{"mean": "1,2"}, {"std": "1,0,1"}, {"size": "big"}, {"scale": "x"}, {"size": "0"}],
)
def test_preprocessing_that_makes_no_sense_is_refused(change):
    with pytest.raises(DataError, match=r"net\.onnx"):
        preprocessing_of({**METADATA, **change}, Path("net.onnx"))


def test_another_network_is_refused(tmp_path, resnet_file):
    path = tmp_path / "other.safetensors"
    safetensors_torch.save_file({"x": torch.zeros(2)}, path, METADATA)
    with pytest.raises(DataError, match="not a ResNet-50"):
        load_feature_network(path)
    weights = safetensors_torch.load_file(resnet_file[0])
    weights["layer3.0.conv1.weight"] = torch.zeros(2, 2)
    safetensors_torch.save_file(weights, path, METADATA)
    with pytest.raises(DataError, match=r"1 tensors .* the first is layer3\.0\.conv1\.weight"):
        load_feature_network(path)


def test_files_that_are_no_networks_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_feature_network(tmp_path / "none.onnx")
    for name, message in (
        ("a.pth", "is not a kind"),
        ("a.onnx", "onnxruntime cannot load"),
        ("a.safetensors", "not a whole safetensors"),
    ):
        (tmp_path / name).write_bytes(b"nonsense")
        with pytest.raises(DataError, match=message):
            load_feature_network(tmp_path / name)


def test_an_onnx_network_that_gives_maps_is_refused(tmp_path):
    network = load_feature_network(save_onnx(tmp_path / "map.onnx", METADATA, operator="Relu"))
    with pytest.raises(DataError, match="average pool"):
        network.extract(squares())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_is_refused_where_there_is_none(resnet_file):
    with pytest.raises(DeviceError, match="--device cpu"):
        load_feature_network(resnet_file[0], device="cuda")


class Means(torch.nn.Module):
    """Has the published Inception's way of being called."""

    def forward(self, pictures: torch.Tensor, return_features: bool = False) -> torch.Tensor:
        means = pictures.float().mean((2, 3))
        return means if return_features else means * 0


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A stand-in for the published Inception, on a local server."""
    folder = tmp_path / "served"
    folder.mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(Means()).save(folder / "inception.pt")
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setattr(
            features, "INCEPTION_URL", f"http://127.0.0.1:{server.server_port}/inception.pt"
        )
        yield folder / "inception.pt"
        server.shutdown()
        thread.join()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Logs nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_the_standard_network_is_downloaded_once_and_checked(published, monkeypatch):
    digest = hashlib.sha256(published.read_bytes()).hexdigest()
    monkeypatch.setattr(features, "INCEPTION_SHA256", digest)
    network = load_feature_network("inception", device="cpu")
    batch = squares(side=299, count=2)
    assert network.extract(batch) == pytest.approx(batch.mean(axis=(1, 2)), rel=1e-4)
    assert network.size_pixels == 299
    published.unlink()
    assert load_feature_network("inception", device="cpu").sha256 == digest


def test_another_file_in_the_place_of_the_standard_network_is_refused(published):
    with pytest.raises(DataError, match="cannot be downloaded"):
        load_feature_network("inception")


@pytest.mark.skipif(
    "SAKUGA_RESNET50" not in os.environ, reason="SAKUGA_RESNET50 names no ResNet-50 file"
)
def test_the_real_resnet50_recognises_a_cup_of_coffee():
    path = Path(os.environ["SAKUGA_RESNET50"])
    network = load_feature_network(path, device="cpu")
    weights = safetensors_torch.load_file(path)
    from sakuga.evaluate.views import views_of
    from sakuga.images.read import read_picture

    example = Path(__file__).parents[2] / "examples" / "food_coffee.jpg"
    seen = network.extract(views_of(read_picture(example).frames[0].colour, "squares", 224))
    logits = seen @ weights["fc.weight"].float().numpy().T + weights["fc.bias"].float().numpy()
    assert set(logits.argmax(axis=1)) <= {504, 967, 968}  # coffee mug, espresso, cup


def test_torchvisions_resnet_is_computed_as_torchvision_does(tmp_path):
    """The same names and shapes as the paper's, but strides in the 3x3 and another epsilon."""
    torch.manual_seed(1)
    network = ResNet50("1.5").eval()
    assert network.layer2[0].conv1.stride == (1, 1) and network.layer2[0].conv2.stride == (2, 2)
    assert network.bn1.eps == 1e-5
    metadata = {"size": "32", "scale": "1", "mean": "0.485,0.456,0.406", "std": "0.229,0.224,0.225"}
    bare = {key: v for key, v in network.state_dict().items() if "tracked" not in key}
    safetensors_torch.save_file(bare, tmp_path / "preprocessing.safetensors", metadata)
    whole = dict(network.state_dict())
    safetensors_torch.save_file(whole, tmp_path / "counters.safetensors", METADATA)
    safetensors_torch.save_file(
        bare, tmp_path / "stated.safetensors", {**METADATA, "resnet": "1.5"}
    )
    for name in ("preprocessing", "counters", "stated"):
        loaded = load_feature_network(tmp_path / f"{name}.safetensors", device="cpu")
        used = metadata if name == "preprocessing" else METADATA
        prepared = preprocessing_of(used, tmp_path)(squares())
        with torch.inference_mode():
            expected = network(torch.from_numpy(prepared)).numpy()
        np.testing.assert_allclose(loaded.extract(squares()), expected, rtol=1e-3, atol=1e-4)


def test_a_resnet_that_could_be_either_is_refused(tmp_path):
    weights = dict(ResNet50().state_dict())
    paper = {"size": "32", "scale": "255", "mean": "123.68,116.779,103.939", "std": "1,1,1"}
    file = tmp_path / "network.safetensors"
    for metadata in (paper, {**METADATA, "resnet": "2"}):
        safetensors_torch.save_file(weights, file, metadata)
        with pytest.raises(DataError, match="which ResNet-50 it is"):
            load_feature_network(file, device="cpu")
    safetensors_torch.save_file(weights, file, {**paper, "resnet": "1"})
    load_feature_network(file, device="cpu")
