"""Pictures decoded once, kept as uint8 on the device, cropped there at several scales.

The crops of step n are a function of (seed, n, rank): a resumed training draws what an
uninterrupted one would have drawn.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sakuga.data.pairs import Pair, decode_pair
from sakuga.data.picture_set import read_facts, stamp_of
from sakuga.data.split import Split
from sakuga.errors import DataError, InputError
from sakuga.images.read import read_picture
from sakuga.images.sources import open_sources
from sakuga.train.stream import decode


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
    pictures = [picture for _, picture in named_pictures(sources, split)]
    if not pictures:
        raise DataError(f"no pictures found in {', '.join(map(str, sources))} (split: {split})")
    return pictures


def named_pictures(
    sources: Sequence[str | Path], split: Split | Literal["all"]
) -> Iterator[tuple[str, np.ndarray]]:
    """Decode the pictures as `load_pictures` does, one by one, each with its path before it."""
    for container in open_sources(sources):
        for name, content in container.read(range(len(container))):
            if (picture := decode(name, content, split)) is not None:
                yield name, picture


def pictures_or_any(
    sources: Sequence[str | Path], split: Split, limit: int | None = None
) -> tuple[list[tuple[str, np.ndarray]], str]:
    """The named pictures of a split, up to `limit`; of a set so small that it has none, any.

    Returns:
        The pictures, and a sentence about what was done instead; empty if nothing was.

    Raises:
        DataError: as `load_pictures`.
    """
    found = list(itertools.islice(named_pictures(sources, split), limit))
    if found:
        return found, ""
    found = list(itertools.islice(named_pictures(sources, "all"), limit))
    there = ", ".join(map(str, sources))
    if split == "held-out":
        return found, f"{there}: no picture is held out, so sheets show some that are trained on"
    return found, f"{there}: every picture is held out, so all of them are trained on"


class SmoothCopies:
    """The copies that `sakuga prepare smooth` stored, found by their originals.

    Args:
        folder: of the copies.
        originals: the folder they were made of.

    Raises:
        DataError: the folder holds no such copies.
    """

    def __init__(self, folder: Path, originals: Path) -> None:
        self.folder, self.originals = folder, originals
        if not originals.is_dir():
            raise DataError(f"smooth: {originals} is no folder, whose pictures have names")
        facts = read_facts(folder)
        self._of = {
            fact["origin"]: (file, fact.get("source_stamp")) for file, fact in facts.items()
        }
        if not any(stamp for _, stamp in self._of.values()):
            raise DataError(
                f"smooth: {folder} holds no smoothed copies: make them with  {self._command()}"
            )

    def of(self, name: str, picture: np.ndarray) -> np.ndarray:
        """The copy of a picture, by the picture's path. Raises DataError: none, or an old one."""
        path = Path(name)
        file, stamp = self._of.get(path.relative_to(self.originals).as_posix(), ("", None))
        if not file or stamp != stamp_of(path) or not (self.folder / file).is_file():
            what = "an older copy" if file else "no copy"
            raise DataError(f"smooth: {self.folder} has {what} of {name}: run  {self._command()}")
        try:
            copy = read_picture(self.folder / file).frames[0].colour
        except InputError as error:
            raise DataError(f"smooth: {error}") from error
        if copy.shape != picture.shape:
            raise DataError(f"{self.folder / file}: is of another size than {name}")
        return copy

    def _command(self) -> str:
        return f"sakuga prepare smooth {self.originals} {self.folder}"


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
        self.note = ""  # what is worth telling of it
        self.layers = [
            [torch.from_numpy(np.array(p)).permute(2, 0, 1).to(device) for p in pictures]
            for pictures in layers
        ]

    def move_to(self, step: int) -> None:
        """Get ready for a step: nothing to do, all pictures are here (see `RollingSampler`)."""

    def draw(
        self, count: int, generator: torch.Generator, *, rank: int = 0, world_size: int = 1
    ) -> list[Tensor]:
        """Draw `count` crops, of which a rank cuts every `world_size`-th.

        Returns:
            One float (count / world_size, 3, crop, crop) in [-1, 1] a layer.
        """
        # index, scale, top, left, mirror of each crop, on every rank the same.
        places = torch.rand(count, 5, generator=generator, dtype=torch.float64)
        crops: list[list[Tensor]] = [[] for _ in self.layers]
        for place in places[rank::world_size].tolist():
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


