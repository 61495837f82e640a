"""A stream of sound or subtitles of the source and what it becomes: packets copied or rewritten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import av.error

from sakuga.video.containers import Container

if TYPE_CHECKING:
    from av.packet import Packet

    AnyPacket = Packet[Any]

_INTERLEAVED_S = 10  # how far apart files lay what is heard at the same time
# For subtitles whose decoder knows of no styles.
_PLAIN_HEADER = (
    b"[Script Info]\nScriptType: v4.00+\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
    b"Style: Default,Arial,16\n[Events]\nFormat: Layer, Start, End, Style, Name, Text\n"
)
# Tags that describe the old file and would be wrong in the new one.
_OWN_TAGS = frozenset(
    [
        *("major_brand", "minor_version", "compatible_brands", "encoder", "vendor_id"),
        *("duration", "rotate", "timecode", "creation_time", "number_of_frames"),
        *("number_of_bytes", "bps"),
    ]
)


@dataclass(frozen=True)
class Window:
    """The part of the source that goes into the result."""

    origin: Fraction  # seconds of the source that become 0
    begin: Fraction | None  # seconds of the source; what starts earlier is left out; None: nothing
    end: Fraction | None  # what starts here or later is left out; None: nothing

    def holds(self, time: Fraction) -> bool:
        return (self.begin is None or time >= self.begin) and (self.end is None or time < self.end)


class Track:
    """One stream of the source and the stream of the result it becomes."""

    def __init__(self, source: av.stream.Stream, target: av.stream.Stream, window: Window) -> None:
        self._target = target
        self._window = window
        self._base = source.time_base or Fraction(1, 1000)
        self._shift = round(window.origin / self._base)  # units of the source's time base
        self._last: int | None = None  # when the last packet was decoded, in its own units
        self.kind = "sound" if source.type == "audio" else "subtitles"
        self.damaged = 0  # packets
        target.metadata.update(kept_tags(source.metadata))
        target.disposition = source.disposition

    def take(self, packet: AnyPacket) -> list[AnyPacket]:
        """Turn one packet of the source into packets of the result."""
        if packet.pts is None:
            packet.pts = packet.dts
        if packet.pts is None or not self._window.holds(packet.pts * self._base):
            return []
        packet.pts -= self._shift
        packet.dts = packet.pts if packet.dts is None else packet.dts - self._shift
        packet.stream = self._target
        return [packet]

    def finish(self) -> list[AnyPacket]:
        """The packets that are still inside."""
        return []

    def rising(self, packets: list[AnyPacket]) -> list[AnyPacket]:
        """Mend broken times, which no file takes: each packet is decoded after the one before."""
        for packet in packets:
            if packet.dts is None:
                continue
            if self._last is not None and packet.dts <= self._last:
                packet.dts = self._last  # where subtitles may stay, which may be shown together
                if self.kind == "sound":
                    packet.dts += max(1, packet.duration or 1)
            packet.pts = packet.dts if packet.pts is None else max(packet.pts, packet.dts)
            self._last = packet.dts
        return packets


class SubtitleConversion(Track):
    """Text subtitles that are written in another notation."""

    def __init__(
        self,
        source: av.subtitles.stream.SubtitleStream,
        target: av.subtitles.stream.SubtitleStream,
        window: Window,
    ) -> None:
        super().__init__(source, target, window)
        self._decoder = source.codec_context
        self._encoder = target.codec_context

    def take(self, packet: AnyPacket) -> list[AnyPacket]:
        if packet.pts is None or not packet.size:
            return []
        try:
            shown = self._decoder.decode2(packet)
            if shown is None or not len(shown.rects):
                return []
            if not self._window.holds(packet.pts * self._base):
                return []
            converted = self._encoder.encode_subtitle(shown)
        except av.error.FFmpegError:
            self.damaged += 1
            return []
        converted.time_base = self._base
        converted.pts = converted.dts = packet.pts - self._shift
        converted.duration = packet.duration or 0
        converted.stream = self._target
        return [converted]


def read_packets(
    source: av.container.InputContainer, tracks: dict[int, Track], window: Window, notes: list[str]
) -> Iterator[tuple[Fraction, list[AnyPacket]]]:
    """Yield (seconds in the result, packets for it) for all tracks, in the order of the source."""
    streams = [source.streams[index] for index in tracks]
    seconds = Fraction(0)
    # The pictures are read too where there is an end, so that it is seen to come.
    pace = source.streams.video[:1] if window.end is not None else ()
    packets = source.demux([*streams, *pace]) if streams else iter(())
    past_end: set[int] = set()
    while len(past_end) < len(streams):
        try:
            packet = next(packets, None)
        except av.error.FFmpegError as error:
            notes.append(f"the sound ends early, its data is damaged ({error.strerror})")
            break
        if packet is None:
            break
        if packet.dts is None and packet.pts is None:  # the demuxer's sign for the end of a stream
            continue
        if packet.pts is not None:
            shown = packet.pts * packet.time_base
            if window.end is not None and shown >= window.end + _INTERLEAVED_S:
                break  # what comes now belongs still later, in all tracks
            if packet.stream_index not in tracks:
                continue
            if window.end is not None and shown >= window.end + 1:  # a second for reordering
                past_end.add(packet.stream_index)
                continue
            seconds = shown - window.origin
        if (track := tracks.get(packet.stream_index)) is not None:
            yield seconds, track.rising(track.take(packet))
    for track in tracks.values():
        yield seconds, track.rising(track.finish())
        if track.damaged:
            notes.append(f"{track.damaged} damaged packets of {track.kind} were left out")


def kept_tags(metadata: dict[str, str]) -> dict[str, str]:
    """The tags that are as true of the painted file as of the source: title, language, date."""
    return {
        key: value
        for key, value in metadata.items()
        if key.lower().split("-")[0] not in _OWN_TAGS and not key.startswith("_STATISTICS")
    }


def copy_track(
    source: av.stream.Stream,
    target: av.container.OutputContainer,
    container: Container,
    window: Window,
) -> Track:
    """Add a stream that takes the packets of `source` as they are."""
    return Track(source, target.add_stream_from_template(source), window)


def add_subtitles(
    source: av.stream.Stream,
    target: av.container.OutputContainer,
    container: Container,
    window: Window,
) -> Track:
    """Add a stream for text subtitles in another notation.

    Raises:
        ValueError, av.error.FFmpegError: they are pictures, or have no decoder or encoder.
    """
    assert isinstance(source, av.subtitles.stream.SubtitleStream)
    context = source.codec_context
    if context.codec.bitmap_sub or container.subtitles is None:
        raise ValueError("pictures of text: no notation holds them")
    context.open(strict=False)
    converted = target.add_stream(container.subtitles)
    assert isinstance(converted, av.subtitles.stream.SubtitleStream)
    converted.codec_context.subtitle_header = context.subtitle_header or _PLAIN_HEADER
    converted.codec_context.time_base = Fraction(1, 1000)
    return SubtitleConversion(source, converted, window)
