"""A clip, camera or stream -> upright RGB frames and the exact times they are shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
import av.filter
from av.video.reformatter import VideoReformatter

from sakuga.errors import InputError, OptionError
from sakuga.images.read import fit_within
from sakuga.video import hdr
from sakuga.video.frames import Pixels, orientation, swaps_sides, to_rgb
from sakuga.video.options import VideoOptions, is_live

_TIMEOUT_S = 15.0  # for a server that does not answer
# FFmpeg's devices: (format, what the first camera or screen is called), by platform.
_CAMERAS = {
    "linux": ("v4l2", "/dev/video{}"),
    "darwin": ("avfoundation", "{}:none"),
    "win32": ("vfwcap", "{}"),
}
_SCREENS = {
    "linux": ("x11grab", ":{}.0"),
    "darwin": ("avfoundation", "Capture screen {}:none"),
    "win32": ("gdigrab", "desktop"),
}


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
        if self.live and (options.start is not None or options.stop is not None):
            raise OptionError(
                f"{self.name}: --from and --to need a clip; give a live source --seconds"
            )
        if not self.live and options.seconds is not None:
            raise OptionError(f"{self.name}: --seconds is for live sources; use --from and --to")
        self.container = open_input(source)
        self.stream = _pick_stream(self.container, self.name)
        if self.stream.sample_aspect_ratio:
            self.pixel_aspect = self.stream.sample_aspect_ratio
        else:
            self.pixel_aspect = Fraction(1)
        self._stream_base = self.stream.time_base or Fraction(1, 1000)
        for other in self.container.streams:
            if other is not self.stream:
                other.discard = av.stream.Discard.all
        self.stream.thread_type = "AUTO"
        self._skip_to_start()
        self._decoded = self._decode()
        self._first = next(self._decoded, None)
        if self._first is None:
            self.close()
            wanted = " in the part asked for" if options.start is not None else ""
            raise InputError(
                f"{self.name}: no frame can be decoded{wanted}; get a whole copy of it"
            )
        self.origin = self._choose_origin(self._first)  # seconds in the source, 0 in the result
        self._turn = orientation(self._first)
        stored = (self._first.width, self._first.height)
        if swaps_sides(self._turn):
            stored = stored[::-1]
            self.pixel_aspect = 1 / self.pixel_aspect
        self.width, self.height = fit_within(stored, max_side)  # pixels, upright
        if self._first.color_trc in hdr.NAMES:
            self.notes.append(
                f"{hdr.NAMES[self._first.color_trc]} was tone-mapped to standard range (BT.709)"
            )

    @property
    def rate(self) -> Fraction:
        """Frames per second of the result, on average."""
        if self._options.fps is not None:
            return self._options.fps
        highest = min(Fraction(1000), 1 / self._stream_base)  # above it is a damaged header
        for guess in (self.stream.average_rate, self.stream.guessed_rate):
            if guess is not None and 0 < guess <= highest:
                return guess
        return min(Fraction(25), highest)

    @property
    def time_base(self) -> Fraction:
        """Seconds a unit of `ClipFrame.pts`."""
        return 1 / self._options.fps if self._options.fps else self._stream_base

    @property
    def total_frames(self) -> int | None:
        """About how many frames there will be; None: nobody knows."""
        if self.live:
            seconds = self._options.seconds
            return None if seconds is None else round(seconds * self.rate)
        whole = self.seconds
        if whole is None:
            return None
        if self._options.fps is None and self._options.start is None and self._options.stop is None:
            return self.stream.frames or round(whole * self.rate)
        begin = float(self._options.start or 0)
        end = min(whole, float(self._options.stop or whole))
        return max(1, round(max(0.0, end - begin) * self.rate))

    @property
    def seconds(self) -> float | None:
        """How long the whole source is shown; None: nobody knows."""
        if self.stream.duration:
            return float(self.stream.duration * self._stream_base)
        if self.container.duration:
            return self.container.duration / av.time_base
        return None

    def frames(self, skip: int = 0) -> Iterator[ClipFrame]:
        """Yield the frames with their times; the first `skip` without their pictures."""
        reformatter = VideoReformatter()
        for index, (frame, pts, duration) in enumerate(self._resampled()):
            picture = None
            if index >= skip:
                picture = to_rgb(frame, self._turn, self.width, self.height, reformatter)
            yield ClipFrame(picture, pts, duration)
        if self.damaged:
            self.notes.append(
                f"{self.damaged} damaged packets or frames were met; the rest is complete"
            )

    def close(self) -> None:
        self.container.close()

    def _skip_to_start(self) -> None:
        if self._options.start:
            target = self._options.start + _start_seconds(self.container)
            try:
                self.container.seek(int(target * av.time_base), backward=True)
            except av.error.FFmpegError:  # not seekable: frames are read and passed over from 0
                self.container.close()
                self.container = open_input(self.name)
                self.stream = _pick_stream(self.container, self.name)

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
            if early.pts + (early.duration or step) > begin:
                yield early

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
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                self.damaged += 1
                continue
            for frame in frames:
                self.damaged += frame.is_corrupt
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


def open_input(source: str | Path) -> av.container.InputContainer:
    """Open a path, URL, `webcam[:N]` or `screen[:N]` for reading.

    Raises:
        InputError: with the reason in the user's words.
    """
    text = str(source)
    kind, _, number = text.partition(":")
    if kind in ("webcam", "screen") and is_live(text):
        return _open_device(kind, number or "0")
    path = Path(text)
    if "://" not in text:
        if not path.exists():
            raise InputError(f"{text}: there is no such file; check the spelling")
        if path.is_dir():
            raise InputError(f"{text}: is a folder, not a video")
    try:
        options = {"rtsp_transport": "tcp"} if text.startswith("rtsp") else {}
        timeout = (_TIMEOUT_S, _TIMEOUT_S) if "://" in text else None
        return av.open(text, "r", options=options, timeout=timeout, metadata_errors="replace")
    except av.error.FFmpegError as error:
        what = "cannot be reached" if "://" in text else "is not a video, or is damaged"
        raise InputError(
            f"{text}: {what} ({_reason(error)}); check it plays in a video player"
        ) from error


def _open_device(kind: str, number: str) -> av.container.InputContainer:
    devices = _CAMERAS if kind == "webcam" else _SCREENS
    if not number.isdigit():
        raise InputError(f"{kind}:{number}: the part after the colon must be a number, as {kind}:0")
    if sys.platform not in devices:
        raise InputError(f"{kind}: is not supported on {sys.platform}")
    device_format, pattern = devices[sys.platform]
    device = pattern.format(number)
    if device.startswith("/dev/") and not Path(device).exists():
        raise InputError(
            f"{kind}:{number}: there is no camera at {device}; plug one in, or give another number"
        )
    try:
        return av.open(device, "r", format=device_format)
    except (av.error.FFmpegError, ValueError) as error:
        raise InputError(
            f"{kind}:{number}: {device} cannot be opened ({_reason(error)}); check that it is "
            "there and that this program may use it"
        ) from error


def _pick_stream(container: av.container.InputContainer, name: str) -> av.VideoStream:
    """The first stream of moving pictures; a cover picture does not count."""
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            if stream.codec_context is None:
                container.close()
                raise InputError(f"{name}: nothing here can decode its video")
            return stream
    found = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
    container.close()
    raise InputError(f"{name}: has no video stream, it holds {found}; give a file with pictures")


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


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
