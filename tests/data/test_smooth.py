"""Smoothed copies of drawings, against the paper's words carried out pixel by pixel."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from scipy import ndimage

from sakuga.data.smooth import smooth_edges, smooth_folder


def drawing(height: int = 96, width: int = 128) -> np.ndarray:
    """Draw flat colours with dark outlines."""
    image = Image.new("RGB", (width, height), (230, 180, 90))
    pen = ImageDraw.Draw(image)
    pen.ellipse((20, 15, 80, 75), fill=(90, 160, 220), outline=(20, 20, 30), width=3)
    pen.rectangle((70, 40, 120, 90), fill=(240, 240, 250), outline=(10, 10, 20), width=2)
    return np.array(image)


def slowly(picture: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Blur near the lines, one pixel at a time."""
    row = np.array([1, 4, 6, 4, 1]) / 16  # the binomial of 4, a Gaussian of sigma 1
    kernel = np.outer(row, row)
    padded = np.pad(picture.astype(float), ((2, 2), (2, 2), (0, 0)), mode="reflect")
    result = picture.astype(float)
    height, width = lines.shape
    for y in range(height):
        for x in range(width):
            if lines[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3].any():
                window = padded[y : y + 5, x : x + 5]
                result[y, x] = (window * kernel[..., None]).sum((0, 1))
    return result


def test_equals_the_paper_pixel_by_pixel() -> None:
    import cv2

    picture = drawing()
    # Canny itself is OpenCV's; where it must find lines is tested below.
    lines = cv2.Canny(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), 100, 200)
    difference = np.abs(smooth_edges(picture) - slowly(picture, lines))
    assert difference.max() <= 1  # rounding
    assert (smooth_edges(picture) != picture).any()


def test_changes_lines_and_nothing_else() -> None:
    picture = drawing()
    smoothed = smooth_edges(picture)
    changed = (smoothed != picture).any(axis=2)
    # Independently of Canny: a pixel may change only within 5 of a change of colour.
    steps = np.zeros(changed.shape, bool)
    steps[1:] |= (picture[1:] != picture[:-1]).any(axis=2)
    steps[:, 1:] |= (picture[:, 1:] != picture[:, :-1]).any(axis=2)
    assert not changed[~ndimage.binary_dilation(steps, np.ones((11, 11)))].any()
    assert changed[steps].mean() > 0.8

    def contrast(pixels: np.ndarray) -> float:
        return float(np.abs(np.diff(pixels.astype(float), axis=1)).max())

    assert contrast(smoothed) < 0.6 * contrast(picture)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_any_size_and_the_original_stays(height: int, width: int, seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    before = picture.copy()
    smoothed = smooth_edges(picture)
    assert smoothed.shape == picture.shape and smoothed.dtype == np.uint8
    assert (picture == before).all()
    assert (smooth_edges(np.full_like(picture, 77)) == 77).all()


def test_views_that_are_not_contiguous_give_the_same() -> None:
    picture = drawing()
    view = np.repeat(picture, 2, axis=1)[:, ::2]
    assert (smooth_edges(view) == smooth_edges(picture)).all()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "drawings"
    (root / "sub").mkdir(parents=True)
    for name in ("a.jpg", "a.png", "sub/b.webp"):
        Image.fromarray(drawing()).save(root / name, quality=95)
    (root / "broken.jpg").write_bytes(b"not a picture")
    return root


def test_a_folder_of_copies(folder: Path, tmp_path: Path) -> None:
    outcome = smooth_folder(folder, tmp_path / "out", workers=2)
    assert (outcome.pictures, outcome.new, outcome.reasons()) == (3, 3, {"not a picture": 1})
    copies = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.png")}
    assert copies == {"a.png", "a.png.png", "sub/b.png"}
    for name, copy in (("a.jpg", "a.png"), ("a.png", "a.png.png"), ("sub/b.webp", "sub/b.png")):
        with Image.open(folder / name) as original, Image.open(tmp_path / "out" / copy) as made:
            expected = smooth_edges(np.asarray(original.convert("RGB")))
            assert (np.asarray(made) == expected).all()
    lines = (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()
    assert {json.loads(line)["source"] for line in lines} == {"a.jpg", "a.png", "sub/b.webp"}


def test_a_second_run_makes_only_what_is_missing_or_changed(folder: Path, tmp_path: Path) -> None:
    smooth_folder(folder, tmp_path / "out", workers=1)
    out = tmp_path / "out"
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.png")}
    assert smooth_folder(folder, out, workers=1).new == 0
    assert {p: p.stat().st_mtime_ns for p in before} == before

    (out / "a.png").unlink()
    changed = Image.fromarray(255 - drawing())
    changed.save(folder / "sub" / "b.webp", lossless=True)
    smooth_folder(folder, out, workers=1)
    after = {p: p.stat().st_mtime_ns for p in before}
    assert {p.name for p in before if before[p] != after[p]} == {"a.png", "b.png"}
    with Image.open(out / "sub" / "b.png") as made:
        assert (np.asarray(made) == smooth_edges(np.asarray(changed))).all()


def test_copies_follow_their_originals(tmp_path: Path) -> None:
    """What is gone or damaged at the source is no longer there, nor kept and rejected at once."""
    folder, out = tmp_path / "drawings", tmp_path / "out"
    folder.mkdir()
    for name in ("a.png", "b.webp"):
        Image.fromarray(drawing()).save(folder / name)
    smooth_folder(folder, out, workers=1)
    (folder / "a.png").write_bytes(b"text")
    outcome = smooth_folder(folder, out, workers=1)
    assert not (out / "a.png").exists()
    assert [reject.source for reject in outcome.rejects] == ["a.png"]
    (folder / "a.png").unlink()
    (folder / "b.webp").rename(folder / "c.webp")
    outcome = smooth_folder(folder, out, workers=1)
    assert outcome.rejects == ()
    assert not (out / "b.png").exists() and (out / "c.png").exists()
    assert outcome.pictures == len(list(out.rglob("*.png"))) == 1
