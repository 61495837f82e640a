"""`sakuga.paint` gives back the kind of thing it was given."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from samples import encoded, photo

import sakuga
from sakuga.errors import InputError, OptionError
from sakuga.images.read import Frame, Picture, read_picture
from sakuga.painting.pictures import Look, paint_picture
from sakuga.painting.stylizer import Stylizer

PHOTO = photo(48, 70)
ALPHA = PHOTO[..., 0]


@pytest.fixture(scope="module")
def stylizer(tiny_style: Path) -> Stylizer:
    return Stylizer(tiny_style, threads=1)


@pytest.fixture(scope="module")
def anime(stylizer: Stylizer) -> np.ndarray:
    return stylizer(PHOTO)


def test_an_array_gives_an_array(tiny_style: Path, anime: np.ndarray) -> None:
    assert (sakuga.paint(PHOTO, style=tiny_style) == anime).all()
    assert (sakuga.paint(PHOTO, str(tiny_style), strength=0.0) == PHOTO).all()


def test_a_path_gives_an_image(tmp_path: Path, stylizer: Stylizer, anime: np.ndarray) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(PHOTO).save(path)
    for given in (path, str(path)):
        result = sakuga.paint(given, stylizer)
        assert result.mode == "RGB" and (np.asarray(result) == anime).all()


def test_an_image_gives_an_image(stylizer: Stylizer, anime: np.ndarray) -> None:
    image = Image.fromarray(PHOTO)
    assert (np.asarray(sakuga.paint(image, stylizer)) == anime).all()
    image.putalpha(Image.fromarray(ALPHA))
    result = np.asarray(sakuga.paint(image, stylizer))
    assert (result[..., :3] == anime).all() and (result[..., 3] == ALPHA).all()


@pytest.mark.parametrize(
    ("given", "got"),
    [("PNG", "PNG"), ("JPEG", "JPEG"), ("WEBP", "WEBP"), ("TIFF", "PNG"), ("AVIF", "JPEG")],
)
def test_bytes_give_bytes_of_the_same_or_a_near_format(
    given: str, got: str, stylizer: Stylizer, anime: np.ndarray
) -> None:
    painted = sakuga.paint(encoded(Image.fromarray(PHOTO), given, quality=95), stylizer)
    image = Image.open(io.BytesIO(painted))
    assert image.format == got
    if given == "PNG":
        assert (np.asarray(image) == anime).all()


def test_bytes_keep_an_animation_a_path_gives_its_first_frame(
    tmp_path: Path, stylizer: Stylizer
) -> None:
    frames = [Image.fromarray(photo(20, 30, seed)) for seed in range(3)]
    content = encoded(
        frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=70, lossless=True
    )
    painted = read_picture(sakuga.paint(content, stylizer))
    assert [frame.duration_ms for frame in painted.frames] == [70] * 3
    for seed, frame in enumerate(painted.frames):
        assert np.abs(frame.colour.astype(int) - stylizer(photo(20, 30, seed))).mean() < 12
    (tmp_path / "a.webp").write_bytes(content)
    first = sakuga.paint(tmp_path / "a.webp", stylizer)
    assert (np.asarray(first) == stylizer(photo(20, 30, 0))).all()


def test_max_side_shrinks_every_kind(tmp_path: Path, stylizer: Stylizer) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(PHOTO).save(path)
    small = np.asarray(Image.fromarray(PHOTO).resize((35, 24), Image.Resampling.LANCZOS))
    expected = stylizer(small)
    assert (sakuga.paint(PHOTO, stylizer, max_side=35) == expected).all()
    assert (np.asarray(sakuga.paint(path, stylizer, max_side=35)) == expected).all()
    image = sakuga.paint(Image.open(path), stylizer, max_side=35)
    assert (np.asarray(image) == expected).all()
    assert Image.open(io.BytesIO(sakuga.paint(path.read_bytes(), stylizer, max_side=35))).size == (
        35,
        24,
    )


def test_mistakes_are_sakugas_own(stylizer: Stylizer, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="max-side is 0"):
        sakuga.paint(PHOTO, stylizer, max_side=0)
    with pytest.raises(OptionError, match="strength is 2"):
        sakuga.paint(PHOTO, stylizer, strength=2)
    with pytest.raises(InputError, match="the picture: is not a picture, it holds text"):
        sakuga.paint(b"hello", stylizer)
    with pytest.raises(sakuga.SakugaError, match=r"none.jpg: there is no such file"):
        sakuga.paint(tmp_path / "none.jpg", stylizer)


def test_paint_picture_keeps_all_but_the_colours(stylizer: Stylizer) -> None:
    frames = (Frame(PHOTO, ALPHA, 40), Frame(PHOTO[::-1].copy(), None, 60))
    picture = Picture(frames, "GIF", plays=3, exif=b"Exif\0\0")
    shares: list[float] = []
    painted = paint_picture(picture, stylizer, Look(), shares.append)
    assert (painted.frames[1].colour == stylizer(frames[1].colour)).all()
    assert painted.frames[0].alpha is ALPHA
    assert [frame.duration_ms for frame in painted.frames] == [40, 60]
    assert (painted.plays, painted.exif) == (3, b"Exif\0\0")
    assert shares == [0.5, 1.0]


def test_public_names() -> None:
    assert set(sakuga.__all__) <= set(dir(sakuga))
    assert sakuga.styles.find is not None and sakuga.Style is sakuga.styles.Style
    assert sakuga.__version__
    with pytest.raises(AttributeError, match="no attribute 'pant'"):
        _ = sakuga.pant  # type: ignore[attr-defined]
