"""Pictures decoded once, kept as uint8 on the device, cropped there at several scales.

The crops of step n are a function of (seed, n, rank): a resumed training draws what an
uninterrupted one would have drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sakuga.data.split import Split, split_of
from sakuga.errors import DataError, InputError
from sakuga.images.read import read_picture
from sakuga.images.sources import open_sources


def load_pictures(
    sources: Sequence[str | Path], split: Split | Literal["all"] = "train"
) -> list[np.ndarray]:
    """Decode the pictures of folders, tar files and shards to uint8 (H, W, 3) RGB.

    Args:
        sources: folders, tar files, folders of shards.
        split: those to train on, those set aside for evaluation by their content, or all.

    Raises:
        DataError: a source that is missing, a picture that does not decode, or none found.
    """
    pictures = []
    for container in open_sources(sources):
        for name, content in container.read(range(len(container))):
            if split not in ("all", split_of(hashlib.sha256(content).hexdigest())):
                continue
            try:
                pictures.append(read_picture(content, name=name).frames[0].colour)
            except InputError as error:
                raise DataError(f"{error}; or run  sakuga prepare clean  on the folder") from error
    if not pictures:
        raise DataError(f"no pictures found in {', '.join(map(str, sources))} (split: {split})")
    return pictures


class CropSampler:
    """Draws crops at random places, scales and mirrorings from pictures on a device.

    Args:
        layers: one or more parallel lists of pictures, uint8 (H, W, 3): the same place is
            cropped from each (drawings and their smoothed copies).
        crop: side of a crop in pixels.
        sides: the range into which a picture's short side is scaled before cropping.
        device: where pictures are kept and cropped.
    """

    def __init__(
        self,
        layers: Sequence[Sequence[np.ndarray]],
        crop: int,
        sides: tuple[int, int],
        device: torch.device,
    ) -> None:
        self.crop = crop
        self.sides = sides
        self.total = len(layers[0])  # pictures of the whole set
        self.layers = [
            [torch.from_numpy(np.array(p)).permute(2, 0, 1).to(device) for p in pictures]
            for pictures in layers
        ]

    def move_to(self, step: int) -> None:
        """Get ready for a step: nothing to do, all pictures are here (see `RollingSampler`)."""

    def draw(
        self, count: int, generator: torch.Generator, *, rank: int = 0, world: int = 1
    ) -> list[Tensor]:
        """Draw `count` crops, of which a rank cuts every `world`-th.

        Returns:
            One float (count / world, 3, crop, crop) in [-1, 1] a layer.
        """
        # index, scale, top, left, mirror of each crop, on every rank the same.
        places = torch.rand(count, 5, generator=generator, dtype=torch.float64)
        crops: list[list[Tensor]] = [[] for _ in self.layers]
        for place in places[rank::world].tolist():
            index = int(place[0] * len(self.layers[0]))
            height, width = self.layers[0][index].shape[1:]
            low, high = self.sides
            side = low * (high / low) ** place[1]  # uniform in the logarithm
            window = min(round(self.crop * min(height, width) / side), height, width)
            top = int(place[2] * (height - window + 1))
            left = int(place[3] * (width - window + 1))
            for layer, pictures in zip(crops, self.layers, strict=True):
                cut = pictures[index][:, top : top + window, left : left + window]
                cut = _resize(cut.float().unsqueeze(0), self.crop)
                layer.append(cut.flip(3) if place[4] < 0.5 else cut)
        return [torch.cat(layer) / 127.5 - 1 for layer in crops]


def _resize(pictures: Tensor, side: int) -> Tensor:
    """(B, 3, n, n) to (B, 3, side, side), antialiased bicubic, values kept in [0, 255]."""
    if pictures.shape[-1] == side:
        return pictures
    resized = F.interpolate(pictures, size=(side, side), mode="bicubic", antialias=True)
    return resized.clamp(0, 255)
