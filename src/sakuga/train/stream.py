"""Pictures from sets of any size, shuffled, shared between processes, without one of them twice.

A permutation of the whole set would make every read a seek. So runs of pictures that lie together
are shuffled, and then the pictures within windows of many runs: a window is read in the order of
the disk and given in a random one. The order is a function of (seed, epoch), whoever asks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sakuga.data.split import Split, split_of
from sakuga.errors import DataError, InputError
from sakuga.images.colour import Pixels
from sakuga.images.read import read_picture
from sakuga.images.sources import open_sources

RUN_PICTURES = 64  # read one after the other
WINDOW_PICTURES = 1024  # shuffled among themselves; their files, not their pixels, are in memory


class PictureStream:
    """One process's endless sequence of pictures.

    The set is gone through epoch after epoch, each in a new order. In each epoch every picture
    comes once, in one process. A place in the sequence is a number, so a resumed training goes on
    exactly where it stopped; pictures of the other split keep their places, but are not given.

    Args:
        sources: folders, tar files, folders of shards; each may be several, separated by commas.
        seed: of the order.
        rank: this process's number, from 0.
        world_size: how many processes there are.
        split: which pictures are given, by their content (`sakuga.data.split`).
        threads: that decode.

    Raises:
        DataError: sources that are missing or empty, or fewer pictures than processes.
    """

    def __init__(
        self,
        sources: Sequence[str | Path],
        *,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        split: Split | Literal["all"] = "train",
        threads: int = 2,
    ) -> None:
        if not 0 <= rank < world_size:
            raise ValueError(f"rank {rank} of {world_size}")
        self._containers = open_sources(sources)
        self._starts = np.cumsum([0] + [len(container) for container in self._containers])
        self.total = int(self._starts[-1])  # pictures of both splits
        if self.total < world_size:
            raise DataError(f"{self.total} pictures cannot be shared by {world_size} processes")
        self._seed = seed
        self._rank = rank
        self._world_size = world_size
        self._split = split
        self._last_order = (-1, np.empty(0, np.int64))
        self.places = len(self._order(0))  # in an epoch of this process
        self._windows: dict[int, Future[list[tuple[str, bytes]]]] = {}
        self._reader = ThreadPoolExecutor(1, "read")
        self._decoders = ThreadPoolExecutor(threads, "decode")

    def between(self, start: int, stop: int) -> Iterator[tuple[int, str, Pixels]]:
        """Give (place, path, picture) at the places from `start` up to `stop`.

        Pictures are uint8 (H, W, 3); those of the other split are left out. Fast where places rise
        from call to call: the next window is being read meanwhile.

        Raises:
            DataError: a picture that does not decode.
        """
        for first in range(start, stop, RUN_PICTURES):  # so that few are decoded ahead
            places = range(first, min(first + RUN_PICTURES, stop))
            decoded = self._decoders.map(self._decode, map(self._file, places))
            for place, found in zip(places, decoded, strict=True):
                if found is not None:
                    yield place, *found

    def close(self) -> None:
        """End the threads."""
        self._reader.shutdown(cancel_futures=True)
        self._decoders.shutdown(cancel_futures=True)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """This process's pictures in an epoch, numbered through all sources."""
        if self._last_order[0] == epoch:
            return self._last_order[1]
        rng = np.random.default_rng([self._seed % 2**63, epoch])
        runs = [
            np.arange(first, min(first + RUN_PICTURES, end))
            for start, end in zip(self._starts[:-1], self._starts[1:], strict=True)
            for first in range(start, end, RUN_PICTURES)
        ]
        order = np.concatenate([runs[i] for i in rng.permutation(len(runs))])
        for start in range(0, len(order), WINDOW_PICTURES):
            rng.shuffle(order[start : start + WINDOW_PICTURES])
        mine = np.array_split(order, self._world_size)[self._rank]
        self._last_order = (epoch, mine)
        return mine

    def _file(self, place: int) -> tuple[str, bytes]:
        epoch, index = divmod(place, self.places)
        windows_an_epoch = -(-self.places // WINDOW_PICTURES)
        number = epoch * windows_an_epoch + index // WINDOW_PICTURES
        for ahead in (number, number + 1):
            if ahead not in self._windows:
                at = divmod(ahead, windows_an_epoch)
                self._windows[ahead] = self._reader.submit(self._read_window, *at)
        for past in [n for n in self._windows if n not in (number - 1, number, number + 1)]:
            del self._windows[past]
        return self._windows[number].result()[index % WINDOW_PICTURES]

    def _read_window(self, epoch: int, window: int) -> list[tuple[str, bytes]]:
        """Read a window's files in the order of the disk; give them in the order of the epoch."""
        order = self._order(epoch)[window * WINDOW_PICTURES : (window + 1) * WINDOW_PICTURES]
        files: list[tuple[str, bytes]] = [("", b"")] * len(order)
        by_disk = np.argsort(order)
        container_of = np.searchsorted(self._starts, order, side="right") - 1
        for container, group in groupby(by_disk, key=lambda i: container_of[i]):
            places = list(group)
            numbers = [int(order[i] - self._starts[container]) for i in places]
            for i, file in zip(places, self._containers[container].read(numbers), strict=True):
                files[i] = file
        return files

    def _decode(self, file: tuple[str, bytes]) -> tuple[str, Pixels] | None:
        picture = decode(*file, self._split)
        return None if picture is None else (file[0], picture)


def decode(name: str, content: bytes, split: Split | Literal["all"]) -> Pixels | None:
    """A file's picture, uint8 (H, W, 3); None if it is of the other split.

    Raises:
        DataError: it does not decode.
    """
    if split not in ("all", split_of(hashlib.sha256(content).hexdigest())):
        return None
    try:
        return read_picture(content, name=name).frames[0].colour
    except InputError as error:
        raise DataError(f"{error}; or run  sakuga prepare clean  on the set") from error
