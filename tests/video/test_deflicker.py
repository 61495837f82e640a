"""The filter against flicker: calm where nothing moves, no ghosts where something does."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from clips import make_clip
from PIL import Image, ImageFilter

from sakuga.video import paint_video
from sakuga.video.deflicker import Steady

needs_opencv = pytest.mark.skipif(find_spec("cv2") is None, reason="needs OpenCV")

HEIGHT, WIDTH = 96, 128
Pixels = np.ndarray


def scene(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> Pixels:
    """Soft random patches, with detail at many scales."""
    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3))
    for size in (2, 8, 24):
        patches = rng.uniform(-1, 1, (height // size + 1, width // size + 1, 3))
        total += np.repeat(np.repeat(patches, size, 0), size, 1)[:height, :width]
    return (128 + 35 * total).clip(0, 255).astype(np.uint8)


def noisy(photo: Pixels, seed: int, sigma: float = 3) -> Pixels:
    noise = np.random.default_rng(seed).normal(0, sigma, photo.shape)
    return np.round(photo + noise).clip(0, 255).astype(np.uint8)


def flickering(photo: Pixels, seed: int) -> Pixels:
    """A painting that shakes more than its photo."""
    return noisy(255 - photo, seed + 1000, 8)


def flicker(frames: list[Pixels]) -> float:
    pairs = pairwise(frames)
    return float(np.mean([np.abs(b.astype(float) - a).mean() for a, b in pairs]))


def test_a_still_noisy_shot_comes_out_calmer_than_it_went_in() -> None:
    steady = Steady()
    photos = [noisy(scene(), seed) for seed in range(16)]
    animes = [flickering(scene(), seed) for seed in range(16)]
    shown = [steady(photo, anime) for photo, anime in zip(photos, animes, strict=True)]
    assert flicker(shown[6:]) < 0.3 * flicker(animes[6:])
    assert flicker(shown[6:]) < flicker(photos[6:])
    # It settles at the true painting: nothing is lost but the noise.
    assert np.abs(shown[-1].astype(float) - (255 - scene())).mean() < 3


def test_a_cut_shows_the_new_picture_at_once() -> None:
    steady = Steady()
    for seed in range(5):
        steady(noisy(scene(0), seed), 255 - scene(0))
    assert np.array_equal(steady(scene(1), 255 - scene(1)), 255 - scene(1))


def test_what_moves_fast_leaves_no_ghost() -> None:
    """A block of another colour crosses a still scene; the new anime is shown everywhere."""
    steady = Steady()
    for step in range(8):
        photo = scene()
        left = 4 + 14 * step
        photo[30:60, left : left + 20] = (250, 60, 60)
        shown = steady(noisy(photo, step, 1), 255 - photo)
        assert np.abs(shown.astype(int) - (255 - photo)).max() <= 2


def test_a_change_of_colour_alone_is_a_change() -> None:
    """Two colours of one brightness (BT.601): 0.299 x 100 = 0.587 x 51."""
    steady = Steady()
    red = np.full((HEIGHT, WIDTH, 3), (150, 50, 80), np.uint8)
    green = np.full((HEIGHT, WIDTH, 3), (50, 101, 80), np.uint8)
    for _ in range(4):
        steady(red, red)
    assert np.array_equal(steady(green, green), green)


@pytest.mark.parametrize("levels_a_frame", [0.5, 1, 3, 6])
def test_a_fade_is_followed(levels_a_frame: float) -> None:
    """The painting may lag behind a fade, but by no more than two levels."""
    for sigma in (0, 2):
        steady = Steady()
        for step in range(24):
            level = 40 + round(levels_a_frame * step)
            photo = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
            shown = steady(noisy(photo, step, sigma), photo)
            assert np.abs(shown.astype(int) - photo).max() <= 2


def test_a_fade_of_a_part_in_a_noisy_shot_is_followed() -> None:
    """Noise is stronger than each step of the fade, but not than its sum."""
    steady = Steady()
    for step in range(40):
        photo = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
        photo[:, WIDTH // 2 :] += np.uint8(step)
        shown = steady(noisy(photo, step, 5), photo)
        assert np.abs(shown.astype(int) - photo).max() <= 3


def view_at(step: int, wide: Pixels) -> Pixels:
    """What a camera sees that moves by exactly 1.5 and 0.5 pixels a frame.

    The scene is painted at four times the size, where that is 6 and 2 pixels, and shrunk.
    """
    part = wide[2 * step : 2 * step + 4 * HEIGHT, 6 * step : 6 * step + 4 * WIDTH]
    return np.asarray(Image.fromarray(part).reduce(4))


def panning(steps: int) -> list[Pixels]:
    wide = scene(height=4 * HEIGHT + 2 * steps, width=4 * WIDTH + 6 * steps)
    soft = np.asarray(Image.fromarray(wide).filter(ImageFilter.GaussianBlur(3)))
    return [view_at(step, soft) for step in range(steps)]


def true_warp_error(frames: list[Pixels]) -> float:
    """Over two frames the camera moves by exactly 3 pixels to the right and 1 down."""
    pairs = zip(frames[8:], frames[10:], strict=False)
    errors = [
        np.abs(now[8:-9, 8:-11].astype(float) - before[9:-8, 11:-8]).mean() for before, now in pairs
    ]
    return float(np.mean(errors))


def test_the_true_motion_is_right() -> None:
    """What the next test measures with: without noise next to nothing is left."""
    assert true_warp_error(panning(16)) < 0.5


@needs_opencv
def test_a_pan_is_followed() -> None:
    """Sub-pixel motion with noise: calmer along the true motion, which no flow estimated."""
    truth = panning(24)
    animes = [flickering(view, step) for step, view in enumerate(truth)]
    steady, still = Steady(follow=True), Steady(follow=False)
    photos = [noisy(view, step, 2) for step, view in enumerate(truth)]
    shown = [steady(photo, anime) for photo, anime in zip(photos, animes, strict=True)]
    unfollowed = [still(photo, anime) for photo, anime in zip(photos, animes, strict=True)]
    assert true_warp_error(shown) < 0.55 * true_warp_error(animes)
    assert true_warp_error(unfollowed) > 0.8 * true_warp_error(animes)

    def away(frames: list[Pixels]) -> float:
        pairs = list(zip(frames, truth, strict=True))[8:]
        return float(np.mean([np.abs(f.astype(float) - (255 - t)).mean() for f, t in pairs]))

    assert away(shown) < 0.6 * away(animes)  # not only calmer, but nearer to the true painting


@needs_opencv
def test_what_is_followed_stays_sharp() -> None:
    """Fetched over and over, contours are as steep as in the new anime, within three percent."""
    steady = Steady(follow=True)
    for photo in panning(24):
        anime = 255 - photo
        shown = steady(photo, anime)
    assert not np.array_equal(shown, anime)

    def steepness(picture: Pixels) -> float:
        inner = picture[8:-8, 8:-8].astype(float)
        return float(np.hypot(np.diff(inner, axis=0)[:, :-1], np.diff(inner, axis=1)[:-1]).mean())

    assert steepness(shown) == pytest.approx(steepness(anime), rel=0.03)


@needs_opencv
def test_what_crosses_a_pan_fast_leaves_no_ghost() -> None:
    """A block of another colour crosses the view, while the camera pans over the scene behind."""
    steady = Steady(follow=True)
    for step, photo in enumerate(panning(8)):
        photo = photo.copy()
        left = 4 + 14 * step
        photo[30:60, left : left + 20] = (250, 60, 60)
        shown = steady(noisy(photo, step, 1), 255 - photo)
        away = np.abs(shown.astype(int) - (255 - photo))
        before = away[26:64, max(0, left - 44) : left + 4]  # where the block was
        assert before.mean() < 2 and np.quantile(before, 0.99) < 20


@needs_opencv
def test_a_cut_in_a_pan_shows_the_new_picture_at_once() -> None:
    """Also where both are alike, in the black bar below."""
    steady = Steady(follow=True)
    for step, photo in enumerate(panning(6)):
        steady(letterboxed(noisy(photo, step)), letterboxed(255 - photo))
    new = letterboxed(scene(7))
    assert np.array_equal(steady(new, 255 - new), 255 - new)


def letterboxed(photo: Pixels) -> Pixels:
    boxed = photo.copy()
    boxed[-20:] = 0
    return boxed


@needs_opencv
def test_a_caption_stands_still_on_a_pan() -> None:
    steady = Steady(follow=True)
    caption = scene(3)[:16, :64]
    for step, photo in enumerate(panning(12)):
        photo = photo.copy()
        photo[40:56, 32:96] = caption
        shown = steady(noisy(photo, step, 1), 255 - photo)
    assert np.abs(shown[40:56, 32:96].astype(int) - (255 - caption)).mean() < 2


@needs_opencv
def test_the_flow_does_not_depend_on_threads() -> None:
    """A job may be resumed on a machine with more of them."""
    import cv2

    from sakuga.video.deflicker import find_flow

    last, now = (photo[..., 1] for photo in panning(2))
    before = cv2.getNumThreads()
    try:
        flows = []
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            flows.append(find_flow(last, now))
    finally:
        cv2.setNumThreads(before)
    assert np.array_equal(*flows)
    assert np.median(flows[0], axis=(0, 1)) == pytest.approx([1.5, 0.5], abs=0.15)


def test_without_opencv_still_parts_are_calmed_and_the_rest_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sakuga.video import deflicker as module

    monkeypatch.setattr(module, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert module.describe_steady() == "still"
    filtered = Steady()
    for seed in range(8):
        shown = filtered(noisy(scene(), seed), flickering(scene(), seed))
    assert np.abs(shown.astype(float) - (255 - scene())).mean() < 3
    clip = make_clip(tmp_path / "in.mp4", frames=4)
    result = paint_video(clip, tmp_path / "out.mp4", style=lambda photo, **_: photo)
    assert result.notes == [module.NOT_FOLLOWED]


def test_a_filter_goes_on_from_its_state() -> None:
    first = Steady()
    frames = [(noisy(scene(), seed), flickering(scene(), seed)) for seed in range(8)]
    for photo, anime in frames[:4]:
        first(photo, anime)
    state = {key: value.copy() for key, value in first.state().items()}
    second = Steady()
    second.restore(state)
    for photo, anime in frames[4:]:
        assert np.array_equal(first(photo, anime), second(photo, anime))
    assert Steady().state() == {}


def test_inputs_are_left_alone() -> None:
    steady = Steady()
    for seed in range(3):
        photo, anime = noisy(scene(), seed), flickering(scene(), seed)
        before = photo.copy(), anime.copy()
        steady(photo, anime)
        assert np.array_equal(photo, before[0]) and np.array_equal(anime, before[1])


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 40), (7, 9), (33, 65)])
def test_any_size(height: int, width: int) -> None:
    steady = Steady()
    for seed in range(3):
        photo = scene(seed, height, width)
        assert steady(photo, photo).shape == photo.shape


def test_a_change_of_size_is_a_mistake() -> None:
    steady = Steady()
    steady(scene(), scene())
    with pytest.raises(ValueError, match="changed size"):
        steady(scene(0, 8, 8), scene(0, 8, 8))
