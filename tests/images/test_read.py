"""Pictures of every kind are read upright, in sRGB, whole; bad ones are refused."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from samples import encoded, heic, icc_profile, photo, png_16_bit_rgb, png_chunk, png_header

from sakuga.errors import InputError, MissingExtraError, TooLargeError
from sakuga.images.picture import fit_within
from sakuga.images.read import picture_of, read_picture, to_float, to_pixels

PHOTO = photo(20, 33)
IMAGE = Image.fromarray(PHOTO)


def read(content: bytes | Path) -> np.ndarray:
    """The colours of a still picture that must have no alpha."""
    (frame,) = read_picture(content).frames
    assert frame.alpha is None
    return frame.colour


# --- To the model's floats and back ---


def test_floats_are_what_the_formula_says() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(1, 256, 1).repeat(3, axis=2)
    planes = to_float(levels)
    assert planes.shape == (1, 3, 1, 256) and planes.dtype == np.float32
    np.testing.assert_allclose(planes[0, 1, 0], np.arange(256) / 127.5 - 1, atol=1e-6)
    assert (to_pixels(planes)[0] == levels).all()


def test_floats_round_to_the_nearest_level_and_clip() -> None:
    values = np.linspace(-1.3, 1.3, 5001)
    exact = np.clip((values + 1) * 127.5, 0, 255)
    planes = np.broadcast_to(values.astype(np.float32), (1, 3, 1, 5001))
    levels = to_pixels(planes)[0, 0, :, 0]
    assert levels.dtype == np.uint8
    assert np.abs(levels - exact).max() <= 0.5 + 1e-4


def test_floats_keep_rows_columns_and_channels_apart() -> None:
    assert (to_float(PHOTO)[0, 2, 5, 7] + 1) * 127.5 == pytest.approx(PHOTO[5, 7, 2], abs=1e-4)
    batch = np.stack([PHOTO, PHOTO[::-1]])
    assert (to_pixels(to_float(batch)) == batch).all()


# --- Orientation ---


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_turned_upright(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.png"
    IMAGE.save(path, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    picture = read_picture(path)
    assert (picture.frames[0].colour == expected).all()
    assert picture.exif is not None
    read_again = Image.Exif()
    read_again.load(picture.exif)
    assert read_again[0x0112] == 1
    with Image.open(path) as image:
        assert (picture_of(image).frames[0].colour == expected).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}, {"save_all": True}])
def test_a_tiff_is_turned_once(
    orientation: int, options: dict[str, object], tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.tif"
    more = {"append_images": [IMAGE]} if options.get("save_all") else {}
    IMAGE.save(path, exif=exif, **options, **more)
    stored = IMAGE.copy()
    stored.info["exif"] = exif.tobytes()
    wanted = np.asarray(ImageOps.exif_transpose(stored))

    def opened() -> Image.Image:
        return Image.open(io.BytesIO(path.read_bytes()))

    loaded, asked_before = opened(), opened()
    loaded.load()
    assert asked_before.getexif().get(0x0112, 1) == orientation
    pictures = [
        read_picture(path),
        read_picture(path.read_bytes()),
        picture_of(opened()),
        picture_of(loaded),
        picture_of(loaded),
        picture_of(asked_before),
        picture_of(opened().copy()),
    ]
    for picture in pictures:
        assert (picture.frames[0].colour == wanted).all()
        kept = Image.Exif()
        kept.load(picture.exif or b"")
        assert kept.get(0x0112, 1) == 1
    assert pictures[0].turned == (orientation > 1)
    height, width = wanted.shape[:2]
    small = read_picture(path, max_side=10).frames[0].colour
    assert small.shape[:2] == ((10, 6) if height > width else (6, 10))


@pytest.mark.parametrize(
    ("name", "remedy"), [("a.jpg", "end its name in .mp4"), ("a.mp4", "give a JPEG")]
)
def test_a_video_is_named_as_one(name: str, remedy: str) -> None:
    with pytest.raises(InputError, match=f"it holds a video; .*{remedy}"):
        read_picture(b"\0\0\0\x20ftypisom", name=name)


def test_further_pages_are_told(caplog: pytest.LogCaptureFixture) -> None:
    read_picture(encoded(IMAGE, "TIFF"))
    assert not caplog.text
    read_picture(encoded(IMAGE, "TIFF", save_all=True, append_images=[IMAGE]), name="scan.tif")
    assert "scan.tif: holds more than one picture; the first is read" in caplog.text


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_an_image_is_turned_every_time_it_is_painted(file_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(io.BytesIO(encoded(IMAGE, file_format, exif=exif)))
    for _ in range(3):
        assert picture_of(image).frames[0].colour.shape == (33, 20, 3)
    assert image.getexif()[0x0112] == 6


def test_orientation_turns_alpha_and_strips_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sakuga.images.colour._STRIP_PIXELS", 33 * 3)
    image = IMAGE.copy()
    image.putalpha(Image.fromarray(PHOTO[..., 1]))
    exif = Image.Exif()
    exif[0x0112] = 6
    (frame,) = read_picture(encoded(image, "PNG", exif=exif)).frames
    assert (frame.colour == np.rot90(PHOTO, -1)).all()
    assert frame.alpha is not None
    assert (frame.alpha == np.rot90(PHOTO[..., 1], -1)).all()


def test_an_orientation_that_means_nothing_counts_as_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 99
    assert (read(encoded(IMAGE, "PNG", exif=exif)) == PHOTO).all()


# --- Kinds of samples ---


def test_gray_one_bit_and_palette() -> None:
    gray = IMAGE.convert("L")
    assert (read(encoded(gray, "PNG")) == np.asarray(gray)[..., None]).all()
    bits = IMAGE.convert("1")
    assert (read(encoded(bits, "PNG")) == np.asarray(bits)[..., None] * np.uint8(255)).all()
    palette = IMAGE.quantize(16)
    assert (read(encoded(palette, "PNG")) == np.asarray(palette.convert("RGB"))).all()


def test_cmyk_without_a_profile() -> None:
    content = encoded(IMAGE.convert("CMYK"), "JPEG", quality=95)
    # The light that cyan, magenta and yellow let through, dimmed by black.
    ink = np.asarray(Image.open(io.BytesIO(content))).astype(int)
    expected = (255 - ink[..., :3]) * (255 - ink[..., 3:]) / 255
    assert np.abs(read(content) - expected).max() <= 1
    assert np.abs(read(content).astype(int) - PHOTO).mean() < 6


@pytest.mark.parametrize("file_format", ["PNG", "TIFF"])
def test_sixteen_bit_gray_is_scaled_not_clipped(file_format: str) -> None:
    samples = np.linspace(0, 65535, 20 * 33).astype(np.uint16).reshape(20, 33)
    colour = read(encoded(Image.fromarray(samples), file_format))
    assert np.abs(colour[..., 0] - samples / 257).max() <= 0.5
    dark = (samples // 256).astype(np.uint16)  # 16-bit samples that all fit 8 bits are still dark
    assert read(encoded(Image.fromarray(dark), file_format)).max() <= 1


def test_sixteen_bit_portable_gray_map() -> None:
    samples = np.linspace(0, 65535, 12).astype(">u2")
    colour = read(b"P5 4 3 65535\n" + samples.tobytes())
    assert np.abs(colour[..., 0].ravel() - samples / 257).max() <= 0.5


def test_sixteen_bit_colour() -> None:
    samples = PHOTO.astype(np.uint16) * 257 + np.arange(33, dtype=np.uint16)[:, None]
    colour = read(png_16_bit_rgb(np.minimum(samples, 65535)))
    assert np.abs(colour.astype(int) - PHOTO).max() <= 1


@pytest.mark.parametrize("mode", ["I", "F"])
def test_samples_of_unknown_range_are_refused(mode: str) -> None:
    with pytest.raises(InputError, match="range is not stated"):
        read_picture(encoded(IMAGE.convert("L").convert(mode), "TIFF"))


# --- Alpha ---


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_kept_apart(mode: str) -> None:
    alpha = PHOTO[..., 0]
    image = IMAGE.convert(mode[:-1])
    expected = np.asarray(image.convert("RGB"))
    image.putalpha(Image.fromarray(alpha))
    (frame,) = read_picture(encoded(image, "PNG")).frames
    assert (frame.colour == expected).all()
    assert frame.alpha is not None and (frame.alpha == alpha).all()


def test_transparent_palette_entry_and_transparent_level() -> None:
    palette = IMAGE.quantize(16)
    (frame,) = read_picture(encoded(palette, "PNG", transparency=3)).frames
    assert frame.alpha is not None
    assert ((frame.alpha == 0) == (np.asarray(palette) == 3)).all()
    gray = IMAGE.convert("L")
    level = int(np.asarray(gray)[4, 4])
    (frame,) = read_picture(encoded(gray, "PNG", transparency=level)).frames
    assert frame.alpha is not None
    assert ((frame.alpha == 0) == (np.asarray(gray) == level)).all()


# --- ICC profiles ---


def test_a_profile_is_converted_to_srgb() -> None:
    # The profile has sRGB's primaries and linear light, so only the transfer curve remains.
    light = PHOTO / 255
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    colour = read(encoded(IMAGE, "PNG", icc_profile=icc_profile(1.0)))
    assert np.abs(colour - 255 * curve).max() <= 2
    gray = IMAGE.convert("L")
    colour = read(encoded(gray, "PNG", icc_profile=icc_profile(1.0)))
    assert colour.mean() > np.asarray(gray).mean() + 20


def test_a_profile_leaves_alpha_alone() -> None:
    image = IMAGE.copy()
    image.putalpha(Image.fromarray(PHOTO[..., 0]))
    (frame,) = read_picture(encoded(image, "PNG", icc_profile=icc_profile(1.0))).frames
    assert frame.alpha is not None and (frame.alpha == PHOTO[..., 0]).all()
    assert (frame.colour == read(encoded(IMAGE, "PNG", icc_profile=icc_profile(1.0)))).all()


def test_a_profile_named_srgb_changes_nothing() -> None:
    content = encoded(IMAGE, "PNG", icc_profile=icc_profile(2.2, description=b"sRGB IEC61966-2.1"))
    assert (read(content) == PHOTO).all()


def test_a_damaged_or_foreign_profile_is_left_out_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert (read(encoded(IMAGE, "PNG", icc_profile=b"no profile")) == PHOTO).all()
    assert "cannot be read and is left out" in caplog.text
    caplog.clear()
    cmyk = IMAGE.convert("CMYK")
    content = encoded(cmyk, "JPEG", icc_profile=icc_profile(1.0))
    assert (read(content) == read(encoded(cmyk, "JPEG"))).all()
    assert "not for CMYK" in caplog.text


# --- Animations ---

FRAMES = [Image.fromarray(photo(16, 24, seed)) for seed in range(3)]


@pytest.mark.parametrize(
    ("file_format", "plays", "options"),
    [
        ("GIF", 0, {"loop": 0}),
        ("GIF", 1, {}),
        ("GIF", 4, {"loop": 3}),
        ("WEBP", 0, {"loop": 0, "lossless": True}),
        ("WEBP", 2, {"loop": 2, "lossless": True}),
        ("PNG", 5, {"loop": 5}),
    ],
)
def test_animations_keep_frames_times_and_plays(
    file_format: str, plays: int, options: dict[str, object]
) -> None:
    content = encoded(
        FRAMES[0],
        file_format,
        save_all=True,
        append_images=FRAMES[1:],
        duration=[40, 100, 250],
        **options,
    )
    picture = read_picture(content)
    assert [frame.duration_ms for frame in picture.frames] == [40, 100, 250]
    assert picture.plays == plays
    for frame, original in zip(picture.frames, FRAMES, strict=True):
        error = np.abs(frame.colour.astype(int) - np.asarray(original)).mean()
        assert error == 0 if file_format != "GIF" else error < 8


def test_the_stand_in_of_an_animated_png_is_left_out() -> None:
    content = encoded(FRAMES[0], "PNG", save_all=True, append_images=FRAMES[1:], default_image=True)
    picture = read_picture(content)
    assert [bool((frame.colour == FRAMES[0]).all()) for frame in picture.frames] == [False] * 2


def test_the_preview_in_a_multi_picture_jpeg_is_no_animation() -> None:
    content = encoded(IMAGE, "MPO", save_all=True, append_images=[IMAGE])
    assert len(read_picture(content).frames) == 1


# --- HEIC ---


def test_heic() -> None:
    picture = photo(64, 96)
    assert np.abs(read(heic(picture)).astype(int) - picture).mean() < 8
    turned = read(heic(picture, quarter_turns=1))
    assert turned.shape == (96, 64, 3)
    assert np.abs(turned.astype(int) - np.rot90(picture)).mean() < 8


def test_heic_without_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'sakuga\[heic\]'"):
        read_picture(heic(photo(64, 64)))


# --- Sizes ---


def test_max_side_shrinks_the_upright_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "photo.jpg"
    large = Image.fromarray(photo(400, 601))
    large.save(path, exif=exif, quality=95)
    (frame,) = read_picture(path, max_side=100).frames
    assert frame.colour.shape == (100, 67, 3)
    expected = large.rotate(-90, expand=True).resize((67, 100), Image.Resampling.LANCZOS)
    assert np.abs(frame.colour.astype(int) - np.asarray(expected)).mean() < 6
    assert read_picture(path, max_side=601).frames[0].colour.shape == (601, 400, 3)


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 5000))
def test_fit_within_keeps_proportions(width: int, height: int, side: int) -> None:
    small_width, small_height = fit_within((width, height), side)
    assert 1 <= small_width <= width and 1 <= small_height <= height
    assert max(small_width, small_height) == min(side, max(width, height))
    scale = min(1, side / max(width, height))
    assert abs(small_width - width * scale) <= 1 and abs(small_height - height * scale) <= 1


def test_many_pixels_are_refused_before_decoding(tmp_path: Path) -> None:
    bomb = png_header(60_000, 60_000) + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb)
    with pytest.raises(InputError, match=r"bomb.png: has 60000 x 60000 pixels.* 400 megapixels"):
        read_picture(path)
    with pytest.raises(InputError, match="has 33 x 20 pixels"):
        read_picture(encoded(IMAGE, "PNG"), max_pixels=659)
    assert read_picture(encoded(IMAGE, "PNG"), max_pixels=660)
    content = encoded(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:])
    with pytest.raises(InputError, match="3 frames of 24 x 16"):
        read_picture(content, max_pixels=3 * 24 * 16 - 1)


def test_pillows_own_limit_stays_as_it_was() -> None:
    before = Image.MAX_IMAGE_PIXELS
    read_picture(encoded(IMAGE, "PNG"))
    assert before is not None and before == Image.MAX_IMAGE_PIXELS


# --- Files that are no pictures ---


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
@pytest.mark.parametrize("share", [0.4, 0.9])
def test_truncated_files_are_refused(file_format: str, share: float, tmp_path: Path) -> None:
    content = encoded(Image.fromarray(photo(200, 300)), file_format)
    path = tmp_path / "half.jpg"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"half.jpg: is (damaged or truncated|not a picture)"):
        read_picture(path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "nothing"),
        (b"Dear diary, today I renamed a text.\n", "text"),
        (b"%PDF-1.7 ...", "a PDF document"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "a video"),
        (bytes(range(3, 40)), "data of no known kind"),
    ],
)
def test_what_is_no_picture_is_named(content: bytes, found: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"photo.jpg: is not a picture, it holds {found}"):
        read_picture(path)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.jpg: there is no such file"):
        read_picture(tmp_path / "none.jpg")
    with pytest.raises(InputError, match="is a folder"):
        read_picture(tmp_path)


def test_damaged_metadata_does_not_cost_the_picture() -> None:
    content = encoded(IMAGE, "PNG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\1garbage")
    with pytest.warns(UserWarning, match="EXIF"):  # Pillow's
        assert (read_picture(content).frames[0].colour == PHOTO).all()


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF"])
def test_a_damaged_header_is_not_called_no_picture(file_format: str) -> None:
    content = bytearray(encoded(IMAGE, file_format))
    content[16:] = b"\xff" * (len(content) - 16)
    with pytest.raises(InputError, match="damaged or truncated") as caught:
        read_picture(bytes(content))
    assert "no known kind" not in str(caught.value)


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "I;16"])
def test_a_picture_without_pixels_is_refused(size: tuple[int, int], mode: str) -> None:
    with pytest.raises(InputError, match=f"has no pixels, it is {size[0]} x {size[1]}"):
        picture_of(Image.new(mode, size))
    if mode == "RGB":
        header = png_header(*size) + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")
        with pytest.raises(InputError):
            read_picture(header)


def test_what_is_no_name_of_a_file_is_said() -> None:
    for name in ("a\0b.png", "\ud800.png", "x" * 5000 + ".png"):
        with pytest.raises(InputError):
            read_picture(name)


def test_a_picture_too_large_for_the_memory_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", no_memory)
    with pytest.raises(TooLargeError, match="does not fit into the memory"):
        read_picture(encoded(IMAGE, "JPEG"))
