"""The filter against flicker: calm where nothing moves, no ghosts where something does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from sakuga.video.steady import Steady

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


def test_a_pan_is_followed() -> None:
    steady = Steady()
    wide = scene(width=WIDTH + 80)
    shown, animes = [], []
    for step in range(16):
        view = wide[:, 5 * step : 5 * step + WIDTH]
        animes.append(flickering(view, step))
        shown.append(steady(noisy(view, step, 1), animes[-1]))

    def error(frames: list[Pixels]) -> float:
        truth = [255 - wide[:, 5 * step : 5 * step + WIDTH] for step in range(16)]
        pairs = list(zip(frames, truth, strict=True))[8:]
        return float(np.mean([np.abs(f.astype(float) - t)[8:-8, 8:-16].mean() for f, t in pairs]))

    assert error(shown) < 0.6 * error(animes)


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
