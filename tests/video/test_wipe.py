"""The line between before and after, and what is cut out for a phone or a square."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import look, make_clip
from PIL import Image

from sakuga.errors import OptionError
from sakuga.video import VideoOptions, paint_video, preview_video
from sakuga.video.recorder import crop_to, wipe

GREY, BLACK = 120, 0


def blacken(photo: np.ndarray, **_: object) -> np.ndarray:
    return np.full_like(photo, BLACK)


def painted_share(shown: np.ndarray) -> float:
    """How much of the width is anime, by the black in the middle row."""
    return float((shown[len(shown) // 2, :, 1] < GREY // 2).mean())


def test_a_line_wipes_over_and_back(tmp_path: Path) -> None:
    still = [np.full((48, 480, 3), GREY, np.uint8)] * 175  # 7 seconds
    source = make_clip(tmp_path / "in.mp4", frames=175, width=480, pictures=still)
    options = VideoOptions(steady=False, wipe=True)
    paint_video(source, tmp_path / "out.mp4", style=blacken, options=options)
    shown = look(tmp_path / "out.mp4").pictures
    shares = [painted_share(picture) for picture in shown]
    assert shares[0] == 0 and shares[75] > 0.99 and shares[150] < 0.01
    assert 0.45 < shares[37] < 0.55 and 0.45 < shares[112] < 0.55
    assert all(np.diff(shares[:75]) >= -0.01) and all(np.diff(shares[76:150]) <= 0.01)
    middle = shown[38][24, :, 1].astype(int)
    line = np.flatnonzero(middle > 220)
    assert 2 <= len(line) <= 6  # a thin line, with the anime at its left and the photo at its right
    assert abs(middle[line[0] - 10] - BLACK) < 12 and abs(middle[line[-1] + 10] - GREY) < 12


def test_in_a_short_clip_the_line_sees_all(tmp_path: Path) -> None:
    still = [np.full((48, 64, 3), GREY, np.uint8)] * 10
    source = make_clip(tmp_path / "in.mp4", frames=10, pictures=still)
    options = VideoOptions(steady=False, wipe=True)
    paint_video(source, tmp_path / "out.mp4", style=blacken, options=options)
    shares = [painted_share(shown) for shown in look(tmp_path / "out.mp4").pictures]
    assert shares[0] == 0 and shares[-1] == 1


@pytest.mark.parametrize(
    ("aspect", "size"),
    [("1:1", (48, 48)), ("4:5", (38, 48)), ("9:16", (26, 48)), ("2:1", (64, 32))],
)
def test_the_middle_is_cut_out(tmp_path: Path, aspect: str, size: tuple[int, int]) -> None:
    shown = np.zeros((48, 64, 3), np.uint8)
    shown[20:28, 28:36] = 255  # a dot in the middle
    source = make_clip(tmp_path / "in.mp4", frames=3, pictures=[shown] * 3)
    painted: list[tuple[int, ...]] = []

    def same(photo: np.ndarray, **_: object) -> np.ndarray:
        painted.append(photo.shape)
        return photo

    options = VideoOptions(steady=False, aspect=aspect)
    paint_video(source, tmp_path / "out.mp4", style=same, options=options)
    assert painted[0] == (size[1], size[0], 3)  # what is cut off is not painted
    made = look(tmp_path / "out.mp4").pictures[0]
    assert made.shape == (size[1], size[0], 3)
    rows, columns = np.nonzero(made[..., 1] > 128)
    assert abs(rows.mean() + 0.5 - size[1] / 2) <= 1
    assert abs(columns.mean() + 0.5 - size[0] / 2) <= 1
    options = VideoOptions(steady=False, aspect=aspect, wipe=True)
    paint_video(source, tmp_path / "out.gif", style=same, options=options)
    with Image.open(tmp_path / "out.gif") as image:
        assert image.size == size
    assert preview_video(source, style=same, options=options)[0].exists()


def test_anamorphic_pixels_are_counted(tmp_path: Path) -> None:
    context = {"sample_aspect_ratio": Fraction(4, 3)}
    source = make_clip(tmp_path / "in.mp4", frames=2, context=context)
    options = VideoOptions(steady=False, aspect="1:1")
    paint_video(source, tmp_path / "out.mp4", style=blacken, options=options)
    with av.open(tmp_path / "out.mp4") as clip:
        video = clip.streams.video[0]
        assert (video.width, video.height) == (36, 48)  # shown 48 wide
        assert video.sample_aspect_ratio == Fraction(4, 3)


def test_wipe_and_crop_alone() -> None:
    photo, anime = np.full((4, 8, 3), 100, np.uint8), np.zeros((4, 8, 3), np.uint8)
    assert (wipe(photo, anime, Fraction(0)) == photo).all()
    assert (wipe(photo, anime, Fraction(3)) == anime).all()
    assert (photo == 100).all() and (anime == 0).all()
    assert crop_to(photo, None, Fraction(1)) is photo
    assert crop_to(photo[:1, :1], Fraction(9, 16), Fraction(1)).shape == (1, 1, 3)


def test_what_is_refused() -> None:
    for aspect in ("wide", "0:1", "1:100", "4/5", "-1:1"):
        with pytest.raises(OptionError, match=r"aspect .* is"):
            VideoOptions(aspect=aspect)
    with pytest.raises(OptionError, match="wipe and side-by-side"):
        VideoOptions(wipe=True, side_by_side=True)
