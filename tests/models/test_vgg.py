"""VGG19: preprocessing from the file, layers before ReLU, and files that are refused."""

import hashlib

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from training import CAFFE_METADATA, random_vgg_weights, write_vgg

from sakuga.errors import DataError
from sakuga.models.readers.safetensors_file import Preprocessing
from sakuga.models.vgg import IMAGENET, VGGFeatures, load_vgg
from sakuga.train.losses import feature_distance


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory):
    return write_vgg(tmp_path_factory.mktemp("vgg") / "vgg.safetensors")


def test_features_follow_the_files_preprocessing_and_come_before_relu(vgg_file):
    vgg = load_vgg(vgg_file)
    picture = torch.rand(1, 3, 16, 16) * 2 - 1
    weights = {k: v.half().float() for k, v in random_vgg_weights().items()}
    own = (picture + 1) / 2 * 255 - torch.tensor([123.68, 116.779, 103.939]).view(1, 3, 1, 1)
    x = F.conv2d(own, weights["features.0.weight"], weights["features.0.bias"], padding=1)
    found = vgg(picture, ["conv1_1", "conv2_1"])
    torch.testing.assert_close(found["conv1_1"], x, rtol=1e-4, atol=1e-2)
    assert found["conv1_1"].min() < 0
    x = F.relu(x)
    x = F.conv2d(x, weights["features.2.weight"], weights["features.2.bias"], padding=1)
    x = F.max_pool2d(F.relu(x), 2)
    x = F.conv2d(x, weights["features.5.weight"], weights["features.5.bias"], padding=1)
    torch.testing.assert_close(found["conv2_1"], x, rtol=1e-4, atol=5e-2)


def test_the_same_network_in_another_scale_gives_the_same_loss():
    """Weights for 0..1 pixels with mean and std: the loss must not notice."""
    weights = random_vgg_weights()
    caffe = VGGFeatures(weights, Preprocessing(255, (123.675, 116.28, 103.53), (1, 1, 1)))
    rescaled = dict(weights)
    std = torch.tensor(IMAGENET.std).view(1, 3, 1, 1)
    rescaled["features.0.weight"] = weights["features.0.weight"] * 255 * std
    torchvision = VGGFeatures(rescaled, IMAGENET)
    a, b = torch.rand(2, 1, 3, 16, 16) * 2 - 1
    losses = [
        feature_distance(vgg(a, ["conv3_1"])["conv3_1"], vgg(b, ["conv3_1"])["conv3_1"]).item()
        for vgg in (caffe, torchvision)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_features_are_frozen_and_unknown_layers_refused(vgg_file):
    vgg = load_vgg(vgg_file)
    assert not any(parameter.requires_grad for parameter in vgg.parameters())
    with pytest.raises(ValueError, match="conv9_9"):
        vgg(torch.zeros(1, 3, 16, 16), ["conv9_9"])


def test_bad_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_vgg(tmp_path / "absent.safetensors")
    text = tmp_path / "text.safetensors"
    text.write_text("hello")
    with pytest.raises(DataError, match="not a whole safetensors file"):
        load_vgg(text)
    silent = write_vgg(tmp_path / "silent.safetensors", {"scale": "255"})
    with pytest.raises(DataError, match="mean, std missing"):
        load_vgg(silent)
    weights = random_vgg_weights()
    del weights["features.7.bias"]
    save_file(weights, tmp_path / "short.safetensors", CAFFE_METADATA)
    with pytest.raises(DataError, match=r"lack features.7.bias \(conv2_2\)"):
        load_vgg(tmp_path / "short.safetensors")
    other = random_vgg_weights()
    other["features.0.weight"] = torch.zeros(64, 3, 5, 5)
    save_file(other, tmp_path / "other.safetensors", CAFFE_METADATA)
    with pytest.raises(DataError, match="another network"):
        load_vgg(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    "metadata", [{"scale": "white"}, {"scale": ""}, {"mean": "1,2"}, {"std": "1,0,1"}]
)
def test_a_preprocessing_that_makes_no_sense_is_refused(tmp_path, metadata):
    file = write_vgg(tmp_path / "vgg.safetensors", {**CAFFE_METADATA, **metadata})
    with pytest.raises(DataError, match="makes no sense"):
        load_vgg(file)


def test_without_internet_the_download_is_one_line_that_says_what_to_do(monkeypatch, tmp_path):
    import socket

    def offline(*arguments, **options):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DataError) as told:
        load_vgg(None)
    assert "(Temporary failure in name resolution)" in str(told.value)
    assert "--set vgg=vgg19-dcbb9e9d.pth" in str(told.value)
    assert " at 0x" not in str(told.value)


def test_torchvisions_own_file_is_taken_and_checked(monkeypatch, tmp_path):
    from sakuga.models import vgg

    file = tmp_path / "vgg19-dcbb9e9d.pth"
    torch.save(random_vgg_weights(), file)
    with pytest.raises(DataError, match="its sha256 is"):
        load_vgg(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(vgg, "TORCHVISION_HASH_PREFIX", digest[:8])
    found = load_vgg(file)(torch.zeros(1, 3, 16, 16), ["conv1_1"])["conv1_1"]
    weights = random_vgg_weights()
    black = (torch.zeros(3) - torch.tensor(IMAGENET.mean) + 0.5) / torch.tensor(IMAGENET.std)
    by_hand = (weights["features.0.weight"].sum((2, 3)) @ black) + weights["features.0.bias"]
    torch.testing.assert_close(found[0, :, 8, 8], by_hand, rtol=1e-4, atol=1e-4)
