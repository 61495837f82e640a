"""Strength mixes, and the photo's chroma comes back, as computed by other means."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from samples import photo
from scipy.ndimage import uniform_filter1d

from sakuga.painting.blending import CHROMA_RADIUS, blend, keep_chroma, mix

PHOTO = photo(80, 120, 1)
ANIME = photo(80, 120, 2)


@pytest.mark.parametrize("strength", [0.0, 0.25, 0.7, 1.0])
def test_mix_is_linear(strength: float) -> None:
    exact = PHOTO + strength * (ANIME.astype(np.float64) - PHOTO)
    assert np.abs(mix(PHOTO, ANIME, strength) - exact).max() <= 0.5 + 1e-4


def test_mix_ends_at_the_photo_and_the_anime() -> None:
    assert (mix(PHOTO, ANIME, 0.0) == PHOTO).all()
    assert (mix(PHOTO, ANIME, 1.0) == ANIME).all()


def ycbcr(pixels: np.ndarray) -> np.ndarray:
    """Pillow's conversion, with the lightness as floats."""
    planes = np.asarray(Image.fromarray(pixels).convert("YCbCr")).astype(float)
    planes[..., 0] = pixels @ np.array([0.299, 0.587, 0.114])
    return planes


def low(plane: np.ndarray) -> np.ndarray:
    """Three box means of 17 pixels along each axis, mirrored."""
    for axis in (0, 1):
        for _ in range(3):
            plane = uniform_filter1d(plane, 17, axis=axis, mode="reflect")
    return plane


def test_chroma_is_the_photos_below_and_the_animes_above() -> None:
    # Muted, so that nothing is clipped.
    calm_photo, calm_anime = PHOTO // 3 + 80, ANIME // 3 + 80
    result = ycbcr(keep_chroma(calm_photo, calm_anime))
    before, after = ycbcr(calm_photo), ycbcr(calm_anime)
    assert np.abs(result[..., 0] - after[..., 0]).max() < 1.5
    for channel in (1, 2):
        expected = after[..., channel] + low(before[..., channel] - after[..., channel])
        assert np.abs(result[..., channel] - expected).max() < 2.5
        shift = np.abs(low(result[..., channel]) - low(before[..., channel])).mean()
        assert shift < np.abs(low(after[..., channel]) - low(before[..., channel])).mean() / 2


def test_the_photo_itself_stays() -> None:
    assert (keep_chroma(PHOTO, PHOTO) == PHOTO).all()


def test_chroma_looks_no_further_than_its_radius() -> None:
    changed = PHOTO.copy()
    changed[40, 60] = 255 - changed[40, 60]
    different = (keep_chroma(changed, ANIME) != keep_chroma(PHOTO, ANIME)).any(axis=2)
    rows, columns = np.nonzero(different)
    assert np.abs(rows - 40).max() <= CHROMA_RADIUS and np.abs(columns - 60).max() <= CHROMA_RADIUS


def test_chroma_of_a_single_pixel() -> None:
    one = np.array([[[200, 30, 90]]], np.uint8)
    gray = np.array([[[100, 100, 100]]], np.uint8)
    result = keep_chroma(one, gray)
    assert np.abs(ycbcr(result)[0, 0, 1:] - ycbcr(one)[0, 0, 1:]).max() < 2


@pytest.mark.parametrize("strip_rows", [1, CHROMA_RADIUS, 33, 79, 80])
@pytest.mark.parametrize(("strength", "keep_colour"), [(1.0, True), (0.3, True), (0.3, False)])
def test_strips_equal_the_whole(
    monkeypatch: pytest.MonkeyPatch, strip_rows: int, strength: float, keep_colour: bool
) -> None:
    monkeypatch.setattr("sakuga.painting.blending._STRIP_PIXELS", strip_rows * PHOTO.shape[1])
    blended = ANIME.copy()
    blend(PHOTO, blended, strength=strength, keep_colour=keep_colour)
    whole = mix(PHOTO, keep_chroma(PHOTO, ANIME) if keep_colour else ANIME, strength)
    assert (blended == whole).all()
