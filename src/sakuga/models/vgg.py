"""VGG19 features for the content, style and structure terms.

The weights come from a safetensors file whose metadata states its preprocessing (`scale`, `mean`,
`std`), or from a checked download of torchvision's VGG19, whose preprocessing is that of its
documentation. Either way the network takes pictures in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sakuga.errors import DataError
from sakuga.files import sha256_of
from sakuga.models.download import download
from sakuga.models.readers.safetensors_file import (
    Preprocessing,
    preprocessing_of,
    read_safetensors,
)

# Layer names of VGG19 (Simonyan, Zisserman 2015), configuration E, as far as conv4_4; "pool"
# halves the size. The number is the index in torchvision's `features`, by which weights are
# named in files.
PLAN: tuple[tuple[str, int, int], ...] = (
    ("conv1_1", 0, 64),
    ("conv1_2", 2, 64),
    ("pool", 4, 0),
    ("conv2_1", 5, 128),
    ("conv2_2", 7, 128),
    ("pool", 9, 0),
    ("conv3_1", 10, 256),
    ("conv3_2", 12, 256),
    ("conv3_3", 14, 256),
    ("conv3_4", 16, 256),
    ("pool", 18, 0),
    ("conv4_1", 19, 512),
    ("conv4_2", 21, 512),
    ("conv4_3", 23, 512),
    ("conv4_4", 25, 512),
)
LAYERS = tuple(name for name, _, _ in PLAN if name != "pool")

TORCHVISION_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
TORCHVISION_HASH_PREFIX = "dcbb9e9d"  # of its sha256, by the convention of torch.hub file names
# Of torchvision's own networks, by its documentation.
IMAGENET = Preprocessing(1.0, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


class VGGFeatures(nn.Module):
    """VGG19 up to conv4_4, frozen: pictures in [-1, 1] to features before ReLU.

    Args:
        weights: "features.N.weight" and "features.N.bias" tensors.
        own: what the network itself takes.
    """

    factor: Tensor
    offset: Tensor

    def __init__(self, weights: dict[str, Tensor], own: Preprocessing) -> None:
        super().__init__()
        self.convs = nn.ModuleDict()
        channels = 3
        for name, index, outputs in PLAN:
            if name == "pool":
                continue
            conv = nn.Conv2d(channels, outputs, 3, 1, 1)
            for part in ("weight", "bias"):
                key = f"features.{index}.{part}"
                wanted = getattr(conv, part)
                if key not in weights:
                    raise DataError(
                        f"VGG19 weights lack {key} ({name}): use a file with all of conv1_1-4_4"
                    )
                if weights[key].shape != wanted.shape:
                    raise DataError(
                        f"VGG19 weights: {key} has shape {tuple(weights[key].shape)}, "
                        f"VGG19 has {tuple(wanted.shape)}: this is another network"
                    )
                wanted.data.copy_(weights[key])
            self.convs[name] = conv
            channels = outputs
        # own = ((x + 1) / 2 * scale - mean) / std, as one factor and one offset a channel.
        mean, std = (
            torch.tensor(three, dtype=torch.float64).view(1, 3, 1, 1)
            for three in (own.mean, own.std)
        )
        self.register_buffer("factor", (own.scale / 2 / std).float(), persistent=False)
        self.register_buffer("offset", ((own.scale / 2 - mean) / std).float(), persistent=False)
        self.requires_grad_(False)
        self.eval()

    def forward(self, pictures: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Features of (B, 3, H, W) in [-1, 1] at `layers`, before ReLU: {name: (B, C, h, w)}."""
        wanted = set(layers)
        unknown = wanted - set(LAYERS)
        if unknown:
            raise ValueError(f"no such layer: {', '.join(sorted(unknown))}; there are {LAYERS}")
        found: dict[str, Tensor] = {}
        x = pictures * self.factor + self.offset
        for name, _, _ in PLAN:
            if name == "pool":
                x = F.max_pool2d(x, 2)
                continue
            x = self.convs[name](x)
            if name in wanted:
                found[name] = x
                if len(found) == len(wanted):
                    break
            x = F.relu(x)
        return found


def load_vgg(path: str | Path | None) -> VGGFeatures:
    """Load VGG19 from a file, or download torchvision's when `path` is None.

    Args:
        path: safetensors that state their preprocessing, or torchvision's own vgg19-dcbb9e9d.pth.

    Raises:
        DataError: the file is missing, is neither kind, does not state its preprocessing, or holds
            another network; or the download failed.
        MissingExtraError: pooch is needed for the download and is not installed.
    """
    if path is None:
        return _download_torchvision()
    path = Path(path)
    if not path.is_file():
        raise DataError(
            f"VGG19 weights {path}: no such file; leave `vgg` empty to download torchvision's"
        )
    if path.suffix == ".pth":
        return _read_torchvision(path)
    metadata, weights = read_safetensors(path)
    return VGGFeatures(weights, preprocessing_of(metadata, path, sized=False))


def _download_torchvision() -> VGGFeatures:
    name = Path(TORCHVISION_URL).name
    file = download(
        "VGG19",
        TORCHVISION_URL,
        None,
        verb="sakuga train (download of VGG19)",
        extra="train",
        remedy=f"try again later, or download it elsewhere and say  --set vgg={name}",
    )
    try:
        return _read_torchvision(file)
    except DataError:
        file.unlink()  # so that the next try downloads it anew
        raise


def _read_torchvision(path: Path) -> VGGFeatures:
    digest = sha256_of(path)
    if not digest.startswith(TORCHVISION_HASH_PREFIX):
        raise DataError(
            f"VGG19 weights {path}: not torchvision's {Path(TORCHVISION_URL).name} (its sha256 is "
            f"{digest[:8]}...): download {TORCHVISION_URL} again"
        )
    weights = torch.load(path, map_location="cpu", weights_only=True)
    return VGGFeatures(weights, IMAGENET)
