"""Times and rates in every form, and how a job tells how far it is."""

from __future__ import annotations

import inspect
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import look, make_clip

import sakuga
from sakuga.errors import OptionError
from sakuga.video import Progress, VideoOptions


def same(photo: np.ndarray, **_: object) -> np.ndarray:
    return photo


@pytest.mark.parametrize(
    ("start", "stop"),
    [("0.2s", "00:00:00.6"), (0.2, 0.6), (Fraction(1, 5), "600ms"), ("0:00.2", Fraction(3, 5))],
)
def test_python_takes_times_in_any_form(tmp_path: Path, start: object, stop: object) -> None:
    source = make_clip(tmp_path / "in.mp4")
    out = tmp_path / "out.mp4"
    result = sakuga.paint_video(source, out, style=same, start=start, stop=stop, fps="12.5")
    assert result.frames == 5
    assert look(out).times == [Fraction(index * 2, 25) for index in range(5)]
    options = VideoOptions(start=start, stop=stop, fps=12.5)
    assert (options.start, options.stop) == (Fraction(1, 5), Fraction(3, 5))
    assert options.fps == Fraction(25, 2)
    # What is said to the function goes before what the options say.
    later = sakuga.VideoOptions(start="0.4", steady=False)
    sakuga.paint_video(source, out, style=same, start=start, options=later, overwrite=True)
    assert len(look(out).times) == 15


def test_rates_mean_what_is_usual() -> None:
    assert VideoOptions(fps=23.976).fps == VideoOptions(fps="23.976").fps == Fraction(24000, 1001)
    assert VideoOptions(start=90).start == 90


def test_what_is_no_time_is_refused() -> None:
    for wrong in ({"start": "soon"}, {"start": -1}, {"stop": Fraction(-1)}, {"fps": "fast"}):
        with pytest.raises(OptionError):
            VideoOptions(**wrong)


def test_help_in_python_tells_of_python() -> None:
    for thing in (sakuga.VideoOptions, sakuga.paint_video):
        assert "Parameter" not in str(inspect.signature(thing))


def test_progress_says_each_thing_once() -> None:
    begun = Progress(12, 300, 12.34, 23.4, 0)
    assert str(begun) == "12 of 300 frames, 12.3 a second, 23 s left"
    assert begun.speed == "12 of 300 frames, 12.3 a second"
    assert str(Progress(240, None, 12.34, None, 2_100_000)) == "240 frames, 12.3 a second, 2.1 MB"
