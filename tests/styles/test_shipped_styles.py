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
CHROMA_SHIFT = {"novel": 5, "storybook": 7}  # at most; storybook prints on cream paper, on purpose
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
    assert found["texture"] <= 0.60
    assert found["edges"] >= 0.95
    assert found["chroma_shift"] <= CHROMA_SHIFT[stylizer.spec.name]
    assert 0.95 <= found["saturation"] <= 1.3


def test_it_calms_noise(painted):
    stylizer, pairs = painted
    gains = [noise_gain(photo, anime, stylizer) for photo, anime in pairs[1:3]]
    assert np.median(gains) <= 0.45


def test_no_checkerboard(painted):
    """Nowhere do single pixels alternate more than in the photo."""
    second = np.array([1.0, -2.0, 1.0]) / 4
    _, pairs = painted
    for photo, anime in pairs:
        before, after = (
            np.percentile(np.abs(ndimage.convolve(gray, np.outer(second, second))), 99)
            for gray in (photo.mean(axis=2), anime.mean(axis=2))
        )
        assert after < max(before, 2.0)  # grey levels
