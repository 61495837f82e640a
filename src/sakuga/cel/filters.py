"""The brushes of the painter: filters that follow the flow of edges.

Colour is float32 (H, W, 3) CIELAB, L in [0, 100]; maps are float32 (H, W). Borders are mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[Any]  # float32 (H, W), or (H, W, 3) of a colour


@dataclass(frozen=True)
class Flow:
    """Which way edges run: unit tangents (x, y) and the anisotropy in [0, 1] (1: a clean edge)."""

    x: Map
    y: Map
    anisotropy: Map


def blur(values: Map, sigma: float) -> Map:
    """Gaussian of `sigma` pixels, cut at 3 sigma."""
    size = 2 * max(1, round(3 * sigma)) + 1
    return cv2.GaussianBlur(values, (size, size), sigma, borderType=cv2.BORDER_REFLECT_101)


def smoothstep(low: float, high: float, values: Map) -> Map:
    """0 below `low`, 1 above `high`, 3 t^2 - 2 t^3 between; falling where `low` > `high`."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def gradient(lightness: Map) -> Map:
    """Length of Sobel's gradient / 8: L units a pixel."""
    x = cv2.Sobel(lightness, cv2.CV_32F, 1, 0, scale=1 / 8, borderType=cv2.BORDER_REFLECT_101)
    y = cv2.Sobel(lightness, cv2.CV_32F, 0, 1, scale=1 / 8, borderType=cv2.BORDER_REFLECT_101)
    return np.sqrt(x * x + y * y)


def edge_tangent_flow(lightness: Map, sigma: float = 2.0) -> Flow:
    """Tangents of edges from the smoothed structure tensor (Kang, Lee, Chui 2007).

    Smoothed as Kyprianidis (2009) does: E = gx^2, F = gx gy, G = gy^2 are blurred by `sigma`; the
    tangent is the eigenvector of the smaller eigenvalue, the anisotropy (l1 - l2) / (l1 + l2).
    """
    x = cv2.Sobel(lightness, cv2.CV_32F, 1, 0, scale=1 / 8, borderType=cv2.BORDER_REFLECT_101)
    y = cv2.Sobel(lightness, cv2.CV_32F, 0, 1, scale=1 / 8, borderType=cv2.BORDER_REFLECT_101)
    e, f, g = blur(x * x, sigma), blur(x * y, sigma), blur(y * y, sigma)
    # The direction of the larger eigenvalue is half the angle of (e - g, 2 f).
    angle = 0.5 * np.arctan2(2 * f, e - g)
    spread = np.sqrt((e - g) ** 2 + 4 * f * f)
    return Flow(-np.sin(angle), np.cos(angle), spread / (e + g + 1e-6))


def grid(shape: tuple[int, ...]) -> tuple[Map, Map]:
    """x and y of every pixel."""
    y, x = np.indices(shape[:2], dtype=np.float32)
    return x, y


