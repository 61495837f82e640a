"""What a picture looks like in a few numbers: its hash, its colours, its sharpness, its bars."""

from __future__ import annotations

from itertools import chain

import cv2
import numpy as np
from numpy.typing import NDArray

from sakuga.images.colour import Pixels

HASH_BITS = 64
_THUMB = 64  # pixels: side of the square that colours are measured on
_BANDS = 4  # that a hash is looked up by
_BAND_BITS = HASH_BITS // _BANDS


def perceptual_hash(picture: Pixels) -> int:
    """Hash a picture so that its copies, resized or recompressed, have nearly the same bits.

    The signs, about their median, of the 64 lowest frequencies but the mean of the cosine transform
    of the gray picture at 32x32 pixels.

    Args:
        picture: uint8 (H, W, 3) RGB.

    Returns:
        A number of 64 bits.
    """
    gray = cv2.resize(
        cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA
    )
    frequencies = cv2.dct(gray.astype(np.float32))
    lowest = np.append(frequencies[:8, :8].ravel()[1:], frequencies[8, 0])
    bits = np.packbits(lowest > np.median(lowest))
    return int.from_bytes(bits.tobytes(), "big")


def hash_distance(first: int, second: int) -> int:
    """Count the bits in which two hashes differ."""
    return (first ^ second).bit_count()


class Doubles:
    """Hashes seen so far; finds one near a given hash without comparing it with all.

    Two hashes within 7 bits of each other differ by at most one bit in one of their four bands of
    16: so looking up each band, as it is and with each bit flipped, finds every such pair.

    Args:
        within_bits: the distance up to which hashes are near, at most 7.
    """

    def __init__(self, within_bits: int) -> None:
        if within_bits >= 2 * _BANDS:
            raise ValueError(f"{within_bits} bits: at most {2 * _BANDS - 1} can be found")
        self._within_bits = within_bits
        self._seen: list[dict[int, list[tuple[int, str]]]] = [{} for _ in range(_BANDS)]

    def add(self, value: int, name: str) -> None:
        """Remember a hash under a name."""
        for index, seen in enumerate(self._seen):
            seen.setdefault(_band(value, index), []).append((value, name))

    def find(self, value: int) -> str | None:
        """Give the name of the nearest hash within the distance, the first added if several are."""
        best: tuple[int, str] | None = None
        for index, seen in enumerate(self._seen):
            band = _band(value, index)
            for key in chain((band,), (band ^ (1 << bit) for bit in range(_BAND_BITS))):
                for other, name in seen.get(key, ()):
                    distance = hash_distance(value, other)
                    if distance <= self._within_bits and (best is None or distance < best[0]):
                        best = (distance, name)
        return best[1] if best else None


def _band(value: int, index: int) -> int:
    return (value >> (index * _BAND_BITS)) & ((1 << _BAND_BITS) - 1)


def colour_spread(picture: Pixels) -> tuple[float, float]:
    """Measure how far the colours of a picture spread, along and across their main line.

    The standard deviations along the first two principal axes of its RGB values, at 64x64 pixels.
    The second is 0 for a gray picture, and for one printed in a single ink of any hue.

    Args:
        picture: uint8 (H, W, 3) RGB.

    Returns:
        Both in grey levels, the larger first.
    """
    small = cv2.resize(picture, (_THUMB, _THUMB), interpolation=cv2.INTER_AREA)
    values = np.linalg.eigvalsh(np.cov(small.reshape(-1, 3).T.astype(np.float64)))
    spreads = np.sqrt(np.maximum(values, 0))
    return float(spreads[2]), float(spreads[1])


def missing_rows(picture: Pixels) -> float:
    """Give the share of rows at the bottom that a JPEG decoder filled with its gray of 128."""
    darkest, brightest = picture.min(axis=(1, 2)), picture.max(axis=(1, 2))
    kept = np.flatnonzero((darkest < 126) | (brightest > 130))
    rows = int(picture.shape[0])
    return (rows - 1 - int(kept[-1])) / rows if len(kept) else 1.0


def sharpness(picture: Pixels) -> float:
    """Measure how sharp a picture is: the 99th percentile of its gray Laplacian, in grey levels."""
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return float(np.percentile(np.abs(cv2.Laplacian(gray, cv2.CV_16S)), 99))


def bars(brightest: NDArray[np.uint8], limit: int = 24) -> tuple[slice, slice]:
    """Find the part of a film's picture inside its black bars.

    Args:
        brightest: uint8 (H, W): each pixel's brightest value over many frames of the film.
        limit: grey level up to which a row or column counts as black.

    Returns:
        The rows and columns of the picture; all of them if nothing is brighter than `limit`.
    """
    rows = np.flatnonzero(np.percentile(brightest, 98, axis=1) > limit)
    columns = np.flatnonzero(np.percentile(brightest, 98, axis=0) > limit)
    if not len(rows) or not len(columns):
        return slice(0, brightest.shape[0]), slice(0, brightest.shape[1])
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
