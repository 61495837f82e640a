"""Painted frames in order -> steady ones, cut out, beside or over their photos, in segments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from sakuga.video.deflicker import Steady
from sakuga.video.frames import Pixels
from sakuga.video.options import VideoOptions
from sakuga.video.segments import Encoding, Parts, Segment, SegmentWriter, State

SWEEP_S = Fraction(3)  # from one side to the other
_LINE_SHARE = 1 / 240  # of the width


@dataclass(frozen=True)
class Painted:
    """A painted frame on its way to the encoder."""

    photo: Pixels
    anime: Pixels
    repeated: bool  # the anime is that of the frame before
    pts: int
    duration: int
    painter_state: State | None  # given with the last frame of a segment


class Recorder:
    """Takes painted frames in order: calms and encodes them, and ends a segment where it ends."""

    def __init__(
        self,
        parts: Parts,
        encoding: Encoding,
        options: VideoOptions,
        finished: list[Segment],
        state: State,
        *,
        sweep_s: Fraction,
    ) -> None:
        self._parts = parts
        self._encoding = encoding
        self._options = options
        self._sweep_s = sweep_s
        self._segments = list(finished)
        self._steady = Steady() if options.steady else None
        if self._steady is not None:
            self._steady.restore(state)
        self._shown: Pixels | None = state.get("recorder_shown")
        self._writer: SegmentWriter | None = None
        self.bytes_written = sum(segment.path.stat().st_size for segment in finished)

    def take(self, painted: Painted) -> None:
        """Encode one frame."""
        if not painted.repeated or self._shown is None:
            self._shown = painted.anime
            if self._steady is not None:
                self._shown = self._steady(painted.photo, painted.anime)
        if self._writer is None:
            index = len(self._segments)
            path = self._parts.segment_path(index, self._encoding.encoder)
            self._writer = SegmentWriter(path, self._encoding)
        picture = self._shown
        if self._options.side_by_side:
            picture = np.concatenate([painted.photo, picture], axis=1)
        elif self._options.wipe:
            seconds = painted.pts * self._encoding.time_base
            picture = wipe(painted.photo, picture, seconds, self._sweep_s)
        self._writer.add(picture, painted.pts, painted.duration)
        if painted.painter_state is not None:
            state = {**painted.painter_state, "recorder_shown": self._shown}
            if self._steady is not None:
                state.update(self._steady.state())
            segment = self._close_segment()
            self._parts.keep(len(self._segments) - 1, segment, state)

    def finish(self, *, ended: bool) -> list[Segment]:
        """Close the last, shorter segment and return all.

        Args:
            ended: no frame will follow, in a resumed job neither: the segment is recorded as whole.
        """
        if self._writer is not None:
            segment = self._close_segment()
            if ended:
                self._parts.keep(len(self._segments) - 1, segment, {})
        return self._segments

    def close(self) -> None:
        """Let go of a segment that is not whole, after an error."""
        self._writer = None

    def _close_segment(self) -> Segment:
        assert self._writer is not None
        segment = self._writer.finish()
        self._writer = None
        self._segments.append(segment)
        self.bytes_written += segment.path.stat().st_size
        return segment


def wipe(photo: Pixels, anime: Pixels, seconds: Fraction, sweep_s: Fraction = SWEEP_S) -> Pixels:
    """Show the anime at the left of a white line and the photo at its right.

    The line starts at the left, slows down at the sides, and comes back.

    Args:
        photo, anime: (H, W, 3) of one size.
        seconds: since the beginning.
        sweep_s: how long the line takes from one side to the other.

    Returns:
        uint8 (H, W, 3), a new array.
    """
    width = photo.shape[1]
    place = (1 - math.cos(math.pi * float(seconds / sweep_s))) / 2  # 0 left, 1 right
    edge = round(place * width)
    shown = np.concatenate([anime[:, :edge], photo[:, edge:]], axis=1)
    line = max(1, round(width * _LINE_SHARE))
    if 0 < edge < width:
        shown[:, max(0, edge - line) : edge + line] = 255
    return shown


def crop_to(picture: Pixels, aspect: Fraction | None, pixel_aspect: Fraction) -> Pixels:
    """Cut the middle out of (H, W, 3) so that it is shown `aspect` times as wide as high.

    Sides are cut to even numbers, which video wants.
    """
    if aspect is None:
        return picture
    height, width = picture.shape[:2]
    ratio = aspect / pixel_aspect  # of pixels
    wide, high = min(width, round(height * ratio)), min(height, round(width / ratio))
    wide, high = max(wide - wide % 2, 1), max(high - high % 2, 1)
    left, top = (width - wide) // 2, (height - high) // 2
    return picture[top : top + high, left : left + wide]
