"""The picture statistics against OpenCV's CIELAB and against cases whose answer is known."""

import cv2
import numpy as np
import pytest
from scipy.special import ndtr

from sakuga.evaluate.statistics import (
    DRAWN,
    STATISTICS,
    cielab,
    drawn_statistics,
    fit,
    flow_back,
    gradient,
    lightness_of,
    medians,
    noise_gain,
    picture_statistics,
    similarity,
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
    measured = picture_statistics(photo, photo)
    assert tuple(measured) == STATISTICS
    own = drawn_statistics(lightness_of(photo))
    assert tuple(own) == DRAWN
    assert measured == pytest.approx(
        {"chroma_shift": 0, "saturation": 1, "texture": 1, "edges": 1, "edge_agreement": 1, **own}
    )


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


def test_one_lightness_is_flat_and_concentrates_nothing():
    measured = drawn_statistics(np.full((60, 80), 37.3, np.float32))
    assert measured == pytest.approx(
        {"soft_shading": 0, "concentration": np.nan, "flat": 1, "ink": 0}, nan_ok=True
    )


@pytest.mark.parametrize(
    ("slope", "soft", "flat"), [(0.45, 0, 1), (0.55, 1, 0), (2.45, 1, 0), (2.55, 0, 0)]
)
def test_a_ramp_is_soft_between_half_and_two_and_a_half(slope, soft, flat):
    ramp = slope * np.tile(np.arange(200, dtype=np.float32), (30, 1))
    measured = drawn_statistics(ramp)
    # The borders are mirrored, so that up to three columns at either end are less steep.
    assert measured["soft_shading"] == pytest.approx(soft, abs=6 / 200)
    assert measured["flat"] == pytest.approx(flat, abs=6 / 200)
    assert measured["concentration"] == pytest.approx(0.1, abs=0.003)  # all pixels are alike
    assert measured["ink"] == 0


def test_a_step_is_all_concentrated_and_flat_beside_its_border():
    """Slope at a pixel: half the difference of its neighbours on the blurred step's own curve."""
    width, height = 200, 60.0
    step = np.where(np.arange(width) < width // 2, 20, 20 + height)
    measured = drawn_statistics(np.tile(step.astype(np.float32), (30, 1)))
    place = np.arange(width) - width // 2 + 0.5  # from the border, in pixels
    slope = height / 2 * (ndtr((place + 1) / 0.8) - ndtr((place - 1) / 0.8))
    assert measured["soft_shading"] == np.mean((slope >= 0.5) & (slope < 2.5)) == 2 / width
    assert measured["flat"] == np.mean(slope < 0.5) == 1 - 6 / width
    assert measured["concentration"] == pytest.approx(1, abs=1e-4)
    assert measured["ink"] == 0


@pytest.mark.parametrize(
    ("width", "depth", "ink"),
    [(3, 60, 3 / 40), (6, 60, 6 / 40), (3, 11.5, 0), (3, 12.5, 3 / 40), (16, 60, 0), (3, -60, 0)],
)
def test_ink_is_what_thin_dark_lines_cover(width, depth, ink):
    """Lines every 40 pixels: narrower than 7, darker than their ground, by more than 12."""
    inside = np.arange(200) % 40 - 17
    lines = np.where((inside >= 0) & (inside < width), 70 - depth, 70)
    down = np.tile(lines.astype(np.float32), (80, 1))
    assert drawn_statistics(down)["ink"] == pytest.approx(ink)
    assert drawn_statistics(down.T.copy())["ink"] == pytest.approx(ink)


def test_pictures_of_a_few_pixels_have_all_statistics():
    for shape in ((1, 1), (1, 7), (3, 2)):
        measured = drawn_statistics(np.random.default_rng(0).random(shape, np.float32) * 100)
        defined = {name: value for name, value in measured.items() if not np.isnan(value)}
        assert {"soft_shading", "flat", "ink"} <= set(defined)
        assert all(0 <= value <= 1 for value in defined.values())


def test_smooth_tones_are_soft_and_posterised_ones_concentrated():
    """The statistics tell a photo's shading from a drawing's of the same scene."""
    across, down = np.meshgrid(np.arange(160), np.arange(120))
    shaded = (50 + 45 * np.sin(across / 25) * np.cos(down / 25)).astype(np.float32)
    tones = np.round(shaded / 30) * 30
    photo, cel = drawn_statistics(shaded), drawn_statistics(tones)
    assert photo["soft_shading"] > 0.6 > 0.2 > cel["soft_shading"]
    assert cel["concentration"] > 0.6 > 0.3 > photo["concentration"]
    assert cel["flat"] > 0.6 > photo["flat"]


def test_similarity_is_one_for_two_tints_and_falls_with_another_drawing():
    plane = lightness_of(scene())
    assert similarity(plane, 20 + plane / 2) == pytest.approx(1)
    assert similarity(plane, 100 - plane) == pytest.approx(-1)
    other = lightness_of(scene(seed=5))
    expected = np.corrcoef(plane.ravel(), other.ravel())[0, 1]
    assert similarity(plane, other) == pytest.approx(expected)
    assert np.isnan(similarity(plane, np.full_like(plane, 40)))
    with pytest.raises(ValueError, match="differ in shape"):
        similarity(plane, plane[1:])


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
