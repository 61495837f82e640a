"""Times and rates in every form, and how a job tells how far it is."""

from __future__ import annotations

import inspect
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import look, make_clip

import sakuga
from sakuga.errors import OptionError, SakugaError, as_arguments
from sakuga.inputs.plan import plan
from sakuga.video import Progress, VideoOptions, VideoResult, preview_video
from sakuga.video.options import is_video


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


def test_a_clip_without_an_ending_is_known_by_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = make_clip(tmp_path / "in.mp4", frames=2).read_bytes()
    for name in ("clip", "clip.jpg", "clip.download"):
        (tmp_path / name).write_bytes(content)
    assert is_video("clip") and is_video("clip.download")
    assert not is_video("clip.jpg") and not is_video(".") and not is_video("none")
    if hasattr(os, "mkfifo"):
        os.mkfifo("pipe")
        assert not is_video("pipe")  # nor is it waited for
    (job,) = plan(["clip"], "tiny").jobs
    assert job.is_video and job.target == Path("clip-tiny.mp4")
    (job,) = plan(["clip"], "tiny", out=Path("new.webm")).jobs
    assert job.is_video


def test_calls_from_python_are_told_of_arguments(tmp_path: Path, tiny_style: Path) -> None:
    """What is shared with the command line speaks of its options; each of these did."""
    source = make_clip(tmp_path / "in.mp4", frames=2)
    out = tmp_path / "out.mp4"
    (tmp_path / "there.mp4").touch()
    small = sakuga.VideoOptions(steady=False)
    for ask, told in (
        (lambda: sakuga.paint_video(source, tmp_path / "there.mp4", style=same), "overwrite=True"),
        (lambda: sakuga.paint_video(source, source, style=same), "another name with out"),
        (lambda: sakuga.paint_video(source, out, style=same, start=9), "start 9s is after its end"),
        (lambda: sakuga.VideoOptions(start=2, stop=1), "the end, 1s, is not after the beginning"),
        (lambda: sakuga.VideoOptions(wipe=True, side_by_side=True), "wipe and side-by-side"),
        (
            lambda: sakuga.paint_video(source, out, style=same, options=replace(small, crf=99)),
            "crf must be",
        ),
        (
            lambda: sakuga.paint_video(
                source, out, style=tiny_style, stroke="bold", options=replace(small, fast=True)
            ),
            "fast=True decides",
        ),
        (
            lambda: preview_video("webcam", style=same),
            "preview=True needs a clip; record one with seconds 5",
        ),
        (
            lambda: sakuga.paint(
                np.zeros((1, 16384, 3), np.uint8), tiny_style, out=tmp_path / "a.webp"
            ),
            "png can hold them",
        ),
    ):
        with pytest.raises(SakugaError) as caught:
            ask()
        assert told in str(caught.value) and "--" not in str(caught.value)
    assert as_arguments("pip install --upgrade sakuga --over") == (
        "pip install --upgrade sakuga --over"
    )


def test_an_interrupted_call_is_told_of_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=2)
    notes = ["go on with --resume, or delete out.mp4.parts"]
    stopped = VideoResult(None, 0, 0, 0.0, True, notes)
    monkeypatch.setattr("sakuga.video.job.VideoRun.run", lambda *_, **__: stopped)
    found = sakuga.paint_video(source, tmp_path / "out.mp4", style=same)
    assert found.notes == ["go on with resume=True, or delete out.mp4.parts"]
