"""Photos beside themselves: which are found, where they go, and what is refused before painting."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image
from samples import encoded, photo

import sakuga
from sakuga.cli import run
from sakuga.errors import InputError, OptionError, OutputError, SakugaError
from sakuga.images.sheet import MARGIN, TITLE_HEIGHT
from sakuga.inputs.compare import Layout, draw_comparison, lay_out
from sakuga.painting.stylizer import Stylizer
from sakuga.styles import installed


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of two photos, one of them deeper, beside what is none."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    Image.fromarray(photo(60, 80, 1)).save(folder / "street.png")
    Image.fromarray(photo(90, 70, 2)).save(folder / "deep" / "cat.png")
    (folder / "clip.mp4").write_bytes(b"a video")
    (folder / "CREDITS.md").write_text("who took them\n")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def column(strip: Path, index: int, width: int, height: int) -> np.ndarray:
    """One picture of a strip whose pictures are all that wide."""
    top, left = TITLE_HEIGHT + MARGIN, MARGIN + index * (width + MARGIN)
    with Image.open(strip) as image:
        return np.asarray(image)[top : top + height, left : left + width].astype(int)


def test_a_folder_becomes_a_strip_for_each_photo(
    photos: Path, tiny_style: Path, tmp_path: Path
) -> None:
    out = tmp_path / "strips"
    draw_comparison([str(photos)], [str(tiny_style)] * 2, out, side=200)
    assert names(out) == ["cat.jpg", "street.jpg"]
    with Image.open(out / "street.jpg") as strip:
        assert strip.format == "JPEG"
        assert strip.size == (3 * 80 + 4 * MARGIN, TITLE_HEIGHT + 60 + 2 * MARGIN)
    street = photo(60, 80, 1)
    anime = Stylizer(tiny_style)(street)
    for index, expected in enumerate((street, anime, anime)):
        found = column(out / "street.jpg", index, 80, 60)
        assert np.abs(found - expected).mean() < 6, index
    assert np.abs(street.astype(int) - anime).mean() > 12  # else the columns could be confused


def test_a_folder_and_a_pattern_become_rows_of_one_sheet(
    photos: Path, tiny_style: Path, tmp_path: Path
) -> None:
    inputs = [str(photos), str(photos / "*.png")]
    draw_comparison(inputs, [str(tiny_style)], tmp_path / "sheet.png", side=200)
    with Image.open(tmp_path / "sheet.png") as sheet:  # cat and street, and street again
        assert sheet.size[1] == TITLE_HEIGHT + 90 + 60 + 60 + 4 * MARGIN


def test_strips_can_be_made_small(photos: Path, tiny_style: Path, tmp_path: Path) -> None:
    sizes = {}
    for quality in (None, 60):
        out = tmp_path / f"strips-{quality}"
        draw_comparison([str(photos)], [str(tiny_style)], out, quality=quality)
        sizes[quality] = (out / "street.jpg").stat().st_size
    assert sizes[60] < 0.6 * sizes[None]


def test_what_is_there_is_kept_unless_told(photos: Path, tiny_style: Path, tmp_path: Path) -> None:
    out = tmp_path / "strips"
    out.mkdir()
    (out / "street.jpg").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"street\.jpg: is there already"):
        draw_comparison([str(photos)], [str(tiny_style)], out)
    assert names(out) == ["street.jpg"] and (out / "street.jpg").read_bytes() == b"mine"
    draw_comparison([str(photos)], [str(tiny_style)], out, overwrite=True)
    assert names(out) == ["cat.jpg", "street.jpg"] and (out / "street.jpg").stat().st_size > 1000


def test_a_photo_is_never_replaced(photos: Path, tiny_style: Path) -> None:
    Image.fromarray(photo(60, 80)).save(photos / "own.jpg")
    before = (photos / "own.jpg").read_bytes()
    with pytest.raises(OutputError, match="never replaced"):
        draw_comparison([str(photos / "own.jpg")], [str(tiny_style)], photos, overwrite=True)
    assert (photos / "own.jpg").read_bytes() == before


def test_mistakes_are_found_before_painting(
    photos: Path, tiny_style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "sakuga.inputs.compare.open_stylizer", lambda style: pytest.fail("too late")
    )
    Image.fromarray(photo(60, 80)).save(photos / "cat.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "clip.mp4").touch()
    strips, sheet = tmp_path / "strips", tmp_path / "sheet.png"
    styles, street = [str(tiny_style)], str(photos / "street.png")
    with pytest.raises(OptionError, match=r"would both become .*cat\.jpg"):
        draw_comparison([str(photos)], styles, strips)
    with pytest.raises(InputError, match="empty: this folder holds no pictures"):
        draw_comparison([str(tmp_path / "empty")], styles, strips)
    with pytest.raises(InputError, match="no such file or folder"):
        draw_comparison([str(photos / "dog.png")], styles, strips)
    with pytest.raises(OptionError, match="png pictures have no quality"):
        draw_comparison([street], styles, sheet, quality=80)
    for quality in (0, 101):
        with pytest.raises(OptionError, match=f"quality is {quality}"):
            draw_comparison([street], styles, strips, quality=quality)
    assert not strips.exists() and not sheet.exists()


def test_a_bad_photo_is_left_out_and_told(
    photos: Path, tiny_style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "bad.png").write_bytes(b"no picture")
    (photos / "half.png").write_bytes((photos / "street.png").read_bytes()[:200])
    for out in ("sheet.png", "strips"):
        status = run(
            ["compare", str(photos), "--styles", str(tiny_style), "--out", str(tmp_path / out)]
        )
        said = capsys.readouterr()
        assert status == 1 and said.out.strip() == str(tmp_path / out)
        assert "bad.png: is not a picture" in said.err and "half.png: is damaged" in said.err
    assert names(tmp_path / "strips") == ["cat.jpg", "street.jpg"]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size[1] == TITLE_HEIGHT + 90 + 60 + 3 * MARGIN


def test_nothing_is_written_of_bad_photos_alone(
    photos: Path, tiny_style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = [photos / "bad.png", photos / "worse.png"]
    for path in bad:
        path.write_bytes(b"no picture")
    style, out = ["--styles", str(tiny_style)], ["--out", str(tmp_path / "sheet.png")]
    assert run(["compare", *map(str, bad), *style, *out]) == 1
    assert run(["compare", str(bad[0]), *style, *out]) == 2
    assert not (tmp_path / "sheet.png").exists() and not capsys.readouterr().out


def test_an_address_is_compared(
    tiny_style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = encoded(Image.fromarray(photo(60, 80, 1)), "PNG")
    monkeypatch.setattr("sakuga.painting.pictures.fetch", lambda url: content)
    assert draw_comparison("http://example.org/a.png", tiny_style, tmp_path / "strips") == []
    assert names(tmp_path / "strips") == ["a.jpg"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"side": "9"}, "side is '9'"),
        ({"side": 0}, "side is 0"),
        ({"quality": "good"}, "quality is good"),
        ({"out": "sheet.xyz"}, r"suffix \.xyz is not one"),
    ],
)
def test_values_that_cannot_be_used(
    options: dict[str, Any], message: str, photos: Path, tiny_style: Path, tmp_path: Path
) -> None:
    out = tmp_path / options.pop("out", "sheet.jpg")
    with pytest.raises(OptionError, match=message):
        draw_comparison(str(photos / "street.png"), [tiny_style], str(out), **options)


def marked(value: int, height: int = 20, width: int = 30) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def places_of(sheet: np.ndarray, values: tuple[int, ...]) -> dict[int, tuple[int, int]]:
    """Top left corners of pictures of one grey each."""
    found = {}
    for value in values:
        rows, columns = np.nonzero((sheet == value).all(axis=2))
        found[value] = (int(rows.min()), int(columns.min()))
    return found


@pytest.mark.parametrize(
    ("layout", "place", "expected"),
    [
        ("row", "first", [[1, 2, 3], [4, 5, 6]]),
        ("row", "last", [[2, 3, 1], [5, 6, 4]]),
        ("column", "first", [[1, 4], [2, 5], [3, 6]]),
        ("column", "last", [[2, 5], [3, 6], [1, 4]]),
        ("grid", "first", [[1, 2], [3], [4, 5], [6]]),
    ],
)
def test_sheets_are_rows_columns_or_squares(
    layout: Layout, place: Literal["first", "last"], expected: list[list[int]]
) -> None:
    rows = [[marked(1), marked(2), marked(3)], [marked(4), marked(5), marked(6)]]
    sheet = lay_out(rows, ["photo", "a", "b"], layout, place)
    found = places_of(sheet, (1, 2, 3, 4, 5, 6))
    titled = len(expected) if layout != "row" else 1
    top = 0
    for index, row in enumerate(expected):
        top += MARGIN + (TITLE_HEIGHT if index < titled else 0)
        for column, value in enumerate(row):
            assert found[value] == (top, MARGIN + column * (30 + MARGIN)), (value, found)
        top += 20
    assert sheet.shape[:2] == (top + MARGIN, len(expected[0]) * (30 + MARGIN) + MARGIN)
    dark = (sheet < 100).all(axis=2) & (sheet > 6).all(axis=2)  # the titles
    assert dark[MARGIN : MARGIN + TITLE_HEIGHT].any()


def test_the_layout_is_an_option(photos: Path, tiny_style: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    line = ["compare", str(photos / "street.png"), "--styles", str(tiny_style), "--out", str(out)]
    assert run([*line, "--layout", "column", "--photo", "last"]) == 0
    with Image.open(out) as sheet:
        assert sheet.size == (80 + 2 * MARGIN, 2 * (60 + TITLE_HEIGHT) + 3 * MARGIN)
        bottom = np.asarray(sheet)[-60 - MARGIN : -MARGIN, MARGIN:-MARGIN]
    assert (bottom == photo(60, 80, 1)).all()


def test_compare_in_python_gives_the_sheet(
    photos: Path, tiny_style: Path, tmp_path: Path, no_user_styles: Path
) -> None:
    stylizer, street = Stylizer(tiny_style), photo(60, 80, 1)
    out = tmp_path / "sheet.png"
    given = [str(photos / "street.png"), street, encoded(Image.fromarray(street), "PNG")]
    sheet = sakuga.compare(given, stylizer, out=out)
    assert sheet.size == (2 * 80 + 3 * MARGIN, 3 * 60 + TITLE_HEIGHT + 4 * MARGIN)
    assert (np.asarray(sheet) == np.asarray(Image.open(out))).all()
    rows = np.asarray(sheet)[TITLE_HEIGHT + MARGIN :, MARGIN + 80 + MARGIN : -MARGIN]
    for index in range(3):
        top = index * (60 + MARGIN)
        assert (rows[top : top + 60] == stylizer(street)).all(), index
    assert len(installed()) > 1
    every = sakuga.compare(street, side=32)
    assert every.width == (1 + len(installed())) * 32 + (2 + len(installed())) * MARGIN
    assert sakuga.compare(photos, [stylizer], side=40).width == 2 * 40 + 3 * MARGIN


@pytest.mark.parametrize(
    ("photos_given", "options", "message"),
    [
        ([], {}, "nothing to compare was given"),
        ("missing.jpg", {}, "missing.jpg: there is no such file"),
        (photo(8, 8), {"side": 0}, "side is 0 pixels"),
        (photo(8, 8), {"layout": "diagonal"}, "layout is 'diagonal'"),
        (photo(8, 8), {"out": "sheet.bmp"}, "the suffix .bmp is not one Sakuga writes"),
        (photo(8, 8), {"styles": "novle"}, "did you mean novel"),
    ],
)
def test_compare_in_python_refuses_in_words(
    photos_given: Any, options: dict[str, Any], message: str, no_user_styles: Path
) -> None:
    with pytest.raises(SakugaError, match=re.escape(message)):
        sakuga.compare(photos_given, **options)
