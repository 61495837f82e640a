"""The picture statistics against OpenCV's CIELAB and against cases whose answer is known."""

import cv2
import numpy as np
import pytest

from sakuga.evaluate.statistics import (
    STATISTICS,
    cielab,
    fit,
    flow_back,
    gradient,
    medians,
    noise_gain,
    picture_statistics,
    warp,
    warp_errors,
)


def scene(height=120, width=160, seed=0):
    """A colour picture with soft texture and some hard contours, uint8 (H, W, 3)."""
    random = np.random.default_rng(seed)
    picture = random.normal(128, 40, (height, width, 3))
    picture = cv2.GaussianBlur(picture, (0, 0), 2) * 2 - 128
    picture[height // 4 : height // 2, width // 4 : width // 2] += (70, -30, -60)
    picture[height // 2 :, : width // 3] += (-50, 20, 60)
    return np.clip(picture, 0, 255).astype(np.uint8)


def shifted(picture, by):
    return np.clip(picture.astype(int) + by, 0, 255).astype(np.uint8)


def test_cielab_agrees_with_opencv():
    picture = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    theirs = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    assert np.abs(cielab(picture) - theirs).max() < 0.5
    assert np.abs(cielab(picture) - theirs).mean() < 0.15  # theirs is an interpolated table


@pytest.mark.parametrize(
    ("colour", "lab"),
    [  # published sRGB primaries under D65
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_cielab_of_known_colours(colour, lab):
    assert cielab(np.full((1, 1, 3), colour, np.uint8))[0, 0] == pytest.approx(lab, abs=0.02)


def test_gradient_of_a_ramp_is_its_slope():
    ramp = np.tile(np.arange(64, dtype=np.float32) * 1.5, (32, 1))
    assert gradient(ramp)[8:-8, 8:-8] == pytest.approx(1.5, rel=1e-4)


def test_a_picture_against_itself_changes_nothing():
    photo = scene()
    assert picture_statistics(photo, photo) == pytest.approx(
        {"chroma_shift": 0, "saturation": 1, "texture": 1, "edges": 1, "edge_agreement": 1}
    )
    assert tuple(picture_statistics(photo, photo)) == STATISTICS


def test_chroma_shift_of_a_flat_recolouring_is_the_distance_of_the_two_colours():
    first, second = (
        np.full((50, 60, 3), colour, np.uint8) for colour in ((90, 120, 60), (120, 90, 80))
    )
    a, b = cielab(first)[0, 0], cielab(second)[0, 0]
    measured = picture_statistics(first, second)["chroma_shift"]
    assert measured == pytest.approx(np.hypot(*(a - b)[1:]), rel=1e-3)


def test_chroma_shift_looks_past_fine_colour_noise():
    photo = scene()
    speckle = np.random.default_rng(2).choice([-20, 20], (*photo.shape[:2], 1)) * np.array(
        [1, -1, 0]
    )
    speckled = picture_statistics(photo, shifted(photo, speckle))["chroma_shift"]
    tinted = picture_statistics(photo, shifted(photo, np.array([20, -20, 0])))["chroma_shift"]
    assert speckled < tinted / 3


def test_a_grey_result_has_no_saturation_and_a_grey_photo_gives_no_ratio():
    photo = scene()
    grey = np.repeat(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    assert picture_statistics(photo, grey)["saturation"] < 0.02
    assert np.isnan(picture_statistics(grey, photo)["saturation"])


def test_smoothing_off_the_edges_lowers_texture_and_spares_edges():
    photo = scene()
    steep = gradient(cielab(photo)[..., 0])
    strong = (steep >= np.percentile(steep, 95)).astype(np.uint8)
    near = cv2.dilate(strong, np.ones((13, 13), np.uint8))[..., None] > 0
    flat = np.where(near, photo, cv2.GaussianBlur(photo, (0, 0), 4))
    measured = picture_statistics(photo, flat)
    assert measured["texture"] < 0.9
    assert measured["edges"] == pytest.approx(1, abs=0.01)


def test_halving_the_lightness_contrast_halves_texture_and_edges():
    """On greys, whose lightness is one dimension: a picture whose L is halved by construction."""
    lightness = np.arange(0, 96, 0.5)
    greys = np.arange(256, dtype=np.uint8)
    table = cielab(np.repeat(greys[:, None, None], 3, axis=2))[:, 0, 0]
    picture = np.random.default_rng(3).choice(lightness[40:], (80, 90)).astype(np.float32)
    picture = cv2.GaussianBlur(picture, (0, 0), 1.5)

    def grey(values):
        nearest = np.abs(values[..., None] - table).argmin(-1).astype(np.uint8)
        return np.repeat(nearest[..., None], 3, axis=2)

    measured = picture_statistics(grey(picture), grey(30 + picture / 2))
    assert measured["texture"] == pytest.approx(0.5, abs=0.05)
    assert measured["edges"] == pytest.approx(0.5, abs=0.05)


def test_edge_agreement_falls_when_contours_move():
    photo = scene()
    assert picture_statistics(photo, photo[:, ::-1].copy())["edge_agreement"] < 0.5


def test_large_pictures_are_measured_at_768():
    photo = scene(900, 1200)
    assert fit(photo).shape == (576, 768, 3)
    assert fit(photo[:, :5]).shape == (768, 4, 3)
    assert fit(scene()).shape == (120, 160, 3)
    speck = photo.copy()
    speck[::2, ::2] = 255 - speck[::2, ::2]
    assert picture_statistics(photo, speck) == picture_statistics(fit(photo), fit(speck))


def test_shapes_that_differ_are_a_mistake():
    with pytest.raises(ValueError, match="differ in shape"):
        picture_statistics(scene(), scene(100, 160))
    with pytest.raises(ValueError, match="uint8"):
        cielab(np.zeros((4, 4, 3)))


def test_noise_gain_of_copying_is_one_of_a_constant_zero_and_of_blur_between():
    photo = scene()
    assert noise_gain(photo, photo, lambda picture: picture) == pytest.approx(1)
    flat = np.full_like(photo, 100)
    assert noise_gain(photo, flat, lambda picture: flat) == 0

    def blur(picture):
        return cv2.blur(picture, (3, 3))

    # The mean of nine independent pixels has a third of their deviation.
    assert noise_gain(photo, blur(photo), blur) == pytest.approx(1 / 3, abs=0.05)


def test_flow_finds_where_a_moved_picture_came_from():
    photo = scene(140, 180)
    first, second = photo[10:130, 10:170], photo[8:128, 13:173]  # moved by (3, -2)
    flow = flow_back(second, first)[20:-20, 20:-20]
    assert np.median(flow, axis=(0, 1)) == pytest.approx((3, -2), abs=0.2)
    back = warp(first, flow_back(second, first))[20:-20, 20:-20]
    assert np.abs(back - second[20:-20, 20:-20]).mean() < 1


def test_warp_error_counts_flicker_over_the_videos_own():
    photo = scene(140, 180)
    frames = [photo[10:130, 10 + step : 170 + step] for step in range(4)]
    flicker = [shifted(frame, 6 * (step % 2)) for step, frame in enumerate(frames)]
    steady = list(warp_errors(frames, frames))
    assert len(steady) == 3
    assert all(video == result for video, result in steady)
    for video, result in warp_errors(frames, flicker):
        assert result - video == pytest.approx(6, abs=1.5)


def test_medians_leave_undefined_pictures_out():
    rows = [{"a": 1.0, "b": float("nan")}, {"a": 5.0, "b": 2.0}, {"a": 3.0, "b": 4.0}]
    assert medians(rows) == {"a": 3.0, "b": 3.0}
    assert np.isnan(medians([{"a": float("nan")}])["a"])
    with pytest.raises(ValueError, match="no pictures"):
        medians([])
