"""A result says what was painted, in which style and how."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from samples import encoded, photo

from sakuga.images.marks import Mark, digest_of, into_exif, parse_mark, read_mark, stamp_file
from sakuga.images.picture import Frame, Picture
from sakuga.images.read import read_picture
from sakuga.images.write import encode_picture

MARK = Mark('日 "b".tif', "0123456789abcdef", "novel 1.5.0", "ab12", {"strength": 0.5})
FRAMES = tuple(Frame(photo(24, 32, seed), duration_ms=50) for seed in range(3))


def written(picture: Picture, file_format: str, mark: Mark | None = MARK) -> bytes:
    buffer = io.BytesIO()
    encode_picture(picture, buffer, file_format, mark=mark)
    return buffer.getvalue()


@pytest.mark.parametrize("file_format", ["png", "jpg", "webp", "gif"])
@pytest.mark.parametrize("count", [1, 3])
def test_a_mark_is_read_from_the_file(file_format: str, count: int, tmp_path: Path) -> None:
    if file_format == "jpg" and count > 1:
        pytest.skip("holds no animation")
    content = written(Picture(FRAMES[:count]), file_format)
    assert read_mark(content) == MARK
    path = tmp_path / "a"
    path.write_bytes(content)
    assert read_mark(path) == MARK
    assert read_mark(written(Picture(FRAMES[:count]), file_format, None)) is None
    plain = read_picture(written(Picture(FRAMES[:count]), file_format, None))
    assert (read_picture(content).frames[0].colour == plain.frames[0].colour).all()


@pytest.mark.parametrize("file_format", ["png", "jpg", "webp"])
def test_other_exif_data_stays(file_format: str) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    picture = Picture(FRAMES[:1], exif=exif.tobytes())
    with Image.open(io.BytesIO(written(picture, file_format))) as image:
        assert image.getexif()[0x010F] == "Maker"
        assert image.getexif().get_ifd(0x8769)[0x9003] == "2026:01:02 03:04:05"
        assert image.getexif()[0x000B].startswith("Sakuga ")


def test_painted_over_it_says_the_latest() -> None:
    once = read_picture(written(Picture(FRAMES[:1]), "jpg"))
    again = Mark("result.jpg", style="storybook 1.3.0")
    assert read_mark(written(once, "jpg", again)) == again


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "GIF", "TIFF", "BMP"])
def test_a_photo_says_nothing(file_format: str) -> None:
    assert read_mark(encoded(Image.fromarray(photo(8, 8)), file_format)) is None


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF1234WEBP"]
)
def test_what_is_damaged_says_nothing(content: bytes) -> None:
    assert read_mark(content) is None
    whole = written(Picture(FRAMES[:1]), "jpg")
    for size in range(0, 400, 7):
        read_mark(whole[:size])


def test_damaged_exif_data_costs_no_mark() -> None:
    assert parse_mark(str(_ascii(into_exif(b"Exif\0\0nonsense", MARK)))) == MARK


def _ascii(content: bytes) -> str:
    return content.decode("latin-1")


@pytest.mark.parametrize("file_format", ["png", "webp", "gif"])
def test_a_file_of_another_library_is_stamped(file_format: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{file_format}"
    for length in (1, 300, 301):  # longer than a block of a GIF's comment, odd and even
        path.write_bytes(written(Picture(FRAMES), file_format, None))
        before = read_picture(path)
        mark = Mark("a" * length)
        stamp_file(path, mark)
        assert read_mark(path) == mark
        after = read_picture(path)
        assert [frame.duration_ms for frame in after.frames] == [50, 50, 50]
        for one, other in zip(before.frames, after.frames, strict=True):
            assert (one.colour == other.colour).all()
    path.write_bytes(b"something else")
    stamp_file(path, MARK)
    assert path.read_bytes() == b"something else"


def test_texts_that_are_no_marks() -> None:
    assert parse_mark(f"a comment of the user's\n{MARK}") == MARK
    for text in ("", "Sakuga", "Sakuga 1 {", "Sakuga 1 {]}", "Sakuga 1 {1}", "Sakuga 1 []"):
        assert parse_mark(text) is None
    newer = json.dumps({"source": "a", "unknown": 1})
    assert parse_mark(f"Sakuga 9.0 {newer}") == Mark("a")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, None),
        ({"source": "b.bmp"}, 'holds the painting of 日 "b".tif, not of b.bmp'),
        ({"digest": "00"}, "was painted from another"),
        ({"style": "novel 1.6.0"}, "was painted in novel 1.5.0, not novel 1.6.0"),
        ({"weights": "cd34"}, "was painted with another style file named novel 1.5.0"),
        ({"options": {}}, "was painted with strength 0.5, not 1.0"),
        ({"options": {"strength": 0.5, "keep_colour": True}}, "keep colour off, not on"),
        ({"options": {"strength": 0.5, "max_side": 9}}, "max side as usual, not 9"),
    ],
)
def test_the_difference_is_told(change: dict[str, object], told: str | None) -> None:
    usual = {"strength": 1.0, "keep_colour": False, "max_side": None}
    facts = {name: getattr(MARK, name) for name in ("source", "digest", "style", "weights")}
    asked = Mark(**{**facts, "options": MARK.options, **change})
    found = MARK.difference(asked, usual)
    assert (found is None) if told is None else (found is not None and told in found)


def test_digests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sakuga.images.marks._WHOLE_BYTES", 1000)
    path = tmp_path / "a"
    seen = set()
    for size in (0, 999, 1000, 1001, 5000):
        content = np.arange(size, dtype=np.uint8).tobytes()
        path.write_bytes(content)
        seen.add(digest_of(path))
        if size <= 1000:
            assert digest_of(path) == digest_of(content)
    path.write_bytes(content[:-1] + b"x")
    seen.add(digest_of(path))
    path.write_bytes(b"x" + content[1:])
    seen.add(digest_of(path))
    assert len(seen) == 7
