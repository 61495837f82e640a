"""Large photos are painted small, for strokes of the right weight, and come out at full size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from samples import photo

from sakuga import cli
from sakuga.errors import OptionError
from sakuga.evaluate.statistics import contour_width, picture_statistics
from sakuga.images.picture import Frame, Picture, shrink
from sakuga.images.read import read_picture
from sakuga.painting.options import PaintOptions, check_stroke
from sakuga.painting.pictures import paint_picture
from sakuga.painting.stylizer import Stylizer, open_stylizer, working_size
from sakuga.painting.upscale import redraw
from sakuga.video.painter import Painter

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def stylizer(tiny_style: Path) -> Stylizer:
    return Stylizer(tiny_style, threads=1)


@pytest.mark.parametrize(
    ("size", "stroke", "expected"),
    [
        ((4000, 3000), "auto", (1182, 887)),
        ((3000, 4000), "auto", (887, 1182)),
        ((1280, 960), "auto", (1280, 960)),  # strokes would be hardly wider
        ((1920, 1080), "auto", (1365, 768)),
        ((4000, 3000), "bold", (591, 443)),
        ((600, 600), "bold", (600, 600)),
        ((12_000, 8_000), "fine", (12_000, 8_000)),
        ((4000, 3000), 1500, (1500, 1125)),
        ((3000, 4000), 16, (12, 16)),
        ((640, 480), 4000, (640, 480)),
        ((30_000, 500), "auto", (7932, 132)),
        ((4_000_000, 1), "auto", (2_048_000, 1)),
        ((1, 1), "bold", (1, 1)),
    ],
)
def test_working_size(size: tuple[int, int], stroke: Any, expected: tuple[int, int]) -> None:
    assert working_size(size, stroke) == expected


@pytest.mark.parametrize("stroke", [15, 0, -5, True, 100.5, "heavy", "", None])
def test_no_such_stroke(stroke: Any, stylizer: Stylizer) -> None:
    for refuse in (
        check_stroke,
        lambda s: stylizer(photo(8, 8), stroke=s),
        lambda s: PaintOptions(1, False, None, s),
    ):
        with pytest.raises(OptionError, match=r"stroke is .*auto, fine, bold, or the longer side"):
            refuse(stroke)


def test_small_photos_are_painted_as_they_are(stylizer: Stylizer) -> None:
    picture = photo(120, 90)
    expected = stylizer(picture, stroke="fine")
    for stroke in ("auto", "bold", 120, 5000):
        assert (stylizer(picture, stroke=stroke) == expected).all()


def test_a_large_photo_is_painted_small_and_redrawn(stylizer: Stylizer) -> None:
    picture = photo(200, 333)
    small = shrink(Frame(picture), (100, 60)).colour
    expected = redraw(stylizer(small), (333, 200))
    assert (stylizer(picture, stroke=100) == expected).all()
    assert np.abs(expected.astype(int) - stylizer(picture, stroke="fine")).mean() > 3


def test_tiles_do_not_change_it(tiny_style: Path) -> None:
    picture = photo(300, 410)
    whole = Stylizer(tiny_style, threads=1, tile="none")(picture, stroke=200)
    tiles = Stylizer(tiny_style, threads=1, tile=48)(picture, stroke=200)
    assert np.abs(whole.astype(int) - tiles).max() <= 3  # one grey level before sharpening
    assert (whole != tiles).mean() < 1e-3


def test_strength_mixes_at_full_size(stylizer: Stylizer) -> None:
    picture = photo(200, 260)
    full = stylizer(picture, stroke=64).astype(float)
    half = stylizer(picture, stroke=64, strength=0.5)
    assert np.abs(half - (full + picture) / 2).max() <= 0.5 + 1e-6
    assert (stylizer(picture, stroke=64, strength=0) == picture).all()


def test_colours_are_kept(stylizer: Stylizer) -> None:
    picture = photo(200, 300)
    small = shrink(Frame(picture), (90, 60)).colour
    kept = stylizer(picture, stroke=90, keep_colour=True)
    assert (kept == redraw(stylizer(small, keep_colour=True), (300, 200))).all()
    assert (kept != stylizer(picture, stroke=90)).mean() > 0.5


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (17, 2000), (2000, 3)])
def test_extreme_shapes(stylizer: Stylizer, shape: tuple[int, int]) -> None:
    assert stylizer(photo(*shape), stroke=16).shape == (*shape, 3)


def test_progress_goes_up_to_one(stylizer: Stylizer) -> None:
    shares: list[float] = []
    stylizer(photo(700, 300), stroke=100, progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) == 4


def test_styles_that_see_the_whole_picture_need_no_tiles(
    whole_style: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sakuga.painting.stylizer.WHOLE_LIMIT_PIXELS", 100 * 100)
    assert Stylizer(whole_style)(photo(300, 300), stroke=100).shape == (300, 300, 3)


def test_mixtures(tiny_style: Path, whole_style: Path) -> None:
    mixture = open_stylizer(f"{tiny_style}:0.5+{whole_style}:0.5", threads=1)
    picture = photo(200, 300)
    small = shrink(Frame(picture), (90, 60)).colour
    assert (mixture(picture, stroke=90) == redraw(mixture(small), (300, 200))).all()


def test_animations_with_alpha(stylizer: Stylizer) -> None:
    alpha = photo(150, 200)[..., 0]
    frames = (Frame(photo(150, 200), alpha, 40), Frame(photo(150, 200), None, 60))
    painted = paint_picture(Picture(frames, "GIF"), stylizer, PaintOptions(stroke=50)).frames
    assert painted[0].alpha is alpha and painted[1].duration_ms == 60
    assert (painted[0].colour == painted[1].colour).all()
    assert (painted[0].colour == stylizer(frames[0].colour, stroke=50)).all()


def test_the_command_line(tmp_path: Path, tiny_style: Path, stylizer: Stylizer) -> None:
    Image.fromarray(photo(150, 200)[..., 0]).save(tmp_path / "grey.png")
    line = ["paint", str(tmp_path / "grey.png"), "--style", str(tiny_style), "--overwrite"]
    picture = read_picture(tmp_path / "grey.png").frames[0].colour
    for stroke in (64, "fine"):
        assert cli.run([*line, "--stroke", str(stroke), "--threads", "1"]) == 0
        result = read_picture(tmp_path / "grey-tiny.png").frames[0].colour
        assert (result == stylizer(picture, stroke=stroke)).all()


@pytest.mark.parametrize("stroke", ["15", "heavy", "0.5"])
def test_the_command_line_refuses(
    stroke: str, tmp_path: Path, tiny_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(photo(20, 20)).save(tmp_path / "a.png")
    line = ["paint", str(tmp_path / "a.png"), "--style", str(tiny_style)]
    assert cli.run([*line, "--stroke", stroke]) == 2
    assert "stroke" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_frames_of_videos(stylizer: Stylizer) -> None:
    frame = photo(150, 200)
    painting = Painter(stylizer, PaintOptions(stroke=64))(frame)
    assert (painting.anime.result() == stylizer(frame, stroke=64)).all()


# --- The promise: as painted as at one megapixel, and crisp ---------------------------------------


@pytest.fixture(scope="module")
def twelve_megapixels() -> np.ndarray:
    """A photo of 4000 x 3000 pixels: an example enlarged, with the grain of a sensor."""
    picture = read_picture(EXAMPLES / "landscape_picos.jpg").frames[0].colour
    large = Image.fromarray(picture).resize((4000, 3000), Image.Resampling.LANCZOS)
    grain = np.random.default_rng(0).integers(-6, 7, (3000, 4000, 1), np.int8)
    return np.clip(np.add(large, grain, dtype=np.int16), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def novel() -> Stylizer:
    return Stylizer("novel", device="cpu")


def test_twelve_megapixels_look_like_one_and_are_crisp(
    novel: Stylizer, twelve_megapixels: np.ndarray
) -> None:
    size = working_size((4000, 3000), "auto")
    small = shrink(Frame(twelve_megapixels), size).colour
    at_one = novel(small)
    large = novel(twelve_megapixels)
    bicubic = np.asarray(Image.fromarray(at_one).resize((4000, 3000), Image.Resampling.BICUBIC))

    asked = picture_statistics(small, at_one)
    got = picture_statistics(twelve_megapixels, large)
    assert got["texture"] / asked["texture"] == pytest.approx(1, abs=0.1)
    assert got["edges"] / asked["edges"] == pytest.approx(1, abs=0.1)

    assert contour_width(large) < 0.6 * contour_width(bicubic)
    assert contour_width(large) < 3.5  # pixels
