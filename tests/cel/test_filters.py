"""The painter's filters against closed forms."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sakuga.cel.filters import (
    anisotropic_kuwahara,
    edge_tangent_flow,
    flow_lines,
    gradient,
    smooth_along,
    smoothstep,
)


def disc(side: int = 96, radius: float = 30.0) -> np.ndarray:
    """A light disc on dark ground, its border one pixel wide: L, (H, W)."""
    y, x = np.indices((side, side), np.float32) - (side - 1) / 2
    return (20 + 60 * np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)).astype(np.float32)


def as_lab(lightness: np.ndarray) -> np.ndarray:
    """A gray picture."""
    return np.dstack([lightness, np.zeros_like(lightness), np.zeros_like(lightness)])


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 150])
def test_tangents_run_along_a_straight_edge(degrees: float) -> None:
    angle = np.radians(degrees)
    y, x = np.indices((64, 64), np.float32) - 31.5
    across = -np.sin(angle) * x + np.cos(angle) * y  # the edge runs at `degrees`
    flow = edge_tangent_flow((50 + 30 * np.tanh(across)).astype(np.float32))
    middle = np.abs(across) < 2
    along = np.abs(flow.x * np.cos(angle) + flow.y * np.sin(angle))
    assert along[middle][10:-10].min() > 0.996  # 5 degrees: Sobel of a thin edge
    assert flow.anisotropy[middle].mean() > 0.95


def test_tangents_run_around_a_disc() -> None:
    y, x = np.indices((96, 96), np.float32) - 47.5
    flow = edge_tangent_flow(disc())
    ring = np.abs(np.hypot(x, y) - 30) < 2
    radial = np.abs(flow.x * x + flow.y * y)[ring] / np.hypot(x, y)[ring]
    assert radial.max() < 0.1


def test_gradient_of_a_ramp_is_its_slope() -> None:
    ramp = np.tile(np.arange(40, dtype=np.float32) * 0.7, (30, 1))
    assert gradient(ramp)[5:-5, 5:-5] == pytest.approx(0.7, abs=1e-4)


def test_smoothstep_rises_and_falls() -> None:
    values = np.array([0.0, 1.0, 1.5, 2.0, 3.0], np.float32)
    assert smoothstep(1, 2, values).tolist() == [0, 0, 0.5, 1, 1]
    assert smoothstep(2, 1, values).tolist() == [1, 1, 0.5, 0, 0]


def test_kuwahara_keeps_a_constant_and_a_disc() -> None:
    flat = as_lab(np.full((40, 50), 42.0, np.float32))
    assert anisotropic_kuwahara(flat, edge_tangent_flow(flat[..., 0]), 3.0) == pytest.approx(flat)
    lightness = disc()
    painted = anisotropic_kuwahara(as_lab(lightness), edge_tangent_flow(lightness), 3.0)[..., 0]
    y, x = np.indices(lightness.shape, np.float32) - 47.5
    away = np.abs(np.hypot(x, y) - 30) > 2
    assert np.abs(painted - lightness)[away].max() < 1
    # The area inside is that of the disc: it neither grows nor shrinks.
    assert (painted > 50).sum() == pytest.approx(np.pi * 30**2, rel=0.02)


def test_kuwahara_takes_texture_away_and_leaves_the_edge() -> None:
    rng = np.random.default_rng(0)
    clean = np.where(np.arange(80) < 40, 30.0, 70.0).astype(np.float32) * np.ones(
        (60, 1), np.float32
    )
    noisy = clean + rng.normal(0, 3, clean.shape).astype(np.float32)
    painted = anisotropic_kuwahara(as_lab(noisy), edge_tangent_flow(noisy), 3.0)[..., 0]
    assert np.std((painted - clean)[:, :36]) < 0.5 * np.std((noisy - clean)[:, :36])
    step = painted[:, 41:44].mean() - painted[:, 36:39].mean()
    assert step > 36  # a Gaussian that calms as much leaves 28


def test_smoothing_along_an_edge_leaves_it_as_it_is() -> None:
    lightness = disc()
    smooth = smooth_along(lightness, edge_tangent_flow(lightness), 3.0)
    assert np.abs(smooth - lightness).mean() < 0.6
    blurred = cv2.GaussianBlur(lightness, (0, 0), 3.0)
    assert np.abs(blurred - lightness).mean() > 3 * np.abs(smooth - lightness).mean()


def test_strokes_lie_on_a_step_and_not_beside_it() -> None:
    step = np.where(np.arange(80) < 40, 75.0, 25.0).astype(np.float32) * np.ones(
        (60, 1), np.float32
    )
    lines = flow_lines(step, edge_tangent_flow(step), width=1.0, level=0.4, slope=2.5, along=3.0)
    ink = lines[10:-10].mean(axis=0)
    assert ink[38:43].max() > 0.9
    assert ink[:36].max() == 0 and ink[46:].max() == 0
    assert not flow_lines(
        np.full((40, 40), 50, np.float32),
        edge_tangent_flow(step[:40, :40]),
        width=1.0,
        level=0.4,
        slope=2.5,
        along=3.0,
    ).any()
