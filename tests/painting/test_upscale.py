"""A small painting at full size: contours smooth and crisp, everything else as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from samples import photo

from sakuga.painting import upscale as redrawing
from sakuga.painting.upscale import redraw

ZOOM = 3.46  # a photo of 12 megapixels


def half_plane(side: int, angle: float, width: float = np.inf) -> np.ndarray:
    """A grey half plane or line on a light ground, antialiased, (side, side, 3)."""
    distance = signed_distance(side, side, angle)
    cover = np.clip(distance + 0.5, 0, 1) - np.clip(distance - width + 0.5, 0, 1)
    plane = 220 - 150 * cover
    return np.repeat(np.rint(plane)[..., None], 3, axis=2).astype(np.uint8)


def signed_distance(side: int, small: int, angle: float) -> np.ndarray:
    """Of each pixel of a (side, side) picture to the contour's middle, in small pixels."""
    places = (np.arange(side) + 0.5) * small / side - small / 2
    return places[None, :] * np.cos(angle) + places[:, None] * np.sin(angle)


def rise(picture: np.ndarray, angle: float, small: int) -> float:
    """How far it is from 10 % to 90 % of a half plane's contrast, in pixels of the picture."""
    side = len(picture)
    distance = signed_distance(side, small, angle) * side / small
    inner = slice(side // 4, -side // 4)
    near = np.abs(distance[inner, inner]) < 2 * side / small
    values = picture[inner, inner, 1][near].astype(float)
    share = (220 - values) / 150
    bins = np.round(distance[inner, inner][near] * 4).astype(int)
    profile = {place: share[bins == place].mean() for place in np.unique(bins)}
    low = max(place for place, level in profile.items() if level <= 0.1)
    high = min(place for place, level in profile.items() if level >= 0.9)
    return (high - low) / 4


@pytest.mark.parametrize("angle", [0.0, 0.3, 0.785, 1.2])
def test_contours_are_crisp(angle: float) -> None:
    small = half_plane(80, angle)
    side = round(80 * ZOOM)
    bicubic = np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))
    assert rise(redraw(small, (side, side)), angle, 80) <= 2
    assert rise(bicubic, angle, 80) >= 3.5


@pytest.mark.parametrize("angle", [0.3, 1.2])
@pytest.mark.parametrize("width", [1.0, 2.0])
def test_lines_stay_where_they_are_and_as_wide(angle: float, width: float) -> None:
    side = round(80 * ZOOM)
    dark = 220 - redraw(half_plane(80, angle, width), (side, side))[..., 1].astype(float)
    distance = signed_distance(side, 80, angle)
    inner = slice(side // 4, -side // 4)
    dark, distance = dark[inner, inner], distance[inner, inner]
    near = np.abs(distance - width / 2) < 4
    assert abs(np.average(distance[near], weights=dark[near]) - width / 2) < 0.1
    ink = dark[near].sum() / (near.sum() / 8)  # the mean over 8 small pixels across the line
    assert 0.75 < ink / (150 * width) < 1.35
    along = dark[np.abs(distance - width / 2) < 0.15]
    assert along.std() < 12  # no beads


def test_jagged_steps_are_gone() -> None:
    """The contour of a slanted edge leaves its straight line by less than a quarter small pixel."""
    small = np.where(half_plane(80, 0.3) > 145, 220, 70).astype(np.uint8)  # not antialiased
    side = round(80 * ZOOM)
    result = redraw(small, (side, side))[..., 1] < 145
    distance = signed_distance(side, 80, 0.3)
    inner = slice(side // 4, -side // 4)
    wrong = (result != (distance > 0))[inner, inner]
    assert np.abs(distance[inner, inner][wrong]).max() < 0.35
    nearest = np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.NEAREST))
    wrong = ((nearest[..., 1] < 145) != (distance > 0))[inner, inner]
    assert np.abs(distance[inner, inner][wrong]).max() > 0.45


def test_a_sky_stays_a_ramp() -> None:
    rows, columns = np.mgrid[0:90, 0:120]
    ramp = np.stack([40 + 1.3 * columns, 90 + 0.7 * rows, 250 - 0.5 * columns], axis=-1)
    result = redraw(np.rint(ramp).astype(np.uint8), (400, 300)).astype(float)
    exact_columns = ((np.arange(400) + 0.5) * 120 / 400 - 0.5)[20:-20]
    error = result[20:-20, 20:-20, 0] - (40 + 1.3 * exact_columns)
    assert np.abs(error).max() <= 1.5
    assert (np.diff(result[150, :, 0]) >= 0).all() and np.diff(result[150, :, 0]).max() <= 1


def test_nothing_rings() -> None:
    picture = photo(60, 70)
    result = redraw(picture, (250, 210))
    assert (result.min(axis=(0, 1)) >= picture.min(axis=(0, 1))).all()
    assert (result.max(axis=(0, 1)) <= picture.max(axis=(0, 1))).all()
    edge = redraw(half_plane(60, 0.3), (210, 210))
    assert edge.min() == 70 and edge.max() == 220


