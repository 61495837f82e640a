"""Feature networks: pictures in, one vector a view out. Which network is the user's choice.

A network file states its own preprocessing in its metadata (safetensors metadata, or ONNX metadata
properties); a file that does not is refused, because a score under guessed preprocessing looks like
a score and means nothing. The keys:

    size    side in pixels of the square the network takes
    scale   value of white in its input: 1 or 255
    mean    of its input, three numbers for R, G, B
    std     of its input, three numbers
    resnet  optional: "1" or "1.5", where a ResNet-50 in .safetensors leaves doubt which it is
    name    optional: what scores are called after; by default the name of the file

The input is (pixels / 255 * scale - mean) / std, float32 (B, 3, size, size) RGB.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sakuga.errors import DataError
from sakuga.files import sha256_of
from sakuga.models.download import download
from sakuga.models.readers.safetensors_file import (
    Preprocessing,
    preprocessing_of,
    read_safetensors,
)

if TYPE_CHECKING:
    from sakuga.models.resnet import Version

INCEPTION = "inception"  # asks for the standard network of published FID and KID values

# NVIDIA's TorchScript translation of the Inception-v3 of 2015-12-05, on which published FIDs stand.
INCEPTION_URL = (
    "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/"
    "inception-2015-12-05.pt"
)
INCEPTION_SHA256 = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4"
INCEPTION_SIZE = 299

Squares = NDArray[np.uint8]  # (B, size, size, 3) RGB
Vectors = NDArray[np.float32]  # (B, D)


@dataclass(frozen=True)
class FeatureNetwork:
    """A network that turns squares into vectors, with what a reader of its scores must know."""

    name: str  # part of the name of every score
    sha256: str  # of the file: features are cached under it
    size_pixels: int  # side of the squares it takes
    extract: Callable[[Squares], Vectors]


def load_feature_network(source: str | Path, *, device: str = "auto") -> FeatureNetwork:
    """Load a feature network.

    Args:
        source: a .safetensors file with the weights of ResNet-50, an .onnx file whose first output
            is (B, D), or "inception" for the standard Inception-v3, downloaded once and checked.
        device: "auto", "cpu" or "cuda"; ONNX files run on the CPU.

    Raises:
        DataError: no such file, another kind of file, no preprocessing in it, or another network.
        DeviceError: "cuda" is asked for and there is none.
    """
    if str(source) == INCEPTION:
        file = download(
            "The standard Inception-v3",
            INCEPTION_URL,
            INCEPTION_SHA256,
            verb="sakuga evaluate --network inception",
            extra="eval",
            remedy="give a feature network's file with --network.",
        )
        return _torchscript(file, device)
    path = Path(source)
    if not path.is_file():
        raise DataError(
            f"Feature network {path}: no such file: give a .safetensors or .onnx file, "
            f"or {INCEPTION!r} to download the standard one."
        )
    if path.suffix == ".safetensors":
        return _safetensors(path, device)
    if path.suffix == ".onnx":
        return _onnx(path)
    raise DataError(
        f"Feature network {path}: {path.suffix or 'no suffix'} is not a kind that states its "
        "preprocessing: give a .safetensors or .onnx file."
    )


def _safetensors(path: Path, device: str) -> FeatureNetwork:
    import torch

    from sakuga.models.devices import torch_device
    from sakuga.models.resnet import ResNet50

    metadata, weights = read_safetensors(path)
    prepare = preprocessing_of(metadata, path)
    version = resnet_version(metadata, prepare, weights, path)
    network = ResNet50(version)
    wanted = network.state_dict()
    found = {key: weights[key] for key in wanted if key in weights}
    wrong = [key for key, value in found.items() if value.shape != wanted[key].shape]
    # A freshly made network's batch counters are no weights, and files do without them.
    wrong += [key for key in wanted if key not in found and not key.endswith("num_batches_tracked")]
    if wrong:
        raise DataError(
            f"Feature network {path}: not a ResNet-50 in torchvision's names ({len(wrong)} tensors "
            f"are missing or of another shape, the first is {wrong[0]}): export it to ONNX instead."
        )
    network.load_state_dict(found, strict=False)
    place = torch_device(device)
    network = network.to(place).eval()

    def extract(squares: Squares) -> Vectors:
        with torch.inference_mode():
            vectors = network(torch.from_numpy(prepare(squares)).to(place))
        return np.asarray(vectors.float().cpu().numpy())

    return FeatureNetwork(
        metadata.get("name", path.stem),
        sha256_of(path) if version == "1" else f"{sha256_of(path)}-{version}",  # of another network
        prepare.size_pixels,
        extract,
    )


def resnet_version(
    metadata: Mapping[str, str], prepare: Preprocessing, names: Iterable[str], path: Path
) -> Version:
    """Tell the paper's ResNet-50 from torchvision's, whose tensors have the same names and shapes.

    The metadata's key `resnet` says it. Else PyTorch's own files carry batch counters, and each
    family has its preprocessing.

    Raises:
        DataError: the signs contradict each other, or the key is neither.
    """
    stated = metadata.get("resnet")
    if stated in ("1", "1.5"):
        return "1" if stated == "1" else "1.5"
    deviation = prepare.std[0] / prepare.scale  # of pixels from 0 to 1
    of_torchvision = [0.2 < deviation < 0.26, any("num_batches_tracked" in name for name in names)]
    of_paper = abs(deviation * 255 - 1) < 1e-3
    if stated is not None or (of_paper and any(of_torchvision)):
        raise DataError(
            f"Feature network {path}: it cannot be told which ResNet-50 it is, and scores of the "
            "wrong one mean nothing: write resnet='1' (strides in the 1x1, as in the paper and in "
            "Keras) or resnet='1.5' (in the 3x3, torchvision) into its metadata."
        )
    return "1.5" if any(of_torchvision) else "1"


def _onnx(path: Path) -> FeatureNetwork:
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions share no narrower class
        raise DataError(f"Feature network {path}: onnxruntime cannot load it ({error}).") from error
    metadata = session.get_modelmeta().custom_metadata_map
    prepare = preprocessing_of(metadata, path)
    taken, given = session.get_inputs()[0].name, session.get_outputs()[0].name

    def extract(squares: Squares) -> Vectors:
        vectors = np.asarray(session.run([given], {taken: prepare(squares)})[0], np.float32)
        if vectors.ndim < 2 or vectors.size != len(squares) * vectors.shape[1]:
            raise DataError(
                f"Feature network {path}: gives {vectors.shape}, not one vector a picture: "
                "end it with an average pool."
            )
        return vectors.reshape(len(squares), -1)

    return FeatureNetwork(
        metadata.get("name", path.stem), sha256_of(path), prepare.size_pixels, extract
    )


def _torchscript(path: Path, device: str) -> FeatureNetwork:
    """The downloaded Inception: uint8-range RGB in, normalised inside the file."""
    import torch

    from sakuga.models.devices import torch_device

    place = torch_device(device)
    with warnings.catch_warnings():
        # TorchScript is deprecated, but the standard network is published in this form only.
        warnings.simplefilter("ignore", DeprecationWarning)
        network: Any = torch.jit.load(path, map_location=place).eval()  # type: ignore[no-untyped-call]

    def extract(squares: Squares) -> Vectors:
        batch = torch.from_numpy(np.ascontiguousarray(squares.transpose(0, 3, 1, 2))).to(place)
        with torch.inference_mode():
            vectors = network(batch, return_features=True)
        return np.asarray(vectors.float().cpu().numpy())

    return FeatureNetwork("inception-2015-12-05", sha256_of(path), INCEPTION_SIZE, extract)
