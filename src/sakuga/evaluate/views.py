"""Which squares of a picture a feature network looks at, and what it saw in a set, remembered.

Views keep the aspect ratio: a network fed with squashed pictures would tell photos from drawings by
their format.

    squares  the fewest evenly spaced squares that cover the picture: the composition as a whole
    tiles    256-pixel tiles at the picture's own scale: strokes, texture and line
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sakuga.evaluate.features import FeatureNetwork
from sakuga.evaluate.metrics import Features
from sakuga.evaluate.statistics import Picture
from sakuga.evaluate.systems import Item
from sakuga.files import write_bytes

View = Literal["squares", "tiles"]

TILE_PIXELS = 256
BATCH = 32  # squares given to the network at once
CACHE_FORMAT = 1  # raise it when views or preprocessing change: older caches are then not read


def views_of(picture: Picture, view: View, side: int) -> NDArray[np.uint8]:
    """The views of a picture as uint8 (N, side, side, 3), in reading order.

    Resized with antialiased bicubic interpolation (Parmar et al. 2022, arXiv:2104.11222: what other
    resizing does to FID).
    """
    height, width = picture.shape[:2]
    window = min(height, width)
    if view == "tiles":
        window = min(window, TILE_PIXELS)
    cuts = [
        picture[top : top + window, left : left + window]
        for top in _starts(height, window)
        for left in _starts(width, window)
    ]
    return np.stack([_resized(cut, side) for cut in cuts])


def features_of(
    pictures: Iterable[Picture],
    network: FeatureNetwork,
    view: View,
    done: Callable[[], None] = lambda: None,
) -> Features:
    """Look at each picture, read one at a time; `done` is called after each."""
    vectors: list[NDArray[np.float32]] = []
    owners: list[int] = []
    waiting: list[NDArray[np.uint8]] = []

    def look() -> None:
        if waiting:
            vectors.append(network.extract(np.stack(waiting)))
            waiting.clear()

    for number, picture in enumerate(pictures):
        for square in views_of(picture, view, network.size_pixels):
            waiting.append(square)
            owners.append(number)
            if len(waiting) == BATCH:
                look()
        done()
    look()
    return Features(np.concatenate(vectors), np.array(owners, np.intp))


def cached_features(
    items: Sequence[Item],
    read: Callable[[Item], Picture],
    network: FeatureNetwork,
    view: View,
    cache: Path | None,
    *,
    read_as: str,
    done: Callable[[], None] = lambda: None,
) -> Features:
    """Features of a set of files, from the cache where the same files were seen the same way.

    Args:
        items: the files, in the order of the picture numbers.
        read: how a file becomes the picture that is looked at.
        network: what looks at them.
        view: which squares of a picture it sees.
        cache: folder of remembered features; None: remember nothing.
        read_as: says what `read` does; features of another reading are other features.
        done: called once for each picture.
    """
    told = [str(CACHE_FORMAT), network.sha256, view, read_as, *(item.sha256 for item in items)]
    name = f"{hashlib.sha256(chr(10).join(told).encode()).hexdigest()}.npz"
    path = None if cache is None else cache / name
    if path is not None and path.is_file():
        with np.load(path) as kept:
            features = Features(kept["values"], kept["pictures"])
        for _ in items:
            done()
        return features
    features = features_of((read(item) for item in items), network, view, done)
    if path is not None:
        content = io.BytesIO()
        np.savez(content, values=features.values, pictures=features.pictures)
        write_bytes(path, content.getvalue())
    return features


def _starts(length: int, window: int) -> Iterator[int]:
    """Starts of the fewest windows that cover a length, evenly spaced."""
    count = math.ceil(length / window)
    for number in range(count):
        yield round(number * (length - window) / max(1, count - 1))


def _resized(square: Picture, side: int) -> Picture:
    if square.shape[0] == side:
        return square
    image = Image.fromarray(np.ascontiguousarray(square))
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))
