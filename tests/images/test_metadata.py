"""What is not pixels never costs the picture: it is kept, or left out with one warning."""

from __future__ import annotations

import io
import logging
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from handmade import COLOUR, png, tiff
from PIL import Image, PngImagePlugin
from samples import encoded, icc_profile, photo

from sakuga.data.check import read_still
from sakuga.data.clean import measure
from sakuga.errors import InputError
from sakuga.images.marks import Mark, read_mark
from sakuga.images.picture import Frame, Picture
from sakuga.images.read import picture_of, read_picture, read_size
from sakuga.images.write import encode_picture

# Pillow warns too, of what it mends by itself.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

PHOTO = photo(20, 33)
IMAGE = Image.fromarray(PHOTO)
TURNED = np.rot90(PHOTO, -1)


def exif_of_six() -> Image.Exif:
    """EXIF data that say: taken by Maker, turn it to the right."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    return exif


def maker_in(exif: bytes | None) -> str | None:
    kept = Image.Exif()
    kept.load(exif or b"")
    found: str | None = kept.get(0x010F)
    return found


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def check_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    (message,) = warnings_of(caplog)
    assert "left out" in message


# --- EXIF data ---

BAD_EXIF = [
    b"Exif\0\0b'Exif",
    b"Exif\0\0b'Exif\\x00\\x00MM",
    b"Exif\0\0XX\0*\0\0\0\x08\0\0",
    b"Exif\0\0MM\0*\xff\xff\xff\xff",
    b"Exif\0\0MM",
]


@pytest.mark.parametrize("exif", BAD_EXIF)
@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "JPEG"])
def test_bad_exif_data_is_left_out(
    file_format: str, exif: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    expected = read_picture(encoded(IMAGE, file_format)).frames[0].colour
    content = encoded(IMAGE, file_format, exif=exif)
    picture = read_picture(content)
    assert (picture.frames[0].colour == expected).all() and picture.exif is None
    assert len(warnings_of(caplog)) <= 1
    if exif.startswith(b"Exif\0\0b'"):
        check_one_warning(caplog)
    caplog.clear()
    picture = picture_of(Image.open(io.BytesIO(content)))
    assert (picture.frames[0].colour == expected).all() and picture.exif is None
    assert len(warnings_of(caplog)) <= 1
    assert read_size(content, "a picture") == (33, 20)


def test_bad_exif_data_of_avif_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    good = encoded(IMAGE, "AVIF", exif=exif_of_six(), quality=90)
    head = exif_of_six().tobytes()[6:14]
    assert good.count(head) == 1
    picture = read_picture(good.replace(head, b"b'Exif\0\0"))
    # What turns an AVIF lies beside its EXIF data.
    assert (picture.frames[0].colour == read_picture(good).frames[0].colour).all()
    assert picture.frames[0].colour.shape == (33, 20, 3) and maker_in(picture.exif) is None
    check_one_warning(caplog)


def test_bad_exif_data_are_no_reason_to_set_a_picture_aside(tmp_path: Path) -> None:
    content = encoded(Image.fromarray(photo(80, 90)), "PNG", exif=b"Exif\0\0b'Exif")
    (tmp_path / "a.png").write_bytes(content)
    assert measure(tmp_path, 64, "a.png").reason == ""


# --- Profiles ---


def test_a_large_profile_is_obeyed(caplog: pytest.LogCaptureFixture) -> None:
    profile = icc_profile(1.0)
    expected = read_picture(encoded(IMAGE, "PNG", icc_profile=profile)).frames[0].colour
    large = encoded(IMAGE, "PNG", icc_profile=profile + bytes(2_000_000), exif=exif_of_six())
    picture = read_picture(large)
    assert (picture.frames[0].colour == np.rot90(expected, -1)).all()
    assert maker_in(picture.exif) == "Maker"
    assert len(warnings_of(caplog)) <= 1


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF", "AVIF", "JPEG"])
def test_a_profile_of_no_colour_space(file_format: str, caplog: pytest.LogCaptureFixture) -> None:
    profile = bytearray(icc_profile(1.0))
    profile[16:20] = b"\xff\xfe\xfd\xfc"
    expected = read_picture(encoded(IMAGE, file_format)).frames[0].colour
    found = read_picture(encoded(IMAGE, file_format, icc_profile=bytes(profile)))
    assert (found.frames[0].colour == expected).all()
    check_one_warning(caplog)


def test_an_animation_with_a_bad_profile_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    frames = [Image.fromarray(photo(16, 24, seed)) for seed in range(3)]
    content = encoded(
        frames[0], "WEBP", save_all=True, append_images=frames[1:], icc_profile=b"no profile"
    )
    assert len(read_picture(content).frames) == 3
    check_one_warning(caplog)


# --- PNG ---

LONG = bytes(2_000_000)


def packed(data: bytes = LONG) -> bytes:
    return zlib.compress(data)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (b"zTXt", b"Comment\0\0" + packed()),
        (b"zTXt", b"Comment\0\7" + packed(b"hello")),
        (b"zTXt", b"Raw profile type exif\0\0" + packed()),
        (b"iTXt", b"parameters\0\1\0\0\0" + packed()),
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + packed()),
        (b"iCCP", b"name\0\7" + packed(b"hello")),
        (b"iCCP", b"name\0\0" + packed(bytes(70_000_000))),
        (b"iCCP", b"name"),
        (b"gAMA", b"\0"),
        (b"cHRM", b"\0" * 7),
        (b"pHYs", b"\0"),
        (b"sRGB", b""),
        (b"tEXt", b""),
    ],
    ids=lambda value: value[:12].decode("latin-1").replace("\0", " "),
)
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_chunk_that_pillow_refuses(
    place: str, kind: bytes, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    exif = (b"eXIf", exif_of_six().tobytes()[6:])
    chunks = {"before": [exif], "after": []}
    chunks[place].append((kind, content))
    file = png(PHOTO, 8, COLOUR, **chunks)
    picture = read_picture(file)
    assert (picture.frames[0].colour == TURNED).all()
    assert maker_in(picture.exif) == "Maker"
    assert len(warnings_of(caplog)) <= 1
    if len(content) > 1000 and kind != b"iCCP":
        check_one_warning(caplog)
    caplog.clear()
    if place == "after":
        opened = picture_of(Image.open(io.BytesIO(file)))
        assert (opened.frames[0].colour == TURNED).all()
        assert len(warnings_of(caplog)) <= 1


def test_much_text_in_all(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_MEMORY", 1000)
    texts = [(b"tEXt", b"Comment\0" + b"hello" * 100)] * 3
    assert (read_picture(png(PHOTO, 8, COLOUR, before=texts)).frames[0].colour == PHOTO).all()
    check_one_warning(caplog)


def test_a_wrong_checksum_of_text(caplog: pytest.LogCaptureFixture) -> None:
    content = png(PHOTO, 8, COLOUR, before=[(b"tEXt", b"Title\0hello")])
    damaged = content.replace(b"hello", b"hullo")
    assert (read_picture(damaged).frames[0].colour == PHOTO).all()
    check_one_warning(caplog)
    wrong = content.replace(b"IDAT", b"IDAt")
    with pytest.raises(InputError):
        read_picture(wrong)


# --- JPEG ---


@pytest.mark.parametrize(
    "segment",
    [
        b"\xff\xe0\0\7JFIF\0",
        b"\xff\xe2\0\x0eICC_PROFILE\0",
        b"\xff\xe2\0\x0aMPF\0\xff\xff\xff\xff",
        b"\xff\xe2\0\x18MPF\0II*\0\x08\0\0\0\1\0\1\xb0\7\0\4\0\0\0",
        b"\xff\xee\0\7Adobe",
        b"\xff\xed\0\x14Photoshop 3.0\x008BIM",
        b"\xff\xe1\0\x0cExif\0\0b'Ex",
    ],
    ids=lambda value: value[4:12].decode("latin-1"),
)
def test_a_segment_that_pillow_refuses(segment: bytes, caplog: pytest.LogCaptureFixture) -> None:
    content = encoded(IMAGE, "JPEG", quality=95, exif=exif_of_six())
    expected = read_picture(content).frames[0].colour
    bad_exif = b"b'Ex" in segment  # it comes first, and Pillow takes the second for its rest
    picture = read_picture(content[:2] + segment + content[2:])
    colour = np.rot90(picture.frames[0].colour, -1) if bad_exif else picture.frames[0].colour
    assert np.abs(colour.astype(int) - expected).max() <= 1
    assert len(warnings_of(caplog)) <= 1


# --- TIFF ---


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "tags",
    [
        [(282, 2, 4, b"abc\0"), (283, 2, 4, b"abc\0"), (296, 3, 1, "cm")],
        [(34665, 4, 1, b"\xff\xff\xff\xff")],
        [(34853, 4, 1, b"\0\0\0\1")],
        [(700, 3, 2, b"\0\1\0\2")],
        [(34675, 3, 2, b"\0\1\0\2")],
        [(270, 2, 1_000_000, b"\0\0\0\x08")],
        [(315, 5, 1, b"\xff\xff\xff\xf0")],
    ],
    ids=["resolution", "exif", "gps", "xmp", "profile", "description", "artist"],
)
def test_tags_that_describe_a_tiff(
    order: str, tags: list[tuple[int, int, int, bytes]], caplog: pytest.LogCaptureFixture
) -> None:
    def short(number: int) -> bytes:
        return struct.pack(f"{order}H", number)

    filled = [(*tag[:3], short(3) if tag[3] == "cm" else tag[3]) for tag in tags]
    content = tiff(PHOTO, 8, 2, order=order, tags=[*filled, (274, 3, 1, short(6))])
    for source in (content, Image.open(io.BytesIO(content)) if tags[0][0] != 282 else None):
        caplog.clear()
        if source is not None:
            picture = read_picture(source) if isinstance(source, bytes) else picture_of(source)
            assert (picture.frames[0].colour == TURNED).all()
            assert len(warnings_of(caplog)) <= 1


# --- WebP ---


def test_a_cut_off_description_at_the_end_of_a_webp(caplog: pytest.LogCaptureFixture) -> None:
    content = encoded(IMAGE, "WEBP", lossless=True, xmp=b"<x:xmpmeta/>" * 50)
    picture = read_picture(content[:-40])
    assert (picture.frames[0].colour == PHOTO).all()
    check_one_warning(caplog)


# --- What is truncated stays so ---


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("share", [0.5, 0.8])
def test_truncated_pixels_are_refused_whatever_is_left_out(file_format: str, share: float) -> None:
    large = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8))
    options = {"exif": exif_of_six(), "icc_profile": icc_profile(1.8)}
    content = encoded(large, file_format, **options)
    with pytest.raises(InputError):
        read_picture(content[: int(len(content) * share)])


# --- Writing ---


def large_exif() -> bytes:
    exif = exif_of_six()
    exif[0x0112] = 1
    exif.get_ifd(0x8769)[0x927C] = bytes(70_000)
    return exif.tobytes()


@pytest.mark.parametrize("mark", [None, Mark("a.png", "0" * 16, "novel 1", "1" * 12)])
@pytest.mark.parametrize("file_format", ["jpg", "png", "webp"])
def test_exif_data_that_the_format_cannot_hold(
    file_format: str, mark: Mark | None, caplog: pytest.LogCaptureFixture
) -> None:
    buffer = io.BytesIO()
    picture = Picture((Frame(PHOTO),), exif=large_exif())
    encode_picture(picture, buffer, file_format, name="a.png", mark=mark)
    assert read_mark(buffer.getvalue()) == mark
    written = read_picture(buffer.getvalue())
    assert np.abs(written.frames[0].colour.astype(int) - PHOTO).mean() < 8
    kept = maker_in(written.exif)
    if file_format == "jpg":
        assert kept is None
        (message,) = warnings_of(caplog)
        assert message.startswith("a.png: its EXIF data has 70 kB, and a JPEG holds 65")
    else:
        assert kept == "Maker" and not warnings_of(caplog)


def test_bad_exif_data_of_a_picture_are_not_written(caplog: pytest.LogCaptureFixture) -> None:
    for file_format in ("jpg", "png", "webp"):
        caplog.clear()
        content = encoded(IMAGE, "PNG", exif=b"Exif\0\0b'Exif")
        buffer = io.BytesIO()
        encode_picture(read_picture(content), buffer, file_format, mark=Mark("a.png"))
        check_one_warning(caplog)
        assert read_mark(buffer.getvalue()) == Mark("a.png")


def test_exif_data_of_an_animated_webp_begin_as_they_should() -> None:
    buffer = io.BytesIO()
    frames = (Frame(PHOTO, None, 50), Frame(PHOTO[::-1].copy(), None, 50))
    encode_picture(Picture(frames, exif=exif_of_six().tobytes()), buffer, "webp")
    place = buffer.getvalue().index(b"EXIF")
    assert buffer.getvalue()[place + 8 : place + 10] in (b"MM", b"II")


def test_a_still_of_every_bad_kind_is_still_one(tmp_path: Path) -> None:
    for index, exif in enumerate(BAD_EXIF):
        path = tmp_path / f"{index}.webp"
        path.write_bytes(encoded(IMAGE, "WEBP", exif=exif, lossless=True))
        assert (read_still(path).colour == PHOTO).all()
