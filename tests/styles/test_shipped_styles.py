"""The styles in the box keep what the model card promises, on the example photos."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from sakuga.evaluate.statistics import medians, noise_gain, picture_statistics
from sakuga.images.read import read_picture
from sakuga.painting.stylizer import Stylizer
from sakuga.styles import SHIPPED_FOLDER, read_spec

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.jpg"))
# At most, CIELAB units: storybook prints on cream paper, manga drops colour, on purpose.
CHROMA_SHIFT = {"novel": 6, "storybook": 20, "manga": 60}
EDGES = {"novel": 0.95, "storybook": 0.7, "manga": 0.8}  # at least; paper and washes are light
SATURATION = {"novel": (0.95, 1.35), "storybook": (0.4, 1.0), "manga": (0.0, 0.3)}
# Grey levels that single pixels may alternate by: crisp corners do, a pattern would everywhere.
CHECKERS = {"novel": 9.0, "storybook": 12.0, "manga": 18.0}
STYLES = sorted(SHIPPED_FOLDER.glob("*.onnx"))


@pytest.fixture(scope="module", params=STYLES, ids=lambda path: path.stem)
def painted(request):
    """Each example at its full size, and what the style makes of it."""
    stylizer = Stylizer(request.param, device="cpu")
    photos = [read_picture(path).frames[0].colour for path in EXAMPLES]
    return stylizer, [(photo, stylizer(photo)) for photo in photos]


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


def test_no_checkerboard(painted):
    """Nowhere do single pixels alternate more than in the photo."""
    second = np.array([1.0, -2.0, 1.0]) / 4
    stylizer, pairs = painted
    for photo, anime in pairs:
        before, after = (
            np.percentile(np.abs(ndimage.convolve(gray, np.outer(second, second))), 99)
            for gray in (photo.mean(axis=2), anime.mean(axis=2))
        )
        assert after < max(before, CHECKERS[stylizer.spec.name])  # grey levels
