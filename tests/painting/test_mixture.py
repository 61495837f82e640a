"""Mixtures of styles: the mean of what each paints, of any size, in tiles or whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import sakuga
from sakuga.errors import OptionError, StyleError
from sakuga.painting.stylizer import StyleMixture, Stylizer, open_stylizer, parse_mixture


def photo_of(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("novel:0.6+storybook:0.4", [("novel", 0.6), ("storybook", 0.4)]),
        ("a.onnx:.5+b/c.onnx:.5", [("a.onnx", 0.5), ("b/c.onnx", 0.5)]),
        ("C:\\styles\\a.onnx:1+b:0", [("C:\\styles\\a.onnx", 1.0), ("b", 0.0)]),
        ("novel", None),
        ("C:\\styles\\a.onnx", None),
        ("a+b.onnx", None),
        ("novel:0.6+storybook", None),
    ],
)
def test_text_of_a_mixture(text: str, parts: list[tuple[str, float]] | None) -> None:
    assert parse_mixture(text) == parts


def test_mixture_is_the_mean_of_results(tiny_style: Path, whole_style: Path) -> None:
    photo = photo_of(37, 50) // 2 + 128  # bright: one of the styles takes the mean away
    mixture = open_stylizer(f"{tiny_style}:0.75+{whole_style}:0.25", threads=1)
    first, second = (Stylizer(style, threads=1)(photo) for style in (tiny_style, whole_style))
    assert np.abs(first.astype(int) - second).mean() > 3
    expected = 0.75 * first + 0.25 * second
    np.testing.assert_allclose(mixture(photo), expected, atol=0.51)
    half = mixture(photo, strength=0.5)
    np.testing.assert_allclose(half, (photo + expected) / 2, atol=1.01)


def test_mixture_states_what_holds_for_all(tiny_style: Path, whole_style: Path) -> None:
    mixture = open_stylizer(f"{tiny_style}:0.75+{whole_style}:0.25", threads=1)
    assert mixture.spec.name == "tiny-75-whole-25"
    assert mixture.spec.receptive_radius is None  # one of them sees the whole picture
    with pytest.raises(OptionError, match="cannot be painted in tiles"):
        open_stylizer(f"{tiny_style}:0.75+{whole_style}:0.25", tile=64)


def test_mixture_in_tiles_equals_the_whole(tiny_style: Path) -> None:
    photo = photo_of(90, 140)
    text = f"{tiny_style}:0.5+{tiny_style}:0.5"
    tiles = open_stylizer(text, tile=32, threads=1)(photo)
    whole = open_stylizer(text, tile="none", threads=1)(photo)
    assert np.abs(tiles.astype(int) - whole).max() <= 1


@pytest.mark.parametrize("shares", [(0.6, 0.6), (1.0, 0.0), (1.0,)])
def test_shares_must_add_up(shares: tuple[float, ...], tiny_style: Path) -> None:
    with pytest.raises(OptionError, match="add up to 1"):
        StyleMixture([(str(tiny_style), share) for share in shares])


def test_unknown_style_of_a_mixture_is_named(tiny_style: Path, no_user_styles: Path) -> None:
    with pytest.raises(StyleError, match="'nothing' is unknown"):
        open_stylizer(f"{tiny_style}:0.5+nothing:0.5")


def test_paint_takes_a_mixture(tiny_style: Path, whole_style: Path) -> None:
    photo = photo_of(20, 20)
    text = f"{tiny_style}:0.5+{whole_style}:0.5"
    np.testing.assert_array_equal(sakuga.paint(photo, style=text), open_stylizer(text)(photo))


def test_mixture_shares_out_its_threads(tiny_style: Path, whole_style: Path) -> None:
    mixture = open_stylizer(f"{tiny_style}:0.5+{whole_style}:0.5", threads=2)
    shared = mixture.for_calls(2)
    assert (mixture.threads, shared.threads) == (2, 1)
    assert (shared(photo_of(37, 50)) == mixture(photo_of(37, 50))).all()
