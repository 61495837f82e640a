"""Which tracks of the source go into the file, and how: tried out before anything is painted.

All that follows the painting is done with one grey frame first. Encoders that refuse a size, tracks
that a file cannot hold and places that cannot be written are found out at once, not after hours.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error
import numpy as np

from sakuga.video.containers import Container
from sakuga.video.mux import Recipe, write_file
from sakuga.video.opening import open_input
from sakuga.video.segments import SegmentWriter
from sakuga.video.sound import add_sound
from sakuga.video.tracks import Track, Window, add_subtitles, copy_track

if TYPE_CHECKING:
    from sakuga.video.tracks import AnyPacket

    # Adds a stream to the output for one of the source.
    AddTrack = Callable[[av.stream.Stream, av.container.OutputContainer, Container, Window], Track]
    Choices = dict[int, AddTrack]  # by the stream's index in the source

_GREY = 128
_TRIED_PACKETS = 3  # of each track
_MOST_PACKETS = 2000  # are read to find them


def rehearse(folder: Path, recipe: Recipe, window: Window) -> tuple[Choices, list[str]]:
    """Choose what becomes of the tracks of the source, and make a short file with them.

    Args:
        folder: where it is made; nothing of it stays.
        window: the part of the source that will be painted.

    Returns:
        The choices, and what the user should know of them, one sentence each.

    Raises:
        OutputError: the file could not be written.
        av.error.FFmpegError: the encoder takes no such frames.
    """
    notes: list[str] = []
    choices: Choices = {}
    encoding, source = recipe.encoding, recipe.source
    if source is not None and not recipe.container.is_animated:
        choices = choose_tracks(source, recipe.container, window, notes)
    frame_file = folder / f"rehearsal.{encoding.encoder.segment_format}"
    result = folder / f"rehearsal-result{recipe.target.suffix}"
    step = max(1, round(1 / (encoding.rate * encoding.time_base)))
    try:
        writer = SegmentWriter(frame_file, encoding)
        grey = np.full((encoding.height, encoding.width, 3), _GREY, np.uint8)
        writer.add(grey, 0, step)
        short = replace(window, end=window.origin + step * encoding.time_base)
        write_file(result, recipe, [writer.finish()], short, choices)
    finally:
        frame_file.unlink(missing_ok=True)
        result.unlink(missing_ok=True)
    return choices, notes


def choose_tracks(source: str, container: Container, window: Window, notes: list[str]) -> Choices:
    """Choose what becomes of each sound and subtitle stream of the source.

    What the file can hold is copied, else encoded again; what neither suits is left out, and
    `notes` says so. Each choice was tried: a file was begun in memory with this track alone and
    the first of its packets.
    """
    choices: Choices = {}
    with open_input(source) as original:
        first = _first_packets(original, window)
        for stream in original.streams:
            if isinstance(stream, av.VideoStream):
                continue
            if stream.index in first:
                add = _choose(stream, container, first[stream.index], window, notes)
                if add is not None:
                    choices[stream.index] = add
                    continue
            codec = getattr(stream, "name", None) or "of an unknown kind"
            notes.append(f"track {stream.index} ({stream.type}, {codec}) was left out")
    return choices


def _choose(
    stream: av.stream.Stream,
    container: Container,
    packets: Sequence[AnyPacket],
    window: Window,
    notes: list[str],
) -> AddTrack | None:
    assert stream.codec_context is not None
    codec = stream.codec_context.codec.canonical_name
    whole = replace(window, begin=None, end=None)
    if isinstance(stream, av.AudioStream):
        copies, encoder = container.audio_copies, container.audio
    else:
        copies, encoder = container.subtitle_copies, container.subtitles
    add: AddTrack = add_sound if isinstance(stream, av.AudioStream) else add_subtitles
    if encoder is None:
        return None
    holds = copies is None or codec in copies
    if holds and _works(copy_track, stream, container, [_copy_of(one) for one in packets], whole):
        return copy_track
    if not _works(add, stream, container, packets, whole):
        return None
    if isinstance(stream, av.AudioStream):
        notes.append(f"sound was encoded again as {encoder}, this file cannot hold {codec}")
    return add


def _works(
    add: AddTrack,
    stream: av.stream.Stream,
    container: Container,
    packets: Sequence[AnyPacket],
    window: Window,
) -> bool:
    """Try whether a file with this track alone can be written."""
    options = {} if "movflags" in container.options else container.options
    try:
        with av.open(
            io.BytesIO(), "w", format=container.format, container_options=options
        ) as output:
            track = add(stream, output, container, window)
            output.start_encoding()
            for packet in packets:
                output.mux(track.rising(track.take(packet)))
            output.mux(track.rising(track.finish()))
    except (av.error.FFmpegError, ValueError, RuntimeError):
        return False
    return True


def _first_packets(
    original: av.container.InputContainer, window: Window
) -> dict[int, list[AnyPacket]]:
    """The first packets of each track in the window; none of one that begins late."""
    wanted = [
        stream
        for stream in original.streams
        if stream.codec_context is not None
        and isinstance(stream, av.AudioStream | av.subtitles.stream.SubtitleStream)
    ]
    found: dict[int, list[AnyPacket]] = {stream.index: [] for stream in wanted}
    if not wanted:
        return found
    try:
        if window.begin is not None:
            original.seek(int(window.begin * av.time_base), backward=True)
        for count, packet in enumerate(original.demux()):
            packets = found.get(packet.stream_index)
            if packets is None:
                continue
            if packet.size and packet.pts is not None and len(packets) < _TRIED_PACKETS:
                packets.append(packet)
            enough = all(len(packets) == _TRIED_PACKETS for packets in found.values())
            if enough or count == _MOST_PACKETS:
                break
    except av.error.FFmpegError:  # damaged sound ends early, and is reported when it is joined
        return found
    return found


def _copy_of(packet: AnyPacket) -> AnyPacket:
    copied = av.Packet(bytes(packet))
    copied.pts, copied.dts, copied.duration = packet.pts, packet.dts, packet.duration
    copied.time_base, copied.is_keyframe = packet.time_base, packet.is_keyframe
    return copied
