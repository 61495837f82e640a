"""The styles in the box keep what the model card promises, on the example photos."""

import functools
import itertools
from pathlib import Path

import numpy as np
import onnx
import pytest
from scipy import ndimage

from sakuga.convert.interpolate import interpolate
from sakuga.evaluate.statistics import (
    drawn_statistics,
    lightness_of,
    medians,
    noise_gain,
    picture_statistics,
    similarity,
)
from sakuga.images.read import read_picture
from sakuga.painting.stylizer import Stylizer
from sakuga.styles import SHIPPED_FOLDER, find, read_spec

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.jpg"))
# At most, CIELAB units: storybook prints on cream paper, manga drops colour, on purpose.
CHROMA_SHIFT = {"novel": 6, "storybook": 20, "manga": 60}
EDGES = {"novel": 0.95, "storybook": 0.7, "manga": 0.8}  # at least; paper and washes are light
SATURATION = {"novel": (0.95, 1.35), "storybook": (0.8, 1.2), "manga": (0.0, 0.3)}
LIKENESS = 0.97  # at most; on the gallery 0.95
# Soft shading at most, concentration at least, of the examples' medians.
DRAWN = {"novel": (0.18, 0.60), "storybook": (0.20, 0.60), "manga": (0.16, 0.64)}
STYLES = sorted(SHIPPED_FOLDER.glob("*.onnx"))


@functools.cache
def painted_by(path):
    """Each example at its full size, and what the style makes of it."""
    stylizer = Stylizer(path, device="cpu")
    photos = [read_picture(path).frames[0].colour for path in EXAMPLES]
    return stylizer, [(photo, stylizer(photo)) for photo in photos]


@pytest.fixture(params=STYLES, ids=lambda path: path.stem)
def painted(request):
    return painted_by(request.param)


def test_the_default_style_is_there():
    assert "novel" in {path.stem for path in STYLES}
    assert len(EXAMPLES) == 6


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.stem)
def test_a_style_is_small_and_gives_credit(path):
    spec = read_spec(path)
    assert path.stat().st_size <= 2_600_000
    assert spec.name == path.stem
    assert spec.licence == "CC-BY-4.0" and spec.attribution
    assert {"photos", "drawings", "steps", "hardware", "seconds"} <= spec.training.keys()


def test_it_flattens_and_keeps_contours_and_colours(painted):
    stylizer, pairs = painted
    found = medians([picture_statistics(photo, anime) for photo, anime in pairs])
    name = stylizer.spec.name
    assert found["texture"] <= (1.0 if name == "manga" else 0.65)
    assert found["edges"] >= EDGES[name]
    assert found["chroma_shift"] <= CHROMA_SHIFT[name]
    low, high = SATURATION[name]
    assert low <= found["saturation"] <= high


def test_it_calms_noise(painted):
    stylizer, pairs = painted
    gains = [noise_gain(photo, anime, stylizer) for photo, anime in pairs[1:3]]
    assert np.median(gains) <= 0.45


def test_it_is_drawn(painted):
    """Few soft shades, and most of the gradient in few places (contours and strokes)."""
    stylizer, pairs = painted
    found = medians([drawn_statistics(lightness_of(anime)) for _, anime in pairs])
    photos = medians([drawn_statistics(lightness_of(photo)) for photo, _ in pairs])
    soft, concentration = DRAWN[stylizer.spec.name]
    assert found["soft_shading"] <= soft < 0.75 * photos["soft_shading"]
    assert found["concentration"] >= concentration > photos["concentration"] + 0.1


def test_no_two_styles_draw_alike():
    """Lightness correlation: they differ in line and tone, not in tint."""
    results = {
        path.stem: [lightness_of(anime) for _, anime in painted_by(path)[1]] for path in STYLES
    }
    for one, other in itertools.combinations(results, 2):
        alike = [similarity(a, b) for a, b in zip(results[one], results[other], strict=True)]
        assert np.median(alike) <= LIKENESS, (one, other)


def test_novel_and_storybook_can_be_blended(tmp_path):
    """They ink differently, and are one graph all the same."""
    photo = read_picture(EXAMPLES[0]).frames[0].colour[:160, :160]
    onnx.save(interpolate(find("novel"), find("storybook"), 0.5, "between"), tmp_path / "b.onnx")
    one, other, between = (
        Stylizer(path, device="cpu")(photo).astype(float)
        for path in (
            *(SHIPPED_FOLDER / f"{n}.onnx" for n in ("novel", "storybook")),
            tmp_path / "b.onnx",
        )
    )
    apart = np.abs(one - other).mean()
    assert np.abs(between - one).mean() < apart > np.abs(between - other).mean()


def test_a_sky_has_no_bands(painted):
    """A graded sky with a camera's grain stays graded: no jump between rests, no stroke."""
    stylizer, _ = painted
    if stylizer.spec.name == "manga":
        pytest.skip("manga has four tones on purpose")
    down = np.linspace(0, 1, 384)[:, None, None]
    sky = (1 - down) * np.array([70, 120, 210]) + down * np.array([190, 215, 240])
    grain = np.random.default_rng(0).normal(0, 1.5, (384, 512, 3))
    anime = stylizer(np.clip(sky + grain, 0, 255).astype(np.uint8))
    light = ndimage.uniform_filter1d(anime[40:-40, 40:-40].mean(axis=(1, 2)), 5)
    steps = np.diff(light)
    assert steps.max() < 3 * steps.mean()
    assert anime.mean(axis=2)[40:-40, 40:-40].min() > 100  # a stroke would be near 0


def test_no_checkerboard(painted):
    """Where a photo is flat, single pixels do not alternate; crisp corners elsewhere may."""
    second = np.array([1.0, -2.0, 1.0]) / 4
    _, pairs = painted
    for photo, anime in pairs:
        gray, drawn = photo.mean(axis=2), anime.mean(axis=2)
        flat = ndimage.maximum_filter(ndimage.gaussian_gradient_magnitude(gray, 2.0), 15) < 1.0
        if flat.mean() < 0.01:
            continue
        alternating = np.abs(ndimage.convolve(drawn, np.outer(second, second)))[flat]
        assert np.percentile(alternating, 99) < 0.5  # grey levels
