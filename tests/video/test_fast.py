"""`--fast`: bolder strokes in less time, only what changed is painted, nothing is left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import look, make_clip, picture

from sakuga import Stylizer
from sakuga.errors import OptionError
from sakuga.inputs.verbs import paint
from sakuga.painting.options import PaintOptions
from sakuga.video import VideoOptions, paint_video, preview_video
from sakuga.video.fast import FastPainter, changed_area

HEIGHT, WIDTH = 330, 402  # halves that are no multiple of the style's 8


class Watched:
    """A style that remembers the sizes of what it saw."""

    def __init__(self, path: Path) -> None:
        self.stylizer = Stylizer(path, threads=1)
        self.spec = self.stylizer.spec
        self.saw: list[tuple[int, ...]] = []

    def __call__(self, photo: np.ndarray, **options: Any) -> np.ndarray:
        self.saw.append(photo.shape[:2])
        return self.stylizer(photo, **options)


@pytest.fixture
def style(tiny_style: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """A small style whose changes are followed as far as they reach, so that parts equal wholes."""
    monkeypatch.setattr("sakuga.video.fast._FOLLOWED", 1)
    return Watched(tiny_style)


def scene() -> np.ndarray:
    patches = np.random.default_rng(3).integers(40, 210, (HEIGHT // 6, WIDTH // 6, 3), np.uint8)
    return patches.repeat(6, axis=0).repeat(6, axis=1)


def moving(step: int) -> np.ndarray:
    """A square that crosses the scene; in the last frame all has changed."""
    shown = scene() if step < 4 else 255 - scene()
    shown[60:90, 40 + 30 * step : 70 + 30 * step] = (250, 30, 30)
    return shown


@pytest.mark.parametrize(
    "options", [PaintOptions(), PaintOptions(strength=0.6), PaintOptions(keep_colour=True)]
)
def test_every_frame_is_that_of_half_the_size(
    style: Watched, options: PaintOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sakuga.video.fast._CHANGED_LEVELS", 0)
    fast = FastPainter(style, options)
    animes = [fast(moving(step)).anime for step in range(5)]
    half = WIDTH // 2
    for step, anime in enumerate(animes):
        look = {"strength": options.strength, "keep_colour": options.keep_colour}
        expected = style.stylizer(moving(step), stroke=half, **look)
        assert np.array_equal(anime.result(), expected), step
    whole, *parts, last = style.saw
    assert whole == last == (HEIGHT // 2, half)
    for height, width in parts:
        assert height * width < 0.7 * (HEIGHT // 2) * half
    fast.close()


def test_a_style_that_sees_the_whole_paints_the_whole(whole_style: Path) -> None:
    style = Watched(whole_style)
    fast = FastPainter(style, PaintOptions())
    for step in range(2):
        fast(moving(step)).anime.result()
    assert style.saw == 2 * [(HEIGHT // 2, WIDTH // 2)]
    fast.close()


def test_noise_is_not_painted_and_slow_changes_are(style: Watched) -> None:
    fast = FastPainter(style, PaintOptions())
    first = fast(scene())
    generator = np.random.default_rng(0)
    noisy = np.clip(scene() + generator.normal(0, 2, scene().shape), 0, 255).astype(np.uint8)
    assert not first.repeated and fast(noisy).repeated
    shown = [fast(scene() + np.uint8(level)).repeated for level in range(1, 9)]
    assert shown == [True, True, True, False, True, True, True, False]
    fast.close()


def test_a_single_pixel_is_a_change() -> None:
    before = np.full((50, 70, 3), 90, np.uint8)
    after = before.copy()
    assert changed_area(before, after) is None
    after[49, 33] = 160
    assert changed_area(before, after) == (slice(48, 56), slice(32, 40))


def test_it_goes_on_as_if_it_had_never_stopped(style: Watched) -> None:
    options = PaintOptions(strength=0.6)
    steady, stopped, resumed = (FastPainter(style, options) for _ in range(3))
    frames = [moving(0), moving(1), moving(1), moving(2), moving(3)]
    expected = [steady(frame).anime.result() for frame in frames]
    stopped(frames[0])
    resumed.restore(stopped(frames[1]).state())
    for frame, anime in zip(frames[2:], expected[2:], strict=True):
        assert np.array_equal(resumed(frame).anime.result(), anime)
    for painter in (steady, stopped, resumed):
        painter.close()


def test_a_clip_and_its_preview_are_painted_so(tmp_path: Path, style: Watched) -> None:
    # Halves, and nothing more, of frames that change wholly.
    source = make_clip(tmp_path / "in.mp4", frames=4, width=96, height=80)
    result = paint_video(source, tmp_path / "out.mp4", style=style, options=VideoOptions(fast=True))
    assert result.painted == 4 and style.saw == 4 * [(40, 48)]
    assert look(tmp_path / "out.mp4").pictures[0].shape == picture(0, 96, 80).shape
    style.saw.clear()
    preview_video(source, tmp_path / "look.png", style=style, options=VideoOptions(fast=True))
    assert set(style.saw) == {(40, 48)}


def test_what_does_not_go_with_it_is_refused(tmp_path: Path, tiny_style: Path) -> None:
    with pytest.raises(OptionError, match="--fast decides the stroke"):
        FastPainter(Stylizer(tiny_style), PaintOptions(stroke="bold"))
    still = tmp_path / "photo.png"
    still.write_bytes(b"")
    with pytest.raises(OptionError, match="--fast is for videos"):
        paint(str(still), style=[str(tiny_style)], video=VideoOptions(fast=True))