def test_dots_are_calmed_and_flat_stays_flat() -> None:
    rows, columns = np.mgrid[0:40, 0:40]
    dots = np.repeat((128 + 8 * (-1) ** (rows + columns))[..., None], 3, axis=2).astype(np.uint8)
    assert redraw(dots, (140, 140))[10:-10, 10:-10].std() < 0.6
    flat = np.full((9, 11, 3), (7, 130, 255), np.uint8)
    assert (redraw(flat, (50, 30)) == flat[0, 0]).all()


def test_a_faint_rim_beside_a_contour_is_halved() -> None:
    small = np.full((40, 40, 3), 200, np.uint8)
    small[:, 18:20], small[:, 20] = 40, 216  # a dark line, and beside it a row of light pixels
    assert 200 < redraw(small, (140, 140))[20:-20, 70:].max() <= 209


@settings(max_examples=25)
@given(
    st.integers(1, 60), st.integers(1, 60), st.floats(1, 6), st.floats(1, 6), st.integers(1, 300)
)
def test_bands_change_nothing(
    height: int, width: int, taller: float, wider: float, band_rows: int
) -> None:
    painted = np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)
    size = (round(width * wider), round(height * taller))
    whole = redraw(painted, size, band_rows=10_000)
    bands = redraw(painted, size, band_rows=band_rows)
    assert whole.shape == (size[1], size[0], 3)
    assert np.abs(whole.astype(int) - bands).max() <= 1


def test_a_margin_too_small_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    painted = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
    whole = redraw(painted, (200, 200))
    assert (redraw(painted, (200, 200), band_rows=20) == whole).mean() > 0.9999
    monkeypatch.setattr(redrawing, "MARGIN", 2)
    assert (redraw(painted, (200, 200), band_rows=20) == whole).mean() < 0.9999


def test_mirrored_paintings_give_mirrored_results() -> None:
    painted = photo(50, 64)
    turned = redraw(painted[::-1, ::-1], (200, 160))[::-1, ::-1]
    assert np.abs(turned.astype(int) - redraw(painted, (200, 160))).max() <= 1


def test_progress() -> None:
    shares: list[float] = []
    redraw(photo(30, 20), (40, 600), shares.append)
    assert shares == sorted(shares) and len(shares) == 3 and shares[-1] == 1


def test_no_threads_of_blas_are_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    """They spin: the hundreds of small products that this once was took 26 CPU seconds, not 1."""

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a product of matrices")

    for name in ("matmul", "dot", "tensordot", "einsum", "inner", "vdot"):
        monkeypatch.setattr(np, name, refuse)
    redraw(photo(50, 64), (200, 160))


def test_enlarging_is_the_product_with_the_matrices_of_the_spline() -> None:
    planes = np.random.default_rng(0).normal(size=(3, 11, 7)).astype(np.float32)
    rows, columns = redrawing._weights(0, 40, 40, 11), redrawing._weights(5, 25, 30, 7)
    inside = planes[:, rows.start : rows.stop, columns.start : columns.stop]
    for kind in ("spline", "linear"):
        matrices = []
        for weights in (rows, columns):
            sums = getattr(weights, kind)
            matrix = np.zeros((sums.taps.shape[1], weights.stop - weights.start))
            for tap, weight in zip(sums.taps, sums.weights, strict=True):
                np.add.at(matrix, (np.arange(len(tap)), tap), weight)
            assert np.allclose(matrix.sum(axis=1), 1)
            matrices.append(matrix)
        expected = matrices[0] @ inside @ matrices[1].T
        found = redrawing._enlarged(
            redrawing._enlarged(inside, getattr(rows, kind)), getattr(columns, kind)
        )
        assert np.abs(found - expected).max() < 1e-5


CPU_SECONDS = """
import subprocess, sys, time
from sakuga.images.read import read_picture
from sakuga.painting.options import PaintOptions
from sakuga.painting.pictures import paint_picture
from sakuga.painting.stylizer import Stylizer

stylizer = Stylizer("novel", threads=1)

def paint(path):
    began = time.process_time()
    paint_picture(read_picture(path), stylizer, PaintOptions())
    return time.process_time() - began

small, large = sys.argv[1:]
paint(small)  # what is made once
busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
try:
    print(paint(small), paint(large))
finally:
    for one in busy:
        one.kill()
        one.wait()
"""


def test_twelve_megapixels_cost_at_most_four_times_one(tmp_path: Path) -> None:
    """In CPU seconds, of the same photo, beside processes that leave no core idle."""
    examples = Path(__file__).parents[2] / "examples"
    files = [tmp_path / name for name in ("small.jpg", "large.jpg")]
    with Image.open(examples / "landmark_pagoda.jpg") as image:
        for file, size in zip(files, ((1155, 866), (4000, 3000)), strict=True):
            image.resize(size).save(file)
    everything = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", CPU_SECONDS, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, env=everything)
    assert done.returncode == 0, done.stderr
    small_s, large_s = map(float, done.stdout.split())
    assert large_s < 4 * small_s
