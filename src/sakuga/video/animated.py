"""Animated pictures as clips, both ways: frames of a GIF, WebP or APNG in, segments out to one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import av.error
import av.filter
from av.video.reformatter import VideoReformatter

from sakuga.images.marks import stamp_file
from sakuga.images.read import read_picture
from sakuga.images.timeline import shown_frames
from sakuga.video.decode import LAID_ON_WHITE, ClipFrame
from sakuga.video.options import VideoOptions, check_source
from sakuga.video.segments import Encoding, Segment

# How each is written: (FFmpeg's encoder, its pixel format, the file format's options).
_WRITERS = {
    "gif": ("gif", "pal8", {"loop": "0"}),
    "webp": ("libwebp_anim", "bgra", {"loop": "0"}),
    "apng": ("apng", "rgb24", {"plays": "0"}),
}
_TICKS = {"gif": 100, "webp": 1000, "apng": 1000}  # a second; what the formats count in
_SHORTEST_GIF_TICKS = 2  # browsers slow a GIF down whose frames are shorter than 20 ms
_WEBP_QUALITY = "85"


class AnimatedClip:
    """The frames of an animated picture, like those of `sakuga.video.decode.Clip`.

    Args:
        source: a path, or the content of a file.
        options: of these `start`, `stop` and `fps` choose the frames.
        name: what errors call it.
        max_side: pixels; larger frames are shrunk so that the longer side is at most this.

    Raises:
        InputError: it is not a picture, is damaged, or is over before the part begins.
        OptionError: options are for other sources.
    """

    def __init__(
        self,
        source: Path | bytes,
        options: VideoOptions,
        *,
        name: str | None = None,
        max_side: int | None = None,
    ) -> None:
        self.name = name or str(source)
        self.live = False
        self.notes: list[str] = []
        check_source(self.name, options)
        self._frames = read_picture(source, name=self.name, max_side=max_side).frames
        durations = [frame.duration_ms for frame in self._frames]
        self.seconds = sum(max(1, duration) for duration in durations) / 1000
        self._shown = shown_frames(
            durations, start=options.start, stop=options.stop, fps=options.fps, name=self.name
        )
        if any(self._frames[index].alpha is not None for index, _, _ in self._shown):
            self.notes.append(LAID_ON_WHITE)
        self.height, self.width = self._frames[0].colour.shape[:2]
        self.pixel_aspect = Fraction(1)
        self.time_base = 1 / options.fps if options.fps else Fraction(1, 1000)
        self.total_frames = len(self._shown)
        self.rate = options.fps or len(self._shown) / self._shown[-1][2]
        self.origin = Fraction(0)

    def frames(self, skip: int = 0) -> Iterator[ClipFrame]:
        """Yield the frames with their times; the first `skip` without their pictures."""
        place = 0  # units of the time base: where the frames so far end
        for count, (index, _, end) in enumerate(self._shown):
            picture = self._frames[index].on_white() if count >= skip else None
            until = max(place + 1, round(end / self.time_base))
            yield ClipFrame(picture, place, until - place)
            place = until

    def close(self) -> None:
        """Nothing is open."""


def write_animation(
    path: Path, file_format: str, segments: Sequence[Segment], encoding: Encoding
) -> None:
    """Write the frames of the segments as an animated picture that plays for ever.

    Times are rounded to what the format counts in: 1/100 s for GIF, 1 ms for WebP and APNG. A GIF
    gets a palette of 256 colours for each frame. Pixels become square. Memory does not grow with
    the length.
    """
    encoder, pixel_format, options = _WRITERS[file_format]
    base = Fraction(1, _TICKS[file_format])
    shown = [
        (segment.begin + pts, duration)
        for segment in segments
        for pts, duration in sorted(segment.times)
    ]
    starts = _ticks([pts for pts, _ in shown], encoding.time_base / base, file_format)
    last = max(1, round(shown[-1][1] * encoding.time_base / base))
    if file_format in ("gif", "apng"):  # they take the last frame's time as an option, in 1/100 s
        hundredths = max(1, round(last * base * 100))
        options = {
            **options,
            "final_delay": str(hundredths) if file_format == "gif" else str(last * base),
        }
    width = round(encoding.width * max(encoding.pixel_aspect, Fraction(1)))
    height = round(encoding.height / min(encoding.pixel_aspect, Fraction(1)))
    with av.open(path, "w", format=file_format, container_options=options) as output:
        stream = output.add_stream(
            encoder, rate=encoding.rate.limit_denominator(1000), width=width, height=height
        )
        assert isinstance(stream, av.VideoStream)
        stream.codec_context.pix_fmt = pixel_format
        stream.codec_context.time_base = base
        stream.time_base = base
        if file_format == "webp":
            stream.codec_context.options = {"quality": _WEBP_QUALITY}
        sizing, packing = VideoReformatter(), VideoReformatter()
        for index, frame in enumerate(_decoded(segments)):
            frame = sizing.reformat(frame, width=width, height=height, format="rgb24")
            frame = (
                _with_palette(frame)
                if file_format == "gif"
                else packing.reformat(frame, format=pixel_format)
            )
            frame.pts = starts[index]
            frame.time_base = base
            following = starts[index + 1] if index + 1 < len(starts) else starts[index] + last
            frame.duration = following - starts[index]
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    if file_format == "webp":
        _set_last_duration(path, last)
    if encoding.mark is not None:
        stamp_file(path, encoding.mark)


def _set_last_duration(path: Path, duration_ms: int) -> None:
    """Say in a WebP how long its last frame is shown, which FFmpeg's encoder leaves to a guess.

    A WebP is a row of chunks: four letters, a size (uint32), the content, padded to even. In an
    `ANMF` chunk, a frame, the three bytes at 12 are its duration (RFC 9649, 2.7.1.2).
    """
    with path.open("r+b") as file:
        place, last = 12, None
        while len(header := _read_at(file, place, 8)) == 8:
            if header[:4] == b"ANMF":
                last = place
            size = int.from_bytes(header[4:], "little")
            place += 8 + size + size % 2
        if last is not None:  # a single frame is a still picture
            file.seek(last + 8 + 12)
            file.write(duration_ms.to_bytes(3, "little"))


def _read_at(file: BinaryIO, place: int, size: int) -> bytes:
    file.seek(place)
    return file.read(size)


def _ticks(pts: Sequence[int], scale: Fraction, file_format: str) -> list[int]:
    """Round times to the format's unit, counted from the first frame, each after the one before."""
    least = _SHORTEST_GIF_TICKS if file_format == "gif" else 1
    ticks: list[int] = []
    for time in pts:
        tick = round((time - pts[0]) * scale)
        ticks.append(max(tick, ticks[-1] + least) if ticks else 0)
    return ticks


def _decoded(segments: Sequence[Segment]) -> Iterator[av.VideoFrame]:
    for segment in segments:
        with av.open(segment.path) as file:
            yield from file.decode(video=0)


def _with_palette(frame: av.VideoFrame) -> av.VideoFrame:
    """Choose the 256 colours that suit this frame, and dither to them."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 100)
    )
    split = graph.add("split")
    palette = graph.add("palettegen", "reserve_transparent=0")
    use = graph.add("paletteuse", "dither=bayer:bayer_scale=4")
    sink = graph.add("buffersink")
    source.link_to(split)
    split.link_to(palette, 0, 0)
    split.link_to(use, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    frame.pts = 0
    frame.time_base = Fraction(1, 100)
    graph.vpush(frame)
    graph.vpush(None)
    return graph.vpull()
