"""How far two sets of pictures are apart, seen through a feature network: KID and FID.

Features are (N, D) arrays, one row a view of a picture (a picture may give several views). Rows of
one picture are not independent; `pictures` says which rows belong together, so that KID stays
unbiased and its interval honest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sakuga.errors import DataError

Floats = NDArray[np.floating]

INTERVAL = 0.95  # share of the bootstrap that a KID interval holds
BOOTSTRAP_DRAWS = 1000
KERNEL_ROWS = 512  # of the kernel computed at once: bounds the memory


@dataclass(frozen=True)
class Features:
    """What a feature network saw in a set of pictures."""

    values: Floats  # (N, D)
    pictures: NDArray[np.intp]  # (N,) number of the picture each row is a view of

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.pictures.shape != self.values.shape[:1]:
            raise ValueError(
                f"features are (N, D) with N picture numbers, not {self.values.shape} "
                f"with {self.pictures.shape}"
            )

    @property
    def total_pictures(self) -> int:
        return len(np.unique(self.pictures))

    def of(self, chosen: NDArray[np.bool_]) -> Features:
        """Only the rows where `chosen` (N,) is true."""
        return Features(self.values[chosen], self.pictures[chosen])


@dataclass(frozen=True)
class Distance:
    """A distance, or how far two are apart, with the interval of a bootstrap over pictures."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Resampled:
    """A KID, and what it is for the sets that the bootstrap drew."""

    value: float
    drawn: Floats  # (draws,)
    pictures: int  # in the first set

    @property
    def distance(self) -> Distance:
        low, high = np.quantile(self.drawn, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
        return Distance(self.value, float(low), float(high))

    def below(self, photos: Resampled) -> Distance:
        """By how much this KID, of results, is below that of their photos, with its 95 % interval.

        Each draw of the bootstrap holds the same pictures on both sides. What makes a sample of
        photos easy or hard is thereby left out, so the interval is narrower than those of the two.

        Args:
            photos: KID of the same pictures in the same order, to the same drawings, with the same
                seed and number of draws.

        Raises:
            ValueError: photos and results differ in number.
        """
        if photos.pictures != self.pictures:
            raise ValueError(f"{photos.pictures} photos, {self.pictures} results")
        gain = photos.value - self.value
        return Resampled(gain, photos.drawn - self.drawn, self.pictures).distance


def fid(first: Features, second: Features) -> float:
    """Frechet inception distance (Heusel et al. 2017, arXiv:1706.08500), >= 0.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), with means m and covariances C (divisor N - 1).
    With A, B the centred features over sqrt(N - 1), C1 = A'A and C2 = B'B, so tr (C1 C2)^(1/2) is
    the sum of the singular values of A B': exact, and free of the matrix square root's rounding.

    FID is biased upward with few pictures: compare only values of about equal numbers.

    Raises:
        DataError: a side has fewer than two pictures.
    """
    _need_two(first, second, "FID")
    roots, means, spread = [], [], 0.0
    for side in (first, second):
        values = side.values.astype(np.float64)
        mean = values.mean(axis=0)
        root = (values - mean) / np.sqrt(len(values) - 1)
        if root.shape[0] > root.shape[1]:
            root = np.linalg.qr(root, mode="r")  # (D, D), the same root' root
        roots.append(root)
        means.append(mean)
        spread += float((root**2).sum())
    together = float(np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum())
    apart = float(((means[0] - means[1]) ** 2).sum())
    return max(0.0, apart + spread - 2 * together)


def kid(
    first: Features, second: Features, *, draws: int = BOOTSTRAP_DRAWS, seed: int = 0
) -> Resampled:
    """Kernel inception distance (Binkowski et al. 2018, arXiv:1801.01401), and a bootstrap of it.

    The unbiased estimate of MMD^2 under k(x, y) = (x.y / D + 1)^3: it can be a little below zero
    when the sets agree. Pairs of views of one picture are left out, as the classic estimate leaves
    out i = j. The interval draws pictures, not views, with replacement, and leaves out pairs of a
    picture with its own copies: those would add self-likeness that no fresh sample has.

    Raises:
        DataError: a side has fewer than two pictures: there is no pair to compare then.
    """
    _need_two(first, second, "KID")
    own_first, own_second = _within(first), _within(second)
    across = _picture_sums(first, second)  # (P, Q)
    views_first, views_second = _views(first), _views(second)

    def estimate(weight_first: Floats, weight_second: Floats) -> Floats:
        """MMD^2 with pictures counted (..., P) and (..., Q) times: (...)."""
        between = ((weight_first @ across) * weight_second).sum(-1) / (
            (weight_first @ views_first) * (weight_second @ views_second)
        )
        return np.asarray(
            _pairs(weight_first, own_first, views_first)
            + _pairs(weight_second, own_second, views_second)
            - 2 * between
        )

    value = float(estimate(np.ones(len(views_first)), np.ones(len(views_second))))
    random = np.random.default_rng(seed)
    drawn = estimate(
        _resampled(random, len(views_first), draws), _resampled(random, len(views_second), draws)
    )
    return Resampled(value, drawn, len(views_first))


def halves(features: Features, *, seed: int = 0) -> tuple[Features, Features]:
    """Two halves of a set, by picture, at random: what two equal sets look like to a distance.

    Raises:
        DataError: fewer than four pictures: a half would be a single one.
    """
    names = np.unique(features.pictures)
    if len(names) < 4:
        raise DataError(
            f"Splitting the drawings in two needs at least 4 of them, but there are {len(names)}: "
            "give more drawings."
        )
    chosen = np.random.default_rng(seed).permutation(names)[: len(names) // 2]
    inside = np.isin(features.pictures, chosen)
    return features.of(inside), features.of(~inside)


def cosines(first: Floats, second: Floats) -> Floats:
    """Cosine of each row of `first` (N, D) with the same row of `second`: (N,), in [-1, 1]."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.asarray((first * second).sum(axis=1) / np.maximum(lengths, 1e-12))


def _kernel(first: Floats, second: Floats) -> Floats:
    """k(x, y) = (x.y / D + 1)^3 of all pairs: (N, M)."""
    dimension = first.shape[1]
    return np.asarray((first.astype(np.float64) @ second.T / dimension + 1) ** 3)


def _picture_sums(first: Features, second: Features) -> Floats:
    """Kernel sums over the views of each pair of pictures: (P, Q), in order of their numbers."""
    _, rows = np.unique(first.pictures, return_inverse=True)
    _, columns = np.unique(second.pictures, return_inverse=True)
    total = np.zeros((rows.max() + 1, columns.max() + 1))
    for start in range(0, len(rows), KERNEL_ROWS):
        block = slice(start, start + KERNEL_ROWS)
        kernel = _kernel(first.values[block], second.values)  # (rows, M)
        by_picture = np.zeros((columns.max() + 1, kernel.shape[0]))
        np.add.at(by_picture, columns, kernel.T)
        np.add.at(total, rows[block], by_picture.T)
    return total


def _within(side: Features) -> Floats:
    """Kernel sums between different pictures of one set: (P, P) with an empty diagonal."""
    sums = _picture_sums(side, side)
    np.fill_diagonal(sums, 0)
    return sums


def _views(side: Features) -> Floats:
    return np.unique(side.pictures, return_counts=True)[1].astype(np.float64)


def _pairs(weight: Floats, sums: Floats, views: Floats) -> Floats:
    """Mean kernel over pairs of views of different pictures, pictures counted `weight` times."""
    counted = weight * views
    pairs = counted.sum(-1) ** 2 - (counted**2).sum(-1)
    return np.asarray(((weight @ sums) * weight).sum(-1) / pairs)


def _resampled(random: np.random.Generator, pictures: int, draws: int) -> Floats:
    """How often each picture comes up in samples with replacement that hold two different ones."""
    counts = random.multinomial(pictures, np.full(pictures, 1 / pictures), size=draws)
    for row in np.flatnonzero((counts > 0).sum(axis=1) < 2):
        while (counts[row] > 0).sum() < 2:
            counts[row] = random.multinomial(pictures, np.full(pictures, 1 / pictures))
    return counts.astype(np.float64)


def _need_two(first: Features, second: Features, score: str) -> None:
    """Refuse a set of fewer than two pictures."""
    for side in (first, second):
        if side.total_pictures < 2:
            raise DataError(
                f"{score} is undefined for a single picture, and one set holds "
                f"{side.total_pictures}: give at least 2 photos and 2 drawings."
            )
