"""Segments + tracks + chapters -> the file the user asked for, written wholly or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error

from sakuga.errors import OutputError
from sakuga.files import replacing
from sakuga.video.animated import write_animation
from sakuga.video.containers import Container
from sakuga.video.marks import tag
from sakuga.video.opening import open_input
from sakuga.video.segments import Encoding, Segment
from sakuga.video.tracks import Window, kept_tags, read_packets

if TYPE_CHECKING:
    from sakuga.video.choices import Choices
    from sakuga.video.tracks import AnyPacket

    Timed = Iterator[tuple[Fraction, list[AnyPacket]]]

_FINEST_MOVIE_SCALE = 1_000_000  # units a second of an MP4's edit list; finer overflows its fields


@dataclass(frozen=True)
class Recipe:
    """All that decides how a file is joined, beside the pictures."""

    target: Path
    container: Container
    encoding: Encoding
    source: str | None  # where sound and the rest come from; None: there is none, as with a camera


def finish(
    recipe: Recipe, segments: Sequence[Segment], window: Window, choices: Choices
) -> list[str]:
    """Join the segments with the sound, subtitles, chapters and tags of the source.

    What was under the target's name is replaced at the end.

    Args:
        segments: at least one.
        window: which part of the source is painted.
        choices: what becomes of its tracks.

    Returns:
        What the user should know, one sentence each.

    Raises:
        OutputError: the file cannot be written; nothing is left under its name.
    """
    with replacing(recipe.target) as temporary:
        try:
            return write_file(temporary, recipe, segments, window, choices)
        except OutputError as error:
            if not choices:
                raise
            # The beginning of each track could be written, all of it cannot. The pictures can.
            note = f"the sound and subtitles were left out: {error}"
            return [note, *write_file(temporary, recipe, segments, window, {})]


def write_file(
    path: Path, recipe: Recipe, segments: Sequence[Segment], window: Window, choices: Choices
) -> list[str]:
    """Write to `path` what `finish` makes of its arguments.

    Raises:
        OutputError: these streams do not go together.
        OSError: the place cannot be written.
    """
    container, encoding = recipe.container, recipe.encoding
    place = path.absolute()  # because FFmpeg takes what stands before a colon for a protocol
    try:
        if container.is_animated:
            write_animation(place, container.format, segments, encoding)
            return []
        options = dict(container.options)
        scale = encoding.time_base.denominator
        if container.format in ("mp4", "mov") and 1000 <= scale <= _FINEST_MOVIE_SCALE:
            options["movie_timescale"] = str(scale)  # a late first frame is then placed exactly
        with av.open(place, "w", format=container.format, container_options=options) as output:
            return _join(output, recipe, segments, window, choices)
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, OSError):
            raise  # a full disk and the like
        raise OutputError(
            f"{recipe.target}: this combination of streams cannot be written ({error}); "
            "try a name that ends with .mkv"
        ) from error


def _join(
    output: av.container.OutputContainer,
    recipe: Recipe,
    segments: Sequence[Segment],
    window: Window,
    choices: Choices,
) -> list[str]:
    notes: list[str] = []
    container, encoding = recipe.container, recipe.encoding
    with av.open(segments[0].path) as first:
        video = output.add_stream_from_template(first.streams.video[0], opaque=True)
        video.time_base = encoding.time_base
        video.codec_context.framerate = encoding.rate.limit_denominator(100_000)
        if encoding.encoder.tag is not None and container.format in ("mp4", "mov"):
            video.codec_context.codec_tag = encoding.encoder.tag
    painted = _video_packets(segments, encoding, video)
    if recipe.source is None:
        _mark(output, container, encoding)
        for _, packets in painted:
            output.mux(packets)
        return notes
    with open_input(recipe.source) as original:
        output.metadata.update(kept_tags(original.metadata))
        _mark(output, container, encoding)
        original_video = next(iter(original.streams.video), None)
        if original_video is not None:
            video.metadata.update(kept_tags(original_video.metadata))
            video.disposition = original_video.disposition
        _add_chapters(original, output, window)
        tracks = {
            index: add(original.streams[index], output, container, window)
            for index, add in choices.items()
        }
        if window.begin is not None and tracks:
            original.seek(int(window.begin * av.time_base), backward=True)
        refused = 0
        for packets in _by_time(painted, read_packets(original, tracks, window, notes)):
            for packet in packets:
                try:
                    output.mux(packet)
                except (av.error.InvalidDataError, av.error.ArgumentError):
                    refused += 1  # of the sound: those of the pictures are our own
        if refused:
            notes.append(f"{refused} packets of sound that make no sense were left out")
    return notes


def _mark(output: av.container.OutputContainer, container: Container, encoding: Encoding) -> None:
    if encoding.mark is not None:
        tag(output.metadata, container.format, encoding.mark)


def _video_packets(segments: Sequence[Segment], encoding: Encoding, video: av.VideoStream) -> Timed:
    """Yield (seconds, [packet]) of all segments, with one row of decoding times over them."""
    shown = [segment.begin + pts for segment in segments for pts, _ in segment.times]
    decoded = iter(decoding_times(shown))
    header: bytes | None = None
    for segment in segments:
        with av.open(segment.path) as file:
            stream = file.streams.video[0]
            header = stream.codec_context.extradata if header is None else header
            assert header == stream.codec_context.extradata, "segments by two different encoders"
            packets = (packet for packet in file.demux(stream) if packet.pts is not None)
            for packet, (pts, duration) in zip(packets, segment.times, strict=True):
                packet.stream = video
                packet.time_base = encoding.time_base
                packet.pts = segment.begin + pts
                packet.dts = next(decoded)
                packet.duration = duration
                yield packet.dts * encoding.time_base, [packet]


def decoding_times(shown: Sequence[int]) -> list[int]:
    """When to decode each frame, given when each is shown, in decoding order.

    The times are the sorted times of showing, late by as few frames as make every frame decoded no
    later than it is shown. They rise strictly if no two frames are shown at once.
    """
    ordered = sorted(shown)
    rank = {time: index for index, time in enumerate(ordered)}
    delay = max(index - rank[time] for index, time in enumerate(shown))
    early = ordered[delay] - ordered[0]
    return [time - early for time in ordered[:delay]] + ordered[: len(ordered) - delay]


def _by_time(first: Timed, second: Timed) -> Iterator[list[AnyPacket]]:
    """Merge two rows of packets by their seconds, keeping the order within each."""
    waiting = next(second, None)
    for seconds, packets in first:
        while waiting is not None and waiting[0] <= seconds:
            yield waiting[1]
            waiting = next(second, None)
        yield packets
    while waiting is not None:
        yield waiting[1]
        waiting = next(second, None)


def _add_chapters(
    original: av.container.InputContainer, output: av.container.OutputContainer, window: Window
) -> None:
    chapters: list[av.container.core.Chapter] = []
    for chapter in original.chapters():
        base = chapter["time_base"] or Fraction(1, 1000)
        begin, end = chapter["start"] * base, chapter["end"] * base
        if window.begin is not None:
            begin = max(begin, window.begin)
        if window.end is not None:
            end = min(end, window.end)
        if begin < end:
            chapters.append(
                {
                    "id": chapter["id"],
                    "start": round((begin - window.origin) / base),
                    "end": round((end - window.origin) / base),
                    "time_base": base,
                    "metadata": chapter["metadata"],
                }
            )
    if chapters:
        output.set_chapters(chapters)
