"""Pictures are written whole, with alpha, times and EXIF where the format can."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from samples import encoded, photo

from sakuga.errors import OptionError, OutputError
from sakuga.images.picture import Frame, Picture
from sakuga.images.read import read_picture
from sakuga.images.write import encode_picture, to_image, write_picture

COLOUR = photo(40, 56)
ALPHA = COLOUR[..., 0]
STILL = Picture((Frame(COLOUR),))


@pytest.mark.parametrize(
    ("name", "pillow_name", "error"),
    [
        ("a.png", "PNG", 0),
        ("a.jpg", "JPEG", 5),
        ("a.JPEG", "JPEG", 5),
        ("a.webp", "WEBP", 8),
        ("a.gif", "GIF", 8),
    ],
)
def test_the_suffix_chooses_the_format(
    name: str, pillow_name: str, error: float, tmp_path: Path
) -> None:
    write_picture(STILL, tmp_path / name)
    with Image.open(tmp_path / name) as image:
        assert image.format == pillow_name
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - COLOUR).mean() <= error
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_named_format_wins_over_the_suffix(tmp_path: Path) -> None:
    write_picture(STILL, tmp_path / "a.dat", "png")
    assert (read_picture(tmp_path / "a.dat").frames[0].colour == COLOUR).all()


def test_jpeg_keeps_the_resolution_of_colours() -> None:
    lines = np.zeros((16, 16, 3), np.uint8)
    lines[:, ::2, 0] = 255  # red lines one pixel wide would mix with black at half resolution
    buffer = io.BytesIO()
    encode_picture(Picture((Frame(lines),)), buffer, "jpg")
    assert np.abs(read_picture(buffer.getvalue()).frames[0].colour.astype(int) - lines).max() < 40


@pytest.mark.parametrize("file_format", ["png", "webp"])
def test_alpha_is_kept(file_format: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{file_format}"
    write_picture(Picture((Frame(COLOUR, ALPHA),)), path)
    (frame,) = read_picture(path).frames
    assert frame.alpha is not None and (frame.alpha == ALPHA).all()


def test_jpeg_lays_alpha_on_white(tmp_path: Path) -> None:
    clear = np.where(np.arange(56) < 28, 0, 255).astype(np.uint8)
    alpha = np.broadcast_to(clear, (40, 56)).copy()
    write_picture(Picture((Frame(COLOUR, alpha),)), tmp_path / "a.jpg")
    colour = read_picture(tmp_path / "a.jpg").frames[0].colour.astype(int)
    assert colour[:, :24].min() > 245
    assert np.abs(colour[:, 32:] - COLOUR[:, 32:]).mean() < 4


@pytest.mark.parametrize("file_format", ["png", "jpg", "webp"])
def test_exif_data_is_passed_on_upright(file_format: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    picture = read_picture(encoded(Image.fromarray(COLOUR), "JPEG", exif=exif))
    path = tmp_path / f"a.{file_format}"
    write_picture(picture, path)
    with Image.open(path) as image:
        written = image.getexif()
        assert written[0x010F] == "Maker"
        assert written.get_ifd(0x8769)[0x9003] == "2026:01:02 03:04:05"
        assert written[0x0112] == 1
        assert image.size == (40, 56)


def test_of_a_tiff_only_what_describes_the_picture_is_passed_on() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    picture = read_picture(encoded(Image.fromarray(COLOUR), "TIFF", exif=exif))
    assert picture.exif is not None
    read_again = Image.Exif()
    read_again.load(picture.exif)
    assert dict(read_again) == {0x010F: "Maker"}


@pytest.mark.parametrize("file_format", ["gif", "webp", "png"])
@pytest.mark.parametrize("plays", [0, 1, 3])
@pytest.mark.parametrize("transparent", [False, True])
def test_animations_are_written_as_they_were_read(
    file_format: str, plays: int, transparent: bool
) -> None:
    # What is clear in a frame was opaque in the one before, and must not shine through.
    clear = [(np.indices((40, 56)).sum(axis=0) + 20 * seed) % 60 < 20 for seed in range(3)]
    frames = tuple(
        Frame(
            photo(40, 56, seed),
            np.where(clear[seed], 0, 255).astype(np.uint8) if transparent else None,
            duration_ms=(seed + 1) * 50,
        )
        for seed in range(3)
    )
    buffer = io.BytesIO()
    encode_picture(Picture(frames, plays=plays), buffer, file_format)
    read = read_picture(buffer.getvalue())
    assert [frame.duration_ms for frame in read.frames] == [50, 100, 150]
    assert read.plays == plays
    for written, original in zip(read.frames, frames, strict=True):
        seen = slice(None) if original.alpha is None else original.alpha == 255
        difference = written.colour[seen].astype(int) - original.colour[seen]
        assert np.abs(difference).mean() < 9
        if original.alpha is not None:
            assert written.alpha is not None and (written.alpha == original.alpha).all()


def test_jpeg_refuses_an_animation(tmp_path: Path) -> None:
    animation = Picture((Frame(COLOUR), Frame(COLOUR)))
    with pytest.raises(OptionError, match="holds no animation, and this has 2 frames; write webp"):
        write_picture(animation, tmp_path / "a.jpg")
    assert list(tmp_path.iterdir()) == []


def test_unknown_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"the suffix .dat is not one Sakuga writes"):
        write_picture(STILL, tmp_path / "a.dat")
    with pytest.raises(OptionError, match="'tiff' is not one of png, jpg, webp, gif"):
        write_picture(STILL, tmp_path / "a.tif", "tiff")


def test_a_size_the_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    wide = Picture((Frame(np.zeros((1, 16_500, 3), np.uint8)),))
    with pytest.raises(OutputError, match="16500 x 1 pixels cannot be written as webp"):
        write_picture(wide, tmp_path / "a.webp")
    assert list(tmp_path.iterdir()) == []


def test_to_image_gives_an_opaque_frame_full_alpha() -> None:
    image = to_image(Frame(COLOUR), transparent=True)
    assert image.mode == "RGBA" and image.getextrema()[3] == (255, 255)
