"""`sakuga.paint` gives back the kind of thing it was given."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image
from samples import encoded, photo

import sakuga
from sakuga.errors import InputError, OptionError, OutputError, StyleError
from sakuga.images.marks import read_mark
from sakuga.images.picture import Frame, Picture
from sakuga.images.read import read_picture
from sakuga.painting.options import PaintOptions
from sakuga.painting.pictures import paint_picture
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
    for ask in (
        lambda: sakuga.paint("", stylizer),
        lambda: sakuga.paint_video("", style=stylizer),
        lambda: sakuga.compare("", stylizer),
        lambda: sakuga.Stylizer(""),
        lambda: sakuga.styles.add(""),
    ):
        with pytest.raises(sakuga.SakugaError, match="an empty name was given; name a"):
            ask()
    with pytest.raises(InputError, match=r"\.: is a folder, not a video"):
        sakuga.paint_video(".", style=stylizer)
    with pytest.raises(OptionError, match="max-side is 0"):
        sakuga.paint(PHOTO, stylizer, max_side=0)
    with pytest.raises(OptionError, match="strength is 2"):
        sakuga.paint(PHOTO, stylizer, strength=2)
    with pytest.raises(InputError, match="the picture: is not a picture, it holds text"):
        sakuga.paint(b"hello", stylizer)
    with pytest.raises(sakuga.SakugaError, match=r"none.jpg: there is no such file"):
        sakuga.paint(tmp_path / "none.jpg", stylizer)


def truncated(size: int = 600) -> Image.Image:
    return Image.open(io.BytesIO(encoded(Image.fromarray(photo(100, 100)), "PNG")[:size]))


def closed() -> Image.Image:
    image = Image.open(io.BytesIO(encoded(Image.fromarray(PHOTO), "PNG")))
    image.close()
    return image


@pytest.mark.parametrize(
    "given",
    [
        truncated,
        closed,
        lambda: Image.new("RGB", (0, 0)),
        lambda: Image.new("RGBA", (4, 0)),
        lambda: Image.new("F", (4, 4)),
        lambda: np.zeros((0, 5, 3), np.uint8),
        lambda: np.zeros((5, 5), np.uint8),
        lambda: np.zeros((5, 5, 4), np.uint8),
        lambda: np.zeros(5, np.uint8),
        lambda: np.zeros((5, 5, 3)),
        lambda: io.BytesIO(b"hello"),
        lambda: None,
        lambda: 5,
        lambda: [["a.png"]],
        lambda: "a\0b.png",
        lambda: Path("a\0b.png"),
        lambda: "\ud800.png",
        lambda: "x" * 5000,
        lambda: "",
        lambda: b"",
        lambda: bytearray(b"hello"),
        lambda: "http://[::1",
        lambda: "http://127.0.0.1:1/a.png",
        lambda: "https://",
    ],
)
@pytest.mark.parametrize("max_side", [None, 3])
def test_a_photo_that_cannot_be_used_is_a_sakuga_error(
    given: Callable[[], Any], max_side: int | None, stylizer: Stylizer
) -> None:
    with pytest.raises(InputError):
        sakuga.paint(given(), stylizer, max_side=max_side)


@pytest.mark.parametrize(
    "options",
    [
        {"strength": "1"},
        {"strength": None},
        {"strength": float("nan")},
        {"strength": np.ones(2)},
        {"max_side": "9"},
        {"max_side": 9.5},
        {"max_side": -1},
        {"stroke": None},
        {"stroke": 3},
        {"stroke": ["fine"]},
        {"stroke": 99.5},
        {"threads": 2},
        {"device": "cpu"},
    ],
)
def test_an_option_that_cannot_be_used_is_a_sakuga_error(
    options: dict[str, Any], stylizer: Stylizer
) -> None:
    with pytest.raises(OptionError):
        sakuga.paint(PHOTO, stylizer, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"threads": "2"},
        {"threads": 0},
        {"threads": 10**12},
        {"threads": 1.5},
        {"tile": None},
        {"tile": 3.5},
        {"tile": "some"},
        {"tile": 0},
        {"device": None},
        {"device": "tpu"},
    ],
)
def test_a_stylizers_option_that_cannot_be_used(options: dict[str, Any], tiny_style: Path) -> None:
    with pytest.raises(OptionError):
        Stylizer(tiny_style, **options)


@pytest.mark.parametrize(
    "style",
    [None, 5, b"novel", "", ".", "a\0b.onnx", "a\0b", Path("a\0b"), Path(), "/", "x" * 5000],
)
def test_a_style_that_cannot_be_used_is_a_style_error(style: Any, no_user_styles: Path) -> None:
    for use in (sakuga.styles.find, Stylizer, lambda style: sakuga.paint(PHOTO, style)):
        with pytest.raises(StyleError):
            use(style)


def test_numbers_of_numpy_are_numbers(stylizer: Stylizer) -> None:
    content = encoded(Image.fromarray(PHOTO), "PNG")
    options = {"strength": np.float32(0.5), "max_side": np.int64(40), "stroke": np.int32(32)}
    painted = Image.open(io.BytesIO(sakuga.paint(content, stylizer, **options)))
    assert painted.size == (40, 27)
    for kind in (bytearray, memoryview):
        assert isinstance(sakuga.paint(kind(content), stylizer), bytes)


def test_an_address_gives_an_image(
    stylizer: Stylizer, anime: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = encoded(Image.fromarray(PHOTO), "PNG")
    monkeypatch.setattr("sakuga.painting.pictures.fetch", lambda url: content)
    result = sakuga.paint("http://example.org/a.png", stylizer)
    assert (np.asarray(result) == anime).all()


def test_a_style_whose_graph_fails_is_named(tmp_path: Path, tiny_style: Path) -> None:
    model = onnx.load(tiny_style)
    model.graph.node.append(onnx.helper.make_node("Concat", ["anime", "photo"], ["more"], axis=3))
    model.graph.output[0].name = "more"
    renamed = {"more": "anime", "anime": "inner"}
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    model.graph.output[0].name = "anime"
    onnx.save(model, tmp_path / "wide.onnx")
    with pytest.raises(StyleError, match=r"makes an array of shape \(1, 3, 48, 144\)"):
        sakuga.paint(PHOTO, tmp_path / "wide.onnx")


def test_paint_picture_keeps_all_but_the_colours(stylizer: Stylizer) -> None:
    frames = (Frame(PHOTO, ALPHA, 40), Frame(PHOTO[::-1].copy(), None, 60))
    picture = Picture(frames, "GIF", plays=3, exif=b"Exif\0\0")
    shares: list[float] = []
    painted = paint_picture(picture, stylizer, PaintOptions(), shares.append)
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


def test_an_open_file_gives_an_image(tmp_path: Path, stylizer: Stylizer, anime: np.ndarray) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(PHOTO).save(path)
    with path.open("rb") as file, path.open() as text:
        for given in (file, text, io.BytesIO(path.read_bytes())):
            assert (np.asarray(sakuga.paint(given, stylizer)) == anime).all()
    with pytest.raises(InputError, match="the open file cannot be read"):
        sakuga.paint(file, stylizer)
    with pytest.raises(InputError, match="give a path, an address, an open file"):
        sakuga.paint(io.StringIO("text"), stylizer)


def test_out_is_written_as_well(tmp_path: Path, stylizer: Stylizer, anime: np.ndarray) -> None:
    path, out = tmp_path / "a.png", tmp_path / "new" / "b.png"
    Image.fromarray(PHOTO).save(path)
    result = sakuga.paint(path, stylizer, out=out)
    assert (np.asarray(result) == anime).all()
    assert (read_picture(out).frames[0].colour == anime).all()
    mark = read_mark(out)
    assert mark is not None and mark.source == "a.png" and mark.style == "tiny 1"
    with pytest.raises(OutputError, match=r"b\.png: is there already; .* overwrite=True"):
        sakuga.paint(path, stylizer, out=out)
    assert isinstance(sakuga.paint(PHOTO, stylizer, out=str(out), overwrite=True), np.ndarray)
    with pytest.raises(OutputError, match="is the photo, which is never replaced"):
        sakuga.paint(path, stylizer, out=path, overwrite=True)
    with pytest.raises(OptionError, match=r"the suffix \.bmp is not one Sakuga writes"):
        sakuga.paint(path, stylizer, out=tmp_path / "x.bmp")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.png", "new"]


def test_out_holds_all_frames_of_an_animation(tmp_path: Path, stylizer: Stylizer) -> None:
    frames = [Image.fromarray(photo(24, 32, seed)) for seed in range(3)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    result = sakuga.paint(tmp_path / "a.webp", stylizer, out=tmp_path / "b.png")
    assert len(read_picture(tmp_path / "b.png").frames) == 3
    assert (np.asarray(result) == stylizer(photo(24, 32, 0))).all()
    with pytest.raises(OptionError, match="jpg holds no animation"):
        sakuga.paint(tmp_path / "a.webp", stylizer, out=tmp_path / "b.jpg")


def test_the_name_of_before_says_its_successor() -> None:
    with pytest.warns(DeprecationWarning, match=r"painting\.options\.PaintOptions"):
        from sakuga.painting.pictures import Look
    assert Look(strength=0.5) == PaintOptions(0.5)