def load_pairs(sources: Sequence[str | Path], limit: int | None = None) -> list[Pair]:
    """Decode the pairs of folders, tar files and shards, the first `limit` of them.

    All of them are for training: `prepare cel` leaves out the photos that are held out.

    Raises:
        DataError: a source that is missing, a picture that is no pair, or none found.
    """
    files = (
        file
        for container in open_sources(sources)
        for file in container.read(range(len(container)))
    )
    return [decode_pair(content, name) for name, content in itertools.islice(files, limit)]


class PairSampler:
    """Draws crops of photos with the same crops of their drawings and strokes.

    Nothing is scaled: strokes keep the width in which they were drawn. Kept as uint8 on a device.

    Args:
        pairs: those smaller than a crop are left out.
        crop: side of a crop in pixels.
        face_share: of the crops, 0 to 1, that are cut around a face, as long as there are any.
        device: where pictures are kept and cropped.

    Raises:
        DataError: no pair is as large as a crop.
    """

    def __init__(
        self, pairs: Sequence[Pair], crop: int, face_share: float, device: torch.device
    ) -> None:
        pairs = [pair for pair in pairs if min(pair.photo.shape[:2]) >= crop]
        if not pairs:
            raise DataError(
                f"no pair is as large as a crop of {crop} pixels: lower crop, or give "
                "sakuga prepare cel  larger --sides"
            )
        self.crop = crop
        self.face_share = face_share
        self.total = len(pairs)
        self.note = ""  # as of a `CropSampler`
        self.pictures = [
            torch.from_numpy(np.dstack([p.photo, p.drawing, p.strokes])).permute(2, 0, 1).to(device)
            for p in pairs
        ]  # (7, H, W) each
        self.faces = [(i, face) for i, pair in enumerate(pairs) for face in pair.faces]

    def draw(
        self, count: int, generator: torch.Generator, *, rank: int = 0, world_size: int = 1
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Draw `count` crops, of which a rank cuts every `world_size`-th.

        Returns:
            Photos and drawings, float (count / world_size, 3, crop, crop) in [-1, 1], and strokes,
            (count / world_size, 1, crop, crop) in [0, 1].
        """
        # face or not, index, top, left, mirror of each crop, on every rank the same.
        places = torch.rand(count, 5, generator=generator, dtype=torch.float64)
        crops = []
        for face, which, down, along, mirror in places[rank::world_size].tolist():
            if self.faces and face < self.face_share:
                index, found = self.faces[int(which * len(self.faces))]
                height, width = self.pictures[index].shape[1:]
                # The face's middle lies somewhere in the middle half of the crop.
                top = round(found.y - self.crop * (0.25 + 0.5 * down))
                left = round(found.x - self.crop * (0.25 + 0.5 * along))
                top = min(max(0, top), height - self.crop)
                left = min(max(0, left), width - self.crop)
            else:
                index = int(which * len(self.pictures))
                height, width = self.pictures[index].shape[1:]
                top = int(down * (height - self.crop + 1))
                left = int(along * (width - self.crop + 1))
            cut = self.pictures[index][:, top : top + self.crop, left : left + self.crop]
            crops.append(cut.flip(2) if mirror < 0.5 else cut)
        stacked = torch.stack(crops).float()
        return stacked[:, :3] / 127.5 - 1, stacked[:, 3:6] / 127.5 - 1, stacked[:, 6:] / 255


def _resize(pictures: Tensor, side: int) -> Tensor:
    """(B, 3, n, n) to (B, 3, side, side), antialiased bicubic, values kept in [0, 255]."""
    if pictures.shape[-1] == side:
        return pictures
    resized = F.interpolate(pictures, size=(side, side), mode="bicubic", antialias=True)
    return resized.clamp(0, 255)
