"""Crops from sets that do not fit in memory: a pool of pictures that rolls over the set.

At step n a rank's pool holds the pictures at the places n * renewed up to n * renewed + pool of its
stream: a function of (seed, n), so a resumed training finds the pool that it had. All crops of a
step come from the pool; every picture stays for pool / renewed steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from sakuga.data.smooth import smooth_edges
from sakuga.errors import DataError, InputError
from sakuga.images.colour import Pixels
from sakuga.images.read import read_size
from sakuga.images.sources import open_sources
from sakuga.train.dataset import CropSampler, SmoothCopies, pictures_or_any
from sakuga.train.stream import PictureStream

CROPS_OF_A_PICTURE = 4  # while it is in the pool, on average
MEASURED = 200  # pictures whose headers are read to guess the size of a set
POOL_PICTURES = 2048  # at most; that many are mixed well, and filling the pool takes seconds

Layers = Callable[[str, Pixels], list[Pixels]]  # path, picture -> itself and what is cropped alike


class RollingSampler(CropSampler):
    """A `CropSampler` whose pictures change from step to step.

    Args:
        stream: of this rank.
        layers_of: makes the parallel layers of a picture.
        crop, sides, device: as `CropSampler` takes them.
        pool: places of the stream whose pictures are held at a time.
        renewed: places by which the pool moves on at every step.
        total: pictures of the whole set, for the record.
    """

    def __init__(
        self,
        stream: PictureStream,
        layers_of: Layers,
        crop: int,
        sides: tuple[int, int],
        device: torch.device,
        *,
        pool: int,
        renewed: int,
        total: int,
    ) -> None:
        super().__init__([[]], crop, sides, device)  # `move_to` fills them
        self._stream = stream
        self._layers_of = layers_of
        self._device = device
        self._pool = pool
        self._renewed = renewed
        self.total = total
        self._begin = 0
        self._held: dict[int, list[torch.Tensor]] = {}  # place -> the picture's layers

    def move_to(self, step: int) -> None:
        """Hold the pictures of a step.

        Raises:
            DataError: a picture that does not decode, or none of the split in the whole pool.
        """
        begin = step * self._renewed
        end = begin + self._pool
        if begin < self._begin:  # back: what comes before those held is needed too
            self._held.clear()
        self._begin = begin
        for place in [place for place in self._held if not begin <= place < end]:
            del self._held[place]
        first = max(self._held, default=begin - 1) + 1
        for place, name, picture in self._stream.between(first, end):
            self._held[place] = [
                torch.from_numpy(np.array(layer)).permute(2, 0, 1).to(self._device)
                for layer in self._layers_of(name, picture)
            ]
        if not self._held:
            raise DataError(f"none of {self._pool} pictures in a row is for training: give more")
        self.layers = [list(layer) for layer in zip(*self._held.values(), strict=True)]


def open_sampler(
    sources: Sequence[str | Path],
    crop: int,
    sides: tuple[int, int],
    device: torch.device,
    *,
    smooth: bool = False,
    copies: str = "",
    memory_gb: float,
    seed: int,
    crops_a_step: int,
    rank: int = 0,
    world_size: int = 1,
) -> CropSampler:
    """Open a set: in memory if it fits, else as a pool that rolls over it.

    Args:
        sources: folders, tar files, folders of shards.
        crop, sides, device: as `CropSampler` takes them.
        smooth: add a second layer, the pictures with their lines blurred.
        copies: folder in which those are stored (`prepare smooth`); empty: they are made.
        memory_gb: for decoded pictures, each layer counted.
        seed: of the order in which a pool meets the pictures.
        crops_a_step: that one rank cuts.
        rank, world_size: this process and how many there are.

    Raises:
        DataError: sources that are missing or empty, or pictures that do not decode.
    """

    stored = SmoothCopies(Path(copies), Path(sources[0])) if smooth and copies else None

    def layers_of(name: str, picture: Pixels) -> list[Pixels]:
        if not smooth:
            return [picture]
        return [picture, stored.of(name, picture) if stored else smooth_edges(picture)]

    total, picture_gb = measure_set(sources)
    picture_gb *= 2 if smooth else 1
    if total * picture_gb <= memory_gb:
        pictures, note = pictures_or_any(sources, "train")
        made = [layers_of(name, picture) for name, picture in pictures]
        sampler = CropSampler(list(zip(*made, strict=True)), crop, sides, device)
        sampler.note = note
        return sampler
    stream = PictureStream(sources, seed=seed, rank=rank, world_size=world_size)
    pool = min(POOL_PICTURES, stream.places, max(1, int(memory_gb / picture_gb)))
    renewed = max(1, crops_a_step // CROPS_OF_A_PICTURE)
    return RollingSampler(
        stream,
        layers_of,
        crop,
        sides,
        device,
        pool=pool,
        renewed=min(renewed, pool),
        total=total,
    )


def measure_set(sources: Sequence[str | Path]) -> tuple[int, float]:
    """Count the pictures of a set, and guess from headers how many GB one takes, decoded.

    Raises:
        DataError: sources that are missing or empty.
    """
    containers = open_sources(sources)
    total = sum(len(container) for container in containers)
    step = max(1, total // MEASURED)
    pixels = []
    for container in containers:
        for name, content in container.read(range(0, len(container), step)):
            try:
                width, height = read_size(content, name)
            except InputError as error:
                raise DataError(f"{error}; or run  sakuga prepare clean  on the set") from error
            pixels.append(width * height)
    return total, 3e-9 * float(np.mean(pixels))
