"""A clip, camera or stream -> upright RGB frames and the exact times they are shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
import av.filter

from sakuga.errors import InputError
from sakuga.images.picture import fit_within
from sakuga.video import hdr
from sakuga.video.frames import (
    Pixels,
    ToRgb,
    alpha_is_empty,
    holds_alpha,
    orientation,
    swaps_sides,
)
from sakuga.video.opening import decoder_of, open_input, pick_stream
from sakuga.video.options import VideoOptions, check_source, is_live

LAID_ON_WHITE = "transparent parts were laid on white"


@dataclass(frozen=True)
class ClipFrame:
    """One frame of a clip."""

    picture: Pixels | None  # (H, W, 3) upright; None: skipped, only its time was asked for
    pts: int  # when it is shown, in units of `Clip.time_base`, from the clip's beginning
    duration: int  # how long it is shown, in the same units


class Clip:
    """An opened video whose frames can be read once, in order.

    Args:
        source: a path, a URL, `webcam[:N]` or `screen`.
        options: of these `start`, `stop`, `seconds` and `fps` choose the frames.
        max_side: pixels; larger frames are shrunk so that the longer side is at most this.

    Raises:
        InputError: it cannot be opened, or no video frame can be decoded.
    """

    def __init__(
        self, source: str | Path, options: VideoOptions, max_side: int | None = None
    ) -> None:
        self.name = str(source)
        self.live = is_live(source)
        self.notes: list[str] = []  # what the user should know, one sentence each
        self.damaged = 0  # packets and frames that did not decode whole
        self._options = options
        check_source(source, options)
        self._open()
        if self.stream.sample_aspect_ratio:
            self.pixel_aspect = self.stream.sample_aspect_ratio
        else:
            self.pixel_aspect = Fraction(1)
        self._stream_base = self.stream.time_base or Fraction(1, 1000)
        # All that is asked later is asked here: a stream must not be used once its file is closed.
        self.rate = self._choose_rate()  # frames per second of the result, on average
        # Seconds a unit of `ClipFrame.pts`.
        self.time_base = 1 / options.fps if options.fps else self._stream_base
        self.seconds = self._length()  # of the whole source; None: nobody knows
        self._declared_frames = self.stream.frames
        self._skip_to_start()
        self._passed: Fraction | None = None  # seconds: the last frame before the part ends here
        self._next: Fraction | None = None  # seconds: the first frame after the part begins here
        self._decoded = self._decode()
        self._first = next(self._decoded, None)
        if self._first is None:
            self.close()
            raise InputError(f"{self.name}: {self._why_empty()}")
        self.origin = self._choose_origin(self._first)  # seconds in the source, 0 in the result
        turn = orientation(self._first)
        stored = (self._first.width, self._first.height)
        if swaps_sides(turn):
            stored = stored[::-1]
            self.pixel_aspect = 1 / self.pixel_aspect
        self.width, self.height = fit_within(stored, max_side)  # pixels, upright
        self._to_rgb = ToRgb(turn, self.width, self.height, has_alpha=self._has_alpha(self._first))
        if self._first.color_trc in hdr.NAMES:
            self.notes.append(
                f"{hdr.NAMES[self._first.color_trc]} was tone-mapped to standard range (BT.709)"
            )

    def _open(self) -> None:
        self.container = open_input(self.name)
        self.stream = pick_stream(self.container, self.name)
        for other in self.container.streams:
            if other is not self.stream:
                other.discard = av.stream.Discard.all
        self._decoder = decoder_of(self.stream)
        self._decoder.thread_type = "AUTO"
        # AVI has no times: a tick is a packet, and FFmpeg's guess of what is shown when is late.
        self._counts_packets = self.container.format.name == "avi"

    def _choose_rate(self) -> Fraction:
        if self._options.fps is not None:
            return self._options.fps
        highest = min(Fraction(1000), 1 / self._stream_base)  # above it is a damaged header
        for guess in (self.stream.average_rate, self.stream.guessed_rate):
            if guess is not None and 0 < guess <= highest:
                return guess
        return min(Fraction(25), highest)

    def _length(self) -> float | None:
        if self.stream.duration:
            return float(self.stream.duration * self._stream_base)
        if self.container.duration:
            return self.container.duration / av.time_base
        return None

    def _has_alpha(self, first: av.VideoFrame) -> bool:
        """False where the fourth byte of a pixel means nothing: in AVI it is mostly left at 0."""
        codec = self._decoder.codec.canonical_name
        unused = codec == "rawvideo" and self._counts_packets
        return holds_alpha(first) and not (unused and alpha_is_empty(first))

    def _why_empty(self) -> str:
        """Why no frame came."""
        start, stop = self._options.start, self._options.stop
        end = self._passed
        if end is None and self.seconds is not None and start is not None and start >= self.seconds:
            end = Fraction(self.seconds)
        if start is not None and end is not None:
            return (
                f"--from {float(start):g}s is after its end, its pictures last until "
                f"{float(end):.2f}s; give an earlier time"
            )
        if stop is not None and self._next is not None:
            return (
                f"--to {float(stop):g}s is too early, its first picture is shown at "
                f"{float(self._next):.2f}s; give a later time"
            )
        wanted = " in the part asked for" if start is not None else ""
        return f"no frame can be decoded{wanted}; get a whole copy of it"

    @property
    def total_frames(self) -> int | None:
        """About how many frames there will be; None: nobody knows."""
        if self.live:
            seconds = self._options.seconds
            return None if seconds is None else round(seconds * self.rate)
        if self.seconds is None:
            return None
        if self._options.fps is None and self._options.start is None and self._options.stop is None:
            return self._declared_frames or round(self.seconds * self.rate)
        begin = float(self._options.start or 0)
        end = min(self.seconds, float(self._options.stop or self.seconds))
        return max(1, round(max(0.0, end - begin) * self.rate))

    def frames(self, skip: int = 0) -> Iterator[ClipFrame]:
        """Yield the frames with their times; the first `skip` without their pictures."""
        for index, (frame, pts, duration) in enumerate(self._resampled()):
            yield ClipFrame(self._to_rgb(frame) if index >= skip else None, pts, duration)
        if self._to_rgb.transparent:
            self.notes.append(LAID_ON_WHITE)
        if self.damaged:
            self.notes.append(
                f"{self.damaged} damaged packets or frames were met; the rest is complete"
            )

    def close(self) -> None:
        self.container.close()

    def _skip_to_start(self) -> None:
        if self._options.start:
            target = self._options.start + _start_seconds(self.container)
            if self._counts_packets:  # pictures that are shown before a key frame come after it
                target = max(Fraction(0), target - 1)
            try:
                self.container.seek(int(target * av.time_base), backward=True)
            except av.error.FFmpegError:  # not seekable: frames are read and passed over from 0
                self.container.close()
                self._open()

    def _choose_origin(self, first: av.VideoFrame) -> Fraction:
        """Seconds of the source that become 0.

        A part of a clip, or a live source, begins with its first frame. A whole clip keeps its own
        times, unless they begin late (broadcasts count from the transmitter's start) or below 0.
        """
        shown = (first.pts or 0) * self._stream_base
        if self._options.start or self.live:
            return shown
        begin = _start_seconds(self.container)
        return begin if begin > 0 else min(shown, Fraction(0))

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Yield the frames from `start` to `stop`, not interlaced, `pts` rising in stream units."""
        begin = stop = None
        base = self._stream_base
        offset = _start_seconds(self.container)
        if self._options.start:
            begin = (self._options.start + offset) / base
        if self._options.stop is not None:
            stop = (self._options.stop + offset) / base
        step = max(1, round(1 / (self.rate * base)))
        last: int | None = None
        early: av.VideoFrame | None = None  # the latest frame before `begin`
        for frame in self._progressive():
            pts = frame.pts
            if pts is None:
                pts = 0 if last is None else last + step
            if last is not None and pts <= last:  # broken times: one unit later keeps the order
                pts = last + 1
            if begin is None and stop is None and self._options.seconds is not None:
                stop = pts + Fraction(self._options.seconds) / base
            if stop is not None and pts >= stop:
                self._next = pts * base - offset
                break
            last = frame.pts = pts
            if begin is not None and pts < begin:
                early = frame
                continue
            if early is not None and begin is not None and pts > begin:
                yield early  # it is what is shown at `begin`
            early = None
            yield frame
        if early is not None and begin is not None:
            assert early.pts is not None
            end = early.pts + (early.duration or step)
            if end > begin:
                yield early
            else:
                self._passed = end * base - offset

    def _progressive(self) -> Iterator[av.VideoFrame]:
        """Yield decoded frames; once an interlaced one came, interlaced ones pass through bwdif."""
        graph: av.filter.Graph | None = None
        for frame in self._readable():
            if graph is None and frame.interlaced_frame:
                self.notes.append("interlaced frames were deinterlaced")
                graph = _deinterlacer(frame, self._stream_base)
            if graph is None:
                yield frame
                continue
            graph.vpush(frame)
            yield from self._pull(graph)
        if graph is not None:
            graph.vpush(None)
            yield from self._pull(graph)

    def _pull(self, graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
        while True:
            try:
                frame = graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return  # it wants another frame first
            scale = (frame.time_base or self._stream_base) / self._stream_base
            frame.pts = None if frame.pts is None else round(frame.pts * scale)
            frame.duration = round(frame.duration * scale)
            frame.time_base = self._stream_base
            yield frame

    def _readable(self) -> Iterator[av.VideoFrame]:
        """Yield every frame that decodes, counting in `damaged` what does not."""
        packets = self.container.demux(self.stream)
        begun: int | None = None  # when the first packet is decoded
        is_first = True
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError as error:
                if self.live and not isinstance(error, av.error.InvalidDataError):
                    self.notes.append(f"the stream ended with an error: {error.strerror}")
                self.damaged += 1
                return
            if packet is None:
                return
            begun = packet.dts if begun is None else begun
            try:
                frames = self._decoder.decode(packet)
            except av.error.FFmpegError:
                self.damaged += 1
                continue
            for frame in frames:
                self.damaged += frame.is_corrupt
                if self._counts_packets:  # it came back when so many more packets were decoded
                    delay = self._decoder.reorder_depth
                    if is_first and frame.dts is not None and begun is not None:
                        delay = min(delay, frame.dts - begun)  # before it, the depth is a guess
                    frame.pts = None if frame.dts is None else frame.dts - delay
                    is_first = False
                yield frame

    def _resampled(self) -> Iterator[tuple[av.VideoFrame, int, int]]:
        """Yield (frame, pts, duration), at a constant rate if the options ask for one.

        At a constant rate each tick shows the frame that the source shows at that moment.
        """
        fps = self._options.fps
        tick = 0
        for frame, pts, duration in self._timed():
            if fps is None:
                yield frame, pts, duration
                continue
            end = (pts + duration) * self._stream_base
            while tick / fps < end:
                yield frame, tick, 1
                tick += 1

    def _timed(self) -> Iterator[tuple[av.VideoFrame, int, int]]:
        """Yield (frame, pts, duration): each lasts until the next, the last as long as it says."""
        assert self._first is not None
        origin = round(self.origin / self._stream_base)
        step = max(1, round(1 / (self.rate * self._stream_base)))
        held, shown = self._first, self._first.pts or 0
        for frame in self._decoded:
            assert frame.pts is not None  # `_decode` sees to that
            step = frame.pts - shown
            yield held, shown - origin, step
            held, shown = frame, frame.pts
        yield held, shown - origin, held.duration or step


def _start_seconds(container: av.container.InputContainer) -> Fraction:
    return Fraction(container.start_time or 0, av.time_base)


def _deinterlacer(frame: av.VideoFrame, time_base: Fraction) -> av.filter.Graph:
    """One frame out for one in, at its time; frames not marked interlaced pass unchanged."""
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=time_base
        ),
        graph.add("bwdif", "mode=send_frame:deint=interlaced"),
        graph.add("buffersink"),
    )
    graph.configure()
    return graph
