"""One video: decode, paint and encode side by side, in segments that survive a crash."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import av.error
import numpy as np

from sakuga.console import noted_ctrl_c
from sakuga.errors import OutputError, SakugaError
from sakuga.video.animated import AnimatedClip
from sakuga.video.choices import rehearse
from sakuga.video.containers import container_for
from sakuga.video.decode import Clip, ClipFrame
from sakuga.video.deflicker import NOT_FOLLOWED, can_follow
from sakuga.video.mux import Recipe, finish
from sakuga.video.options import (
    VideoOptions,
    parse_aspect,
)
from sakuga.video.painter import Painter, Painting
from sakuga.video.prefetch import Ahead, Behind
from sakuga.video.recorder import SWEEP_S, Painted, Recorder, crop_to
from sakuga.video.segments import Encoding, Parts, Segment
from sakuga.video.tracks import Window

if TYPE_CHECKING:
    from sakuga.video.choices import Choices

_FRAMES_AHEAD = 4  # decoded and waiting; 4 x 6 MB at 1080p
_FRAMES_BEHIND = 4  # painted and waiting for the encoder


@dataclass(frozen=True)
class Progress:
    """How far a job is."""

    frames: int  # painted and encoded so far, those of an earlier run included
    total_frames: int | None  # about; None: not known
    frames_per_second: float  # of this run
    seconds_left: float | None  # None: not known
    bytes_written: int  # of finished segments

    def __str__(self) -> str:
        """In words: "120 of 300 frames, 12.3 a second, 15 s left, 2.1 MB"."""
        left = "" if self.seconds_left is None else f", {self.seconds_left:.0f} s left"
        megabytes = f"{self.bytes_written / 1e6:.1f}"
        size = "" if megabytes == "0.0" else f", {megabytes} MB"  # no segment is finished yet
        return f"{self.speed}{left}{size}"

    @property
    def speed(self) -> str:
        """In words, for a bar that shows the time itself: "120 of 300 frames, 12.3 a second"."""
        total = "" if self.total_frames is None else f" of {self.total_frames}"
        return f"{self.frames}{total} frames, {self.frames_per_second:.1f} a second"


@dataclass(frozen=True)
class VideoResult:
    """What became of a job."""

    path: Path | None  # the finished file; None: stopped and discarded
    frames: int  # in the file
    painted: int  # for how many of these the style was run now; others looked like the one before
    seconds: float  # this run took
    interrupted: bool = False  # Ctrl-C came before the end
    notes: list[str] = field(default_factory=list)  # what the user should know, one sentence each


@dataclass(frozen=True)
class _Painted:
    """The pictures of a job, before they are joined."""

    segments: list[Segment]
    interrupted: bool
    notes: list[str]


class VideoRun:
    """One run over one clip."""

    def __init__(
        self,
        clip: Clip | AnimatedClip,
        target: Path,
        codec: str,
        options: VideoOptions,
        painter: Painter,
    ) -> None:
        self._clip = clip
        self._target = target
        self._options = options
        self._painter = painter
        self._aspect = parse_aspect(options.aspect)
        empty = np.empty((clip.height, clip.width, 3), np.uint8)
        height, width = crop_to(empty, self._aspect, clip.pixel_aspect).shape[:2]
        self.encoding = Encoding(
            codec=codec,
            crf=options.crf,
            width=width * (2 if options.side_by_side else 1),
            height=height,
            rate=clip.rate,
            time_base=clip.time_base,
            pixel_aspect=clip.pixel_aspect,
        )

    def run(
        self,
        described: dict[str, Any],
        *,
        overwrite: bool,
        on_progress: Callable[[Progress], None] | None,
    ) -> VideoResult:
        began = time.monotonic()
        parts = Parts(self._target, described, resume=self._options.resume, restart=overwrite)
        try:
            # Only the part's beginning is known before it is painted: the end may be a Ctrl-C.
            whole = Window(self._clip.origin, self._begin(), None)
            choices, notes = rehearse(parts.folder, self._recipe(), whole)
            painted = self._paint(parts, began, on_progress)
            notes += painted.notes
            path = self._join(parts, painted, choices, notes)
        except OSError as error:  # FFmpeg's are OSErrors too
            raise OutputError(
                f"{self._target}: cannot be written ({error.strerror or error}); {_kept(parts)}"
            ) from error
        except av.error.FFmpegError as error:
            raise OutputError(
                f"{self._target}: {self.encoding.encoder.name} cannot encode frames of "
                f"{self.encoding.width} x {self.encoding.height} ({error.strerror}); "
                "try another --codec or size"
            ) from error
        finally:
            if not parts.finished():
                parts.remove()
        if painted.interrupted and path is not None and parts.finished():
            notes.append(f"go on with --resume, or delete {parts.folder.name}")
        else:
            parts.remove()
        frames = sum(segment.frames for segment in painted.segments)
        seconds = time.monotonic() - began
        return VideoResult(path, frames, self._painter.painted, seconds, painted.interrupted, notes)

    def _paint(
        self, parts: Parts, began: float, on_progress: Callable[[Progress], None] | None
    ) -> _Painted:
        """Paint what an earlier run did not."""
        segments = parts.finished()
        done = sum(segment.frames for segment in segments)
        state = parts.load_state(len(segments))
        self._painter.restore(state)
        sweep_s = SWEEP_S
        if self._clip.total_frames is not None:  # of a short clip the line sees all
            sweep_s = min(sweep_s, max(1, self._clip.total_frames - 1) / self._clip.rate)
        recorder = Recorder(parts, self.encoding, self._options, segments, state, sweep_s=sweep_s)
        live = self._clip.live  # of a camera only the newest frame waits, else all would be late
        frames: Ahead[ClipFrame] = Ahead(
            self._clip.frames(skip=done), 1 if live else _FRAMES_AHEAD, latest=live
        )
        encoder = Behind(recorder.take, 1 if live else _FRAMES_BEHIND)
        try:
            with noted_ctrl_c() as stopped:
                for index, frame, painting in self._begun(frames, stopped):
                    assert frame.picture is not None
                    anime = painting.anime.result()
                    ends_segment = index % self._options.segment_frames == 0
                    encoder.put(
                        Painted(
                            frame.picture,
                            anime,
                            painting.repeated,
                            frame.pts,
                            frame.duration,
                            painting.state() if ends_segment else None,
                        )
                    )
                    if on_progress is not None:
                        on_progress(self._progress(index, done, began, recorder.bytes_written))
                # Ctrl-C is how a recording of no stated length ends.
                interrupted = stopped.is_set() and not (
                    self._clip.live and not self._options.discard
                )
                encoder.finish()
                segments = recorder.finish(ended=not interrupted)
        finally:
            self._painter.close()
            frames.close()
            encoder.close()
            recorder.close()
        notes = list(self._clip.notes)
        if self._options.steady and not can_follow():
            notes.append(NOT_FOLLOWED)
        if frames.dropped:
            notes.append(f"{frames.dropped} frames came too fast to be painted and were dropped")
        return _Painted(segments, interrupted, notes)

    def _begun(
        self, frames: Ahead[ClipFrame], stopped: threading.Event
    ) -> Iterator[tuple[int, ClipFrame, Painting]]:
        """Yield each frame with its number from 1, while those after it are painted already."""
        begun: deque[tuple[int, ClipFrame, Painting]] = deque()
        index = 0
        while not stopped.is_set() and (item := frames.next_within(stopped.is_set)) is not None:
            frame = item[0]
            index += 1
            if frame.picture is None:  # painted by an earlier run
                continue
            picture = crop_to(frame.picture, self._aspect, self._clip.pixel_aspect)
            frame = replace(frame, picture=picture)
            begun.append((index, frame, self._painter(picture)))
            if len(begun) > self._painter.at_once:
                yield begun.popleft()
        yield from begun

    def _join(
        self, parts: Parts, painted: _Painted, choices: Choices, notes: list[str]
    ) -> Path | None:
        """Make the file; None if none is wanted."""
        if not painted.segments or (painted.interrupted and self._options.discard):
            return None
        last = painted.segments[-1]
        shown_until = last.begin + max(pts + duration for pts, duration in last.times)
        end = self._clip.origin + shown_until * self.encoding.time_base
        cut = painted.interrupted or self._options.stop is not None
        window = Window(self._clip.origin, self._begin(), end if cut else None)
        try:
            notes += finish(self._recipe(), painted.segments, window, choices)
        except SakugaError as error:  # the place, or the source, that is gone by now
            raise OutputError(f"{error}; {_kept(parts)}") from error
        return self._target

    def _begin(self) -> Fraction | None:
        """Seconds of the source where its sound begins to be wanted; None: all is wanted."""
        return self._clip.origin if self._options.start else None

    def _recipe(self) -> Recipe:
        silent = self._clip.live or isinstance(self._clip, AnimatedClip)
        return Recipe(
            self._target,
            container_for(self._target, fragmented=self._options.fragmented),
            self.encoding,
            None if silent else self._clip.name,
        )

    def _progress(self, index: int, done: int, began: float, size: int) -> Progress:
        speed = (index - done) / max(time.monotonic() - began, 1e-6)
        total = self._clip.total_frames
        left = None if total is None else max(0, total - index) / speed
        return Progress(index, total, speed, left, size)


def _kept(parts: Parts) -> str:
    """What a job that failed leaves, and what to do."""
    if not parts.finished():
        return "nothing is kept; make room and start again"
    return f"what is painted is kept in {parts.folder.name}, make room and go on with --resume"