def sample(values: Map, x: Map, y: Map) -> Map:
    return cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _sectors() -> tuple[list[tuple[float, float]], Map]:
    """Samples of the unit disc, (u, v), and what each weighs in each of eight sectors, (8, n).

    The middle and rings of 6, 10 and 14: a finer grid looks no different.
    """
    rings = ((0.34, 6, 0.0), (0.67, 10, 0.5), (1.0, 14, 0.0))
    polar = [(r, 2 * np.pi * (i + s) / n) for r, n, s in rings for i in range(n)]
    points = [(0.0, 0.0)] + [(float(r * np.cos(a)), float(r * np.sin(a))) for r, a in polar]
    weights = np.zeros((8, len(points)))
    weights[:, 0] = 1 / 8
    for n in range(8):
        for i, (r, a) in enumerate(polar, start=1):
            weights[n, i] = max(0.0, np.cos(a - 2 * np.pi * n / 8)) ** 4 * np.exp(-2 * r * r)
    return points, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def anisotropic_kuwahara(lab: Map, flow: Flow, radius: float | Map, sharpness: float = 8.0) -> Map:
    """Paint over texture with strokes along the flow (Kyprianidis, Kang, Doellner 2009).

    Each pixel takes the calmest of eight sectors of an ellipse with axes r (1 + A) along the edge
    and r / (1 + A) across: sum w_n m_n / sum w_n, w_n = 1 / (1 + s_n^q), m_n and s_n a sector's
    mean and deviation (of L, in units of 255). A sample at angle th weighs
    max(0, cos(th - 2 pi n / 8))^4 exp(-2 rho^2) in sector n.

    Args:
        radius: pixels; one, or a map.
        sharpness: q.
    """
    x, y = grid(lab.shape)
    along, across = radius * (1 + flow.anisotropy), radius / (1 + flow.anisotropy)
    ax, ay = flow.x * along, flow.y * along
    bx, by = -flow.y * across, flow.x * across
    packed = np.dstack([lab, lab[..., 0] ** 2])
    points, weights = _sectors()
    result = np.empty_like(lab)
    for top in range(0, len(lab), 64):  # in bands: all samples of a band fit a cache better
        band = np.s_[top : top + 64]
        samples = np.stack(
            [
                sample(
                    packed,
                    x[band] + u * ax[band] + v * bx[band],
                    y[band] + u * ay[band] + v * by[band],
                )
                for u, v in points
            ]
        )
        means = (weights @ samples.reshape(len(points), -1)).reshape(8, *samples.shape[1:])
        variance = np.clip(means[..., 3] - means[..., 0] ** 2, 0, None)
        share = 1 / (1 + (2.55**2 * variance) ** (sharpness / 2))
        result[band] = np.einsum("nhwc,nhw->hwc", means[..., :3], share / share.sum(axis=0))
    return result


def smooth_along(values: Map, flow: Flow, sigma: float) -> Map:
    """Gaussian of `sigma` pixels along the streamlines (line integral convolution, unit steps)."""
    steps = max(1, round(2 * sigma))
    total = values.copy()
    weights = 1.0
    tangents = np.dstack([flow.x, flow.y])
    start_x, start_y = grid(values.shape)
    for sign in (1.0, -1.0):
        x, y = start_x, start_y
        dx: Map = sign * flow.x
        dy: Map = sign * flow.y
        for step in range(1, steps + 1):
            x, y = x + dx, y + dy
            weight = float(np.exp(-0.5 * (step / sigma) ** 2))
            total += weight * sample(values, x, y)
            weights += weight
            if step < steps:
                new = cv2.remap(
                    tangents, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101
                )
                # A tangent has no sense of its own: take the one that goes on.
                turn = np.where(new[..., 0] * dx + new[..., 1] * dy < 0, -1, 1).astype(np.float32)
                dx, dy = new[..., 0] * turn, new[..., 1] * turn
    return total / np.float32(weights)


def flow_lines(
    lightness: Map, flow: Flow, *, width: float, level: float, slope: float, along: float
) -> Map:
    """Strokes by the flow-based difference of Gaussians (Kang, Lee, Chui 2007).

    With the soft threshold of Winnemoeller, Kyprianidis, Olsen (2012): D = G(w) - .98 G(1.6 w)
    across the flow, then smoothed along it; a stroke is 0 where D >= -level, else
    -tanh(slope (D + level)): (H, W) in [0, 1], 1 is ink.
    """
    x, y = grid(lightness.shape)
    reach = max(2, round(2.5 * 1.6 * width))
    offsets = np.arange(-reach, reach + 1)
    narrow = np.exp(-0.5 * (offsets / width) ** 2)
    wide = np.exp(-0.5 * (offsets / (1.6 * width)) ** 2)
    weights = narrow / narrow.sum() - 0.98 * wide / wide.sum()
    difference = np.zeros_like(lightness)
    for offset, weight in zip(offsets.tolist(), weights.tolist(), strict=True):
        difference += np.float32(weight) * sample(
            lightness, x - offset * flow.y, y + offset * flow.x
        )
    difference = smooth_along(difference, flow, along)
    return -np.tanh(slope * np.minimum(difference + level, 0))
