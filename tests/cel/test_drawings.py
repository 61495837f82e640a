"""What is measured on drawings, against drawings made to measure; and the settings it leads to."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sakuga.cel.design import preset
from sakuga.cel.drawings import Look, measure, read_drawings, settings_like, stroke_width, told
from sakuga.cel.painter import Easel
from sakuga.cel.settings import CelSettings
from sakuga.errors import DataError
from sakuga.images.colour import Pixels

EXAMPLES = Path(__file__).parents[2] / "examples"
PATCHES = ((0.9, 0.5, 0.4), (0.4, 0.8, 0.5), (0.5, 0.6, 0.9), (0.8, 0.8, 0.3))


def drawing(
    width: int = 2,
    *,
    tone: float = 0.0,
    ink: tuple[float, float, float] = (0.0, 0.0, 0.0),
    black: tuple[float, float, float] = (0.0, 0.0, 0.0),
    paper: tuple[float, float, float] = (1.0, 1.0, 1.0),
    chroma: float = 1.0,
    light: float = 0.0,
) -> Pixels:
    """Four patches on paper, each with lines of a width in pixels, and a dark square."""
    picture = np.ones((240, 240, 3), np.float32)
    picture[4:34, 4:34] = 0
    for row, patch in enumerate(PATCHES):
        colour = np.array(patch, np.float32)
        colour = colour.mean() + chroma * (colour - colour.mean()) + light
        part = picture[40 + 50 * row :, 20:220][:50]
        part[:] = colour
        for top in range(10, 50, 15):
            part[top : top + width] = tone * colour**2 + (1 - tone) * np.array(ink)
    printed = np.array(black) + picture * (np.array(paper) - np.array(black))
    return np.rint(255 * printed).astype(np.uint8)


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_the_width_of_strokes_is_measured_however_dark_they_are(width: int) -> None:
    strokes = np.zeros((400, 400), np.float32)
    strokes[50 : 50 + width, 5:395] = 1
    strokes[100:395, 200 : 200 + width] = 0.3
    assert stroke_width([strokes]) == pytest.approx(width, rel=0.03)
    assert stroke_width([strokes, 40 * strokes]) == pytest.approx(width, rel=0.03)
    assert stroke_width([0 * strokes]) == 0


@pytest.mark.parametrize("width", [1, 2, 4])
def test_lines_of_a_drawing_are_measured(width: int) -> None:
    look = measure([drawing(width)])
    assert look.width == pytest.approx(width, rel=0.06)
    assert look.lines == pytest.approx(4 * 3 * 200 * width / 240**2, rel=0.02)


def test_the_colour_of_lines_is_measured_as_the_painter_mixes_it() -> None:
    black, paper, ink = (0.2, 0.12, 0.1), (1.0, 0.96, 0.9), (0.3, 0.1, 0.2)
    for tone in (0.0, 0.5):
        look = measure([drawing(tone=tone, ink=ink, black=black, paper=paper)])
        assert look.line_tone == pytest.approx(tone, abs=0.05)
        assert look.line_colour == pytest.approx(ink, abs=0.04)
        assert look.black == pytest.approx(black, abs=0.005)
        assert look.paper == pytest.approx(paper, abs=0.005)


def test_blank_paper_counts_for_nothing() -> None:
    picture = drawing()
    on_more_paper = np.pad(picture, ((0, 0), (0, 400), (0, 0)), constant_values=255)
    look, other = measure([picture]), measure([on_more_paper])
    assert (other.light, other.chroma) == pytest.approx((look.light, look.chroma), rel=0.01)


@pytest.fixture(scope="module")
def easel() -> Easel:
    animal = Image.open(EXAMPLES / "animal_raccoon.jpg").resize((320, 240))
    return Easel(np.asarray(animal)[:160, 60:220])


def chosen(easel: Easel, picture: Pixels) -> CelSettings:
    return settings_like(measure([picture]), [easel])[0]


def test_a_photo_painted_with_what_was_found_looks_as_the_drawings_do(easel: Easel) -> None:
    """Width and number of lines make up for each other: what they measure counts."""
    start = dataclasses.replace(preset("novel"), ink=1.0, crowding=0.6)
    for width, vividness, gamma in ((0.6, 1.6, 0.8), (1.0, 0.9, 1.1)):
        changes = {"line_width": width, "vividness": vividness, "gamma": gamma}
        painted = easel.paint(dataclasses.replace(start, **changes))[0]
        picture = np.pad(painted, ((4, 4), (4, 4), (0, 0)), constant_values=255)
        look = measure([picture])
        _, again = settings_like(look, [easel])
        assert again.width == pytest.approx(look.width, rel=0.15)
        assert again.lines == pytest.approx(look.lines, rel=0.35)
        assert again.chroma == pytest.approx(look.chroma, rel=0.1)
        assert again.light == pytest.approx(look.light, rel=0.1)


def test_what_the_drawings_have_more_of_the_settings_have_more_of(easel: Easel) -> None:
    less = chosen(easel, drawing(1, chroma=0.2, light=-0.2))
    more = chosen(easel, drawing(4, chroma=0.4, ink=(0.0, 0.0, 0.4)))
    assert more.vividness == pytest.approx(2 * less.vividness, rel=0.25)
    assert more.gamma < less.gamma  # brighter
    assert more.line_width > less.line_width
    assert more.line_colour == pytest.approx((0, 0, 0.4), abs=0.03)
    assert less.ink == 1 and less.brush == preset("novel").brush
    assert chosen(easel, drawing(0)).ink == 0  # no lines


def test_what_was_measured_is_told_beside_what_was_chosen(easel: Easel) -> None:
    look = measure([drawing()])
    settings, painted = settings_like(look, [easel])
    lines = told(look, painted, settings).splitlines()
    assert len(lines) == 1 + len(dataclasses.fields(Look))
    (width,) = (line.split() for line in lines if line.startswith("width"))
    assert width[1] == f"{look.width:.3g}" and width[-1] == str(settings.line_width)


def test_drawings_are_spread_over_a_folder_and_transparency_is_paper(tmp_path: Path) -> None:
    for number in range(81):
        pixels = np.full((4, 6, 4), (number, 0, 0, 255 * (number < 80)), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number:02}.png")
    found = read_drawings(tmp_path)
    assert len(found) == 40 and found[0][0, 0, 0] == 0
    assert (found[-1] == 255).all()


def test_what_cannot_be_measured_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pictures found"):
        read_drawings(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        read_drawings(tmp_path / "none")
    with pytest.raises(DataError, match="one lightness"):
        measure([np.full((20, 20, 3), 90, np.uint8)])
