"""Which frames of an animation are shown when: a part of it, or at another rate."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from sakuga.errors import InputError
from sakuga.images.picture import Picture
from sakuga.images.read import PillowError, open_image, pillow_errors

# Browsers slow a GIF down whose frames are shorter than 20 ms; it counts in 10 ms.
_UNIT_MS = {"gif": 10}
_LEAST_UNITS = {"gif": 2}

# The frame's index, and from when to when it is shown, in seconds of the result.
Shown = tuple[int, Fraction, Fraction]


def shown_frames(
    durations_ms: Sequence[int],
    *,
    start: Fraction | None = None,
    stop: Fraction | None = None,
    fps: Fraction | None = None,
    name: str = "the animation",
) -> list[Shown]:
    """Cut the times of an animation.

    Args:
        durations_ms: how long each frame is shown.
        start, stop: seconds of the animation; None: all of it.
        fps: show at each tick of this rate what is shown at that moment; None: keep the times.
        name: what errors call it.

    Raises:
        InputError: it is over before `start`.
    """
    ends: list[Fraction] = []
    for duration in durations_ms:
        ends.append((ends[-1] if ends else Fraction(0)) + Fraction(max(1, duration), 1000))
    begin = start or Fraction(0)
    if begin >= ends[-1]:
        raise InputError(
            f"{name}: --from {float(begin):g}s is after its end, its pictures last until "
            f"{float(ends[-1]):.2f}s; give an earlier time"
        )
    end = ends[-1] if stop is None else min(stop, ends[-1])
    shown: list[Shown] = []
    tick = 0
    for index, frame_end in enumerate(ends):
        frame_begin = ends[index - 1] if index else Fraction(0)
        if fps is not None:
            while begin + tick / fps < min(frame_end, end):
                shown.append((index, tick / fps, (tick + 1) / fps))
                tick += 1
        elif max(frame_begin, begin) < min(frame_end, end):
            shown.append((index, max(frame_begin, begin) - begin, min(frame_end, end) - begin))
    return shown


def moves(path: Path) -> bool:
    """True for the file of an animation; false for one that cannot be read, which fails later."""
    with suppress(PillowError), open_image(path) as image, pillow_errors():
        return getattr(image, "n_frames", 1) > 1
    return False


def retimed(
    picture: Picture,
    file_format: str,
    *,
    start: Fraction | None,
    stop: Fraction | None,
    fps: Fraction | None,
    name: str,
) -> Picture:
    """Cut an animation, with times in the unit in which `file_format` counts them.

    Raises:
        InputError: it is over before `start`.
    """
    if (start, stop, fps) == (None, None, None):
        return picture
    durations = [frame.duration_ms for frame in picture.frames]
    unit = _UNIT_MS.get(file_format, 1)
    frames = []
    place = 0  # units: where the frames so far end
    for index, _, end in shown_frames(durations, start=start, stop=stop, fps=fps, name=name):
        until = max(round(end * 1000 / unit), place + _LEAST_UNITS.get(file_format, 1))
        frames.append(replace(picture.frames[index], duration_ms=(until - place) * unit))
        place = until
    return replace(picture, frames=tuple(frames))
